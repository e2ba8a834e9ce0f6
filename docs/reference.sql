-- The examples of docs/reference.md, as one story: run it with psql as a superuser, on a server with the extension.
-- "-- example: f" begins the example of a function; it ends at the next empty line. What is between is not shown.
\set ON_ERROR_STOP on
CREATE EXTENSION IF NOT EXISTS checkout_sessions;
CREATE ROLE reference_app LOGIN;
CREATE ROLE reference_web LOGIN;
CREATE ROLE reference_tester LOGIN;
CREATE ROLE reference_relay LOGIN;

-- example: create_organization
SELECT checkout.create_organization('My shop', default_lifetime => '30 minutes', reference_policy => 'return_existing');

SELECT organization_id FROM checkout.list_organizations() WHERE name = 'My shop' \gset

-- example: update_organization
SELECT maximum_lease, payment_method_leases
FROM checkout.update_organization(:'organization_id', payment_method_leases => '{"bank_transfer": "3 days"}');

-- example: list_organizations
SELECT organization_id, name, reference_policy FROM checkout.list_organizations();

-- example: grant_access
SELECT checkout.grant_access('reference_app', 'secret');

SELECT checkout.grant_access('reference_web', 'request'), checkout.grant_access('reference_relay', 'relay');
ALTER ROLE reference_app SET checkout_sessions.organization_id = :'organization_id';
CREATE ROLE reference_former;
SELECT checkout.grant_access('reference_former', 'secret');

-- example: revoke_access
SELECT checkout.revoke_access('reference_former', 'secret');

-- example: create_api_key
SELECT api_key_id, api_key
FROM checkout.create_api_key(:'organization_id', kind => 'secret', environment => 'live', name => 'Server');

SELECT api_key_id, api_key FROM checkout.create_api_key(:'organization_id', 'secret', 'live') \gset

-- example: list_api_keys
SELECT api_key_id, kind, environment, status, last_used_at FROM checkout.list_api_keys(:'organization_id');

-- example: roll_api_key
SELECT api_key_id, api_key FROM checkout.roll_api_key(:'api_key_id', overlap => '1 hour');

-- example: revoke_api_key
SELECT api_key_id, status FROM checkout.revoke_api_key(:'api_key_id');

SELECT api_key_id, api_key FROM checkout.create_api_key(:'organization_id', 'secret', 'live') \gset
SET SESSION AUTHORIZATION reference_web;

-- example: authenticate
BEGIN;
SELECT organization_id, kind, environment FROM checkout.authenticate(:'api_key');
SELECT count(*) FROM checkout.list_checkout_sessions(status => 'open');
COMMIT;

BEGIN;

-- example: pre_request
-- PostgREST does this before each request: db-pre-request = "checkout.pre_request"
SELECT set_config('request.headers', json_build_object('x-api-key', :'api_key')::text, true);
SELECT checkout.pre_request();

COMMIT;
RESET SESSION AUTHORIZATION;
\c - reference_app

-- example: create_checkout_session
SELECT checkout_session_id, status, amount, currency_code, expires_at, client_secret
FROM checkout.create_checkout_session(
    amount => 12.34, currency_code => 'USD', customer_email => 'jane@example.com', reference => 'order-4521',
    success_url => 'https://shop.example/thanks?session={CHECKOUT_SESSION_ID}', metadata => '{"cart": 17}',
    idempotency_key => 'order-4521');

SELECT checkout_session_id, client_secret
FROM checkout.create_checkout_session(amount => 12.34, currency_code => 'USD', customer_id => 'c') \gset

-- example: get_checkout_session
SELECT status, payment_status, expires_at FROM checkout.get_checkout_session(:'checkout_session_id');

-- example: list_checkout_sessions
SELECT checkout_session_id, amount, currency_code, reference
FROM checkout.list_checkout_sessions(status => 'open', customer_email => 'jane@example.com', page_size => 10);

-- example: public_checkout_session
-- The buyer's page needs no credential.
SELECT organization_name, amount, currency_code, payment_methods, status
FROM checkout.public_checkout_session(:'checkout_session_id', :'client_secret');

