-- Deliveries to webhook endpoints: which events go to which endpoints, in which order, and with which outcome.
SELECT checkout.create_organization('Deliveries') AS organization,
    checkout.create_organization('Deliveries of one without endpoints') AS other \gset
SELECT testing.login('shop_deliveries', :'organization');
SELECT testing.login('shop_deliveries_test', :'organization', 'test');
SELECT testing.login('shop_deliveries_other', :'other');

-- Lets time pass, claims due deliveries of an endpoint, and records this outcome of the first one; the others are given
-- back.
CREATE FUNCTION testing.answer(
    endpoint uuid, status_code integer, error text DEFAULT NULL, retry_after interval DEFAULT NULL,
    response_body text DEFAULT NULL, duration interval DEFAULT NULL)
RETURNS checkout.webhook_delivery LANGUAGE plpgsql AS $$
DECLARE
    c checkout.webhook_delivery_request;
    first checkout.webhook_delivery_request;
BEGIN
    PERFORM testing.deliveries_due(o.organization_id)
    FROM checkout.outbox_status() AS o WHERE o.webhook_endpoint_id = endpoint;
    FOR c IN SELECT * FROM checkout.claim_webhook_deliveries() LOOP
        IF first IS NULL AND c.webhook_endpoint_id = endpoint THEN
            first := c;
        ELSE
            PERFORM checkout.release_webhook_delivery(c.event_id, c.webhook_endpoint_id, c.lease_token);
        END IF;
    END LOOP;
    RETURN checkout.record_webhook_attempt(
        first.event_id, endpoint, first.lease_token, status_code, error, duration, response_body, retry_after);
END $$;

-- One endpoint for all events, one for those that end a session, one for failed or rejected payments; and one that is
-- disabled.
\c - shop_deliveries
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
-- The other environment has none of them. The consumer of the outbox gets the events of another organization.
\c - shop_deliveries_test
SELECT status FROM checkout.record_payment(testing.new_session(30), 'deliveries-1', 'succeeded');
\c - shop_deliveries_other
SELECT status FROM checkout.record_payment(testing.new_session(40), 'deliveries-1', 'succeeded');
\c - sender
SELECT endpoint, about, sequence, event_type, state FROM testing.webhooks WHERE organization_id = :'organization';
SELECT environment, event_type FROM checkout.claim_webhook_events(organization_id => :'organization');
SELECT environment, event_type FROM checkout.claim_webhook_events(organization_id => :'other');
SELECT url, pending, leased, delivered, dead, enabled, failing_since, lag > '0' AS lag,
    now() - oldest_pending_at < '1 minute' AS just_now
FROM checkout.outbox_status()
WHERE organization_id = :'organization' ORDER BY url;
SELECT count(*) FILTER (WHERE webhook_endpoint_id IS NULL) AS of_consumers, row_number() OVER () = 1 AS first
FROM checkout.outbox_status() WHERE webhook_endpoint_id IS NULL GROUP BY webhook_endpoint_id;
\c - shop_deliveries
SELECT event_type, status, delivery_attempts, next_attempt_at FROM checkout.list_webhook_events(:'first');
SELECT event_type, status FROM checkout.list_webhook_deliveries(:'everything');
SELECT event_type, status FROM checkout.list_webhook_deliveries(:'waiting');
SELECT event_type, status FROM checkout.list_webhook_deliveries(:'trouble');
-- An event that no endpoint has asked for is skipped: the consumer does not get it either.
BEGIN;
SELECT (checkout.update_webhook_endpoint(webhook_endpoint_id, event_types => '{webhook_endpoint.disabled}')).event_types
FROM checkout.list_webhook_endpoints();
SELECT testing.new_session(5) AS skipped \gset
SELECT status FROM checkout.expire_checkout_session(:'skipped');
SELECT event_type, status, delivered_at FROM checkout.list_webhook_events(:'skipped');
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

-- Each status code has its meaning.
SELECT webhook_endpoint_id AS endpoint, secret
FROM checkout.create_webhook_endpoint('https://shop.example/answers', '{checkout.*}', description => 'answers') \gset
SELECT webhook_endpoint_id AS alarm
FROM checkout.create_webhook_endpoint(
    'https://shop.example/alarm', '{webhook_endpoint.disabled}', description => 'alarm') \gset
