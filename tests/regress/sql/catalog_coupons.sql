-- A merchant makes coupons, ends them, and sees what they have brought.
SELECT checkout.create_organization('Catalog coupons') AS organization,
    checkout.create_organization('Coupons of another') AS another \gset
SELECT testing.login('shop_coupons', :'organization'), testing.login('shop_other_coupons', :'another');
\c - shop_coupons
SELECT product_id FROM checkout.create_product('Mug', 'mug');
SELECT product_id FROM checkout.create_product('Book', 'book');

-- A percentage for all, and an amount for a hundred buyers of mugs.
SELECT code, environment, percent_off, amount_off, currency_code, customers, active, held, redeemed, available,
    metadata, created_at = updated_at AS new
FROM checkout.create_coupon(' Summer-24 ', percent_off => 12.5);
SELECT code, amount_off, currency_code, valid_from, valid_until, max_redemptions, max_redemptions_per_customer,
    minimum_amount, product_ids, customers, description, available
FROM checkout.create_coupon('MUGS', amount_off => 5, currency_code => 'usd', valid_from => '2026-01-01 00:00+00',
    valid_until => '2036-01-01 00:00+00', max_redemptions => 100, max_redemptions_per_customer => 1,
    minimum_amount => 20, product_ids => '{mug}', customers => 'new', description => 'For the fair');
SELECT call, testing.outcome(format('SELECT checkout.create_coupon(%s)', call)) FROM unnest(ARRAY[
    '''summer-24'', 10', 'NULL, 10', '''TEN OFF'', 10', ''''', 10', 'repeat(''x'', 65), 10', '''X''',
    '''X'', 10, 10, ''USD''', '''X'', 0', '''X'', 100.1', '''X'', 0.00001', '''X'', ''NaN''', '''X'', amount_off => 5',
    '''X'', amount_off => 0, currency_code => ''USD''', '''X'', amount_off => 1, currency_code => ''XXX''',
    '''X'', 10, minimum_amount => 5', '''X'', 10, minimum_amount => 0.001, currency_code => ''USD''',
    '''X'', 10, valid_from => ''2026-01-02'', valid_until => ''2026-01-02''', '''X'', 10, valid_until => ''infinity''',
    '''X'', 10, max_redemptions => 0', '''X'', 10, max_redemptions_per_customer => 0',
    '''X'', 10, product_ids => ''{}''', '''X'', 10, product_ids => ''{mug,mug}''',
    '''X'', 10, product_ids => ''{mug,NULL}''', '''X'', 10, product_ids => ''{mug,plate}''',
    '''X'', 10, customers => ''old''', '''X'', 10, metadata => ''[]''']) AS call;

-- A coupon is ended, and put to use again. Its code is the same in either case.
SELECT code, active FROM checkout.update_coupon('mugs', active => false);
SELECT code FROM checkout.list_coupons(active => false);
SELECT code, active FROM checkout.update_coupon('Mugs');
SELECT code, active FROM checkout.update_coupon('MUGS', active => true);
SELECT call, testing.outcome('SELECT checkout.' || call) FROM unnest(ARRAY[
    'update_coupon(NULL)', 'update_coupon(''winter'')', 'update_coupon(''TEN OFF'')',
    'list_coupons(starting_after => ''winter'')', 'list_coupons(page_size => 0)',
    'coupon_performance(created_after => ''2026-02-01'', created_before => ''2026-01-01'')']) AS call;
SELECT code FROM checkout.list_coupons(page_size => 1);
SELECT code FROM checkout.list_coupons(starting_after => 'mugs');

-- One buyer has the coupon in an open session, one has just paid, the worker has counted three, and one session has
-- lapsed.
\c - postgres
UPDATE checkout_data.coupons SET redeemed = 3 WHERE organization_id = :'organization' AND code = 'MUGS';
INSERT INTO checkout_data.holds (organization_id, environment, checkout_session_id, kind, item_id, quantity, customer,
    state, deadline)
SELECT :'organization', 'live', gen_random_uuid(), 'coupon', 'MUGS', 1, h.customer, h.state, now() + h.time_left
FROM (VALUES ('a', 'held', interval '1 hour'), ('b', 'taken', '-1 hour'), ('c', 'counted', '-1 hour'),
    ('d', 'held', '-1 hour')) AS h (customer, state, time_left);
\c - shop_coupons
SELECT code, held, redeemed, available FROM checkout.list_coupons();
SELECT code, held, redeemed, available FROM checkout.coupons ORDER BY code;
SELECT count(*) AS differ FROM (
    SELECT to_jsonb(v) FROM checkout.coupons v EXCEPT SELECT to_jsonb(l) FROM checkout.list_coupons() l) AS d;
\c - postgres
DELETE FROM checkout_data.holds WHERE organization_id = :'organization';
UPDATE checkout_data.coupons SET redeemed = 0 WHERE organization_id = :'organization';

-- What the coupons have brought: two sessions in dollars are complete, one is open; one in euros has expired.
\c - shop_coupons
SELECT * FROM checkout.coupon_performance();
CREATE FUNCTION pg_temp.sold(amount numeric, currency_code text) RETURNS uuid LANGUAGE sql AS $$
    SELECT checkout_session_id FROM checkout.create_checkout_session(amount, currency_code, customer_id => 'c',
        coupon_code => 'SUMMER-24')
$$;
SELECT pg_temp.sold(100, 'USD') AS first, pg_temp.sold(20.02, 'USD') AS second, pg_temp.sold(8, 'USD') AS third,
    pg_temp.sold(8, 'EUR') AS fourth \gset
SELECT status FROM checkout.record_payment(:'first', 'coupons-1', 'succeeded');
SELECT status FROM checkout.record_payment(:'second', 'coupons-2', 'succeeded');
SELECT status FROM checkout.expire_checkout_session(:'fourth');
SELECT * FROM checkout.coupon_performance();
SELECT * FROM checkout.coupon_performance(' summer-24', created_before => now() - interval '1 day');
SELECT sessions FROM checkout.coupon_performance('Summer-24', created_after => now() - interval '1 day');
SELECT count(*) FROM checkout.coupon_performance('MUGS');
SELECT held, redeemed, available FROM checkout.update_coupon('SUMMER-24');

-- Nobody else sees any of it: the same code is another.
\c - shop_other_coupons
SELECT testing.outcome('SELECT checkout.update_coupon(''MUGS'')');
SELECT testing.outcome('SELECT checkout.create_coupon(''MUGS'', 1, product_ids => ''{mug}'')');
SELECT code, percent_off FROM checkout.create_coupon('MUGS', 1);
SELECT (SELECT count(*) FROM checkout.coupons) AS coupons,
    (SELECT count(*) FROM checkout.coupon_performance()) AS performances;
\c - postgres
SELECT testing.outcome(format('DELETE FROM checkout_data.organizations WHERE organization_id = %L', :'another'));
