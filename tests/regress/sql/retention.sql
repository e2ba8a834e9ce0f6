-- Sessions are kept as long as their organization wants, and then removed with all that hangs on them.
SELECT checkout.create_organization('Keeps', session_retention => '40 days') AS organization,
    checkout.create_organization('Keeps all') AS other \gset
SELECT testing.login('retention_shop', :'organization');
SELECT testing.login('retention_other', :'other');
SELECT session_retention FROM checkout.update_organization(:'organization', session_retention => '7 years');
SELECT testing.outcome(format('SELECT checkout.update_organization(%L, session_retention => %L)', :'organization', bad))
FROM unnest('{1 hour,-1 day,101 years}'::interval[]) AS bad;
SELECT session_retention FROM checkout.update_organization(:'organization', session_retention => '40 days');
-- The worker cleans up less often than this test does.
SET client_min_messages = warning;
CREATE PROCEDURE testing.clean_up() LANGUAGE plpgsql AS $$
BEGIN
    FOR n IN 1..10 LOOP
        PERFORM checkout.run_maintenance();
        COMMIT;
        UPDATE checkout_data.session_folds SET removal_at = 'epoch' WHERE removal_at IS NOT NULL;
        COMMIT;
    END LOOP;
END
$$;
-- Lets 45 days pass for a session and what hangs on it.
CREATE FUNCTION testing.long_ago(session uuid) RETURNS void LANGUAGE sql AS $$
    SELECT testing.age(session, '45 days');
    UPDATE checkout_data.session_visits SET first_opened_at = first_opened_at - interval '45 days',
        last_opened_at = last_opened_at - interval '45 days' WHERE checkout_session_id = session;
    UPDATE checkout_data.payments SET created_at = created_at - interval '45 days',
        updated_at = updated_at - interval '45 days'
        WHERE checkout_session_id = session;
    UPDATE checkout_data.checkout_sessions SET completed_at = completed_at - interval '45 days'
        WHERE checkout_session_id = session;
    UPDATE checkout_data.webhook_outbox SET created_at = created_at - interval '45 days' WHERE subject_id = session;
    UPDATE checkout_data.webhook_deliveries SET created_at = created_at - interval '45 days' WHERE subject_id = session
$$;

\c - retention_shop
SELECT testing.new_session(1) AS expired, testing.new_session(2) AS paid, testing.new_session(3) AS owed,
    testing.new_session(4) AS open,
    testing.new_session(5) AS undelivered, testing.new_session(6) AS recent, testing.new_session(7) AS dead \gset
SELECT client_secret FROM checkout.get_checkout_session(:'paid') \gset
SELECT status FROM checkout.open_checkout_session(:'paid', :'client_secret');
SELECT status FROM checkout.record_payment(:'paid', 'paid', 'succeeded');
SELECT status FROM checkout.record_refund('paid', 'refund', 1);
SELECT s.status FROM unnest(ARRAY[:'expired', :'owed', :'recent']::uuid[]) AS id,
    checkout.expire_checkout_session(id) AS s;
SELECT status FROM checkout.record_payment(:'owed', 'owed', 'succeeded', 3);
-- One recovers another, and one sells from the catalog.
SELECT checkout_session_id AS recovering FROM checkout.recover_checkout_session(:'expired') \gset
SELECT p.product_id, c.code FROM checkout.create_product('Mug', 'retained', on_hand => 5) AS p,
    checkout.create_price(p.product_id, 'USD', 12, price_id => 'retained-usd'), checkout.create_coupon('KEEP', 10) AS c;
SELECT checkout_session_id AS sold FROM checkout.create_checkout_session(currency_code => 'USD', customer_id => 'c',
    lines => '[{"price_id": "retained-usd"}]', coupon_code => 'KEEP') \gset
SELECT status FROM checkout.record_payment(:'sold', 'sold', 'succeeded');
-- These two have events that a receiver has not had.
SELECT name FROM checkout.create_webhook_consumer('jobs');
SELECT s.status FROM unnest(ARRAY[:'undelivered', :'dead']::uuid[]) AS id, checkout.expire_checkout_session(id) AS s;
\c - retention_other
SELECT testing.new_session(9) AS of_other \gset
SELECT status FROM checkout.expire_checkout_session(:'of_other');
\c - postgres
UPDATE checkout_data.webhook_deliveries SET next_attempt_at = NULL, dead_at = now() WHERE subject_id = :'dead';
CREATE VIEW testing.kept AS SELECT title, count(*) AS rows FROM (
    SELECT s.amount::text AS title, s.organization_id FROM checkout_data.checkout_sessions s UNION ALL
    SELECT 'payments', organization_id FROM checkout_data.payments UNION ALL
    SELECT 'refunds', organization_id FROM checkout_data.refunds UNION ALL
    SELECT 'visits', organization_id FROM checkout_data.session_visits UNION ALL
    SELECT 'lines', organization_id FROM checkout_data.session_lines UNION ALL
    SELECT 'terms', organization_id FROM checkout_data.session_terms UNION ALL
    SELECT 'holds', organization_id FROM checkout_data.holds UNION ALL
    SELECT 'events', organization_id FROM checkout_data.webhook_outbox UNION ALL
    SELECT 'deliveries', organization_id FROM checkout_data.webhook_deliveries) AS t
