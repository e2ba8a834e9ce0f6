-- Merchants and operators read the funnel, the outbox and the worker's state; and the small helpers.
SELECT checkout.create_organization('Reports') AS organization \gset
SELECT testing.login('shop_reports', :'organization');
SELECT testing.login('shop_reports_test', :'organization', 'test');
-- Nothing yet
\c - shop_reports
SELECT * FROM checkout.session_funnel();

-- Three days: completed after 2 and after 4 minutes, failed, expired, overdue, open
SELECT testing.new_session(10) AS id \gset
\c - postgres
CREATE FUNCTION testing.date_back(session uuid, made timestamptz, paid_after interval, overdue boolean)
RETURNS void LANGUAGE sql SECURITY DEFINER AS $$
    UPDATE checkout_data.checkout_sessions SET created_at = made, completed_at = made + paid_after,
        expires_at = CASE WHEN overdue THEN made + interval '1 hour' ELSE now() + interval '1 hour' END
    WHERE checkout_session_id = session;
    UPDATE checkout_data.open_sessions
    SET deadline = CASE WHEN overdue THEN made + interval '1 hour' ELSE now() + interval '1 hour' END
    WHERE checkout_session_id = session
$$;
CREATE FUNCTION testing.history(made timestamptz, paid_after interval, fails boolean, overdue boolean)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    id CONSTANT uuid := testing.new_session(10, 0);
BEGIN
    IF paid_after IS NOT NULL THEN PERFORM checkout.record_payment(id, 'report ' || id, 'succeeded'); END IF;
    IF fails THEN PERFORM checkout.record_payment(id, 'report ' || id, 'failed'); END IF;
    PERFORM testing.date_back(id, made, paid_after, overdue);
END $$;
\c - shop_reports
SET timezone = 'UTC';
SELECT status FROM checkout.expire_checkout_session(:'id') \g /dev/null
SELECT testing.date_back(:'id', '2025-03-01 10:00Z', NULL, false) \g /dev/null
SELECT testing.history(made, paid_after, fails, overdue)
FROM (VALUES
    ('2025-03-01 10:15Z'::timestamptz, '2 minutes'::interval, false, false),
    ('2025-03-01 10:59:59.999Z', '4 minutes', false, false), ('2025-03-01 11:00Z', NULL, true, false),
    ('2025-03-02 00:00Z', NULL, false, true), ('2025-03-02 23:59Z', NULL, false, false),
    ('2025-04-01 00:00Z', '1 hour', false, false)
) AS h (made, paid_after, fails, overdue) \g /dev/null
\c - shop_reports_test
SELECT testing.history('2025-03-01 10:00Z', NULL, false, false) \g /dev/null
\c - shop_reports
SET timezone = 'UTC';
SET datestyle = 'ISO';
SELECT * FROM checkout.session_funnel();
SELECT *
FROM checkout.session_funnel(
    bucket => 'hour', created_after => '2025-03-01 10:15Z', created_before => '2025-03-01 11:00Z');
SELECT * FROM checkout.session_funnel(created_before => '2025-03-02', bucket => 'hour');
SELECT bucket_start, created FROM checkout.session_funnel(bucket => 'week');
SELECT * FROM checkout.session_funnel(bucket => 'month');
-- Days begin in the caller's time zone.
SET timezone = 'Asia/Tokyo';
SELECT bucket_start, created FROM checkout.session_funnel();
SELECT bucket, testing.outcome(format('SELECT * FROM checkout.session_funnel(bucket => %L)', bucket))
FROM unnest('{year,DAY,NULL,""}'::text[]) AS bucket;
BEGIN READ ONLY;
SELECT count(*) FROM checkout.session_funnel();
COMMIT;

-- redirect_url puts the session's id into the URL in place of its placeholder.
SELECT testing.new_session() AS redirected \gset
SELECT replace(checkout.redirect_url(url, :'redirected'), :'redirected', '<id>') AS url
FROM unnest(ARRAY[
    'https://shop.example/{CHECKOUT_SESSION_ID}',
    'https://shop.example/?a={CHECKOUT_SESSION_ID}&b={CHECKOUT_SESSION_ID}',
    'https://shop.example/{checkout_session_id}', ''
]) AS url;
SELECT testing.outcome(format('SELECT checkout.redirect_url(%L, %L)', url, id))
FROM (VALUES
    (NULL, :'redirected'), ('https://shop.example/', NULL),
    ('https://shop.example/', '01890000-0000-7000-8000-000000000000')
) AS arguments (url, id);
-- The organization and the environment of the caller
SELECT checkout.current_organization_id() = :'organization' AS organization;
SELECT checkout.current_environment();

