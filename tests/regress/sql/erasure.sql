-- A customer asks for his data, and then to be forgotten.
SELECT checkout.create_organization('Shop', personal_metadata_keys => '{nickname,birthday}', allow_restart => true)
    AS organization \gset
SELECT checkout.create_organization('Other') AS other \gset
SELECT testing.login('erasure_shop', :'organization');
SELECT testing.login('erasure_other', :'other');
SET checkout_sessions.organization_id = :'organization';
SELECT url FROM checkout.create_webhook_endpoint('https://shop.example/hooks');
SELECT webhook_endpoint_id AS old_endpoint FROM checkout.create_webhook_endpoint('https://shop.example/old') \gset
RESET checkout_sessions.organization_id;

\c - erasure_shop
-- Ada has bought by her address and by her id, cancelled, paid too late, and got a refund.
SELECT checkout_session_id AS paid, client_secret FROM checkout.create_checkout_session(10, 'EUR',
    customer_email => 'Ada@shop.example',
    customer_name => 'Ada L.', customer_phone => '+44 20 7946 0000', idempotency_key => 'ada-1',
        require_billing_address => true,
    lines => '[{"title": "Tea", "amount": 10}]',
    metadata => '{"nickname": "countess", "order_id": "A-1", "birthday": "1815-12-10"}') \gset
SELECT status FROM checkout.set_billing_address(:'paid', address => '{"country": "GB", "city": "London"}');
SELECT cancelled_at IS NOT NULL AS cancelled FROM checkout.cancel_checkout_session(:'paid', :'client_secret',
    'other', 'My name is Ada')
    AS s, checkout.session_visits v WHERE v.checkout_session_id = :'paid';
SELECT status FROM checkout.record_payment(:'paid', 'ada-0', 'failed', failure_message => 'Card of Ada L. declined');
SELECT status FROM checkout.record_payment(:'paid', 'ada-1', 'succeeded', 10, 'EUR');
SELECT status FROM checkout.record_refund('ada-1', 'ada-refund', 4, reason => 'Ada did not like it');
SELECT checkout_session_id AS second FROM checkout.create_checkout_session(5, 'EUR', customer_id => 'ada',
    customer_email => 'ada@shop.example') \gset
SELECT checkout_session_id AS third FROM checkout.create_checkout_session(6, 'EUR', customer_id => 'ada') \gset
-- Bob is another, and so is the Ada of another shop.
SELECT checkout_session_id AS of_bob FROM checkout.create_checkout_session(7, 'EUR',
    customer_email => 'bob@shop.example',
    customer_name => 'Bob', metadata => '{"nickname": "bob"}') \gset
\c - erasure_other
SELECT checkout_session_id AS of_other FROM checkout.create_checkout_session(8, 'EUR',
    customer_email => 'ada@shop.example',
    customer_name => 'Ada') \gset
-- Receivers have answered with what they were told. One is deleted since.
\c - postgres
SELECT r.status FROM checkout.claim_webhook_deliveries() AS c,
    checkout.record_webhook_attempt(c.event_id, c.webhook_endpoint_id, c.lease_token, 500,
        error => 'no room for ada@shop.example', response_body => 'No such Ada L.') AS r
WHERE c.organization_id = :'organization';
\c - erasure_shop
SELECT url FROM checkout.delete_webhook_endpoint(:'old_endpoint', true);

-- What is stored about her.
SELECT kind, record ->> 'checkout_session_id' = :'paid' AS of_paid, record ->> 'customer_name' AS name,
    record ->> 'amount' AS amount, record ->> 'reason' AS reason, record #>> '{billing_address,city}' AS city
FROM checkout.export_customer(customer_email => 'ADA@shop.example');
SELECT kind, count(*) FROM checkout.export_customer('ada', 'ada@shop.example') GROUP BY kind ORDER BY kind;
SELECT kind, count(*) FROM checkout.export_customer('nobody') GROUP BY kind;
-- What was said of her once is in the events only.
SELECT record ->> 'event_type' AS event_type, record #>> '{snapshot,cancellation,reason}' AS cancelled,
    record #>> '{snapshot,payment,failure_message}' AS failed, record #>> '{snapshot,refund,reason}' AS refunded
FROM checkout.export_customer('ada', 'ada@shop.example')
WHERE kind = 'webhook_events' AND record ->> 'snapshot' IS NOT NULL;