-- example: open_checkout_session
SELECT status, amount, expires_at, server_time
FROM checkout.open_checkout_session(:'checkout_session_id', :'client_secret');

-- example: cancel_checkout_session
SELECT status, cancel_url
FROM checkout.cancel_checkout_session(:'checkout_session_id', :'client_secret', reason_code => 'too_expensive');

-- example: page_policy
SELECT embedding_origins FROM checkout.page_policy(:'checkout_session_id');

-- example: redirect_url
SELECT checkout.redirect_url('https://shop.example/thanks?session={CHECKOUT_SESSION_ID}', :'checkout_session_id');

-- example: begin_payment
SELECT status, lease_expires_at
FROM checkout.begin_payment(:'checkout_session_id', payment_id => 'pay_1', payment_method => 'bank_transfer', lease => '2 days');

-- example: record_payment
SELECT status, rejection_reason
FROM checkout.record_payment(:'checkout_session_id', payment_id => 'pay_1', outcome => 'succeeded', amount => 12.34,
    currency_code => 'USD');

-- example: record_refund
SELECT status, amount FROM checkout.record_refund('pay_1', refund_id => 're_1', amount => 2.34, reason => 'One was broken');

-- example: list_refunds
SELECT refund_id, status, amount FROM checkout.list_refunds('pay_1');

SELECT checkout_session_id AS expired_id FROM checkout.create_checkout_session(20, 'USD', customer_id => 'c') \gset

-- example: expire_checkout_session
SELECT status FROM checkout.expire_checkout_session(:'expired_id');

SELECT status FROM checkout.record_payment(:'expired_id', 'pay_2', 'succeeded');

-- example: recover_checkout_session
SELECT checkout_session_id, status, recovered_from FROM checkout.recover_checkout_session(:'expired_id', expires_in => '1 hour');

SELECT checkout_session_id AS recovered_id FROM checkout.recover_checkout_session(:'expired_id') \gset

-- example: list_payments
SELECT payment_id, rejection_reason, amount - refunded_amount - pending_refund_amount AS left_to_refund, currency_code
FROM checkout.list_payments(to_refund => true);

-- example: apply_payment
SELECT status, applied_from FROM checkout.apply_payment('pay_2', :'recovered_id');

\c - postgres
SELECT checkout.grant_access('reference_tester', 'secret');
ALTER ROLE reference_tester SET checkout_sessions.organization_id = :'organization_id';
ALTER ROLE reference_tester SET checkout_sessions.environment = 'test';
\c - reference_tester
SELECT checkout_session_id AS test_id FROM checkout.create_checkout_session(12.34, 'USD', customer_id => 'c') \gset

-- example: simulate_payment
SELECT status, payment_status FROM checkout.simulate_payment(:'test_id', 'decline:insufficient_funds');
SELECT status, payment_status FROM checkout.simulate_payment(:'test_id', 'complete');

SELECT checkout_session_id AS test_id, client_secret AS test_secret
FROM checkout.create_checkout_session(12.34, 'USD', customer_id => 'c') \gset

-- example: simulate_public_payment
SELECT status, payment_status, failure_code
FROM checkout.simulate_public_payment(:'test_id', :'test_secret', 'decline:card_declined');

SELECT status FROM checkout.expire_checkout_session(:'test_id');
\c - postgres
SELECT allow_restart FROM checkout.update_organization(:'organization_id', allow_restart => true);
\c - reference_app

-- example: restart_checkout_session
SELECT checkout_session_id, client_secret, url FROM checkout.restart_checkout_session(:'test_id', :'test_secret');

-- example: create_product
SELECT product_id, name, on_hand, available
FROM checkout.create_product('Mug', product_id => 'mug', image_url => 'https://shop.example/mug.png', on_hand => 40);

SELECT product_id FROM checkout.create_product('Poster', product_id => 'poster');

