-- Creating checkout sessions: the arguments are stored and returned.
SELECT checkout.create_organization('Create') AS organization \gset
SELECT testing.login('shop_create', :'organization');
\c - shop_create

-- Every argument
SELECT to_jsonb(s) - ARRAY[
        'checkout_session_id', 'organization_id', 'created_at', 'updated_at', 'expires_at', 'client_secret'] AS session,
    s.client_secret, s.checkout_session_id AS id, s.organization_id = :'organization' AS of_the_caller,
    s.created_at BETWEEN now() AND clock_timestamp() AS created_now, s.updated_at = s.created_at AS never_updated,
    s.expires_at - s.created_at AS lifetime, s.organization_id AS owner
FROM checkout.create_checkout_session(
    amount => 129.9,
    currency_code => 'EUR',
    title => 'Two chairs',
    description => E'Oak,\nunpainted',
    reference => 'order-1001',
    customer_id => 'customer-7',
    customer_email => 'ada@example.com',
    customer_name => 'Ada Lovelace',
    customer_phone => '+44 20 7946 0000',
    product_id => 'product-9',
    price_id => 'price-9',
    subscription_id => 'subscription-9',
    payment_link_id => 'link-9',
    quantity => 2,
    allow_quantity => true,
    allow_coupon_code => true,
    require_billing_address => true,
    is_spi => true,
    is_pos => true,
    country => 'GB',
    success_url => 'https://shop.example/thanks?session={CHECKOUT_SESSION_ID}',
    cancel_url => 'http://localhost:3000/cart#{CHECKOUT_SESSION_ID}',
    payment_methods => '{card,payid}',
    max_retry_attempts => 7,
    metadata => '{"order": {"lines": [1, 2.50, null, true]}, "note": "ünïcode"}',
    expires_in => '90 minutes',
    trace_id => 'trace-1'
) AS s \gset
\echo :session
\echo of the caller :of_the_caller, created now :created_now, never updated :never_updated, lifetime :lifetime

-- Get returns the same.
SELECT to_jsonb(s) - ARRAY[
        'checkout_session_id', 'organization_id', 'created_at', 'updated_at', 'expires_at', 'client_secret']
    = :'session' AS same,
    s.client_secret = :'client_secret' AS same_secret
FROM checkout.get_checkout_session(:'id') AS s;

-- The table has the same, and nothing else was written: a new session has no event, and its secret is not stored.
\c - postgres
SELECT count(*), bool_and(to_jsonb(s) @> (:'session'::jsonb - ARRAY['idempotent_replay'])) AS same,
    bool_or(s::text LIKE '%cs\_secret\_%' OR s::text LIKE '%' || right(:'client_secret', 20) || '%') AS secret_stored
FROM checkout_data.checkout_sessions s WHERE organization_id = :'organization';
SELECT count(*) AS events FROM checkout_data.webhook_outbox WHERE organization_id = :'organization';
SELECT count(*) AS keys FROM checkout_data.idempotency_keys WHERE organization_id = :'organization';
\c - shop_create

-- The fewest arguments: all other values are the organization's.
SELECT to_jsonb(s) - ARRAY[
        'checkout_session_id', 'organization_id', 'created_at', 'updated_at', 'expires_at', 'client_secret'] AS session,
    s.expires_at - s.created_at AS lifetime
FROM checkout.create_checkout_session(10, 'USD', customer_id => 'customer-1') AS s;

-- NULL is the same as an omitted argument, if there is a default.
SELECT quantity, allow_quantity, allow_coupon_code, require_billing_address, is_spi, is_pos, payment_methods,
    max_retry_attempts, metadata, expires_at - created_at AS lifetime
FROM checkout.create_checkout_session(10, 'USD', customer_id => 'customer-1', quantity => NULL, allow_quantity => NULL,
    allow_coupon_code => NULL, require_billing_address => NULL, is_spi => NULL, is_pos => NULL, payment_methods => NULL,
    max_retry_attempts => NULL, metadata => NULL, expires_at => NULL, expires_in => NULL, idempotency_key => NULL);

