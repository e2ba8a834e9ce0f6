-- Deliveries to webhook endpoints: which events go to which endpoints, in which order, and with which outcome.
SELECT checkout.create_organization('Deliveries') AS organization,
    checkout.create_organization('Deliveries of one without receivers') AS other \gset
SELECT testing.login('shop_deliveries', :'organization');
SELECT testing.login('shop_deliveries_test', :'organization', 'test');
SELECT testing.login('shop_deliveries_other', :'other');

-- A consumer; an endpoint for all events, one for those that end a session, one for failed or rejected payments; and
-- one that is disabled.
\c - shop_deliveries
SELECT name FROM checkout.create_webhook_consumer('jobs');
SELECT webhook_endpoint_id AS everything
FROM checkout.create_webhook_endpoint('https://shop.example/everything', description => 'everything') \gset
SELECT webhook_endpoint_id AS ends FROM checkout.create_webhook_endpoint('https://shop.example/ends',
    '{checkout.session.completed,checkout.session.expired,checkout.session.failed}', description => 'ends') \gset
SELECT webhook_endpoint_id AS trouble
FROM checkout.create_webhook_endpoint(
    'https://shop.example/trouble', '{checkout.session.payment_rejected,webhook_endpoint.*}',
    description => 'trouble') \gset
SELECT webhook_endpoint_id AS waiting
FROM checkout.create_webhook_endpoint('https://shop.example/waiting', description => 'waiting') \gset
SELECT enabled FROM checkout.update_webhook_endpoint(:'waiting', enabled => false);
SELECT testing.new_session(10) AS first, testing.new_session(20) AS second \gset
SELECT status FROM checkout.record_payment(:'first', 'deliveries-1', 'failed');
SELECT status FROM checkout.record_payment(:'first', 'deliveries-2', 'succeeded');
SELECT status FROM checkout.expire_checkout_session(:'second');
-- The other environment has none of them, and nobody gets the events of an organization without receivers.
\c - shop_deliveries_test
SELECT status FROM checkout.record_payment(testing.new_session(30), 'deliveries-1', 'succeeded');
\c - shop_deliveries_other
SELECT status FROM checkout.record_payment(testing.new_session(40), 'deliveries-1', 'succeeded');
\c - sender
SELECT endpoint, about, sequence, event_type, state FROM testing.webhooks WHERE organization_id = :'organization';
SELECT count(*) FROM testing.webhooks WHERE organization_id = :'other';
SELECT url, consumer, pending, leased, dead, enabled, failing_since, lag > '0' AS lag,
    now() - oldest_pending_at < '1 minute' AS just_now
FROM checkout.outbox_status()
WHERE organization_id = :'organization' ORDER BY url;
SELECT count(*) AS of_the_other FROM checkout.outbox_status() WHERE organization_id = :'other';
\c - shop_deliveries_other
SELECT event_type, status FROM checkout.list_webhook_events();
-- The consumer's claims take nothing from the endpoints, nor theirs from it.
\c - shop_deliveries
SELECT environment, event_type FROM checkout.claim_webhook_events('jobs');
SELECT event_type, status, delivery_attempts FROM checkout.list_webhook_events(:'first');
SELECT event_type, status FROM checkout.list_webhook_deliveries(:'everything');
SELECT event_type, status FROM checkout.list_webhook_deliveries(:'waiting');
SELECT event_type, status FROM checkout.list_webhook_deliveries(:'trouble');
SELECT name FROM checkout.delete_webhook_consumer('jobs', true);
-- An event that no receiver has asked for is skipped.
BEGIN;
SELECT (checkout.update_webhook_endpoint(webhook_endpoint_id, event_types => '{webhook_endpoint.disabled}')).event_types
FROM checkout.list_webhook_endpoints();
SELECT testing.new_session(5) AS skipped \gset
SELECT status FROM checkout.expire_checkout_session(:'skipped');
SELECT event_type, status FROM checkout.list_webhook_events(:'skipped');
SELECT count(*) AS skipped, bool_and(checkout_session_id = :'skipped') AS that
FROM checkout.list_webhook_events(status => 'skipped');
ROLLBACK;

-- Claim: for each endpoint the first event of each session. The next one waits for it.
\c - sender
CREATE TEMP TABLE claimed AS SELECT * FROM checkout.claim_webhook_deliveries();
SELECT url, event_type, attempt, lease_expires_at - now() BETWEEN '50 seconds' AND '61 seconds' AS leased_a_minute,
    environment, organization_id = :'organization' AS of_the_organization
