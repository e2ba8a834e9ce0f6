-- The merchant's order id: the organization's reference_policy says how often it may be used.
SELECT checkout.create_organization('References') AS organization \gset
SELECT testing.login('shop_references', :'organization');
SELECT testing.login('shop_references_test', :'organization', 'test');

CREATE FUNCTION testing.policy(organization uuid, policy text) RETURNS text LANGUAGE sql SECURITY DEFINER
    AS $$ SELECT reference_policy FROM checkout.update_organization(organization, reference_policy => policy) $$;
CREATE FUNCTION testing.order(reference text) RETURNS TABLE (status text, replay boolean) LANGUAGE sql AS $$
    SELECT status, idempotent_replay
    FROM checkout.create_checkout_session(10, 'USD', customer_id => 'c', reference => $1)
$$;
CREATE FUNCTION testing.ordering(reference text) RETURNS text LANGUAGE sql
    AS $$ SELECT testing.creation(jsonb_build_object('reference', reference)) $$;
\c - shop_references
SELECT checkout.current_organization_id() AS organization \gset

-- none: any number of times
SELECT count(made) FROM (SELECT testing.order('free') AS made FROM generate_series(1, 3)) AS orders;

-- unique: once, for ever. The index ignores earlier references, but create does not.
SELECT testing.policy(:'organization', 'unique');
SELECT * FROM testing.order('once');
SELECT testing.ordering('once');
SELECT testing.ordering('free');
SELECT testing.ordering('ONCE');
-- Without a reference there is nothing to compare.
SELECT count(made) FROM (SELECT testing.order(NULL) AS made FROM generate_series(1, 2)) AS orders;
-- It stays used after the end of its session
SELECT s.status
FROM checkout.list_checkout_sessions(reference => 'once') AS l,
    checkout.expire_checkout_session(l.checkout_session_id) AS s;
SELECT testing.ordering('once');
SELECT testing.outcome(format('SELECT checkout.recover_checkout_session(%L)', checkout_session_id))
FROM checkout.list_checkout_sessions(reference => 'once');
-- With a key, too: a retry is answered, another request is refused.
SELECT checkout_session_id AS id
FROM checkout.create_checkout_session(10, 'USD', customer_id => 'c', reference => 'keyed', idempotency_key => 'k') \gset
SELECT checkout_session_id = :'id' AS same, idempotent_replay
FROM checkout.create_checkout_session(10, 'USD', customer_id => 'c', reference => 'keyed', idempotency_key => 'k');
SELECT testing.creation('{"reference": "keyed", "idempotency_key": "k2"}');
-- A refused create stores nothing, not even its key.
SELECT testing.creation('{"reference": "keyed-2", "idempotency_key": "k2"}');

-- error: one open session at a time
SELECT testing.policy(:'organization', 'error');
SELECT * FROM testing.order('error');
SELECT testing.ordering('error');
SELECT checkout.create_checkout_session(11, 'USD', customer_id => 'c', reference => 'error');
\echo :LAST_ERROR_SQLSTATE
-- It is free again once the session is complete, failed or expired
SELECT p.status
FROM checkout.list_checkout_sessions(reference => 'error') AS l,
    checkout.record_payment(l.checkout_session_id, 'ref-1', 'succeeded') AS p;
SELECT * FROM testing.order('error');
SELECT s.status
FROM checkout.list_checkout_sessions(reference => 'error', status => 'open') AS l,
    checkout.expire_checkout_session(l.checkout_session_id) AS s;
SELECT * FROM testing.order('error');
SELECT status, count(*) FROM checkout.list_checkout_sessions(reference => 'error') GROUP BY status ORDER BY status;
-- An overdue session does not block the reference, and gets its event, once.
SELECT testing.age(checkout_session_id, '2 hours')
FROM checkout.list_checkout_sessions(reference => 'error', status => 'open');
SELECT * FROM testing.order('error');
SELECT status, count(*) FROM checkout.list_checkout_sessions(reference => 'error') GROUP BY status ORDER BY status;
SELECT e.event_type, count(*) FROM checkout.list_checkout_sessions(reference => 'error') AS s,
    checkout.list_webhook_events(s.checkout_session_id) AS e GROUP BY 1 ORDER BY 1;

