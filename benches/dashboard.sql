-- A shop of :rows sessions over 90 days, for the queries of the dashboard: with payments, events, deliveries, products,
-- coupons. A tenth of the sessions have lines, a twentieth a coupon. Stored as a replica: no trigger looks for references.
\set ON_ERROR_STOP on
SET client_min_messages TO warning;
SELECT checkout.create_organization(name => 'Dashboard', default_lifetime => '48 hours') AS tenant \gset
CREATE ROLE bench_dashboard LOGIN;
ALTER ROLE bench_dashboard SET checkout_sessions.organization_id TO :'tenant';
SELECT checkout.grant_access('bench_dashboard', 'secret');
SET session_replication_role TO replica;

-- One in twenty of the newest 10,000 sessions is open: those of the last day, with a million. Two of three others are paid.
CREATE TEMPORARY TABLE made AS
SELECT n, bench.uuidv7(at) AS id, at, status, n % 10 = 1 AS has_terms,
    CASE WHEN n % 7 = 0 THEN 'EUR' WHEN n % 5 = 0 THEN 'JPY' ELSE 'USD' END AS currency
FROM (SELECT n, now() - n * interval '90 days' / :rows AS at,
        CASE WHEN n % 20 = 0 AND n < 10000 THEN 'open' WHEN n % 3 = 0 THEN 'expired' WHEN n % 1000 = 1 THEN 'failed'
            ELSE 'complete' END AS status
    FROM generate_series(:rows, 1, -1) AS n) AS s;
INSERT INTO checkout_data.checkout_sessions (organization_id, environment, checkout_session_id, status, payment_status,
    payment_id, completed_at, amount, currency_code, created_at, updated_at, expires_at, max_retry_attempts, created_by,
    title, customer_email, reference, success_url, cancel_url, payment_methods, metadata, has_terms)
SELECT :'tenant', 'live', id, status, CASE status WHEN 'complete' THEN 'paid' ELSE 'unpaid' END,
    CASE status WHEN 'complete' THEN 'pay_' || n END, CASE status WHEN 'complete' THEN at + interval '1 minute' END,
    100 + n % 1000, currency, at, at, CASE status WHEN 'open' THEN now() + interval '1 day' ELSE at + interval '1 hour' END,
    3, 'bench', 'Premium subscription', 'customer' || n % 100000 || '@example.com', 'order-' || n,
    'https://shop.example/success', 'https://shop.example/cancel', '{card}', jsonb_build_object('order_id', n::text), has_terms
FROM made ORDER BY n DESC;
INSERT INTO checkout_data.open_sessions (organization_id, environment, checkout_session_id, deadline)
SELECT :'tenant', 'live', id, now() + interval '1 day' FROM made WHERE status = 'open';
INSERT INTO checkout_data.session_lines (organization_id, environment, checkout_session_id, line, kind, product_id, title,
    unit_amount, quantity, subtotal)
SELECT :'tenant', 'live', id, 1, 'item', 'product' || n % 1000, 'Premium subscription', 100 + n % 1000, 1, 100 + n % 1000
FROM made WHERE has_terms;
INSERT INTO checkout_data.session_terms (organization_id, environment, checkout_session_id, subtotal, amount, coupon_code,
    order_hash)
SELECT :'tenant', 'live', id, 100 + n % 1000, 100 + n % 1000, CASE WHEN n % 20 = 1 THEN 'COUPON' || n % 400 / 20 END, sha256('bench')
FROM made WHERE has_terms;

-- One expired session in a hundred was paid too late.
INSERT INTO checkout_data.payments (organization_id, environment, payment_id, checkout_session_id, status, rejection_reason,
    amount, currency_code, payment_method, occurred_at, created_at, updated_at)
SELECT :'tenant', 'live', 'pay_' || n, id, CASE status WHEN 'complete' THEN 'succeeded' ELSE 'rejected' END,
    CASE status WHEN 'expired' THEN 'session_expired' END, 100 + n % 1000, currency, 'card', at, at, at
FROM made WHERE status = 'complete' OR status = 'expired' AND n % 300 = 0;

-- One endpoint gets an event of each session that has ended: one in 5,000 is dead, and the newest 300 are due.
INSERT INTO checkout_data.webhook_endpoints (organization_id, environment, webhook_endpoint_id, url, event_types,
    body_format, signature_scheme, secret, created_at, created_by, updated_at, slot)
