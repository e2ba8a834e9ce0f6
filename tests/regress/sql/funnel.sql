-- The funnel: stages, dimensions, and that it says the same before and after hours are counted.
SELECT checkout.create_organization(name => 'Funnel') AS organization \gset
SELECT testing.login('shop_funnel', :'organization');
SELECT testing.login('shop_funnel_test', :'organization', 'test');

-- The same by a plain query. Times to pay: the exact ones.
CREATE FUNCTION testing.plain_funnel(organization uuid, unit text, by text, since timestamptz, until timestamptz)
RETURNS TABLE (bucket_start timestamptz, value text, created bigint, opened bigint, payment_begun bigint,
    completed bigint, failed bigint, expired bigint, expired_unopened bigint, expired_opened bigint,
    expired_payment_begun bigint, expired_failed_attempt bigint, open bigint, cancelled bigint, reasons jsonb,
    amounts jsonb, median interval, p90 interval)
LANGUAGE sql AS $$
    WITH s AS (
        SELECT date_trunc(unit, s.created_at) AS bucket, s.*,
            checkout_data.effective_status(s, clock_timestamp()) AS now,
            v.first_opened_at IS NOT NULL AS opened, v.cancelled_at IS NOT NULL AS cancelled, v.reason_code,
            EXISTS (SELECT FROM checkout_data.payments p
                WHERE p.organization_id = organization AND p.environment = 'live'
                    AND p.checkout_session_id = s.checkout_session_id) AS begun,
            CASE by WHEN 'currency' THEN s.currency_code WHEN 'product' THEN s.product_id
                WHEN 'country' THEN s.country WHEN 'environment' THEN s.environment WHEN 'method' THEN (
                SELECT p.payment_method FROM checkout_data.payments p
                WHERE p.organization_id = organization AND p.environment = 'live'
                    AND p.checkout_session_id = s.checkout_session_id
                ORDER BY p.status = 'succeeded' DESC, p.created_at DESC, p.payment_id LIMIT 1) END AS value
        FROM checkout_data.checkout_sessions s
        LEFT JOIN checkout_data.session_visits v USING (organization_id, environment, checkout_session_id)
        WHERE s.organization_id = organization AND s.environment = 'live'
            AND (since IS NULL OR s.created_at >= since) AND (until IS NULL OR s.created_at < until))
    SELECT s.bucket, s.value, count(*), count(*) FILTER (WHERE opened), count(*) FILTER (WHERE begun),
        count(*) FILTER (WHERE now = 'complete'), count(*) FILTER (WHERE now = 'failed'),
        count(*) FILTER (WHERE now = 'expired'),
        count(*) FILTER (WHERE now = 'expired' AND NOT opened AND NOT begun AND attempts = 0),
        count(*) FILTER (WHERE now = 'expired' AND opened AND NOT begun AND attempts = 0),
        count(*) FILTER (WHERE now = 'expired' AND begun AND attempts = 0),
        count(*) FILTER (WHERE now = 'expired' AND attempts > 0),
        count(*) FILTER (WHERE now = 'open'), count(*) FILTER (WHERE cancelled),
        (SELECT COALESCE(jsonb_object_agg(r.code, r.n), '{}') FROM (
            SELECT code, count(*) AS n FROM unnest(array_agg(reason_code)) AS code
            WHERE code IS NOT NULL GROUP BY code) AS r),
        (SELECT COALESCE(jsonb_object_agg(a.code, a.n), '{}') FROM (
            SELECT code, sum(amount) AS n FROM unnest(array_agg(currency_code::text) FILTER (WHERE now = 'complete'),
                array_agg(amount::numeric) FILTER (WHERE now = 'complete')) AS p (code, amount) GROUP BY code) AS a),
        percentile_disc(0.5) WITHIN GROUP (ORDER BY completed_at - created_at),
        percentile_disc(0.9) WITHIN GROUP (ORDER BY completed_at - created_at)
    FROM s GROUP BY s.bucket, s.value
$$;
CREATE FUNCTION testing.near(found interval, exact interval) RETURNS boolean LANGUAGE sql AS $$
    -- Times are told in milliseconds.
    SELECT COALESCE(abs(EXTRACT(epoch FROM found) / EXTRACT(epoch FROM exact) - 1) <= 0.05
        OR abs(EXTRACT(epoch FROM found - exact)) <= 0.001, found IS NULL AND exact IS NULL)
