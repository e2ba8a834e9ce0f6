-- Buyers use coupons. The numbers are of public failures of others' shops.
SELECT checkout.create_organization('Discounts', uses_catalog => true) AS organization \gset
SELECT testing.login('shop_discounts', :'organization');
CREATE FUNCTION testing.buy(customer_id text, quantity integer DEFAULT 1) RETURNS uuid LANGUAGE sql AS $$
    SELECT checkout_session_id FROM checkout.create_checkout_session(product_id => 'tea', quantity => buy.quantity,
        customer_id => buy.customer_id, allow_coupon_code => true, allow_quantity => true)
$$;
CREATE FUNCTION testing.try(id uuid, code text) RETURNS text LANGUAGE sql AS $$
    SELECT concat_ws(' ', CASE WHEN applied THEN 'applied' ELSE reason END, (session).amount, (session).coupon_code)
    FROM checkout.apply_coupon(id, code => try.code)
$$;
\c - shop_discounts
SELECT product_id FROM checkout.create_product('Tea', 'tea');
SELECT price_id FROM checkout.create_price('tea', 'EUR', 10, price_id => 'tea');
SELECT count(*) FROM (VALUES
    (checkout.create_coupon('SUMMER', 15)), (checkout.create_coupon('ONCE', 10, max_redemptions => 1)),
    (checkout.create_coupon('EACH', 10, max_redemptions_per_customer => 1)), (checkout.create_coupon('ALL', 100)),
    (checkout.create_coupon('FIVE', amount_off => 5, currency_code => 'EUR')),
    (checkout.create_coupon('DOLLAR', amount_off => 5, currency_code => 'USD')),
    (checkout.create_coupon('LARGE', 10, currency_code => 'EUR', minimum_amount => 20)),
    (checkout.create_coupon('OVER', 10, valid_until => now() - interval '1 day')),
    (checkout.create_coupon('SOON', 10, valid_from => now() + interval '1 day')),
    (checkout.create_coupon('WELCOME', 10, customers => 'new')),
    (checkout.create_coupon('AGAIN', 10, customers => 'returning'))) AS c;

SELECT testing.buy('a') AS a, testing.buy('b') AS b \gset

-- 21: spaces and case do not matter. 26: never below zero.
SELECT testing.try(:'a', ' summer '), testing.try(:'a', 'five'), testing.try(:'a', 'SUMMER');
SELECT subtotal, discount, amount, coupon_code FROM checkout.remove_coupon(:'a');
-- Every other reason. 22: the end is exclusive. 24: another currency is refused, never converted.
SELECT code, testing.try(:'b', code)
FROM unnest('{NONE,DOLLAR,LARGE,OVER,SOON,AGAIN}'::text[]) AS code;

-- 13, 15: the last redemption is given once, and comes back from a session that ends unpaid.
SELECT testing.buy('a') AS a, testing.buy('b') AS b, testing.buy('c') AS c \gset
SELECT testing.try(:'a', 'ONCE'), testing.try(:'b', 'ONCE');
SELECT held, redeemed, available FROM checkout.coupons WHERE code = 'ONCE';
SELECT status FROM checkout.record_payment(:'a', 'discount-1', 'failed');
SELECT testing.try(:'b', 'ONCE');
SELECT status FROM checkout.expire_checkout_session(:'a');
SELECT testing.try(:'b', 'ONCE');
-- 16: a recovery is not refused by its own redemption, but by another's.
SELECT testing.outcome(format('SELECT checkout.recover_checkout_session(%L)', :'a'));
SELECT status FROM checkout.expire_checkout_session(:'b');
SELECT checkout_session_id AS b, amount FROM checkout.recover_checkout_session(:'b') \gset
\echo :amount
-- 17: a payment in two steps counts once.
SELECT status FROM checkout.begin_payment(:'b', 'discount-2');
SELECT status, amount FROM checkout.record_payment(:'b', 'discount-2', 'succeeded', 9);
SELECT held, redeemed, available FROM checkout.coupons WHERE code = 'ONCE';
\c - postgres
SELECT FROM checkout.run_maintenance();
\c - shop_discounts
SELECT held, redeemed, available FROM checkout.coupons WHERE code = 'ONCE';
SELECT testing.try(:'c', 'ONCE');

