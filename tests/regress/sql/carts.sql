-- What sessions sell: prices that are looked up, lines, amounts that buyers choose, and addresses.
SELECT checkout.create_organization('Carts') AS organization \gset
SELECT testing.login('shop_carts', :'organization');
SELECT testing.key(:'organization', 'publishable') AS browser \gset
\c - shop_carts
SELECT product_id FROM checkout.create_product('Tea', 'tea', image_url => 'https://shop.example/tea.jpg');
SELECT price_id, is_default FROM checkout.create_price('tea', 'EUR', 10, price_id => 'tea-eur', minimum_quantity => 2);
SELECT price_id, is_default FROM checkout.create_price('tea', 'USD', 12.50, price_id => 'tea-usd');
SELECT price_id, is_default FROM checkout.create_price('tea', 'USD', 11, price_id => 'tea-cheap');
SELECT product_id FROM checkout.create_product('Gift', 'gift');
SELECT price_id FROM checkout.create_price('gift', 'EUR', price_id => 'gift', minimum_amount => 5, maximum_amount => 50,
    suggested_amount => 20);
SELECT product_id FROM checkout.create_product('Bare', 'bare');

-- Without uses_catalog, ids are stored as they are, and nothing is looked up.
SELECT product_id, price_id, amount FROM checkout.create_checkout_session(3, 'USD', product_id => 'tea',
    price_id => 'any',
    customer_id => 'c');
SELECT testing.outcome($$SELECT checkout.create_checkout_session(product_id => 'tea', customer_id => 'c')$$);
\c - postgres
SELECT uses_catalog, publishable_amounts FROM checkout.update_organization(:'organization', uses_catalog => true);
\c - shop_carts
CREATE FUNCTION pg_temp.try(arguments text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    answer text;
BEGIN
    EXECUTE 'SELECT concat_ws('' '', amount, currency_code, quantity, price_id) FROM checkout.create_checkout_session('
        || arguments || ', customer_id => ''c'')' INTO answer;
    RETURN answer;
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE || ': ' || SQLERRM;
END
$$;
SELECT arguments, pg_temp.try(arguments) FROM unnest(ARRAY[
    'product_id => ''tea''', 'product_id => ''tea'', currency_code => ''usd''', 'price_id => ''tea-cheap''',
    'price_id => ''tea-eur'', quantity => 3', 'price_id => ''tea-eur'', quantity => 1',
    'price_id => ''tea-eur'', quantity => 1000000', 'price_id => ''tea-usd'', product_id => ''gift''',
    'price_id => ''tea-usd'', currency_code => ''EUR''', 'price_id => ''none''', 'product_id => ''none''',
    'product_id => ''bare''', 'product_id => ''tea'', currency_code => ''JPY''',
    -- An amount beside them must be what the catalog says.
    '12.5, price_id => ''tea-usd''', '25, ''USD'', price_id => ''tea-usd'', quantity => 2',
    '12, price_id => ''tea-usd''', '0, price_id => ''tea-usd''',
    -- Pay what you want: the suggestion, or an amount within the bounds for each unit.
    'price_id => ''gift''', '7.50, price_id => ''gift''', '4.99, price_id => ''gift''', '50.01, price_id => ''gift''',
    '30, price_id => ''gift'', quantity => 3', '10, price_id => ''gift'', quantity => 3',
    '16, price_id => ''gift'', quantity => 3']) AS arguments;

-- Lines are of the catalog, or say what they cost.
SELECT checkout_session_id AS cart, amount, currency_code, quantity, price_id
FROM checkout.create_checkout_session(customer_id => 'c', allow_quantity => true, lines => '[
    {"price_id": "tea-eur", "quantity": 2}, {"product_id": "gift", "amount": 7.5},
    {"title": "Card", "amount": 1.20, "quantity": 3}, {"kind": "shipping", "title": "By post", "amount": 5},
    {"kind": "tax", "title": "VAT", "amount": 6.21}, {"kind": "fee", "title": "Small order", "amount": 0.5}]') \gset
\echo :amount :currency_code :quantity :price_id
SELECT line, kind, product_id, title, image_url, unit_amount, quantity, total, minimum_quantity, minimum_amount
FROM checkout.list_session_lines(:'cart');
SELECT subtotal, discount, shipping, tax, fees, amount, coupon_code FROM checkout.session_terms
WHERE checkout_session_id = :'cart';
SELECT arguments, pg_temp.try(arguments) FROM unnest(ARRAY[
    $$lines => '[{"title": "Card", "amount": 1}]'$$, $$currency_code => 'EUR', lines => '[{"title": "Card",
        "amount": 1}]'$$,
    $$3, lines => '[{"price_id": "tea-usd"}]'$$, $$12.5, lines => '[{"price_id": "tea-usd"}]'$$,
    $$lines => '[{"price_id": "tea-usd"}, {"price_id": "tea-eur", "quantity": 2}]'$$,
    $$lines => '[{"price_id": "tea-usd"}, {"title": "Card", "amount": 0.001}]'$$,
    $$lines => '[{"price_id": "tea-usd"}, {"kind": "shipping"}]'$$, $$lines => '[{"price_id": "none"}]'$$,
    $$lines => '[{"price_id": "gift", "amount": 4}]'$$, $$lines => '[{"price_id": "tea-usd", "amount": 12}]'$$,
    $$lines => '[{"price_id": "tea-eur"}]'$$, $$lines => '{}'$$, $$lines => '[]'$$,
    $$lines => '[{"price_id": "tea-usd"}]', price_id => 'tea-usd'$$, $$lines => '[{"price_id": "tea-usd"}]',
        quantity => 2$$,
    $$lines => (SELECT jsonb_agg(jsonb_build_object('price_id', 'tea-usd')) FROM generate_series(1, 101))$$,
    $$currency_code => 'EUR', lines => '[{"title": "Castle", "amount": 999999999999999, "quantity": 2}]'$$,
    $$lines => '[{"price_id": "tea-usd", "quantity": 1e400}]'$$]) AS arguments;
