-- A shop that keeps its sessions for a while. bench.one_day() stores the sessions of one day, all of which have ended:
-- three of ten are paid, half were opened. Stored as a replica.
\set ON_ERROR_STOP on
SET client_min_messages TO warning;
SELECT checkout.create_organization(name => 'Retention', session_retention => '76 days');
CREATE PROCEDURE bench.one_day(days_ago integer, a_day integer, label text) LANGUAGE plpgsql AS $$
DECLARE
    tenant CONSTANT uuid := (SELECT organization_id FROM checkout_data.organizations WHERE name = 'Retention');
BEGIN
    SET LOCAL session_replication_role TO replica;
    WITH session AS (
        INSERT INTO checkout_data.checkout_sessions (organization_id, environment, checkout_session_id, status,
            payment_status, payment_id, completed_at, amount, currency_code, created_at, updated_at, expires_at,
            max_retry_attempts, customer_id, customer_email, reference, event_count)
        SELECT tenant, 'live', bench.uuidv7(at), CASE WHEN paid THEN 'complete' ELSE 'open' END,
            CASE WHEN paid THEN 'paid' ELSE 'unpaid' END, CASE WHEN paid THEN 'pay_' || label || '_' || n END,
            CASE WHEN paid THEN at + interval '1 minute' END, 100 + n % 1000, 'USD', at, at + interval '1 minute',
            at + interval '1 hour', 3, 'customer_' || n % 1000, 'customer_' || n % 1000 || '@shop.example',
            'order_' || label || '_' || n, paid::integer
        FROM (SELECT n, now() - days_ago * interval '1 day' + n * interval '20 hours' / a_day AS at, n % 10 < 3 AS paid
            FROM generate_series(1, a_day) AS n) AS s
        RETURNING *),
    payment AS (
        INSERT INTO checkout_data.payments (organization_id, environment, payment_id, checkout_session_id, status, amount,
            currency_code, payment_method, created_at, updated_at)
        SELECT organization_id, environment, payment_id, checkout_session_id, 'succeeded', amount, currency_code, 'card',
            completed_at, completed_at FROM session WHERE status = 'complete'),
    event AS (
        INSERT INTO checkout_data.webhook_outbox (organization_id, environment, subject_type, subject_id, sequence,
            event_type, created_at, snapshot)
        SELECT organization_id, environment, 'checkout_session', checkout_session_id, 1,
            CASE status WHEN 'complete' THEN 'checkout.session.completed' ELSE 'checkout.session.expired' END, updated_at,
            CASE status WHEN 'complete' THEN '{"session": {"status": "complete", "attempts": 0}}'::jsonb END
        FROM session)
    INSERT INTO checkout_data.session_visits (organization_id, environment, checkout_session_id, first_opened_at,
        last_opened_at)
    SELECT organization_id, environment, checkout_session_id, created_at, created_at FROM session WHERE amount % 2 = 0;
END
$$;
-- The same sessions, partitioned by their ids: a day each. bare: what a create and a list would cost.
CREATE TABLE bench.partitioned (LIKE checkout_data.checkout_sessions INCLUDING DEFAULTS INCLUDING CONSTRAINTS)
    PARTITION BY RANGE (checkout_session_id);
CREATE TABLE bench.plain (LIKE checkout_data.checkout_sessions INCLUDING DEFAULTS INCLUDING CONSTRAINTS);
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['partitioned', 'plain'] LOOP
        EXECUTE format('ALTER TABLE bench.%I ADD PRIMARY KEY (organization_id, environment, checkout_session_id)', name);
        EXECUTE format('CREATE INDEX ON bench.%I (organization_id, environment, customer_email, checkout_session_id)
            WHERE customer_email IS NOT NULL', name);
        EXECUTE format('CREATE INDEX ON bench.%I (organization_id, environment, customer_id, checkout_session_id)
            WHERE customer_id IS NOT NULL', name);
        EXECUTE format('CREATE INDEX ON bench.%I (organization_id, environment, reference, checkout_session_id)
            WHERE reference IS NOT NULL', name);
        EXECUTE format('CREATE INDEX ON bench.%I (organization_id, environment, created_at)', name);
    END LOOP;
    FOR day IN -1..77 LOOP
        EXECUTE format('CREATE TABLE bench.partitioned_%s PARTITION OF bench.partitioned FOR VALUES FROM (%L) TO (%L)',
            day + 1, checkout_data.first_id(date_trunc('day', now()) - day * interval '1 day'),
            checkout_data.first_id(date_trunc('day', now()) - (day - 1) * interval '1 day'));
    END LOOP;
END
$$;
