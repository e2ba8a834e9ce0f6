-- The funnel's roll-up: how many sessions were created in each hour and each quarter of an hour, and how they ended.

-- The worker counts the sessions of an hour once none of them is open any more. Whoever reads counts the sessions of all
-- other hours as they are. Creating, opening and paying a session writes nothing here: only what changes a session
-- after its end notes that its hour has to be counted again.
CREATE DOMAIN checkout_data.session_dimension AS text COLLATE "C" CHECK (VALUE IN
    ('none', 'currency', 'method', 'product', 'country'));
CREATE DOMAIN checkout_data.session_hour AS timestamptz CHECK (VALUE = date_bin('1 hour', VALUE, 'epoch'));

-- Hours, because they are few; and quarters of them, because days begin at one in every time zone.
CREATE TABLE checkout_data.session_counts (
    organization_id uuid NOT NULL,
    environment checkout_data.environment NOT NULL,
    dimension checkout_data.session_dimension NOT NULL,
    unit text COLLATE "C" NOT NULL,
    starts_at timestamptz NOT NULL,
    value text COLLATE "C" NOT NULL,
    created checkout_data.count NOT NULL,
    opened checkout_data.count NOT NULL,
    opened_completed checkout_data.count NOT NULL,
    payment_begun checkout_data.count NOT NULL,
    completed checkout_data.count NOT NULL,
    failed checkout_data.count NOT NULL,
    expired_unopened checkout_data.count NOT NULL,
    expired_opened checkout_data.count NOT NULL,
    expired_payment_begun checkout_data.count NOT NULL,
    expired_failed_attempt checkout_data.count NOT NULL,
    cancelled checkout_data.count NOT NULL,
    amounts checkout_data.json_object NOT NULL,
    reasons checkout_data.json_object NOT NULL,
    time_steps smallint[] NOT NULL,
    time_counts integer[] NOT NULL,
    CONSTRAINT session_counts_pkey PRIMARY KEY (organization_id, environment, dimension, unit, starts_at, value),
    CONSTRAINT session_counts_unit_check CHECK (CASE unit
        WHEN '1 hour' THEN starts_at = date_bin('1 hour', starts_at, 'epoch')
        WHEN '15 minutes' THEN starts_at = date_bin('15 minutes', starts_at, 'epoch') ELSE false END),
    -- All have ended.
    CONSTRAINT session_counts_ended_check CHECK (created = completed + failed + expired_unopened + expired_opened
        + expired_payment_begun + expired_failed_attempt),
    CONSTRAINT session_counts_opened_check CHECK (opened_completed <= LEAST(opened, completed)
        AND GREATEST(opened, payment_begun, cancelled) <= created),
    CONSTRAINT session_counts_time_check CHECK (cardinality(time_steps) = cardinality(time_counts))
);
COMMENT ON TABLE checkout_data.session_counts IS
    'How many sessions were created in an hour or a quarter of one, and how they ended: all of them, and for each value of '
    'a dimension.';
COMMENT ON COLUMN checkout_data.session_counts.value IS 'Of the dimension. Empty: those that have none, or all of them.';
COMMENT ON COLUMN checkout_data.session_counts.amounts IS 'What the complete sessions cost, by currency.';
COMMENT ON COLUMN checkout_data.session_counts.reasons IS 'How many were cancelled for each reason_code.';
COMMENT ON COLUMN checkout_data.session_counts.time_steps IS
    'The times from creation to payment, as checkout_data.time_step() of them; time_counts says how many of each.';