-- 20: a customer is an id, or an address in either case; who is neither gets no limited coupon.
SELECT testing.buy('d') AS d, testing.buy('d') AS d_again \gset
SELECT testing.try(:'d', 'EACH'), testing.try(:'d_again', 'EACH');
SELECT status FROM checkout.record_payment(:'d', 'discount-3', 'succeeded');
SELECT testing.try(:'d_again', 'EACH');
SELECT checkout_session_id AS e FROM checkout.create_checkout_session(product_id => 'tea', coupon_code => 'each',
    customer_email => 'Jo@example.com') \gset
SELECT testing.outcome($$SELECT checkout.create_checkout_session(product_id => 'tea', coupon_code => 'each',
    customer_email => 'jo@EXAMPLE.com')$$);
-- Nobody, by a dialect that asks for no customer: neither as the order comes, nor later.
SELECT testing.outcome($$SELECT checkout.create_checkout_session(product_id => 'tea', coupon_code => 'each')$$);
SELECT body ->> 'id' AS nobody FROM checkout.handle_request('paygate', 'POST', '/v1/checkout/sessions',
    body => '{"amount": 1000, "success_url": "https://shop.example/", "cancel_url": "https://shop.example/"}') \gset
\c - postgres
UPDATE checkout_data.checkout_sessions SET allow_coupon_code = true
WHERE checkout_session_id = checkout.session_id(:'nobody');
\c - shop_discounts
SELECT code, testing.try(checkout.session_id(:'nobody'), code)
FROM unnest('{EACH,WELCOME,AGAIN,SUMMER}'::text[]) AS code;
-- New customers, and those who come again.
SELECT testing.buy('new') AS n, testing.buy('d') AS d \gset
SELECT testing.try(:'n', 'WELCOME'), testing.try(:'n', 'AGAIN'), testing.try(:'d', 'WELCOME'), testing.try(:'d',
    'AGAIN');

