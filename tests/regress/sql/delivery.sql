-- An organization's own consumer: claim, acknowledge, put off, give up, redeliver.
SELECT checkout.create_organization('Delivery') AS organization \gset
SELECT checkout.create_organization('Delivery of another') AS other \gset
SELECT testing.login('shop_delivery', :'organization');
SELECT testing.login('shop_delivery_other', :'other');
CREATE FUNCTION testing.name(body text, sequence integer)
RETURNS text LANGUAGE sql AS $$ SELECT (body::jsonb #>> '{data,object,amount}') || ' #' || sequence $$;
CREATE FUNCTION testing.claims_of(session uuid) RETURNS integer[] LANGUAGE plpgsql AS $$
DECLARE
    attempts integer[];
BEGIN
    FOR n IN 1 .. 12 LOOP
        PERFORM testing.deliveries_due(checkout.current_organization_id());
        attempts := attempts || (
            SELECT c.delivery_attempts FROM checkout.claim_webhook_events('jobs') AS c
            WHERE c.checkout_session_id = session);
    END LOOP;
    RETURN attempts;
END $$;
COMMENT ON FUNCTION testing.claims_of IS 'Claims an event again and again, and never acknowledges it.';
\c - shop_delivery_other
SELECT name FROM checkout.create_webhook_consumer('jobs');
\c - shop_delivery
SELECT name FROM checkout.create_webhook_consumer('jobs');
-- Three sessions: one with three events, two with one
SELECT testing.new_session(10) AS first, testing.new_session(20) AS second, testing.new_session(30) AS third \gset
SELECT status FROM checkout.record_payment(:'first', 'delivery-1', 'failed');
SELECT status FROM checkout.record_payment(:'first', 'delivery-2', 'succeeded');
SELECT status FROM checkout.record_payment(:'first', 'delivery-3', 'succeeded');
SELECT status FROM checkout.expire_checkout_session(:'second');
SELECT status FROM checkout.record_payment(:'third', 'delivery-4', 'succeeded');
\c - shop_delivery_other
SELECT status FROM checkout.record_payment(testing.new_session(40), 'delivery-1', 'succeeded');

-- Claim: the first event of each session, oldest first; the others wait for it. Nothing of another organization.
\c - shop_delivery
CREATE TEMP TABLE claimed AS SELECT * FROM checkout.claim_webhook_events('jobs');
SELECT testing.name(body, sequence) AS event, event_type, status, delivery_attempts, subject_type,
    subject_id = checkout_session_id AS about_a_session, organization_id = :'organization' AS of_the_organization
FROM claimed;
SELECT count(DISTINCT lease_token) AS tokens FROM claimed;
SELECT count(*) AS again FROM checkout.claim_webhook_events('jobs');
SELECT about, sequence, state, attempts FROM testing.consumed WHERE organization_id = :'organization';
SELECT lease_token AS token, event_id AS event FROM claimed WHERE checkout_session_id = :'first' \gset
SELECT event_id AS second_event FROM claimed WHERE checkout_session_id = :'second' \gset
SELECT event_id AS third_event FROM claimed WHERE checkout_session_id = :'third' \gset

-- Acknowledge: only with the token of the claim. A second time does no harm.
SELECT checkout.ack_webhook_events('jobs', ARRAY[:'event'], gen_random_uuid()) AS wrong_token;
SELECT checkout.ack_webhook_events('jobs', ARRAY[:'event', :'event'], :'token') AS right_token;
SELECT checkout.ack_webhook_events('jobs', ARRAY[:'event'], :'token') AS twice;
SELECT checkout.ack_webhook_events('jobs', '{}', :'token') AS none;
-- Then the next event of the session is due.
SELECT testing.name(body, sequence) AS event, event_type
FROM checkout.claim_webhook_events('jobs', lease => '12 hours');

-- Put off: with the reason, and for longer with each attempt
SELECT event_type, consumer, webhook_endpoint_id, status, delivery_attempts, last_error,
    next_attempt_at - now() BETWEEN '3 seconds' AND '6 seconds' AS in_5_seconds
FROM checkout.nack_webhook_event('jobs', :'second_event', :'token', 'HTTP 503');
-- Then no consumer holds it.
SELECT testing.outcome(format('SELECT checkout.nack_webhook_event(''jobs'', %L, %L)', :'second_event', :'token'));
SELECT checkout.ack_webhook_events('jobs', ARRAY[:'second_event'], :'token') AS not_held;
SELECT count(*) AS not_yet_due FROM checkout.claim_webhook_events('jobs');
-- Put off for as long as the consumer says
SELECT next_attempt_at - now() BETWEEN '59 minutes' AND '61 minutes' AS in_an_hour, last_error
FROM checkout.nack_webhook_event('jobs', :'third_event', :'token', repeat('long ', 500), retry_after => '1 hour') \gset
\echo in an hour :in_an_hour
SELECT length(:'last_error');
CREATE FUNCTION pg_temp.fail(session uuid)
RETURNS TABLE (attempt integer, status text, after interval, within_a_fifth boolean, dead boolean)
LANGUAGE plpgsql AS $$
DECLARE
    delays CONSTANT interval[] := '{5 s,5 min,30 min,2 h,5 h,10 h,14 h,20 h,24 h}';
    e checkout.webhook_event;
    n checkout.webhook_delivery;
BEGIN
    WHILE n.status IS DISTINCT FROM 'dead' LOOP
        PERFORM testing.deliveries_due(checkout.current_organization_id());
        SELECT * INTO e FROM checkout.claim_webhook_events('jobs') AS c WHERE c.checkout_session_id = session;
        n := checkout.nack_webhook_event('jobs', e.event_id, e.lease_token, 'attempt ' || e.delivery_attempts);
        attempt := n.delivery_attempts;
        status := n.status;
        after := delays[attempt];
        within_a_fifth := n.next_attempt_at - clock_timestamp()
            BETWEEN after * 0.8 - interval '1 second' AND after * 1.2;
        dead := n.dead_at IS NOT NULL;
        RETURN NEXT;
    END LOOP;
END $$;
SELECT * FROM pg_temp.fail(:'second');
-- Dead: not claimed any more, but not lost
SELECT event_type, status FROM checkout.list_webhook_events(:'second');
\c - sender
SELECT consumer, webhook_endpoint_id, event_type, status, delivery_attempts, last_error, next_attempt_at
FROM checkout.list_dead_webhook_deliveries(:'organization');
SELECT checkout.redeliver_webhook_events(ARRAY[:'second_event']) AS redelivered;
\c - shop_delivery
SELECT event_type, delivery_attempts, event_id = :'second_event' AS same_id, lease_token AS token2
FROM checkout.claim_webhook_events('jobs') WHERE checkout_session_id = :'second' \gset
\echo :event_type :delivery_attempts :same_id
SELECT checkout.ack_webhook_events('jobs', ARRAY[:'second_event'], :'token2');
-- If the consumer never answers, the event is dead after ten leases, too.
\c - sender
SELECT checkout.redeliver_webhook_events(ARRAY[:'second_event', :'second_event']) AS redelivered;
\c - shop_delivery
SELECT testing.claims_of(:'second');
SELECT status FROM checkout.list_webhook_events(:'second');
SELECT state, attempts, attempts_ever, last_error
FROM testing.consumed WHERE organization_id = :'organization' AND about = '20.00';

-- After the lease another program claims the event, and the first one's token is invalid.
\c - sender
SELECT checkout.redeliver_webhook_events(ARRAY[:'third_event']) AS redelivered;
\c - shop_delivery
SELECT lease_token AS token1
FROM checkout.claim_webhook_events('jobs') WHERE checkout_session_id = :'third' \gset
SELECT testing.deliveries_due(:'organization') AS lease_ended;
SELECT status FROM checkout.list_webhook_events(:'third');
SELECT lease_token AS token2, delivery_attempts
FROM checkout.claim_webhook_events('jobs') WHERE checkout_session_id = :'third' \gset
\echo attempt :delivery_attempts
SELECT :'token1' <> :'token2' AS another_token;
SELECT checkout.ack_webhook_events('jobs', ARRAY[:'third_event'], :'token1') AS by_the_first;
SELECT testing.outcome(format('SELECT checkout.nack_webhook_event(''jobs'', %L, %L)', :'third_event', :'token1'))
    AS put_off_by_the_first;
SELECT checkout.ack_webhook_events('jobs', ARRAY[:'third_event'], :'token2') AS by_the_second;
SELECT status, delivery_attempts, lease_token FROM checkout.list_webhook_events(:'third');
\c - sender
SELECT checkout.redeliver_webhook_events(ARRAY[:'third_event']) AS redelivered;
\c - shop_delivery
SELECT count(*) AS claimed FROM checkout.claim_webhook_events('jobs') WHERE checkout_session_id = :'third';
SELECT status, lease_token FROM checkout.list_webhook_events(:'third', status => 'leased');

-- A dead event does not block later ones.
SELECT testing.new_session(50) AS fourth \gset
SELECT status FROM checkout.record_payment(:'fourth', 'delivery-5', 'failed');
SELECT status FROM checkout.record_payment(:'fourth', 'delivery-5', 'succeeded');
SELECT sequence FROM checkout.claim_webhook_events('jobs') WHERE checkout_session_id = :'fourth';
\c - postgres
UPDATE checkout_data.webhook_deliveries SET attempts = 10, next_attempt_at = now()
WHERE subject_id = :'fourth' AND sequence = 1;
\c - shop_delivery
SELECT count(*) AS buried
FROM checkout.claim_webhook_events('jobs') WHERE checkout_session_id = :'fourth' AND sequence = 1;
SELECT count(*) FROM checkout.claim_webhook_events('jobs') \g /dev/null
SELECT sequence, status FROM checkout.list_webhook_events(:'fourth');

-- A claim takes up to the given number. Events that another transaction has locked are passed over (isolation tests).
SELECT testing.deliveries_due(:'organization');
SELECT about, sequence, state FROM testing.consumed WHERE organization_id = :'organization';
SELECT count(*) FROM checkout.claim_webhook_events('jobs', 1);
SELECT count(*) AS the_others FROM checkout.claim_webhook_events('jobs', 1000);

-- These are refused.
\a
SELECT call, testing.outcome(
        format('SELECT * FROM checkout.%s',
            replace(replace(call, '$', quote_literal(:'third_event')), '#', quote_literal(:'token2')))) AS outcome
FROM unnest(ARRAY[
    'claim_webhook_events(NULL)', 'claim_webhook_events(''nobody'')', 'claim_webhook_events('''')',
    'claim_webhook_events(''jobs'', 0)', 'claim_webhook_events(''jobs'', -1)', 'claim_webhook_events(''jobs'', 1001)',
    'claim_webhook_events(''jobs'', NULL)', 'claim_webhook_events(''jobs'', 1, NULL)',
    'claim_webhook_events(''jobs'', 1, ''0'')', 'claim_webhook_events(''jobs'', 1, ''999 milliseconds'')',
    'claim_webhook_events(''jobs'', 1, ''12 hours 1 second'')',
    'claim_webhook_events(''jobs'', 1, ''178000000 years'')',
    'ack_webhook_events(NULL, ARRAY[$], #)', 'ack_webhook_events(''nobody'', ARRAY[$], #)',
    'ack_webhook_events(''jobs'', NULL, #)', 'ack_webhook_events(''jobs'', ARRAY[$], NULL)',
    'ack_webhook_events(''jobs'', ARRAY[NULL], #)', 'ack_webhook_events(''jobs'', ''{nonsense}'', #)',
    'ack_webhook_events(''jobs'', ARRAY[$, ''evt_''], #)',
    'nack_webhook_event(NULL, $, #)', 'nack_webhook_event(''nobody'', $, #)', 'nack_webhook_event(''jobs'', NULL, #)',
    'nack_webhook_event(''jobs'', $, NULL)', 'nack_webhook_event(''jobs'', ''evt_1'', #)',
    'nack_webhook_event(''jobs'', ''evt_' || repeat('A', 48) || 'bAAAAAAAAAAA'', #)',
    'nack_webhook_event(''jobs'', $, #, retry_after => ''-1 second'')',
    'nack_webhook_event(''jobs'', $, #, retry_after => ''31 days'')', 'nack_webhook_event(''jobs'', $, #)'
]) AS call;
\c - sender
SELECT call, testing.outcome(format('SELECT * FROM checkout.%s', call)) AS outcome
FROM unnest(ARRAY[
    'redeliver_webhook_events(NULL)', 'redeliver_webhook_events(''{NULL}'')', 'redeliver_webhook_events(''{evt_1}'')',
    'redeliver_webhook_events(''{evt_' || repeat('A', 48) || 'bAAAAAAAAAAA}'')', 'redeliver_webhook_events(''{}'')'
]) AS call;
\c - postgres
CALL testing.forget_receivers();
