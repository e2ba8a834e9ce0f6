-- The security report finds nothing until a right is opened; then it finds that right.
CREATE DATABASE security_report;
\c security_report postgres
CREATE EXTENSION checkout_sessions;
SELECT * FROM checkout.security_report();
-- It finds nothing with the roles of a usual installation: one tenant's backend, a backend for all, PostgREST's and
-- Supabase's, an operator
CREATE ROLE report_shop LOGIN;
CREATE ROLE report_backend LOGIN;
CREATE ROLE report_anon;
CREATE ROLE report_authenticator LOGIN NOINHERIT;
CREATE ROLE report_sender LOGIN;
CREATE ROLE report_admin LOGIN;
CREATE ROLE report_window LOGIN;
CREATE ROLE report_stranger LOGIN;
GRANT report_anon TO report_authenticator;
SELECT checkout.grant_access('report_shop', 'secret');
SELECT checkout.grant_access('report_backend', 'secret');
SELECT checkout.grant_access('report_anon', 'request');
SELECT checkout.grant_access('report_authenticator', 'authenticator');
SELECT checkout.grant_access('report_sender', 'relay');
SELECT checkout.grant_access('report_admin', 'admin');
SELECT checkout.grant_access('report_window', 'publishable');
SELECT checkout.create_organization('Report') IS NOT NULL AS made;
DO $$ BEGIN EXECUTE (SELECT format('ALTER ROLE report_shop SET checkout_sessions.organization_id = %L', organization_id)
    FROM checkout.list_organizations()); END $$;
GRANT SET ON PARAMETER checkout_sessions.organization_id, checkout_sessions.environment TO report_backend;
SELECT checkout.grant_access('report_shop', 'relay');
SELECT checkout.revoke_access('report_shop', 'relay');
SELECT * FROM checkout.security_report();
\c - report_admin
SELECT count(*) AS findings FROM checkout.security_report();
\c - postgres

-- Opens a right, runs the report, and closes the right again.
CREATE SCHEMA testing;
CREATE FUNCTION testing.report(opened text) RETURNS TABLE (finding text, object text, role text, advice text) LANGUAGE
    plpgsql AS $$
DECLARE
    findings jsonb;
BEGIN
    EXECUTE opened;
    SELECT jsonb_agg(r) INTO findings FROM checkout.security_report() AS r;
    RAISE SQLSTATE 'ZZ999';
EXCEPTION WHEN SQLSTATE 'ZZ999' THEN
    RETURN QUERY SELECT f ->> 'finding', f ->> 'object', f ->> 'role', f ->> 'advice'
        FROM jsonb_array_elements(findings) WITH ORDINALITY AS r (f, n) ORDER BY n;
