-- Every function of the schema is called by every kind of role.
SELECT checkout.create_organization('Access A') AS a, checkout.create_organization('Access B') AS b \gset
SELECT testing.key(:'a') AS secret_a, testing.key(:'a', 'secret', 'test') AS secret_a_test,
    testing.key(:'a', 'publishable') AS publishable_a, testing.key(:'a', 'restricted') AS restricted_a,
    testing.key(:'b') AS secret_b,
    testing.key(:'a') AS other_key \gset

-- A's live sessions: an open one, an expired one with a late payment, and a paid one, whose event its consumer has
-- leased. B has none. A consumer of all organizations has another name.
SELECT name FROM checkout.create_webhook_consumer('audit');
BEGIN;
SELECT kind FROM checkout.authenticate(:'secret_a');
SELECT name FROM checkout.create_webhook_consumer('jobs');
SELECT checkout_session_id AS open, client_secret AS secret FROM checkout.create_checkout_session(1, 'USD', customer_id
    => 'c') \gset
SELECT checkout_session_id AS sold, client_secret AS sold_secret FROM checkout.create_checkout_session(
    currency_code => 'USD', customer_id => 'c', allow_quantity => true, allow_coupon_code => true,
    require_billing_address => true, lines => '[{"title": "Tea", "amount": 5}]') \gset
SELECT checkout_session_id AS free FROM checkout.create_checkout_session(
    currency_code => 'USD', customer_id => 'c', lines => '[{"title": "Sample", "amount": 0}]') \gset
SELECT status FROM checkout.open_checkout_session(:'open', :'secret');
SELECT testing.new_session(2) AS expired, testing.new_session(3) AS paid \gset
SELECT client_secret AS expired_secret FROM checkout.get_checkout_session(:'expired') \gset
SELECT s.status, p.status
FROM checkout.expire_checkout_session(:'expired') AS s, checkout.record_payment(:'paid', 'access-1', 'succeeded') AS p;
SELECT status FROM checkout.record_payment(:'expired', 'access-late', 'succeeded', 1);
SELECT status FROM checkout.record_refund('access-1', 'refund-0', 1, 'pending');
SELECT p.product_id, c.price_id, d.code
FROM checkout.create_product('Mug', 'mug', on_hand => 10) AS p,
    checkout.create_price(p.product_id, 'USD', 12.5, price_id => 'mug-usd') AS c,
    checkout.create_coupon('TEN', 10) AS d;
SELECT amount FROM checkout.create_checkout_session(8, 'USD', customer_id => 'c', coupon_code => 'TEN');
SELECT testing.subscribe() AS subscription \gset
SELECT event_id AS event, lease_token AS lease FROM checkout.claim_webhook_events('jobs')
WHERE checkout_session_id = :'paid' \gset
COMMIT;
-- In A's test environment, where payments are simulated.
SELECT allow_restart FROM checkout.update_organization(:'a', allow_restart => true);
BEGIN;
SELECT kind FROM checkout.authenticate(:'secret_a_test');
SELECT checkout_session_id AS trial, client_secret AS trial_secret
FROM checkout.create_checkout_session(1, 'USD', customer_id => 'c') \gset
COMMIT;
-- One more event, for the caller that claims next.
BEGIN;
SELECT kind FROM checkout.authenticate(:'secret_a');
SELECT s.status FROM checkout.create_checkout_session(4, 'USD', customer_id => 'c') AS c,
    checkout.expire_checkout_session(c.checkout_session_id) AS s;
COMMIT;
-- From now on A's events go to an endpoint, too: one is leased, one is due, one is dead.
BEGIN;
SELECT kind FROM checkout.authenticate(:'secret_a');
SELECT webhook_endpoint_id AS endpoint FROM checkout.create_webhook_endpoint('https://shop.example/hooks') \gset
SELECT testing.new_session(5) AS tried \gset
SELECT status FROM checkout.expire_checkout_session(:'tried');
COMMIT;
SELECT event_id AS delivered_event, lease_token AS delivery_lease FROM checkout.claim_webhook_deliveries()
WHERE webhook_endpoint_id = :'endpoint' \gset
SELECT status FROM checkout.record_webhook_attempt(:'delivered_event', :'endpoint', :'delivery_lease', 500);
SELECT checkout.redeliver_webhook_events(ARRAY[:'delivered_event']);
SELECT lease_token AS delivery_lease FROM checkout.claim_webhook_deliveries()
WHERE webhook_endpoint_id = :'endpoint' \gset
BEGIN;
SELECT kind FROM checkout.authenticate(:'secret_a');
SELECT status FROM checkout.expire_checkout_session(testing.new_session(6));
SELECT testing.new_session(7) AS dead \gset
SELECT status FROM checkout.expire_checkout_session(:'dead');
COMMIT;
UPDATE checkout_data.webhook_deliveries SET dead_at = now(), next_attempt_at = NULL WHERE subject_id = :'dead';

