-- The dialects in SQL: what a request stores, for which organization, and which faults are still SQL errors.
-- What is hostile: dialects_hostile. The tests in tests/server/dialects/ check the documents line by line.
SELECT checkout.create_organization('Documented') AS our_id, checkout.create_organization('Neighbour') AS their_id \gset
SELECT api_key AS our_key FROM checkout.create_api_key(:'our_id', 'secret', 'live') \gset
SELECT api_key AS our_test_key FROM checkout.create_api_key(:'our_id', 'secret', 'test') \gset
SELECT api_key AS our_public_key FROM checkout.create_api_key(:'our_id', 'publishable', 'live') \gset
SELECT api_key AS their_key FROM checkout.create_api_key(:'their_id', 'secret', 'live') \gset
CREATE ROLE dialect_web LOGIN;
SELECT checkout.grant_access('dialect_web', 'request');
SELECT testing.login('documented_shop', :'our_id');

CREATE TABLE testing.orders (note text);
GRANT ALL ON testing.orders TO PUBLIC;

-- a refused request leaves nothing behind
-- -------------------------------------------------------------------------------
\c - dialect_web
SELECT testing.bearer(:'our_key') AS ours, testing.bearer(:'their_key') AS theirs,
    testing.bearer(:'our_test_key') AS test,
    testing.bearer(:'our_public_key') AS public \gset
SELECT testing.http('flutterwave', 'POST', '/checkout/sessions', :'ours',
    '{"amount": 1, "currency": "NGN", "reference": "order-4521"}') ~ '^200' AS made;
SELECT testing.row_counts() AS before \gset
BEGIN;
INSERT INTO testing.orders VALUES ('before the refusals');
-- Refused before anything is looked up
SELECT testing.http('lomi', 'POST', '/checkout-sessions', :'ours', '{"amount": "1"}');
SELECT testing.http('lomi', 'PATCH', '/checkout-sessions', :'ours', '{"amount": "1"}');
SELECT testing.http('lomi', 'POST', '/checkout-sessions', '{"x-api-key": "wrong"}', '{"amount": 1}');
-- Refused when the idempotency key has been claimed already
SELECT dialect,
    testing.http(dialect, 'POST', path, :'ours'::jsonb || '{"x-idempotency-key": "claimed-and-refused"}',
        body || refused)
FROM testing.creations JOIN (VALUES
    ('kobo', '{"email": "nobody"}'::jsonb), ('lomi', '{"success_url": "javascript:"}'),
    ('paygate', '{"expires_at": "2001-01-01T00:00:00Z"}'),
    ('flutterwave', '{"reference": "order-4521"}'), ('yuno', '{"country": "ZZ"}')
) AS refusals (dialect, refused) USING (dialect) ORDER BY dialect;
-- Refused because of stored rows
SELECT testing.http('paygate', 'POST', '/v1/checkout/sessions/cs_00000000000000000000000000000001/expire', :'ours')
    LIKE '404 %' AS not_found;
INSERT INTO testing.orders VALUES ('after the refusals');
SELECT testing.row_counts() = :'before' AS nothing_is_left;
COMMIT;
SELECT testing.row_counts() = :'before' AS nothing_is_left;
SELECT note FROM testing.orders;
-- The key is free, so the request can be corrected.
SELECT testing.http('kobo', 'POST', '/v1/checkout/session/initialize',
    :'ours'::jsonb || '{"x-idempotency-key": "claimed-and-refused"}', '{"amount": 100, "email": "jane@example.com"}')
    ~ '^200 .*\{"status": ?true' AS made;
-- An accepted request is committed or rolled back with the caller's transaction.
SELECT testing.row_counts() AS before \gset
BEGIN;
SELECT testing.http('kobo', 'POST', '/v1/checkout/session/initialize', :'ours',
    '{"amount": 100, "email": "jane@example.com"}') ~ '^200' AS made;
SELECT testing.row_counts() = :'before' AS nothing_yet;
ROLLBACK;
SELECT testing.row_counts() = :'before' AS nothing_is_left;

-- the credential of a request is for the request
-- -------------------------------------------------------------------------
\set whose 'SELECT testing.outcome($$SELECT checkout.current_organization_id()$$) AS who,'
\set whose :whose ' current_setting($$checkout_sessions.organization_id$$) AS organization,'
\set whose :whose ' current_setting($$checkout_sessions.environment$$) AS environment;'
BEGIN;
:whose
SELECT testing.http('lomi', 'POST', '/checkout-sessions', :'test',
    '{"amount": 1, "currency_code": "XOF", "customer_id": "c"}') ~ '"environment":"test"' AS made;
