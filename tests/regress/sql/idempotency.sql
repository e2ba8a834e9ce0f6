-- Idempotency keys: the same request gets the same session, however often it is sent.
SELECT checkout.create_organization('Idempotency') AS organization \gset
SELECT checkout.create_organization('Idempotency of another') AS other \gset
SELECT testing.login('shop_keys', :'organization');
SELECT testing.login('shop_keys_test', :'organization', 'test');
SELECT testing.login('shop_keys_other', :'other');
\c - shop_keys

-- A request, and its retry after a lost answer
SELECT testing.call('create_checkout_session',
    '{"amount": "25.00", "currency_code": "USD", "customer_email": "ada@example.com",
    "title": "Book", "quantity": "2", "payment_methods": "{card,payid}", "metadata": "{\"a\": 1, \"b\": [2]}",
    "expires_in": "2 hours", "idempotency_key": "order-1001"}') AS request \gset
SELECT checkout_session_id AS id, created_at, idempotent_replay FROM (:request) AS s \gset
\echo first is a replay: :idempotent_replay
SELECT checkout_session_id = :'id' AS same_session, created_at = :'created_at' AS same_time, idempotent_replay, status
FROM (:request) AS s;
SELECT count(*) AS sessions FROM checkout.list_checkout_sessions();

-- Other spellings of the same request are the same request.
SELECT words, s.checkout_session_id = :'id' AS same_session
FROM (VALUES
    ('keys of metadata in another order', '{"metadata": "{\"b\": [2],\"a\":1}"}'::jsonb),
    ('named defaults', '{"allow_quantity": "false", "is_pos": "false"}'),
    ('lifetime in minutes', '{"expires_in": "120 minutes"}')
) AS variants (words, variant),
    LATERAL (
        SELECT '{"amount": "25.00", "currency_code": "USD", "customer_email": "ada@example.com", "title": "Book",
            "quantity": "2", "payment_methods": "{card,payid}", "metadata": "{\"a\": 1, \"b\": [2]}",
            "expires_in": "2 hours", "idempotency_key": "order-1001"}'::jsonb || variant AS r) AS requests,
    checkout.create_checkout_session(amount => (r ->> 'amount')::numeric, currency_code => r ->> 'currency_code',
        customer_email => r ->> 'customer_email', title => r ->> 'title', quantity => (r ->> 'quantity')::integer,
        payment_methods => (r ->> 'payment_methods')::text[], metadata => (r ->> 'metadata')::jsonb,
        expires_in => (r ->> 'expires_in')::interval, allow_quantity => (r ->> 'allow_quantity')::boolean IS TRUE,
        is_pos => (r ->> 'is_pos')::boolean IS TRUE, idempotency_key => r ->> 'idempotency_key') AS s;
-- Zeros at the end of a number do not matter, nor does the case of a code, nor whether a default is said.
SELECT testing.creation('{"idempotency_key": "spelled", "metadata": "{\"a\": 1, \"b\": [2.50]}", "country": "GB"}');
SELECT variant, testing.creation('{"idempotency_key": "spelled", "metadata": "{\"a\": 1, \"b\": [2.50]}",
    "country": "GB"}'::jsonb || variant)
FROM unnest(ARRAY[
    '{"metadata": "{\"b\": [2.5], \"a\": 1.0}"}', '{"metadata": "{\"a\": 1.000, \"b\": [2.500]}"}',
    '{"currency_code": "usd"}', '{"country": "gb"}', '{"quantity": "1"}', '{"quantity": null}',
    '{"allow_quantity": "false", "allow_coupon_code": null, "is_spi": "false", "is_pos": null}',
    '{"title": "", "description": " ", "reference": "", "customer_name": "\t", "customer_phone": ""}',
    '{"trace_id": "of this try"}',
    '{"metadata": "{\"a\": 1, \"b\": [2.51]}"}', '{"metadata": "{\"a\": \"1\", \"b\": [2.50]}"}',
    '{"metadata": null}', '{"quantity": "2"}', '{"title": "x"}'
]::jsonb[]) AS variant;
SELECT testing.creation('{"idempotency_key": "no metadata", "metadata": null}'),
    testing.creation('{"idempotency_key": "no metadata", "metadata": "{}"}'),
    testing.creation('{"idempotency_key": "no metadata"}');
