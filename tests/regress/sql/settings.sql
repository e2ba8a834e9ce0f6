-- The settings in pg_settings.
\pset format unaligned
SELECT name, setting, unit, context, vartype, min_val, max_val, enumvals, boot_val
FROM pg_settings WHERE name LIKE 'checkout_sessions.%' ORDER BY name COLLATE "C";
SELECT name, short_desc, extra_desc FROM pg_settings WHERE name LIKE 'checkout_sessions.%' ORDER BY name COLLATE "C" \gx
\pset format aligned

-- The prefix is reserved: a misspelt name is an error, not a placeholder.
\set VERBOSITY default
SET checkout_sessions.organisation_id = 'x';
\echo :LAST_ERROR_SQLSTATE
SELECT set_config('checkout_sessions.workers', '1', false);
ALTER ROLE CURRENT_USER SET checkout_sessions.enviroment = 'test';

-- Values that are out of range, or of the wrong kind
SET checkout_sessions.environment = 'staging';
SELECT name, unit, min_val, max_val FROM pg_settings
WHERE name IN ('checkout_sessions.idempotency_key_lifetime', 'checkout_sessions.outbox_retention') ORDER BY name;
\set VERBOSITY sqlstate
SET checkout_sessions.idempotency_key_lifetime = 0;
SET checkout_sessions.idempotency_key_lifetime = '31d';
SET checkout_sessions.idempotency_key_lifetime = '30d';
SHOW checkout_sessions.idempotency_key_lifetime;
RESET checkout_sessions.idempotency_key_lifetime;
SHOW checkout_sessions.idempotency_key_lifetime;
ALTER SYSTEM SET checkout_sessions.outbox_retention = '366d';
ALTER SYSTEM SET checkout_sessions.outbox_retention = -2;
\set VERBOSITY default
ALTER SYSTEM SET checkout_sessions.worker_batch_size = 0;
ALTER SYSTEM SET checkout_sessions.worker_batch_size = 100001;
ALTER SYSTEM SET checkout_sessions.worker_share = 0;
ALTER SYSTEM SET checkout_sessions.webhook_notify = 'sometimes';
-- Texts are checked when they are set, wherever that is. The messages do not repeat them.
\a\t
SELECT setting, value, testing.outcome(format('SET checkout_sessions.%s = %L', setting, value))
FROM (VALUES
    ('organization_id', 'abc'), ('organization_id', ' '), ('organization_id', '01890000-0000-7000-8000-00000000000'),
    ('organization_id', ''), ('organization_id', '01890000-0000-7000-8000-000000000000'),
    ('base_url', 'ftp://x'), ('base_url', 'pay.example'), ('base_url', 'https://user:secret@pay.example'),
    ('base_url', 'https://pay.example?k=1'), ('base_url', 'https://pay.example/#f'), ('base_url', ''),
    ('base_url', 'https://pay.example?k={CHECKOUT_SESSION_ID}'),
    ('webhook_allowed_ranges', '10.0.0.0/33'), ('webhook_allowed_ranges', '10.0.0.1/8'),
    ('webhook_allowed_ranges', '10.0.0.0/8,intranet'), ('webhook_allowed_ranges', ''),
    ('webhook_allowed_ranges', '10.0.0.0/8, ::1'),
    ('jwt_organization_claim', 'user_metadata.organization_id'), ('jwt_organization_claim', '/user_metadata/id'),
    ('jwt_organization_claim', 'sub, user_metadata.id'), ('jwt_organization_claim', ''),
    ('jwt_organization_claim', 'org.id, /a~1b/id'), ('environment', '')
) AS values (setting, value);
\a\t
ALTER SYSTEM SET checkout_sessions.base_url = 'ftp://x';
ALTER SYSTEM SET checkout_sessions.webhook_allowed_ranges = '10.0.0.0/33';
ALTER SYSTEM SET checkout_sessions.organization_id = 'abc';
-- Whether there is such a database is not known before the server has started.
SELECT repeat('é', 32) AS too_long \gset
ALTER SYSTEM SET checkout_sessions.worker_database = :'too_long';
ALTER SYSTEM SET checkout_sessions.worker_database = E'shop\x07';
SELECT repeat('é', 31) || 'e' AS long_enough \gset
ALTER SYSTEM SET checkout_sessions.worker_database = :'long_enough';
ALTER SYSTEM RESET checkout_sessions.worker_database;
ALTER SYSTEM SET checkout_sessions.jwt_organization_claim = 'user_metadata.id';
ALTER ROLE CURRENT_USER SET checkout_sessions.organization_id = 'abc';
ALTER DATABASE regression SET checkout_sessions.base_url = 'ftp://x';
CREATE FUNCTION pg_temp.elsewhere() RETURNS integer LANGUAGE sql
    SET checkout_sessions.organization_id = 'abc' AS 'SELECT 1';
SHOW checkout_sessions.organization_id;
-- The worker's settings belong to the server.
SET checkout_sessions.worker_batch_size = 10;
SET checkout_sessions.outbox_retention = '1d';
-- Two can also be set for a database, but not by an ordinary role.
SET ROLE visitor;
SET checkout_sessions.worker_enabled = off;
SET checkout_sessions.deliveries_enabled = on;
RESET ROLE;