END $$;
CREATE FUNCTION testing.trap() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
CREATE TABLE testing.provoked (n serial, opened text, finding text, object text, role text, advice text);
CREATE TABLE testing.doors (n serial, opened text);
INSERT INTO testing.doors (opened) VALUES
    -- The roles that own the functions have more rights than they need.
    ('ALTER ROLE checkout_sessions_api LOGIN'), ('ALTER ROLE checkout_sessions_api SUPERUSER'),
    ('ALTER ROLE checkout_sessions_worker BYPASSRLS'), ('ALTER ROLE checkout_sessions_worker CREATEROLE'),
    ('ALTER ROLE checkout_sessions_api REPLICATION'),
    ('GRANT checkout_sessions_api TO report_stranger'), ('GRANT pg_read_all_data TO checkout_sessions_worker'),
    -- An application's role has more rights on the server than it needs, or can become one that has.
    ('ALTER ROLE report_shop SUPERUSER'), ('ALTER ROLE report_backend CREATEROLE'),
    ('ALTER ROLE report_anon CREATEROLE'), ('ALTER ROLE report_sender REPLICATION'),
    ('CREATE ROLE report_root SUPERUSER; GRANT report_root TO report_shop'),
    ('CREATE ROLE report_root CREATEROLE; CREATE ROLE report_group; GRANT report_root TO report_group; '
        'GRANT report_group TO report_sender'),
    -- A role that bypasses row-level security has a right on a table.
    ('ALTER ROLE report_stranger BYPASSRLS; GRANT SELECT ON checkout_data.payments TO report_stranger'),
    ('ALTER ROLE report_stranger BYPASSRLS; GRANT pg_read_all_data TO report_stranger'),
    ('ALTER ROLE report_stranger BYPASSRLS; '
        'GRANT UPDATE (amount) ON checkout_data.checkout_sessions TO report_stranger'),
    ('ALTER ROLE report_stranger BYPASSRLS; GRANT TRUNCATE ON checkout_data.payments TO report_stranger'),
    ('GRANT pg_read_server_files TO report_shop'), ('GRANT pg_execute_server_program TO report_shop'),
    ('GRANT pg_write_server_files TO report_shop'),
    -- The anonymous role has rights without a credential.
    ('SELECT checkout.grant_access(''report_anon'', ''secret'')'),
    ('SELECT checkout.grant_access(''report_anon'', ''relay'')'),
    ('SELECT checkout.grant_access(''report_anon'', ''monitor'')'),
    ('SELECT checkout.grant_access(''report_anon'', ''admin'')'),
    ('SELECT checkout.grant_access(''report_anon'', ''authenticator'')'), ('GRANT report_admin TO report_anon'),
    -- EXECUTE for PUBLIC, for the anonymous role, for a stranger, by single grants and by sweeping ones
    ('GRANT EXECUTE ON FUNCTION checkout.list_checkout_sessions TO PUBLIC'),
    ('GRANT EXECUTE ON FUNCTION checkout.list_api_keys TO report_anon'),
    ('GRANT EXECUTE ON FUNCTION checkout.create_api_key TO report_stranger'),
    ('GRANT EXECUTE ON FUNCTION checkout.grant_access TO report_admin'),
    ('GRANT EXECUTE ON FUNCTION checkout.list_webhook_endpoints TO report_window'),
    ('GRANT EXECUTE ON FUNCTION checkout.claim_webhook_deliveries TO report_shop'),
    ('GRANT EXECUTE ON FUNCTION checkout.record_webhook_attempts TO report_shop'),
    ('GRANT EXECUTE ON FUNCTION checkout.claim_webhook_events TO report_window'),
    ('GRANT EXECUTE ON FUNCTION checkout.create_webhook_consumer TO report_sender'),
    ('GRANT EXECUTE ON FUNCTION checkout_data.webhook_headers TO PUBLIC'),
    ('GRANT EXECUTE ON FUNCTION checkout_data.reader_organization_id TO report_window'),
    ('GRANT EXECUTE ON FUNCTION checkout_data.wake_worker TO PUBLIC'),
    ('GRANT EXECUTE ON FUNCTION checkout_data.secret_access TO PUBLIC'),
    ('GRANT EXECUTE ON FUNCTION checkout_data.authenticator_access TO PUBLIC'),
    ('GRANT EXECUTE ON FUNCTION checkout_data.secret_access, checkout.list_checkout_sessions TO PUBLIC'),
    ('GRANT EXECUTE ON FUNCTION checkout.get_checkout_session TO report_shop WITH GRANT OPTION'),
    ('GRANT EXECUTE ON FUNCTION checkout.list_payments TO checkout_sessions_worker'),
    -- Tables, columns and schemas
    ('GRANT SELECT ON checkout_data.checkout_sessions TO report_stranger'),
    ('GRANT TRIGGER ON checkout_data.payments TO report_shop'),
    ('GRANT SELECT ON checkout_data.api_keys TO PUBLIC'),
    ('GRANT SELECT (customer_email) ON checkout_data.checkout_sessions TO report_anon'),
    ('GRANT UPDATE (digest) ON checkout_data.api_keys TO checkout_sessions_worker'),
    ('GRANT DELETE ON checkout_data.checkout_sessions TO checkout_sessions_api'),
    ('GRANT SELECT ON checkout_data.organizations TO checkout_sessions_api WITH GRANT OPTION'),
    ('GRANT SELECT (secret) ON checkout_data.webhook_endpoints TO report_sender'),
    ('GRANT SELECT ON checkout_data.webhook_endpoints TO PUBLIC'),
    ('GRANT SELECT ON checkout_data.webhook_deliveries TO report_shop'),
    ('GRANT UPDATE ON checkout_data.webhook_deliveries TO checkout_sessions_api'),
    ('GRANT UPDATE (event_count) ON checkout_data.webhook_endpoints TO checkout_sessions_api'),
    ('GRANT UPDATE ON checkout_data.webhook_attempts TO checkout_sessions_worker'),
    ('GRANT UPDATE ON checkout_data.webhook_outbox TO checkout_sessions_worker'),
    ('GRANT INSERT ON checkout_data.webhook_consumers TO checkout_sessions_api'),
    ('GRANT SELECT ON checkout_data.webhook_receivers TO report_shop'),
    ('GRANT USAGE ON SCHEMA checkout_data TO report_shop'), ('GRANT CREATE ON SCHEMA checkout TO report_shop'),
    ('GRANT USAGE ON SCHEMA checkout TO PUBLIC'), ('GRANT CREATE ON SCHEMA checkout TO checkout_sessions_api'),
    -- Default privileges would open objects that an update adds.
    ('ALTER DEFAULT PRIVILEGES GRANT EXECUTE ON FUNCTIONS TO report_anon'),
    ('ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC'),
    ('ALTER DEFAULT PRIVILEGES GRANT USAGE ON SCHEMAS TO report_anon'),
    ('ALTER DEFAULT PRIVILEGES IN SCHEMA checkout GRANT EXECUTE ON FUNCTIONS TO PUBLIC'),
    ('ALTER DEFAULT PRIVILEGES IN SCHEMA checkout_data GRANT ALL ON TABLES TO report_anon'),
    -- Owners
    ('ALTER TABLE checkout_data.payments OWNER TO checkout_sessions_api'),
    ('ALTER SCHEMA checkout OWNER TO report_admin'),
    ('ALTER FUNCTION checkout.list_checkout_sessions OWNER TO postgres'),
    ('GRANT CREATE ON SCHEMA checkout TO report_shop; '
        'ALTER FUNCTION checkout.list_checkout_sessions OWNER TO report_shop; '
        'REVOKE CREATE ON SCHEMA checkout FROM report_shop'),
    ('GRANT CREATE ON SCHEMA checkout TO checkout_sessions_worker; '
        'ALTER FUNCTION checkout.list_checkout_sessions OWNER TO checkout_sessions_worker; '
        'REVOKE CREATE ON SCHEMA checkout FROM checkout_sessions_worker'),
    ('GRANT CREATE ON SCHEMA checkout TO checkout_sessions_api; '
        'ALTER FUNCTION checkout.list_api_keys OWNER TO checkout_sessions_api; '
        'REVOKE CREATE ON SCHEMA checkout FROM checkout_sessions_api'),
    ('ALTER FUNCTION checkout_data.wake_worker OWNER TO report_shop'),
    -- Search paths
    ('ALTER FUNCTION checkout.get_checkout_session RESET search_path'),
    ('ALTER FUNCTION checkout.record_payment SET search_path TO public, pg_catalog'),
    ('ALTER FUNCTION checkout.authenticate SET search_path TO pg_catalog'),
    ('ALTER FUNCTION checkout.next_webhook_attempt_at RESET search_path'),
    -- Functions that differ from the installed ones
    ('ALTER FUNCTION checkout.get_checkout_session SECURITY INVOKER'),
    ('ALTER FUNCTION checkout.get_checkout_session '
        'SET checkout_sessions.organization_id TO ''01890000-0000-7000-8000-000000000000'''),
    ('CREATE OR REPLACE FUNCTION checkout.current_environment() RETURNS text LANGUAGE internal AS ''pgsql_version'''),
    ('CREATE OR REPLACE FUNCTION checkout.current_organization_id() RETURNS uuid '
        'LANGUAGE sql AS ''SELECT gen_random_uuid()'''),
    ('CREATE OR REPLACE FUNCTION checkout_data.reader_organization_id() RETURNS uuid '
        'LANGUAGE sql AS ''SELECT gen_random_uuid()'''),
    ('CREATE OR REPLACE FUNCTION checkout.claim_webhook_deliveries(batch_size integer DEFAULT 100, '
        'lease interval DEFAULT ''1 minute'', per_endpoint integer DEFAULT 10, in_flight uuid[] DEFAULT ''{}'', '
        'except_organizations uuid[] DEFAULT ''{}'') RETURNS SETOF checkout.webhook_delivery_request '
        'LANGUAGE sql AS ''SELECT NULL::checkout.webhook_delivery_request'''),
    ('ALTER FUNCTION checkout.create_webhook_endpoint SECURITY INVOKER'),
    ('CREATE OR REPLACE FUNCTION checkout_data.event_type_matches(event_types text[], body_format text, '
        'event_type text) '
        'RETURNS boolean LANGUAGE sql AS ''SELECT true'''),
    ('CREATE OR REPLACE FUNCTION checkout_data.webhook_headers(signature_scheme text, event_id text, url text, '
        'body text, secret text, previous_secret text, at timestamptz) '
        'RETURNS text LANGUAGE sql AS ''SELECT secret'''),
    -- Objects that do not belong to the extension
    ('CREATE FUNCTION checkout.list_everything() RETURNS SETOF checkout_data.checkout_sessions '
        'LANGUAGE sql AS ''TABLE checkout_data.checkout_sessions'''),
    ('CREATE FUNCTION checkout.list_everything() RETURNS SETOF checkout_data.checkout_sessions '
        'LANGUAGE sql SECURITY DEFINER AS ''TABLE checkout_data.checkout_sessions'''),
    ('CREATE VIEW checkout.sessions AS TABLE checkout_data.checkout_sessions'),
    -- Views that differ from the installed ones
    ('ALTER VIEW checkout.payments OWNER TO postgres'),
    ('DO $do$ BEGIN EXECUTE ''CREATE OR REPLACE VIEW checkout.refunds AS '' || regexp_replace(pg_get_viewdef('
        '''checkout.refunds''::regclass, true), ''WHERE.*'', ''''); END $do$'),
    ('DO $do$ BEGIN EXECUTE ''CREATE OR REPLACE VIEW checkout.payments AS '' || replace(pg_get_viewdef('
        '''checkout.payments''::regclass, true), ''CROSS JOIN ( SELECT) read_only'', ''''); END $do$'),
    ('CREATE RULE spy AS ON INSERT TO checkout.payments DO INSTEAD NOTHING'),
    ('GRANT SELECT ON checkout.payments TO PUBLIC'), ('GRANT SELECT ON checkout.checkout_sessions TO report_sender'),
    ('GRANT SELECT ON checkout.checkout_sessions TO report_window'),
    ('GRANT INSERT ON checkout.payments TO report_shop'),
    ('GRANT SELECT (amount) ON checkout.payments TO report_admin'),
    ('GRANT SELECT ON checkout.payments TO report_shop WITH GRANT OPTION'),
    ('CREATE TABLE checkout_data.notes (note text)'), ('CREATE SEQUENCE checkout_data.counter'),
    -- Objects elsewhere that expose the extension's
    ('CREATE VIEW testing.sessions AS SELECT customer_email FROM checkout_data.checkout_sessions'),
    ('CREATE MATERIALIZED VIEW testing.sessions AS TABLE checkout_data.api_keys'),
    ('CREATE VIEW testing.sessions AS SELECT s.* FROM (TABLE checkout_data.checkout_sessions) AS s; '
        'CREATE VIEW testing.again AS TABLE testing.sessions'),
    ('CREATE TABLE testing.more () INHERITS (checkout_data.payments)'),
    ('CREATE FUNCTION testing.all_sessions() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS ''SELECT 1''; '
        'GRANT CREATE ON SCHEMA testing TO checkout_sessions_worker; '
        'ALTER FUNCTION testing.all_sessions OWNER TO checkout_sessions_worker'),
    ('CREATE TABLE testing.notes (note text); GRANT CREATE ON SCHEMA testing TO checkout_sessions_api; '
        'ALTER TABLE testing.notes OWNER TO checkout_sessions_api'),
    -- Policies
    ('ALTER TABLE checkout_data.payments DISABLE ROW LEVEL SECURITY'),
    ('DROP POLICY tenant ON checkout_data.checkout_sessions'),
    ('DROP POLICY every_tenant ON checkout_data.api_keys'),
    ('ALTER POLICY tenant ON checkout_data.payments USING (true)'),
    ('ALTER POLICY tenant ON checkout_data.payments WITH CHECK (true)'),
    ('ALTER POLICY every_tenant ON checkout_data.payments TO PUBLIC'),
    ('ALTER POLICY tenant ON checkout_data.organizations WITH CHECK (true)'),
    ('CREATE POLICY open ON checkout_data.checkout_sessions FOR SELECT USING (true)'),
    ('CREATE POLICY tenant ON checkout_data.api_keys TO checkout_sessions_api USING (true)'),
    ('ALTER POLICY tenant ON checkout_data.payments RENAME TO renamed'),
    ('ALTER TABLE checkout_data.webhook_endpoints DISABLE ROW LEVEL SECURITY'),
    ('ALTER TABLE checkout_data.webhook_deliveries DISABLE ROW LEVEL SECURITY'),
    ('ALTER TABLE checkout_data.webhook_attempts DISABLE ROW LEVEL SECURITY'),
    ('ALTER TABLE checkout_data.webhook_consumers DISABLE ROW LEVEL SECURITY'),
    ('ALTER VIEW checkout_data.webhook_receivers RESET (security_invoker)'),
    ('ALTER VIEW checkout_data.webhook_receivers SET (security_invoker = false)'),
    ('DROP POLICY tenant ON checkout_data.webhook_endpoints'),
    ('ALTER POLICY tenant ON checkout_data.webhook_consumers USING (true)'),
    ('ALTER POLICY tenant ON checkout_data.webhook_consumers WITH CHECK (true)'),
    ('DROP POLICY every_tenant ON checkout_data.webhook_deliveries'),
    ('ALTER POLICY tenant ON checkout_data.webhook_endpoints USING (true)'),
    ('ALTER POLICY tenant ON checkout_data.webhook_deliveries '
        'USING (organization_id = checkout.current_organization_id())'),
    ('ALTER POLICY tenant ON checkout_data.webhook_attempts WITH CHECK (true)'),
    ('CREATE POLICY open ON checkout_data.webhook_endpoints FOR SELECT USING (true)'),
    ('DROP POLICY tenant ON checkout_data.payments; '
        'CREATE POLICY tenant ON checkout_data.payments FOR SELECT TO checkout_sessions_api '
        'USING (organization_id = checkout.current_organization_id() '
        'AND environment = checkout.current_environment())'),
    -- Triggers and rules
    ('CREATE TRIGGER trap AFTER INSERT ON checkout_data.payments FOR EACH ROW EXECUTE FUNCTION testing.trap()'),
    ('CREATE TRIGGER organizations_changed AFTER INSERT ON checkout_data.api_keys '
        'FOR EACH ROW EXECUTE FUNCTION testing.trap()'),
    ('ALTER TABLE checkout_data.organizations DISABLE TRIGGER organizations_changed'),
    ('ALTER TABLE checkout_data.organizations DISABLE TRIGGER organizations_deleted'),
    ('ALTER TABLE checkout_data.admin_log DISABLE TRIGGER admin_log_append_only'),
    ('DROP TRIGGER checkout_sessions_deleted ON checkout_data.checkout_sessions'),
    ('DROP TRIGGER organizations_changed ON checkout_data.organizations'),
    ('ALTER TABLE checkout_data.organizations ENABLE REPLICA TRIGGER organizations_changed'),
    ('CREATE OR REPLACE TRIGGER organizations_changed AFTER UPDATE ON checkout_data.organizations '
        'FOR EACH STATEMENT EXECUTE FUNCTION testing.trap()'),
    ('CREATE RULE trap AS ON INSERT TO checkout_data.payments DO ALSO NOTHING'),
    -- Roles that can choose their tenant
    ('GRANT SET ON PARAMETER checkout_sessions.organization_id TO report_anon'),
    ('GRANT SET ON PARAMETER checkout_sessions.organization_id TO PUBLIC'),
    ('GRANT SET ON PARAMETER checkout_sessions.environment TO report_admin'),
    ('GRANT ALTER SYSTEM ON PARAMETER checkout_sessions.organization_id TO report_admin'),
    ('GRANT SET ON PARAMETER checkout_sessions.jwt_organization_claim TO report_backend'),
    ('GRANT SET ON PARAMETER checkout_sessions.base_url TO report_shop'),
    ('GRANT SET ON PARAMETER checkout_sessions.webhook_allowed_ranges TO report_shop'),
    ('GRANT report_backend TO report_anon'), ('GRANT report_backend TO report_window'),
    ('SELECT checkout.grant_access(''report_backend'', ''admin'')'),
    ('ALTER ROLE report_anon NOINHERIT; GRANT report_shop TO report_anon'),
    ('ALTER DATABASE security_report SET checkout_sessions.organization_id = ''01890000-0000-7000-8000-000000000000'''),
    ('ALTER ROLE ALL SET checkout_sessions.organization_id = ''01890000-0000-7000-8000-000000000000'''),
    ('ALTER ROLE ALL IN DATABASE security_report '
        'SET checkout_sessions.organization_id = ''01890000-0000-7000-8000-000000000000'''),
    -- Roles that can drop all sessions and payments, and are no superusers
    ('ALTER DATABASE security_report OWNER TO report_stranger'),
    ('UPDATE pg_extension SET extowner = ''report_stranger''::regrole WHERE extname = ''checkout_sessions'''),
    ('GRANT postgres TO report_stranger'),
    ('ALTER DATABASE security_report SET checkout_sessions.allow_drop = on'),
    ('ALTER ROLE report_stranger SET checkout_sessions.allow_drop = true');
