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

-- The outbox of all organizations: how many events are in each state, and the age of the oldest
\c - postgres
CREATE TEMP TABLE before AS SELECT * FROM checkout.outbox_status();
SELECT a.pending = b.pending AS same,
    b.pending = (SELECT count(*) FROM checkout_data.webhook_outbox
        WHERE next_attempt_at IS NOT NULL AND (lease_token IS NULL OR next_attempt_at <= now())) AS pending,
    b.leased = (SELECT count(*) FROM checkout_data.webhook_outbox
        WHERE lease_token IS NOT NULL AND next_attempt_at > now()) AS leased,
    b.delivered = (SELECT count(*) FROM checkout_data.webhook_outbox WHERE delivered_at IS NOT NULL) AS delivered,
    b.dead = (SELECT count(*) FROM checkout_data.webhook_outbox WHERE dead_at IS NOT NULL) AS dead,
    b.lag > '0' AND b.oldest_pending_at + b.lag BETWEEN now() - interval '1 minute' AND now() AS lag
FROM before AS b, checkout.outbox_status() AS a;
SELECT count(*) AS claimed FROM checkout.claim_webhook_events(2, organization_id => :'organization');
SELECT a.pending - b.pending AS pending, a.leased - b.leased AS leased FROM before AS b, checkout.outbox_status() AS a;
-- Nothing pending
BEGIN;
UPDATE checkout_data.webhook_outbox SET next_attempt_at = NULL, lease_token = NULL, delivered_at = now(),
    dead_at = NULL;
SELECT pending, leased, dead, delivered > 0 AS delivered, oldest_pending_at, lag FROM checkout.outbox_status();
ROLLBACK;

-- Delivered events are kept for as long as the setting says; undelivered events and sessions for ever.
UPDATE checkout_data.webhook_outbox SET next_attempt_at = NULL, lease_token = NULL,
    delivered_at = now() - interval '31 days'
WHERE (organization_id, checkout_session_id, sequence) IN (
    SELECT organization_id, checkout_session_id, sequence
    FROM checkout_data.webhook_outbox WHERE organization_id = :'organization' LIMIT 1);
UPDATE checkout_data.webhook_outbox SET created_at = created_at - interval '1 year'
WHERE organization_id = :'organization';
SELECT count(*) AS events, count(delivered_at) AS delivered
FROM checkout_data.webhook_outbox WHERE organization_id = :'organization';
SELECT count(*) AS tasks FROM checkout.run_maintenance();
SELECT count(*) AS events, count(delivered_at) AS delivered
FROM checkout_data.webhook_outbox WHERE organization_id = :'organization';
SELECT count(*) AS sessions FROM checkout_data.checkout_sessions WHERE organization_id = :'organization';

-- The worker, which is disabled here
SELECT state, launcher_pid IS NOT NULL AS launcher, pid, next_deadline > now() AS next_deadline, overdue, failures,
    last_error
FROM checkout.worker_status();
