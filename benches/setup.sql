-- The benchmarks' tenant, its roles and its sessions. Variables: rows.
\set ON_ERROR_STOP on
SET client_min_messages TO warning;
CREATE EXTENSION checkout_sessions;
CREATE SCHEMA bench;

-- Sessions live long, so that none becomes due before the end.
SELECT checkout.create_organization(name => 'Bench', default_lifetime => '48 hours') AS tenant,
    checkout.create_organization(name => 'Due') AS due,
    checkout.create_organization(name => 'Shop', default_lifetime => '48 hours', uses_catalog => true) AS shop \gset

-- One role for everything. It may call our functions and the PL/pgSQL ones. As a member of the functions' own role it
-- has the same rights on the tables, under the same row-level security, for the bare statements.
CREATE ROLE bench_app LOGIN;
ALTER ROLE bench_app SET checkout_sessions.organization_id TO :'tenant';
SELECT checkout.grant_access('bench_app', 'secret');
GRANT checkout_sessions_api TO bench_app;

-- The same for functions on all tenants: the sweep and the outbox.
CREATE ROLE bench_worker LOGIN;
SELECT checkout.grant_access('bench_worker', 'admin'), checkout.grant_access('bench_worker', 'relay');
GRANT checkout_sessions_worker TO bench_worker;
GRANT USAGE ON SCHEMA bench TO bench_app, bench_worker, checkout_sessions_api, checkout_sessions_worker;

-- The fastest UUIDv7 in SQL of PostgreSQL 15: the milliseconds, written over the first six bytes of a random uuid.
CREATE FUNCTION bench.uuidv7(at timestamptz) RETURNS uuid LANGUAGE sql VOLATILE PARALLEL SAFE AS $$
    SELECT encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid())
        PLACING substring(int8send((extract(epoch FROM at) * 1000)::bigint) FROM 3) FROM 1 FOR 6), 52, 1), 53, 1), 'hex')::uuid
$$;

-- The last :rows sessions of a tenant that creates one every 10 ms: nearly all are over, one in a hundred is open.
CREATE PROCEDURE bench.load(tenant uuid, number bigint) LANGUAGE sql AS $$
    INSERT INTO checkout_data.checkout_sessions (organization_id, environment, checkout_session_id, status, payment_status,
        payment_id, completed_at, amount, currency_code, created_at, updated_at, expires_at, max_retry_attempts, created_by,
        title, customer_email, success_url, cancel_url, payment_methods, metadata)
    SELECT tenant, 'live', bench.uuidv7(s.at), s.status, CASE s.status WHEN 'complete' THEN 'paid' ELSE 'unpaid' END,
        CASE s.status WHEN 'complete' THEN 'pay_' || s.n END, CASE s.status WHEN 'complete' THEN s.at + '1 minute' END,
        100 + s.n % 1000, 'XOF', s.at, s.at, CASE s.status WHEN 'open' THEN now() + '1 day' ELSE s.at + '1 hour' END, 3,
        'bench_app', 'Premium subscription', 'customer' || s.n % 1000000 || '@example.com',
        'https://shop.example/success?session={CHECKOUT_SESSION_ID}', 'https://shop.example/cancel',
        '{bank_transfer,payid}', jsonb_build_object('order', s.n)
    FROM (SELECT n, now() - n * '10 ms'::interval AS at,
            CASE WHEN n % 100 = 0 THEN 'open' WHEN n % 3 = 0 THEN 'expired' ELSE 'complete' END AS status
        FROM generate_series(number, 1, -1) AS n) AS s;
    INSERT INTO checkout_data.open_sessions (organization_id, environment, checkout_session_id, deadline)
    SELECT s.organization_id, s.environment, s.checkout_session_id, s.expires_at FROM checkout_data.checkout_sessions s
    WHERE s.organization_id = tenant AND s.status = 'open'
    ON CONFLICT DO NOTHING;
$$;
CALL bench.load(:'tenant', :rows);

-- What a third tenant sells: one product without stock, one with, and a thousand with; never sold out.
CREATE ROLE bench_shop LOGIN;
ALTER ROLE bench_shop SET checkout_sessions.organization_id TO :'shop';
SELECT checkout.grant_access('bench_shop', 'secret');
INSERT INTO checkout_data.products (organization_id, environment, product_id, name, created_at, updated_at)
SELECT :'shop', 'live', p.kind || n, 'Premium subscription', now(), now()
FROM (VALUES ('plain', 1), ('hot', 1), ('many', 1000)) AS p (kind, number), generate_series(1, p.number) AS n;
INSERT INTO checkout_data.prices (organization_id, environment, price_id, product_id, currency_code, amount, is_default,
    created_at, updated_at)
