-- Webhook consumers: programs that claim events by their name, of one organization or of all.
SELECT checkout.create_organization('Consumers') AS organization,
    checkout.create_organization('Consumers of another') AS other \gset
SELECT testing.login('shop_consumers', :'organization');
SELECT testing.login('shop_consumers_test', :'organization', 'test');
SELECT testing.login('shop_consumers_other', :'other');
SELECT testing.key(:'organization') AS secret_key, testing.key(:'organization', 'publishable') AS publishable_key \gset
-- Puts every event of the organization off for good, except those of one session.
CREATE FUNCTION testing.only(organization uuid, session uuid) RETURNS void LANGUAGE sql SECURITY DEFINER AS $$
    UPDATE checkout_data.webhook_deliveries SET next_attempt_at = NULL, lease_token = NULL, dead_at = now()
    WHERE organization_id = organization AND subject_id <> session AND next_attempt_at IS NOT NULL
$$;

-- A name is enough: the consumer gets every event from now on.
\c - shop_consumers
SELECT status FROM checkout.expire_checkout_session(testing.new_session(1));
SELECT name, event_types, environment, created_by, organization_id = :'organization' AS mine,
    created_at = updated_at AS new, substr(webhook_consumer_id::text, 15, 1) AS uuid_version,
    webhook_consumer_id AS jobs
FROM checkout.create_webhook_consumer('jobs') \gset
\echo :name :event_types :environment :created_by :mine :new :uuid_version
SELECT count(*) AS earlier_events FROM checkout.claim_webhook_events('jobs');
-- Beside it a consumer of some events, and an endpoint. Each gets its events; none takes an event from another.
SELECT name, event_types
FROM checkout.create_webhook_consumer('mail', '{checkout.session.completed,webhook_endpoint.*}');
SELECT webhook_endpoint_id AS endpoint
FROM checkout.create_webhook_endpoint('https://shop.example/hooks', description => 'hooks') \gset
SELECT testing.new_session(10) AS paid, testing.new_session(20) AS expired \gset
SELECT status FROM checkout.record_payment(:'paid', 'consumers-1', 'succeeded');
SELECT status FROM checkout.expire_checkout_session(:'expired');
SELECT event_type, delivery_attempts FROM checkout.claim_webhook_events('jobs');
SELECT event_type, event_id AS event, lease_token AS token FROM checkout.claim_webhook_events('mail') \gset
\echo :event_type
SELECT endpoint, about, state FROM testing.webhooks WHERE organization_id = :'organization';
SELECT consumer, about, state FROM testing.consumed WHERE organization_id = :'organization';
-- Each acknowledges for itself.
SELECT checkout.ack_webhook_events('jobs', ARRAY[:'event'], :'token') AS with_the_token_of_another;
SELECT checkout.ack_webhook_events('mail', ARRAY[:'event'], :'token') AS with_its_own;
SELECT consumer, about, state FROM testing.consumed WHERE organization_id = :'organization';
SELECT status FROM checkout.list_webhook_events(:'paid');
-- What it asks for can be changed; it stays the same consumer.
SELECT name, event_types, webhook_consumer_id = :'jobs' AS the_same, updated_at > created_at AS changed
FROM checkout.create_webhook_consumer('jobs', '{checkout.session.failed}');
SELECT status FROM checkout.expire_checkout_session(testing.new_session(30));
SELECT consumer, about, state FROM testing.consumed WHERE organization_id = :'organization' AND about = '30.00';
SELECT event_types FROM checkout.create_webhook_consumer('jobs');
SELECT name, event_types FROM checkout.list_webhook_consumers();

