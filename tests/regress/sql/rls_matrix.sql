-- Each kind of role tries each function and each table.
SELECT checkout.create_organization('Matrix A') AS a, checkout.create_organization('Matrix B') AS b \gset
SELECT testing.login('matrix_a', :'a');
SELECT testing.login('matrix_b', :'b');
CREATE ROLE matrix_relay LOGIN;
CREATE ROLE matrix_admin LOGIN;
CREATE ROLE matrix_tenantless LOGIN;
CREATE ROLE matrix_nobody LOGIN;
SELECT checkout.grant_access('matrix_relay', 'relay');
SELECT checkout.grant_access('matrix_admin', 'admin');
SELECT checkout.grant_access('matrix_tenantless', 'secret');

-- A's: an open, an expired and a paid session, with payments, a refund and events; B has one session.
SELECT name FROM checkout.create_webhook_consumer('audit');
SET checkout_sessions.organization_id = :'a';
SELECT name FROM checkout.create_webhook_consumer('jobs');
SELECT testing.new_session(1) AS open, testing.new_session(2) AS expired, testing.new_session(3) AS paid \gset
SELECT s.status, p.status
FROM checkout.expire_checkout_session(:'expired') AS s, checkout.record_payment(:'paid', 'matrix-1', 'succeeded') AS p;
SELECT status FROM checkout.record_payment(:'expired', 'matrix-late', 'succeeded', 1);
SELECT status FROM checkout.record_refund('matrix-1', 'refund-0', 1);
SELECT count(*) FROM checkout.create_checkout_session(4, 'USD', customer_id => 'c', idempotency_key => 'matrix');
-- A catalog, and a session with a coupon.
SELECT p.product_id, c.price_id, d.code
FROM checkout.create_product('Mug', 'mug', on_hand => 10) AS p,
    checkout.create_price(p.product_id, 'USD', 12.5, price_id => 'mug-usd') AS c,
    checkout.create_coupon('TEN', 10) AS d;
SELECT amount FROM checkout.create_checkout_session(8, 'USD', customer_id => 'c', coupon_code => 'TEN');
SELECT testing.subscribe() AS subscription \gset
SELECT event_id AS event FROM checkout.list_webhook_events(:'paid', 'checkout.session.completed') \gset
SELECT client_secret FROM checkout.get_checkout_session(:'open') \gset
SELECT client_secret AS expired_secret FROM checkout.get_checkout_session(:'expired') \gset
SELECT status FROM checkout.open_checkout_session(:'open', :'client_secret');
SELECT api_key_id, api_key FROM checkout.create_api_key(:'a', 'secret', 'live') \gset
-- From now on its events go to an endpoint, too: one was tried and is leased, one is due, one is dead.
SELECT webhook_endpoint_id AS endpoint FROM checkout.create_webhook_endpoint('https://shop.example/hooks') \gset
SELECT testing.new_session(6) AS tried, testing.new_session(7) AS due, testing.new_session(9) AS dead \gset
SELECT status FROM checkout.expire_checkout_session(:'tried');
SELECT event_id AS tried_event, lease_token AS lease
FROM checkout.claim_webhook_deliveries() WHERE webhook_endpoint_id = :'endpoint' \gset
SELECT status FROM checkout.record_webhook_attempt(:'tried_event', :'endpoint', :'lease', 500);
SELECT checkout.redeliver_webhook_events(ARRAY[:'tried_event']);
SELECT lease_token AS lease FROM checkout.claim_webhook_deliveries() WHERE webhook_endpoint_id = :'endpoint' \gset
SELECT s.status FROM unnest(ARRAY[:'due', :'dead']::uuid[]) AS id, checkout.expire_checkout_session(id) AS s;
UPDATE checkout_data.webhook_deliveries SET dead_at = now(), next_attempt_at = NULL WHERE subject_id = :'dead';
SET checkout_sessions.organization_id = :'b';
SELECT testing.new_session(5) AS of_b \gset
SELECT webhook_endpoint_id AS endpoint_of_b FROM checkout.create_webhook_endpoint('https://shop.example/hooks') \gset
SELECT status FROM checkout.record_payment(testing.new_session(8), 'matrix-1', 'succeeded');
SELECT status FROM checkout.record_payment(testing.new_session(9), 'matrix-of-b', 'succeeded', 8);
SELECT product_id FROM checkout.create_product('Plate', 'of-b', on_hand => 1);
SELECT price_id FROM checkout.create_price('of-b', 'USD', 1, price_id => 'of-b');
SELECT code FROM checkout.create_coupon('of-b', 1);
SELECT event_id AS event_of_b
FROM checkout.list_webhook_events(event_type => 'checkout.session.completed') \gset
SELECT testing.subscribe() AS subscription_of_b \gset
RESET checkout_sessions.organization_id;