-- Who has bought is no new customer, however he writes his address then and now.
SELECT status FROM checkout.record_payment(:'e', 'discount-new', 'succeeded');
SELECT address, testing.outcome(format('SELECT checkout.create_checkout_session(product_id => ''tea'',
    coupon_code => ''welcome'', customer_email => %L)', address))
FROM unnest('{Jo@example.com,jo@example.com,JO@EXAMPLE.COM}'::text[]) AS address;

-- 18: the coupon ends after it was applied: it is honoured until the session ends.
SELECT active FROM checkout.update_coupon('SUMMER', active => false);
SELECT testing.buy('f') AS f \gset
SELECT testing.try(:'f', 'SUMMER');
SELECT active FROM checkout.update_coupon('SUMMER', active => true);
SELECT testing.try(:'f', 'SUMMER');
SELECT active FROM checkout.update_coupon('SUMMER', active => false);
SELECT amount, discount, coupon_code FROM checkout.set_quantity(:'f', quantity => 2);
SELECT status, amount FROM checkout.record_payment(:'f', 'discount-4', 'succeeded', 17);
-- 19: the quantity falls below the minimum: the coupon goes, and the answer says so.
SELECT testing.buy('g', 2) AS g \gset
SELECT testing.try(:'g', 'LARGE');
SELECT amount, discount, coupon_code FROM checkout.set_quantity(:'g', quantity => 1);

-- 23: buyers get one text, whatever the reason is, and ten tries a session.
SELECT checkout_session_id AS h, client_secret FROM checkout.create_checkout_session(product_id => 'tea',
    customer_id => 'h',
    allow_coupon_code => true) \gset
SELECT string_agg(DISTINCT reason, ', ') FROM unnest('{NONE,DOLLAR,OVER,ONCE}'::text[]) AS code,
    LATERAL checkout.apply_coupon(:'h', :'client_secret', code);
SELECT (session).coupon_code FROM checkout.apply_coupon(:'h', :'client_secret', 'five');
SELECT count(*) FROM generate_series(6, 10) AS n, checkout.apply_coupon(:'h', :'client_secret', 'NONE-' || n);
SELECT applied, reason, (session).coupon_code FROM checkout.apply_coupon(:'h', :'client_secret', 'ALL');
SELECT applied, reason FROM checkout.apply_coupon(:'h', code => 'ALL');
-- A browser cannot guess by creating sessions, either.
\c - postgres
SELECT testing.key(:'organization', 'publishable') AS browser \gset
BEGIN;
SELECT kind FROM checkout.authenticate(:'browser');
SELECT testing.outcome($$SELECT checkout.create_checkout_session(product_id => 'tea', coupon_code => 'ALL',
    customer_id => 'x')$$);
ROLLBACK;
\c - shop_discounts

-- 27, 30: a hundred percent leaves exactly nothing. No payment is asked for, and the session completes.
SELECT checkout_session_id AS i, amount, payment_status FROM checkout.create_checkout_session(product_id => 'tea',
    coupon_code => 'all', customer_id => 'i', success_url => 'https://shop.example/thanks') \gset
\echo :amount :payment_status
SELECT testing.outcome(format('SELECT checkout.begin_payment(%L, ''discount-5'')', :'i'));
SELECT status, payment_status, success_url FROM checkout.complete_free_checkout_session(:'i');
SELECT status, payment_status FROM checkout.complete_free_checkout_session(:'i');
SELECT status, payment_status, payment_id, amount, completed_at IS NOT NULL AS completed
FROM checkout.get_checkout_session(:'i');
SELECT event_type, body::jsonb #>> '{data,object,payment_status}' AS payment_status,
    body::jsonb #>> '{data,object,amount}' AS amount, body::jsonb #> '{data,payment}' AS payment
FROM checkout.list_webhook_events(:'i');
-- Money that comes all the same is kept, to be refunded.
SELECT status, rejection_reason FROM checkout.record_payment(:'i', 'discount-5', 'succeeded', 10);
SELECT status, payment_status, payment_id FROM checkout.get_checkout_session(:'i');
-- What has to be paid is not free; nor is what was sold.
SELECT testing.outcome(format('SELECT checkout.complete_free_checkout_session(%L)', :'h'));
SELECT testing.outcome(format('SELECT checkout.complete_free_checkout_session(%L)', :'f'));

-- 25: a coupon without effect is refused.
SELECT checkout_session_id AS j FROM checkout.create_checkout_session(currency_code => 'EUR', customer_id => 'j',
    lines => '[{"title": "Sweet", "amount": 0.01}]', allow_coupon_code => true) \gset
SELECT testing.try(:'j', 'EACH');
-- 31: kobo and Flutterwave have a least amount. It is checked as the session is created, and no buyer changes it later.
SELECT body #>> '{data,id}' AS kobo FROM checkout.handle_request('kobo', 'POST', '/v1/checkout/session/initialize',
    body => '{"amount": 100, "email": "jo@example.com"}') \gset
SELECT call, testing.outcome(format('SELECT checkout.' || call, :'kobo')) FROM unnest(ARRAY[
    'apply_coupon(%L, code => ''summer'')', 'set_quantity(%L, quantity => 1)', 'set_unit_amount(%L, unit_amount => 0)',
    'complete_free_checkout_session(%L)']) AS call;
-- What the coupons have brought.
SELECT * FROM checkout.coupon_performance('each');
SELECT * FROM checkout.coupon_performance('all');
