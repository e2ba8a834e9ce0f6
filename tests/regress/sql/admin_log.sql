-- The log of administration: who has made, changed, rolled or revoked what.
CREATE ROLE admin_of_log LOGIN;
CREATE ROLE clerk_of_log LOGIN;
GRANT admin_of_log TO clerk_of_log;
SELECT checkout.grant_access('admin_of_log', 'admin');
CALL testing.forget_receivers();
SELECT now() AS began \gset

-- A clerk acts as the administrator, and the log says both.
\c - clerk_of_log
SET ROLE admin_of_log;
SELECT checkout.create_organization('Log', base_url => 'https://pay.example') AS organization \gset
SELECT checkout.create_organization('Log of another') AS another \gset
SELECT name FROM checkout.update_organization(:'organization', name => 'Logged', max_retry_attempts => 5);
-- What changes nothing is not logged, and neither is what is refused or rolled back.
SELECT name FROM checkout.update_organization(:'organization', name => 'Logged');
SELECT testing.outcome(format('SELECT checkout.update_organization(%L, max_retry_attempts => 11)', :'organization'));
BEGIN;
SELECT name FROM checkout.update_organization(:'organization', name => 'Rolled back');
ROLLBACK;
SELECT name FROM checkout.rotate_client_secrets(:'organization');
SELECT api_key AS key, api_key_id AS id FROM checkout.create_api_key(:'organization', 'secret', 'live', 'Server') \gset
SELECT api_key AS rolled FROM checkout.roll_api_key(:'id', '1 hour') \gset
SELECT status FROM checkout.revoke_api_key(:'id');
SELECT status FROM checkout.revoke_api_key(:'id');
SELECT name FROM checkout.create_webhook_consumer('log_of_all');
SELECT name FROM checkout.create_webhook_consumer('log_of_all');
SELECT name FROM checkout.create_webhook_consumer('log_of_all', '{webhook_endpoint.*}');
SELECT name FROM checkout.delete_webhook_consumer('log_of_all', true);

-- A merchant, with a key
\c - visitor
BEGIN;
SELECT kind FROM checkout.authenticate(:'rolled');
SELECT webhook_endpoint_id AS endpoint FROM checkout.create_webhook_endpoint('https://shop.example/hooks') \gset
SELECT enabled FROM checkout.update_webhook_endpoint(:'endpoint', url => 'https://shop.example/new', enabled => false);
SELECT enabled FROM checkout.update_webhook_endpoint(:'endpoint', description => NULL);
SELECT enabled FROM checkout.roll_webhook_secret(:'endpoint', '0');
SELECT url FROM checkout.delete_webhook_endpoint(:'endpoint', true);
SELECT name FROM checkout.create_webhook_consumer('log');
SELECT enabled FROM checkout.create_webhook_endpoint('https://shop.example/gone', '{checkout.session.expired}');
SELECT status FROM checkout.expire_checkout_session(testing.new_session());
COMMIT;
-- The relay finds an endpoint gone.
\c - sender
SELECT r.status FROM checkout.claim_webhook_deliveries() c,
    checkout.record_webhook_attempt(c.event_id, c.webhook_endpoint_id, c.lease_token, 410) r;
\c - postgres
CREATE ROLE owner_of_log;
SELECT checkout.grant_access('owner_of_log', 'secret');
CREATE FUNCTION testing.hook_of_log(s checkout.checkout_session) RETURNS void LANGUAGE sql AS '';
ALTER FUNCTION testing.hook_of_log OWNER TO owner_of_log;
SELECT checkout.set_hook(:'organization', 'completed', 'testing.hook_of_log(checkout.checkout_session)');
SELECT checkout.set_hook(:'organization', 'completed', 'testing.hook_of_log(checkout.checkout_session)');
SELECT checkout.set_hook(:'organization', 'completed', NULL);
SELECT checkout.set_hook(:'organization', 'completed', NULL);
SELECT checkout.revoke_access('owner_of_log', 'secret');
-- What the role does not have is not taken from it.
SELECT checkout.revoke_access('owner_of_log', 'relay');
\pset format unaligned
SELECT l.session_role, l.role, regexp_replace(l.credential, '_[0-9A-Za-z]{12}$', '_<id>') AS credential,
    l.environment, l.action, testing.masked(l.subject) AS subject, testing.masked((l.changes::jsonb
        - ARRAY['expires_at', 'revoked_at', 'previous_secret_expires_at', 'disabled_at'])::text) AS changes
