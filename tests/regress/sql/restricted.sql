-- A restricted credential reads all that its organization has, and changes nothing: for dashboards and reports.
SELECT checkout.create_organization('Restricted', base_url => 'https://pay.example') AS organization \gset
SELECT testing.key(:'organization', 'restricted') AS reader, testing.key(:'organization') AS secret \gset
SELECT left(:'reader', 8) AS prefix;
\c - visitor
BEGIN;
SELECT kind, environment FROM checkout.authenticate(:'secret');
SELECT checkout_session_id AS id, url IS NOT NULL AS has_a_page
FROM checkout.create_checkout_session(10, 'USD', customer_id => 'c') \gset
SELECT kind, organization_name, environment, name = left(:'secret', 20) AS named FROM checkout.current_credential();
COMMIT;
BEGIN;
SELECT kind, environment FROM checkout.authenticate(:'reader');
SELECT kind, organization_name, environment, name = left(:'reader', 20) AS named FROM checkout.current_credential();
-- Not the client secret, with which one can act, and so no page.
SELECT amount, status, client_secret, url FROM checkout.get_checkout_session(:'id');
SELECT amount, status FROM checkout.list_checkout_sessions();
SELECT amount, status FROM checkout.checkout_sessions;
SELECT created FROM checkout.session_funnel();
SELECT status, body ->> 'url' AS url FROM checkout.handle_request('lomi', 'GET', '/checkout-sessions/' || :'id');
SELECT status, body::jsonb #>> '{data,0,url}' AS url
FROM checkout.handle_request('paygate', 'GET', '/v1/checkout/sessions');
SELECT call, testing.outcome(format(call, :'id')) FROM unnest(ARRAY[
    'SELECT checkout.create_checkout_session(10, ''USD'', customer_id => ''c'')',
    'SELECT checkout.expire_checkout_session(%L)', 'SELECT checkout.begin_payment(%L, ''p'')',
    'SELECT checkout.record_payment(%L, ''p'', ''succeeded'')', 'SELECT checkout.set_quantity(%L, quantity => 2)',
    'SELECT checkout.create_product(''Mug'')', 'SELECT checkout.create_coupon(''TEN'', 10)',
    'SELECT checkout.create_webhook_endpoint(''https://shop.example'')',
    'SELECT checkout.redeliver_webhook_events(created_after => now())',
    'SELECT checkout.claim_webhook_events(''c'')']) AS call;
SELECT api, path, h.status, h.body FROM (VALUES
    ('lomi', '/checkout-sessions', '{"amount": 10, "currency_code": "XOF", "customer_email": "a@example.com"}'),
    ('kobo', '/v1/checkout/session/initialize', '{"amount": 500000, "email": "a@example.com"}')) AS r (api, path, body),
    checkout.handle_request(r.api, 'POST', r.path, body => r.body) AS h;
SELECT status
FROM checkout.handle_request('paygate', 'POST', '/v1/checkout/sessions/cs_' || replace(:'id', '-', '') || '/expire');
ROLLBACK;
-- In a request it is 403.
BEGIN;
SELECT set_config('request.headers', json_build_object('x-api-key', :'reader')::text, true) IS NOT NULL AS sent;
SELECT checkout.pre_request();
SELECT count(*) FROM checkout.checkout_sessions;
SELECT testing.outcome(format('SELECT checkout.expire_checkout_session(%L)', :'id'));
ROLLBACK;
-- A role may have the same access.
\c - postgres
CREATE ROLE analyst LOGIN;
SELECT checkout.grant_access('analyst', 'restricted');
SELECT format('ALTER ROLE analyst SET checkout_sessions.organization_id = %L', :'organization') AS its_tenant \gset
:its_tenant;
\c - analyst
SELECT kind, name FROM checkout.current_credential();
SELECT amount, status, client_secret FROM checkout.get_checkout_session(:'id');
SELECT amount FROM checkout.checkout_sessions;
SELECT testing.outcome(format('SELECT checkout.expire_checkout_session(%L)', :'id'));
SELECT testing.outcome('SELECT checkout.create_checkout_session(10, ''USD'', customer_id => ''c'')');
\c - postgres
SELECT * FROM checkout.security_report() AS r WHERE r::text ~ 'analyst';
SELECT checkout.revoke_access('analyst', 'restricted');
DROP ROLE analyst;
