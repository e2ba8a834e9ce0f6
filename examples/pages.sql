-- What one can look at after `make demo`, for psql with the variable base_url: in the test environment of the
-- organization "Demo" some sessions that have ended, and one that is open for its buyer.

\set QUIET on
\set ECHO none
\t on
\a
SET client_min_messages = warning;
SELECT organization_id FROM checkout.list_organizations() WHERE name = 'Demo' \gset
SELECT api_key AS reader FROM checkout.create_api_key(:'organization_id', 'restricted', 'test', name => 'Dashboard') \gset
SELECT api_key AS server FROM checkout.create_api_key(:'organization_id', 'secret', 'test') \gset
SELECT FROM checkout.update_organization(:'organization_id', base_url => :'base_url', allow_restart => true,
    payment_methods => '{card,mobile_money,bank_transfer}');

BEGIN;
SELECT FROM checkout.authenticate(:'server');
SELECT FROM checkout.create_product('Coffee Beans - 1kg', product_id => 'beans', on_hand => 40);
SELECT FROM checkout.create_price('beans', 'XOF', 5000, price_id => 'beans-1kg', is_default => true);
SELECT FROM checkout.create_product('Stoneware cup', product_id => 'cup', on_hand => 4);
SELECT FROM checkout.create_price('cup', 'XOF', 3500, price_id => 'cup', is_default => true);
SELECT FROM checkout.create_coupon('WELCOME', percent_off => 10);
COMMIT;

-- Each is created and played in a transaction of its own.
SELECT format($$BEGIN; SELECT FROM checkout.authenticate(%L);
    SELECT FROM checkout.create_checkout_session(currency_code => 'XOF', customer_email => 'buyer%s@example.com',
        reference => 'order-%s', coupon_code => %L, lines => '[{"price_id": %s, "quantity": 1}]') AS s,
        LATERAL checkout.simulate_payment(s.checkout_session_id, %L) AS p; COMMIT;$$,
    :'server', n, 1000 + n, CASE WHEN n % 4 = 0 THEN 'WELCOME' END, CASE WHEN n % 3 = 0 THEN '"cup"' ELSE '"beans-1kg"' END,
    (ARRAY['complete', 'complete', 'decline:card_declined', 'complete', 'expire', 'complete', 'fail', 'complete', 'late'])
        [n % 9 + 1])
FROM generate_series(1, 27) AS n WHERE n % 3 <> 0 OR n < 9 \gexec
BEGIN;
SELECT FROM checkout.authenticate(:'server');
-- Without a success_url: nobody's shop is there to return to.
SELECT url FROM checkout.create_checkout_session(currency_code => 'XOF', customer_email => 'ama@example.com',
    allow_quantity => true, allow_coupon_code => true, expires_in => '24 hours',
    lines => '[{"price_id": "beans-1kg", "quantity": 2}, {"price_id": "cup"},
        {"kind": "shipping", "title": "Delivery in Dakar", "amount": 1500}]') \gset
COMMIT;
\echo :url
\echo :reader
\echo :server