$$;
-- Returns how many rows differ. It is called as the shop's administrator: both functions see the shop.
CREATE FUNCTION testing.differences(organization uuid, unit text, by text, since timestamptz, until timestamptz)
RETURNS bigint LANGUAGE sql AS $$
    SELECT count(*) FROM checkout.session_funnel(since, until, unit, by) f
    FULL JOIN testing.plain_funnel(organization, unit, by, since, until) p
        ON f.bucket_start = p.bucket_start AND f.value IS NOT DISTINCT FROM p.value
    WHERE (f.created, f.opened, f.payment_begun, f.completed, f.failed, f.expired, f.expired_unopened, f.expired_opened,
            f.expired_payment_begun, f.expired_failed_attempt, f.open, f.cancelled, f.cancellation_reasons, f.amounts)
        IS DISTINCT FROM (p.created, p.opened, p.payment_begun, p.completed, p.failed, p.expired, p.expired_unopened,
            p.expired_opened, p.expired_payment_begun, p.expired_failed_attempt, p.open, p.cancelled, p.reasons,
            p.amounts)
        OR NOT testing.near(f.median_time_to_pay, p.median) OR NOT testing.near(f.p90_time_to_pay, p.p90)
$$;
CREATE FUNCTION testing.all_differences(organization uuid) RETURNS TABLE (zone text, differences numeric)
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('checkout_sessions.organization_id', organization::text, true);
    FOREACH zone IN ARRAY '{UTC,Asia/Kathmandu,Australia/Lord_Howe,<+0007>-00:07}'::text[] LOOP
        PERFORM set_config('timezone', zone, true);
        RETURN QUERY SELECT zone, sum(testing.differences(organization, unit, by, since, until))
            FROM (VALUES ('hour', NULL, NULL::timestamptz, NULL::timestamptz), ('week', NULL, NULL, NULL),
                ('day', 'method', '2025-03-03 04:05:06.7Z', '2025-03-05 17:40Z'), ('month', 'currency', NULL, NULL),
                ('day', 'product', '2025-03-03 10:00Z', '2025-03-03 10:00Z'),
                ('day', NULL, '2025-03-03 10:01Z', '2025-03-03 10:02Z'), ('hour', 'country', '2025-03-04 01:15Z', NULL),
                ('day', 'environment', NULL, '2025-03-03 12:07Z'), ('month', NULL, '-infinity', 'infinity'),
                ('month', 'product', '4713-01-01 BC', '294276-12-31')) AS period (unit, by, since, until);
    END LOOP;
END $$;