INSERT INTO testing.provoked (opened, finding, object, role, advice)
SELECT d.opened, r.finding, r.object, r.role, r.advice
FROM testing.doors d, LATERAL testing.report(d.opened) AS r ORDER BY d.n, r.finding, r.object, r.role;
\a
SELECT opened, finding, object, role FROM testing.provoked ORDER BY n;
SELECT opened AS not_noticed
FROM testing.doors d WHERE NOT EXISTS (SELECT FROM testing.provoked p WHERE p.opened = d.opened) ORDER BY n;
-- Harmless grants are no findings: BYPASSRLS without a right, like Supabase's service_role, which an authenticator may
-- also take; roles that read all tables but are under row-level security; defaults that every database has; rights on
-- objects of others.
SELECT opened, count(r.finding) AS findings FROM unnest(ARRAY['ALTER ROLE report_shop BYPASSRLS',
    'CREATE ROLE report_service BYPASSRLS; GRANT report_service TO report_authenticator',
    'GRANT pg_read_all_data TO report_stranger',
    -- Grants on parameters belong to the cluster: a backend of another database has them, but no rights here.
    'GRANT SET ON PARAMETER checkout_sessions.organization_id, checkout_sessions.base_url TO report_stranger',
    'SELECT checkout.revoke_access(''report_backend'', ''secret'')',
    'ALTER DEFAULT PRIVILEGES GRANT EXECUTE ON FUNCTIONS TO PUBLIC',
        'ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC',
        'ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON TABLES TO report_anon',
    -- A view on our views asks for the reader's credential.
    'CREATE VIEW testing.orders AS SELECT checkout_session_id FROM checkout.checkout_sessions; '
        'GRANT SELECT ON testing.orders TO PUBLIC',
    'CREATE VIEW testing.orders AS SELECT checkout_session_id FROM checkout.list_checkout_sessions(); '
        'GRANT SELECT ON testing.orders TO PUBLIC',
        'CREATE TABLE testing.orders (checkout_session_id uuid); GRANT ALL ON testing.orders TO PUBLIC',
    'ALTER DATABASE security_report SET checkout_sessions.base_url = ''https://pay.example''',
        'ALTER ROLE report_anon SET checkout_sessions.environment = ''test''', 'ALTER ROLE report_stranger SUPERUSER'])
        AS opened