VALUES (:'tenant', 'live', gen_random_uuid(), 'https://shop.example/', '{*}', 'canonical', 'standard',
    'whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD', now(), 'bench', now(), 1)
RETURNING webhook_endpoint_id AS endpoint \gset
INSERT INTO checkout_data.webhook_outbox (organization_id, environment, subject_id, sequence, subject_type, event_type,
    created_at)
SELECT :'tenant', 'live', id, 1, 'checkout_session', 'checkout.session.' || CASE status WHEN 'complete' THEN 'completed'
    ELSE status END, at FROM made WHERE status <> 'open';
INSERT INTO checkout_data.webhook_deliveries (organization_id, environment, receiver_id, subject_id, sequence, created_at,
    attempts, attempts_ever, next_attempt_at, delivered_at, dead_at, last_attempt_at, last_status_code)
SELECT :'tenant', 'live', :'endpoint', id, 1, at, 1, 1, CASE WHEN n <= 300 THEN now() + interval '1 minute' END,
    CASE WHEN n > 300 AND n % 5000 <> 1 THEN at END, CASE WHEN n > 300 AND n % 5000 = 1 THEN at END, at,
    CASE WHEN n % 5000 = 1 THEN 500 ELSE 204 END
FROM made WHERE status <> 'open';
INSERT INTO checkout_data.webhook_attempts (organization_id, environment, receiver_id, subject_id, sequence, attempt,
    recorded_at, status_code, duration)
SELECT :'tenant', 'live', :'endpoint', id, 1, 1, at, 204, '20 ms' FROM made WHERE status <> 'open';

-- A tenth of the sessions has begun a subscription; one in a thousand of these is past due.
INSERT INTO checkout_data.subscriptions (organization_id, environment, subscription_id, checkout_session_id,
    latest_checkout_session_id, customer_email, product_id, price_id, quantity, unit_amount, currency_code, interval_unit,
    interval_count, time_zone, anchor, periods, periods_paid, current_period_start, current_period_end, ends_at,
    next_event_at, created_at, updated_at)
SELECT :'tenant', 'live', id, id, id, 'customer' || n % 100000 || '@example.com', 'product' || n % 1000, 'price' || n % 1000, 1,
    100 + n % 1000, 'USD', 'month', 1, 'UTC', at, 1, 1, ends - interval '1 month', ends, ends + interval '3 days', ends, at, at
FROM made, LATERAL (SELECT now() + CASE WHEN n % 10000 = 1 THEN interval '-1 day' ELSE n % 28 * interval '1 day' + interval '1 day' END
    AS ends) AS e
WHERE has_terms;
INSERT INTO checkout_data.session_periods (organization_id, environment, checkout_session_id, subscription_id)
SELECT :'tenant', 'live', id, id FROM made WHERE has_terms;

-- A thousand products, of which thirty are nearly sold out; what open sessions hold; and twenty coupons.
INSERT INTO checkout_data.products (organization_id, environment, product_id, name, created_at, updated_at)
SELECT :'tenant', 'live', 'product' || n, 'Premium subscription', now(), now() FROM generate_series(0, 999) AS n;
INSERT INTO checkout_data.prices (organization_id, environment, price_id, product_id, currency_code, amount, is_default,
    created_at, updated_at)
SELECT :'tenant', 'live', 'price' || n, 'product' || n, 'USD', 100 + n, true, now(), now()
FROM generate_series(0, 999) AS n;
INSERT INTO checkout_data.inventory (organization_id, environment, product_id, on_hand, updated_at)
SELECT :'tenant', 'live', 'product' || n, CASE WHEN n < 30 THEN 3 ELSE 5000 END, now() FROM generate_series(0, 999) AS n;
INSERT INTO checkout_data.inventory_changes (organization_id, environment, product_id, inventory_change_id, change, on_hand,
    reason, created_at)
SELECT :'tenant', 'live', 'product' || n % 1000, gen_random_uuid(), -1, 5000, 'sold', now() - n * interval '1 minute'
FROM generate_series(1, 100000) AS n;
INSERT INTO checkout_data.holds (organization_id, environment, checkout_session_id, kind, item_id, quantity, deadline)
SELECT :'tenant', 'live', id, 'product', 'product' || n % 1000, 1, now() + interval '1 day' FROM made WHERE status = 'open';
INSERT INTO checkout_data.coupons (organization_id, environment, code, percent_off, created_at, updated_at)
SELECT :'tenant', 'live', 'COUPON' || n, 10, now(), now() FROM generate_series(0, 19) AS n;
