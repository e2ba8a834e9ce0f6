-- The bodies of events; every delivery of an event has the same.
SELECT checkout.create_organization('Events') AS organization \gset
SELECT testing.login('shop_events', :'organization');
CREATE TABLE testing.deliveries (
    n serial, event_id text, event_type text, sequence integer, lease_token uuid, body text);
GRANT ALL ON testing.deliveries, testing.deliveries_n_seq TO PUBLIC;
CREATE FUNCTION testing.deliver() RETURNS TABLE (event text, attempt integer) LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY WITH claimed AS (SELECT * FROM checkout.claim_webhook_events('jobs')),
        kept AS (INSERT INTO testing.deliveries (event_id, event_type, sequence, lease_token, body)
            SELECT c.event_id, c.event_type, c.sequence, c.lease_token, c.body FROM claimed c)
        SELECT c.sequence || ' ' || replace(c.event_type, 'checkout.session.', ''), c.delivery_attempts FROM claimed c;
END $$;
CREATE FUNCTION testing.delivered() RETURNS integer LANGUAGE sql AS $$
    SELECT sum(checkout.ack_webhook_events('jobs', ARRAY[event_id], lease_token))::integer FROM testing.deliveries
$$;
\c - shop_events
SELECT name FROM checkout.create_webhook_consumer('jobs');

-- A paid session
SELECT checkout_session_id AS id
FROM checkout.create_checkout_session(129.9, 'EUR', title => 'Chairs', reference => 'order-1',
    customer_email => 'ada@example.com', metadata => '{"order": 1}') \gset
SELECT status FROM checkout.record_payment(:'id', 'event-1', 'succeeded', payment_method => 'card');
SELECT to_jsonb(s) - 'idempotent_replay' AS session FROM checkout.get_checkout_session(:'id') AS s \gset
SELECT * FROM testing.deliver();
SELECT body::json ->> 'id' = event_id AS id, body::json ->> 'type' AS type,
    (body::json ->> 'timestamp')::timestamptz BETWEEN now() - interval '1 minute' AND now() AS timestamp,
    body::json ->> 'timestamp' ~ '^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?\+00:00$' AS in_utc,
    string_agg(key, ' ') AS keys, event_id ~ '^evt_[A-Za-z0-9_-]{60}$' AS opaque
FROM testing.deliveries, json_object_keys(body::json) AS key GROUP BY n, body, event_id;
-- The object is the session in the form of get, but in UTC, and without its client secret.
SELECT string_agg(key, ' ' ORDER BY key) FILTER (WHERE o.value <> s.value) AS other_than_get,
    count(*) = (SELECT count(*) - 5 FROM jsonb_object_keys(:'session')) AS as_many
