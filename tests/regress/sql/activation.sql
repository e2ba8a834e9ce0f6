-- A database works once it has been activated. A row of another database, table or transaction says that it is a copy.
CREATE DATABASE activation;
\c activation postgres
SET client_min_messages = warning;
CREATE EXTENSION checkout_sessions;
CREATE VIEW active AS SELECT (SELECT state FROM checkout.worker_status()) <> 'inactive' AS active;
-- A new database is not active.
TABLE active;
SELECT checkout.expire_due_checkout_sessions();
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM checkout.run_maintenance();
\echo :LAST_ERROR_SQLSTATE
-- Its first organization activates it, if that is not undone, also in a subtransaction.
BEGIN;
SELECT checkout.create_organization('Never') IS NOT NULL AS created;
ROLLBACK;
TABLE active;
BEGIN;
SAVEPOINT inner_transaction;
SELECT checkout.create_organization('Shop', organization_id => '0b5e7b8a-0000-4000-8000-000000000001');
RELEASE inner_transaction;
TABLE active;
COMMIT;
TABLE active;
SELECT count(*) AS activations, min(activated_by) AS by FROM checkout_data.activations;
SELECT checkout.create_organization('Other') IS NOT NULL AS created;
SELECT count(*) AS activations FROM checkout_data.activations;
SELECT checkout.activate_database() = activated_at AS unchanged FROM checkout_data.activations;
-- It stays so when the table is rewritten.
VACUUM FREEZE checkout_data.activations;
TABLE active;
VACUUM FULL checkout_data.activations;
VACUUM (FULL, FREEZE) checkout_data.activations;
TABLE active;
CLUSTER checkout_data.activations USING activations_pkey;
TABLE active;
REINDEX TABLE checkout_data.activations;
TABLE active;

-- A session that is due, and its event, for a consumer and for an endpoint
SELECT name FROM checkout.create_webhook_consumer('jobs', ARRAY['checkout.session.*']);
SET checkout_sessions.organization_id = '0b5e7b8a-0000-4000-8000-000000000001';
SELECT e.status
FROM checkout.create_checkout_session(1, 'USD', customer_id => 'c') AS c, LATERAL checkout.expire_checkout_session(
    c.checkout_session_id) AS e;
SET checkout_sessions.environment = 'test';
SELECT url FROM checkout.create_webhook_endpoint('https://shop.example/hooks');
SELECT e.status
FROM checkout.create_checkout_session(2, 'USD', customer_id => 'c') AS c, LATERAL checkout.expire_checkout_session(
    c.checkout_session_id) AS e;
RESET checkout_sessions.environment;
RESET checkout_sessions.organization_id;
CREATE VIEW claimed AS SELECT (SELECT count(*) FROM checkout.claim_webhook_events('jobs')) AS events,
    (SELECT count(*) FROM checkout.claim_webhook_deliveries()) AS deliveries;
CREATE FUNCTION claims() RETURNS SETOF claimed LANGUAGE plpgsql AS $$ BEGIN
    RETURN QUERY TABLE claimed;
    RAISE 'undone';
EXCEPTION WHEN raise_exception THEN END $$;
SELECT * FROM claims();
-- The row of another database. Whether it is the only one or not, nothing can be claimed, and nothing is done.
CREATE TABLE copied AS TABLE checkout_data.activations;
INSERT INTO checkout_data.activations SELECT gen_random_uuid(), activated_at, 'elsewhere', database_oid, table_oid,
    transaction_id FROM copied;
TABLE active;
SELECT * FROM claims();
SELECT checkout.run_maintenance();
\echo :LAST_ERROR_SQLSTATE
DELETE FROM checkout_data.activations WHERE activated_by <> 'elsewhere';
TABLE active;
-- Sessions are created and read as ever, and a further organization does not activate it.
SET checkout_sessions.organization_id = '0b5e7b8a-0000-4000-8000-000000000001';
SELECT status FROM checkout.create_checkout_session(3, 'USD', customer_id => 'c');
RESET checkout_sessions.organization_id;
SELECT checkout.create_organization('Third') IS NOT NULL AS created;
TABLE active;
-- Nor does it when the organizations are there and the activations are not: they may be on their way.
DELETE FROM checkout_data.activations;
SELECT checkout.create_organization('Fourth') IS NOT NULL AS created;
TABLE active;
INSERT INTO checkout_data.activations TABLE copied;
TABLE active;
-- An administrator activates it.
SELECT checkout.activate_database() > activated_at AS later FROM copied;
TABLE active;
SELECT count(*) AS activations FROM checkout_data.activations;
SELECT * FROM claims();

-- Deliveries can be paused for a database: for sessions that begin now, and for those that have begun before.
ALTER DATABASE activation SET checkout_sessions.deliveries_enabled = off;
SHOW checkout_sessions.deliveries_enabled;
SELECT * FROM claims();
\c -
SHOW checkout_sessions.deliveries_enabled;
SELECT * FROM claims();
ALTER DATABASE activation RESET checkout_sessions.deliveries_enabled;
SELECT * FROM claims();
ALTER DATABASE activation SET checkout_sessions.deliveries_enabled = on;
SELECT * FROM claims();
-- Or by a session that may
SET checkout_sessions.deliveries_enabled = off;
SELECT * FROM claims();
RESET checkout_sessions.deliveries_enabled;
SELECT * FROM claims();
-- The worker can be disabled for a database.
ALTER DATABASE activation SET checkout_sessions.worker_enabled = off;
\c -
SHOW checkout_sessions.worker_enabled;
\c regression
DROP DATABASE activation;