-- 3,000 sessions of three days, in every state that there is.
CREATE FUNCTION testing.make_history(organization uuid, sessions integer, since timestamptz) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    CREATE TEMPORARY TABLE made ON COMMIT DROP AS
    SELECT n, gen_random_uuid() AS id, since + random() * interval '3 days' AS at, random() < 0.6 AS opened,
        random() < 0.2 AS cancelled,
        (ARRAY['too_expensive', 'other', NULL])[1 + floor(random() * 3)::integer] AS reason,
        (ARRAY['complete', 'complete', 'failed', 'expired', 'clock', 'clock fails'])
            [1 + floor(random() * 6)::integer] AS ends,
        random() < 0.4 AS begun, floor(random() * 3)::integer AS attempts,
        interval '1 second' * exp(random() * 12) AS took,
        (ARRAY['USD', 'EUR', 'XOF'])[1 + floor(random() * 3)::integer] AS currency,
        (ARRAY['card', 'mobile_money', NULL])[1 + floor(random() * 3)::integer] AS method,
        (ARRAY['one', 'two', NULL])[1 + floor(random() * 3)::integer] AS product,
        (ARRAY['CI', NULL])[1 + floor(random() * 2)::integer] AS country,
        round(1 + random()::numeric * 100) AS amount
    FROM generate_series(1, sessions) AS n;
    UPDATE made SET attempts = 0 WHERE NOT begun;
    UPDATE made SET attempts = 3 WHERE ends IN ('failed', 'clock fails');
    INSERT INTO checkout_data.checkout_sessions (organization_id, environment, checkout_session_id, status,
        payment_status, payment_id, completed_at, amount, currency_code, created_at, updated_at, expires_at,
        lease_expires_at, attempts, max_retry_attempts, product_id, country)
    SELECT organization, 'live', id, CASE WHEN ends LIKE 'clock%' THEN 'open' ELSE ends END,
        CASE ends WHEN 'complete' THEN 'paid' WHEN 'clock fails' THEN 'processing' ELSE 'unpaid' END,
        CASE ends WHEN 'complete' THEN id::text END, CASE ends WHEN 'complete' THEN at + took END, amount, currency, at,
        at + took, at + interval '1 hour', CASE ends WHEN 'clock fails' THEN at + interval '2 hours' END, attempts, 2,
        product, country
    FROM made;
    INSERT INTO checkout_data.payments (organization_id, environment, payment_id, checkout_session_id, status, amount,
        currency_code, payment_method, created_at, updated_at)
    SELECT organization, 'live', id::text, id, CASE ends WHEN 'complete' THEN 'succeeded' ELSE 'failed' END, amount,
        currency,
        method, at, at FROM made WHERE begun OR ends = 'complete'
    UNION ALL SELECT organization, 'live', id || 'later', id, 'failed', amount, currency, 'later',
        at + interval '1 minute',
        at FROM made WHERE begun AND n % 10 = 0;
    INSERT INTO checkout_data.session_visits (organization_id, environment, checkout_session_id, first_opened_at,
        last_opened_at, cancelled_at, reason_code)
    SELECT organization, 'live', id, CASE WHEN opened THEN at END, CASE WHEN opened THEN at END,
        CASE WHEN cancelled THEN at END, CASE WHEN cancelled THEN reason END FROM made WHERE opened OR cancelled;
    ANALYZE checkout_data.checkout_sessions, checkout_data.payments, checkout_data.session_visits;
END $$;
-- Counts, also if the server's own transactions make it wait. Returns how many sessions of the organization are
-- counted.
CREATE FUNCTION testing.fold(organization uuid, batch integer DEFAULT 100000) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
    FOR attempt IN 1..3 LOOP
        PERFORM checkout.fold_sessions(batch), pg_sleep(0.05);
    END LOOP;
    RETURN (SELECT sum(created) FROM checkout_data.session_counts c
        WHERE c.organization_id = organization AND c.dimension = 'none' AND c.unit = '1 hour');
END $$;
SELECT testing.make_history(:'organization', 3000, '2025-03-03');
SELECT * FROM testing.all_differences(:'organization');
-- Nothing is counted yet.
SELECT count(*) FROM checkout_data.session_counts WHERE organization_id = :'organization';

-- In portions; each hour is counted once.
SELECT testing.fold(:'organization', 10) <= 3000 AS counted;
SELECT * FROM testing.all_differences(:'organization');
SELECT testing.fold(:'organization') AS counted;
SELECT * FROM testing.all_differences(:'organization');
SELECT next_at IS NULL AS all_counted, folded_until FROM checkout_data.session_folds
WHERE organization_id = :'organization' AND environment = 'live';

-- What comes late, after its hour was counted: a payment, failures, and another session's acceptance of the payment.
SELECT checkout_session_id AS expired FROM checkout_data.checkout_sessions s
WHERE organization_id = :'organization' AND status = 'open' AND attempts = 0 AND created_at < '2025-03-04'
    AND NOT EXISTS (
    SELECT FROM checkout_data.payments p WHERE p.checkout_session_id = s.checkout_session_id)
ORDER BY created_at LIMIT 1 \gset
\c - shop_funnel
SET timezone = 'UTC';
SELECT sum(payment_begun) AS begun, sum(expired_unopened + expired_opened) AS not_begun
FROM checkout.session_funnel() \gset
SELECT status, rejection_reason FROM checkout.record_payment(:'expired', 'late', 'succeeded');
SELECT sum(payment_begun) - :begun AS begun, sum(expired_unopened + expired_opened) - :not_begun AS not_begun
FROM checkout.session_funnel();
\c - postgres
SELECT count(*) FROM checkout_data.uncounted_hours WHERE organization_id = :'organization';
SELECT sum(differences) FROM testing.all_differences(:'organization');
SELECT testing.fold(:'organization') AS counted;
SELECT count(*) FROM checkout_data.uncounted_hours WHERE organization_id = :'organization';
SELECT sum(differences) FROM testing.all_differences(:'organization');
-- The payment moves to a session of today: the expired one has none any more.
\c - shop_funnel
SELECT new.checkout_session_id AS today FROM checkout.get_checkout_session(:'expired') AS old, LATERAL (
    SELECT * FROM checkout.create_checkout_session(amount => old.amount, currency_code => old.currency_code,
        customer_id => 'late')) AS new \gset