-- Not while she can still pay.
SELECT testing.outcome($$SELECT checkout.erase_customer(customer_email => 'ada@shop.example')$$);
SELECT status FROM checkout.expire_checkout_session(:'second');
SELECT status FROM checkout.expire_checkout_session(:'third');
SELECT testing.outcome('SELECT checkout.erase_customer()');
SELECT testing.outcome($$SELECT checkout.erase_customer(repeat('x', 100000))$$);
SELECT * FROM checkout.erase_customer('ada', 'ada@shop.example');
-- Nothing is left to erase, but her id, her amounts and dates.
SELECT * FROM checkout.erase_customer('ada', 'ada@shop.example') WHERE row_count > 0;
SELECT customer_id, customer_email, customer_name, customer_phone, metadata, amount, status
FROM checkout.checkout_sessions ORDER BY amount;
SELECT billing_address FROM checkout.session_terms WHERE checkout_session_id = :'paid';
SELECT cancelled_at IS NOT NULL AS cancelled, reason_code, reason FROM checkout.session_visits;
SELECT payment_id, status, amount, failure_message FROM checkout.payments ORDER BY payment_id;
SELECT refund_id, amount, reason FROM checkout.refunds;
SELECT DISTINCT a.response_body, a.error FROM checkout.webhook_attempts a;
SELECT DISTINCT d.last_error FROM checkout.webhook_deliveries d;
\c - postgres
SELECT count(*) AS answers, count(*) FILTER (WHERE num_nonnulls(a.response_body, a.error) > 0) AS personal
FROM checkout_data.webhook_attempts a WHERE a.receiver_id = :'old_endpoint';
SELECT count(*) > 0 AS deliveries, count(d.last_error) AS personal
FROM checkout_data.webhook_deliveries d WHERE d.receiver_id = :'old_endpoint';
\c - erasure_shop
-- Also in what was, or will be, sent.
SELECT count(*) AS events, count(*) FILTER (WHERE body ~* 'ada l|ada@|7946|countess|did not like|my name') AS personal
FROM checkout.list_webhook_events(page_size => 100);
-- Her key is not free, and stands for no request any more.
SELECT testing.outcome($$SELECT checkout.create_checkout_session(10, 'EUR', customer_email => 'Ada@shop.example',
    idempotency_key => 'ada-1')$$);
\c - postgres
SELECT customer_email, customer_name FROM checkout_data.checkout_sessions WHERE checkout_session_id = :'of_other';

-- A subscription that knows only an address, and a coupon that was redeemed by it.
SELECT uses_catalog FROM checkout.update_organization(:'organization', uses_catalog => true);
\c - erasure_shop
SELECT p.product_id, c.price_id, d.code FROM checkout.create_product('Paper', 'paper') AS p,
    checkout.create_price(p.product_id, 'EUR', 3, price_id => 'monthly', interval_unit => 'month') AS c,
    checkout.create_coupon('TEN', 10, max_redemptions_per_customer => 1) AS d;
SELECT checkout_session_id AS begins, subscription_id AS subscription FROM checkout.create_checkout_session(
    price_id => 'monthly', customer_email => 'Eve@shop.example', coupon_code => 'TEN') \gset
SELECT status FROM checkout.record_payment(:'begins', 'eve-1', 'succeeded');
SELECT testing.outcome($$SELECT checkout.erase_customer(customer_email => 'eve@shop.example')$$);
SELECT status FROM checkout.cancel_subscription(:'subscription', false);
SELECT * FROM checkout.erase_customer(customer_email => 'eve@shop.example') WHERE row_count > 0;
SELECT customer_email ~ '^[0-9a-f]{32}@erased\.invalid$' AS nobody FROM checkout.get_subscription(:'subscription');
SELECT count(*) FROM checkout.list_webhook_events(page_size => 100) WHERE body ~* 'eve@';
\c - postgres
SELECT h.customer = s.customer_email AS same_nobody
FROM checkout_data.holds h JOIN checkout_data.subscriptions s USING (organization_id)
WHERE h.organization_id = :'organization' AND h.kind = 'coupon';

\c - erasure_shop
-- An address may have letters of any script, in either case.
SELECT e.status FROM checkout.create_checkout_session(9, 'EUR', customer_email => 'ÄDA@shop.example',
    customer_name => 'Äda') AS s, checkout.expire_checkout_session(s.checkout_session_id) AS e;
SELECT record ->> 'customer_name' AS name FROM checkout.export_customer(customer_email => 'äda@shop.example')
WHERE kind = 'checkout_sessions';
SELECT * FROM checkout.erase_customer(customer_email => 'äda@SHOP.example') WHERE row_count > 0;