-- return_existing: the open session, if it is for the same price
SELECT testing.policy(:'organization', 'return_existing');
SELECT checkout_session_id AS id, idempotent_replay AS replay
FROM checkout.create_checkout_session(10, 'USD', customer_id => 'c', reference => 'return') \gset
\echo :replay
SELECT checkout_session_id = :'id' AS same, amount, idempotent_replay
FROM checkout.create_checkout_session(10.00, 'usd', customer_id => 'another', reference => 'return');
-- Another amount or currency is another purchase: the buyer would pay the first one's price. Nothing is stored.
SELECT amount, currency, testing.creation(jsonb_build_object('amount', amount, 'currency_code', currency,
    'reference', 'return', 'idempotency_key', 'another price'))
FROM (VALUES (25.00, 'USD'), (10.00, 'EUR'), (25.00, 'EUR'), (10.01, 'usd')) AS prices (amount, currency);
SELECT amount, currency_code, status FROM checkout.list_checkout_sessions(reference => 'return');
SELECT testing.creation('{"idempotency_key": "another price"}') AS key_is_free;
-- A key then stands for that session.
SELECT checkout_session_id = :'id' AS same, idempotent_replay
FROM checkout.create_checkout_session(
    10, 'USD', customer_id => 'd', reference => 'return', idempotency_key => 'return-1');
SELECT s.status FROM checkout.expire_checkout_session(:'id') AS s;
SELECT checkout_session_id = :'id' AS same, status
FROM checkout.create_checkout_session(
    10, 'USD', customer_id => 'd', reference => 'return', idempotency_key => 'return-1');
SELECT checkout_session_id = :'id' AS same, status, idempotent_replay
FROM checkout.create_checkout_session(51, 'USD', customer_id => 'c', reference => 'return');
SELECT testing.age(checkout_session_id, '2 hours')
FROM checkout.list_checkout_sessions(reference => 'return', status => 'open');
-- An overdue session is none, whatever its price.
SELECT * FROM testing.order('return');
-- An invalid request is refused all the same.
SELECT testing.creation('{"reference": "return", "amount": "0"}');

-- expire_previous: the new session replaces the old one
SELECT testing.policy(:'organization', 'expire_previous');
SELECT checkout_session_id AS id
FROM checkout.create_checkout_session(10, 'USD', customer_id => 'c', reference => 'previous') \gset
SELECT amount, status, idempotent_replay
FROM checkout.create_checkout_session(20, 'USD', customer_id => 'c', reference => 'previous');
SELECT amount, status FROM checkout.list_checkout_sessions(reference => 'previous');
SELECT event_type FROM checkout.list_webhook_events(:'id');
-- It does not while a payment is in progress
SELECT checkout_session_id AS id FROM checkout.list_checkout_sessions(reference => 'previous', status => 'open') \gset
SELECT status FROM checkout.begin_payment(:'id', 'ref-2');
SELECT testing.ordering('previous');
SELECT amount, status, payment_status FROM checkout.list_checkout_sessions(reference => 'previous');
-- Sessions from before the policy, several of them open
SELECT status FROM testing.order('free');
SELECT status, count(*) FROM checkout.list_checkout_sessions(reference => 'free') GROUP BY status ORDER BY status;

-- A recovered session takes the reference of the expired one, under the same policy.
SELECT s.amount, s.status FROM checkout.list_checkout_sessions(reference => 'previous', status => 'expired') AS l,
    checkout.create_checkout_session(30, 'USD', customer_id => 'c', reference => 'recover') AS s;
SELECT s.checkout_session_id AS id
FROM checkout.list_checkout_sessions(reference => 'recover') AS l,
    checkout.expire_checkout_session(l.checkout_session_id) AS s \gset
SELECT reference, status FROM checkout.recover_checkout_session(:'id');
SELECT reference, status FROM checkout.recover_checkout_session(:'id');
SELECT status, recovered_from = :'id' AS recovered FROM checkout.list_checkout_sessions(reference => 'recover');
SELECT testing.policy(:'organization', 'error');
SELECT testing.outcome(format('SELECT checkout.recover_checkout_session(%L)', :'id'));

