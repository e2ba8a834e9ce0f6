-- What belongs together: deletions that are refused, and the check of a restored database.
CREATE DATABASE restore;
\c restore postgres
CREATE EXTENSION checkout_sessions;
SELECT * FROM checkout.verify_restore();
SELECT checkout.create_organization('Shop', organization_id => '0b5e7b8a-0000-4000-8000-000000000001');
SELECT checkout.create_organization('Keys', organization_id => '0b5e7b8a-0000-4000-8000-000000000002');
SELECT checkout.create_organization('Hooks', organization_id => '0b5e7b8a-0000-4000-8000-000000000003');
SELECT checkout.create_organization('Empty', organization_id => '0b5e7b8a-0000-4000-8000-000000000004');
SELECT kind FROM checkout.create_api_key('0b5e7b8a-0000-4000-8000-000000000002', 'secret', 'live');
SELECT kind FROM checkout.roll_api_key(
    (SELECT api_key_id FROM checkout.list_api_keys('0b5e7b8a-0000-4000-8000-000000000002')));
SET checkout_sessions.organization_id = '0b5e7b8a-0000-4000-8000-000000000003';
SELECT url FROM checkout.create_webhook_endpoint('https://shop.example/hooks');
-- A paid session with its event and its delivery, and a session without payments
SELECT p.status FROM checkout.create_checkout_session(1, 'USD', customer_id => 'paid', idempotency_key => 'k') AS c,
    checkout.record_payment(c.checkout_session_id, 'p', 'succeeded') AS p;
SELECT d.attempts FROM checkout.claim_webhook_deliveries() AS c,
    checkout.record_webhook_attempt(c.event_id, c.webhook_endpoint_id, c.lease_token, 500) AS r,
    LATERAL (SELECT r.delivery_attempts) AS d (attempts);
SET checkout_sessions.organization_id = '0b5e7b8a-0000-4000-8000-000000000001';
SELECT status FROM checkout.create_checkout_session(1, 'USD', customer_id => 'open');
-- A product with stock and a price in one, a coupon in another
SELECT checkout.create_organization('Catalog', organization_id => '0b5e7b8a-0000-4000-8000-000000000005');
SELECT checkout.create_organization('Coupons', organization_id => '0b5e7b8a-0000-4000-8000-000000000006');
SET checkout_sessions.organization_id = '0b5e7b8a-0000-4000-8000-000000000005';
SELECT price_id FROM checkout.create_product('Mug', 'mug', on_hand => 3) AS p,
    checkout.create_price(p.product_id, 'USD', 12.5, price_id => 'mug-usd');
SELECT on_hand FROM checkout.adjust_inventory('mug', -1);
-- A subscription
SELECT checkout.create_organization('Club', uses_catalog => true,
    organization_id => '0b5e7b8a-0000-4000-8000-000000000007');
SET checkout_sessions.organization_id = '0b5e7b8a-0000-4000-8000-000000000007';
SELECT price_id FROM checkout.create_product('Club', 'club') AS p,
    checkout.create_price(p.product_id, 'USD', 9, price_id => 'monthly', interval_unit => 'month');
SELECT p.status FROM checkout.create_checkout_session(price_id => 'monthly', customer_id => 'c') AS c,
    checkout.record_payment(c.checkout_session_id, 'first', 'succeeded') AS p;
-- An open session that holds the last units, and that its buyer has opened
SELECT price_id FROM checkout.create_product('Tea', 'tea', on_hand => 2) AS p,
    checkout.create_price(p.product_id, 'USD', 4, price_id => 'tea-usd');
SELECT o.status FROM checkout.create_checkout_session(price_id => 'tea-usd', quantity => 2, customer_id => 'c') AS c,
    checkout.open_checkout_session(c.checkout_session_id, c.client_secret) AS o;
SET checkout_sessions.organization_id = '0b5e7b8a-0000-4000-8000-000000000006';
SELECT code FROM checkout.create_coupon('TEN', 10);
SET checkout_sessions.organization_id = '0b5e7b8a-0000-4000-8000-000000000001';
SELECT * FROM checkout.verify_restore();

-- What is in use cannot be deleted.
\set VERBOSITY terse
CREATE FUNCTION refused(statement text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN
    EXECUTE statement;
    RETURN 'accepted';
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE || ': ' || regexp_replace(SQLERRM, 'session [0-9a-f-]{36}', 'session <uuid>');
END $$;
SELECT refused('DELETE FROM checkout_data.checkout_sessions');
SELECT name, refused(format('DELETE FROM checkout_data.organizations WHERE name = %L', name))
FROM unnest('{Shop,Keys,Hooks,Catalog,Coupons,Empty}'::text[]) AS name;
SELECT refused('DELETE FROM checkout_data.organizations');
SELECT refused($$DELETE FROM checkout_data.checkout_sessions WHERE customer_id = 'open'$$);
SELECT refused($$DELETE FROM checkout_data.organizations WHERE name = 'Shop'$$);
-- Nor can an unknown organization get keys or endpoints.
SELECT refused($$SELECT checkout.create_api_key('0b5e7b8a-0000-4000-8000-000000000001', 'secret', 'live')$$);
SELECT refused($$SELECT checkout.create_webhook_endpoint('https://shop.example/hooks')$$);

-- Each kind of row that can be missing is noticed.
CREATE FUNCTION found(damage text) RETURNS TABLE (problem text, row_count bigint) LANGUAGE plpgsql AS $$ BEGIN
    SET LOCAL session_replication_role = replica;
    EXECUTE damage;
    RETURN QUERY SELECT * FROM checkout.verify_restore();
    RAISE 'undone';
EXCEPTION WHEN raise_exception THEN END $$;
SELECT damage, found.* FROM unnest(ARRAY[
    'DELETE FROM checkout_data.organizations',
    'DELETE FROM checkout_data.api_keys WHERE replaced_by IS NULL',
    'DELETE FROM checkout_data.checkout_sessions',
    'DELETE FROM checkout_data.payments',
    'DELETE FROM checkout_data.webhook_endpoints',
    'DELETE FROM checkout_data.webhook_outbox',
    'DELETE FROM checkout_data.webhook_deliveries',
    'DELETE FROM checkout_data.webhook_attempts',
    'DELETE FROM checkout_data.idempotency_keys',
    'DELETE FROM checkout_data.subscriptions',
    'DELETE FROM checkout_data.session_periods',
    'DELETE FROM checkout_data.products',
    'DELETE FROM checkout_data.prices',
    'DELETE FROM checkout_data.session_lines',
    'DELETE FROM checkout_data.session_terms',
    'DELETE FROM checkout_data.checkout_sessions WHERE has_terms AND status = ''open''',
    'DELETE FROM checkout_data.inventory_changes',
    'UPDATE checkout_data.checkout_sessions SET event_count = 0',
    $$UPDATE checkout_data.checkout_sessions SET status = 'expired', payment_status = 'unpaid', payment_id = NULL,
        completed_at = NULL$$
]) AS damage LEFT JOIN LATERAL found(damage) ON true;
SELECT * FROM checkout.verify_restore();
\c regression
DROP DATABASE restore;