WHERE organization_id IN (SELECT organization_id FROM checkout_data.organizations WHERE name ^@ 'Keeps')
GROUP BY title ORDER BY title;
-- Nothing is old yet.
CALL testing.clean_up();
TABLE testing.kept;

-- All become 45 days old, but one that is recent, one that is open, and the one that has recovered another.
-- Their hours are counted before anything is removed.
SELECT count(*) AS aged FROM (
    SELECT testing.long_ago(s.checkout_session_id) FROM checkout_data.checkout_sessions s
    WHERE s.organization_id IN (:'organization', :'other')
        AND s.checkout_session_id NOT IN (:'recent', :'open', :'recovering') OFFSET 0) AS aged;
DELETE FROM checkout_data.session_folds WHERE organization_id IN (:'organization', :'other');
DELETE FROM checkout_data.session_counts WHERE organization_id IN (:'organization', :'other');
CALL testing.clean_up();
-- What is owed, open, undelivered, recent or recovered stays, and what another organization keeps.
TABLE testing.kept;
\c - retention_shop
-- What was removed is counted for good.
SELECT sum(created) AS created, sum(completed) AS completed, sum(expired) AS expired FROM checkout.session_funnel();
SELECT testing.outcome(format('SELECT checkout.get_checkout_session(%L)', :'paid'));
-- A payment that comes late takes nothing from that, although its hour is not counted again.
SELECT status FROM checkout.record_payment(:'undelivered', 'late', 'succeeded', 5);
SELECT status FROM checkout.record_refund('late', 'refund-late');
SELECT sum(created) AS created, sum(completed) AS completed, sum(expired) AS expired FROM checkout.session_funnel();
-- Once the money is refunded, the event delivered and the other session gone, they go, too.
SELECT status FROM checkout.record_refund('owed', 'refund-owed');
SELECT count(checkout.ack_webhook_events('jobs', ARRAY[event_id], lease_token)) AS delivered
FROM checkout.claim_webhook_events('jobs', 10);
\c - postgres
DELETE FROM checkout_data.checkout_sessions WHERE checkout_session_id = :'recovering';
UPDATE checkout_data.webhook_deliveries SET next_attempt_at = NULL, lease_token = NULL, delivered_at = now()
WHERE subject_id = :'undelivered' AND delivered_at IS NULL;
-- The refund is recent: its payment has just changed.
CALL testing.clean_up();
TABLE testing.kept;
UPDATE checkout_data.payments SET updated_at = updated_at - interval '45 days'
WHERE payment_id IN ('owed', 'late');
CALL testing.clean_up();
TABLE testing.kept;

-- A subscription that ended long ago goes with its sessions, and a living one keeps them.
SELECT uses_catalog FROM checkout.update_organization(:'organization', uses_catalog => true);
\c - retention_shop
SELECT price_id FROM checkout.create_price('retained', 'USD', 9, price_id => 'retained-monthly',
    interval_unit => 'month');
SELECT checkout_session_id AS ended, subscription_id AS ended_subscription
FROM checkout.create_checkout_session(price_id => 'retained-monthly', customer_id => 'a') \gset
SELECT checkout_session_id AS living FROM checkout.create_checkout_session(price_id => 'retained-monthly',
    customer_id => 'b') \gset
SELECT status FROM unnest(ARRAY[:'ended', :'living']::uuid[]) AS id, checkout.record_payment(id, id::text, 'succeeded');
SELECT status FROM checkout.cancel_subscription(:'ended_subscription', false);
SELECT count(checkout.ack_webhook_events('jobs', ARRAY[event_id], lease_token)) AS delivered
FROM checkout.claim_webhook_events('jobs', 100);
\c - postgres
SELECT count(*) AS aged FROM (
    SELECT testing.long_ago(id) FROM unnest(ARRAY[:'ended', :'living']::uuid[]) AS id OFFSET 0) AS aged;
UPDATE checkout_data.subscriptions SET created_at = created_at - interval '100 days',
    updated_at = updated_at - interval '100 days',
    current_period_start = current_period_start - interval '100 days',
        current_period_end = current_period_end - interval '100 days',
    ends_at = ends_at - interval '100 days', canceled_at = canceled_at - interval '100 days'