:whose
SELECT testing.http('lomi', 'POST', '/checkout-sessions', :'test', '{"amount": 1}') AS refused;
:whose
-- Two organizations in one transaction, each with its own sessions
SELECT o.body ->> 'organization_id' = :'our_id' AS ours, t.body ->> 'organization_id' = :'their_id' AS theirs
FROM testing.creations AS c, checkout.handle_request(c.dialect, 'POST', c.path, :'ours', '{}', c.body::text) AS o,
    checkout.handle_request(c.dialect, 'POST', c.path, :'theirs', '{}', c.body::text) AS t
WHERE c.dialect = 'lomi';
COMMIT;
:whose
-- A credential presented before stays, and no request may contradict it.
BEGIN;
SELECT environment FROM checkout.authenticate(:'our_key');
SELECT testing.http('lomi', 'GET', '/checkout-sessions', :'ours') ~ '^200' AS same_tenant;
SELECT testing.http('lomi', 'GET', '/checkout-sessions') ~ '^200' AS no_key;
SELECT testing.http('lomi', 'GET', '/checkout-sessions', :'theirs') AS another;
SELECT testing.http('lomi', 'GET', '/checkout-sessions', :'test') AS test;
SELECT checkout.current_organization_id() = :'our_id' AS still_ours;
SELECT checkout.current_environment();
ROLLBACK;
-- A publishable key does not affect the next request.
SELECT testing.http('kobo', 'POST', path, :'public', body) ~ '^200' AS made,
    testing.http('lomi', 'GET', '/checkout-sessions', :'public') AS refused,
    testing.http('lomi', 'GET', '/checkout-sessions', :'ours') ~ '^200' AS listed
FROM testing.creations WHERE dialect = 'kobo';
-- Without a credential
SELECT dialect, testing.http(dialect, 'POST', path, '{}', body) FROM testing.creations ORDER BY dialect;

-- A role that acts for an organization needs no key.
\c - documented_shop
SELECT dialect, testing.http(dialect, 'POST', path, '{}', body) ~ '^20[01] ' AS made
FROM testing.creations ORDER BY dialect;
SELECT testing.http('lomi', 'GET', '/checkout-sessions', :'ours') ~ '^200' AS own_key;
-- A key of another organization, or an invalid one, is not ignored.
SELECT name, testing.http('lomi', 'GET', '/checkout-sessions', headers) FROM (VALUES
    ('another organization', :'theirs'::jsonb), ('another environment', :'test'),
    ('unknown', '{"x-api-key": "sk_live_0"}'),
    ('empty', '{"x-api-key": ""}'), ('no bearer', '{"authorization": "Basic c2s6"}'),
    ('not a key', '{"authorization": "Bearer eyJhbGciOi"}'),
    ('two keys', :'ours'::jsonb || '{"x-api-key": "sk_live_0"}')
) AS wrong (name, headers);
SELECT checkout.current_organization_id() = :'our_id' AS still_ours;
SELECT checkout.current_environment();
-- A publishable key of the organization limits its own request, and no other.
SELECT testing.http('lomi', 'GET', '/checkout-sessions', :'public') AS refused;
SELECT testing.http('lomi', 'GET', '/checkout-sessions') ~ '^200' AS listed;

-- an unexpected SQL error is one
-- ---------------------------------------------------------------------------------------
-- A hot standby and a READ ONLY transaction can read.
BEGIN READ ONLY;
SELECT testing.http('lomi', 'GET', '/checkout-sessions', :'ours') ~ '^200' AS listed;
\set VERBOSITY terse
SELECT checkout.handle_request('lomi', 'POST', path, :'ours', '{}', body::text)
FROM testing.creations WHERE dialect = 'lomi';
ROLLBACK;
\set VERBOSITY default
-- If the caller catches it, only that block is undone, and the caller stays the same.
BEGIN READ ONLY;
SELECT testing.raises('lomi', 'POST', path, '{}', '{}', body::text) FROM testing.creations WHERE dialect = 'lomi';
SELECT current_user;
SELECT checkout.current_organization_id() = :'our_id' AS still_ours;
COMMIT;
SELECT current_user;
SELECT now() = statement_timestamp() AS nothing_is_open;
\c - postgres
-- An administrator's trigger that fails
CREATE FUNCTION testing.closed()
RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'closed on Sundays' USING ERRCODE = 'check_violation'; END $$;
CREATE TRIGGER closed BEFORE INSERT ON checkout_data.checkout_sessions FOR EACH ROW EXECUTE FUNCTION testing.closed();
SET SESSION AUTHORIZATION dialect_web;
SELECT testing.row_counts() AS before \gset
SELECT dialect, testing.raises(
        dialect, 'POST', path, (:'ours'::jsonb || '{"idempotency-key": "on-a-sunday"}')::text, '{}', body::text)