-- The same lines in another spelling are the same order.
SELECT idempotent_replay FROM checkout.create_checkout_session(customer_id => 'c', idempotency_key => 'cart-1',
    lines => '[{"price_id": "tea-usd", "quantity": 2}]');
SELECT idempotent_replay FROM checkout.create_checkout_session(customer_id => 'c', idempotency_key => 'cart-1',
    lines => '[{"quantity": 2.0, "price_id": "tea-usd"}]');
SELECT testing.outcome($$SELECT checkout.create_checkout_session(customer_id => 'c', idempotency_key => 'cart-1',
    lines => '[{"quantity": 3, "price_id": "tea-usd"}]')$$);

-- The buyer chooses the quantity of a line, and what a gift is worth. What is not an item is not chosen.
SELECT amount, subtotal, quantity FROM checkout.set_quantity(:'cart', quantity => 4, line => 1);
SELECT amount, subtotal FROM checkout.set_unit_amount(:'cart', unit_amount => 50, line => 2);
SELECT call, testing.outcome(format('SELECT checkout.' || call, :'cart')) FROM unnest(ARRAY[
    'set_quantity(%L, quantity => 2)', 'set_quantity(%L, quantity => 1, line => 1)', 'set_quantity(%L, line => 1)',
    'set_quantity(%L, quantity => 2, line => 4)', 'set_quantity(%L, quantity => 2, line => 0)',
    'set_quantity(%L, quantity => 2, line => 7)', 'set_unit_amount(%L, unit_amount => 4, line => 2)',
    'set_unit_amount(%L, unit_amount => 50.01, line => 2)', 'set_unit_amount(%L, unit_amount => 20.001, line => 2)',
    'set_unit_amount(%L, unit_amount => ''NaN'', line => 2)', 'set_unit_amount(%L, unit_amount => 5, line => 1)',
    'set_unit_amount(%L, line => 2)', 'apply_coupon(%L, code => ''x'')', 'set_billing_address(%L, address => ''{}'')',
    'complete_free_checkout_session(%L)']) AS call;
SELECT amount, subtotal, array_length(lines, 1) AS lines FROM checkout.public_checkout_session(:'cart',
    (SELECT client_secret FROM checkout.get_checkout_session(:'cart')));

-- A session that says only an amount has no lines until its buyer changes something.
SELECT checkout_session_id AS plain, client_secret FROM checkout.create_checkout_session(30, 'EUR', title => 'Lesson',
    quantity => 3, customer_id => 'c', allow_quantity => true) \gset
