-- Redelivery: events that a receiver has lost, or that it was never sent; and the end of retention.
SELECT checkout.create_organization('Redeliveries') AS organization,
    checkout.create_organization('Redeliveries of another') AS other \gset
SELECT testing.login('shop_redeliveries', :'organization');
SELECT testing.login('shop_redeliveries_other', :'other');

-- Before it has an endpoint, its events go to a consumer, which has acknowledged one of them and holds another.
\c - shop_redeliveries
SELECT webhook_consumer_id AS jobs FROM checkout.create_webhook_consumer('jobs') \gset
SELECT testing.new_session(1) AS before_sent, testing.new_session(2) AS before_waiting,
    testing.new_session(3) AS before_both \gset
SELECT status FROM checkout.expire_checkout_session(:'before_sent');
SELECT status FROM checkout.expire_checkout_session(:'before_waiting');
SELECT status FROM checkout.record_payment(:'before_both', 'redeliveries-1', 'failed');
SELECT status FROM checkout.record_payment(:'before_both', 'redeliveries-2', 'succeeded');
CREATE TEMP TABLE consumed AS SELECT * FROM checkout.claim_webhook_events('jobs', lease => '12 hours');
SELECT checkout.ack_webhook_events('jobs', ARRAY[event_id], lease_token)
FROM consumed WHERE checkout_session_id = :'before_sent';
SELECT event_id AS held, lease_token AS held_lease FROM consumed WHERE checkout_session_id = :'before_waiting' \gset
SELECT name, event_types FROM checkout.create_webhook_consumer('jobs', '{checkout.session.failed}');
-- Then it asks for less, and there are two endpoints, one for all events and one for payments, and events for both.
\c - shop_redeliveries
SELECT webhook_endpoint_id AS everything
FROM checkout.create_webhook_endpoint('https://shop.example/everything', description => 'everything') \gset
SELECT webhook_endpoint_id AS payments
FROM checkout.create_webhook_endpoint(
    'https://shop.example/payments', '{checkout.session.completed}', description => 'payments') \gset