SELECT testing.new_session(200) AS session \gset
SELECT status FROM checkout.expire_checkout_session(:'session');
SELECT event_id AS event FROM checkout.list_webhook_events(:'session') \gset
\c - sender
SELECT code, (d).status, again, (d).last_status_code, (d).delivered_at IS NOT NULL AS delivered,
    (d).next_attempt_at - clock_timestamp() BETWEEN '3 seconds' AND '6 seconds' AS in_5_seconds
FROM unnest('{100,199,200,201,299,300,301,304,400,401,404,429,499,500,503,599,NULL}'::integer[])
    WITH ORDINALITY AS s (code, n),
    LATERAL (SELECT testing.answer(:'endpoint', code) AS d,
        checkout.redeliver_webhook_events(
            ARRAY[:'event'], status => CASE WHEN code BETWEEN 200 AND 299 THEN 'delivered' ELSE 'pending' END)
        AS again OFFSET 0) AS a
ORDER BY n;
-- The next attempt is later if a 429 or 503 says so, but never sooner than the schedule, and at most a day later.
SELECT code, after, (d).status,
    round(
        extract(epoch FROM (d).next_attempt_at - clock_timestamp()) / CASE
            WHEN after > '6 s' AND code IN (429, 503) THEN least(extract(epoch FROM after), 86400) ELSE 5 END)
    AS times_what_is_expected
FROM (VALUES (429, interval '1 minute'), (503, '2 hours'), (503, '40 days'), (503, '0'), (429, '1 second'),
    (500, '1 hour'), (301, '1 hour'), (NULL, '1 hour')) AS s (code, after),
    LATERAL (SELECT testing.answer(:'endpoint', code, retry_after => after) AS d,
        checkout.redeliver_webhook_events(ARRAY[:'event']) OFFSET 0) AS a;
-- The schedule; the tenth failure is the last.
CREATE FUNCTION pg_temp.fail(endpoint uuid)
RETURNS TABLE (attempt integer, status text, after interval, within_a_fifth boolean, dead boolean)
LANGUAGE plpgsql AS $$
DECLARE
    delays CONSTANT interval[] := '{5 s,5 min,30 min,2 h,5 h,10 h,14 h,20 h,24 h}';
    d checkout.webhook_delivery;
BEGIN
    WHILE d.status IS DISTINCT FROM 'dead' LOOP
        d := testing.answer(endpoint, 500);
        attempt := d.delivery_attempts;
        status := d.status;
        after := delays[attempt];
        within_a_fifth := d.next_attempt_at - clock_timestamp()
            BETWEEN after * 0.8 - interval '1 second' AND after * 1.2;
        dead := d.dead_at = d.last_attempt_at;
        RETURN NEXT;
    END LOOP;
END $$;
SELECT * FROM pg_temp.fail(:'endpoint');
SELECT count(*) AS claimed FROM checkout.claim_webhook_deliveries() WHERE webhook_endpoint_id = :'endpoint';
\c - shop_deliveries
SELECT event_type, status, delivery_attempts, next_attempt_at, last_status_code
FROM checkout.list_webhook_deliveries(:'endpoint', 'dead');
SELECT event_id = :'event' AS the_event, status FROM checkout.list_webhook_events(:'session');
-- The endpoint is failing, and its organization sees the time since when, and every attempt.
SELECT enabled, failing_since > created_at AND failing_since < now() AS failing
FROM checkout.list_webhook_endpoints() WHERE webhook_endpoint_id = :'endpoint';
SELECT count(*) AS attempts, max(attempt) AS last, count(DISTINCT attempt) AS numbers,
    bool_and(webhook_endpoint_id = :'endpoint') AS of_the_endpoint, bool_and(event_id = :'event') AS of_the_event
FROM checkout.list_webhook_attempts(:'event', :'endpoint');
SELECT attempt, status_code, error, duration, response_body FROM checkout.list_webhook_attempts(:'event') LIMIT 5;
SELECT bool_and(later) AS oldest_first
FROM (SELECT recorded_at > lag(recorded_at) OVER () AS later FROM checkout.list_webhook_attempts(:'event')) AS a;
-- A dead delivery does not block later ones. A success ends the failing.
SELECT testing.new_session(210) AS next \gset
SELECT status FROM checkout.record_payment(:'next', 'deliveries-4', 'failed');
SELECT status FROM checkout.record_payment(:'next', 'deliveries-5', 'succeeded');
\c - sender
SELECT event_type, status, delivery_attempts FROM testing.answer(:'endpoint', 200);
SELECT failing_since FROM checkout.outbox_status() WHERE webhook_endpoint_id = :'endpoint';
-- The first thousand characters of the receiver's answer are kept.
SELECT event_type, status, length(last_error) AS characters
FROM testing.answer(:'endpoint', 500, error => repeat('é', 1500), response_body => repeat('☕', 1500),
    duration => '1 min 2.5 s');