LEFT JOIN LATERAL testing.report(opened) AS r ON true GROUP BY 1 ORDER BY 1;
\a
-- All rights are closed again.
SELECT * FROM checkout.security_report();

-- Each finding says what to do, and appears once.
SELECT DISTINCT finding,
    regexp_replace(advice, '(report|checkout_sessions)_[a-z]+|pg_read_all_data', '<role>', 'g') AS advice
FROM testing.provoked ORDER BY 1, 2;
SELECT opened, finding, object, role, count(*) AS times
FROM testing.provoked GROUP BY 1, 2, 3, 4 HAVING count(*) > 1 ORDER BY 1;

-- A sweeping grant on a schema, which many instructions on the web contain, is a finding for each function that it
-- opens.
SELECT d.opened, count(*) > 20 AND count(*) = count(r.object) AS each_is_found
FROM (VALUES
    ('report_stranger', 'checkout', 'GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA checkout TO report_stranger'),
    ('PUBLIC', 'checkout', 'GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA checkout TO PUBLIC'),
    ('PUBLIC', 'checkout_data', 'GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA checkout_data TO PUBLIC')
) AS d (grantee, schema, opened)
JOIN pg_proc p ON p.pronamespace = d.schema::regnamespace
LEFT JOIN LATERAL (SELECT r.object FROM testing.report(d.opened) AS r WHERE r.role = d.grantee) AS r
    ON r.object = 'EXECUTE on ' || p.oid::regprocedure
