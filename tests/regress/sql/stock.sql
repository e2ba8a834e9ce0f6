-- A shop sells what it has. The numbers are of public failures of others' shops.
SELECT checkout.create_organization('Stock', uses_catalog => true) AS organization \gset
SELECT testing.login('shop_stock', :'organization');
SELECT testing.key(:'organization', 'publishable') AS browser \gset
\c - shop_stock
SELECT on_hand, held, available FROM checkout.create_product('Tea', 'tea', on_hand => 3);
SELECT amount, is_default FROM checkout.create_price('tea', 'EUR', 10, price_id => 'tea-100g', maximum_quantity => 5);
SELECT amount, is_default FROM checkout.create_price('tea', 'EUR', 18, price_id => 'tea-200g');
SELECT product_id FROM checkout.create_product('Pot', 'pot', on_hand => 1);
SELECT price_id FROM checkout.create_price('pot', 'EUR', 30, price_id => 'pot');

CREATE FUNCTION pg_temp.stock(product_id text) RETURNS text LANGUAGE sql AS $$
    SELECT format('%s on hand, %s held, %s available', i.on_hand, i.held, i.available) FROM checkout.inventory i
    WHERE i.product_id = stock.product_id
$$;

-- The session takes what it does not say from the product: its default price, and its name.
SELECT checkout_session_id AS tea, amount, currency_code, quantity, product_id, price_id, title
FROM checkout.create_checkout_session(product_id => 'tea', quantity => 2, customer_id => 'a',
    allow_quantity => true) \gset
\echo :amount :currency_code :quantity :product_id :price_id :title
SELECT line, kind, product_id, price_id, title, unit_amount, quantity, subtotal, discount, total, maximum_quantity
FROM checkout.list_session_lines(:'tea');
SELECT pg_temp.stock('tea');
SELECT testing.outcome($$SELECT checkout.create_checkout_session(product_id => 'tea', quantity => 2,
    customer_id => 'b')$$);

-- 3: two lines of one product are summed first.
SELECT testing.outcome($$SELECT checkout.create_checkout_session(customer_id => 'b', lines =>
    '[{"price_id": "tea-100g"}, {"price_id": "tea-200g"}]')$$);
SELECT pg_temp.stock('tea');
-- 7: a session's own hold does not block it. It takes what is left, and gives it back.
SELECT quantity, amount FROM checkout.set_quantity(:'tea', quantity => 3);
SELECT pg_temp.stock('tea');
SELECT testing.outcome(format('SELECT checkout.set_quantity(%L, quantity => 4)', :'tea'));
SELECT testing.outcome(format('SELECT checkout.set_quantity(%L, quantity => 6)', :'tea'));
SELECT quantity, amount FROM checkout.set_quantity(:'tea', quantity => 1);
SELECT pg_temp.stock('tea');
-- 8: a failed attempt releases nothing; only the end of the session does.
SELECT status FROM checkout.record_payment(:'tea', 'stock-1', 'failed');
SELECT pg_temp.stock('tea');
-- 35: nothing changes while a payment is in progress.
SELECT status FROM checkout.begin_payment(:'tea', 'stock-2');
SELECT testing.outcome(format('SELECT checkout.set_quantity(%L, quantity => 2)', :'tea'));
-- 36: a payment of an old amount is kept, and rejected.
SELECT status FROM checkout.record_payment(:'tea', 'stock-2', 'canceled');
SELECT quantity, amount FROM checkout.set_quantity(:'tea', quantity => 2);
SELECT status, rejection_reason FROM checkout.record_payment(:'tea', 'stock-3', 'succeeded', 10);
-- 11: the merchant's shelf is empty meanwhile. What is held is sold all the same.
SELECT on_hand, held, available FROM checkout.adjust_inventory('tea', -3, 'broken');
SELECT status, amount FROM checkout.record_payment(:'tea', 'stock-4', 'succeeded', 20);
SELECT pg_temp.stock('tea');
-- 9: a success that is told again takes nothing.
SELECT status, idempotent_replay FROM checkout.record_payment(:'tea', 'stock-4', 'succeeded', 20);
SELECT status, rejection_reason FROM checkout.record_payment(:'tea', 'stock-5', 'succeeded', 20);
\c - postgres
SELECT count(*) > 0 AS done FROM checkout.run_maintenance();
\c - shop_stock
SELECT on_hand, held, available FROM checkout.inventory WHERE product_id = 'tea';
SELECT change, on_hand, reason FROM checkout.inventory_changes WHERE product_id = 'tea' ORDER BY created_at;
SELECT on_hand FROM checkout.adjust_inventory('tea', 12, 'delivered');