-- Hours before folded_until are counted, but those in uncounted_hours.
CREATE TABLE checkout_data.session_folds (
    organization_id uuid NOT NULL,
    environment checkout_data.environment NOT NULL,
    folded_until timestamptz NOT NULL DEFAULT '-infinity',
    looked_at timestamptz,
    horizon xid8,
    next_at timestamptz,
    removal_at timestamptz DEFAULT 'epoch',
    CONSTRAINT session_folds_pkey PRIMARY KEY (organization_id, environment),
    CONSTRAINT session_folds_hour_check CHECK (folded_until = date_bin('1 hour', folded_until, 'epoch')),
    CONSTRAINT session_folds_horizon_check CHECK ((looked_at IS NULL) = (horizon IS NULL))
) WITH (fillfactor = 70);
COMMENT ON TABLE checkout_data.session_folds IS 'How far the sessions of each organization are counted.';
COMMENT ON COLUMN checkout_data.session_folds.horizon IS
    'At looked_at the next transaction had this id. Once all before it have ended, whatever was written until then can '
    'be seen.';
COMMENT ON COLUMN checkout_data.session_folds.next_at IS 'When the worker should look again. NULL: everything is counted.';
COMMENT ON COLUMN checkout_data.session_folds.removal_at IS
    'When the worker should look for sessions to remove: see session_retention. NULL: they are kept for ever.';
-- Serves the worker: when to look next.
CREATE INDEX session_folds_next_idx ON checkout_data.session_folds (next_at) WHERE next_at IS NOT NULL;
CREATE INDEX session_folds_removal_idx ON checkout_data.session_folds (removal_at) WHERE removal_at IS NOT NULL;

-- Whoever writes a row here never waits for another: each has a random key.
CREATE TABLE checkout_data.uncounted_hours (
    organization_id uuid NOT NULL,
    environment checkout_data.environment NOT NULL,
    hour checkout_data.session_hour NOT NULL,
    change_id uuid NOT NULL DEFAULT gen_random_uuid(),
    CONSTRAINT uncounted_hours_pkey PRIMARY KEY (organization_id, environment, hour, change_id)
);
COMMENT ON TABLE checkout_data.uncounted_hours IS
    'Hours before folded_until that are not counted, or have to be counted again. Their sessions are counted by who reads.';

CREATE FUNCTION checkout_data.first_id(at timestamptz) RETURNS uuid
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    SELECT CASE WHEN at OPERATOR(pg_catalog.>) 'epoch' AND pg_catalog.isfinite(at) THEN (pg_catalog.lpad(pg_catalog.to_hex(
            (EXTRACT(epoch FROM at) OPERATOR(pg_catalog.*) 1000)::bigint), 12, '0')
        OPERATOR(pg_catalog.||) pg_catalog.repeat('0', 20))::pg_catalog.uuid END
    $$;
COMMENT ON FUNCTION checkout_data.first_id IS 'Returns the least id of a session that is created at a time.';

CREATE FUNCTION checkout_data.time_step(span interval) RETURNS smallint
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    SELECT pg_catalog.ceil(
        pg_catalog.ln(GREATEST(EXTRACT(epoch FROM span), 0.001)::double precision)
            OPERATOR(pg_catalog./) pg_catalog.ln(1.1::double precision))::smallint
    $$;
COMMENT ON FUNCTION checkout_data.time_step IS 'Returns the step of a time: each is a tenth longer than the one before.';

CREATE FUNCTION checkout_data.time_of_step(step integer) RETURNS interval
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    SELECT pg_catalog.make_interval(secs => pg_catalog.round(
        (2 OPERATOR(pg_catalog./) 2.1 OPERATOR(pg_catalog.*) pg_catalog.power(1.1, step::numeric)),
        CASE WHEN step OPERATOR(pg_catalog.<) 0 THEN 6 ELSE 3 END)::double precision)
    $$;
COMMENT ON FUNCTION checkout_data.time_of_step IS
    'Returns the time in the middle of a step. No time of the step differs from it by more than 5 %.';