-- A default of the organization may change between two calls, so to name it is another request.
SELECT testing.creation('{"idempotency_key": "default of the organization"}') AS left_out,
    testing.creation('{"idempotency_key": "default of the organization", "max_retry_attempts": "3"}') AS said;
-- Zeros at the end of an amount do not matter.
SELECT amount, testing.outcome(
        format(
            'SELECT checkout.create_checkout_session(%s, ''USD'', customer_id => ''c'', idempotency_key => ''zeros'')',
            amount))
FROM unnest('{10,10.0,10.00}'::numeric[]) AS amount;

-- A different request under the key is refused, whichever part differs.
SELECT argument, testing.creation('{"idempotency_key": "one-of-each"}') AS first,
    testing.creation(jsonb_build_object('idempotency_key', 'one-of-each', argument, value)) AS second
FROM (VALUES
    ('amount', '10.01'), ('currency_code', 'EUR'), ('title', 'x'), ('description', 'x'), ('reference', 'x'),
    ('customer_id', 'x'),
    ('customer_email', 'x@example.com'), ('customer_name', 'x'), ('customer_phone', '1234'), ('product_id', 'x'),
    ('price_id', 'x'),
    ('subscription_id', 'x'), ('payment_link_id', 'x'), ('quantity', '2'), ('allow_quantity', 'true'),
    ('allow_coupon_code', 'true'),
    ('require_billing_address', 'true'), ('is_spi', 'true'), ('is_pos', 'true'), ('country', 'GH'),
    ('success_url', 'https://x.example'),
    ('cancel_url', 'https://x.example'), ('payment_methods', '{x}'), ('max_retry_attempts', '4'),
    ('metadata', '{"x": 1}'),
    ('expires_in', '2 hours'), ('expires_at', (now() + interval '1 hour')::text)
) AS others (argument, value);
-- Even one that would be refused by itself
SELECT testing.creation('{"idempotency_key": "one-of-each", "amount": "-1"}');
-- The same text in two arguments is not the same request.
SELECT testing.creation('{"idempotency_key": "shifted", "title": "ab", "description": "c"}');
SELECT testing.creation('{"idempotency_key": "shifted", "title": "a", "description": "bc"}');
SELECT testing.creation('{"idempotency_key": "shifted", "title": "abc"}');
SELECT checkout.create_checkout_session(
    26, 'USD', customer_email => 'ada@example.com', idempotency_key => 'order-1001');
\echo :LAST_ERROR_SQLSTATE

-- Keys are exact: case and spaces count.
SELECT count(DISTINCT checkout_session_id) FROM unnest('{key,KEY,"key ","key"}'::text[]) AS key,
    checkout.create_checkout_session(1, 'USD', customer_id => 'c', idempotency_key => key);

-- A replay returns the current state of the session. It is answered even if the request would not be accepted any more.
SELECT now() + interval '1 second' AS soon \gset
SELECT checkout_session_id AS short
FROM checkout.create_checkout_session(
    5, 'USD', customer_id => 'c', expires_at => :'soon', idempotency_key => 'short') \gset
SELECT pg_sleep(1.1);
SELECT checkout_session_id = :'short' AS same_session, status, idempotent_replay
FROM checkout.create_checkout_session(5, 'USD', customer_id => 'c', expires_at => :'soon', idempotency_key => 'short');
SELECT status FROM checkout.record_payment(:'id', 'pay-of-keys', 'succeeded');
SELECT checkout_session_id = :'id' AS same_session, status, payment_status, idempotent_replay FROM (:request) AS s;