-- The calls, with arguments that are right for A's live environment; payments are simulated in its test environment.
CREATE TABLE testing.access_calls (function name PRIMARY KEY, arguments text);
INSERT INTO testing.access_calls VALUES
    ('activate_database', ''),
    ('ack_webhook_events', format('''jobs'', ''{%s}'', %L', :'event', :'lease')),
    ('authenticate', quote_literal(:'other_key')),
    ('begin_payment', format('%L, ''access-2''', :'open')),
    ('claim_webhook_events', '''jobs'''),
    ('create_api_key', format('%L, ''secret'', ''live''', :'a')),
    ('create_checkout_session', '1, ''USD'', customer_id => ''c'''),
    ('create_organization', '''Access C'''),
    ('current_environment', ''),
    ('current_organization_id', ''),
    ('expire_checkout_session', quote_literal(:'open')),
    ('expire_due_checkout_sessions', ''),
    ('fold_sessions', ''),
    ('run_maintenance', ''),
    ('get_checkout_session', quote_literal(:'open')),
    ('grant_access', '''access_plain'', ''admin'''),
    ('list_api_keys', quote_literal(:'a')),
    ('list_checkout_sessions', ''),
    ('list_organizations', ''),
    ('export_customer', '''c'''),
    -- It has open sessions.
    ('erase_customer', '''c'''),
    -- Which has another name.
    ('delete_organization', format('%L, ''C''', :'a')),
    ('list_hooks', quote_literal(:'a')),
    ('set_hook', format('%L, ''expired'', NULL', :'a')),
    ('list_admin_log', quote_literal(:'a')),
    ('monitor_figures', ''),
    ('list_payments', quote_literal(:'paid')),
    ('list_refunds', '''access-1'''),
    ('record_refund', '''access-1'', ''refund-1'', 1'),
    ('apply_payment', format('''access-late'', %L', :'open')),
    ('list_webhook_events', ''),
    ('nack_webhook_event', format('''jobs'', %L, %L', :'event', :'lease')),
    ('create_webhook_consumer', '''more'''),
    ('list_webhook_consumers', ''),
    ('delete_webhook_consumer', '''jobs'', true'),
    ('outbox_status', ''),
    ('list_session_lines', quote_literal(:'sold')),
    ('set_quantity', format('%L, NULL, 2', :'sold')),
    -- Its price is fixed, which is for the function to say.
    ('set_unit_amount', format('%L, %L, 5', :'sold', :'sold_secret')),
    ('apply_coupon', format('%L, %L, ''NONE''', :'sold', :'sold_secret')),
    ('remove_coupon', quote_literal(:'sold')),
    ('set_billing_address', format('%L, %L, ''{"country": "SN"}''', :'sold', :'sold_secret')),
    ('complete_free_checkout_session', quote_literal(:'free')),
    ('pre_request', ''),
    ('public_checkout_session', format('%L, %L', :'open', :'secret')),
    ('open_checkout_session', format('%L, %L', :'open', :'secret')),
    ('cancel_checkout_session', format('%L, %L, ''changed_mind''', :'open', :'secret')),
    ('restart_checkout_session', format('%L, %L', :'expired', :'expired_secret')),
    ('simulate_public_payment', format('%L, %L, ''complete''', :'trial', :'trial_secret')),
    ('page_policy', quote_literal(:'open')),
    ('current_credential', ''),
    ('record_payment', format('%L, ''access-2'', ''succeeded''', :'open')),
    ('simulate_payment', '(SELECT checkout_session_id FROM checkout.create_checkout_session(1, ''USD'', customer_id
        => ''c'')), ''complete'''),
    ('recover_checkout_session', quote_literal(:'expired')),
    -- A refusal is an answer of the function.
    ('handle_request', format('''lomi'', ''GET'', %L', '/checkout-sessions/' || :'open')),
    ('render_webhook_event', format('%L, ''lomi''', :'event')),
    ('sign_webhook', $$'m', now(), '', 'whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD'$$),
    ('verify_webhook', $$'{}', '', 'whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD'$$),
    ('redeliver_webhook_events', format('''{%s}''', :'event')),
    ('redirect_url', format('''https://shop.example'', %L', :'open')),
    ('revoke_access', '''access_secret'', ''secret'''),
    ('revoke_api_key', quote_literal(left(:'other_key', 20))),
    ('roll_api_key', quote_literal(left(:'other_key', 20))),
    ('rotate_client_secrets', quote_literal(:'a')),
    ('security_report', ''),
    ('session_funnel', ''),
    ('session_id', quote_literal(:'open')),
    ('create_product', '''Book'', ''book'''),
    ('update_product', '''mug'''),
    ('list_products', ''),
    ('adjust_inventory', '''mug'', 1'),
    ('create_price', '''mug'', ''USD'', 11'),
    ('update_price', '''mug-usd'''),
    ('list_prices', '''mug'''),
    ('create_coupon', '''FIVE'', 5'),
    ('update_coupon', '''TEN'''),
    ('list_coupons', ''),
    ('coupon_performance', ''),
    ('get_subscription', quote_literal(:'subscription')),
    ('list_subscriptions', ''),
    ('cancel_subscription', quote_literal(:'subscription')),
    ('resume_subscription', quote_literal(:'subscription')),
    ('update_organization', quote_literal(:'a')),
    ('create_webhook_endpoint', '''https://shop.example/more'''),
    ('list_webhook_endpoints', ''),
    ('update_webhook_endpoint', quote_literal(:'endpoint')),
    ('delete_webhook_endpoint', format('%L, true', :'endpoint')),
    ('roll_webhook_secret', quote_literal(:'endpoint')),
    ('list_webhook_deliveries', quote_literal(:'endpoint')),
    ('list_webhook_attempts', quote_literal(:'delivered_event')),
    ('claim_webhook_deliveries', ''),
    ('record_webhook_attempt', format('%L, %L, %L, 200', :'delivered_event', :'endpoint', :'delivery_lease')),
    ('record_webhook_attempts', format(
        '''[{"event_id": "%s", "webhook_endpoint_id": "%s", "lease_token": "%s", "status_code": 200}]''',
        :'delivered_event', :'endpoint', :'delivery_lease')),
    ('release_webhook_delivery', format('%L, %L, %L', :'delivered_event', :'endpoint', :'delivery_lease')),
    ('next_webhook_attempt_at', ''),
    ('list_dead_webhook_deliveries', format('organization_id => %L', :'a')),
    ('verify_restore', ''),
    ('worker_status', ''),
    -- These are given a row of a view.
    ('prices', 'jsonb_populate_record(NULL::checkout.products, ''{"product_id": "mug"}'')'),
    ('product', 'jsonb_populate_record(NULL::checkout.prices, ''{"product_id": "mug"}'')'),
    ('subscription', format('jsonb_populate_record(NULL::checkout.session_periods, ''{"subscription_id": "%s"}'')',
        :'subscription')),
    ('session_periods', format('jsonb_populate_record(NULL::checkout.subscriptions, ''{"subscription_id": "%s"}'')',
        :'subscription')),
    ('inventory_changes', 'jsonb_populate_record(NULL::checkout.products, ''{"product_id": "mug"}'')'),
    ('payments', format('jsonb_populate_record(NULL::checkout.checkout_sessions, ''{"checkout_session_id": "%s"}'')',
        :'paid')),
    ('checkout_session', format('jsonb_populate_record(NULL::checkout.payments, ''{"checkout_session_id": "%s"}'')',
        :'paid')),
    ('refunds', 'jsonb_populate_record(NULL::checkout.payments, ''{"payment_id": "access-1"}'')'),
    ('payment', 'jsonb_populate_record(NULL::checkout.refunds, ''{"payment_id": "access-1"}'')'),
    ('webhook_events', format('jsonb_populate_record(NULL::checkout.checkout_sessions, '
        '''{"checkout_session_id": "%s"}'')', :'paid')),
    ('session_lines', format('jsonb_populate_record(NULL::checkout.checkout_sessions, '
        '''{"checkout_session_id": "%s"}'')',
        :'sold')),
    ('session_terms', format('jsonb_populate_record(NULL::checkout.checkout_sessions, '
        '''{"checkout_session_id": "%s"}'')',
        :'sold')),
    ('session_visits', format('jsonb_populate_record(NULL::checkout.checkout_sessions, '
        '''{"checkout_session_id": "%s"}'')',
        :'open')),
    ('webhook_deliveries', format('jsonb_populate_record(NULL::checkout.webhook_events, '
        '''{"subject_id": "%s", "sequence": 1}'')', :'dead')),
    ('webhook_attempts', format(
        'jsonb_populate_record(NULL::checkout.webhook_deliveries, ''{"subject_id": "%s", "sequence": 1, '
            '"webhook_endpoint_id": "%s"}'')', :'tried', :'endpoint'));
SELECT p.oid::regprocedure AS without_a_call
FROM pg_proc p
WHERE p.pronamespace = 'checkout'::regnamespace
    AND NOT EXISTS (SELECT FROM testing.access_calls c WHERE c.function = p.proname);
SELECT c.function AS gone FROM testing.access_calls c
WHERE NOT EXISTS (SELECT FROM pg_proc p WHERE p.pronamespace = 'checkout'::regnamespace AND p.proname = c.function);

-- The callers: the role that connects, the role that it takes, its organization's setting, and the credential that it
-- presents. request access is PostgREST's anonymous role: with a key it is the holder of the key.
CREATE ROLE access_request NOLOGIN;
CREATE ROLE access_authenticator LOGIN NOINHERIT;
CREATE ROLE access_secret LOGIN;
CREATE ROLE access_restricted LOGIN;
CREATE ROLE access_publishable LOGIN;
CREATE ROLE access_relay LOGIN;
CREATE ROLE access_monitor LOGIN;
CREATE ROLE access_admin LOGIN;
CREATE ROLE access_plain LOGIN;
GRANT access_request TO access_authenticator;
SELECT access, checkout.grant_access('access_' || access, access)
FROM unnest('{request,authenticator,secret,restricted,publishable,relay,monitor,admin}'::text[]) AS access;
CREATE TABLE testing.access_callers (n serial, caller text, session name, role name, organization text, api_key text,
    claims text);
INSERT INTO testing.access_callers (caller, session, role, organization, api_key, claims) VALUES
    ('anonymous', 'access_authenticator', 'access_request', '', '', ''),
    ('publishable_a', 'access_authenticator', 'access_request', '', :'publishable_a', ''),
    ('restricted_a', 'access_authenticator', 'access_request', '', :'restricted_a', ''),
    ('secret_a_test', 'access_authenticator', 'access_request', '', :'secret_a_test', ''),
    ('secret_a', 'access_authenticator', 'access_request', '', :'secret_a', ''),
    ('secret_b', 'access_authenticator', 'access_request', '', :'secret_b', ''),
    ('token_a', 'access_authenticator', 'access_request', '', '', format('{"organization_id":"%s"}', :'a')),
    ('role_secret', 'access_secret', 'access_secret', :'a', '', ''),
    ('role_restricted', 'access_restricted', 'access_restricted', :'a', '', ''),
    ('role_publishable', 'access_publishable', 'access_publishable', :'a', '', ''),
    ('relay', 'access_relay', 'access_relay', '', '', ''),
    ('monitor', 'access_monitor', 'access_monitor', '', '', ''),
    ('authenticator', 'access_authenticator', 'access_authenticator', '', '', ''),
    ('admin', 'access_admin', 'access_admin', '', '', ''),
    ('plain', 'access_plain', 'access_plain', :'a', '', '');

-- The outcome of a call, whose effects are rolled back.
CREATE FUNCTION testing.access(caller testing.access_callers, call text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    n bigint;
BEGIN
    PERFORM set_config('checkout_sessions.organization_id', caller.organization, true),
        set_config('request.jwt.claims', caller.claims, true), set_config('session_authorization', caller.session,
            true);
    EXECUTE format('SET LOCAL ROLE %I', caller.role);
    IF caller.api_key <> '' THEN
        PERFORM checkout.authenticate(caller.api_key);
    ELSIF caller.claims <> '' THEN
        PERFORM checkout.pre_request();
    END IF;
    EXECUTE call;
    GET DIAGNOSTICS n = ROW_COUNT;
    -- A report may be empty; the number of its findings depends on the tests before.
    RAISE EXCEPTION USING ERRCODE = 'ZZ999',
        MESSAGE = CASE WHEN n > 0 OR call ~ 'security_report' THEN 'allowed' ELSE 'no rows' END;
EXCEPTION WHEN OTHERS THEN
    RETURN CASE SQLSTATE WHEN 'ZZ999' THEN SQLERRM ELSE SQLSTATE END;
END $$;
CREATE TABLE testing.access_matrix AS
SELECT p.proname, c.caller, testing.access(c, format('SELECT * FROM checkout.%I(%s)', p.proname, a.arguments)) AS
    outcome
FROM pg_proc p LEFT JOIN testing.access_calls a ON a.function = p.proname, testing.access_callers c
WHERE p.pronamespace = 'checkout'::regnamespace;

-- Who acts for all organizations acts on their consumers.
SELECT c.caller, call, testing.access(c, call) AS outcome
FROM testing.access_callers c, unnest(ARRAY[
    'SELECT * FROM checkout.list_webhook_consumers()', 'SELECT * FROM checkout.claim_webhook_events(''audit'')',
    'SELECT * FROM checkout.create_webhook_consumer(''audit'', ''{webhook_endpoint.*}'')',
    'SELECT * FROM checkout.delete_webhook_consumer(''audit'', true)']) AS call
WHERE c.caller IN ('relay', 'admin') ORDER BY 1, 2;

-- The holders of credentials. PT404 is the answer to callers for whom A's live sessions do not exist.
SELECT proname AS function,
    max(outcome) FILTER (WHERE caller = 'anonymous') AS anonymous,
    max(outcome) FILTER (WHERE caller = 'publishable_a') AS publishable_a,
    max(outcome) FILTER (WHERE caller = 'restricted_a') AS restricted_a,
    max(outcome) FILTER (WHERE caller = 'secret_a_test') AS secret_a_test,
    max(outcome) FILTER (WHERE caller = 'secret_a') AS secret_a,
    max(outcome) FILTER (WHERE caller = 'secret_b') AS secret_b,
    max(outcome) FILTER (WHERE caller = 'token_a') AS token_a
FROM testing.access_matrix GROUP BY proname ORDER BY proname;
-- The roles
SELECT proname AS function,
    max(outcome) FILTER (WHERE caller = 'role_secret') AS secret_a,
    max(outcome) FILTER (WHERE caller = 'role_restricted') AS restricted_a,
    max(outcome) FILTER (WHERE caller = 'role_publishable') AS publishable_a,
    max(outcome) FILTER (WHERE caller = 'relay') AS relay,
    max(outcome) FILTER (WHERE caller = 'monitor') AS monitor,
    max(outcome) FILTER (WHERE caller = 'authenticator') AS authenticator,
    max(outcome) FILTER (WHERE caller = 'admin') AS admin,
    max(outcome) FILTER (WHERE caller = 'plain') AS plain
FROM testing.access_matrix GROUP BY proname ORDER BY proname;
-- Every call is right: some caller may make it, or the superuser may.
SELECT m.proname AS for_nobody,
    testing.access(c, format('SELECT * FROM checkout.%I(%s)', m.proname, a.arguments)) AS superuser
FROM (SELECT proname FROM testing.access_matrix GROUP BY proname HAVING NOT bool_or(outcome = 'allowed')) AS m
    JOIN testing.access_calls a ON a.function = m.proname,
    LATERAL (SELECT ROW(0, 'superuser', 'postgres', 'postgres', :'a', '', '')::testing.access_callers) AS s (c)
ORDER BY m.proname;
-- A restricted credential may do what a secret one may and what changes nothing. The exceptions take a client_secret,
-- which anyone may present; present credentials; serve requests; and simulate_payment is for the test environment.
SELECT m.proname AS function, p.provolatile AS volatility
FROM testing.access_matrix m
    JOIN testing.access_matrix s ON s.proname = m.proname AND s.caller = 'secret_a'
    JOIN pg_proc p ON p.proname = m.proname AND p.pronamespace = 'checkout'::regnamespace
WHERE m.caller = 'restricted_a' AND (m.outcome <> s.outcome) <> (p.provolatile = 'v' AND s.outcome = 'allowed')
ORDER BY 1;
-- Every view is read by every kind of caller: as a whole, counted, and in a join with a table of the caller's.
CREATE TABLE testing.view_orders (checkout_session_id uuid);
GRANT SELECT ON testing.view_orders TO PUBLIC;
INSERT INTO testing.view_orders VALUES (:'paid');
-- Every view has a row for secret_a: from Postgres 16 on a join is refused only if the view has something to hide.
INSERT INTO checkout_data.hook_failures
VALUES (:'a', 'live', gen_random_uuid(), :'paid', 'completed', 'shop.ship()', 'P0001', 'no ship', now());
CREATE TABLE testing.view_matrix AS
SELECT v.relname, c.caller, testing.access(c, format('TABLE checkout.%I', v.relname)) AS outcome,
    testing.access(c, format('SELECT count(*) FROM checkout.%I', v.relname)) AS counted,
    testing.access(c, format('SELECT FROM testing.view_orders LEFT JOIN checkout.%I ON true', v.relname))
        AS joined
FROM pg_class v, testing.access_callers c WHERE v.relnamespace = 'checkout'::regnamespace AND v.relkind = 'v';
SELECT relname AS view,
    max(outcome) FILTER (WHERE caller = 'anonymous') AS anonymous,
    max(outcome) FILTER (WHERE caller = 'publishable_a') AS publishable_a,
    max(outcome) FILTER (WHERE caller = 'restricted_a') AS restricted_a,
    max(outcome) FILTER (WHERE caller = 'secret_a_test') AS secret_a_test,
    max(outcome) FILTER (WHERE caller = 'secret_a') AS secret_a,
    max(outcome) FILTER (WHERE caller = 'secret_b') AS secret_b,
    max(outcome) FILTER (WHERE caller = 'token_a') AS token_a
FROM testing.view_matrix GROUP BY 1 ORDER BY 1;
SELECT relname AS view,
    max(outcome) FILTER (WHERE caller = 'role_secret') AS secret_a,
    max(outcome) FILTER (WHERE caller = 'role_restricted') AS restricted_a,
    max(outcome) FILTER (WHERE caller = 'role_publishable') AS publishable_a,
    max(outcome) FILTER (WHERE caller = 'relay') AS relay,
    max(outcome) FILTER (WHERE caller = 'monitor') AS monitor,
    max(outcome) FILTER (WHERE caller = 'authenticator') AS authenticator,
    max(outcome) FILTER (WHERE caller = 'admin') AS admin,
    max(outcome) FILTER (WHERE caller = 'plain') AS plain
FROM testing.view_matrix GROUP BY 1 ORDER BY 1;
DELETE FROM checkout_data.hook_failures WHERE message = 'no ship';
-- A count and a join are refused in the same way. If there is nothing to see, a count is a row all the same.
SELECT * FROM testing.view_matrix
WHERE outcome NOT IN ('allowed', 'no rows') AND (counted <> outcome OR joined <> outcome)
    OR outcome IN ('allowed', 'no rows') AND (counted <> 'allowed' OR joined <> 'allowed');
-- Nobody may write to a view, not even a superuser.
SELECT v.relname, what, testing.access(c, format(statement, v.relname)) AS secret_a,
    testing.access(ROW(0, 'superuser', 'postgres', 'postgres', :'a', '', ''), format(statement, v.relname)) AS superuser
FROM pg_class v, testing.access_callers c, (VALUES ('insert', 'INSERT INTO checkout.%I (created_at) VALUES (now())'),
    ('update', 'UPDATE checkout.%I SET organization_id = organization_id'), ('delete', 'DELETE FROM checkout.%I'))
    AS s (what, statement)
WHERE v.relnamespace = 'checkout'::regnamespace AND v.relkind = 'v' AND c.caller = 'role_secret' ORDER BY 1, 2;

-- The following tests have no endpoints and no consumers.
CALL testing.forget_receivers();