-- Looks for visits and payments session by session: most callers count few of the sessions that there are.
CREATE FUNCTION checkout_data.count_sessions(
    organization_id uuid, environment text, created tstzmultirange, units text[], dimensions text[], at timestamptz
) RETURNS SETOF checkout_data.session_counts
    LANGUAGE sql STABLE
    SET search_path TO pg_catalog, pg_temp
    SET jit TO off
    -- The planner does not know how short a range is.
    SET enable_seqscan TO off
    AS $$
    WITH session AS MATERIALIZED (
        SELECT s.created_at, e.status, v.first_opened_at IS NOT NULL AS opened,
            COALESCE(s.payment_id, p.payment_id) IS NOT NULL AS payment_begun,
            s.attempts > 0 AS failed_attempt, v.cancelled_at IS NOT NULL AS cancelled, v.reason_code,
            s.currency_code, p.payment_method, s.product_id, s.country, s.amount,
            CASE WHEN e.status = 'complete' THEN checkout_data.time_step(s.completed_at - s.created_at) END AS time_step
        -- As columns: a policy comes before conditions with functions that could tell of a row, and those have no index.
        FROM (SELECT COALESCE(lower(u.range), '-infinity') AS since, COALESCE(upper(u.range), 'infinity') AS until
            FROM unnest(created) AS u (range) OFFSET 0) AS r
        CROSS JOIN LATERAL (
            SELECT * FROM checkout_data.checkout_sessions s
            WHERE s.organization_id = count_sessions.organization_id AND s.environment = count_sessions.environment
                AND s.created_at >= r.since AND s.created_at < r.until
            OFFSET 0) AS s
        CROSS JOIN LATERAL (
            SELECT CASE WHEN s.status = 'open' AND d.deadline <= at
                THEN CASE WHEN s.attempts > s.max_retry_attempts THEN 'failed' ELSE 'expired' END ELSE s.status END
            FROM (SELECT CASE WHEN s.attempts > s.max_retry_attempts THEN COALESCE(s.lease_expires_at, s.expires_at)
                ELSE GREATEST(s.expires_at, s.lease_expires_at) END) AS d (deadline)) AS e (status)
        LEFT JOIN LATERAL (
            SELECT * FROM checkout_data.session_visits v
            WHERE v.organization_id = count_sessions.organization_id AND v.environment = count_sessions.environment
                AND v.checkout_session_id = s.checkout_session_id LIMIT 1) AS v ON true
        -- The payment that was accepted, or else the last one. That there is one, a paid session says itself.
        LEFT JOIN LATERAL (
            SELECT * FROM checkout_data.payments p
            WHERE p.organization_id = count_sessions.organization_id AND p.environment = count_sessions.environment
                AND p.checkout_session_id = s.checkout_session_id
                AND (s.payment_id IS NULL OR 'method' = ANY (dimensions))
            ORDER BY p.status = 'succeeded' DESC, p.created_at DESC, p.payment_id LIMIT 1) AS p ON true),
    valued AS MATERIALIZED (
        SELECT s.*, d.dimension, u.unit,
            CASE WHEN u.unit IN ('1 hour', '15 minutes') THEN date_bin(u.unit::interval, s.created_at, 'epoch')
                ELSE date_trunc(u.unit, s.created_at) END AS starts_at,
            COALESCE(left(CASE d.dimension WHEN 'currency' THEN s.currency_code
                WHEN 'method' THEN s.payment_method WHEN 'product' THEN s.product_id
                WHEN 'country' THEN s.country END, 255), '') COLLATE "C" AS value
        FROM session s CROSS JOIN unnest(units) AS u (unit) CROSS JOIN unnest(dimensions) AS d (dimension)),
    counted AS (
        SELECT v.dimension, v.unit, v.starts_at, v.value, count(*)::integer AS created,
            count(*) FILTER (WHERE v.opened) AS opened,
            count(*) FILTER (WHERE v.opened AND v.status = 'complete') AS opened_completed,
            count(*) FILTER (WHERE v.payment_begun) AS payment_begun,
            count(*) FILTER (WHERE v.status = 'complete') AS completed,
            count(*) FILTER (WHERE v.status = 'failed') AS failed,
            count(*) FILTER (WHERE v.status = 'expired' AND NOT (v.failed_attempt OR v.payment_begun OR v.opened))
                AS expired_unopened,
            count(*) FILTER (WHERE v.status = 'expired' AND v.opened AND NOT (v.failed_attempt OR v.payment_begun))
                AS expired_opened,
            count(*) FILTER (WHERE v.status = 'expired' AND v.payment_begun AND NOT v.failed_attempt)
                AS expired_payment_begun,
            count(*) FILTER (WHERE v.status = 'expired' AND v.failed_attempt) AS expired_failed_attempt,
            count(*) FILTER (WHERE v.cancelled) AS cancelled
        FROM valued v GROUP BY v.dimension, v.unit, v.starts_at, v.value),
    amounts AS (
        SELECT a.dimension, a.unit, a.starts_at, a.value, jsonb_object_agg(a.currency_code, a.amount) AS amounts
        FROM (SELECT v.dimension, v.unit, v.starts_at, v.value, v.currency_code, sum(v.amount) AS amount
            FROM valued v WHERE v.status = 'complete'
            GROUP BY v.dimension, v.unit, v.starts_at, v.value, v.currency_code) AS a
        GROUP BY a.dimension, a.unit, a.starts_at, a.value),
    reasons AS (
        SELECT c.dimension, c.unit, c.starts_at, c.value, jsonb_object_agg(c.reason_code, c.cancelled) AS reasons
        FROM (SELECT v.dimension, v.unit, v.starts_at, v.value, v.reason_code, count(*) AS cancelled
            FROM valued v WHERE v.cancelled AND v.reason_code IS NOT NULL
            GROUP BY v.dimension, v.unit, v.starts_at, v.value, v.reason_code) AS c
        GROUP BY c.dimension, c.unit, c.starts_at, c.value),
    times AS (
        SELECT t.dimension, t.unit, t.starts_at, t.value, array_agg(t.time_step ORDER BY t.time_step) AS time_steps,
            array_agg(t.completed ORDER BY t.time_step) AS time_counts
        FROM (SELECT v.dimension, v.unit, v.starts_at, v.value, v.time_step, count(*)::integer AS completed
            FROM valued v WHERE v.time_step IS NOT NULL
            GROUP BY v.dimension, v.unit, v.starts_at, v.value, v.time_step) AS t
        GROUP BY t.dimension, t.unit, t.starts_at, t.value)
    SELECT count_sessions.organization_id, count_sessions.environment, c.dimension, c.unit, c.starts_at, c.value, c.created,
        c.opened, c.opened_completed, c.payment_begun, c.completed, c.failed, c.expired_unopened, c.expired_opened,
        c.expired_payment_begun, c.expired_failed_attempt, c.cancelled, COALESCE(a.amounts, '{}'),
        COALESCE(r.reasons, '{}'), COALESCE(t.time_steps, '{}'), COALESCE(t.time_counts, '{}')
    FROM counted c
    LEFT JOIN amounts a USING (dimension, unit, starts_at, value)
    LEFT JOIN reasons r USING (dimension, unit, starts_at, value)
    LEFT JOIN times t USING (dimension, unit, starts_at, value)
    $$;
COMMENT ON FUNCTION checkout_data.count_sessions IS
    'Counts the sessions that were created within these times as they are at a time: for each value of the dimensions, and '
    'each of the units: 1 hour or 15 minutes; or hour, day, week or month of the time zone.';

-- for administrators ----------------------------------------------------------------------------------------------

CREATE FUNCTION checkout.fold_sessions(
    batch integer DEFAULT 1000
) RETURNS integer
    LANGUAGE c SECURITY DEFINER
    SET search_path TO pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'fold_sessions_wrapper';
COMMENT ON FUNCTION checkout.fold_sessions IS
$$Counts the sessions of past hours for session_funnel, for all organizations.

Returns how many hours it counted. The worker does this automatically. An hour is counted when it is over, all sessions
that were created in it have ended at least 5 minutes ago, and the transactions of that time have ended. If others are
running, the function only notes them, and the next call counts. Sessions of other hours are counted by session_funnel.

- batch: how many hours of organizations at most, 1 to 100000.

Errors:
- 22004, 22023: batch is missing or wrong.
- PT409: the database is not active: see activate_database.$$;
