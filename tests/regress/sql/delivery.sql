-- Delivering events: claim, acknowledge, put off, give up, redeliver.
SELECT checkout.create_organization('Delivery') AS organization \gset
SELECT checkout.create_organization('Delivery of another') AS other \gset
SELECT testing.login('shop_delivery', :'organization');
SELECT testing.login('shop_delivery_other', :'other');
CREATE FUNCTION testing.make_due(organization uuid) RETURNS bigint LANGUAGE sql SECURITY DEFINER AS $$
    WITH due AS (UPDATE checkout_data.webhook_outbox SET next_attempt_at = clock_timestamp()
        WHERE organization_id = organization AND next_attempt_at IS NOT NULL RETURNING 1)
    SELECT count(*) FROM due
$$;
\c - shop_delivery
-- Three sessions: one with three events, two with one
SELECT testing.new_session(10) AS first, testing.new_session(20) AS second, testing.new_session(30) AS third \gset
SELECT status FROM checkout.record_payment(:'first', 'delivery-1', 'failed');
SELECT status FROM checkout.record_payment(:'first', 'delivery-2', 'succeeded');
SELECT status FROM checkout.record_payment(:'first', 'delivery-3', 'succeeded');
SELECT status FROM checkout.expire_checkout_session(:'second');
SELECT status FROM checkout.record_payment(:'third', 'delivery-4', 'succeeded');
\c - shop_delivery_other
SELECT status FROM checkout.record_payment(testing.new_session(40), 'delivery-1', 'succeeded');

