-- The catalogs show the rights and the properties of the installed objects.
-- The two roles can do nothing by themselves.
SELECT rolname, rolcanlogin, rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolreplication,
    (SELECT count(*) FROM pg_auth_members m WHERE m.member = r.oid OR m.roleid = r.oid) AS memberships
FROM pg_roles r WHERE rolname LIKE 'checkout\_sessions%' ORDER BY 1;

-- Functions of the API that run as their owner: those two roles own them, and no other role can write to their search
-- path
SELECT p.proname, r.rolname AS owner, array_to_string(p.proconfig, '; ') AS settings
FROM pg_proc p JOIN pg_roles r ON r.oid = p.proowner
WHERE p.pronamespace IN ('checkout'::regnamespace, 'checkout_data'::regnamespace) AND p.prosecdef ORDER BY 1;
SELECT p.oid::regprocedure AS definer_with_an_unsafe_path_or_owner FROM pg_proc p JOIN pg_roles r ON r.oid = p.proowner
WHERE p.pronamespace IN ('checkout'::regnamespace, 'checkout_data'::regnamespace) AND p.prosecdef
    AND (r.rolname NOT IN ('checkout_sessions_api', 'checkout_sessions_worker')
        OR NOT ('search_path=pg_catalog, pg_temp' = ANY (p.proconfig)));
-- So have those that run as their caller, if they are written in SQL; only the other functions call those of the
-- storage schema. The functions on rows of views are written to be inlined.
SELECT p.oid::regprocedure AS without_a_search_path FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
WHERE p.pronamespace = 'checkout'::regnamespace AND NOT p.prosecdef AND l.lanname <> 'c'
    AND NOT coalesce('search_path=pg_catalog, pg_temp' = ANY (p.proconfig), false)
    AND NOT (p.proretset AND EXISTS (SELECT FROM pg_class c WHERE c.reltype = p.prorettype AND c.relkind = 'v'));
-- One alone is leakproof, which indexes need; none that writes is marked safe for parallel use.
SELECT p.oid::regprocedure AS wrongly_marked FROM pg_proc p
WHERE p.pronamespace IN ('checkout'::regnamespace, 'checkout_data'::regnamespace)
    AND (p.proleakproof AND p.proname <> 'folded' OR p.provolatile = 'v' AND p.proparallel = 's');

-- The rights of owners are neither given nor taken.
SELECT call, testing.outcome(format('SELECT checkout.%s(%L, ''secret'')', call, role))
FROM unnest(ARRAY['grant_access', 'revoke_access']) AS call,
    unnest(ARRAY['checkout_sessions_api', 'checkout_sessions_worker', current_user]) AS role ORDER BY call;

-- PUBLIC has no right on anything, application roles none on storage.
SELECT 'function' AS what, p.oid::regprocedure::text AS name
FROM pg_proc p, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) AS a
WHERE p.pronamespace IN ('checkout'::regnamespace, 'checkout_data'::regnamespace) AND a.grantee = 0
UNION ALL SELECT 'table', c.oid::regclass::text
FROM pg_class c, aclexplode(c.relacl) AS a
WHERE c.relnamespace IN ('checkout'::regnamespace, 'checkout_data'::regnamespace) AND a.grantee = 0
UNION ALL SELECT 'schema', n.nspname
FROM pg_namespace n, aclexplode(n.nspacl) AS a WHERE n.nspname IN ('checkout', 'checkout_data') AND a.grantee = 0;
SELECT c.relname, a.grantee::regrole::text AS role,
    string_agg(a.privilege_type, ', ' ORDER BY a.privilege_type) AS rights
FROM pg_class c, aclexplode(c.relacl) AS a
WHERE c.relnamespace = 'checkout_data'::regnamespace AND a.grantee <> c.relowner GROUP BY 1, 2 ORDER BY 1, 2;
SELECT c.relname, a.grantee::regrole::text AS role, a.privilege_type AS right_,
    string_agg(t.attname, ', ' ORDER BY t.attname) AS columns