SELECT status FROM checkout.apply_payment('late', :'today');
\c - postgres
SELECT sum(differences) FROM testing.all_differences(:'organization');
SELECT testing.fold(:'organization') AS counted;
SELECT sum(differences) FROM testing.all_differences(:'organization');

-- An hour with an open session is passed over after a while, and counted later. Sessions that ended less than 5 minutes
-- ago wait.
\c - shop_funnel
SELECT testing.new_session(10) AS long \gset
\c - postgres
UPDATE checkout_data.checkout_sessions SET created_at = '2025-03-07 10:20Z' WHERE checkout_session_id = :'long';
SELECT testing.make_history(:'organization', 100, '2025-03-08');
SELECT testing.fold(:'organization') AS counted;
SELECT hour FROM checkout_data.uncounted_hours WHERE organization_id = :'organization';
SELECT next_at BETWEEN now() AND now() + interval '1 hour' AS later FROM checkout_data.session_folds
WHERE organization_id = :'organization' AND environment = 'live';
SELECT sum(differences) FROM testing.all_differences(:'organization');
SELECT set_config('checkout_sessions.organization_id', :'organization', false) IS NOT NULL AS set;
SELECT status FROM checkout.expire_checkout_session(:'long');
SELECT testing.fold(:'organization') AS counted;
UPDATE checkout_data.checkout_sessions SET updated_at = now() - interval '6 minutes'
WHERE checkout_session_id = :'long';
SELECT testing.fold(:'organization') AS counted;
SELECT count(*) FROM checkout_data.uncounted_hours WHERE organization_id = :'organization';
SELECT sum(differences) FROM testing.all_differences(:'organization');

-- The clock was put back and is right again: a session was created in an hour that was counted. It is open, so the
-- worker finds it.
CREATE FUNCTION testing.id_at(at timestamptz) RETURNS uuid LANGUAGE sql AS $$
    SELECT (lpad(to_hex((EXTRACT(epoch FROM at) * 1000)::bigint), 12, '0') || '7' || substr(md5(random()::text), 1, 3)
        || '8' || substr(md5(random()::text), 1, 15))::uuid
$$;
INSERT INTO checkout_data.checkout_sessions (organization_id, environment, checkout_session_id, amount, currency_code,
    created_at, updated_at, expires_at, max_retry_attempts)
SELECT :'organization', 'live', testing.id_at(at), 1, 'USD', at, at, now() + interval '1 hour', 0
FROM (VALUES ('2025-03-03 10:10Z'::timestamptz), ('2025-03-09 10:10Z')) AS t (at);
INSERT INTO checkout_data.open_sessions (organization_id, environment, checkout_session_id, deadline)
SELECT organization_id, environment, checkout_session_id, expires_at FROM checkout_data.checkout_sessions
WHERE organization_id = :'organization' AND customer_id IS NULL AND status = 'open' AND expires_at > now();
UPDATE checkout_data.session_folds SET folded_until = '2025-03-11'
WHERE organization_id = :'organization' AND environment = 'live';
SELECT testing.fold(:'organization') AS counted;
SELECT DISTINCT hour FROM checkout_data.uncounted_hours WHERE organization_id = :'organization' ORDER BY hour;
SELECT sum(differences) FROM testing.all_differences(:'organization');

-- The clock is put back now: hours that lie ahead are not read, and are counted again when they are over.
SELECT testing.fold(:'organization') AS counted;
UPDATE checkout_data.session_folds SET looked_at = now() + interval '10 days', folded_until = date_bin('1 hour',
    now() + interval '9 days', 'epoch') WHERE organization_id = :'organization' AND environment = 'live';
INSERT INTO checkout_data.session_counts SELECT organization_id, environment, dimension, unit,
    date_bin('1 hour', now() + interval '2 days', 'epoch'), value, created, opened, opened_completed, payment_begun,
    completed, failed, expired_unopened, expired_opened, expired_payment_begun, expired_failed_attempt, cancelled,
    amounts, reasons, time_steps, time_counts