-- example: update_product
SELECT name, active FROM checkout.update_product('mug', name => 'Large mug', description => 'Holds half a litre.');
-- Begins to count a stock.
SELECT on_hand FROM checkout.update_product('poster', track_inventory => true, continue_selling => true);

-- example: list_products
SELECT product_id, name, on_hand, held, available FROM checkout.list_products(active => true, page_size => 10);

-- example: adjust_inventory
SELECT on_hand, available FROM checkout.adjust_inventory('mug', 12, reason => 'Delivery of Monday');

-- example: create_price
SELECT price_id, amount, is_default FROM checkout.create_price('mug', 'USD', 12.50, price_id => 'mug-usd');
-- Buyers pay what they want, from one dollar on.
SELECT minimum_amount, suggested_amount
FROM checkout.create_price('poster', 'USD', minimum_amount => 1, suggested_amount => 5, price_id => 'poster-usd');

-- example: update_price
SELECT active, is_default FROM checkout.update_price('poster-usd', active => false);

-- example: list_prices
SELECT price_id, currency_code, amount, is_default FROM checkout.list_prices('mug', active => true);

-- example: create_coupon
SELECT code, available
FROM checkout.create_coupon('SUMMER', percent_off => 15, valid_until => '2100-09-01', max_redemptions => 500,
    max_redemptions_per_customer => 1, product_ids => '{mug}');

-- example: update_coupon
SELECT code, active FROM checkout.update_coupon('summer', active => false);

-- example: list_coupons
SELECT code, percent_off, held, redeemed, available FROM checkout.list_coupons();

SELECT code FROM checkout.update_coupon('summer', active => true);
SELECT active FROM checkout.update_price('poster-usd', active => true);
-- What follows sells a poster, for which buyers pay what they want.
SELECT checkout_session_id AS sale, client_secret AS sale_secret
FROM checkout.create_checkout_session(customer_id => 'c', allow_quantity => true, allow_coupon_code => true,
    require_billing_address => true, lines => '[{"price_id": "poster-usd"}, {"kind": "shipping", "title": "By post", "amount": 4}]') \gset

-- example: list_session_lines
SELECT line, kind, title, unit_amount, quantity, total FROM checkout.list_session_lines(:'sale');

-- example: set_quantity
-- The buyer's page presents the client_secret.
SELECT quantity, subtotal, amount FROM checkout.set_quantity(:'sale', :'sale_secret', quantity => 2);

-- example: set_unit_amount
SELECT subtotal, amount FROM checkout.set_unit_amount(:'sale', :'sale_secret', unit_amount => 7.50);

-- example: apply_coupon
SELECT applied, reason, (session).amount FROM checkout.apply_coupon(:'sale', :'sale_secret', code => 'winter');

-- example: remove_coupon
SELECT coupon_code, discount, amount FROM checkout.remove_coupon(:'sale', :'sale_secret');

-- example: set_billing_address
SELECT has_billing_address
FROM checkout.set_billing_address(:'sale', :'sale_secret', address => '{"line1": "1 Main St", "city": "Dakar", "country": "SN"}');

-- example: session_visits
-- Who opened a page, and did not pay?
SELECT s.checkout_session_id, v.first_opened_at, v.cancelled_at, v.reason_code, v.reason
FROM checkout.checkout_sessions s, checkout.session_visits(s) AS v WHERE s.status <> 'complete';

-- example: session_lines
-- What does each open session sell?
SELECT s.checkout_session_id, l.title, l.quantity FROM checkout.open_checkout_sessions o
JOIN checkout.checkout_sessions s USING (checkout_session_id), checkout.session_lines(s) AS l;

-- example: session_terms
SELECT t.subtotal, t.shipping, t.amount, t.billing_address
FROM checkout.checkout_sessions s, checkout.session_terms(s) AS t WHERE s.checkout_session_id = :'sale';

SELECT checkout_session_id AS free
FROM checkout.create_checkout_session(currency_code => 'USD', customer_id => 'c', lines => '[{"title": "Sample", "amount": 0}]') \gset

-- example: complete_free_checkout_session
SELECT status, payment_status FROM checkout.complete_free_checkout_session(:'free');