FROM pg_class c JOIN pg_attribute t ON t.attrelid = c.oid, aclexplode(t.attacl) AS a
WHERE c.relnamespace = 'checkout_data'::regnamespace GROUP BY 1, 2, 3 ORDER BY 1, 2;
SELECT n.nspname, a.grantee::regrole::text AS role, string_agg(a.privilege_type, ', ') AS rights
FROM pg_namespace n, aclexplode(n.nspacl) AS a
WHERE n.nspname = 'checkout_data' AND a.grantee <> n.nspowner GROUP BY 1, 2 ORDER BY 1, 2;
-- Only a superuser may create in the schemas, or owns a table.
SELECT n.nspname, a.grantee::regrole AS creator FROM pg_namespace n, aclexplode(n.nspacl) AS a
WHERE n.nspname IN ('checkout', 'checkout_data') AND a.privilege_type = 'CREATE' AND a.grantee <> n.nspowner;
SELECT relname
FROM pg_class
WHERE relnamespace = 'checkout_data'::regnamespace AND relkind = 'r'
    AND relowner::regrole::text LIKE 'checkout\_sessions%';

-- Row-level security is on for every table: one permissive policy for each role, and no more.
SELECT c.relname, c.relrowsecurity, c.relforcerowsecurity, count(p.polname) AS policies
FROM pg_class c LEFT JOIN pg_policy p ON p.polrelid = c.oid
WHERE c.relnamespace = 'checkout_data'::regnamespace AND c.relkind IN ('r', 'p') GROUP BY 1, 2, 3 ORDER BY 1;
SELECT tablename, policyname, permissive, roles, cmd,
    qual LIKE '%organization_id = checkout.current_organization_id()%' AS of_the_organization,
    qual LIKE '%environment%= checkout.current_environment()%' AS of_the_environment,
    with_check = qual AS same_for_writes, with_check = 'false' AS no_writes, qual ILIKE '%select%' AS has_a_sub_select
FROM pg_policies WHERE schemaname = 'checkout_data' ORDER BY 1, 2;
SELECT tablename, role, count(*)
FROM pg_policies, unnest(roles) AS role WHERE schemaname = 'checkout_data' GROUP BY 1, 2 HAVING count(*) > 1;

-- Every unique key starts with the organization, so no constraint reveals one tenant to another. API keys and consumers
-- are the exceptions: a key is looked up to find its organization, a consumer of all organizations has none. Their ids
-- are random, and no tenant chooses them. Activations and the log belong to the database.
SELECT i.indexrelid::regclass AS key_across_organizations
FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
    JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
WHERE c.relnamespace = 'checkout_data'::regnamespace AND i.indisunique AND a.attname <> 'organization_id'
    AND c.relname NOT IN ('api_keys', 'activations', 'admin_log')
    AND i.indexrelid <> 'checkout_data.webhook_consumers_pkey'::regclass;
-- Statuses are text, whose comparison is leakproof. There is no enum, and no sequence that counts for all tenants.
SELECT attrelid::regclass AS "table", attname, coalesce(nullif(t.typbasetype, 0), t.oid)::regtype AS type
FROM pg_attribute JOIN pg_class c ON c.oid = attrelid JOIN pg_type t ON t.oid = atttypid
WHERE relnamespace = 'checkout_data'::regnamespace AND relkind = 'r' AND attname LIKE '%status'
ORDER BY attrelid::regclass::text, attname;
SELECT count(*) AS enums
FROM pg_type WHERE typnamespace IN ('checkout'::regnamespace, 'checkout_data'::regnamespace) AND typtype = 'e';
SELECT count(*) AS sequences
FROM pg_class WHERE relnamespace IN ('checkout'::regnamespace, 'checkout_data'::regnamespace) AND relkind = 'S';
-- No view over tenants' tables but one that shows only the rows that its reader may see, and those that show what the
-- policies of the API's own role show; no trigger but the extension's own
SELECT oid::regclass AS relation, relkind, relowner::regrole, reloptions, pg_relation_is_updatable(oid, true) AS writes
FROM pg_class WHERE relnamespace IN ('checkout'::regnamespace, 'checkout_data'::regnamespace) AND relkind IN ('v', 'm')
ORDER BY oid::regclass::text;
SELECT t.tgname AS foreign_trigger FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
WHERE c.relnamespace = 'checkout_data'::regnamespace AND NOT t.tgisinternal
    AND NOT EXISTS (SELECT FROM pg_depend d
        WHERE d.classid = 'pg_proc'::regclass AND d.objid = t.tgfoid AND d.deptype = 'e');