-- 10: what an ended session held is there again, once, whatever comes later.
SELECT checkout_session_id AS pot FROM checkout.create_checkout_session(price_id => 'pot', customer_id => 'a') \gset
SELECT testing.outcome($$SELECT checkout.create_checkout_session(price_id => 'pot', customer_id => 'b')$$);
SELECT status FROM checkout.expire_checkout_session(:'pot');
SELECT status FROM checkout.expire_checkout_session(:'pot');
SELECT status, rejection_reason FROM checkout.record_payment(:'pot', 'stock-6', 'succeeded');
SELECT on_hand, held, available FROM checkout.inventory WHERE product_id = 'pot';
-- A recovered session holds it anew, and the late payment pays it; or there is nothing left to recover.
SELECT checkout_session_id AS recovered, amount FROM checkout.recover_checkout_session(:'pot') \gset
SELECT on_hand, held, available FROM checkout.inventory WHERE product_id = 'pot';
SELECT status FROM checkout.apply_payment('stock-6', :'recovered');
SELECT on_hand, held, available FROM checkout.inventory WHERE product_id = 'pot';
SELECT title, unit_amount, quantity FROM checkout.list_session_lines(:'recovered');
SELECT checkout_session_id AS tea FROM checkout.create_checkout_session(product_id => 'tea', quantity => 5,
    customer_id => 'a') \gset
SELECT status FROM checkout.expire_checkout_session(:'tea');
SELECT on_hand FROM checkout.adjust_inventory('tea', -8, 'given away');
SELECT testing.outcome(format('SELECT checkout.recover_checkout_session(%L)', :'tea'));

-- Out of retries the session fails, and what it held is free.
SELECT checkout_session_id AS tea FROM checkout.create_checkout_session(product_id => 'tea', customer_id => 'a',
    max_retry_attempts => 0) \gset
SELECT status FROM checkout.record_payment(:'tea', 'stock-7', 'failed');
SELECT status FROM checkout.get_checkout_session(:'tea');
SELECT on_hand, held FROM checkout.inventory WHERE product_id = 'tea';

-- By the clock, too: another may have the units though the sweep has not come.
SELECT checkout_session_id AS tea FROM checkout.create_checkout_session(product_id => 'tea', customer_id => 'a',
    expires_in => '1 second') \gset
SELECT on_hand, available FROM checkout.inventory WHERE product_id = 'tea';
SELECT pg_sleep(1.01);
SELECT on_hand, available FROM checkout.inventory WHERE product_id = 'tea';
SELECT status FROM checkout.create_checkout_session(product_id => 'tea', customer_id => 'b');
SELECT status, rejection_reason FROM checkout.record_payment(:'tea', 'stock-8', 'succeeded');

-- 12: browsers reserve nothing by creating sessions. Their payments do, as they begin.
SELECT on_hand FROM checkout.adjust_inventory('pot', 1);
\c - postgres
BEGIN;
SELECT kind FROM checkout.authenticate(:'browser');
SELECT checkout_session_id AS browsed, created_with FROM checkout.create_checkout_session(price_id => 'pot',
    customer_id => 'x') \gset
SELECT checkout_session_id AS browsed_too FROM checkout.create_checkout_session(price_id => 'pot',
    customer_id => 'y') \gset
COMMIT;
\c - shop_stock
SELECT held, available FROM checkout.inventory WHERE product_id = 'pot';
SELECT status FROM checkout.begin_payment(:'browsed', 'stock-9');
SELECT testing.outcome(format('SELECT checkout.begin_payment(%L, ''stock-10'')', :'browsed_too'));
-- A payment without a beginning is kept, and takes what is there, or is rejected.
SELECT status, rejection_reason FROM checkout.record_payment(:'browsed_too', 'stock-10', 'succeeded');
SELECT status FROM checkout.record_payment(:'browsed', 'stock-9', 'canceled');
SELECT status FROM checkout.expire_checkout_session(:'browsed');
SELECT status, rejection_reason FROM checkout.record_payment(:'browsed_too', 'stock-10', 'succeeded', 30);
SELECT status, rejection_reason FROM checkout.record_payment(:'browsed_too', 'stock-11', 'succeeded');