GROUP BY 1 ORDER BY 1;
SELECT d.opened, count(*) AS tables, count(r.object) AS found
FROM (VALUES
    ('report_anon', 'GRANT ALL ON ALL TABLES IN SCHEMA checkout_data TO report_anon'),
    ('PUBLIC', 'GRANT SELECT ON ALL TABLES IN SCHEMA checkout_data TO PUBLIC')
) AS d (grantee, opened)
JOIN pg_class c ON c.relnamespace = 'checkout_data'::regnamespace AND c.relkind = 'r'
LEFT JOIN LATERAL (SELECT r.object FROM testing.report(d.opened) AS r WHERE r.role = d.grantee) AS r
    ON r.object = 'SELECT on ' || c.oid::regclass
GROUP BY 1 ORDER BY 1;
-- Default privileges open functions and tables that an update creates later.
SELECT r.* FROM testing.report($$
    ALTER DEFAULT PRIVILEGES GRANT ALL ON FUNCTIONS TO report_anon;
    ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO report_anon;
    CREATE FUNCTION checkout.added() RETURNS integer LANGUAGE sql RETURN 1;
    CREATE TABLE checkout_data.added ();
    ALTER EXTENSION checkout_sessions ADD FUNCTION checkout.added();
    ALTER EXTENSION checkout_sessions ADD TABLE checkout_data.added
$$) AS r
WHERE r.finding = 'unexpected grant';