WHERE checkout_session_id = :'ended';
CALL testing.clean_up();
SELECT count(checkout.ack_webhook_events('jobs', ARRAY[event_id], lease_token)) AS delivered FROM (
    SELECT set_config('checkout_sessions.organization_id', :'organization', false) OFFSET 0) AS tenant,
    LATERAL checkout.claim_webhook_events('jobs', 100);
RESET checkout_sessions.organization_id;
CALL testing.clean_up();
SELECT count(*) AS subscriptions, (SELECT count(*) FROM checkout_data.session_periods
    WHERE organization_id = :'organization') AS periods,
    (SELECT count(*) FROM checkout_data.checkout_sessions WHERE checkout_session_id IN (:'ended', :'living'))
        AS sessions
FROM checkout_data.subscriptions WHERE organization_id = :'organization';

-- What would have renewed it goes later. It cannot be sold again.
\c - retention_shop
SELECT checkout_session_id AS begun, subscription_id AS short
FROM checkout.create_checkout_session(price_id => 'retained-monthly', customer_id => 'c') \gset
SELECT status FROM checkout.record_payment(:'begun', 'begun', 'succeeded');
\c - postgres
SELECT testing.long_ago(:'begun');
CREATE PROCEDURE testing.end_long_ago(subscription uuid) LANGUAGE sql AS $$
    UPDATE checkout_data.subscriptions SET created_at = created_at - interval '100 days',
        updated_at = updated_at - interval '100 days', ends_at = ends_at - interval '100 days',
        current_period_start = current_period_start - interval '100 days',
        current_period_end = current_period_end - interval '100 days',
        next_event_at = next_event_at - interval '100 days'
    WHERE subscription_id = subscription
$$;
CALL testing.end_long_ago(:'short');
CALL testing.clean_up();
\c - retention_shop
SELECT status FROM checkout.get_subscription(:'short');
SELECT checkout_session_id AS renewal FROM checkout.create_checkout_session(subscription_id => :'short') \gset
SELECT status FROM checkout.expire_checkout_session(:'renewal');
\c - postgres
UPDATE checkout_data.webhook_deliveries SET next_attempt_at = NULL, lease_token = NULL, delivered_at = now()
WHERE organization_id = :'organization' AND delivered_at IS NULL;
-- Its renewal was a change of it.
CALL testing.clean_up();
SELECT count(*) FROM checkout_data.subscriptions WHERE subscription_id = :'short';
CALL testing.end_long_ago(:'short');
CALL testing.clean_up();
SELECT count(*) FROM checkout_data.subscriptions WHERE subscription_id = :'short';
\c - retention_shop
SELECT replace(testing.outcome(format('SELECT checkout.recover_checkout_session(%L)', :'renewal')), :'short', '<id>');
SELECT status, rejection_reason FROM checkout.record_payment(:'renewal', 'too-late', 'succeeded');
\c - postgres
DROP PROCEDURE testing.end_long_ago(uuid);

-- A transaction that sees no more what others do removes nothing, and says so.
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT * FROM checkout.run_maintenance() WHERE task = 'remove';
COMMIT;

-- Keys that were revoked long ago go; one that replaces another stays as long as that.
SELECT api_key_id AS old FROM checkout.create_api_key(:'organization', 'secret', 'live') \gset
SELECT api_key_id AS new FROM checkout.roll_api_key(:'old') \gset
SELECT status FROM checkout.revoke_api_key(:'new');
UPDATE checkout_data.api_keys SET created_at = created_at - interval '50 days',
    revoked_at = revoked_at - interval '45 days',
    expires_at = expires_at - interval '1 day' WHERE organization_id = :'organization';
CALL testing.clean_up();
SELECT count(*) FROM checkout_data.api_keys WHERE organization_id = :'organization';
UPDATE checkout_data.api_keys SET expires_at = expires_at - interval '45 days' WHERE api_key_id = :'old';
CALL testing.clean_up();
SELECT count(*) FROM checkout_data.api_keys WHERE organization_id = :'organization';
-- So do those of an organization that never had a session.
SELECT checkout.create_organization('Keys alone', session_retention => '31 days') AS other \gset
SELECT api_key_id AS old FROM checkout.create_api_key(:'other', 'secret', 'live') \gset
SELECT status FROM checkout.revoke_api_key(:'old');
UPDATE checkout_data.api_keys
SET created_at = created_at - interval '50 days', revoked_at = revoked_at - interval '45 days'
WHERE api_key_id = :'old';
CALL testing.clean_up();
SELECT count(*) FROM checkout_data.api_keys WHERE organization_id = :'other';
DROP PROCEDURE testing.clean_up();
DROP FUNCTION testing.long_ago(uuid);
DROP VIEW testing.kept;