-- A key that was rolled back is free.
BEGIN;
SELECT idempotent_replay
FROM checkout.create_checkout_session(1, 'USD', customer_id => 'c', idempotency_key => 'rolled back');
ROLLBACK;
SELECT amount, idempotent_replay
FROM checkout.create_checkout_session(2, 'USD', customer_id => 'c', idempotency_key => 'rolled back');
-- So is the key of a refused request.
SELECT testing.creation('{"idempotency_key": "refused", "amount": "0"}');
SELECT testing.creation('{"idempotency_key": "refused"}');

-- Another environment and another organization have keys of their own, and learn nothing of these.
\c - shop_keys_test
SELECT amount, environment, idempotent_replay
FROM checkout.create_checkout_session(77, 'USD', customer_id => 'c', idempotency_key => 'order-1001');
\c - shop_keys_other
SELECT amount, environment, idempotent_replay
FROM checkout.create_checkout_session(78, 'USD', customer_id => 'c', idempotency_key => 'order-1001');
SELECT checkout_session_id = :'id' AS same_session, idempotent_replay
FROM (
    SELECT s.* FROM checkout.create_checkout_session(79, 'USD', customer_id => 'c', idempotency_key => 'order-1002')
    AS s) AS s;

-- Keys live for as long as the setting says: 24 hours by default.
\c - postgres
SELECT expires_at - created_at AS lifetime, count(*)
FROM checkout_data.idempotency_keys WHERE organization_id = :'organization' GROUP BY 1;
SELECT bool_and(octet_length(request_hash) = 32) AS hashed,
    count(*) FILTER (WHERE checkout_session_id = :'id') AS of_the_first
FROM checkout_data.idempotency_keys WHERE organization_id = :'organization';
SET checkout_sessions.idempotency_key_lifetime = '3h';
SET checkout_sessions.organization_id = :'organization';
SELECT count(*) FROM checkout.create_checkout_session(1, 'USD', customer_id => 'c', idempotency_key => 'three hours');
SELECT expires_at - created_at AS lifetime FROM checkout_data.idempotency_keys
WHERE organization_id = :'organization' AND idempotency_key = 'three hours';

-- After that a key is new again, purged or not.
UPDATE checkout_data.idempotency_keys SET expires_at = now()
WHERE organization_id = :'organization' AND idempotency_key = 'order-1001';
SELECT checkout_session_id <> :'id' AS another_session, idempotent_replay FROM (:request) AS s;
SELECT idempotent_replay FROM (:request) AS s;
UPDATE checkout_data.idempotency_keys SET expires_at = now() - interval '1 hour'
WHERE organization_id = :'organization' AND idempotency_key IN ('zeros', 'shifted');
SELECT count(*) AS tasks FROM checkout.run_maintenance();
SELECT idempotency_key
FROM checkout_data.idempotency_keys
WHERE organization_id = :'organization' AND idempotency_key IN ('zeros', 'shifted', 'three hours');
SELECT testing.creation('{"idempotency_key": "shifted", "title": "new"}');

-- The same, with deferred constraints of the caller or without
BEGIN;
SET CONSTRAINTS ALL IMMEDIATE;
SELECT testing.creation('{"idempotency_key": "immediate"}');
SELECT testing.creation('{"idempotency_key": "immediate"}');
COMMIT;

-- If an administrator has deleted the session of a key, the key is free for any request.
SELECT checkout_session_id AS deleted
FROM checkout.create_checkout_session(1, 'USD', customer_id => 'c', idempotency_key =>
    'orphan') \gset
DELETE FROM checkout_data.open_sessions WHERE checkout_session_id = :'deleted';
DELETE FROM checkout_data.checkout_sessions WHERE checkout_session_id = :'deleted';
SELECT checkout_session_id <> :'deleted' AS another_session, idempotent_replay, amount
FROM checkout.create_checkout_session(2, 'USD', customer_id => 'c', idempotency_key => 'orphan');
SELECT idempotent_replay, amount FROM checkout.create_checkout_session(2, 'USD', customer_id => 'c', idempotency_key =>
    'orphan');