-- What follows begins a subscription, in an organization that uses the catalog.
SELECT price_id FROM checkout.create_price('mug', 'USD', 9, price_id => 'mug-monthly', interval_unit => 'month');
\c - postgres
SELECT uses_catalog FROM checkout.update_organization(:'organization_id', uses_catalog => true);
\c - reference_app
SELECT checkout_session_id AS first, subscription_id AS subscription
FROM checkout.create_checkout_session(price_id => 'mug-monthly', customer_id => 'anna') \gset
SELECT status FROM checkout.record_payment(:'first', 'anna-1', 'succeeded');

-- example: get_subscription
SELECT status, amount, interval_unit, periods_paid, current_period_end > now() AS paid FROM checkout.get_subscription(:'subscription');

-- example: list_subscriptions
SELECT subscription_id, customer_id FROM checkout.list_subscriptions(status => 'active', price_id => 'mug-monthly');

-- example: session_periods
-- Which periods of a subscription were sold?
SELECT p.checkout_session_id, p.period_start, p.period_end FROM checkout.subscriptions s, checkout.session_periods(s) AS p;

-- example: subscription
SELECT s.status FROM checkout.session_periods p, checkout.subscription(p) AS s WHERE p.checkout_session_id = :'first';

-- example: cancel_subscription
SELECT status, cancel_at_period_end FROM checkout.cancel_subscription(:'subscription');

-- example: resume_subscription
SELECT status, cancel_at_period_end FROM checkout.resume_subscription(:'subscription');
\c - postgres
SELECT uses_catalog FROM checkout.update_organization(:'organization_id', uses_catalog => false);
\c - reference_app

-- example: coupon_performance
SELECT coupon_code, currency_code, sessions, redemptions, discount, amount
FROM checkout.coupon_performance(created_after => now() - interval '30 days');

-- example: prices
-- Which prices does each product have?
SELECT p.name, c.currency_code, c.amount
FROM checkout.products p CROSS JOIN LATERAL checkout.prices(p) AS c WHERE c.active;

-- example: product
SELECT p.name FROM checkout.prices c CROSS JOIN LATERAL checkout.product(c) AS p WHERE c.price_id = 'mug-usd';

-- example: inventory_changes
SELECT i.change, i.on_hand, i.reason
FROM checkout.products p CROSS JOIN LATERAL checkout.inventory_changes(p) AS i
WHERE p.product_id = 'mug' ORDER BY i.created_at;

-- example: session_funnel
SELECT bucket_start, value, created, opened, payment_begun, completed, conversion_of_ended, amounts
FROM checkout.session_funnel(created_after => now() - interval '30 days', bucket => 'day', by => 'currency');

-- example: current_credential
SELECT organization_name, environment, kind, name FROM checkout.current_credential();

-- example: current_organization_id
SELECT checkout.current_organization_id();

-- example: current_environment
SELECT checkout.current_environment();

-- example: handle_request
SELECT status, headers, body
FROM checkout.handle_request(api => 'lomi', method => 'POST', path => '/checkout-sessions',
    body => '{"amount": 10000, "currency_code": "XOF"}');

-- example: session_id
SELECT checkout.session_id('cs_01890000000070008000000000000001');

-- example: create_webhook_endpoint
SELECT webhook_endpoint_id, secret
FROM checkout.create_webhook_endpoint('https://shop.example/webhooks', event_types => '{checkout.session.*}');

SELECT webhook_endpoint_id FROM checkout.list_webhook_endpoints() \gset

-- example: list_webhook_endpoints
SELECT webhook_endpoint_id, url, event_types, enabled FROM checkout.list_webhook_endpoints();

-- example: update_webhook_endpoint
SELECT url, enabled FROM checkout.update_webhook_endpoint(:'webhook_endpoint_id', url => 'https://shop.example/hooks');

-- example: roll_webhook_secret
SELECT secret FROM checkout.roll_webhook_secret(:'webhook_endpoint_id', overlap => '1 hour');