-- Runs a statement as a role, and always rolls it back.
CREATE FUNCTION testing.try_as(role name, organization text, statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    n bigint;
BEGIN
    PERFORM set_config('checkout_sessions.organization_id', organization, true);
    EXECUTE format('SET LOCAL ROLE %I', role);
    EXECUTE statement;
    GET DIAGNOSTICS n = ROW_COUNT;
    RAISE EXCEPTION USING ERRCODE = 'ZZ999', MESSAGE = n;
EXCEPTION WHEN OTHERS THEN
    RETURN CASE SQLSTATE WHEN 'ZZ999' THEN SQLERRM ELSE SQLSTATE END;
END $$;

CREATE TABLE testing.calls (n serial, function text, arguments text);
INSERT INTO testing.calls (function, arguments) VALUES
    ('create_checkout_session', '1, ''USD'', customer_id => ''c'''), ('get_checkout_session', quote_literal(:'open')),
    ('list_checkout_sessions', ''),
    ('expire_checkout_session', quote_literal(:'open')), ('recover_checkout_session', quote_literal(:'expired')),
    ('begin_payment', format('%L, ''matrix-2''', :'open')),
    ('record_payment', format('%L, ''matrix-2'', ''succeeded''', :'open')),
    ('apply_payment', format('''matrix-late'', %L', :'open')), ('list_refunds', '''matrix-1'''),
    ('record_refund', '''matrix-1'', ''refund-1'', 1'),
    ('simulate_payment', format('%L, ''complete''', :'open')),
    ('list_payments', quote_literal(:'paid')), ('list_webhook_events', ''), ('session_funnel', ''),
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
    ('get_subscription', quote_literal(:'subscription')), ('list_subscriptions', ''),
    ('cancel_subscription', quote_literal(:'subscription')), ('resume_subscription', quote_literal(:'subscription')),
    ('redirect_url', format('''https://shop.example'', %L', :'open')),
    ('current_organization_id', ''), ('current_environment', ''), ('session_id', quote_literal(:'open')),
    ('create_webhook_consumer', '''more'''), ('list_webhook_consumers', ''),
    ('delete_webhook_consumer', '''jobs'', true'), ('claim_webhook_events', '''jobs'''),
    ('ack_webhook_events', format('''jobs'', ''{%s}'', gen_random_uuid()', :'event')),
    ('nack_webhook_event', format('''jobs'', %L, gen_random_uuid()', :'event')),
    ('redeliver_webhook_events', format('''{%s}''', :'event')), ('outbox_status', ''),
    ('create_organization', '''Matrix C'''), ('update_organization', quote_literal(:'a')), ('list_organizations', ''),
    ('expire_due_checkout_sessions', ''), ('fold_sessions', ''), ('run_maintenance', ''), ('worker_status', ''),
    ('activate_database', ''), ('verify_restore', ''),
    ('authenticate', quote_literal(:'api_key')), ('pre_request', ''),
    ('public_checkout_session', format('%L, %L', :'open', :'client_secret')),
    ('open_checkout_session', format('%L, %L', :'open', :'client_secret')),
    ('cancel_checkout_session', format('%L, %L', :'open', :'client_secret')),
    -- Neither the setting nor the live environment allows these.
    ('restart_checkout_session', format('%L, %L', :'expired', :'expired_secret')),
    ('simulate_public_payment', format('%L, %L, ''complete''', :'open', :'client_secret')),
    ('page_policy', quote_literal(:'open')), ('current_credential', ''),
    -- Its flags do not allow these, which is for the functions to say.
    ('set_quantity', format('%L, %L, 2', :'open', :'client_secret')),
    ('set_unit_amount', format('%L, %L, 5', :'open', :'client_secret')),
    ('apply_coupon', format('%L, %L, ''NONE''', :'open', :'client_secret')),
    ('remove_coupon', quote_literal(:'open')),
    ('set_billing_address', format('%L, NULL, ''{"country": "SN"}''', :'open')),
    ('complete_free_checkout_session', quote_literal(:'open')),
    ('list_session_lines', quote_literal(:'open')),
    ('set_hook', format('%L, ''expired'', NULL', :'a')), ('list_hooks', quote_literal(:'a')),
    ('list_admin_log', quote_literal(:'b')), ('monitor_figures', ''),
    ('export_customer', '''c'''), ('erase_customer', '''c'''), ('delete_organization', format('%L, ''C''', :'a')),
    ('rotate_client_secrets', quote_literal(:'a')), ('create_api_key', format('%L, ''secret'', ''live''', :'a')),
    ('list_api_keys', quote_literal(:'a')),
    ('revoke_api_key', quote_literal(:'api_key_id')), ('roll_api_key', quote_literal(:'api_key_id')),
    ('security_report', ''), ('handle_request', format('''lomi'', ''GET'', %L', '/checkout-sessions/' || :'open')),
    ('render_webhook_event', format('%L, ''lomi''', :'event')),
    ('sign_webhook', $$'m', now(), '', 'whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD'$$),
    ('verify_webhook', $$'{}', '', 'whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD'$$),
    ('grant_access', '''matrix_nobody'', ''secret'''), ('revoke_access', '''matrix_a'', ''secret'''),
    ('create_webhook_endpoint', '''https://shop.example/more'''), ('list_webhook_endpoints', ''),
    ('update_webhook_endpoint', quote_literal(:'endpoint')),
    ('delete_webhook_endpoint', format('%L, true', :'endpoint')), ('roll_webhook_secret', quote_literal(:'endpoint')),
    ('list_webhook_deliveries', quote_literal(:'endpoint')), ('list_webhook_attempts', quote_literal(:'tried_event')),
    ('claim_webhook_deliveries', ''),
    ('record_webhook_attempt', format('%L, %L, %L, 200', :'tried_event', :'endpoint', :'lease')),
    ('record_webhook_attempts', format(
        '''[{"event_id": "%s", "webhook_endpoint_id": "%s", "lease_token": "%s", "status_code": 200}]''',
        :'tried_event', :'endpoint', :'lease')),
    ('release_webhook_delivery', format('%L, %L, %L', :'tried_event', :'endpoint', :'lease')),
    ('next_webhook_attempt_at', ''), ('list_dead_webhook_deliveries', ''),
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
    ('refunds', 'jsonb_populate_record(NULL::checkout.payments, ''{"payment_id": "matrix-1"}'')'),
    ('payment', 'jsonb_populate_record(NULL::checkout.refunds, ''{"payment_id": "matrix-1"}'')'),
    ('webhook_events', format('jsonb_populate_record(NULL::checkout.checkout_sessions, '
        '''{"checkout_session_id": "%s"}'')', :'paid')),
    ('session_lines', format('jsonb_populate_record(NULL::checkout.checkout_sessions, '
        '''{"checkout_session_id": "%s"}'')',
        :'open')),
    ('session_terms', format('jsonb_populate_record(NULL::checkout.checkout_sessions, '
        '''{"checkout_session_id": "%s"}'')',
        :'open')),
    ('session_visits', format('jsonb_populate_record(NULL::checkout.checkout_sessions, '
        '''{"checkout_session_id": "%s"}'')',
        :'open')),
    ('webhook_deliveries', format('jsonb_populate_record(NULL::checkout.webhook_events, '
        '''{"subject_id": "%s", "sequence": 1}'')', :'dead')),
    ('webhook_attempts', format('jsonb_populate_record(NULL::checkout.webhook_deliveries, '
        '''{"subject_id": "%s", "sequence": 1, "webhook_endpoint_id": "%s"}'')', :'tried', :'endpoint'));
-- No function is missing from the matrix.
SELECT string_agg(p.proname, ' ') AS missing
FROM pg_proc p
WHERE p.pronamespace = 'checkout'::regnamespace
    AND NOT EXISTS (SELECT FROM testing.calls c WHERE c.function = p.proname);

-- Rows returned, or the SQLSTATE. PT404: as if the session did not exist. nack gets a wrong token: PT409.
SELECT c.function,
    testing.try_as('postgres', :'a', call) AS superuser, testing.try_as('matrix_a', :'a', call) AS secret_a,
    testing.try_as('matrix_b', :'b', call) AS secret_b,
    testing.try_as('matrix_tenantless', '', call) AS no_tenant, testing.try_as('matrix_relay', '', call) AS relay,
    testing.try_as('matrix_admin', '', call) AS admin, testing.try_as('matrix_nobody', :'a', call) AS no_access
FROM testing.calls c, LATERAL (SELECT format('SELECT * FROM checkout.%I(%s)', c.function, c.arguments)) AS s (call)
WHERE c.function NOT IN ('list_organizations', 'claim_webhook_deliveries',
    'list_dead_webhook_deliveries', 'outbox_status', 'security_report')
ORDER BY c.n;
-- These functions see all organizations.
SELECT c.function, testing.try_as('matrix_a', :'a', call) AS secret_a,
    testing.try_as('matrix_relay', '', call) AS relay,
    CASE testing.try_as('matrix_admin', '', call)
        WHEN (SELECT count(*)::text FROM checkout_data.organizations) THEN 'all'
        ELSE testing.try_as('matrix_admin', '', call) END AS admin
FROM testing.calls c, LATERAL (SELECT format('SELECT * FROM checkout.%I(%s)', c.function, c.arguments)) AS s (call)
WHERE c.function = 'list_organizations' ORDER BY c.n;
SELECT c.function, testing.try_as('matrix_a', :'a', call) AS secret_a,
    testing.try_as('matrix_relay', '', call) AS relay, testing.try_as('matrix_admin', '', call) AS admin,
    testing.try_as('matrix_nobody', :'a', call) AS no_access
FROM testing.calls c, LATERAL (SELECT format('SELECT * FROM checkout.%I(%s)', c.function, c.arguments)) AS s (call)
WHERE c.function IN ('claim_webhook_deliveries', 'outbox_status') ORDER BY c.n;
SELECT testing.try_as('matrix_a', :'a', call) AS secret_a, testing.try_as('matrix_relay', '', call) AS relay,
    testing.try_as('matrix_admin', '', call) AS admin, testing.try_as('matrix_nobody', :'a', call) AS no_access
FROM (VALUES (format('SELECT * FROM checkout.list_dead_webhook_deliveries(%L)', :'a'))) AS s (call);
SELECT testing.try_as('matrix_a', :'a', call) AS secret_a, testing.try_as('matrix_relay', '', call) AS relay,
    testing.try_as('matrix_nobody', :'a', call) AS no_access,
    testing.try_as('matrix_admin', '', call) = testing.try_as('postgres', '', call) AS admin_as_superuser
FROM (VALUES ('SELECT * FROM checkout.security_report()')) AS s (call);

-- Functions of the storage schema: only the two roles that own the API may call them. Those that stand for an access do
-- nothing. The views call reader_organization_id() with the rights of their reader, who has none on the schema.
SELECT p.oid::regprocedure AS callable_by_others
FROM pg_proc p,
    LATERAL (SELECT format('SELECT %s',
        replace(regexp_replace(p.oid::regprocedure::text, '\((?!\))', '(NULL::'), ',', ', NULL::'))) AS s (call)
WHERE p.pronamespace = 'checkout_data'::regnamespace
    AND (testing.try_as('matrix_a', :'a', call) <> '42501' OR testing.try_as('matrix_admin', '', call) <> '42501'
        OR testing.try_as('matrix_relay', '', call) <> '42501'
        OR p.proname !~ '_access$|^reader_organization_id$'
            AND (has_function_privilege('matrix_a', p.oid, 'EXECUTE')
            OR has_function_privilege('matrix_admin', p.oid, 'EXECUTE')));
SELECT p.proname AS stands_for, p.prosrc AS does,
    string_agg(role, ' ' ORDER BY role) FILTER (WHERE has_function_privilege(role, p.oid, 'EXECUTE')) AS roles
FROM pg_proc p,
    unnest('{matrix_a,matrix_relay,matrix_admin,matrix_nobody,checkout_sessions_api,checkout_sessions_worker}'::name[])
    AS role
WHERE p.pronamespace = 'checkout_data'::regnamespace AND p.proname ~ '_access$' AND p.pronargs = 0
GROUP BY 1, 2 ORDER BY 1;

-- Views: a tenant's own rows, or an error.
SELECT c.relname AS view, testing.try_as('postgres', :'a', statement) AS superuser,
    testing.try_as('matrix_a', :'a', statement) AS secret_a, testing.try_as('matrix_b', :'b', statement) AS secret_b,
    testing.try_as('matrix_tenantless', '', statement) AS no_tenant,
    testing.try_as('matrix_relay', '', statement) AS relay, testing.try_as('matrix_admin', '', statement) AS admin,
    testing.try_as('matrix_admin', :'a', statement) AS admin_of_a,
    testing.try_as('matrix_nobody', :'a', statement) AS no_access
FROM pg_class c, LATERAL (
    SELECT format('SELECT FROM checkout.%I WHERE organization_id IN (%L, %L)', c.relname, :'a', :'b')) AS s (statement)
WHERE c.relnamespace = 'checkout'::regnamespace AND c.relkind = 'v' ORDER BY 1;
SELECT c.relname AS view, testing.try_as('matrix_a', :'b', format('TABLE checkout.%I', c.relname)) AS a_as_b
FROM pg_class c WHERE c.relname = 'refunds' AND c.relnamespace = 'checkout'::regnamespace;

-- Tables: the API's own role sees only the rows of the tenant; applications see none.
CREATE TABLE testing.rows AS
SELECT relname AS name, format('%I.%I', nspname, relname) AS relation
FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
WHERE nspname = 'checkout_data' AND relkind IN ('r', 'p', 'v', 'm', 'S', 'f') ORDER BY relname;
SELECT name FROM testing.rows;
SELECT t.name, right_, testing.try_as('matrix_a', :'a', statement) AS secret_a,
    testing.try_as('matrix_b', :'b', statement) AS secret_b,
    testing.try_as('matrix_tenantless', '', statement) AS no_tenant,
    testing.try_as('matrix_relay', '', statement) AS relay,
    testing.try_as('matrix_admin', '', statement) AS admin,
    testing.try_as('matrix_nobody', :'a', statement) AS no_access
FROM testing.rows AS t, LATERAL (VALUES
    ('select', format('SELECT 1 FROM %s', relation)),
    ('insert', format('INSERT INTO %s DEFAULT VALUES', relation)),
    ('update', format('UPDATE %s SET organization_id = organization_id', relation)),
    ('delete', format('DELETE FROM %s', relation)), ('truncate', format('TRUNCATE %s CASCADE', relation)))
    AS s (right_, statement)
ORDER BY 1, s.statement;
SELECT t.name, right_, testing.try_as('checkout_sessions_api', :'a', statement) AS api_for_a,
    testing.try_as('checkout_sessions_api', :'b', statement) AS api_for_b,
    testing.try_as('checkout_sessions_api', '', statement) AS api_for_none,
    CASE WHEN right_ <> 'move' THEN testing.try_as('checkout_sessions_worker', '', statement) END AS worker
FROM testing.rows AS t, LATERAL (VALUES
    ('select', format('SELECT 1 FROM %s WHERE organization_id IN (%L, %L)', relation, :'a', :'b')),
    ('move', format('UPDATE %s SET organization_id = %L WHERE organization_id = %L', relation, :'b', :'a')),
    ('delete', format('DELETE FROM %s WHERE organization_id IN (%L, %L)', relation, :'a', :'b')),
    ('truncate', format('TRUNCATE %s CASCADE', relation))) AS s (right_, statement)
ORDER BY 1, 2;
-- The API's role cannot write rows of another tenant, nor change the fixed columns of a session.
SELECT what, testing.try_as('checkout_sessions_api', :'a', statement) AS api_for_a FROM (VALUES
    ('session for b',
        format(
            $$INSERT INTO checkout_data.checkout_sessions (
                organization_id, environment, checkout_session_id, amount, currency_code, created_at, updated_at,
                expires_at, max_retry_attempts, customer_id)
            VALUES (%L, 'live', gen_random_uuid(), 1, 'USD', now(), now(), now() + '1 h', 3, 'c')$$, :'b')),
    ('session for a',
        format(
            $$INSERT INTO checkout_data.checkout_sessions (
                organization_id, environment, checkout_session_id, amount, currency_code, created_at, updated_at,
                expires_at, max_retry_attempts, customer_id)
            VALUES (%L, 'live', gen_random_uuid(), 1, 'USD', now(), now(), now() + '1 h', 3, 'c')$$, :'a')),
    ('session for a, test', format(
        $$INSERT INTO checkout_data.checkout_sessions (
            organization_id, environment, checkout_session_id, amount, currency_code, created_at, updated_at,
            expires_at, max_retry_attempts, customer_id)
        VALUES (%L, 'test', gen_random_uuid(), 1, 'USD', now(), now(), now() + '1 h', 3, 'c')$$, :'a')),
    ('payment of b',
    format(
        $$INSERT INTO checkout_data.payments (
            organization_id, environment, payment_id, checkout_session_id, status, amount, currency_code, created_at,
            updated_at)
        VALUES (%L, 'live', 'p', %L, 'failed', 1, 'USD', now(), now())$$, :'b', :'of_b')),
    ('state of b',
        format('UPDATE checkout_data.checkout_sessions SET status = ''expired'' WHERE organization_id = %L', :'b')),
    ('amount', 'UPDATE checkout_data.checkout_sessions SET amount = 1'),
    ('metadata', 'UPDATE checkout_data.checkout_sessions SET metadata = ''{}'''),
    ('expires_at', 'UPDATE checkout_data.checkout_sessions SET expires_at = now() + ''1 day'''),
    ('organization', 'UPDATE checkout_data.organizations SET name = ''x'''),
    ('endpoint of b',
    format(
        $$INSERT INTO checkout_data.webhook_endpoints (
            organization_id, environment, webhook_endpoint_id, url, event_types, body_format, signature_scheme, secret,
            created_at, created_by, updated_at)
        VALUES (%L, 'live', gen_random_uuid(), 'https://thief.example', '{*}', 'canonical', 'standard',
            'whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD', now(), 'a', now())$$, :'b')),
    ('consumer of a',
        format(
            $$INSERT INTO checkout_data.webhook_consumers (
                organization_id, environment, webhook_consumer_id, name, event_types, created_at, created_by,
                updated_at, slot)
            VALUES (%L, 'live', gen_random_uuid(), 'thief', '{*}', now(), 'a', now(), 9)$$, :'a')),
    ('consumers', 'UPDATE checkout_data.webhook_consumers SET event_types = ''{*}'''),
    ('an event', 'UPDATE checkout_data.webhook_outbox SET snapshot = NULL'),
    ('product of b', format($$INSERT INTO checkout_data.products (
            organization_id, environment, product_id, name, created_at, updated_at)
        VALUES (%L, 'live', 'p', 'P', now(), now())$$, :'b')),
    ('name of b''s product',
        format('UPDATE checkout_data.products SET name = ''x'' WHERE organization_id = %L', :'b')),
    ('stock of b', format('UPDATE checkout_data.inventory SET on_hand = 0 WHERE organization_id = %L', :'b')),
    ('amount of a price', 'UPDATE checkout_data.prices SET amount = 0'),
    ('value of a coupon', 'UPDATE checkout_data.coupons SET percent_off = 100'),
    ('redemptions of a coupon', 'UPDATE checkout_data.coupons SET redeemed = 0'),
    ('a change of stock', 'UPDATE checkout_data.inventory_changes SET change = 0'),
    ('secrets of b',
        format('UPDATE checkout_data.webhook_endpoints SET url = ''https://thief.example'' WHERE organization_id = %L',
            :'b')),
    ('delivery of b',
        format(
            $$INSERT INTO checkout_data.webhook_deliveries (
                organization_id, environment, receiver_id, subject_id, sequence, created_at, next_attempt_at)
            VALUES (%L, 'live', %L, %L, 1, now(), now())$$, :'b', :'endpoint_of_b', :'of_b')),
    ('delivery of b put off',
    format('UPDATE checkout_data.webhook_deliveries SET next_attempt_at = now() + ''1 day'' WHERE organization_id = %L',
        :'b')),
    ('what became of a delivery',
        'UPDATE checkout_data.webhook_deliveries SET delivered_at = now(), next_attempt_at = NULL'),
    ('an attempt',
        format(
            $$INSERT INTO checkout_data.webhook_attempts (
                organization_id, environment, receiver_id, subject_id, sequence, attempt, recorded_at, status_code)
            VALUES (%L, 'live', %L, %L, 1, 2, now(), 200)$$, :'a', :'endpoint', :'tried'))
) AS s (what, statement);

-- In every function, A gets the same answer for B's session as for one that does not exist.
\c - matrix_a
SELECT function, testing.outcome(format(call, :'of_b'))
    = testing.outcome(format(call, '01890000-0000-7000-8000-000000000000')) AS same,
    testing.outcome(format(call, :'of_b')) AS outcome
FROM (VALUES ('get', 'SELECT checkout.get_checkout_session(%L)'),
    ('expire', 'SELECT checkout.expire_checkout_session(%L)'),
    ('recover', 'SELECT checkout.recover_checkout_session(%L)'),
    ('begin', 'SELECT checkout.begin_payment(%L, ''p'')'),
    ('record', 'SELECT checkout.record_payment(%L, ''p'', ''succeeded'')'),
    ('payments', 'SELECT checkout.list_payments(%L)'),
    ('lines', 'SELECT checkout.list_session_lines(%L)'),
    ('quantity', 'SELECT checkout.set_quantity(%L, quantity => 2)'),
    ('coupon', 'SELECT checkout.apply_coupon(%L, code => ''NONE'')'),
    ('free', 'SELECT checkout.complete_free_checkout_session(%L)'),
    ('events', 'SELECT checkout.list_webhook_events(%L)'),
    ('after', 'SELECT checkout.list_checkout_sessions(starting_after => %L)'),
    ('before', 'SELECT checkout.list_checkout_sessions(ending_before => %L)')
) AS calls (function, call);
-- The same holds for B's subscriptions,
SELECT function, testing.outcome(format(call, :'subscription_of_b'))
    = testing.outcome(format(call, '01890000-0000-7000-8000-000000000000')) AS same,
    testing.outcome(format(call, :'subscription_of_b')) AS outcome
FROM (VALUES ('get', 'SELECT checkout.get_subscription(%L)'),
    ('cancel', 'SELECT checkout.cancel_subscription(%L)'),
    ('resume', 'SELECT checkout.resume_subscription(%L)'),
    ('after', 'SELECT checkout.list_subscriptions(starting_after => %L)')
) AS calls (function, call);
-- payments, endpoints and events.
SELECT function, testing.outcome(format(call, 'matrix-of-b')) = replace(
        testing.outcome(format(call, 'matrix-of-nobody')), 'of-nobody', 'of-b') AS same,
    testing.outcome(format(call, 'matrix-of-b')) AS outcome
FROM (VALUES ('apply', format('SELECT checkout.apply_payment(%%L, %L)', :'open')),
    ('refund', 'SELECT checkout.record_refund(%L, ''refund'')'), ('refunds', 'SELECT checkout.list_refunds(%L)'),
    ('payments after', 'SELECT checkout.list_payments(starting_after => %L)')) AS calls (function, call);
SELECT function, testing.outcome(format(call, :'endpoint_of_b'))
    = testing.outcome(format(call, '7b1c5f0e-4c1d-4a6c-9d0e-2f6a3b9c8d10')) AS same,
    testing.outcome(format(call, :'endpoint_of_b')) AS outcome
FROM (VALUES ('update', 'SELECT checkout.update_webhook_endpoint(%L, url => ''https://thief.example'')'),
    ('delete', 'SELECT checkout.delete_webhook_endpoint(%L)'),
    ('roll', 'SELECT checkout.roll_webhook_secret(%L)'), ('deliveries', 'SELECT checkout.list_webhook_deliveries(%L)'),
    ('attempts', format('SELECT checkout.list_webhook_attempts(%L, %%L)', :'tried_event'))) AS calls (function, call);
SELECT function, testing.outcome(format(call, :'event_of_b'))
    = testing.outcome(format(call, 'evt_' || repeat('A', 48) || 'bAAAAAAAAAAA')) AS same,
    testing.outcome(format(call, :'event_of_b')) AS outcome
FROM (VALUES ('attempts', 'SELECT checkout.list_webhook_attempts(%L)'),
    ('events after', 'SELECT checkout.list_webhook_events(starting_after => %L)'),
    ('deliveries after', format('SELECT checkout.list_webhook_deliveries(%L, starting_after => %%L)', :'endpoint')))
    AS calls (function, call);
-- And for B's catalog.
SELECT function, testing.outcome(format(call, 'of-b')) = replace(replace(testing.outcome(format(call, 'of-nobody')),
        'of-nobody', 'of-b'), 'OF-NOBODY', 'OF-B') AS same,
    testing.outcome(format(call, 'of-b')) AS outcome
FROM (VALUES ('product', 'SELECT checkout.update_product(%L, name => ''Mine'')'),
    ('stock', 'SELECT checkout.adjust_inventory(%L, 1)'), ('new price', 'SELECT checkout.create_price(%L, ''USD'', 1)'),
    ('price', 'SELECT checkout.update_price(%L, active => false)'), ('prices', 'SELECT checkout.list_prices(%L)'),
    ('coupon', 'SELECT checkout.update_coupon(%L, active => false)'),
    ('new coupon', 'SELECT checkout.create_coupon(''MINE'', 1, product_ids => ARRAY[%L])'),
    ('products after', 'SELECT checkout.list_products(starting_after => %L)'),
    ('prices after', 'SELECT checkout.list_prices(starting_after => %L)'),
    ('coupons after', 'SELECT checkout.list_coupons(starting_after => %L)')) AS calls (function, call);
-- And for B's consumers, and those of all organizations, whose names A may use itself.
\c - matrix_b
SELECT name FROM checkout.create_webhook_consumer('of_b');
\c - matrix_a
SELECT name FROM checkout.list_webhook_consumers();
SELECT function, testing.outcome(format(call, 'of_b')) AS of_b,
    replace(testing.outcome(format(call, 'audit')), 'audit', 'of_b') = testing.outcome(format(call, 'of_b')) AS of_all,
    replace(testing.outcome(format(call, 'none')), 'none', 'of_b') = testing.outcome(format(call, 'of_b')) AS as_unknown
FROM (VALUES ('claim', 'SELECT checkout.claim_webhook_events(%L)'),
    ('ack', format('SELECT checkout.ack_webhook_events(%%L, ARRAY[%L], gen_random_uuid())', :'event_of_b')),
    ('nack', format('SELECT checkout.nack_webhook_event(%%L, %L, gen_random_uuid())', :'event_of_b')),
    ('delete', 'SELECT checkout.delete_webhook_consumer(%L)')) AS calls (function, call);
SELECT name, created_at = updated_at AS new FROM checkout.create_webhook_consumer('of_b');
SELECT name, created_at = updated_at AS new FROM checkout.create_webhook_consumer('audit');
-- The following tests have no endpoints and no consumers.
\c - postgres
CALL testing.forget_receivers();