\c - shop_deliveries
SELECT event_id AS next_event
FROM checkout.list_webhook_events(:'next', event_type => 'checkout.session.completed') \gset
SELECT attempt, status_code, length(error) AS error, duration, length(response_body) AS response_body
FROM checkout.list_webhook_attempts(:'next_event');

-- Failing for five days: not disabled on the day before, but then. The event about it goes to the other endpoints.
\c - postgres
UPDATE checkout_data.webhook_endpoints SET failing_since = now() - interval '4 days 23 hours'
WHERE webhook_endpoint_id = :'endpoint';
\c - sender
SELECT status FROM testing.answer(:'endpoint', 500);
SELECT enabled FROM checkout.outbox_status() WHERE webhook_endpoint_id = :'endpoint';
-- It is not disabled after five days if there was a success that its row does not show: another relay may have recorded
-- it.
\c - postgres
UPDATE checkout_data.webhook_endpoints SET failing_since = now() - interval '5 days'
WHERE webhook_endpoint_id = :'endpoint';
\c - sender
SELECT status FROM testing.answer(:'endpoint', 500);
SELECT enabled FROM checkout.outbox_status() WHERE webhook_endpoint_id = :'endpoint';
\c - postgres
UPDATE checkout_data.webhook_endpoints SET failing_since = now() - interval '5 days'
WHERE webhook_endpoint_id = :'endpoint';
UPDATE checkout_data.webhook_deliveries SET delivered_at = delivered_at - interval '6 days',
    last_attempt_at = last_attempt_at - interval '6 days'
WHERE webhook_endpoint_id = :'endpoint' AND delivered_at IS NOT NULL;
\c - sender
SELECT status, delivery_attempts, next_attempt_at > now() AS waits FROM testing.answer(:'endpoint', 500);
SELECT url, event_type, headers ->> 'webhook-id' = event_id AS same_id, body::jsonb ->> 'id' = event_id AS in_the_body,
    body::jsonb #- '{data,object}' #- '{id}' #- '{timestamp}' AS body,
    (body::jsonb #> '{data,object}') - ARRAY[
        'webhook_endpoint_id', 'organization_id', 'created_at', 'updated_at', 'disabled_at', 'failing_since'] AS object,
    body::jsonb #>> '{data,object,webhook_endpoint_id}' = :'endpoint' AS of_the_endpoint,
    body ~ 'whsec_' AS has_a_secret, lease_token AS lease, event_id AS alarm_event