-- The deliveries of all organizations: how many are in each state at each receiver, and since when the oldest waits
SELECT name FROM checkout.create_webhook_consumer('ledger', '{checkout.session.expired,checkout.session.completed}');
SELECT count(checkout.expire_checkout_session(testing.new_session(20))) FROM generate_series(1, 4);
\c - postgres
SELECT name FROM checkout.create_webhook_consumer('audit');
SET checkout_sessions.organization_id = :'organization';
SELECT status FROM checkout.expire_checkout_session(testing.new_session(30));
RESET checkout_sessions.organization_id;
CREATE FUNCTION pg_temp.status(organization uuid) RETURNS TABLE (of_organization boolean, environment text, url text,
    consumer text, enabled boolean, pending bigint, leased bigint, dead bigint, lag boolean)
LANGUAGE sql AS $$
    SELECT organization_id = organization, environment, url, consumer, enabled, pending, leased, dead,
        lag > '0' AND oldest_pending_at + lag BETWEEN now() - interval '1 minute' AND clock_timestamp()
    FROM checkout.outbox_status() WHERE organization_id = organization OR consumer = 'audit'
$$;
SELECT * FROM pg_temp.status(:'organization');
SELECT event_id AS event, lease_token AS token FROM checkout.claim_webhook_events('audit') \gset
SELECT checkout.ack_webhook_events('audit', ARRAY[:'event'], :'token');
\c - shop_reports
SELECT count(*) AS claimed FROM checkout.claim_webhook_events('ledger', 2);
\c - postgres
UPDATE checkout_data.webhook_deliveries SET next_attempt_at = NULL, dead_at = now()
WHERE organization_id = :'organization' AND ctid = (
    SELECT ctid FROM checkout_data.webhook_deliveries
    WHERE organization_id = :'organization' AND next_attempt_at IS NOT NULL AND lease_token IS NULL LIMIT 1);
SELECT organization_id = :'organization' AS of_organization, consumer, pending, leased, dead
FROM checkout.outbox_status() WHERE organization_id = :'organization' OR consumer = 'audit' ORDER BY consumer;
-- Nothing pending
BEGIN;
UPDATE checkout_data.webhook_deliveries SET next_attempt_at = NULL, lease_token = NULL, dead_at = NULL,
    delivered_at = now();
SELECT consumer, pending, leased, dead, oldest_pending_at, lag
FROM checkout.outbox_status() WHERE organization_id = :'organization' OR consumer = 'audit' ORDER BY consumer;
ROLLBACK;

-- Delivered events are kept for as long as the setting says; undelivered events and sessions for ever.
UPDATE checkout_data.webhook_deliveries SET next_attempt_at = NULL, lease_token = NULL, dead_at = NULL,
    delivered_at = now() - interval '31 days'
WHERE (organization_id, subject_id) IN (
    SELECT organization_id, subject_id
    FROM checkout_data.webhook_deliveries WHERE organization_id = :'organization' ORDER BY subject_id LIMIT 1);
UPDATE checkout_data.webhook_outbox SET created_at = created_at - interval '1 year'
WHERE organization_id = :'organization';
UPDATE checkout_data.webhook_deliveries SET created_at = created_at - interval '1 year'
WHERE organization_id = :'organization';
SELECT count(DISTINCT o.subject_id) AS events, count(d.delivered_at) AS delivered
FROM checkout_data.webhook_outbox o
    LEFT JOIN checkout_data.webhook_deliveries d USING (organization_id, environment, subject_id, sequence)
WHERE organization_id = :'organization' AND d.receiver_id IS NOT NULL;
SELECT count(*) AS tasks FROM checkout.run_maintenance();
SELECT count(DISTINCT o.subject_id) AS events, count(d.delivered_at) AS delivered, count(*) FILTER (WHERE d IS NULL)
    AS that_nobody_gets
FROM checkout_data.webhook_outbox o
    LEFT JOIN checkout_data.webhook_deliveries d USING (organization_id, environment, subject_id, sequence)
WHERE organization_id = :'organization';
SELECT count(*) AS sessions FROM checkout_data.checkout_sessions WHERE organization_id = :'organization';
CALL testing.forget_receivers();

-- The worker, which is disabled here
SELECT state, launcher_pid IS NOT NULL AS launcher, pid, next_deadline > now() AS next_deadline, overdue, failures,
    last_error
FROM checkout.worker_status();