FROM testing.creations ORDER BY dialect;
SELECT testing.row_counts() = :'before' AS nothing_is_left;
:whose
RESET SESSION AUTHORIZATION;
DROP TRIGGER closed ON checkout_data.checkout_sessions;
DROP FUNCTION testing.closed;

-- in savepoints and exception blocks
-- ------------------------------------------------------------------------------------
\c - dialect_web
BEGIN;
SAVEPOINT one;
SELECT testing.http('lomi', 'POST', path, :'ours'::jsonb || '{"idempotency-key": "in-a-savepoint"}', body)
    ~ '^201' AS made
FROM testing.creations WHERE dialect = 'lomi';
ROLLBACK TO one;
:whose
SAVEPOINT two;
SELECT testing.http('lomi', 'POST', path, :'ours'::jsonb || '{"idempotency-key": "in-a-savepoint"}', body)
    ~ '^201 \{"checkout' AS made_not_replayed
FROM testing.creations WHERE dialect = 'lomi';
SELECT testing.http('lomi', 'POST', path, :'ours'::jsonb || '{"idempotency-key": "in-a-savepoint"}',
    body || '{"amount": 2}') AS refused
FROM testing.creations WHERE dialect = 'lomi';
RELEASE two;
COMMIT;
SELECT testing.http('lomi', 'POST', path, :'ours'::jsonb || '{"idempotency-key": "in-a-savepoint"}', body)
    ~ '^201 \{"Idempotent-Replayed": "true"\}' AS replayed
FROM testing.creations WHERE dialect = 'lomi';
-- A refusal is an answer, and breaks nothing. An error undoes its block, and the credential with it.
DO $$
DECLARE
    answer text;
BEGIN
    BEGIN
        RAISE NOTICE '%', testing.http('lomi', 'POST', '/checkout-sessions', '{"x-api-key": "wrong"}', '{"amount": 1}');
        BEGIN
            answer := testing.http('lomi', 'POST', '/checkout-sessions', '{"x-api-key": "wrong"}', '{"amount": 1}');
            PERFORM 1 / 0;
        EXCEPTION WHEN division_by_zero THEN
            RAISE NOTICE 'undone: %', answer;
        END;
        PERFORM checkout.handle_request('nobody', 'GET', '/');
    EXCEPTION WHEN invalid_parameter_value THEN
        RAISE NOTICE 'caught: %', SQLERRM;
    END;
END $$;
CREATE FUNCTION pg_temp.create_and_raise(headers jsonb) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    answer text;
    session text;
BEGIN
    BEGIN
        SELECT r.body ->> 'checkout_session_id' INTO session
        FROM checkout.handle_request(
            'lomi', 'POST', '/checkout-sessions', headers, '{}',
            '{"amount": 1, "currency_code": "XOF", "customer_id": "c"}') AS r;
        RAISE 'not after all';
    EXCEPTION WHEN raise_exception THEN
        answer := testing.http('lomi', 'GET', '/checkout-sessions/' || session, headers);
    END;
    RETURN concat_ws(', ', answer, testing.outcome('SELECT checkout.current_organization_id()'));
END $$;
SELECT pg_temp.create_and_raise(:'ours');

\c - dialect_web
\set order '{"amount": 10, "currency_code": "XOF", "customer_email": "a@b.co"}'

-- A key stands for one request: in another dialect, or with another scenario, it is another request.
SELECT left(
    testing.http('kobo', 'POST', '/v1/checkout/session/initialize',
        :'ours'::jsonb || '{"idempotency-key": "between-dialects"}', '{"amount": 1000, "email": "a@b.co"}'), 3) AS kobo;
SELECT testing.http('lomi', 'POST', '/checkout-sessions', :'ours'::jsonb || '{"idempotency-key": "between-dialects"}',
    '{"amount": 10, "currency_code": "NGN", "customer_email": "a@b.co"}') AS lomi;
SELECT left(
    testing.http('lomi', 'POST', '/checkout-sessions', :'test'::jsonb || '{"idempotency-key": "scenario"}', :'order'),
    3) AS without;
SELECT left(
    testing.http('lomi', 'POST', '/checkout-sessions',
        :'test'::jsonb || '{"idempotency-key": "scenario", "x-scenario-key": "fail"}', :'order'), 3) AS with_one;

-- A page deep in a list does not need a plan of its own.
\c - postgres
SELECT count(testing.http('lomi', 'GET', '/checkout-sessions', :'ours', NULL, jsonb_build_object('offset', n::text)))
FROM generate_series(1, 10) AS n;
SELECT count(*) AS plans FROM pg_backend_memory_contexts WHERE name = 'CachedPlan' \gset
SELECT count(testing.http('lomi', 'GET', '/checkout-sessions', :'ours', NULL, jsonb_build_object('offset', n::text)))
FROM generate_series(1, 100) AS n;
SELECT count(*) - :plans < 10 AS few_plans_are_kept FROM pg_backend_memory_contexts WHERE name = 'CachedPlan';