-- Names belong to a tenant: another environment, another organization, and all organizations have their own.
\c - shop_consumers_test
SELECT webhook_consumer_id <> :'jobs' AS another FROM checkout.create_webhook_consumer('jobs');
SELECT name, environment FROM checkout.list_webhook_consumers();
\c - shop_consumers_other
SELECT webhook_consumer_id <> :'jobs' AS another FROM checkout.create_webhook_consumer('jobs');
\c - postgres
SELECT webhook_consumer_id <> :'jobs' AS another, organization_id, environment, created_by
FROM checkout.create_webhook_consumer('jobs');
SELECT name FROM checkout.create_webhook_consumer('audit');
SELECT name, organization_id FROM checkout.list_webhook_consumers();
-- A relay acts for those of all organizations, and creates none.
\c - sender
SELECT name FROM checkout.list_webhook_consumers();
SELECT testing.outcome('SELECT checkout.create_webhook_consumer(''mine'')') AS create;
SELECT testing.outcome('SELECT checkout.delete_webhook_consumer(''audit'')') AS delete;
SELECT testing.outcome('SELECT checkout.claim_webhook_events(''mail'')') AS of_an_organization;
\c - shop_consumers
SELECT testing.new_session(40) AS fourth \gset
SELECT testing.only(:'organization', :'fourth');
SELECT status FROM checkout.expire_checkout_session(:'fourth');
\c - sender
SELECT event_id AS event, lease_token AS token, organization_id = :'organization' AS of_the_organization
FROM checkout.claim_webhook_events('audit') \gset
\echo :of_the_organization
-- An organization cannot act for a consumer of all, nor one for a consumer of another, even with ids and a token that
-- are right.
\c - shop_consumers
SELECT name FROM checkout.list_webhook_consumers();
SELECT testing.outcome('SELECT checkout.claim_webhook_events(''audit'')') AS claim,
    testing.outcome(format('SELECT checkout.ack_webhook_events(''audit'', ARRAY[%L], %L)', :'event', :'token')) AS ack,
    testing.outcome(format('SELECT checkout.nack_webhook_event(''audit'', %L, %L)', :'event', :'token')) AS nack,
    testing.outcome('SELECT checkout.delete_webhook_consumer(''audit'', true)') AS delete \gx
SELECT checkout.ack_webhook_events('jobs', ARRAY[:'event'], :'token') AS by_the_same_name;
SELECT testing.outcome(format('SELECT checkout.nack_webhook_event(''jobs'', %L, %L)', :'event', :'token'))
    AS put_off_by_the_same_name;
\c - shop_consumers_other
SELECT count(*) AS of_another FROM checkout.claim_webhook_events('jobs');
SELECT checkout.ack_webhook_events('jobs', ARRAY[:'event'], :'token') AS by_another;
SELECT testing.outcome(format('SELECT checkout.nack_webhook_event(''jobs'', %L, %L)', :'event', :'token'))
    AS put_off_by_another;
\c - sender
SELECT checkout.ack_webhook_events('audit', ARRAY[:'event'], :'token') AS by_itself;

-- Of all organizations each is served, however many events another has waiting.
\c - shop_consumers
SELECT count(checkout.expire_checkout_session(testing.new_session(n))) FROM generate_series(50, 69) AS n;
\c - shop_consumers_test
SELECT status FROM checkout.expire_checkout_session(testing.new_session(70));
\c - shop_consumers_other
SELECT count(checkout.expire_checkout_session(testing.new_session(n))) FROM generate_series(80, 81) AS n;
\c - sender
CREATE TEMP TABLE claimed AS SELECT 1 AS claim, * FROM checkout.claim_webhook_events('audit', 5);
INSERT INTO claimed SELECT 2, * FROM checkout.claim_webhook_events('audit', 5);
SELECT count(*) AS claimed, count(*) FILTER (WHERE organization_id = :'other') AS of_the_small_one FROM claimed;
INSERT INTO claimed SELECT 3, * FROM checkout.claim_webhook_events('audit', 100);
SELECT environment, organization_id = :'other' AS of_another, count(*) FROM claimed GROUP BY 1, 2 ORDER BY 1, 2;
SELECT checkout.ack_webhook_events('audit', array_agg(event_id), lease_token)
FROM claimed GROUP BY claim, lease_token ORDER BY claim;
SELECT pending, leased, dead FROM checkout.outbox_status() WHERE consumer = 'audit' AND organization_id IS NULL;

-- An event whose consumer fails on it is dead after ten claims. Meanwhile the others go on.
\c - shop_consumers
SELECT testing.new_session(90) AS poison \gset
SELECT testing.only(:'organization', :'poison');
SELECT status FROM checkout.record_payment(:'poison', 'consumers-2', 'failed');
CREATE FUNCTION pg_temp.work(poison uuid) RETURNS TABLE (round integer, poisoned integer, done integer)
LANGUAGE plpgsql AS $$
DECLARE
    e checkout.webhook_event;
BEGIN
    FOR n IN 1 .. 11 LOOP
        round := n;
        poisoned := NULL;
        done := 0;
        PERFORM checkout.expire_checkout_session(testing.new_session(100 + n));
        PERFORM testing.deliveries_due(checkout.current_organization_id());
        FOR e IN SELECT * FROM checkout.claim_webhook_events('jobs') LOOP
            IF e.checkout_session_id = poison THEN
                poisoned := e.delivery_attempts;
            ELSE
                done := done + checkout.ack_webhook_events('jobs', ARRAY[e.event_id], e.lease_token);
            END IF;
        END LOOP;
        RETURN NEXT;
    END LOOP;