SELECT count(*) FROM checkout.list_session_lines(:'plain');
SELECT amount, subtotal, discount, lines FROM checkout.public_checkout_session(:'plain', :'client_secret');
SELECT amount, quantity, (lines[1]).unit_amount FROM checkout.set_quantity(:'plain', :'client_secret', 2);
SELECT status, amount FROM checkout.record_payment(:'plain', 'cart-1', 'succeeded', 20);
SELECT testing.outcome(format('SELECT checkout.set_quantity(%L, %L, 4)', :'plain', :'client_secret'));

-- With a coupon, too, another quantity costs what its units cost.
SELECT code FROM checkout.create_coupon('TEN', 10);
SELECT checkout_session_id AS plain FROM checkout.create_checkout_session(30, 'EUR', quantity => 3, customer_id => 'c',
    allow_quantity => true, coupon_code => 'ten') \gset
SELECT line, unit_amount, quantity, discount FROM checkout.list_session_lines(:'plain');
SELECT amount, quantity FROM checkout.set_quantity(:'plain', quantity => 2);
-- If nobody knows what a unit costs, the quantity stays, whatever else the buyer changes.
SELECT checkout_session_id AS plain FROM checkout.create_checkout_session(10, 'EUR', quantity => 3, customer_id => 'c',
    allow_quantity => true, allow_coupon_code => true, require_billing_address => true) \gset
SELECT quantity, testing.outcome(format('SELECT checkout.set_quantity(%L, quantity => %s)', :'plain', quantity))
FROM unnest('{1,2,3,4}'::integer[]) AS quantity;
SELECT amount, quantity FROM checkout.set_billing_address(:'plain', address => '{"country": "SN"}');
SELECT applied, (session).amount, (session).quantity FROM checkout.apply_coupon(:'plain', code => 'ten');
SELECT testing.outcome(format('SELECT checkout.set_quantity(%L, quantity => 1)', :'plain'));
SELECT amount, quantity FROM checkout.get_checkout_session(:'plain');

-- Before it is paid, a session may ask for the billing address.
SELECT checkout_session_id AS sold, client_secret FROM checkout.create_checkout_session(price_id => 'tea-usd',
    customer_id => 'c', require_billing_address => true) \gset
SELECT testing.outcome(format('SELECT checkout.begin_payment(%L, ''cart-2'')', :'sold'));
SELECT address, testing.outcome(format('SELECT checkout.set_billing_address(%L, %L, %L)', :'sold', :'client_secret',
    address))
FROM unnest(ARRAY[NULL, '[]', '{}', '{"country": "XX"}', '{"country": "SN", "zip": "1"}', '{"country": "SN",
    "city": 5}',
    jsonb_build_object('country', 'SN', 'city', repeat('x', 256))::text]) AS address;
SELECT has_billing_address, amount FROM checkout.set_billing_address(:'sold', :'client_secret',
    '{"name": "Jo", "line1": "1 Main St", "city": "Dakar", "country": "sn"}');
SELECT billing_address FROM checkout.session_terms WHERE checkout_session_id = :'sold';
SELECT status FROM checkout.begin_payment(:'sold', 'cart-2');
-- Another's secret, and a wrong one, open nothing.
SELECT testing.outcome(format('SELECT checkout.set_quantity(%L, %L, 2)', :'cart', :'client_secret'));
SELECT testing.outcome(format('SELECT checkout.set_quantity(%L, ''cs_secret_x'', 2)', :'cart'));

-- Where publishable_amounts is off, a browser names a price and no amount.
\c - postgres
SELECT publishable_amounts FROM checkout.update_organization(:'organization', publishable_amounts => false);
\c - postgres
BEGIN;
SELECT kind FROM checkout.authenticate(:'browser');
SELECT amount, created_with FROM checkout.create_checkout_session(price_id => 'tea-usd', customer_id => 'c');
SELECT testing.outcome($$SELECT checkout.create_checkout_session(5, 'EUR', customer_id => 'c')$$);
SELECT testing.outcome($$SELECT checkout.create_checkout_session(customer_id => 'c', currency_code => 'EUR',
    lines => '[{"price_id": "tea-eur", "quantity": 2}, {"title": "Card", "amount": 0}]')$$);
ROLLBACK;
\c - shop_carts