-- Constraints of the tables, which hold for every writer
SELECT checkout.create_organization('Security') AS organization \gset
SET checkout_sessions.organization_id = :'organization';
SELECT testing.new_session() AS id \gset
SELECT change, testing.outcome(
        format('UPDATE checkout_data.checkout_sessions SET %s WHERE checkout_session_id = %L', change, :'id'))
    LIKE '23514: %' AS refused
FROM unnest(ARRAY[
    'status = ''complete''', 'payment_status = ''paid''', 'status = ''canceled''', 'amount = 0', 'amount = 0.00001',
    'amount = ''NaN''', 'amount = 1e15', 'currency_code = ''usd''',
    'expires_at = created_at', 'lease_expires_at = now()', 'payment_status = ''processing''',
    'status = ''expired'', payment_status = ''processing'', lease_expires_at = now()', 'environment = ''prod''',
    'quantity = 0', 'max_retry_attempts = 11', 'attempts = -1', 'metadata = ''[]''', 'country = ''uk''',
    'reference_policy = ''any''', 'event_count = -1']) AS change;
SELECT testing.outcome(format($$
    INSERT INTO checkout_data.webhook_outbox (organization_id, environment, subject_type, subject_id, sequence,
        event_type, created_at)
    SELECT %L, 'live', 'checkout_session', %L, 1, 'checkout.session.expired', now() FROM generate_series(1, 2)
$$, :'organization', :'id')) LIKE '23505: %webhook_outbox_pkey%' AS numbered_once;
SELECT column_, value, testing.outcome(format($$
    INSERT INTO checkout_data.webhook_outbox
    SELECT (jsonb_populate_record(NULL::checkout_data.webhook_outbox, jsonb_build_object('organization_id', %L,
        'environment', 'live', 'subject_type', 'checkout_session', 'subject_id', %L, 'sequence', 1,
        'event_type', 'checkout.session.expired', 'created_at', now()) || %L)).*
$$, :'organization', :'id', jsonb_build_object(column_, value))) ~ '^23(502|514): ' AS refused
FROM (VALUES ('subject_type', 'payment'), ('event_type', 'checkout.session.paid'), ('sequence', '0'),
    ('environment', 'prod'), ('created_at', NULL), ('subject_id', NULL), ('event_type', NULL))
    AS c (column_, value);
-- An event that was written stays. Of its snapshot, erase_customer takes what is personal.
SELECT grantee, privilege_type FROM information_schema.role_table_grants
WHERE table_schema = 'checkout_data' AND table_name = 'webhook_outbox' AND grantee LIKE 'checkout%' ORDER BY 1, 2;
SELECT grantee, column_name AS may_be_updated FROM information_schema.column_privileges
WHERE table_schema = 'checkout_data' AND table_name = 'webhook_outbox' AND grantee LIKE 'checkout%'
    AND privilege_type = 'UPDATE';
SELECT testing.outcome(format($$
    INSERT INTO checkout_data.payments (organization_id, environment, payment_id, checkout_session_id, status, amount,
        currency_code, created_at, updated_at)
    SELECT %L, 'live', n::text, %L, 'succeeded', 1, 'USD', now(), now() FROM generate_series(1, 2) AS n
$$, :'organization', :'id')) LIKE '23505: %payments_succeeded_idx%' AS paid_once;