-- The body of POST /checkout-sessions in the documentation of lomi, posted as it stands
SELECT $${
  "amount": 10000.0,
  "currency_code": "XOF",
  "title": "Premium Subscription",
  "description": "Monthly subscription to premium features",
  "customer_email": "john@example.com",
  "customer_name": "John Doe",
  "customer_phone": "+221771234567",
  "product_id": "123e4567-e89b-12d3-a456-426614174000",
  "price_id": "321e4567-e89b-12d3-a456-426614174000",
  "allow_quantity": false,
  "quantity": 1,
  "success_url": "https://example.com/success",
  "cancel_url": "https://example.com/cancel",
  "allow_coupon_code": true,
  "require_billing_address": true,
  "metadata": {
    "order_id": "ORDER-12345"
  }
}$$ AS lomi \gset
SELECT testing.call('create_checkout_session', :'lomi') AS posted \gset
SELECT to_jsonb(s) AS session FROM (:posted) AS s \gset
-- Each field of the request is in the answer, and the answer has each field of the documented one.
SELECT :'session'::jsonb @> :'lomi' AS as_requested;
SELECT :'session'::jsonb ->> 'amount' AS amount;
SELECT :'session'::jsonb ?& ARRAY[
    'checkout_session_id', 'organization_id', 'amount', 'currency_code', 'status', 'title', 'description',
    'customer_id', 'customer_email', 'customer_name', 'customer_phone', 'product_id', 'price_id', 'subscription_id',
    'allow_quantity', 'quantity', 'success_url', 'cancel_url', 'allow_coupon_code', 'require_billing_address',
    'payment_link_id', 'expires_at', 'metadata', 'environment', 'created_at', 'created_by', 'updated_at']
    AS as_documented;
SELECT :'session'::jsonb ->> 'status' AS status;
SELECT :'session'::jsonb ->> 'environment' AS environment;

-- Amounts are exact and get the currency's number of decimals.
SELECT given, currency, s.amount, s.amount = given AS exact
FROM (VALUES
    (1.5, 'USD'), (0.01, 'USD'), (10000.0, 'XOF'), (1, 'JPY'), (1.005, 'KWD'), (0.001, 'BHD'),
    (12.3400000000000000000000, 'EUR'),
    (0.1 + 0.2, 'USD'), (999999999999999.99, 'USD'), (999999999999999, 'XOF'), (5000, 'NGN'), (1.2345, 'CLF'),
    (1e3, 'USD')
) AS amounts (given, currency),
    checkout.create_checkout_session(amounts.given, amounts.currency, customer_id => 'customer-1') AS s;

-- A lifetime, or an expiry time
SELECT s.expires_at - s.created_at AS lifetime
FROM unnest('{1 second, 5 minutes, 36 hours, 1 day 12:00:00.000001, 48 hours, 2 days}'::interval[]) AS lifetime,
    checkout.create_checkout_session(10, 'USD', customer_id => 'c', expires_in => lifetime) AS s;
SELECT s.expires_at = now() + after AS as_asked
FROM unnest('{10 minutes, 48 hours}'::interval[]) AS after,
    checkout.create_checkout_session(10, 'USD', customer_id => 'c', expires_at => now() + after) AS s;

-- Ids are UUIDs of version 7, in order of creation, and contain its time.
WITH created AS MATERIALIZED (
    SELECT n, s.*
    FROM generate_series(1, 200) AS n, checkout.create_checkout_session(n, 'USD', customer_id => 'order of ids') AS s
)
SELECT count(*), count(DISTINCT checkout_session_id) AS distinct_ids,
    bool_and(substr(checkout_session_id::text, 15, 1) = '7') AS version_7,
    bool_and(('x' || translate(left(checkout_session_id::text, 13), '-', ''))::bit(48)::bigint
        = floor(extract(epoch FROM created_at) * 1000)) AS of_created_at,
    array_agg(n ORDER BY checkout_session_id) = array_agg(n ORDER BY n) AS in_order
