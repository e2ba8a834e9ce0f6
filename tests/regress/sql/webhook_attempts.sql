-- Attempts to deliver events to endpoints: what each answer means, endpoints that fail, and lists.
SELECT checkout.create_organization('Attempts') AS organization \gset
SELECT testing.login('shop_attempts', :'organization');

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

\c - shop_attempts
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
\c - shop_attempts
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
SELECT status FROM checkout.record_payment(:'next', 'attempts-4', 'failed');
SELECT status FROM checkout.record_payment(:'next', 'attempts-5', 'succeeded');
\c - sender
SELECT event_type, status, delivery_attempts FROM testing.answer(:'endpoint', 200);
SELECT failing_since FROM checkout.outbox_status() WHERE webhook_endpoint_id = :'endpoint';
-- The first thousand characters of the receiver's answer are kept.
SELECT event_type, status, length(last_error) AS characters
FROM testing.answer(:'endpoint', 500, error => repeat('é', 1500), response_body => repeat('☕', 1500),
    duration => '1 min 2.5 s');
\c - shop_attempts
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
WHERE receiver_id = :'endpoint' AND delivered_at IS NOT NULL;
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
\c - shop_attempts
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
\c - shop_attempts
SELECT url, enabled, disabled_reason, failing_since = disabled_at AS failing_since_now
FROM checkout.list_webhook_endpoints();
SELECT sequence, event_type FROM checkout.list_webhook_events(event_type => 'webhook_endpoint.disabled');
-- A consumer gets the event, too. If there is no other receiver, it is only in the list of events.
SELECT name FROM checkout.create_webhook_consumer('jobs', '{webhook_endpoint.*}');
SELECT url FROM checkout.delete_webhook_endpoint(:'alarm', true);
SELECT enabled FROM checkout.update_webhook_endpoint(:'endpoint', enabled => true);
\c - sender
SELECT status FROM testing.answer(:'endpoint', 410);
\c - shop_attempts
SELECT event_type, subject_type, subject_id = :'endpoint' AS about_the_endpoint, checkout_session_id, sequence,
    body::jsonb #>> '{data,object,webhook_endpoint_id}' = :'endpoint' AS in_the_body
FROM checkout.claim_webhook_events('jobs');
SELECT name FROM checkout.delete_webhook_consumer('jobs', true);
SELECT enabled FROM checkout.update_webhook_endpoint(:'endpoint', enabled => true);
\c - sender
SELECT status FROM testing.answer(:'endpoint', 410);
\c - shop_attempts
SELECT sequence, event_type, status FROM checkout.list_webhook_events(event_type => 'webhook_endpoint.disabled');

-- The time at which the relay has to look again
\c - postgres
CALL testing.forget_receivers();
\c - sender
SELECT checkout.next_webhook_attempt_at() AS never;
\c - shop_attempts
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
\c - shop_attempts
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
    'record_webhook_attempt(''evt_' || repeat('A', 48) || 'bAAAAAAAAAAA'', @, #)',
    'record_webhook_attempt($, @, #, 200)',
    'release_webhook_delivery(NULL, @, #)', 'release_webhook_delivery(''evt_1'', @, #)',
    'release_webhook_delivery($, NULL, #)', 'release_webhook_delivery($, @, NULL)',
    'release_webhook_delivery(''evt_' || repeat('A', 48) || 'bAAAAAAAAAAA'', @, #)'
]) AS call;
\a

-- Lists in pages of the given size, those of the newest session first
\c - shop_attempts
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
            WITH ORDINALITY AS d (event_id, e, c, event_type, o, en, checkout_session_id, st, at, na, de, da, la, lc,
            le, ca, n),
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
\c - postgres
CALL testing.forget_receivers();