FROM claimed ORDER BY url, event_type;
SELECT count(DISTINCT lease_token) AS tokens FROM claimed;
SELECT count(*) AS again FROM checkout.claim_webhook_deliveries();
-- A delivery has the stored body, and its headers.
SELECT bool_and(headers ->> 'webhook-id' = event_id AND body::jsonb ->> 'id' = event_id
        AND body::jsonb ->> 'type' = event_type AND headers ->> 'content-type' = 'application/json') AS as_the_event,
    bool_and(
        (headers ->> 'webhook-timestamp')::bigint
        BETWEEN extract(epoch FROM now()) - 60 AND extract(epoch FROM now()) + 60) AS of_now
FROM claimed;
SELECT event_id AS event, lease_token AS lease
FROM claimed WHERE webhook_endpoint_id = :'everything' AND event_type = 'checkout.session.payment_failed' \gset
SELECT event_id AS completed, lease_token AS lease
FROM claimed WHERE webhook_endpoint_id = :'ends' AND event_type = 'checkout.session.completed' \gset
-- Delivered: at this endpoint the next one is due; the other endpoint is not affected.
SELECT event_type, status, delivery_attempts, next_attempt_at, delivered_at = last_attempt_at AS now, dead_at,
    last_status_code, last_error, checkout_session_id = :'first' AS of_the_session
FROM checkout.record_webhook_attempt(
    :'event', :'everything', :'lease', 204, duration => '120 ms', response_body => 'thank you');
SELECT url, event_type, lease_token AS next_lease FROM checkout.claim_webhook_deliveries() \gset
\echo :url :event_type
-- A receiver that has not answered
SELECT event_type, status, delivery_attempts,
    next_attempt_at - now() BETWEEN '3 seconds' AND '6 seconds' AS in_5_seconds, last_status_code, last_error
FROM checkout.record_webhook_attempt(:'completed', :'ends', :'lease', error => 'connection refused');
-- An attempt cannot be recorded again, nor with another token.
SELECT testing.outcome(
    format('SELECT checkout.record_webhook_attempt(%L, %L, %L, 200)', :'completed', :'ends', :'lease')) AS twice;
SELECT testing.outcome(
    format('SELECT checkout.record_webhook_attempt(%L, %L, %L, 200)', :'event', :'everything', :'lease')) AS delivered;
SELECT testing.outcome(
    format('SELECT checkout.record_webhook_attempt(%L, %L, gen_random_uuid(), 200)', :'completed', :'everything'))
    AS wrong_token;
SELECT checkout.release_webhook_delivery(:'completed', :'ends', :'lease') AS released;
-- A delivery is given out again after its lease; the earlier holder is too late.
SELECT testing.deliveries_due(:'organization');
\c - shop_deliveries
SELECT event_type, status FROM checkout.list_webhook_deliveries(:'everything');
\c - sender
SELECT lease_token AS new_lease, attempt
FROM checkout.claim_webhook_deliveries() WHERE webhook_endpoint_id = :'everything' AND event_id = :'completed' \gset
SELECT :'new_lease' <> :'next_lease' AS another_lease;
SELECT :attempt AS attempt;
SELECT testing.outcome(
    format('SELECT checkout.record_webhook_attempt(%L, %L, %L, 200)', :'completed', :'everything', :'next_lease'))
    AS late;
\c - shop_deliveries
SELECT event_type, status FROM checkout.list_webhook_deliveries(:'everything', 'leased');
-- A relay that stops gives its deliveries back: that does not count as an attempt.
\c - sender
SELECT checkout.release_webhook_delivery(:'completed', :'everything', :'new_lease') AS released;
SELECT checkout.release_webhook_delivery(:'completed', :'everything', :'new_lease') AS twice;
SELECT state, attempts
FROM testing.webhooks
WHERE organization_id = :'organization' AND endpoint = 'everything' AND event_type = 'checkout.session.completed';
SELECT lease_token AS lease, attempt
FROM checkout.claim_webhook_deliveries() WHERE webhook_endpoint_id = :'everything' AND event_id = :'completed' \gset
\echo attempt :attempt
SELECT status FROM checkout.record_webhook_attempt(:'completed', :'everything', :'lease', 200);