-- The open session of a reference only answers a caller that asks for its price.
\c - postgres
SELECT name FROM checkout.update_organization(:'our_id', reference_policy => 'return_existing');
\c - dialect_web
SELECT left(
    testing.http('kobo', 'POST', '/v1/checkout/session/initialize', :'ours',
        '{"amount": 500000, "email": "a@b.co", "reference": "price-1"}'), 3) AS made;
SELECT left(
    testing.http('kobo', 'POST', '/v1/checkout/session/initialize', :'ours',
        '{"amount": 500000, "email": "a@b.co", "reference": "price-1"}'), 3) AS again;
SELECT testing.http('yuno', 'POST', '/v1/checkout/sessions', :'ours',
    '{"merchant_order_id": "price-1", "country": "CO", "amount": {"currency": "COP", "value": 7}}');
SELECT testing.http('kobo', 'POST', '/v1/checkout/session/initialize', :'ours',
    '{"amount": 500001, "email": "a@b.co", "reference": "price-1"}');
SELECT left(
    testing.http('yuno', 'POST', '/v1/checkout/sessions', :'ours',
        '{"merchant_order_id": "price-1", "country": "ng", "amount": {"currency": "ngn", "value": 5000}}'), 3) AS same;
\c - postgres
SELECT name FROM checkout.update_organization(:'our_id', reference_policy => 'none');

-- events in the shapes of the five
-- ---------------------------------------------------------------------------------------
\c - documented_shop
SELECT checkout_session_id AS id
FROM checkout.create_checkout_session(
    12.34, 'GHS', reference => 'order-1', customer_id => 'cus_1', customer_email => 'jane@example.com',
    country => 'GH', description => 'A pair of shoes', success_url => 'https://shop.example/{CHECKOUT_SESSION_ID}',
        cancel_url => 'https://shop.example/cart', metadata => '{"order_id": "1"}') \gset
SELECT status FROM checkout.record_payment(:'id', 'pay_1', 'failed');
SELECT status FROM checkout.record_payment(:'id', 'pay_2', 'succeeded');
SELECT max(event_id) FILTER (WHERE event_type ~ 'completed') AS completed,
    max(event_id) FILTER (WHERE event_type ~ 'failed') AS failed
FROM checkout.list_webhook_events(:'id') \gset
\c - sender
SELECT dialect, testing.unkeyed(checkout.render_webhook_event(:'completed', dialect)) AS body
FROM testing.creations ORDER BY dialect;
-- The session as it was when the event was written
SELECT checkout.render_webhook_event(:'failed', 'paygate')::json #>> '{data,object,status}' AS status;
SELECT checkout.render_webhook_event(:'failed', 'paygate')::json #>> '{data,object,payment}' AS payment;
SELECT testing.outcome(format('SELECT checkout.render_webhook_event(%L, %L)', event_id, dialect)) FROM (VALUES
    (NULL, 'lomi'), (:'completed', NULL), (:'completed', 'nobody'), ('evt_1', 'lomi'), ('', 'lomi'),
    (overlay(:'completed' PLACING 'AAAA' FROM 5), 'lomi')) AS wrong (event_id, dialect);
-- This is for relays, which see all organizations, and for no other role.
\c - dialect_web
SELECT testing.outcome(format('SELECT checkout.render_webhook_event(%L, %L)', :'completed', 'lomi'));
\c - documented_shop
SELECT testing.outcome(format('SELECT checkout.render_webhook_event(%L, %L)', :'completed', 'lomi'));
\c - sender
SELECT testing.outcome($$SELECT checkout.handle_request('lomi', 'GET', '/checkout-sessions')$$);
\c - postgres
DROP TABLE testing.orders;

-- the ids of dialects in SQL
-- ---------------------------------------------------------------------------------------
\c - documented_shop
SELECT body ->> 'id' AS of_paygate, checkout.session_id(body ->> 'id') AS id
FROM checkout.handle_request('paygate', 'POST', '/v1/checkout/sessions',
    body => '{"amount": 1, "success_url": "https://a.example/", "cancel_url": "https://a.example/"}') \gset
SELECT status FROM checkout.get_checkout_session(checkout.session_id(:'of_paygate'));
SELECT checkout.session_id(:'id') = :'id' AS of_the_others;
SELECT testing.outcome(format('SELECT checkout.get_checkout_session(%L)', 'cs_1')) AS not_by_itself;
SELECT id, testing.outcome(format('SELECT checkout.session_id(%L)', id))
FROM unnest('{NULL,"",cs_,cs_1,ORD-1,cs_secret_1}'::text[]) AS id;