-- An organization set for the whole server, in its configuration
SELECT bindir.setting AS bindir FROM pg_config AS bindir WHERE name = 'BINDIR' \gset
\setenv BINDIR :bindir
\setenv SHOW '"$BINDIR/psql" -XAtqU postgres -d postgres -c "SHOW checkout_sessions.organization_id"'
ALTER SYSTEM SET checkout_sessions.organization_id = '01890000-0000-7000-8000-000000000000';
SELECT pg_reload_conf();
\! for i in $(seq 200); do sh -c "$SHOW" | grep -q 0189 && break; sleep 0.05; done
\c -
INSERT INTO testing.provoked (opened, finding, object, role, advice)
SELECT 'ALTER SYSTEM SET checkout_sessions.organization_id', r.* FROM checkout.security_report() AS r
RETURNING finding, object, role, advice;
ALTER SYSTEM RESET checkout_sessions.organization_id;
SELECT pg_reload_conf();
\! for i in $(seq 200); do sh -c "$SHOW" | grep -q 0189 || break; sleep 0.05; done
\c -
SELECT * FROM checkout.security_report();

-- The tests provoke every finding in the function's source. Each of its queries begins with the finding's name.
CREATE TABLE testing.findings AS SELECT literal[1] AS finding, n
FROM pg_proc p, regexp_split_to_table(substr(prosrc, strpos(prosrc, E'\n\n    SELECT ')), E'\n    UNION ALL\n')
    WITH ORDINALITY AS query (source, n),
    regexp_matches(substring(source FROM '^\s*SELECT (?:DISTINCT )?((?:CASE .*? END)|(?:''[^'']*'')),'), '''([^'']*)''',
    'g') AS literal