-- An open session of the reference with another price is not the one that was recovered.
SELECT testing.policy(:'organization', 'return_existing');
SELECT checkout_session_id AS id
FROM checkout.create_checkout_session(30, 'USD', customer_id => 'c', reference => 'two prices') \gset
SELECT status FROM checkout.expire_checkout_session(:'id');
SELECT checkout_session_id AS other
FROM checkout.create_checkout_session(31, 'USD', customer_id => 'c', reference => 'two prices') \gset
SELECT testing.outcome(format('SELECT checkout.recover_checkout_session(%L)', :'id'));

-- Each environment has references of its own.
SELECT testing.policy(:'organization', 'unique');
\c - shop_references_test
SELECT * FROM testing.order('once');
SELECT testing.ordering('once');

-- Another cart of the same price is another order. The same one leads to its session, whatever its buyer has changed.
\c - postgres
SELECT reference_policy FROM checkout.update_organization(:'organization', reference_policy => 'return_existing',
    uses_catalog => true);
\c - shop_references
CREATE FUNCTION pg_temp.cart(arguments text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    answer text;
BEGIN
    EXECUTE 'SELECT concat_ws('' '', CASE WHEN idempotent_replay THEN ''again'' ELSE ''new'' END, amount, quantity)
        FROM checkout.create_checkout_session(customer_id => ''c'', reference => ''cart'', allow_quantity => true,
            allow_coupon_code => true, ' || arguments || ')' INTO answer;
    RETURN answer;
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE || ': ' || SQLERRM;
END
$$;
SELECT product_id FROM checkout.create_product('Mug', 'mug');
SELECT price_id FROM checkout.create_price('mug', 'EUR', 10, price_id => 'mug');
SELECT price_id FROM checkout.create_price('mug', 'EUR', 10, price_id => 'mug-too');
SELECT code FROM checkout.create_coupon('TEN', 10);
SELECT arguments, pg_temp.cart(arguments) FROM unnest(ARRAY[
    'price_id => ''mug''', 'product_id => ''mug''', $$lines => '[{"price_id": "mug", "quantity": 1}]'$$,
    'price_id => ''mug-too''', 'amount => 10, currency_code => ''EUR''', 'price_id => ''mug'', quantity => 2',
    'price_id => ''mug'', coupon_code => ''ten''',
    $$currency_code => 'EUR', lines => '[{"title": "Mug", "amount": 10}]'$$,
    $$lines => '[{"price_id": "mug"}, {"kind": "shipping", "amount": 0}]'$$]) AS arguments;
SELECT checkout_session_id AS cart FROM checkout.list_checkout_sessions(reference => 'cart') \gset
SELECT amount, quantity FROM checkout.set_quantity(:'cart', quantity => 3);
SELECT applied, (session).amount FROM checkout.apply_coupon(:'cart', code => 'ten');
SELECT name FROM checkout.update_product('mug', name => 'Cup');
SELECT arguments, pg_temp.cart(arguments) FROM unnest(ARRAY[
    'price_id => ''mug''', 'price_id => ''mug'', quantity => 3',
    'amount => 27, currency_code => ''EUR''']) AS arguments;
-- So does an order that says only an amount, and one that was recovered.
SELECT status FROM checkout.expire_checkout_session(:'cart');
SELECT checkout_session_id AS recovered, amount FROM checkout.recover_checkout_session(:'cart') \gset
SELECT pg_temp.cart('price_id => ''mug''');
SELECT status FROM checkout.expire_checkout_session(:'recovered');
SELECT pg_temp.cart('amount => 12, currency_code => ''EUR''');
SELECT checkout_session_id AS plain FROM checkout.list_checkout_sessions(reference => 'cart', status => 'open') \gset
SELECT amount FROM checkout.set_quantity(:'plain', quantity => 2);
SELECT arguments, pg_temp.cart(arguments) FROM unnest(ARRAY['amount => 12, currency_code => ''EUR''',
    'amount => 24, currency_code => ''EUR''']) AS arguments;
-- The cart that has expired is not recovered in place of another order.
SELECT testing.outcome(format('SELECT checkout.recover_checkout_session(%L)', :'cart'));
