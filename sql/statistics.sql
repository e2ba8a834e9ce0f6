-- Statistics: how many sessions were created, how far they came, and how they ended.

CREATE FUNCTION checkout_data.check_session_funnel(
    created_after timestamptz, created_before timestamptz, bucket text, by text
) RETURNS uuid
    LANGUAGE c STABLE
    AS 'MODULE_PATHNAME', 'session_funnel_wrapper';
COMMENT ON FUNCTION checkout_data.check_session_funnel IS
    'Returns the organization of the caller. Refuses wrong arguments of session_funnel.';

CREATE FUNCTION checkout.session_funnel(
    created_after timestamptz DEFAULT NULL, created_before timestamptz DEFAULT NULL, bucket text DEFAULT 'day',
    by text DEFAULT NULL
) RETURNS TABLE (
    bucket_start timestamptz, value text, created bigint, opened bigint, payment_begun bigint, completed bigint,
    failed bigint, expired bigint, expired_unopened bigint, expired_opened bigint, expired_payment_begun bigint,
    expired_failed_attempt bigint, open bigint, cancelled bigint, cancellation_reasons jsonb,
    conversion_of_opened numeric, conversion_of_ended numeric, median_time_to_pay interval, p90_time_to_pay interval,
    amounts jsonb
)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO pg_catalog, pg_temp
    SET jit TO off
    AS $$
    #variable_conflict use_column
    DECLARE
        tenant CONSTANT uuid := checkout_data.check_session_funnel(session_funnel.created_after,
            session_funnel.created_before, session_funnel.bucket, session_funnel.by);
        tenant_environment CONSTANT text := checkout.current_environment();
        at CONSTANT timestamptz := clock_timestamp();
        -- All sessions have the environment of the caller.
        counted_by CONSTANT text := CASE WHEN COALESCE(session_funnel.by, 'environment') = 'environment' THEN 'none'
            ELSE session_funnel.by END;
        since timestamptz;
        until timestamptz;
        -- Of these times the counts are read, of the others the sessions.
        counted tstzmultirange := '{}';
        hours tstzmultirange := '{}';
        quarters tstzmultirange := '{}';
        broken tstzmultirange;
        live tstzmultirange;
    BEGIN
        -- Whole quarters within the period. If the clock was put back, the current hour may be counted already.
        SELECT LEAST(f.folded_until, date_bin('1 hour', at, 'epoch'),
                date_bin('15 minutes', GREATEST(LEAST(session_funnel.created_before, at), 'epoch'), 'epoch'))
            INTO until
            FROM checkout_data.session_folds f
            WHERE f.organization_id = tenant AND f.environment = tenant_environment;
        since := date_bin('15 minutes',
            LEAST(session_funnel.created_after, until) + interval '15 minutes' - interval '1 microsecond', 'epoch');
        IF session_funnel.created_after IS NULL THEN
            since := '-infinity';
        END IF;
        IF since < until THEN
            counted := tstzmultirange(tstzrange(since, until));
            counted := counted - COALESCE((
                SELECT range_agg(tstzrange(u.hour, u.hour + interval '1 hour'))
                FROM checkout_data.uncounted_hours u
                WHERE u.organization_id = tenant AND u.environment = tenant_environment), '{}');
            -- Whole hours. Quarters of those in which the period or a bucket ends: in many time zones days begin at half an
            -- hour.
            SELECT COALESCE(range_agg(h.range) FILTER (WHERE h.whole), '{}'),
                    counted * COALESCE(range_agg(h.range) FILTER (WHERE NOT h.whole), '{}')
                INTO hours, quarters
                FROM (SELECT r.range, counted @> r.range AND date_trunc(session_funnel.bucket, c.starts_at)
                        = date_trunc(session_funnel.bucket, upper(r.range) - interval '1 microsecond') AS whole
                    FROM checkout_data.session_counts c
                    CROSS JOIN LATERAL (SELECT tstzrange(c.starts_at, c.starts_at + interval '1 hour')) AS r (range)
                    WHERE c.organization_id = tenant AND c.environment = tenant_environment AND c.dimension = 'none'
                        AND c.unit = '1 hour' AND c.starts_at > since - interval '1 hour' AND c.starts_at < until) AS h;
            -- In an unusual time zone a bucket ends within a quarter.
            broken := COALESCE((
                SELECT range_agg(tstzrange(c.starts_at, c.starts_at + interval '15 minutes'))
                FROM unnest(quarters) AS r (range) CROSS JOIN LATERAL (
                    SELECT c.starts_at FROM checkout_data.session_counts c
                    WHERE c.organization_id = tenant AND c.environment = tenant_environment AND c.dimension = 'none'
                        AND c.unit = '15 minutes' AND c.starts_at >= lower(r.range) AND c.starts_at < upper(r.range)
                        AND date_trunc(session_funnel.bucket, c.starts_at) <> date_trunc(session_funnel.bucket,
                            c.starts_at + interval '15 minutes' - interval '1 microsecond')
                    OFFSET 0) AS c), '{}');
            counted := counted - broken;
            quarters := quarters - broken;
        END IF;
        live := tstzmultirange(tstzrange(session_funnel.created_after, session_funnel.created_before)) - counted;
        RETURN QUERY
            WITH part AS MATERIALIZED (
                SELECT date_trunc(session_funnel.bucket, c.starts_at) AS bucket_start, c.*
                -- One range of the key for each: OFFSET keeps the planner from reading all.
                FROM (SELECT '1 hour' AS unit, r.range FROM unnest(hours) AS r (range)
                    UNION ALL
                    SELECT '15 minutes', r.range FROM unnest(quarters) AS r (range)) AS r
                CROSS JOIN LATERAL (
                    SELECT * FROM checkout_data.session_counts c
                    WHERE c.organization_id = tenant AND c.environment = tenant_environment AND c.dimension = counted_by
                        AND c.unit = r.unit AND c.starts_at >= lower(r.range) AND c.starts_at < upper(r.range)
                    OFFSET 0) AS c
                UNION ALL
                SELECT l.starts_at, l.*
                FROM checkout_data.count_sessions(tenant, tenant_environment, live, ARRAY[session_funnel.bucket],
                    ARRAY[counted_by], at) l),
            total AS (
                SELECT p.bucket_start, p.value, sum(p.created) AS created, sum(p.opened) AS opened,
                    sum(p.opened_completed) AS opened_completed, sum(p.payment_begun) AS payment_begun,
                    sum(p.completed) AS completed, sum(p.failed) AS failed,
                    sum(p.expired_unopened) AS expired_unopened, sum(p.expired_opened) AS expired_opened,
                    sum(p.expired_payment_begun) AS expired_payment_begun,
                    sum(p.expired_failed_attempt) AS expired_failed_attempt,
                    sum(p.expired_unopened + p.expired_opened + p.expired_payment_begun + p.expired_failed_attempt)
                        AS expired, sum(p.cancelled) AS cancelled
                FROM part p GROUP BY p.bucket_start, p.value),
            amount AS (
                SELECT a.bucket_start, a.value, jsonb_object_agg(a.currency_code, a.amount) AS amounts
                FROM (SELECT p.bucket_start, p.value, a.key AS currency_code, sum(a.value::numeric) AS amount
                    FROM part p, jsonb_each_text(p.amounts) AS a GROUP BY p.bucket_start, p.value, a.key) AS a
                GROUP BY a.bucket_start, a.value),
            reason AS (
                SELECT r.bucket_start, r.value, jsonb_object_agg(r.reason_code, r.cancelled) AS reasons
                FROM (SELECT p.bucket_start, p.value, r.key AS reason_code, sum(r.value::bigint) AS cancelled
                    FROM part p, jsonb_each_text(p.reasons) AS r GROUP BY p.bucket_start, p.value, r.key) AS r
                GROUP BY r.bucket_start, r.value),
            span AS (
                SELECT t.bucket_start, t.value,
                    checkout_data.time_of_step(min(t.time_step) FILTER (WHERE t.so_far >= 0.5 * t.completed)) AS median,
                    checkout_data.time_of_step(min(t.time_step) FILTER (WHERE t.so_far >= 0.9 * t.completed)) AS p90
                FROM (SELECT p.bucket_start, p.value, t.time_step,
                        sum(sum(t.completed)) OVER (PARTITION BY p.bucket_start, p.value ORDER BY t.time_step) AS so_far,
                        sum(sum(t.completed)) OVER (PARTITION BY p.bucket_start, p.value) AS completed
                    FROM part p, unnest(p.time_steps, p.time_counts) AS t (time_step, completed)
                    GROUP BY p.bucket_start, p.value, t.time_step) AS t
                GROUP BY t.bucket_start, t.value)
            SELECT t.bucket_start,
                CASE WHEN session_funnel.by = 'environment' THEN tenant_environment ELSE NULLIF(t.value, '') END,
                t.created, t.opened, t.payment_begun, t.completed, t.failed, t.expired::bigint, t.expired_unopened,
                t.expired_opened, t.expired_payment_begun, t.expired_failed_attempt,
                (t.created - t.completed - t.failed - t.expired)::bigint, t.cancelled, COALESCE(r.reasons, '{}'),
                round(t.opened_completed / NULLIF(t.opened, 0)::numeric, 4),
                round(t.completed / NULLIF(t.completed + t.failed + t.expired, 0)::numeric, 4),
                s.median, s.p90, COALESCE(a.amounts, '{}')
            FROM total t
            LEFT JOIN amount a USING (bucket_start, value)
            LEFT JOIN reason r USING (bucket_start, value)
            LEFT JOIN span s USING (bucket_start, value)
            ORDER BY t.bucket_start, t.value = '', t.value;
    END
    $$;