-- Claim: the first event of each session, oldest first; the others wait for it.
\c - sender
CREATE FUNCTION pg_temp.name(body text, sequence integer)
RETURNS text LANGUAGE sql AS $$ SELECT (body::jsonb #>> '{data,object,amount}') || ' #' || sequence $$;
CREATE TEMP TABLE claimed AS SELECT * FROM checkout.claim_webhook_events(organization_id => :'organization');
SELECT pg_temp.name(body, sequence) AS event, event_type, status, delivery_attempts,
    next_attempt_at > now() + interval '50 seconds' AS leased_a_minute,
    last_error, delivered_at, dead_at, organization_id = :'organization' AS of_the_organization FROM claimed;
SELECT count(DISTINCT lease_token) AS tokens FROM claimed;
SELECT count(*) AS again FROM checkout.claim_webhook_events(organization_id => :'organization');
SELECT lease_token AS token, event_id AS event FROM claimed WHERE checkout_session_id = :'first' \gset
SELECT event_id AS second_event FROM claimed WHERE checkout_session_id = :'second' \gset
SELECT event_id AS third_event FROM claimed WHERE checkout_session_id = :'third' \gset

-- Acknowledge: only with the token of the claim. A second time does no harm.
SELECT checkout.ack_webhook_events(ARRAY[:'event'], gen_random_uuid()) AS wrong_token;
SELECT checkout.ack_webhook_events(ARRAY[:'event', :'event'], :'token') AS right_token;
SELECT checkout.ack_webhook_events(ARRAY[:'event'], :'token') AS twice;
SELECT checkout.ack_webhook_events('{}', :'token') AS none;
-- Then the next event of the session is due.
CREATE TEMP TABLE next AS SELECT *
FROM checkout.claim_webhook_events(organization_id => :'organization', lease => '12 hours');
SELECT pg_temp.name(body, sequence) AS event, event_type, next_attempt_at > now() + interval '11 hours' AS half_a_day
FROM next;

-- Put off: with the reason, and for longer with each attempt
SELECT event_type, status, delivery_attempts, last_error, lease_token,
    next_attempt_at - now() BETWEEN '3 seconds' AND '6 seconds' AS in_5_seconds
FROM checkout.nack_webhook_event(:'second_event', :'token', 'HTTP 503');
-- Then no consumer holds it.
SELECT testing.outcome(format('SELECT checkout.nack_webhook_event(%L, %L)', :'second_event', :'token'));
SELECT checkout.ack_webhook_events(ARRAY[:'second_event'], :'token') AS not_held;
SELECT count(*) AS not_yet_due FROM checkout.claim_webhook_events(organization_id => :'organization');
-- Put off for as long as the consumer says
SELECT next_attempt_at - now() BETWEEN '59 minutes' AND '61 minutes' AS in_an_hour, last_error
FROM checkout.nack_webhook_event(:'third_event', :'token', repeat('long ', 500), retry_after => '1 hour') \gset
\echo in an hour :in_an_hour
SELECT length(:'last_error');
\c - sender
CREATE FUNCTION pg_temp.fail(organization uuid, session uuid)
RETURNS TABLE (attempt integer, status text, after interval, within_a_fifth boolean, dead boolean)
LANGUAGE plpgsql AS $$
DECLARE
    delays CONSTANT interval[] := '{5 s,5 min,30 min,2 h,5 h,10 h,14 h,20 h,24 h}';
    e checkout.webhook_event;
    n checkout.webhook_event;
BEGIN
    WHILE n.status IS DISTINCT FROM 'dead' LOOP
        PERFORM testing.make_due(organization);
        SELECT * INTO e
        FROM checkout.claim_webhook_events(organization_id => organization) AS c WHERE c.checkout_session_id = session;
        n := checkout.nack_webhook_event(e.event_id, e.lease_token, 'attempt ' || e.delivery_attempts);
        attempt := n.delivery_attempts;
        status := n.status;
        after := delays[attempt];
        within_a_fifth := n.next_attempt_at - clock_timestamp()
            BETWEEN after * 0.8 - interval '1 second' AND after * 1.2;
        dead := n.dead_at IS NOT NULL;
        RETURN NEXT;
    END LOOP;
END $$;
SELECT * FROM pg_temp.fail(:'organization', :'second');
-- Dead: not claimed any more, but not lost
\c - shop_delivery
SELECT event_type, status, delivery_attempts, last_error, dead_at IS NOT NULL AS dead, next_attempt_at
FROM checkout.list_webhook_events(:'second');
\c - sender
SELECT checkout.redeliver_webhook_events(ARRAY[:'second_event']) AS redelivered;
SELECT event_type, delivery_attempts, last_error, event_id = :'second_event' AS same_id, lease_token AS token2
FROM checkout.claim_webhook_events(organization_id => :'organization') WHERE checkout_session_id = :'second' \gset
\echo :event_type :delivery_attempts :last_error :same_id
SELECT checkout.ack_webhook_events(ARRAY[:'second_event'], :'token2');
-- If no consumer answers, the event is dead after ten leases, too.
SELECT checkout.redeliver_webhook_events(ARRAY[:'second_event', :'second_event']) AS redelivered;
CREATE FUNCTION pg_temp.spend(organization uuid, session uuid) RETURNS integer[] LANGUAGE plpgsql AS $$
DECLARE
    attempts integer[];
BEGIN
    FOR n IN 1 .. 12 LOOP
        PERFORM testing.make_due(organization);
        attempts := attempts || (
            SELECT c.delivery_attempts FROM checkout.claim_webhook_events(organization_id => organization) AS c
            WHERE c.checkout_session_id = session);
    END LOOP;
    RETURN attempts;
END $$;
SELECT pg_temp.spend(:'organization', :'second');
\c - shop_delivery
SELECT status, delivery_attempts, last_error FROM checkout.list_webhook_events(:'second');

-- After the lease another consumer claims the event, and the first one's token is invalid.
\c - sender
SELECT checkout.redeliver_webhook_events(ARRAY[:'third_event']) AS redelivered;
SELECT lease_token AS token1
FROM checkout.claim_webhook_events(organization_id => :'organization') WHERE checkout_session_id = :'third' \gset
SELECT testing.make_due(:'organization') > 0 AS lease_ended;
\c - shop_delivery
SELECT status FROM checkout.list_webhook_events(:'third');
\c - sender
SELECT lease_token AS token2, delivery_attempts
FROM checkout.claim_webhook_events(organization_id => :'organization') WHERE checkout_session_id = :'third' \gset
\echo attempt :delivery_attempts
SELECT :'token1' <> :'token2' AS another_token;
SELECT checkout.ack_webhook_events(ARRAY[:'third_event'], :'token1') AS by_the_first;
SELECT testing.outcome(format('SELECT checkout.nack_webhook_event(%L, %L)', :'third_event', :'token1'))
    AS put_off_by_the_first;
SELECT checkout.ack_webhook_events(ARRAY[:'third_event'], :'token2') AS by_the_second;

\c - shop_delivery
SELECT status, delivery_attempts, length(last_error) AS length_of_error, lease_token
FROM checkout.list_webhook_events(:'third');
\c - sender
SELECT checkout.redeliver_webhook_events(ARRAY[:'third_event']) AS redelivered;
SELECT count(*) AS claimed
FROM checkout.claim_webhook_events(organization_id => :'organization') WHERE checkout_session_id = :'third';
\c - shop_delivery
SELECT status, lease_token FROM checkout.list_webhook_events(:'third', status => 'leased');
\c - sender

-- A dead event does not block later ones.
\c - shop_delivery
SELECT testing.new_session(50) AS fourth \gset
SELECT status FROM checkout.record_payment(:'fourth', 'delivery-5', 'failed');
SELECT status FROM checkout.record_payment(:'fourth', 'delivery-5', 'succeeded');
\c - sender
SELECT sequence
FROM checkout.claim_webhook_events(organization_id => :'organization') WHERE checkout_session_id = :'fourth';
\c - postgres
UPDATE checkout_data.webhook_outbox SET delivery_attempts = 10, next_attempt_at = now()
WHERE checkout_session_id = :'fourth' AND sequence = 1;
\c - sender
SELECT count(*) AS buried
FROM checkout.claim_webhook_events(organization_id => :'organization')
WHERE checkout_session_id = :'fourth' AND sequence = 1;
SELECT count(*) FROM checkout.claim_webhook_events(organization_id => :'organization') \g /dev/null
\c - shop_delivery
SELECT sequence, status, last_error FROM checkout.list_webhook_events(:'fourth');
\c - sender

-- Claims cover all organizations, up to the given number. Events that another transaction has locked are passed over
-- (isolation tests).
SELECT testing.make_due(:'other');
SELECT count(*) FROM checkout.claim_webhook_events(batch_size => 1, organization_id => :'other');
SELECT testing.make_due(:'organization') + testing.make_due(:'other') > 1 AS due;
SELECT count(*) FROM checkout.claim_webhook_events(batch_size => 1);

-- These are refused.
\a
SELECT call, testing.outcome(
        format('SELECT * FROM checkout.%s',
            replace(replace(call, '$', quote_literal(:'third_event')), '#', quote_literal(:'token2')))) AS outcome
FROM unnest(ARRAY[
    'claim_webhook_events(0)', 'claim_webhook_events(-1)', 'claim_webhook_events(1001)', 'claim_webhook_events(NULL)',
    'claim_webhook_events(1, NULL)', 'claim_webhook_events(1, ''0'')', 'claim_webhook_events(1, ''999 milliseconds'')',
    'claim_webhook_events(1, ''12 hours 1 second'')',
    'claim_webhook_events(1, ''178000000 years'')',
    'ack_webhook_events(NULL, #)', 'ack_webhook_events(ARRAY[$], NULL)', 'ack_webhook_events(ARRAY[NULL], #)',
    'ack_webhook_events(''{nonsense}'', #)',
    'ack_webhook_events(ARRAY[$, ''evt_''], #)',
    'nack_webhook_event(NULL, #)', 'nack_webhook_event($, NULL)', 'nack_webhook_event(''evt_1'', #)',
    'nack_webhook_event(''evt_' || repeat('A', 48) || 'bA'', #)',
    'nack_webhook_event($, #, retry_after => ''-1 second'')', 'nack_webhook_event($, #, retry_after => ''31 days'')',
    'nack_webhook_event($, #)',
    'redeliver_webhook_events(NULL)', 'redeliver_webhook_events(''{NULL}'')', 'redeliver_webhook_events(''{evt_1}'')',
    'redeliver_webhook_events(''{evt_' || repeat('A', 48) || 'bA}'')', 'redeliver_webhook_events(''{}'')'
]) AS call;