FROM created;

-- The hosted page is below the organization's base URL, else the setting's.
SELECT url FROM checkout.create_checkout_session(10, 'USD', customer_id => 'c');
\c - postgres
SELECT base_url FROM checkout.update_organization(:'organization', base_url => 'https://pay.example/checkout/');
SET checkout_sessions.base_url = 'https://other.example';
SET checkout_sessions.organization_id = :'organization';
SELECT url = 'https://pay.example/checkout/' || checkout_session_id || '#' || client_secret AS organizations
FROM checkout.create_checkout_session(10, 'USD', customer_id => 'c');
SELECT base_url FROM checkout.update_organization(:'organization', base_url => '');
SELECT url = 'https://other.example/' || checkout_session_id || '#' || client_secret AS settings
FROM checkout.create_checkout_session(10, 'USD', customer_id => 'c');
-- A base URL with a query or a fragment says where the id belongs.
SET checkout_sessions.base_url = 'https://other.example/pay?id=%7BCHECKOUT_SESSION_ID%7d';
SELECT url = 'https://other.example/pay?id=' || checkout_session_id || '#' || client_secret AS settings_filled_in
FROM checkout.create_checkout_session(10, 'USD', customer_id => 'c');
SELECT base_url
FROM checkout.update_organization(:'organization', base_url => 'https://pay.example/?k=1#/{CHECKOUT_SESSION_ID}');
SELECT base_url
FROM checkout.update_organization(:'organization',
    base_url => 'https://pay.example/?k=1#/{CHECKOUT_SESSION_ID}/{CLIENT_SECRET}');
SELECT url = 'https://pay.example/?k=1#/' || checkout_session_id || '/' || client_secret AS organizations_filled_in
FROM checkout.create_checkout_session(10, 'USD', customer_id => 'c');
SELECT base_url FROM checkout.update_organization(:'organization', base_url => '');
\c - shop_create

-- A session is committed, or rolled back, with the rows of its caller.
CREATE TEMP TABLE orders (reference text, session uuid);
BEGIN;
INSERT INTO orders SELECT 'rolled back', checkout_session_id
FROM checkout.create_checkout_session(10, 'USD', reference => 'rolled back', customer_id => 'c');
SELECT count(*) AS visible_inside FROM checkout.list_checkout_sessions(reference => 'rolled back');
ROLLBACK;
BEGIN;
INSERT INTO orders SELECT 'kept', checkout_session_id
FROM checkout.create_checkout_session(10, 'USD', reference => 'kept', customer_id => 'c');
SAVEPOINT before;
SELECT count(*) FROM checkout.create_checkout_session(10, 'USD', reference => 'rolled back', customer_id => 'c');
ROLLBACK TO before;
COMMIT;
SELECT reference, session = checkout_session_id AS same
FROM orders JOIN checkout.list_checkout_sessions() AS s USING (reference);
SELECT count(*) AS gone FROM checkout.list_checkout_sessions(reference => 'rolled back');

-- A read-only transaction cannot create.
BEGIN READ ONLY;
SELECT checkout.create_checkout_session(10, 'USD', customer_id => 'c');
\echo :LAST_ERROR_SQLSTATE
ROLLBACK;

-- The environments are separate.
\c - postgres
SELECT testing.login('shop_create_test', :'organization', 'test');
\c - shop_create_test
SELECT count(*) AS before FROM checkout.list_checkout_sessions();
SELECT environment, created_by FROM checkout.create_checkout_session(10, 'USD', customer_id => 'c');
SELECT count(*) AS after FROM checkout.list_checkout_sessions();
SELECT testing.outcome(format('SELECT checkout.get_checkout_session(%L)', :'id'));