-- example: create_webhook_consumer
SELECT name, event_types FROM checkout.create_webhook_consumer('jobs', event_types => '{checkout.session.completed}');

-- example: list_webhook_consumers
SELECT name, event_types FROM checkout.list_webhook_consumers();

SELECT p.status
FROM checkout.create_checkout_session(30, 'USD', customer_id => 'c') s,
    checkout.record_payment(s.checkout_session_id, 'pay_3', 'succeeded') p;

-- example: list_webhook_events
SELECT event_id, event_type, status, created_at FROM checkout.list_webhook_events(event_type => 'checkout.session.completed');

SELECT event_id FROM checkout.list_webhook_events(event_type => 'checkout.session.completed', page_size => 1) \gset

-- example: claim_webhook_events
SELECT event_id, lease_token, body FROM checkout.claim_webhook_events('jobs', batch_size => 10, lease => '1 minute');

SELECT checkout.redeliver_webhook_events(ARRAY[:'event_id']);
SELECT lease_token FROM checkout.claim_webhook_events('jobs') \gset

-- example: nack_webhook_event
SELECT status, next_attempt_at
FROM checkout.nack_webhook_event('jobs', :'event_id', :'lease_token', error => 'no room', retry_after => '1 minute');

SELECT checkout.redeliver_webhook_events(ARRAY[:'event_id']);
SELECT lease_token FROM checkout.claim_webhook_events('jobs') \gset

-- example: ack_webhook_events
SELECT checkout.ack_webhook_events('jobs', ARRAY[:'event_id'], :'lease_token');

-- example: redeliver_webhook_events
SELECT checkout.redeliver_webhook_events(created_after => now() - interval '1 hour', status => 'dead');

-- example: delete_webhook_consumer
SELECT name FROM checkout.delete_webhook_consumer('jobs', discard_undelivered => true);

-- example: payments
SELECT s.amount, p.payment_id, p.status FROM checkout.checkout_sessions s, checkout.payments(s) AS p;

-- example: checkout_session
SELECT p.payment_id, s.customer_email FROM checkout.payments p, checkout.checkout_session(p) AS s;

-- example: refunds
SELECT p.payment_id, r.amount FROM checkout.payments p, checkout.refunds(p) AS r;

-- example: payment
SELECT r.refund_id, p.payment_method FROM checkout.refunds r, checkout.payment(r) AS p;

-- example: webhook_events
SELECT s.status, e.event_type FROM checkout.checkout_sessions s, checkout.webhook_events(s) AS e;

-- example: webhook_deliveries
SELECT e.event_type, d.status FROM checkout.webhook_events e, checkout.webhook_deliveries(e) AS d;

-- example: webhook_attempts
SELECT d.event_type, a.error FROM checkout.webhook_deliveries d, checkout.webhook_attempts(d) AS a;

\c - reference_relay

-- example: next_webhook_attempt_at
SELECT checkout.next_webhook_attempt_at();

-- example: claim_webhook_deliveries
SELECT event_id, webhook_endpoint_id, url, headers, body FROM checkout.claim_webhook_deliveries(batch_size => 100);

\c - postgres
UPDATE checkout_data.webhook_deliveries SET next_attempt_at = now() WHERE lease_token IS NOT NULL;
\c - reference_relay
SELECT event_id, webhook_endpoint_id, lease_token FROM checkout.claim_webhook_deliveries(batch_size => 1) \gset

-- example: record_webhook_attempt
SELECT status, next_attempt_at
FROM checkout.record_webhook_attempt(:'event_id', :'webhook_endpoint_id', :'lease_token', status_code => 503,
    error => 'HTTP 503', duration => '120 ms');

\c - postgres
UPDATE checkout_data.webhook_deliveries SET next_attempt_at = now() WHERE next_attempt_at IS NOT NULL;
\c - reference_relay
SELECT event_id, webhook_endpoint_id, lease_token FROM checkout.claim_webhook_deliveries(batch_size => 1) \gset