FROM checkout_data.admin_log l WHERE l.created_at >= :'began' AND l.action !~ '^organization.created|^database'
ORDER BY l.created_at, l.admin_log_id;
-- The first organization has activated the database.
SELECT action, subject, changes FROM checkout_data.admin_log WHERE action ~ '^database';
-- A new organization has all its settings in the log.
SELECT changes::jsonb -> 'base_url' AS base_url, changes::jsonb -> 'default_lifetime' AS default_lifetime
FROM checkout_data.admin_log WHERE action = 'organization.created' AND subject = :'organization';
\pset format aligned
-- No secret of any of these is in the log.
SELECT count(*) FROM checkout_data.admin_log l, (VALUES (:'key'), (:'rolled')) AS secret (text)
WHERE strpos(l.changes::text || l.subject, secret.text) > 0 OR l.changes::text LIKE '%whsec%';

-- Administrators see all of it, the newest first.
\c - admin_of_log
SELECT action FROM checkout.list_admin_log(:'organization', :'began') LIMIT 3;
SELECT count(DISTINCT organization_id) AS organizations, bool_or(organization_id IS NULL) AS and_of_the_database
FROM checkout.list_admin_log(created_after => :'began');
SELECT count(*) FROM checkout.list_admin_log(:'organization', created_before => :'began');
SELECT testing.outcome('SELECT * FROM checkout.admin_log');
-- A tenant sees what is its own: in its environment, or in both.
\c - visitor
BEGIN;
SELECT kind FROM checkout.authenticate(:'rolled');
SELECT environment, count(*), min(action), count(DISTINCT organization_id) FROM checkout.admin_log
GROUP BY 1 ORDER BY 1;
SELECT testing.outcome('SELECT * FROM checkout.list_admin_log()');
ROLLBACK;
\c - postgres
SELECT testing.key(:'organization', 'restricted', 'test') AS other_key, testing.key(:'another') AS others_key,
    testing.key(:'organization', 'publishable') AS browsers_key \gset
\c - visitor
BEGIN;
SELECT kind FROM checkout.authenticate(:'other_key');
SELECT environment, count(*) FROM checkout.admin_log GROUP BY 1 ORDER BY 1;
ROLLBACK;
BEGIN;
SELECT kind FROM checkout.authenticate(:'others_key');
SELECT action FROM checkout.admin_log ORDER BY created_at;
ROLLBACK;
BEGIN;
SELECT kind FROM checkout.authenticate(:'browsers_key');
SELECT testing.outcome('SELECT * FROM checkout.admin_log');
ROLLBACK;

-- Nobody changes it but a superuser, even with rights by mistake.
\c - postgres
CREATE ROLE writer_of_log;
GRANT pg_write_all_data TO writer_of_log;
GRANT USAGE ON SCHEMA checkout_data TO writer_of_log;
GRANT ALL ON checkout_data.admin_log TO writer_of_log, checkout_sessions_api, checkout_sessions_worker;
BEGIN;
SET ROLE writer_of_log;
SELECT testing.outcome('UPDATE checkout_data.admin_log SET role = ''nobody''');
SELECT testing.outcome('DELETE FROM checkout_data.admin_log WHERE false');
SELECT testing.outcome('TRUNCATE checkout_data.admin_log');
SET ROLE checkout_sessions_api;
SELECT statement, testing.outcome(statement)
FROM unnest(ARRAY['UPDATE checkout_data.admin_log SET role = ''nobody''', 'TRUNCATE checkout_data.admin_log'])
    AS statement;
-- What is old is for the worker, as far as its rights go.
SET ROLE checkout_sessions_worker;
SELECT statement, testing.outcome(statement)
FROM unnest(ARRAY['UPDATE checkout_data.admin_log SET role = ''nobody''', 'TRUNCATE checkout_data.admin_log'])
    AS statement;
ROLLBACK;
REVOKE ALL ON checkout_data.admin_log FROM writer_of_log, checkout_sessions_api, checkout_sessions_worker;
GRANT SELECT, INSERT ON checkout_data.admin_log TO checkout_sessions_api, checkout_sessions_worker;
DROP OWNED BY writer_of_log;
DROP ROLE writer_of_log;
SELECT role, has_table_privilege(role, 'checkout_data.admin_log', 'INSERT') AS may_add,
    has_table_privilege(role, 'checkout_data.admin_log', 'UPDATE, DELETE, TRUNCATE') AS may_change
FROM unnest('{checkout_sessions_api,checkout_sessions_worker,admin_of_log}'::name[]) AS role;
BEGIN;
DELETE FROM checkout_data.admin_log WHERE subject = 'log_of_all';
ROLLBACK;
-- Without the trigger, the report says so.
ALTER TABLE checkout_data.admin_log DISABLE TRIGGER admin_log_append_only;
SELECT finding, object, advice FROM checkout.security_report() WHERE object LIKE '%admin_log%';
ALTER TABLE checkout_data.admin_log ENABLE TRIGGER admin_log_append_only;
