-- Monitors see figures, and no row of anybody.
CREATE ROLE watcher LOGIN;
CREATE ROLE exporter LOGIN IN ROLE pg_monitor;
SELECT checkout.grant_access('watcher', 'monitor');
-- A predefined role takes it, too, and its members have it.
SELECT checkout.grant_access('pg_monitor', 'monitor');
SELECT p.oid::regprocedure AS may_call
FROM pg_proc p WHERE p.pronamespace = 'checkout'::regnamespace AND has_function_privilege('watcher', p.oid, 'EXECUTE')
ORDER BY 1;
SELECT role, count(*) AS functions
FROM pg_proc p, unnest('{watcher,exporter,pg_monitor}'::name[]) AS role
WHERE p.pronamespace = 'checkout'::regnamespace AND has_function_privilege(role, p.oid, 'EXECUTE') GROUP BY 1
    ORDER BY 1;
SELECT role, c.oid::regclass AS may_read
FROM pg_class c, unnest('{watcher,exporter}'::name[]) AS role
WHERE c.relnamespace IN ('checkout'::regnamespace, 'checkout_data'::regnamespace) AND c.relkind IN ('r', 'v')
    AND has_table_privilege(role, c.oid, 'SELECT, INSERT, UPDATE, DELETE');

-- What there is to see. In the test environment, where no other test has much: the differences that a story makes.
SELECT checkout.create_organization('Monitor', max_retry_attempts => 0) AS organization \gset
SELECT testing.login('shop_monitor', :'organization', 'test');
CREATE TABLE testing.figures AS SELECT * FROM checkout.monitor_figures();
GRANT SELECT ON testing.figures TO PUBLIC;
\c - shop_monitor
SELECT name FROM checkout.create_webhook_consumer('monitor', '{checkout.session.expired}');
SELECT testing.new_session(1) AS open, testing.new_session(2) AS overdue, testing.new_session(3) AS expired,
    testing.new_session(4) AS rejecting \gset
SELECT status FROM checkout.expire_checkout_session(:'expired');
SELECT status FROM checkout.expire_checkout_session(:'rejecting');
SELECT status, rejection_reason FROM checkout.record_payment(:'rejecting', 'monitor-late', 'succeeded', 4);
SELECT webhook_endpoint_id AS endpoint FROM checkout.create_webhook_endpoint('http://localhost:3000/hooks') \gset
SELECT enabled FROM checkout.update_webhook_endpoint(:'endpoint', enabled => false);
\c - postgres
BEGIN;
UPDATE checkout_data.open_sessions SET deadline = clock_timestamp() - interval '90 seconds'
WHERE checkout_session_id = :'overdue';
UPDATE checkout_data.webhook_deliveries SET next_attempt_at = clock_timestamp() - interval '2 minutes'
WHERE subject_id = :'expired';
UPDATE checkout_data.webhook_deliveries SET dead_at = clock_timestamp(), next_attempt_at = NULL, attempts = 10,
    attempts_ever = 10, last_attempt_at = clock_timestamp() WHERE subject_id = :'rejecting';
UPDATE checkout_data.payments SET created_at = created_at - interval '1 hour' WHERE payment_id = 'monitor-late';
UPDATE checkout_data.session_folds
SET folded_until = date_bin('1 hour', now() - interval '3 days', 'epoch'), next_at = now()
WHERE organization_id = :'organization' AND environment = 'test';
SET ROLE exporter;
SELECT a.environment, a.open_sessions - b.open_sessions AS open, a.overdue_sessions - b.overdue_sessions AS overdue,
    a.overdue_seconds BETWEEN 90 AND 150 AS since, a.undelivered_events - b.undelivered_events AS undelivered,
    a.due_seconds BETWEEN 120 AND 180 AS due, a.dead_events - b.dead_events AS dead,
    a.disabled_endpoints - b.disabled_endpoints AS disabled, a.rejected_payments - b.rejected_payments AS rejected,
    a.rejected_seconds >= 3600 AS since, a.uncounted_seconds >= 3 * 86400 AS uncounted
FROM checkout.monitor_figures() a JOIN testing.figures b USING (environment) WHERE a.environment = 'test';
SELECT state IS NOT NULL AS has_a_state FROM checkout.worker_status();
SELECT count(*) > 0 AS receivers FROM checkout.outbox_status();
SELECT count(*) >= 0 AS findings FROM checkout.security_report();
SELECT testing.outcome('SELECT * FROM checkout.list_organizations()');
SELECT testing.outcome('SELECT * FROM checkout.list_admin_log()');
SELECT testing.outcome('SELECT * FROM checkout.checkout_sessions');
SELECT testing.outcome('SELECT * FROM checkout_data.payments');
ROLLBACK;
-- Who drops everything is named by the report, unless it is a superuser.
CREATE ROLE keeper LOGIN;
ALTER DATABASE regression OWNER TO keeper;
ALTER DATABASE regression SET checkout_sessions.allow_drop = on;
\c - postgres
SELECT finding, object, role FROM checkout.security_report() WHERE finding = 'can drop everything';
ALTER DATABASE regression OWNER TO postgres;
ALTER DATABASE regression RESET checkout_sessions.allow_drop;
\c - postgres
SELECT finding, object, role FROM checkout.security_report() WHERE finding = 'can drop everything';

SELECT checkout.revoke_access('pg_monitor', 'monitor'), checkout.revoke_access('watcher', 'monitor');
SELECT count(*) FROM pg_proc p
WHERE p.pronamespace = 'checkout'::regnamespace AND has_function_privilege('exporter', p.oid, 'EXECUTE');
