-- A merchant fills a catalog: products, their prices and their stock.
SELECT checkout.create_organization('Catalog products') AS organization,
    checkout.create_organization('Another catalog') AS another \gset
SELECT testing.login('shop_catalog', :'organization'), testing.login('shop_other_catalog', :'another');
\c - shop_catalog

-- A mug, of which there are ten, and a book that is printed on demand.
SELECT product_id, environment, name, description, image_url, active, metadata, on_hand, held, available,
    continue_selling, created_at = updated_at AS new
FROM checkout.create_product('Mug', 'mug', E'White.\nHolds a lot.', 'https://shop.example/mug.png', on_hand => 10);
SELECT product_id, metadata, on_hand, held, available, continue_selling
FROM checkout.create_product('Book', 'book', metadata => '{"isbn": 1}');
-- An id that nobody gives is a UUID, and of its time.
SELECT product_id::uuid IS NOT NULL AS uuid, substr(product_id, 15, 1) AS version, on_hand, available, continue_selling
FROM checkout.create_product('Poster', description => '  ', image_url => '', on_hand => 0, continue_selling => true);
SELECT call, testing.outcome(format('SELECT checkout.create_product(%s)', call)) FROM unnest(ARRAY[
    '''Mug'', ''mug''', 'NULL', '''''', ''' ''', '''x'', ''''', '''x'', repeat(''x'', 256)',
    '''x'', description => repeat(''x'', 5001)', '''x'', image_url => ''mug.png''',
    '''x'', image_url => ''javascript:alert(1)''', '''x'', metadata => ''[]''', '''x'', on_hand => -1',
    '''x'', continue_selling => true']) AS call;

-- What is not named stays as it is; what is empty is removed.
SELECT name, description, image_url, active, metadata, on_hand
FROM checkout.update_product('mug', name => 'Large mug', metadata => '{"colour": "white"}');
SELECT name, description, image_url, metadata FROM checkout.update_product('mug', description => '', image_url => '');
SELECT product_id, active FROM checkout.update_product('book', active => false);
SELECT product_id FROM checkout.list_products(active => false);
SELECT name, active FROM checkout.list_products();
SELECT call, testing.outcome(format('SELECT checkout.update_product(%s)', call)) FROM unnest(ARRAY[
    'NULL', '''plate''', '''mug'', name => ''''', '''mug'', image_url => ''x''', '''mug'', metadata => ''1''',
    '''book'', continue_selling => true']) AS call;

-- Deliveries come, and a cup breaks. Less than nothing is not taken away, except of what is sold on.
SELECT on_hand, available FROM checkout.adjust_inventory('mug', 5, 'Delivery 17');
SELECT on_hand, available FROM checkout.adjust_inventory('mug', -1, 'Broken');
SELECT call, testing.outcome(format('SELECT checkout.adjust_inventory(%s)', call)) FROM unnest(ARRAY[
    '''mug'', -15', '''mug'', 0', '''mug'', NULL', 'NULL, 1', '''plate'', 1', '''book'', 1',
    '''mug'', 1, repeat(''x'', 256)']) AS call;
SELECT continue_selling FROM checkout.update_product('mug', continue_selling => true);
SELECT on_hand, available FROM checkout.adjust_inventory('mug', -15);
SELECT continue_selling FROM checkout.update_product('mug', continue_selling => false);
SELECT on_hand FROM checkout.adjust_inventory('mug', 1);
SELECT on_hand FROM checkout.adjust_inventory('mug', 9);
SELECT change, on_hand, reason, created_by FROM checkout.inventory_changes WHERE product_id = 'mug'
ORDER BY inventory_change_id;

-- What buyers keep is not available to others: three for a session that is open, two that were just sold. What a lapsed
-- session kept is.
\c - postgres
INSERT INTO checkout_data.holds (organization_id, environment, checkout_session_id, kind, item_id, quantity, state,
    deadline)
SELECT :'organization', 'live', gen_random_uuid(), 'product', 'mug', h.quantity, h.state, now() + h.time_left
FROM (VALUES (3, 'held', interval '1 hour'), (2, 'taken', '-1 hour'), (4, 'held', '-1 hour')) AS h (quantity, state,
    time_left);
\c - shop_catalog
SELECT on_hand, held, available FROM checkout.update_product('mug');
SELECT product_id, on_hand, held, available, continue_selling FROM checkout.inventory WHERE product_id = 'mug';

-- The merchant stops counting, and begins anew: what is held then is known.
SELECT on_hand, held, available, continue_selling FROM checkout.update_product('mug', track_inventory => false);
SELECT on_hand FROM checkout.update_product('mug', track_inventory => false);
SELECT count(*) FROM checkout.inventory WHERE product_id = 'mug';
SELECT on_hand, held, available FROM checkout.update_product('mug', track_inventory => true, continue_selling => true);
SELECT on_hand FROM checkout.update_product('mug', track_inventory => true);
SELECT on_hand, held, available FROM checkout.adjust_inventory('mug', 20, 'Counted');
SELECT sum(change) AS sum, count(*) FROM checkout.inventory_changes WHERE product_id = 'mug';
\c - postgres
SELECT on_hand, held FROM checkout_data.inventory WHERE organization_id = :'organization' AND product_id = 'mug';
DELETE FROM checkout_data.holds WHERE organization_id = :'organization';
UPDATE checkout_data.inventory SET held = 0 WHERE organization_id = :'organization';
\c - shop_catalog

-- The first price in a currency is the default, unless the merchant says otherwise.
SELECT price_id, product_id, currency_code, amount, minimum_amount, minimum_quantity, maximum_quantity, is_default,
    active, metadata
FROM checkout.create_price('mug', 'usd', 12.5, price_id => 'mug-usd');
SELECT price_id, amount, is_default FROM checkout.create_price('mug', 'JPY', 1900, price_id => 'mug-jpy');
SELECT price_id, amount, minimum_quantity, maximum_quantity, is_default, description
FROM checkout.create_price('mug', 'USD', 10, price_id => 'mug-usd-12', minimum_quantity => 12, maximum_quantity => 99,
    description => 'By the dozen');
SELECT price_id, amount, is_default FROM checkout.create_price('mug', 'USD', 11, price_id => 'mug-sale',
    is_default => true);
SELECT price_id, is_default FROM checkout.list_prices('mug', currency_code => 'usd');
-- Buyers pay what they want, or nothing at all.
SELECT amount, minimum_amount, maximum_amount, suggested_amount
FROM checkout.create_price('mug', 'EUR', minimum_amount => 0, maximum_amount => 50, suggested_amount => 9.9,
    price_id => 'mug-eur');
SELECT amount, is_default FROM checkout.create_price('mug', 'EUR', 0, price_id => 'mug-free');
SELECT call, testing.outcome(format('SELECT checkout.create_price(%s)', call)) FROM unnest(ARRAY[
    '''mug'', ''USD'', 1, price_id => ''mug-usd''', '''plate'', ''USD'', 1', '''book'', ''USD'', 1',
    'NULL, ''USD'', 1', '''mug'', NULL, 1', '''mug'', ''XXX'', 1', '''mug'', ''USD''', '''mug'', ''USD'', -1',
    '''mug'', ''USD'', 0.001', '''mug'', ''JPY'', 0.5', '''mug'', ''USD'', 1000000000000000',
    '''mug'', ''USD'', ''NaN''',
    '''mug'', ''USD'', 1, minimum_amount => 1', '''mug'', ''USD'', 1, maximum_amount => 1',
    '''mug'', ''USD'', minimum_amount => 2, maximum_amount => 1',
    '''mug'', ''USD'', minimum_amount => 2, suggested_amount => 1', '''mug'', ''USD'', 1, minimum_quantity => 0',
    '''mug'', ''USD'', 1, minimum_quantity => 2, maximum_quantity => 1', '''mug'', ''USD'', 1, price_id => '' ''',
    '''mug'', ''USD'', 1, metadata => ''[]''']) AS call;
-- A call that is refused has taken no default away.
SELECT testing.outcome($$SELECT checkout.create_price('mug', 'USD', 1, price_id => 'mug-usd', is_default => true)$$);
SELECT price_id FROM checkout.list_prices('mug', currency_code => 'USD') WHERE is_default;

-- The sale is over: the old price is the default again. An archived price is none.
SELECT price_id, active, is_default FROM checkout.update_price('mug-usd', is_default => true);
SELECT price_id, active, is_default FROM checkout.update_price('mug-sale', active => false);
SELECT price_id, active, is_default FROM checkout.update_price('mug-jpy', active => false);
SELECT price_id, active, is_default FROM checkout.update_price('mug-jpy', active => true, is_default => true);
SELECT price_id, is_default FROM checkout.update_price('mug-jpy', is_default => false);
SELECT price_id, is_default FROM checkout.update_price('mug-usd');
SELECT call, testing.outcome(format('SELECT checkout.update_price(%s)', call)) FROM unnest(ARRAY[
    'NULL', '''plate-usd''', '''mug-sale'', is_default => true', '''mug-usd'', active => false, is_default => true'])
    AS call;
SELECT price_id, currency_code, active, is_default FROM checkout.list_prices('mug');
SELECT price_id FROM checkout.list_prices(active => false);

-- Pages.
SELECT price_id FROM checkout.list_prices(page_size => 2);
SELECT price_id FROM checkout.list_prices(page_size => 2, starting_after => 'mug-eur');
SELECT product_id FROM checkout.list_products(page_size => 1, starting_after => 'book');
SELECT call, testing.outcome('SELECT checkout.' || call) FROM unnest(ARRAY[
    'list_prices(''plate'')', 'list_prices(currency_code => ''x'')', 'list_prices(page_size => 0)',
    'list_prices(starting_after => ''plate'')', 'list_products(page_size => 101)',
    'list_products(starting_after => ''plate'')']) AS call;

-- The views have what the lists have, and rows lead to those that belong to them.
SELECT count(*) AS differ FROM (
    SELECT to_jsonb(v) FROM checkout.products v EXCEPT SELECT to_jsonb(l) FROM checkout.list_products() l
    UNION ALL SELECT to_jsonb(v) FROM checkout.prices v EXCEPT SELECT to_jsonb(l) FROM checkout.list_prices() l) AS d;
SELECT (SELECT count(*) FROM checkout.products) AS products, (SELECT count(*) FROM checkout.prices) AS prices,
    (SELECT count(*) FROM checkout.inventory) AS inventory;
SELECT p.product_id, c.price_id FROM checkout.products p, LATERAL checkout.prices(p) AS c
WHERE c.currency_code = 'USD' ORDER BY c.price_id;
SELECT c.price_id, p.name FROM checkout.prices c, LATERAL checkout.product(c) AS p WHERE c.price_id = 'mug-jpy';
SELECT i.reason FROM checkout.products p, LATERAL checkout.inventory_changes(p) AS i
WHERE p.product_id = 'mug' ORDER BY i.inventory_change_id LIMIT 2;

-- Nobody else sees any of it: the same ids are others.
\c - shop_other_catalog
SELECT call, testing.outcome('SELECT checkout.' || call) FROM unnest(ARRAY[
    'update_product(''mug'')', 'adjust_inventory(''mug'', 1)', 'create_price(''mug'', ''USD'', 1)',
    'update_price(''mug-usd'')', 'list_prices(''mug'')', 'list_products(starting_after => ''mug'')']) AS call;
SELECT product_id, name FROM checkout.create_product('Another mug', 'mug');
SELECT price_id, is_default FROM checkout.create_price('mug', 'USD', 1, price_id => 'mug-usd');
SELECT (SELECT count(*) FROM checkout.products) AS products, (SELECT count(*) FROM checkout.prices) AS prices,
    (SELECT count(*) FROM checkout.inventory) + (SELECT count(*) FROM checkout.inventory_changes) AS stock;
\c - postgres
SELECT testing.outcome(format('DELETE FROM checkout_data.organizations WHERE organization_id = %L', :'another'));