COMMENT ON FUNCTION checkout.session_funnel IS
$$Returns how many sessions were created in each hour, day, week or month, how far they came, and how they ended.

Days begin in the caller's time zone. Hours in which all sessions have ended were counted before by the worker, so long
periods are fast. Counts are exact; the times to pay are within 5 %. A bucket without sessions has no row.

- created_after (inclusive), created_before (exclusive): when the sessions were created.
- bucket: hour, day, week or month.
- by: currency, method (of the accepted payment, or else of the last one), product, country or environment: a row for
  each value, which is NULL for sessions that have none. Default: all sessions in one row.

Of the columns:

- opened: their payment pages were opened. payment_begun: at least one payment was begun or reported.
- expired: those whose buyer did not come (expired_unopened), came (expired_opened), began to pay
  (expired_payment_begun), or tried in vain (expired_failed_attempt).
- cancelled: the buyer left the payment page with the button for that, whatever came later. cancellation_reasons: how
  many for each reason_code.
- conversion_of_opened: the share of the opened that were completed. conversion_of_ended: the share of the completed
  among those that are not open. Both are from 0 to 1, and NULL if there are none.
- median_time_to_pay, p90_time_to_pay: half of the completed sessions, and nine out of ten, took no longer.
- amounts: what the completed sessions cost, in major units, by currency.

Errors:
- 22004, 22023: an argument is missing or wrong.
- 28000: the caller is not authenticated.
- 42501 (PT403 in an HTTP request): the credential is publishable.$$;
