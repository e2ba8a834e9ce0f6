-- A publishable key is for browsers, where everyone can read it: it creates sessions, and can do nothing else.
SELECT checkout.create_organization('Publishable') AS organization \gset
SELECT testing.key(:'organization', 'publishable') AS public_key, testing.key(:'organization') AS secret_key,
    testing.key(:'organization', 'publishable', 'test') AS test_key \gset
-- A session and an event of the organization, made by its server.
SELECT set_config('checkout_sessions.organization_id', :'organization', false) IS NOT NULL AS set;
SELECT checkout_session_id AS paid, client_secret FROM checkout.create_checkout_session(1, 'USD', customer_id =>
    'c') \gset
SELECT checkout_session_id AS expired FROM checkout.create_checkout_session(2, 'USD', customer_id => 'c') \gset
SELECT checkout_session_id AS open FROM checkout.create_checkout_session(3, 'USD', customer_id => 'c', idempotency_key
    => 'server') \gset
SELECT p.status, s.status FROM checkout.record_payment(:'paid', 'publishable-1', 'succeeded') AS p,
    checkout.expire_checkout_session(:'expired') AS s;
RESET checkout_sessions.organization_id;

-- Runs a statement with a key, and rolls it back.
CREATE FUNCTION testing.with_key(key text, statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    outcome text;
BEGIN
    PERFORM checkout.authenticate(key);
    outcome := testing.outcome(statement);
    RAISE SQLSTATE 'ZZ999';
EXCEPTION WHEN SQLSTATE 'ZZ999' THEN RETURN outcome;
END $$;
\c - visitor

-- It creates a session, marked with the key, and can read the buyer's page with the client secret.
BEGIN;
SELECT kind, environment FROM checkout.authenticate(:'public_key');
SELECT checkout.current_organization_id() = :'organization' AS for_it;
SELECT checkout.current_environment();
SELECT checkout_session_id AS id, client_secret AS secret, status, created_by = left(:'public_key', 20) AS by_the_key,
    created_with, customer_email, metadata
FROM checkout.create_checkout_session(10, 'USD', title => 'From a browser', customer_email => 'jane@example.com',
    metadata => '{"cart": 7}', idempotency_key => 'browser',
    success_url => 'https://shop.example/{CHECKOUT_SESSION_ID}') \gset
\echo :status by the key :by_the_key, :created_with, :customer_email :metadata
COMMIT;
SELECT title, amount, status FROM checkout.public_checkout_session(:'id', :'secret');
-- In test and in live
BEGIN;
SELECT kind, environment FROM checkout.authenticate(:'test_key');
SELECT environment, created_by = left(:'test_key', 20) AS by_the_key FROM checkout.create_checkout_session(10, 'USD',
    customer_id => 'c');
COMMIT;
-- Its own request, sent again, is answered again, like any other.
BEGIN;
SELECT kind FROM checkout.authenticate(:'public_key');
SELECT checkout_session_id = :'id' AS same, client_secret = :'secret' AS same_secret, idempotent_replay
FROM checkout.create_checkout_session(10, 'USD', title => 'From a browser', customer_email => 'jane@example.com',
    metadata => '{"cart": 7}', idempotency_key => 'browser',
    success_url => 'https://shop.example/{CHECKOUT_SESSION_ID}');
COMMIT;

-- All other functions are for servers, even on its own session; the secret key proves that the calls are right.
\a
SELECT testing.masked(call) AS call, testing.with_key(:'public_key', 'SELECT * FROM checkout.' || call) AS publishable,
    testing.with_key(:'secret_key', 'SELECT * FROM checkout.' || call) AS secret
FROM unnest(ARRAY[
    format('get_checkout_session(%L)', :'id'), format('get_checkout_session(%L)', :'open'), 'list_checkout_sessions()',
    'list_checkout_sessions(customer_email => ''jane@example.com'')', format('expire_checkout_session(%L)', :'id'),
    format('recover_checkout_session(%L)', :'expired'), format('begin_payment(%L, ''p'')', :'id'),
    format('record_payment(%L, ''p'', ''succeeded'')', :'id'), format('list_payments(%L)', :'paid'),
    'list_payments()', format('apply_payment(''publishable-1'', %L)', :'open'),
    'record_refund(''publishable-1'', ''r'', 1)', 'list_refunds(''publishable-1'')',
    'list_webhook_events()', format('list_webhook_events(%L)', :'paid'), 'session_funnel()',
    format('redirect_url(''https://a.example'', %L)', :'id'), 'current_organization_id()', 'current_environment()',
    'create_checkout_session(1, ''USD'', customer_id => ''c'')',
    format('public_checkout_session(%L, %L)', :'paid', :'client_secret'), 'pre_request()'
]) AS call
\g | sed -E 's/cs_secret_[A-Za-z0-9_-]+/<client secret>/g'
-- The refusal comes before the check of the arguments.
SELECT call, testing.with_key(:'public_key', 'SELECT * FROM checkout.' || call) AS publishable
FROM unnest(ARRAY[
    'get_checkout_session(NULL)', 'list_checkout_sessions(status => ''x'')', 'begin_payment(NULL, NULL)',
    'record_payment(gen_random_uuid(), NULL, NULL)', 'session_funnel(bucket => ''x'')',
    'create_product(NULL)', 'update_product(''mug'')', 'list_products()', 'adjust_inventory(''mug'', 1)',
    'create_price(''mug'', ''USD'', 1)', 'update_price(''p'')', 'list_prices()', 'create_coupon(''TEN'', 10)',
    'update_coupon(''TEN'')', 'list_coupons()', 'coupon_performance()',
    'recover_checkout_session(gen_random_uuid())', 'apply_payment(NULL, NULL)', 'record_refund(NULL, NULL)',
    'list_refunds(NULL)'
]) AS call;
\a
-- It has idempotency keys of its own, apart from those of servers: a key that a browser guesses answers no other
-- caller.
BEGIN;
SELECT kind FROM checkout.authenticate(:'public_key');
SELECT checkout_session_id <> :'open' AS another, idempotent_replay, created_with
FROM checkout.create_checkout_session(3, 'USD', customer_id => 'c', idempotency_key => 'server');
SELECT testing.outcome(
    'SELECT checkout.create_checkout_session(99, ''USD'', customer_id => ''c'', idempotency_key => ''server'')');
SELECT kind FROM checkout.authenticate(:'secret_key');
SELECT checkout_session_id = :'open' AS same, idempotent_replay, created_with FROM checkout.create_checkout_session(3,
    'USD', customer_id => 'c', idempotency_key => 'server');
SELECT checkout_session_id <> :'id' AS another, idempotent_replay, created_with FROM checkout.create_checkout_session(1,
    'USD', customer_id => 'c', idempotency_key => 'browser');
COMMIT;
-- Its own key with another request is an error, as for every caller.
SELECT testing.with_key(:'public_key',
    'SELECT checkout.create_checkout_session(1, ''USD'', customer_id => ''c'', idempotency_key => ''browser'')');

-- References can be guessed, too, so its sessions are not under the organization's policy. It can neither read nor end
-- an existing session, and does not block others; a server does not block itself.
\c - postgres
CREATE FUNCTION testing.second_order(first_key text, second_key text, policy text, first text) RETURNS text LANGUAGE
    plpgsql AS $$
DECLARE
    organization uuid;
    before uuid;
    answer text;
BEGIN
    SELECT a.organization_id INTO organization FROM checkout.authenticate(first_key) AS a;
    PERFORM checkout.update_organization(organization, reference_policy => policy);
    SELECT s.checkout_session_id INTO before FROM checkout.create_checkout_session(5, 'USD', customer_id => 'first',
        reference => 'order-1') AS s;
    PERFORM testing.age(before, '2 hours') WHERE first = 'overdue';
    PERFORM checkout.authenticate(second_key);
    BEGIN
        SELECT CASE s.checkout_session_id WHEN before THEN 'the first' ELSE 'another' END INTO answer
        FROM checkout.create_checkout_session(6, 'USD', customer_id => 'second', reference => 'order-1') AS s;
    EXCEPTION WHEN OTHERS THEN
        answer := SQLSTATE;
    END;
    answer := answer || '; the first is ' || (
        SELECT CASE WHEN s.status = 'open' AND o.deadline IS NULL THEN 'swept' ELSE s.status END
        FROM checkout_data.checkout_sessions s
            LEFT JOIN checkout_data.open_sessions o USING (organization_id, environment, checkout_session_id)
        WHERE s.checkout_session_id = before);
    RAISE SQLSTATE 'ZZ999';
EXCEPTION WHEN SQLSTATE 'ZZ999' THEN RETURN answer;
END $$;
SELECT policy, first, testing.second_order(:'secret_key', :'public_key', policy, first) AS browser_after_server,
    testing.second_order(:'public_key', :'secret_key', policy, first) AS server_after_browser,
    testing.second_order(:'public_key', :'public_key', policy, first) AS browser_after_browser,
        testing.second_order(:'secret_key', :'secret_key', policy, first) AS server_after_server
FROM unnest('{none,unique,error,return_existing,expire_previous}'::text[]) AS policy, unnest('{open,overdue}'::text[])
    AS first ORDER BY first, policy;
-- This holds when a server recovers a browser's session, too: it still counts as the browser's.
SELECT name FROM checkout.update_organization(:'organization', reference_policy => 'unique');
BEGIN;
SELECT kind FROM checkout.authenticate(:'public_key');
SELECT checkout_session_id AS of_browser FROM checkout.create_checkout_session(7, 'USD', customer_id => 'c', reference
    => 'order-2') \gset
SELECT kind FROM checkout.authenticate(:'secret_key');
SELECT created_with FROM checkout.create_checkout_session(8, 'USD', customer_id => 'c', reference => 'order-2');
SELECT status, created_with FROM checkout.expire_checkout_session(:'of_browser');
SELECT reference, amount, created_with, created_by = left(:'secret_key', 20) AS by_the_server
FROM checkout.recover_checkout_session(:'of_browser');
-- The server sees which caller has set the amount: in each session and in its list.
SELECT amount, created_with FROM checkout.list_checkout_sessions(reference => 'order-2') ORDER BY amount, created_with;
ROLLBACK;
SELECT name FROM checkout.update_organization(:'organization', reference_policy => 'none');

-- A role with publishable access has the same rights without a key.
CREATE ROLE window_shop LOGIN;
SELECT testing.bind('window_shop', :'organization');
SELECT checkout.grant_access('window_shop', 'publishable');
CREATE ROLE window_shop_tenantless LOGIN;
SELECT checkout.grant_access('window_shop_tenantless', 'publishable');
-- Grants made by mistake do not make it more than publishable.
GRANT EXECUTE ON FUNCTION checkout.list_checkout_sessions TO window_shop;
\c - window_shop
SELECT checkout_session_id AS id, client_secret AS secret, status, created_by, payment_methods
FROM checkout.create_checkout_session(11, 'USD', title => 'Window', customer_id => 'c') \gset
\echo :status by :created_by with :payment_methods
SELECT title, status FROM checkout.public_checkout_session(:'id', :'secret');
SELECT checkout.current_organization_id() = :'organization' AS own;
SELECT checkout.current_environment();
SELECT checkout.redirect_url('https://shop.example/{CHECKOUT_SESSION_ID}', :'id') LIKE '%' || :'id' AS redirects;
SELECT testing.outcome('SELECT checkout.list_checkout_sessions()');
SELECT call, testing.outcome('SELECT * FROM checkout.' || call) LIKE '42501: permission denied for function %' AS denied
FROM unnest(ARRAY['get_checkout_session(NULL)', 'begin_payment(NULL, NULL)', 'expire_checkout_session(NULL)',
    'list_payments(NULL)', 'list_webhook_events()', 'session_funnel()', 'authenticate(NULL)', 'pre_request()',
    'list_api_keys()']) AS call;
\c - window_shop_tenantless
SELECT testing.outcome('SELECT checkout.create_checkout_session(1, ''USD'', customer_id => ''c'')');
\c - postgres
REVOKE EXECUTE ON FUNCTION checkout.list_checkout_sessions FROM window_shop;
-- With secret access besides, it is a secret one; after that access is revoked, it is not.
SELECT checkout.grant_access('window_shop', 'secret');
\c - window_shop
SELECT count(*) > 0 AS lists FROM checkout.list_checkout_sessions();
\c - postgres
SELECT checkout.revoke_access('window_shop', 'secret');
\c - window_shop
SELECT testing.outcome('SELECT checkout.list_checkout_sessions()');
SELECT testing.outcome('SELECT checkout.create_checkout_session(1, ''USD'', customer_id => ''c'')');

-- Browsers may store only a limited amount: a session's metadata, and the open sessions of a key, have bounds.
\c - visitor
SELECT length, testing.with_key(
        :'public_key', format($$SELECT checkout.create_checkout_session(1, 'USD', customer_id => 'c',
    metadata => jsonb_build_object('a', repeat('m', %s)))$$, length)) AS publishable
FROM unnest(ARRAY[4000, 5000]) AS length;
SELECT testing.with_key(:'secret_key', $$SELECT checkout.create_checkout_session(1, 'USD', customer_id => 'c',
    metadata => jsonb_build_object('a', repeat('m', 5000)))$$) AS secret;
\c - postgres
SELECT testing.key(:'organization', 'publishable') AS limited_key,
    testing.key(:'organization', 'publishable') AS another_key \gset
SET checkout_sessions.publishable_session_limit = 2;
BEGIN;
SELECT kind FROM checkout.authenticate(:'limited_key');
SELECT status FROM checkout.create_checkout_session(1, 'USD', customer_id => 'c', idempotency_key => 'limit-1');
SELECT checkout_session_id AS ends FROM checkout.create_checkout_session(2, 'USD', customer_id => 'c') \gset
COMMIT;
SELECT testing.with_key(:'limited_key', $$SELECT checkout.create_checkout_session(3, 'USD', customer_id => 'c')$$)
    AS third,
    testing.with_key(:'limited_key', $$SELECT checkout.create_checkout_session(1, 'USD', customer_id => 'c',
        idempotency_key => 'limit-1')$$) AS the_first_again,
    testing.with_key(:'another_key', $$SELECT checkout.create_checkout_session(3, 'USD', customer_id => 'c')$$)
    AS another_key,
    testing.with_key(:'secret_key', $$SELECT checkout.create_checkout_session(3, 'USD', customer_id => 'c')$$)
    AS a_server;
SELECT status, body FROM checkout.handle_request('kobo', 'POST', '/v1/checkout/session/initialize',
    jsonb_build_object('x-api-key', :'limited_key'), body => '{"amount": 500000, "email": "a@b.co"}');
-- A session that ends makes room.
BEGIN;
SELECT kind FROM checkout.authenticate(:'secret_key');
SELECT status FROM checkout.expire_checkout_session(:'ends');
COMMIT;
SELECT testing.with_key(:'limited_key', $$SELECT checkout.create_checkout_session(3, 'USD', customer_id => 'c')$$)
    AS third;
SET checkout_sessions.publishable_session_limit = -1;
SELECT testing.with_key(:'limited_key',
    $$SELECT checkout.create_checkout_session(generate_series(1, 5), 'USD', customer_id =>
    'c')$$) AS no_limit;
RESET checkout_sessions.publishable_session_limit;

-- Browsers cannot choose how a session ends, not even in the test environment.
SELECT scenario, a.status, a.body
FROM unnest(ARRAY['complete', 'fail', 'expire', 'error:503']) AS scenario,
    LATERAL checkout.handle_request('kobo', 'POST', '/v1/checkout/session/initialize',
        jsonb_build_object('x-api-key', :'test_key', 'x-scenario-key', scenario), body =>
        '{"amount": 500000, "email": "a@b.co"}') AS a;