FROM checkout.claim_webhook_deliveries() WHERE event_type = 'webhook_endpoint.disabled' \gset
\echo :url :event_type :same_id :in_the_body :of_the_endpoint :has_a_secret
SELECT jsonb_pretty(:'object'), :'body' AS body;
SELECT event_type, checkout_session_id, status
FROM checkout.record_webhook_attempt(:'alarm_event', :'alarm', :'lease', 200);
\c - shop_deliveries
SELECT url, enabled, disabled_reason, disabled_at > created_at AS now, now() - failing_since >= '5 days' AS failing
FROM checkout.list_webhook_endpoints();
SELECT event_type, checkout_session_id, sequence, payment_id, status
FROM checkout.list_webhook_events(event_type => 'webhook_endpoint.disabled');
SELECT event_type, checkout_session_id, status FROM checkout.list_webhook_deliveries(:'alarm');
SELECT attempt, status_code FROM checkout.list_webhook_attempts(:'alarm_event');
SELECT event_type, status FROM checkout.list_webhook_deliveries(:'endpoint', 'paused');
-- After the repair, the deliveries are due at once, and the endpoint has five days again. 410 means that it is gone,
-- now and for good.
SELECT enabled, disabled_reason, failing_since FROM checkout.update_webhook_endpoint(:'endpoint', enabled => true);
\c - sender
SELECT url, attempt, event_type, event_id AS event, lease_token AS lease
FROM checkout.claim_webhook_deliveries() WHERE event_type = 'checkout.session.completed' \gset
\echo :url :attempt :event_type
SELECT status FROM checkout.record_webhook_attempt(:'event', :'endpoint', :'lease', 410);
SELECT url, event_type, body::jsonb #>> '{data,object,disabled_reason}' AS reason
FROM checkout.claim_webhook_deliveries();
\c - shop_deliveries
SELECT url, enabled, disabled_reason, failing_since = disabled_at AS failing_since_now
FROM checkout.list_webhook_endpoints();
SELECT sequence, event_type FROM checkout.list_webhook_events(event_type => 'webhook_endpoint.disabled');
-- If there is no other endpoint, the event is in the list of events; consumers of the outbox do not get it.
SELECT url FROM checkout.delete_webhook_endpoint(:'alarm', true);
SELECT enabled FROM checkout.update_webhook_endpoint(:'endpoint', enabled => true);
\c - sender
SELECT status FROM testing.answer(:'endpoint', 410);
SELECT count(*) AS claimed FROM checkout.claim_webhook_events(organization_id => :'organization');
\c - shop_deliveries
SELECT sequence, event_type, status FROM checkout.list_webhook_events(event_type => 'webhook_endpoint.disabled');

-- The time at which the relay has to look again
\c - postgres
CALL testing.forget_endpoints();
\c - sender
SELECT checkout.next_webhook_attempt_at() AS never;
\c - shop_deliveries
SELECT webhook_endpoint_id AS endpoint
FROM checkout.create_webhook_endpoint('https://shop.example/next', description => 'next') \gset
SELECT status FROM checkout.expire_checkout_session(testing.new_session(300));
SELECT status FROM checkout.expire_checkout_session(testing.new_session(310));
\c - sender
SELECT checkout.next_webhook_attempt_at() AS what_is_due_is_not_next;
SELECT event_id AS event, lease_token AS lease, lease_expires_at
FROM checkout.claim_webhook_deliveries(batch_size => 1, lease => '12 hours') \gset
SELECT checkout.next_webhook_attempt_at() = :'lease_expires_at' AS end_of_the_lease;
SELECT next_attempt_at FROM checkout.record_webhook_attempt(:'event', :'endpoint', :'lease', 500) \gset
SELECT checkout.next_webhook_attempt_at() = :'next_attempt_at' AS the_attempt;
\c - shop_deliveries
SELECT enabled FROM checkout.update_webhook_endpoint(:'endpoint', enabled => false);
\c - sender
SELECT checkout.next_webhook_attempt_at() AS none_while_it_is_off;

-- These are refused.
\a
SELECT call, testing.outcome(
        'SELECT * FROM checkout.'
        || replace(replace(replace(call, '$', quote_literal(:'event')), '@', quote_literal(:'endpoint')), '#',
            quote_literal(:'lease'))) AS outcome
FROM unnest(ARRAY[
    'claim_webhook_deliveries(NULL)', 'claim_webhook_deliveries(0)', 'claim_webhook_deliveries(1001)',
    'claim_webhook_deliveries(lease => NULL)', 'claim_webhook_deliveries(lease => ''0'')',
    'claim_webhook_deliveries(lease => ''12 hours 1 second'')', 'claim_webhook_deliveries(per_endpoint => NULL)',
    'claim_webhook_deliveries(per_endpoint => 0)', 'claim_webhook_deliveries(per_endpoint => 1001)',
    'claim_webhook_deliveries(in_flight => NULL)', 'claim_webhook_deliveries(in_flight => ''{NULL}'')',
    'record_webhook_attempt(NULL, @, #)', 'record_webhook_attempt(''evt_1'', @, #)',
    'record_webhook_attempt($, NULL, #)', 'record_webhook_attempt($, @, NULL)',
    'record_webhook_attempt($, @, #, 99)', 'record_webhook_attempt($, @, #, 600)',
    'record_webhook_attempt($, @, #, 200, duration => ''-1 ms'')',
    'record_webhook_attempt($, @, #, 503, retry_after => ''-1 s'')',
    'record_webhook_attempt($, @, #, 503, retry_after => ''178000000 years'')',
    'record_webhook_attempt($, ''7b1c5f0e-4c1d-4a6c-9d0e-2f6a3b9c8d10'', #)',
    'record_webhook_attempt(''evt_' || repeat('A', 48) || 'bA'', @, #)', 'record_webhook_attempt($, @, #, 200)',
    'release_webhook_delivery(NULL, @, #)', 'release_webhook_delivery(''evt_1'', @, #)',
    'release_webhook_delivery($, NULL, #)', 'release_webhook_delivery($, @, NULL)',
    'release_webhook_delivery(''evt_' || repeat('A', 48) || 'bA'', @, #)'
]) AS call;
\a