-- 33: the price changes, and the session keeps its own. 34: so it does when the price is archived; new ones are
-- refused.
SELECT product_id FROM checkout.create_product('Cup', 'cup');
SELECT price_id FROM checkout.create_price('cup', 'EUR', 7, price_id => 'cup-7');
SELECT checkout_session_id AS cup FROM checkout.create_checkout_session(product_id => 'cup', customer_id => 'a') \gset
SELECT price_id, is_default FROM checkout.create_price('cup', 'EUR', 9, price_id => 'cup-9', is_default => true);
SELECT active FROM checkout.update_price('cup-7', active => false);
SELECT status, amount FROM checkout.record_payment(:'cup', 'stock-12', 'succeeded', 7);
SELECT amount FROM checkout.create_checkout_session(product_id => 'cup', customer_id => 'a');
SELECT testing.outcome($$SELECT checkout.create_checkout_session(price_id => 'cup-7', customer_id => 'a')$$);
SELECT checkout_session_id AS cup FROM checkout.create_checkout_session(product_id => 'cup', customer_id => 'a') \gset
SELECT active FROM checkout.update_product('cup', active => false);
SELECT testing.outcome($$SELECT checkout.create_checkout_session(product_id => 'cup', customer_id => 'a')$$);
SELECT testing.outcome($$SELECT checkout.create_checkout_session(price_id => 'cup-9', customer_id => 'a')$$);
SELECT status FROM checkout.record_payment(:'cup', 'stock-13', 'succeeded');

-- 37: a quantity that is not for the buyer to choose is changed by nobody.
SELECT active FROM checkout.update_product('cup', active => true);
SELECT checkout_session_id AS cup, client_secret FROM checkout.create_checkout_session(product_id => 'cup',
    customer_id => 'a') \gset
SELECT testing.outcome(format('SELECT checkout.set_quantity(%L, %L, 2)', :'cup', :'client_secret'));
SELECT testing.outcome(format('SELECT checkout.set_quantity(%L, quantity => 2)', :'cup'));
-- What continues to be sold goes below zero.
SELECT product_id FROM checkout.create_product('Print', 'print', on_hand => 0, continue_selling => true);
SELECT price_id FROM checkout.create_price('print', 'EUR', 5, price_id => 'print');
SELECT status FROM checkout.create_checkout_session(price_id => 'print', customer_id => 'a');
SELECT on_hand, held, available FROM checkout.inventory WHERE product_id = 'print';

SELECT on_hand FROM checkout.adjust_inventory('tea', 9);
-- The events keep the amount and the quantity of their time.
SELECT checkout_session_id AS tea FROM checkout.create_checkout_session(product_id => 'tea', customer_id => 'a',
    allow_quantity => true) \gset
SELECT status FROM checkout.record_payment(:'tea', 'stock-14', 'failed');
SELECT amount FROM checkout.set_quantity(:'tea', quantity => 2);
SELECT status FROM checkout.expire_checkout_session(:'tea');
SELECT event_type, body::jsonb #>> '{data,object,amount}' AS amount,
    body::jsonb #>> '{data,object,quantity}' AS quantity
FROM checkout.list_webhook_events(:'tea') ORDER BY sequence;

-- A session that is open while its product is tracked anew holds all that it sells by then.
SELECT product_id FROM checkout.create_product('Pen', 'pen', on_hand => 5);
SELECT price_id FROM checkout.create_price('pen', 'EUR', 2, price_id => 'pen');
SELECT checkout_session_id AS pen FROM checkout.create_checkout_session(price_id => 'pen', quantity => 3,
    customer_id => 'a', allow_quantity => true) \gset
SELECT on_hand FROM checkout.update_product('pen', track_inventory => false);
SELECT quantity FROM checkout.set_quantity(:'pen', quantity => 4);
SELECT on_hand, held FROM checkout.update_product('pen', track_inventory => true);

-- Stock is counted beyond the largest quantities: those of one shop must not stop the worker, who counts for all.
SELECT on_hand, continue_selling FROM checkout.update_product('print', continue_selling => true);
SELECT on_hand FROM checkout.adjust_inventory('print', -2147483648);
SELECT checkout_session_id AS prints, quantity FROM checkout.create_checkout_session(customer_id => 'a', lines =>
    (SELECT jsonb_agg('{"price_id": "print", "quantity": 999999}'::jsonb) FROM generate_series(1, 100))) \gset
\c - postgres
UPDATE checkout_data.inventory SET held = held + 2147483647 WHERE product_id = 'print';
\c - shop_stock
SELECT status FROM checkout.create_checkout_session(price_id => 'print', customer_id => 'b');
SELECT on_hand, held, available FROM checkout.inventory WHERE product_id = 'print';
SELECT status FROM checkout.record_payment(:'prints', 'stock-15', 'succeeded');
\c - postgres
SELECT count(*) > 0 AS done FROM checkout.run_maintenance();
\c - shop_stock
SELECT on_hand, held, available FROM checkout.inventory WHERE product_id = 'print';
SELECT change, on_hand, reason FROM checkout.inventory_changes WHERE product_id = 'print' ORDER BY created_at;
SELECT continue_selling FROM checkout.update_product('print', continue_selling => false);
SELECT testing.outcome($$SELECT checkout.create_checkout_session(price_id => 'print', customer_id => 'b')$$);