END $$;
SELECT * FROM pg_temp.work(:'poison');
SELECT about, state, attempts, attempts_ever, last_error
FROM testing.consumed WHERE organization_id = :'organization' AND consumer = 'jobs' AND about = '90.00'
ORDER BY attempts;
SELECT status FROM checkout.list_webhook_events(:'poison');

-- A delivery whose event or session is gone is dead, with the reason, and holds nothing up.
SELECT testing.new_session(120) AS without_event, testing.new_session(130) AS without_session,
    testing.new_session(140) AS whole \gset
SELECT count(checkout.expire_checkout_session(id))
FROM unnest(ARRAY[:'without_event', :'without_session', :'whole']::uuid[]) AS id;
\c - postgres
DELETE FROM checkout_data.webhook_outbox WHERE subject_id = :'without_event';
DELETE FROM checkout_data.checkout_sessions WHERE checkout_session_id = :'without_session';
\c - shop_consumers
SELECT body::jsonb #>> '{data,object,amount}' AS amount FROM checkout.claim_webhook_events('jobs');
SELECT about, state, last_error
FROM testing.consumed
WHERE organization_id = :'organization' AND consumer = 'jobs' AND coalesce(last_error, '') LIKE 'its %' ORDER BY 3;
\c - sender
CREATE TEMP TABLE dead AS SELECT * FROM checkout.list_dead_webhook_deliveries(:'organization', page_size => 100);
SELECT consumer, event_type, checkout_session_id IS NOT NULL AS of_a_session, status, delivery_attempts, last_error
FROM dead WHERE last_error LIKE 'its %' ORDER BY consumer, last_error;
SELECT body::jsonb #>> '{data,object,amount}' AS amount
FROM checkout.claim_webhook_deliveries(per_endpoint => 1000)
WHERE (body::jsonb #>> '{data,object,amount}')::numeric >= 120;
SELECT endpoint, about, state, attempts, last_error
FROM testing.webhooks WHERE organization_id = :'organization' AND last_error LIKE 'its %' ORDER BY last_error;
\c - postgres
DELETE FROM checkout_data.webhook_deliveries WHERE subject_id IN (:'without_event', :'without_session');
DELETE FROM checkout_data.webhook_outbox WHERE subject_id = :'without_session';
DELETE FROM checkout_data.checkout_sessions WHERE checkout_session_id = :'without_event';

-- With neither a consumer nor an endpoint nothing waits for anybody.
\c - shop_consumers
SELECT url FROM checkout.delete_webhook_endpoint(:'endpoint', true);
-- Delete: refused while events wait for the consumer, unless told otherwise.
SELECT testing.outcome('SELECT checkout.delete_webhook_consumer(''jobs'')') AS with_a_waiting_event;
SELECT name FROM checkout.list_webhook_consumers();
SELECT name, webhook_consumer_id = :'jobs' AS the_one
FROM checkout.delete_webhook_consumer('jobs', discard_undelivered => true);
SELECT testing.outcome('SELECT checkout.delete_webhook_consumer(''jobs'', true)') AS again,
    testing.outcome('SELECT checkout.claim_webhook_events(''jobs'')') AS claim \gx
SELECT name FROM checkout.delete_webhook_consumer('mail');
\c - postgres
SELECT count(checkout.delete_webhook_consumer(name, true)) FROM checkout.list_webhook_consumers();
\c - shop_consumers
SELECT testing.new_session(150) AS nobodys \gset
SELECT status FROM checkout.expire_checkout_session(:'nobodys');
SELECT status FROM checkout.list_webhook_events(:'nobodys');
-- Its name is free: a new consumer does not get what the old one had waiting.
SELECT webhook_consumer_id <> :'jobs' AS another FROM checkout.create_webhook_consumer('jobs');
SELECT count(*) AS of_the_old_one FROM checkout.claim_webhook_events('jobs');
-- The worker removes the old one with its deliveries an hour later.
\c - postgres
SELECT count(*) > 0 AS deliveries FROM checkout_data.webhook_deliveries WHERE receiver_id = :'jobs';
SELECT count(*) AS tasks FROM checkout.run_maintenance();
SELECT count(*) AS kept FROM checkout_data.webhook_consumers WHERE webhook_consumer_id = :'jobs';
UPDATE checkout_data.webhook_consumers SET deleted_at = deleted_at - interval '1 hour'
WHERE webhook_consumer_id = :'jobs';
SELECT count(*) AS tasks FROM checkout.run_maintenance();
SELECT (SELECT count(*) FROM checkout_data.webhook_consumers WHERE webhook_consumer_id = :'jobs') AS kept,
    (SELECT count(*) FROM checkout_data.webhook_deliveries WHERE receiver_id = :'jobs') AS deliveries;

-- Sixteen in each environment; deleted ones do not count. So it is for all organizations.
\c - shop_consumers
SELECT count(checkout.create_webhook_consumer('consumer ' || n)) FROM generate_series(1, 15) AS n;
SELECT testing.outcome('SELECT checkout.create_webhook_consumer(''one more'')') AS the_seventeenth,
    testing.outcome('SELECT checkout.create_webhook_consumer(''jobs'', ''{checkout.*}'')') AS one_of_the_sixteen \gx
SELECT count(*) FROM checkout.list_webhook_consumers();
SELECT name FROM checkout.delete_webhook_consumer('consumer 7');
SELECT testing.outcome('SELECT checkout.create_webhook_consumer(''one more'')') AS one_more;
\c - shop_consumers_test
SELECT testing.outcome('SELECT checkout.create_webhook_consumer(''one more'')') AS in_the_other_environment;
\c - postgres
SELECT count(checkout.create_webhook_consumer('consumer ' || n)) FROM generate_series(1, 16) AS n;
SELECT testing.outcome('SELECT checkout.create_webhook_consumer(''one more'')') AS of_all;
CALL testing.forget_receivers();

-- These are refused.
\c - shop_consumers
SELECT name FROM checkout.create_webhook_consumer('jobs');
\a
SELECT call, testing.outcome('SELECT * FROM checkout.' || call) AS outcome FROM unnest(ARRAY[
    'create_webhook_consumer(NULL)', 'create_webhook_consumer('''')', 'create_webhook_consumer(repeat(''x'', 256))',
    'create_webhook_consumer(E''two\nlines'')', 'create_webhook_consumer(''jobs'', NULL)',
    'create_webhook_consumer(''jobs'', ''{}'')', 'create_webhook_consumer(''jobs'', ''{NULL}'')',
    'create_webhook_consumer(''jobs'', ''{checkout.session.paid}'')', 'create_webhook_consumer(''jobs'', ''{*,*}'')',
    'create_webhook_consumer(repeat(''ü'', 255))',
    'delete_webhook_consumer(NULL)', 'delete_webhook_consumer(''jobs'', NULL)', 'delete_webhook_consumer(''nobody'')'
]) AS call;
-- Without a credential, and with a publishable one
CREATE TEMP TABLE calls AS SELECT 'SELECT * FROM checkout.' || call AS call FROM unnest(ARRAY[
    'create_webhook_consumer(''jobs'')', 'list_webhook_consumers()', 'delete_webhook_consumer(''jobs'')',
    'claim_webhook_events(''jobs'')', 'ack_webhook_events(''jobs'', ''{}'', gen_random_uuid())',
    'nack_webhook_event(''jobs'', ''evt_' || repeat('A', 48) || 'bAAAAAAAAAAA'', gen_random_uuid())']) AS call;
SELECT string_agg(quote_literal(call), ', ') AS calls FROM calls \gset
\c - visitor
SELECT call, testing.outcome(call) AS without_a_credential FROM unnest(ARRAY[:calls]) AS call;
BEGIN;
SELECT kind FROM checkout.authenticate(:'publishable_key');
SELECT call, testing.outcome(call) AS publishable FROM unnest(ARRAY[:calls]) AS call;
COMMIT;
BEGIN;
SELECT set_config('request.headers', format('{"x-api-key": "%s"}', :'publishable_key'), true) IS NOT NULL AS set;
SELECT checkout.pre_request();
SELECT call, testing.outcome(call) AS in_an_http_request FROM unnest(ARRAY[:calls]) AS call;
COMMIT;
-- With a secret one
BEGIN;
SELECT kind FROM checkout.authenticate(:'secret_key');
SELECT name, created_by = left(:'secret_key', 20) AS by_the_key FROM checkout.create_webhook_consumer('by key');
SELECT status FROM checkout.expire_checkout_session(testing.new_session(160));
SELECT event_type FROM checkout.claim_webhook_events('by key');
ROLLBACK;
-- Neither an administrator nor a relay without a tenant acts for an organization.
\c - postgres
SELECT testing.outcome('SELECT checkout.claim_webhook_events(''jobs'')') AS claim,
    testing.outcome('SELECT checkout.delete_webhook_consumer(''jobs'')') AS delete;
CALL testing.forget_receivers();
