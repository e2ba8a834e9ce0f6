-- Simulated payments: a developer tries out every end of a session, in the test environment.
SELECT checkout.create_organization('Simulate') AS organization,
    checkout.create_organization('Another') AS another \gset
SELECT testing.login('shop_simulate', :'organization', 'test');
SELECT testing.login('shop_simulate_live', :'organization');
SELECT testing.login('other_simulate', :'another', 'test');
CREATE FUNCTION testing.simulate(session uuid, scenario text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    s checkout.checkout_session;
BEGIN
    s := checkout.simulate_payment(session, scenario);
    RETURN concat_ws(' ', s.status, s.payment_status, s.attempts);
EXCEPTION WHEN OTHERS THEN
    RETURN testing.masked(SQLSTATE || ': ' || SQLERRM);
END $$;
-- The session after each scenario in turn, then its payments, and its events.
CREATE FUNCTION testing.played(VARIADIC scenarios text[], OUT session text, OUT payments text, OUT events text)
LANGUAGE plpgsql AS $$
DECLARE
    id CONSTANT uuid := testing.new_session(50, 2);
    scenario text;
BEGIN
    FOREACH scenario IN ARRAY scenarios LOOP
        session := concat_ws(', ', session, testing.simulate(id, scenario));
    END LOOP;
    SELECT string_agg(concat_ws(' ', replace(p.payment_id, replace(id::text, '-', ''), ''), p.status,
        p.rejection_reason, p.failure_code, p.amount, 'refunded ' || nullif(p.refunded_amount, 0)), ', '
        ORDER BY p.created_at, p.payment_id)
    INTO payments FROM checkout.list_payments(id) AS p;
    events := regexp_replace(testing.story(id), '_?[0-9a-f]{32}_', '_', 'g');
END $$;
\c - shop_simulate
\a
SELECT scenario, p.*
FROM unnest(ARRAY['complete', 'fail', 'decline:insufficient_funds', 'late', 'twice', 'wrong_amount',
    'slow', 'expire', 'refund', 'error:503']) AS scenario, testing.played(scenario) AS p;
-- The same again: what has happened does not happen again. Only an attempt that is declined is another one.
SELECT scenario, p.*
FROM unnest(ARRAY['complete', 'fail', 'decline:insufficient_funds', 'late', 'twice', 'wrong_amount',
    'slow', 'expire', 'refund']) AS scenario, testing.played(scenario, scenario, scenario) AS p;
-- A buyer tries, and tries again.
SELECT p.*
FROM testing.played('decline:do_not_honor', 'wrong_amount', 'slow', 'decline:expired_card', 'complete', 'twice',
    'refund') AS p;
SELECT p.* FROM testing.played('slow', 'fail') AS p;
SELECT p.* FROM testing.played('expire', 'late', 'complete') AS p;

-- Of each end of a session, the scenarios that fit it.
SELECT first || ', ' || second AS scenarios, (testing.played(first, second)).session
FROM unnest(ARRAY['complete', 'fail', 'expire', 'slow']) AS first, unnest(ARRAY['complete', 'fail', 'decline:x', 'late',
    'twice', 'wrong_amount', 'slow', 'expire', 'refund']) AS second;

-- A payment that the shop itself has begun is the one that succeeds.
SELECT testing.new_session() AS id \gset
SELECT status FROM checkout.begin_payment(:'id', 'pay_1');
SELECT testing.simulate(:'id', 'complete');
SELECT payment_id, status FROM checkout.list_payments(:'id');
-- The deadline counts, also if nobody has noticed it.
SELECT testing.new_session() AS id \gset
SELECT testing.age(:'id', '2 hours');
SELECT testing.simulate(:'id', 'complete'), testing.simulate(:'id', 'late');
SELECT testing.story(:'id') ~ '^1 expired, 2 payment_rejected simulated_[0-9a-f]{32}_late$' AS late;
-- The session is the whole one, with its secret.
SELECT client_secret IS NOT NULL AS secret, payment_id LIKE 'simulated_%' AS payment,
    completed_at IS NOT NULL AS completed
FROM checkout.simulate_payment(testing.new_session(), 'complete');

-- Errors
SELECT testing.outcome(format('SELECT checkout.simulate_payment(%s)', call))
FROM unnest(ARRAY[format('%L, ''paid''', :'id'), format('%L, ''''', :'id'), format('%L, ''decline:''', :'id'),
    format('%L, ''error:200''', :'id'), format('%L, NULL', :'id'), 'NULL, ''complete''',
    'gen_random_uuid(), ''complete''']) AS call;
SELECT testing.new_session() AS open \gset
\c - other_simulate
SELECT testing.simulate(:'open', 'complete');
\c - shop_simulate_live
SELECT testing.new_session() AS live \gset
SELECT testing.outcome(format('SELECT checkout.simulate_payment(%L, ''complete'')', :'live'));
SELECT * FROM testing.state(:'live');

-- Keys: a publishable one may not, and a live one only says that it is live. In an HTTP request both get a 403.
\c - postgres
SELECT testing.key(:'organization') AS live_key, testing.key(:'organization', 'secret', 'test') AS test_key,
    testing.key(:'organization', 'publishable', 'test') AS publishable_key \gset
CREATE FUNCTION testing.presented(key text, query text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    PERFORM checkout.authenticate(key);
    RETURN testing.outcome(query);
END $$;
CREATE FUNCTION testing.posted(headers jsonb, query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    answer text;
BEGIN
    PERFORM set_config('request.headers', headers::text, true);
    PERFORM checkout.pre_request();
    EXECUTE query INTO answer;
    RETURN answer;
EXCEPTION WHEN OTHERS THEN
    RETURN testing.masked(SQLSTATE || ': ' || SQLERRM);
END $$;
CREATE ROLE web_simulate LOGIN;
SELECT checkout.grant_access('web_simulate', 'request');
\c - web_simulate
SELECT testing.presented(:'publishable_key', format('SELECT checkout.simulate_payment(%L, ''complete'')', :'open'));
SELECT testing.presented(:'live_key', format('SELECT checkout.simulate_payment(%L, ''complete'')', :'live'));
SELECT testing.presented(:'test_key', format('SELECT status FROM checkout.simulate_payment(%L, ''fail'')', :'open'));
SELECT kind, testing.posted(jsonb_build_object('x-api-key', key),
    format('SELECT status FROM checkout.simulate_payment(%L, ''complete'')', session))
FROM (VALUES ('publishable', :'publishable_key', :'open'), ('live', :'live_key', :'live'),
    ('test', :'test_key', :'open'))
    AS keys (kind, key, session);

-- X-Scenario-Key: a request that creates a session says what becomes of it.
SELECT scenario, testing.posted(jsonb_build_object('x-api-key', :'test_key', 'x-scenario-key', scenario),
    $$SELECT concat_ws(' ', status, payment_status, attempts, client_secret IS NOT NULL)
    FROM checkout.create_checkout_session(50, 'USD', customer_id => 'c', max_retry_attempts => 2)$$)
FROM unnest(ARRAY['complete', 'fail', 'decline:x', 'late', 'twice', 'wrong_amount', 'slow', 'expire', 'refund',
    'error:418',
    'error:200', 'nonsense', '']) AS scenario;
-- Where nothing is due, the buyer only confirms.
SELECT scenario, testing.posted(jsonb_build_object('x-api-key', :'test_key', 'x-scenario-key', scenario),
    $$SELECT concat_ws(' ', status, payment_status, amount)
    FROM checkout.create_checkout_session(currency_code => 'USD', customer_id => 'c',
        lines => '[{"title": "Sample", "amount": 0}]')$$)
FROM unnest(ARRAY['complete', 'expire', 'refund']) AS scenario;
SELECT kind, testing.posted(jsonb_build_object('x-api-key', key, 'x-scenario-key', 'complete'),
    $$SELECT status FROM checkout.create_checkout_session(50, 'USD', customer_id => 'c')$$)
FROM (VALUES ('publishable', :'publishable_key'), ('live', :'live_key')) AS keys (kind, key);
-- It is played once for an idempotency key, and without it the request is another one.
SELECT headers, testing.posted(headers || jsonb_build_object('x-api-key', :'test_key', 'idempotency-key', 'simulated'),
    $$SELECT concat_ws(' ', status, attempts, idempotent_replay)
    FROM checkout.create_checkout_session(50, 'USD', customer_id => 'c')$$)
FROM unnest(ARRAY['{"x-scenario-key": "decline:x"}', '{"x-scenario-key": "decline:x"}',
    '{"x-scenario-key": "complete"}',
    '{}']::jsonb[]) AS headers;
\c - postgres
DROP FUNCTION testing.simulate, testing.played, testing.presented, testing.posted;
