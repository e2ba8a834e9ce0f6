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
ALTER SYSTEM SET checkout_sessions.batch = 1;

-- Values that are out of range, or of the wrong kind
SET checkout_sessions.environment = 'staging';
SET checkout_sessions.idempotency_key_lifetime = 0;
SET checkout_sessions.idempotency_key_lifetime = '31d';
SET checkout_sessions.idempotency_key_lifetime = '30d';
SHOW checkout_sessions.idempotency_key_lifetime;
RESET checkout_sessions.idempotency_key_lifetime;
SHOW checkout_sessions.idempotency_key_lifetime;
ALTER SYSTEM SET checkout_sessions.outbox_retention = '366d';
ALTER SYSTEM SET checkout_sessions.outbox_retention = -2;
ALTER SYSTEM SET checkout_sessions.worker_batch_size = 0;
ALTER SYSTEM SET checkout_sessions.worker_batch_size = 100001;
ALTER SYSTEM SET checkout_sessions.worker_share = 0;
ALTER SYSTEM SET checkout_sessions.webhook_notify = 'sometimes';
-- The worker's settings belong to the server.
SET checkout_sessions.worker_batch_size = 10;
SET checkout_sessions.outbox_retention = '1d';
-- Two can also be set for a database, but not by an ordinary role.
SET ROLE visitor;
SET checkout_sessions.worker_enabled = off;
SET checkout_sessions.deliveries_enabled = on;
RESET ROLE;