FROM testing.deliveries, jsonb_each(body::jsonb #> '{data,object}') AS o JOIN jsonb_each(:'session') AS s USING (key)
WHERE key !~ '_at$';
SELECT bool_and((o.value #>> '{}')::timestamptz = (s.value #>> '{}')::timestamptz AND o.value #>> '{}' ~ '\+00:00$')
    AS same_times, count(*)
FROM testing.deliveries, jsonb_each(body::jsonb #> '{data,object}') AS o JOIN jsonb_each(:'session') AS s USING (key)
WHERE key ~ '_at$';
SELECT body::jsonb #>> '{data,object,amount}' AS amount,
    body::jsonb #> '{data,object}' ? 'idempotent_replay' AS has_replay,
    body ~ 'cs_secret_|client_secret' AS has_secret FROM testing.deliveries;
SELECT testing.delivered();

-- A body depends only on the event: not on the caller, the time, or the time zone, nor on later changes of the session.
\c - shop_events
SELECT checkout_session_id AS id
FROM checkout.create_checkout_session(20, 'USD', customer_id => 'c', max_retry_attempts => 3) \gset
SELECT status FROM checkout.record_payment(:'id', 'event-2', 'failed', failure_code => 'card_declined');
DELETE FROM testing.deliveries;
SELECT * FROM testing.deliver();
SELECT object ->> 'status' AS status, object ->> 'payment_status' AS payment_status, object ->> 'attempts' AS attempts,
    object ->> 'payment_id' AS payment_id, object ->> 'completed_at' AS completed_at,
    object ->> 'updated_at' = body::json ->> 'timestamp' AS updated_then
FROM testing.deliveries, LATERAL (SELECT body::jsonb #> '{data,object}') AS b (object);
-- Its lease ends without an acknowledgement. Meanwhile the buyer begins again, fails again, and at last pays, with the
-- very first payment.
\c - postgres
UPDATE checkout_data.webhook_deliveries SET next_attempt_at = now() - interval '1 second' WHERE subject_id = :'id';
\c - shop_events
SELECT status FROM checkout.begin_payment(:'id', 'event-3');
SELECT status FROM checkout.record_payment(:'id', 'event-3', 'failed');
SELECT status FROM checkout.begin_payment(:'id', 'event-4');
SELECT status FROM checkout.record_payment(:'id', 'event-2', 'succeeded');
SELECT status, rejection_reason FROM checkout.record_payment(:'id', 'event-4', 'succeeded');
SELECT testing.story(:'id');
SET timezone = 'Asia/Kolkata';
SET datestyle = 'German';
SET intervalstyle = 'iso_8601';
SET extra_float_digits = -10;
SELECT * FROM testing.deliver();
SELECT count(*) AS deliveries, count(DISTINCT body) AS bodies, count(DISTINCT event_id) AS ids,
    bool_or(body LIKE '%+05:30%') AS local_times
FROM testing.deliveries;
SELECT key, a.value AS first, b.value AS second
FROM (SELECT key, value FROM testing.deliveries,
    jsonb_each((body::jsonb #> '{data,payment}') - 'updated_at') WHERE n = (SELECT min(n) FROM testing.deliveries)) AS a
JOIN (SELECT key, value FROM testing.deliveries,
    jsonb_each((body::jsonb #> '{data,payment}') - 'updated_at') WHERE n = (SELECT max(n) FROM testing.deliveries))
AS b USING (key)
WHERE a.value <> b.value;
RESET ALL;
-- The rest of the story, each body with the state of its time
SELECT testing.delivered();
SELECT * FROM testing.deliver();
SELECT testing.delivered();
SELECT * FROM testing.deliver();
SELECT testing.delivered();
SELECT * FROM testing.deliver();
SELECT testing.delivered();
SELECT * FROM testing.deliver();
SELECT DISTINCT sequence, event_type, object ->> 'status' AS status, object ->> 'payment_status' AS payment_status,
    object ->> 'attempts' AS attempts,
    object ->> 'payment_id' AS payment_id, object ->> 'completed_at' IS NOT NULL AS completed
FROM testing.deliveries, LATERAL (SELECT body::jsonb #> '{data,object}') AS b (object) ORDER BY sequence;

-- Expired by a late payment: two events, both of an expired session
\c - shop_events
SELECT testing.new_session() AS id \gset
SELECT testing.age(:'id', '2 hours');
SELECT status FROM checkout.record_payment(:'id', 'event-5', 'succeeded');
DELETE FROM testing.deliveries;
SELECT * FROM testing.deliver();
SELECT testing.delivered();
SELECT * FROM testing.deliver();
SELECT sequence, event_type, object ->> 'status' AS status, object ->> 'payment_status' AS payment_status,
    object ->> 'updated_at' = object ->> 'expires_at' AS at_its_deadline,
    (body::json ->> 'timestamp')::timestamptz > (object ->> 'expires_at')::timestamptz AS told_later
FROM testing.deliveries, LATERAL (SELECT body::jsonb #> '{data,object}') AS b (object) ORDER BY sequence;
SELECT testing.delivered();

-- An event is written in the transaction of its cause, and rolled back with it
\c - shop_events
SELECT testing.new_session() AS id \gset
BEGIN;
SELECT status FROM checkout.record_payment(:'id', 'event-6', 'succeeded');
SELECT testing.story(:'id');
ROLLBACK;
SELECT testing.story(:'id');

-- The merchant's own list: newest session first, last event first; filters; no lease token, and no event of another
-- tenant
SELECT replace(event_type, 'checkout.session.', '') AS type, sequence, payment_id, status, delivery_attempts,
    lease_token
FROM checkout.list_webhook_events();
SELECT count(*), count(DISTINCT event_id), bool_and(organization_id = :'organization') AS own
FROM checkout.list_webhook_events(page_size => 100);
SELECT event_type, sequence FROM checkout.list_webhook_events(event_type => 'checkout.session.expired');
SELECT count(*) AS pending FROM checkout.list_webhook_events(status => 'pending');
SELECT count(*) AS delivered
FROM checkout.list_webhook_events(status => 'delivered', event_type => 'checkout.session.payment_failed');
SELECT event_id AS third FROM checkout.list_webhook_events(page_size => 3) OFFSET 2 \gset
SELECT (SELECT array_agg(event_id) FROM checkout.list_webhook_events(page_size => 100))
    = (SELECT array_agg(event_id) FROM (
    SELECT event_id FROM checkout.list_webhook_events(page_size => 3)
    UNION ALL SELECT event_id
    FROM checkout.list_webhook_events(page_size => 100, starting_after => :'third')) AS pages) AS by_pages;
SELECT checkout_session_id = :'id' AS mine FROM checkout.list_webhook_events(:'id');
-- These are refused.
\a
SELECT arguments, testing.outcome(format('SELECT * FROM checkout.list_webhook_events(%s)', arguments))
FROM unnest(ARRAY[
    '''01890000-0000-7000-8000-000000000000''', 'event_type => ''session.completed''', 'event_type => ''''',
    'status => ''sent''', 'status => ''''',
    'page_size => 0', 'page_size => 101', 'starting_after => ''''', 'starting_after => ''evt_''',
    'starting_after => ''evt_1''', 'starting_after => ''❤''']) AS arguments;
-- An event of another organization as cursor
SELECT testing.outcome(
    format('SELECT * FROM checkout.list_webhook_events(starting_after => %L)',
        'evt_' || repeat('A', 48) || 'bAAAAAAAAAAA'))
    AS of_another;
\c - postgres
CALL testing.forget_receivers();