FROM checkout_data.session_counts WHERE organization_id = :'organization' AND starts_at = '2025-03-03 10:00Z';
SELECT sum(differences) FROM testing.all_differences(:'organization');
SELECT testing.fold(:'organization') IS NOT NULL AS folded;
SELECT count(*) FROM checkout_data.uncounted_hours WHERE organization_id = :'organization' AND hour > now();
DELETE FROM checkout_data.session_counts WHERE organization_id = :'organization' AND starts_at > now();
DELETE FROM checkout_data.uncounted_hours WHERE organization_id = :'organization' AND hour > now();
UPDATE checkout_data.session_folds SET folded_until = '2025-03-11'
WHERE organization_id = :'organization' AND environment = 'live';

-- Sessions that are removed stay counted, also when their hour is counted again.
SELECT sum(created) AS created FROM checkout_data.session_counts
WHERE organization_id = :'organization' AND dimension = 'none' \gset
BEGIN;
DELETE FROM checkout_data.session_visits WHERE organization_id = :'organization';
DELETE FROM checkout_data.payments WHERE organization_id = :'organization';
DELETE FROM checkout_data.checkout_sessions WHERE organization_id = :'organization' AND created_at < '2025-03-05';
INSERT INTO checkout_data.uncounted_hours (organization_id, environment, hour)
SELECT DISTINCT organization_id, environment, date_bin('1 hour', starts_at, 'epoch') FROM checkout_data.session_counts
WHERE organization_id = :'organization' AND starts_at < '2025-03-05';
SELECT testing.fold(:'organization') IS NOT NULL AS folded;
SELECT sum(created) - :created AS lost FROM checkout_data.session_counts
WHERE organization_id = :'organization' AND dimension = 'none';
ROLLBACK;

-- Another environment, and arguments.
\c - shop_funnel_test
SELECT count(*) FROM checkout.session_funnel();
SELECT testing.outcome(format('SELECT created FROM checkout.session_funnel(by => %L)', by)) AS outcome
FROM unnest('{currency,Currency,"",none,customer}'::text[]) AS by;
\c - postgres
SELECT batch, testing.outcome(format('SELECT checkout.fold_sessions(%L) >= 0', batch))
FROM unnest('{0,1,100000,100001,NULL}'::integer[]) AS batch;

-- The rows obey their rules.
SET timezone = 'UTC';
SELECT change, split_part(testing.outcome(
    'UPDATE checkout_data.session_counts SET ' || change || ' WHERE dimension = ''none'''), ' / ', 1) AS outcome
FROM unnest(ARRAY[
    'completed = completed + 1', 'opened_completed = completed + 1', 'cancelled = created + 1',
    'time_steps = ''{1,2,3}''',
    'starts_at = starts_at + interval ''1 minute''', 'dimension = ''customer''', 'amounts = ''[]''']) AS change;
SELECT split_part(testing.outcome(
    'UPDATE checkout_data.session_folds SET folded_until = folded_until + interval ''1 minute'''), ' / ', 1) AS outcome;
SELECT testing.outcome('UPDATE checkout_data.uncounted_hours SET hour = hour + interval ''1 minute''');

-- The steps of times: each time is within 5 % of the middle of its step.
SELECT count(*) FROM generate_series(-60, 250) AS n, LATERAL (SELECT interval '1 second' * power(1.08, n) AS exact) AS t
WHERE exact >= '2 milliseconds'
    AND NOT testing.near(checkout_data.time_of_step(checkout_data.time_step(exact)), exact);
SELECT checkout_data.time_step(span)
FROM unnest('{0,-1 day,1 millisecond,1 second,10 minutes,100 years}'::interval[]) AS span;

-- The sessions that no function has made go again.
SET session_replication_role = replica;
DO $$
DECLARE
    name regclass;
BEGIN
    FOR name IN
        SELECT c.oid FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'organization_id'
        WHERE c.relnamespace = 'checkout_data'::regnamespace AND c.relkind = 'r' AND c.relname <> 'organizations'
    LOOP
        EXECUTE format('DELETE FROM %s t USING checkout_data.organizations o '
            'WHERE o.name = ''Funnel'' AND t.organization_id = o.organization_id', name);
    END LOOP;
END
$$;
DELETE FROM checkout_data.organizations WHERE name = 'Funnel';