WHERE p.oid = 'checkout_data.security_findings'::regproc;
SELECT count(DISTINCT n) AS queries_read, (SELECT array_length(regexp_split_to_array(prosrc, E'\n    UNION ALL\n'), 1)
    FROM pg_proc WHERE oid = 'checkout_data.security_findings'::regproc) AS queries FROM testing.findings;
SELECT f.finding, count(p.n) AS provoked
FROM (SELECT DISTINCT finding FROM testing.findings) AS f LEFT JOIN testing.provoked p USING (finding) GROUP BY 1
ORDER BY 1;
SELECT DISTINCT finding AS not_in_the_source
FROM testing.provoked WHERE finding NOT IN (SELECT finding FROM testing.findings);

-- The report works without its owner, and without the owner's rights.
CREATE ROLE report_heir;
REASSIGN OWNED BY checkout_sessions_worker TO report_heir;
SELECT finding, object, role
FROM checkout.security_report() WHERE finding = 'report incomplete' OR object = 'checkout.security_report()';
REASSIGN OWNED BY report_heir TO checkout_sessions_worker;
DROP ROLE report_heir;
SELECT * FROM checkout.security_report();
REVOKE EXECUTE ON FUNCTION checkout_data.security_findings FROM checkout_sessions_worker;
SELECT finding, object, role FROM checkout.security_report();
GRANT EXECUTE ON FUNCTION checkout_data.security_findings TO checkout_sessions_worker;
SELECT * FROM checkout.security_report();

\c regression postgres
-- What the session says of identifiers and strings changes nothing, also if it installs the extension.
CREATE DATABASE security_report_quoted;
\c security_report_quoted
SET quote_all_identifiers = on;
SET standard_conforming_strings = off;
CREATE EXTENSION checkout_sessions;
SELECT * FROM checkout.security_report();
SELECT checkout.create_organization('Shop') \gset
RESET ALL;
SELECT * FROM checkout.security_report();
\c regression
DROP DATABASE security_report_quoted;
DROP DATABASE security_report;
REVOKE ALL ON PARAMETER checkout_sessions.organization_id, checkout_sessions.environment FROM report_backend;
DROP ROLE report_shop, report_backend, report_anon, report_authenticator, report_sender, report_admin, report_window,
    report_stranger;
