-- A shop of :rows sessions over 30 days, for the funnel: all have ended, three of five are paid. Stored as a replica.
\set ON_ERROR_STOP on
SET client_min_messages TO warning;
SELECT checkout.create_organization(name => 'Funnel') AS tenant \gset
SET session_replication_role TO replica;
INSERT INTO checkout_data.checkout_sessions (organization_id, environment, checkout_session_id, status, payment_status,
    payment_id, completed_at, amount, currency_code, created_at, updated_at, expires_at, max_retry_attempts, product_id, country)
SELECT :'tenant', 'live', bench.uuidv7(at), CASE WHEN paid THEN 'complete' ELSE 'open' END,
    CASE WHEN paid THEN 'paid' ELSE 'unpaid' END, CASE WHEN paid THEN 'pay_' || n END,
    CASE WHEN paid THEN at + interval '1 second' * (1 + n % 1200) END, 100 + n % 1000,
    (ARRAY['USD', 'EUR', 'XOF'])[1 + n % 3], at, at, at + interval '1 hour', 3, 'product' || n % 20,
    (ARRAY['CI', 'SN', 'FR', NULL])[1 + n % 4]
FROM (SELECT n, now() - interval '30 days 8 hours' + n * interval '30 days' / :rows AS at, n % 5 < 3 AS paid
    FROM generate_series(1, :rows) AS n) AS s;
INSERT INTO checkout_data.payments (organization_id, environment, payment_id, checkout_session_id, status, amount,
    currency_code, payment_method, created_at, updated_at)
SELECT organization_id, environment, payment_id, checkout_session_id, 'succeeded', amount, currency_code,
    CASE WHEN attempts = 0 THEN 'card' END, completed_at, completed_at
FROM checkout_data.checkout_sessions WHERE organization_id = :'tenant' AND status = 'complete';
INSERT INTO checkout_data.session_visits (organization_id, environment, checkout_session_id, first_opened_at, last_opened_at)
SELECT organization_id, environment, checkout_session_id, created_at, created_at
FROM checkout_data.checkout_sessions WHERE organization_id = :'tenant' AND (status = 'complete' OR EXTRACT(second FROM created_at) < 30);