-- example: record_webhook_attempts
SELECT event_id, status, last_status_code
FROM checkout.record_webhook_attempts(jsonb_build_array(jsonb_build_object(
    'event_id', :'event_id', 'webhook_endpoint_id', :'webhook_endpoint_id', 'lease_token', :'lease_token',
    'status_code', 200, 'duration', 0.12)));

\c - postgres
SELECT checkout.redeliver_webhook_events(ARRAY[:'event_id']);
\c - reference_relay
SELECT event_id, webhook_endpoint_id, lease_token FROM checkout.claim_webhook_deliveries(batch_size => 1) \gset

-- example: release_webhook_delivery
SELECT checkout.release_webhook_delivery(:'event_id', :'webhook_endpoint_id', :'lease_token');

-- example: list_dead_webhook_deliveries
SELECT event_id, event_type, delivery_attempts, last_error FROM checkout.list_dead_webhook_deliveries();

-- example: render_webhook_event
SELECT checkout.render_webhook_event(:'event_id', api => 'lomi');

-- example: sign_webhook
SELECT checkout.sign_webhook('evt_1', now(), '{"type": "ping"}', 'whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD');

-- example: verify_webhook
SELECT checkout.verify_webhook(
    headers => '{"webhook-id": "evt_1", "webhook-timestamp": "1700000000", "webhook-signature": "v1,..."}',
    body => '{"type": "ping"}', secret => 'whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD', tolerance => '10 minutes');

-- example: outbox_status
SELECT * FROM checkout.outbox_status();

\c - reference_app

-- example: list_webhook_deliveries
SELECT event_id, event_type, status, delivery_attempts, last_status_code
FROM checkout.list_webhook_deliveries(:'webhook_endpoint_id', status => 'pending');

-- example: list_webhook_attempts
SELECT attempt, status_code, error, duration FROM checkout.list_webhook_attempts(:'event_id');

-- example: export_customer
SELECT kind, record ->> 'checkout_session_id' AS checkout_session_id FROM checkout.export_customer(customer_id => 'customer_1');

-- example: erase_customer
SELECT kind, row_count FROM checkout.erase_customer(customer_email => 'ada@shop.example');

-- example: delete_webhook_endpoint
SELECT url FROM checkout.delete_webhook_endpoint(:'webhook_endpoint_id', discard_undelivered => true);

\c - postgres

CREATE ROLE reference_owner;
SELECT checkout.grant_access('reference_owner', 'secret');
CREATE SCHEMA reference_shop AUTHORIZATION reference_owner;
SET ROLE reference_owner;
CREATE TABLE reference_shop.orders (checkout_session_id uuid PRIMARY KEY, amount numeric);
CREATE FUNCTION reference_shop.on_completed(s checkout.checkout_session) RETURNS void LANGUAGE sql
    AS $$ INSERT INTO reference_shop.orders VALUES (s.checkout_session_id, s.amount) $$;
RESET ROLE;

-- example: set_hook
SELECT checkout.set_hook(:'organization_id', 'completed', 'reference_shop.on_completed(checkout.checkout_session)');

-- example: list_hooks
SELECT event, function, owner, fault, failure_count, last_failure FROM checkout.list_hooks(:'organization_id');

SELECT checkout.create_organization('Closed') AS closed_id \gset

-- example: delete_organization
SELECT checkout.delete_organization(:'closed_id', confirm => 'Closed');

-- example: rotate_client_secrets
SELECT name FROM checkout.rotate_client_secrets(:'organization_id');

-- example: expire_due_checkout_sessions
SELECT checkout.expire_due_checkout_sessions(batch => 1000);

-- example: fold_sessions
SELECT checkout.fold_sessions(batch => 1000);

-- example: run_maintenance
SELECT task, row_count FROM checkout.run_maintenance();

-- example: worker_status
SELECT state, overdue, lag, failures, last_error FROM checkout.worker_status();

-- example: security_report
SELECT finding, object, role, advice FROM checkout.security_report();

-- example: verify_restore
SELECT problem, row_count FROM checkout.verify_restore();

-- example: activate_database
SELECT checkout.activate_database();