SELECT clock_timestamp() AS opened \gset
SELECT testing.new_session(10) AS paid, testing.new_session(20) AS expired, testing.new_session(30) AS dead \gset
SELECT status FROM checkout.record_payment(:'paid', 'redeliveries-3', 'succeeded');
SELECT status FROM checkout.expire_checkout_session(:'expired');
SELECT status FROM checkout.record_payment(:'dead', 'redeliveries-4', 'succeeded');
SELECT event_id AS paid_event FROM checkout.list_webhook_events(:'paid') \gset
SELECT event_id AS expired_event FROM checkout.list_webhook_events(:'expired') \gset
SELECT event_id AS before_sent_event FROM checkout.list_webhook_events(:'before_sent') \gset
-- One is dead, the others are delivered.
\c - postgres
UPDATE checkout_data.webhook_deliveries SET attempts = 9 WHERE subject_id = :'dead';
\c - sender
SELECT count(
    checkout.record_webhook_attempt(
        event_id, webhook_endpoint_id, lease_token,
        CASE body::jsonb #>> '{data,object,amount}' WHEN '30.00' THEN 500 ELSE 200 END))
FROM checkout.claim_webhook_deliveries();
SELECT endpoint, about, event_type, state, attempts FROM testing.webhooks WHERE organization_id = :'organization';

-- An event, at all of its destinations
SELECT checkout.redeliver_webhook_events(ARRAY[:'paid_event', :'paid_event']);
SELECT endpoint, about, state, attempts, attempts_ever
FROM testing.webhooks WHERE organization_id = :'organization' AND about = '10.00';
SELECT url, attempt, headers ->> 'webhook-id' = :'paid_event' AS same_id
FROM checkout.claim_webhook_deliveries() ORDER BY url;
-- Also while it is in flight: then the outcome of that attempt is not recorded.
SELECT testing.deliveries_due(:'organization');
SELECT lease_token AS lease FROM checkout.claim_webhook_deliveries() WHERE webhook_endpoint_id = :'payments' \gset
SELECT checkout.redeliver_webhook_events(ARRAY[:'paid_event'], :'payments');
SELECT testing.outcome(
    format('SELECT checkout.record_webhook_attempt(%L, %L, %L, 200)', :'paid_event', :'payments', :'lease'))
    AS of_the_attempt_before;
SELECT count(checkout.record_webhook_attempt(event_id, webhook_endpoint_id, lease_token, 200))
FROM checkout.claim_webhook_deliveries();
SELECT testing.deliveries_due(:'organization');
SELECT count(checkout.record_webhook_attempt(event_id, webhook_endpoint_id, lease_token, 200))
FROM checkout.claim_webhook_deliveries();
-- The attempt numbers continue.
\c - shop_redeliveries
SELECT webhook_endpoint_id = :'payments' AS to_payments, attempt, status_code
FROM checkout.list_webhook_attempts(:'paid_event') ORDER BY 1, 2;

-- The list of dead deliveries has the last to die first: to an endpoint, of an organization, or for a consumer.
\c - postgres
UPDATE checkout_data.webhook_deliveries SET dead_at = now() + interval '1 second', delivered_at = NULL,
    last_error = 'nobody home'
WHERE subject_id = :'before_sent';
\c - sender
SELECT url, d.consumer, d.event_type, d.status, d.delivery_attempts, d.last_status_code, d.last_error, d.environment,
    d.checkout_session_id IN (:'dead', :'before_sent') AS of_the_session
FROM checkout.list_dead_webhook_deliveries(:'organization')
    WITH ORDINALITY AS d (event_id, webhook_endpoint_id, consumer, event_type, organization_id, environment,
    checkout_session_id, status, delivery_attempts, next_attempt_at, delivered_at, dead_at, last_attempt_at,
    last_status_code, last_error, created_at, n)
LEFT JOIN (SELECT webhook_endpoint_id, url FROM checkout.outbox_status()) AS p USING (webhook_endpoint_id)
ORDER BY d.webhook_endpoint_id IS NOT NULL, url;
SELECT count(*) FILTER (WHERE webhook_endpoint_id = :'payments') AS to_payments, count(*) AS in_all
FROM checkout.list_dead_webhook_deliveries(webhook_endpoint_id => :'payments');
SELECT count(*) AS of_another FROM checkout.list_dead_webhook_deliveries(:'other');
SELECT count(*) >= 3 AS of_all, bool_and(earlier) AS the_last_first
FROM (SELECT dead_at <= lag(dead_at) OVER () AS earlier FROM checkout.list_dead_webhook_deliveries(page_size => 100))
    AS d;
SELECT webhook_endpoint_id IS NULL AS of_a_consumer, dead_at
FROM checkout.list_dead_webhook_deliveries(:'organization', page_size => 1) \gset
SELECT count(*) AS on_the_next_page, bool_and(webhook_endpoint_id IS NOT NULL) AS to_endpoints,
    :'of_a_consumer' AS the_first_was_of_a_consumer
FROM checkout.list_dead_webhook_deliveries(:'organization', page_offset => 1);
SELECT testing.outcome('SELECT checkout.list_dead_webhook_deliveries(page_size => 0)') AS none;
SELECT testing.outcome('SELECT checkout.list_dead_webhook_deliveries(page_size => 101)') AS too_many;
SELECT testing.outcome('SELECT checkout.list_dead_webhook_deliveries(page_offset => -1)') AS before_the_first;
\c - postgres
UPDATE checkout_data.webhook_deliveries SET delivered_at = dead_at, dead_at = NULL, last_error = NULL
WHERE subject_id = :'before_sent';

-- Redeliver them, after the receiver is repaired.
\c - sender
BEGIN;
SELECT checkout.redeliver_webhook_events(created_after => :'opened', status => 'dead') AS everywhere;
SELECT endpoint, about, state, attempts FROM testing.webhooks WHERE organization_id = :'organization' AND state = 'due';
ROLLBACK;
BEGIN;
SELECT checkout.redeliver_webhook_events(webhook_endpoint_id => :'payments', status => 'dead') AS to_one;
SELECT endpoint, about, state, attempts FROM testing.webhooks WHERE organization_id = :'organization' AND state = 'due';
ROLLBACK;
-- All events of a period, to one endpoint and to all
BEGIN;
SELECT checkout.redeliver_webhook_events(created_after => :'opened', webhook_endpoint_id => :'everything')
    AS since_then;
SELECT endpoint, about, state FROM testing.webhooks WHERE organization_id = :'organization' AND state = 'due';
ROLLBACK;
BEGIN;
SELECT checkout.redeliver_webhook_events(created_after => :'opened', created_before => :'opened') AS of_no_time;
SELECT checkout.redeliver_webhook_events(created_after => '3000-01-01') AS of_another_time;
SELECT checkout.redeliver_webhook_events(webhook_endpoint_id => :'payments', created_before => :'opened')
    AS before_there_were_endpoints;
ROLLBACK;
-- An event must meet all of these conditions.
BEGIN;
SELECT checkout.redeliver_webhook_events(ARRAY[:'paid_event', :'expired_event'], :'payments') AS of_its_types_only;
SELECT checkout.redeliver_webhook_events(ARRAY[:'paid_event', :'expired_event'], :'everything', status => 'dead')
    AS none_is_dead;
SELECT checkout.redeliver_webhook_events(
    ARRAY[:'paid_event', :'expired_event'], :'everything', created_before => :'opened') AS none_is_older;
ROLLBACK;
-- Not the events of another organization
\c - shop_redeliveries_other
SELECT status FROM checkout.expire_checkout_session(testing.new_session(40));
SELECT webhook_endpoint_id AS of_another FROM checkout.create_webhook_endpoint('https://other.example') \gset
\c - sender
SELECT checkout.redeliver_webhook_events(ARRAY[:'paid_event'], :'of_another') AS to_another;

-- Events that are older than the endpoint, including those that the consumer has or holds: the consumer loses nothing.
BEGIN;
SELECT checkout.redeliver_webhook_events(webhook_endpoint_id => :'everything', status => 'delivered')
    AS what_it_was_sent_only;
ROLLBACK;
SELECT pending + leased AS waiting FROM checkout.outbox_status() WHERE consumer = 'jobs';
SELECT checkout.redeliver_webhook_events(webhook_endpoint_id => :'payments', created_before => :'opened') AS payments;
SELECT checkout.redeliver_webhook_events(webhook_endpoint_id => :'everything', created_before => :'opened')
    AS everything;
SELECT endpoint, about, sequence, event_type, state
FROM testing.webhooks WHERE organization_id = :'organization' AND about < '4';
SELECT consumer, about, sequence, state FROM testing.consumed WHERE organization_id = :'organization';
SELECT url, body::jsonb #>> '{data,object,amount}' AS amount, event_type
FROM checkout.claim_webhook_deliveries() WHERE organization_id = :'organization' ORDER BY 1, 2, 3;
\c - shop_redeliveries
SELECT checkout.ack_webhook_events('jobs', ARRAY[:'held'], :'held_lease') AS acknowledged_in_time;
SELECT event_type, status FROM checkout.list_webhook_events() ORDER BY created_at;

-- The same for a consumer: what it has had, what never went to it, but not what its event_types exclude.
\c - sender
BEGIN;
SELECT checkout.redeliver_webhook_events(webhook_consumer_id => :'jobs') AS of_its_types;
SELECT checkout.redeliver_webhook_events(webhook_consumer_id => :'jobs', status => 'delivered') AS what_it_has;
SELECT about, sequence, state, attempts, attempts_ever
FROM testing.consumed WHERE organization_id = :'organization';
ROLLBACK;
\c - shop_redeliveries
SELECT name, event_types
FROM checkout.create_webhook_consumer('jobs', '{checkout.session.completed,checkout.session.expired}');
\c - sender
SELECT checkout.redeliver_webhook_events(ARRAY[:'paid_event', :'expired_event'], webhook_consumer_id => :'jobs')
    AS from_after_its_change;
SELECT about, sequence, state, attempts FROM testing.consumed WHERE organization_id = :'organization';

-- These are refused.
\c - sender
\a
SELECT call, testing.outcome(
        'SELECT checkout.redeliver_webhook_events(' || replace(replace(replace(call, '$', quote_literal(:'paid_event')),
            '@', quote_literal(:'payments')), '#', quote_literal(:'jobs')) || ')')
    AS outcome
FROM unnest(ARRAY[
    '', 'status => ''dead''', 'created_before => now()', 'ARRAY[$], status => ''leased''', 'ARRAY[$], status => ''''',
    'created_after => now(), created_before => now() - interval ''1 day''',
    'created_after => ''infinity''', 'webhook_endpoint_id => ''7b1c5f0e-4c1d-4a6c-9d0e-2f6a3b9c8d10''',
    'webhook_consumer_id => ''7b1c5f0e-4c1d-4a6c-9d0e-2f6a3b9c8d10''', 'webhook_consumer_id => @',
    'webhook_endpoint_id => #', 'webhook_endpoint_id => @, webhook_consumer_id => #', '''{NULL}''', '''{evt_1}''',
    '''{}'''
]) AS call;
\a

-- Retention: events delivered a month ago are removed; dead and undelivered ones stay, and so do sessions.
SHOW checkout_sessions.outbox_retention;
SELECT count(checkout.release_webhook_delivery(event_id, webhook_endpoint_id, lease_token))
FROM checkout.claim_webhook_deliveries() \g /dev/null
\c - postgres
CALL testing.forget_receivers();
DELETE FROM checkout_data.webhook_deliveries WHERE organization_id IN (:'organization', :'other');
DELETE FROM checkout_data.webhook_attempts WHERE organization_id IN (:'organization', :'other');
DELETE FROM checkout_data.webhook_endpoints WHERE organization_id IN (:'organization', :'other');
DELETE FROM checkout_data.webhook_outbox WHERE organization_id IN (:'organization', :'other');
\c - shop_redeliveries
SELECT webhook_endpoint_id AS one
FROM checkout.create_webhook_endpoint('https://shop.example/one', description => 'one') \gset
SELECT webhook_endpoint_id AS two
FROM checkout.create_webhook_endpoint(
    'https://shop.example/two', '{checkout.session.completed}', description => 'two') \gset
SELECT testing.new_session(50) AS delivered, testing.new_session(60) AS partly, testing.new_session(70) AS dead,
    testing.new_session(80) AS waiting, testing.new_session(90) AS recent, testing.new_session(99) AS nobodys \gset
SELECT count(checkout.record_payment(s, 'retention-' || n, 'succeeded'))
FROM unnest(ARRAY[:'delivered', :'partly', :'dead', :'waiting', :'recent']::uuid[]) WITH ORDINALITY AS sessions (s, n);
\c - sender
SELECT count(checkout.record_webhook_attempt(event_id, webhook_endpoint_id, lease_token,
    CASE WHEN amount IN ('70.00', '80.00') OR amount = '60.00' AND webhook_endpoint_id = :'two' THEN 500 ELSE 200 END))
FROM checkout.claim_webhook_deliveries(), LATERAL (SELECT body::jsonb #>> '{data,object,amount}') AS b (amount);
-- An event without a destination: the other endpoint is gone.
\c - shop_redeliveries
SELECT event_types FROM checkout.update_webhook_endpoint(:'one', event_types => '{checkout.session.completed}');
SELECT status FROM checkout.expire_checkout_session(:'nobodys');
\c - postgres
UPDATE checkout_data.webhook_deliveries SET next_attempt_at = NULL, dead_at = now() WHERE subject_id = :'dead';
UPDATE checkout_data.webhook_outbox SET created_at = created_at - interval '1 year'
WHERE organization_id = :'organization';
UPDATE checkout_data.webhook_deliveries SET created_at = created_at - interval '1 year',
    delivered_at = delivered_at - CASE
        WHEN subject_id = :'recent' AND receiver_id = :'two' THEN interval '29 days'
        ELSE '31 days' END,
    dead_at = dead_at - interval '31 days', next_attempt_at = next_attempt_at - interval '31 days'
WHERE organization_id = :'organization';
SELECT endpoint, about, state FROM testing.webhooks WHERE organization_id = :'organization';
SELECT count(*) FROM checkout_data.webhook_attempts WHERE organization_id = :'organization';
SELECT count(*) AS events FROM checkout_data.webhook_outbox WHERE organization_id = :'organization';
SELECT row_count AS expired FROM checkout.run_maintenance() WHERE task = 'expire';
SELECT endpoint, about, state FROM testing.webhooks WHERE organization_id = :'organization';
SELECT s.amount, o.event_type
FROM checkout_data.webhook_outbox o
    JOIN checkout_data.checkout_sessions s ON s.checkout_session_id = o.subject_id
WHERE o.organization_id = :'organization' ORDER BY s.amount;
SELECT s.amount, count(*) AS attempts
FROM checkout_data.webhook_attempts a
    JOIN checkout_data.checkout_sessions s ON s.checkout_session_id = a.subject_id
WHERE a.organization_id = :'organization' GROUP BY 1 ORDER BY 1;
-- A deleted endpoint is kept for an hour, for transactions that are writing events. Then it is removed with all of its
-- waiting deliveries.
\c - shop_redeliveries
SELECT url FROM checkout.delete_webhook_endpoint(:'two', true);
\c - postgres
SELECT row_count AS expired FROM checkout.run_maintenance() WHERE task = 'expire';
SELECT endpoint, about, state FROM testing.webhooks WHERE organization_id = :'organization';
UPDATE checkout_data.webhook_endpoints SET deleted_at = deleted_at - interval '59 minutes'
WHERE webhook_endpoint_id = :'two';
SELECT row_count AS expired FROM checkout.run_maintenance() WHERE task = 'expire';
SELECT count(*) AS endpoints FROM checkout_data.webhook_endpoints WHERE webhook_endpoint_id = :'two';
UPDATE checkout_data.webhook_endpoints SET deleted_at = deleted_at - interval '1 minute'
WHERE webhook_endpoint_id = :'two';
SELECT row_count AS expired FROM checkout.run_maintenance(1) WHERE task = 'expire';
SELECT count(*) AS endpoints_while_it_has_deliveries
FROM checkout_data.webhook_endpoints WHERE webhook_endpoint_id = :'two';
SELECT row_count AS expired FROM checkout.run_maintenance() WHERE task = 'expire';
SELECT count(*) AS endpoints FROM checkout_data.webhook_endpoints WHERE webhook_endpoint_id = :'two';
SELECT count(*) AS deliveries FROM checkout_data.webhook_deliveries WHERE receiver_id = :'two';
SELECT count(*) AS attempts FROM checkout_data.webhook_attempts WHERE receiver_id = :'two';
SELECT endpoint, about, state FROM testing.webhooks WHERE organization_id = :'organization';
-- The deliveries to the remaining endpoint are no longer held.
SELECT s.amount
FROM checkout_data.webhook_outbox o
    JOIN checkout_data.checkout_sessions s ON s.checkout_session_id = o.subject_id
WHERE o.organization_id = :'organization' ORDER BY s.amount;
-- One call removes about as many delivered events as it is told to, and no more: it is one transaction.
BEGIN;
UPDATE checkout_data.webhook_outbox SET created_at = created_at - interval '1 year'
WHERE organization_id = :'organization';
UPDATE checkout_data.webhook_deliveries
SET delivered_at = now() - interval '1 year', next_attempt_at = NULL, lease_token = NULL, dead_at = NULL
WHERE organization_id = :'organization';
SELECT count(*) > 1 AS several, count(*) AS events FROM checkout_data.webhook_outbox
WHERE organization_id = :'organization' \gset
SELECT :'several' AS several;
SELECT count(*) AS tasks FROM checkout.run_maintenance(1);
SELECT :events - count(*) AS removed FROM checkout_data.webhook_outbox
WHERE organization_id = :'organization';
SELECT count(*) AS tasks FROM checkout.run_maintenance();
SELECT count(*) AS left_over FROM checkout_data.webhook_outbox WHERE organization_id = :'organization';
ROLLBACK;
-- Kept for ever
ALTER SYSTEM SET checkout_sessions.outbox_retention = -1;
SELECT pg_reload_conf();
SELECT pg_sleep(0.5);
\c - postgres
UPDATE checkout_data.webhook_deliveries SET delivered_at = '2001-01-01', next_attempt_at = NULL, dead_at = NULL
WHERE organization_id = :'organization';
SELECT row_count AS expired FROM checkout.run_maintenance() WHERE task = 'expire';
SELECT count(*) AS deliveries FROM testing.webhooks WHERE organization_id = :'organization';
ALTER SYSTEM RESET checkout_sessions.outbox_retention;
SELECT pg_reload_conf();
SELECT pg_sleep(0.5);
\c - postgres
SELECT row_count AS expired FROM checkout.run_maintenance() WHERE task = 'expire';
SELECT count(*) AS deliveries FROM testing.webhooks WHERE organization_id = :'organization';
CALL testing.forget_receivers();