SELECT organization_id, environment, 'price_' || product_id, product_id, 'XOF', 10000, true, now(), now()
FROM checkout_data.products;
INSERT INTO checkout_data.inventory (organization_id, environment, product_id, on_hand, updated_at)
SELECT organization_id, environment, product_id, 2000000000, now() FROM checkout_data.products WHERE product_id <> 'plain1';
INSERT INTO checkout_data.coupons (organization_id, environment, code, percent_off, created_at, updated_at)
VALUES (:'shop', 'live', 'SUMMER', 10, now(), now());

-- New sessions of this tenant, each of which may try its first coupon.
CREATE TABLE bench.couponed (n bigint PRIMARY KEY, checkout_session_id uuid NOT NULL);
CREATE SEQUENCE bench.turn;
GRANT USAGE ON SCHEMA bench TO bench_shop;
GRANT SELECT ON bench.couponed TO bench_shop;
GRANT USAGE ON SEQUENCE bench.turn TO bench_shop;
CREATE PROCEDURE bench.make_couponed(number bigint) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('checkout_sessions.organization_id', o.organization_id::text, true)
    FROM checkout_data.organizations o WHERE o.name = 'Shop';
    DELETE FROM bench.couponed;
    PERFORM setval('bench.turn', 1, false);
    INSERT INTO bench.couponed
    SELECT n, (SELECT c.checkout_session_id FROM checkout.create_checkout_session(product_id => 'plain1',
        customer_email => 'customer' || n || '@example.com', allow_coupon_code => true) AS c)
    FROM generate_series(1, number) AS n;
END
$$;

-- Sessions of another tenant, created a millisecond apart and all due at the same second. Those of earlier runs are
-- deleted, with their events. As a replica, because the triggers would look for their payments. If they are `holding`,
-- each holds a unit of one of a thousand products; they have no lines, because a sweep reads none.
CREATE PROCEDURE bench.make_due(number bigint, holding boolean DEFAULT false) LANGUAGE plpgsql SET session_replication_role TO replica AS $$
DECLARE
    deadline CONSTANT timestamptz := date_trunc('second', clock_timestamp());
    due CONSTANT uuid := (SELECT o.organization_id FROM checkout_data.organizations o WHERE o.name = 'Due');
BEGIN
    DELETE FROM checkout_data.webhook_outbox o WHERE o.organization_id = due;
    DELETE FROM checkout_data.open_sessions o WHERE o.organization_id = due;
    DELETE FROM checkout_data.holds h WHERE h.organization_id = due;
    DELETE FROM checkout_data.checkout_sessions s WHERE s.organization_id = due;
    INSERT INTO checkout_data.checkout_sessions (organization_id, environment, checkout_session_id, amount, currency_code,
        created_at, updated_at, expires_at, max_retry_attempts, created_by, title, customer_email, success_url, cancel_url,
        payment_methods, metadata, has_terms)
    SELECT due, 'live', bench.uuidv7(s.at), 100 + n % 1000, 'XOF', s.at, s.at, deadline, 3, 'bench_app', 'Premium subscription',
        'customer' || n % 1000000 || '@example.com', 'https://shop.example/success?session={CHECKOUT_SESSION_ID}',
        'https://shop.example/cancel', '{bank_transfer,payid}', jsonb_build_object('order', n), holding
    FROM (SELECT n, deadline - '1 hour'::interval + n * '1 ms'::interval AS at FROM generate_series(1, number) AS n) AS s;
    INSERT INTO checkout_data.open_sessions (organization_id, environment, checkout_session_id, deadline, has_terms)
    SELECT s.organization_id, s.environment, s.checkout_session_id, s.expires_at, s.has_terms
    FROM checkout_data.checkout_sessions s WHERE s.organization_id = due;
    INSERT INTO checkout_data.holds (organization_id, environment, checkout_session_id, kind, item_id, quantity, deadline)
    SELECT s.organization_id, s.environment, s.checkout_session_id, 'product', 'product' || s.amount, 1, s.expires_at
    FROM checkout_data.checkout_sessions s WHERE s.organization_id = due AND s.has_terms;
END
$$;