-- A limit for each endpoint includes the deliveries that the relay still has open
\c - shop_deliveries
SELECT count(checkout.expire_checkout_session(testing.new_session(100 + n))) FROM generate_series(1, 6) AS n;
\c - sender
SELECT testing.deliveries_due(:'organization');
-- The organization has enough open deliveries.
BEGIN;
SELECT count(*) FROM checkout.claim_webhook_deliveries(except_organizations => ARRAY[:'organization'::uuid]);
ROLLBACK;
-- Its last attempt has failed: it gets one delivery at a time, until one succeeds.
BEGIN;
SELECT url, count(*) FROM checkout.claim_webhook_deliveries(per_endpoint => 5) WHERE url LIKE '%/ends' GROUP BY url;
ROLLBACK;
\c - postgres
UPDATE checkout_data.webhook_endpoints SET failing_since = NULL;
\c - sender
BEGIN;
SELECT url, count(*) FROM checkout.claim_webhook_deliveries(per_endpoint => 2) GROUP BY url ORDER BY url;
ROLLBACK;
-- Three are in flight: two more of this endpoint, and five of the other one.
BEGIN;
SELECT url, count(*)
FROM checkout.claim_webhook_deliveries(per_endpoint => 5, in_flight => array_fill(:'everything'::uuid, '{3}'))
GROUP BY url ORDER BY url;
ROLLBACK;
BEGIN;
SELECT url, count(*)
FROM checkout.claim_webhook_deliveries(per_endpoint => 3, in_flight => array_fill(:'everything'::uuid, '{4}'))
GROUP BY url ORDER BY url;
ROLLBACK;
BEGIN;
SELECT count(*) FROM checkout.claim_webhook_deliveries(batch_size => 3);
ROLLBACK;
-- Oldest first
BEGIN;
SELECT testing.deliveries_due(:'organization');
SELECT array_agg((body::jsonb #>> '{data,object,amount}')) AS amounts
FROM checkout.claim_webhook_deliveries(per_endpoint => 1000) WHERE webhook_endpoint_id = :'ends';
ROLLBACK;

-- An endpoint that is enabled again gets the waiting events, at once and in order. The outcome of deliveries that were
-- in flight when it was disabled is recorded.
\c - shop_deliveries
SELECT enabled FROM checkout.update_webhook_endpoint(:'waiting', enabled => true);
\c - sender
SELECT url, event_type, body::jsonb #>> '{data,object,amount}' AS amount
FROM checkout.claim_webhook_deliveries(per_endpoint => 100) WHERE webhook_endpoint_id = :'waiting'
ORDER BY (body::jsonb #>> '{data,object,amount}')::numeric;
SELECT testing.deliveries_due(:'organization');
SELECT event_id AS event, lease_token AS lease
FROM checkout.claim_webhook_deliveries(per_endpoint => 100)
WHERE webhook_endpoint_id = :'waiting' AND event_type LIKE '%payment_failed' \gset
\c - shop_deliveries
SELECT enabled FROM checkout.update_webhook_endpoint(:'waiting', enabled => false);
\c - sender
SELECT status, next_attempt_at > now() AS later
FROM checkout.record_webhook_attempt(:'event', :'waiting', :'lease', 500);
SELECT testing.deliveries_due(:'organization');
SELECT count(*) AS claimed FROM checkout.claim_webhook_deliveries() WHERE webhook_endpoint_id = :'waiting';
\c - shop_deliveries
SELECT url FROM checkout.delete_webhook_endpoint(:'waiting', true);

-- The bodies, in each dialect, are those of render_webhook_event; the canonical one is the event's.
SELECT webhook_endpoint_id, (checkout.delete_webhook_endpoint(webhook_endpoint_id, true)).url
FROM checkout.list_webhook_endpoints() \g /dev/null
SELECT count(
    checkout.create_webhook_endpoint(
        'https://shop.example/' || format, '{*}', format, scheme, description => format || ' ' || scheme))
FROM unnest('{canonical,kobo,lomi,paygate,flutterwave,yuno}'::text[]) AS format,
    unnest('{standard,stripe}'::text[]) AS scheme;
SELECT checkout_session_id AS bodies
FROM checkout.create_checkout_session(
    12.5, 'USD', customer_id => 'c', title => 'Tea "Ω" \ ☕', metadata => '{"a": {"b": [1, 2.50, null]}}') \gset
SELECT status FROM checkout.record_payment(:'bodies', 'deliveries-3', 'succeeded');
SELECT body AS canonical FROM checkout.list_webhook_events(:'bodies') \gset
\c - sender
SET timezone = 'Asia/Tokyo';
CREATE TEMP TABLE bodies AS SELECT * FROM checkout.claim_webhook_deliveries();
SELECT substr(url, 22) AS format, headers ? 'stripe-signature' AS stripe,
    body = CASE WHEN url LIKE '%/canonical' THEN :'canonical'
        ELSE checkout.render_webhook_event(event_id, substr(url, 22)) END AS as_rendered
FROM bodies ORDER BY 1, 2;
SELECT count(DISTINCT body) AS bodies, count(DISTINCT event_id) AS ids,
    count(DISTINCT coalesce(headers ->> 'webhook-signature', headers ->> 'stripe-signature')) AS signatures
FROM bodies;
RESET timezone;
\c - shop_deliveries
SELECT webhook_endpoint_id, (checkout.delete_webhook_endpoint(webhook_endpoint_id, true)).url
FROM checkout.list_webhook_endpoints() \g /dev/null

-- The tables refuse rows that must never exist.
\c - postgres
SELECT what, split_part(testing.outcome(format('UPDATE checkout_data.%s', change)), ': ', 1) AS outcome FROM (VALUES
    ('due and delivered', 'webhook_deliveries SET delivered_at = now(), next_attempt_at = now()'),
    ('neither due nor finished', 'webhook_deliveries SET next_attempt_at = NULL, delivered_at = NULL, dead_at = NULL'),
    ('delivered and dead',
        'webhook_deliveries SET next_attempt_at = NULL, lease_token = NULL, delivered_at = now(), dead_at = now()'),
    ('finished and leased',
        'webhook_deliveries SET next_attempt_at = NULL, lease_token = gen_random_uuid(), delivered_at = now(), '
        'dead_at = NULL'),
    ('no such sequence', 'webhook_deliveries SET sequence = 0'),
    ('attempts below none', 'webhook_deliveries SET attempts = -1'),
    ('another scheme of URL', 'webhook_endpoints SET url = ''ftp://shop.example'''),
    ('no event types', 'webhook_endpoints SET event_types = ''{}'''),
    ('another body', 'webhook_endpoints SET body_format = ''xml'''),
    ('another signature', 'webhook_endpoints SET signature_scheme = ''none'''),
    ('no secret', 'webhook_endpoints SET secret = ''whsec_'''),
    ('another environment', 'webhook_endpoints SET environment = ''staging'''),
    ('off for no reason', 'webhook_endpoints SET disabled_at = now(), disabled_reason = NULL'),
    ('off for another reason', 'webhook_endpoints SET disabled_at = now(), disabled_reason = ''bored'''),
    ('on with a reason', 'webhook_endpoints SET disabled_at = NULL, disabled_reason = ''gone'''),
    ('an old secret for ever', 'webhook_endpoints SET previous_secret = secret, previous_secret_expires_at = NULL'),
    ('an event of another type', 'webhook_outbox SET event_type = ''checkout.session.paid'''),
    ('an event about something else', 'webhook_outbox SET subject_type = ''payment'''),
    ('no such number of an event', 'webhook_outbox SET sequence = 0'),
    ('a consumer of nothing', 'webhook_consumers SET event_types = ''{}'''),
    ('a consumer without a name', 'webhook_consumers SET name = '''''),
    ('a consumer of half a tenant', 'webhook_consumers SET environment = NULL'),
    ('a seventeenth consumer', 'webhook_consumers SET slot = 17')
) AS changes (what, change);
BEGIN;
SELECT what, split_part(testing.outcome(format($$
        INSERT INTO checkout_data.webhook_attempts
        SELECT organization_id, environment, receiver_id, subject_id, %s
        FROM checkout_data.webhook_deliveries LIMIT 1
    $$, attempt)), ': ', 1) AS outcome
FROM (VALUES
    ('right', 'sequence, 99, now(), 200'), ('attempt 0', 'sequence, 0, now(), 200'),
    ('status 99', 'sequence, 98, now(), 99'),
    ('a long answer', 'sequence, 97, now(), 200, NULL, NULL, repeat(''x'', 1001)')) AS attempts (what, attempt);
ROLLBACK;
SELECT testing.outcome($$
    INSERT INTO checkout_data.webhook_endpoints
    SELECT gen_random_uuid(), environment, gen_random_uuid(), url, event_types, body_format, signature_scheme,
        description, secret
    FROM checkout_data.webhook_endpoints LIMIT 1
$$) ~ '^23502' AS all_columns_are_needed;
CALL testing.forget_receivers();