-- Lists in pages of the given size, those of the newest session first
\c - shop_deliveries
SELECT webhook_endpoint_id AS listed
FROM checkout.create_webhook_endpoint('https://shop.example/listed', '{checkout.*}') \gset
SELECT count(checkout.record_payment(s, 'failed-' || n, 'failed')) + count(
    checkout.record_payment(s, 'paid-' || n, 'succeeded')) AS events
FROM (SELECT n, testing.new_session(400 + n) AS s FROM generate_series(1, 3) AS n) AS sessions;
CREATE FUNCTION pg_temp.pages(endpoint uuid, size integer, status text DEFAULT NULL)
RETURNS TABLE (page integer, events text) LANGUAGE plpgsql AS $$
DECLARE
    cursor text;
    given integer;
BEGIN
    page := 0;
    LOOP
        SELECT string_agg(s.amount || ' ' || replace(d.event_type, 'checkout.session.', ''), ', ' ORDER BY d.n),
            (array_agg(d.event_id ORDER BY d.n DESC))[1], count(*)
        INTO events, cursor, given
        FROM checkout.list_webhook_deliveries(endpoint, status, size, cursor)
            WITH ORDINALITY AS d (event_id, e, event_type, o, en, checkout_session_id, st, at, na, de, da, la, lc, le,
            ca, n),
            LATERAL checkout.get_checkout_session(d.checkout_session_id) AS s;
        EXIT WHEN given = 0;
        page := page + 1;
        RETURN NEXT;
    END LOOP;
END $$;
SELECT * FROM pg_temp.pages(:'listed', 4);
SELECT * FROM pg_temp.pages(:'listed', 100);
SELECT * FROM pg_temp.pages(:'listed', 1, 'pending');
SELECT * FROM pg_temp.pages(:'listed', 2, 'dead');
SELECT count(*) AS by_default_20 FROM checkout.list_webhook_deliveries(:'listed', page_size => NULL);

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
    ('fanned out and due', 'webhook_outbox SET next_attempt_at = now() WHERE fanned_out'),
    ('neither fanned out nor due', 'webhook_outbox SET fanned_out = false WHERE fanned_out'),
    ('about a session and an endpoint', 'webhook_outbox SET endpoint = ''{}'' WHERE session_status IS NOT NULL'),
    ('about nothing', 'webhook_outbox SET session_status = NULL WHERE session_status IS NOT NULL'),
    ('of another type', 'webhook_outbox SET event_type = ''checkout.session.completed'' WHERE endpoint IS NOT NULL')
) AS changes (what, change);
BEGIN;
SELECT what, split_part(testing.outcome(format($$
        INSERT INTO checkout_data.webhook_attempts
        SELECT organization_id, environment, webhook_endpoint_id, checkout_session_id, %s
        FROM checkout_data.webhook_deliveries LIMIT 1
    $$, attempt)), ': ', 1) AS outcome
FROM (VALUES
    ('right', 'sequence, 99, now(), 200'), ('no such delivery', 'sequence + 100, 1, now(), 200'),
    ('attempt 0', 'sequence, 0, now(), 200'), ('status 99', 'sequence, 98, now(), 99'),
    ('a long answer', 'sequence, 97, now(), 200, NULL, NULL, repeat(''x'', 1001)')) AS attempts (what, attempt);
ROLLBACK;
SELECT testing.outcome($$
    INSERT INTO checkout_data.webhook_endpoints
    SELECT gen_random_uuid(), environment, gen_random_uuid(), url, event_types, body_format, signature_scheme,
        description, secret
    FROM checkout_data.webhook_endpoints LIMIT 1
$$) ~ '^23502' AS all_columns_are_needed;
CALL testing.forget_endpoints();