\c - postgres
-- An organization is deleted, once no money is open.
SELECT testing.outcome(format('SELECT checkout.delete_organization(%L, ''Shop!'')', :'organization'));
SELECT testing.outcome(format('SELECT checkout.delete_organization(%L, ''Shop'')', gen_random_uuid()));
SELECT testing.outcome(format('SELECT checkout.delete_organization(%L, ''Shop'')', :'organization'));
SET checkout_sessions.organization_id = :'organization';
SELECT status FROM checkout.expire_checkout_session(:'of_bob');
SELECT status, rejection_reason FROM checkout.record_payment(:'of_bob', 'bob-late', 'succeeded', 7, 'EUR');
SELECT testing.outcome(format('SELECT checkout.delete_organization(%L, ''Shop'')', :'organization'));
SELECT status FROM checkout.record_refund('bob-late', 'bob-refund', status => 'pending');
SELECT testing.outcome(format('SELECT checkout.delete_organization(%L, ''Shop'')', :'organization'));
SELECT status FROM checkout.record_refund('bob-late', 'bob-refund', status => 'succeeded');
RESET checkout_sessions.organization_id;
SELECT kind FROM checkout.create_api_key(:'organization', 'secret', 'live');
SELECT checkout.delete_organization(:'organization', 'Shop') AS gone;
-- Nothing is created for it any more.
SELECT testing.outcome(format(call, :'organization'))
FROM unnest(ARRAY['SELECT checkout.create_api_key(%L, ''secret'', ''live'')',
    'SELECT checkout.set_hook(%L, ''completed'', NULL)',
    'SELECT checkout.update_organization(%L, name => ''Shop'')']) AS call;
\c - erasure_shop
SELECT testing.outcome($$SELECT checkout.create_checkout_session(1, 'EUR', customer_id => 'c')$$);
\c - postgres
CREATE PROCEDURE testing.delete_all(organization uuid, INOUT calls integer) LANGUAGE plpgsql AS $$
BEGIN
    calls := 0;
    WHILE calls < 1000 LOOP
        calls := calls + 1;
        EXIT WHEN checkout.delete_organization(organization, 'Shop', 2);
        EXIT WHEN NOT EXISTS (SELECT FROM checkout_data.organizations WHERE deletion_began IS NOT NULL);
        COMMIT;
        PERFORM pg_sleep(0.01);
        COMMIT;
    END LOOP;
END
$$;
-- But reports of money are taken. A late payment takes the end back; then the shop has what it had before.
\c - erasure_shop
SELECT status, rejection_reason FROM checkout.record_payment(:'of_bob', 'bob-later', 'succeeded', 7, 'EUR');
\c - postgres
CALL testing.delete_all(:'organization', NULL) \gset
SELECT testing.outcome(format('SELECT checkout.delete_organization(%L, ''Shop'')', :'organization'));
SELECT count(*) AS keys FROM checkout.list_api_keys(:'organization');
\c - erasure_shop
SELECT status FROM checkout.record_refund('bob-later', 'bob-refunded', status => 'succeeded');
\c - postgres
SELECT checkout.delete_organization(:'organization', 'Shop') AS gone;
\c - erasure_shop
SELECT status FROM checkout.record_refund('bob-late', 'bob-refund', status => 'succeeded');
\c - postgres
-- Restored into a cluster that has had fewer transactions, it goes on all the same.
UPDATE checkout_data.organizations SET deletion_began = '1000000000000' WHERE organization_id = :'organization';
CALL testing.delete_all(:'organization', NULL) \gset
SELECT :calls > 10 AS in_pieces;
CREATE FUNCTION testing.rows_of(organization uuid) RETURNS TABLE (left_over text) LANGUAGE plpgsql AS $$
BEGIN
    -- The log outlives the organization.
    FOR left_over IN SELECT c.relname FROM pg_class c
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'organization_id'
        WHERE c.relnamespace = 'checkout_data'::regnamespace AND c.relkind = 'r' AND c.relname <> 'admin_log'
    LOOP
        EXECUTE format('SELECT FROM checkout_data.%I WHERE organization_id = $1 LIMIT 1', left_over) USING organization;
        IF FOUND THEN RETURN NEXT; END IF;
    END LOOP;
END $$;
SELECT left_over FROM testing.rows_of(:'organization');
SELECT customer_name FROM checkout_data.checkout_sessions WHERE checkout_session_id = :'of_other';
-- The log outlives it, and does not say who was erased.
SELECT action, changes - 'payment_methods' AS changes FROM checkout.list_admin_log(:'organization')
WHERE action ~ 'erased|^organization' AND action <> 'organization.created' ORDER BY created_at;
DROP PROCEDURE testing.delete_all(uuid, integer);
