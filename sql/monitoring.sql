-- Figures for monitoring.

CREATE FUNCTION checkout_data.seconds_since(at timestamptz) RETURNS double precision
    LANGUAGE sql STABLE
    SET search_path TO pg_catalog, pg_temp
    AS $$
    SELECT GREATEST(COALESCE(EXTRACT(epoch FROM clock_timestamp() - at), 0), 0)::double precision
    $$;
COMMENT ON FUNCTION checkout_data.seconds_since IS 'Returns how long ago a time was, in seconds. NULL, or not past: 0.';

CREATE FUNCTION checkout.monitor_figures() RETURNS TABLE (
    environment text,
    open_sessions bigint,
    overdue_sessions bigint,
    overdue_seconds double precision,
    created_sessions bigint,
    completed_sessions bigint,
    failed_sessions bigint,
    expired_sessions bigint,
    uncounted_seconds double precision,
    undelivered_events bigint,
    due_seconds double precision,
    dead_events bigint,
    disabled_endpoints bigint,
    rejected_payments bigint,
    rejected_seconds double precision,
    hook_failures bigint,
    refused_calls bigint
)
    LANGUAGE sql STABLE SECURITY DEFINER PARALLEL RESTRICTED
    SET search_path TO pg_catalog, pg_temp
    SET jit TO off
    AS $$
    -- Narrow tables and partial indexes: nothing here grows with the number of sessions that have ended.
    WITH
    open AS (
        SELECT s.environment, count(*) AS open_sessions FROM checkout_data.open_sessions s GROUP BY s.environment),
    overdue AS (
        SELECT s.environment, count(*) AS overdue_sessions, min(s.deadline) AS since
        FROM checkout_data.open_sessions s WHERE s.deadline <= statement_timestamp() GROUP BY s.environment),
    counted AS (
        SELECT f.environment, sum(c.created) AS created, sum(c.completed) AS completed, sum(c.failed) AS failed,
            sum(c.expired_unopened + c.expired_opened + c.expired_payment_begun + c.expired_failed_attempt) AS expired
        -- One range of the key for each of them: OFFSET keeps the planner from reading all.
        FROM checkout_data.session_folds f CROSS JOIN LATERAL (
            SELECT c.* FROM checkout_data.session_counts c
            WHERE c.organization_id = f.organization_id AND c.environment = f.environment AND c.dimension = 'none'
                AND c.unit = '1 hour' AND c.starts_at >= now() - interval '1 day'
            OFFSET 0) AS c
        WHERE f.folded_until >= now() - interval '1 day'
        GROUP BY f.environment),
    uncounted AS (
        SELECT u.environment, min(u.since) AS since
        FROM (
            SELECT f.environment, f.folded_until AS since FROM checkout_data.session_folds f
            WHERE f.next_at IS NOT NULL AND isfinite(f.folded_until)
            UNION ALL
            SELECT u.environment, u.hour FROM checkout_data.uncounted_hours u) AS u
        GROUP BY u.environment),
    undelivered AS (
        SELECT d.environment, count(*) AS undelivered_events
        FROM checkout_data.webhook_deliveries d JOIN checkout_data.webhook_receivers r USING (receiver_id)
        WHERE d.next_attempt_at IS NOT NULL AND r.enabled
        GROUP BY d.environment),
    -- What a claim would find, by steps in the index: not what waits for an earlier event of its subject, and not what
    -- waits because its endpoint fails.
    due AS (
        SELECT f.environment, min(f.next_attempt_at) AS since
        FROM checkout_data.webhook_receivers r
        -- A consumer of all organizations has none of its own.
        JOIN checkout_data.organizations o ON o.organization_id = COALESCE(r.organization_id, o.organization_id)
        CROSS JOIN LATERAL (
            SELECT d.environment, d.next_attempt_at FROM checkout_data.webhook_deliveries d
            WHERE d.receiver_id = r.receiver_id AND d.organization_id = o.organization_id
                AND d.next_attempt_at <= statement_timestamp()
                AND (d.sequence = 1 OR NOT EXISTS (
                    SELECT FROM checkout_data.webhook_deliveries e
                    WHERE e.organization_id = d.organization_id AND e.environment = d.environment
                        AND e.receiver_id = d.receiver_id AND e.subject_id = d.subject_id
                        AND e.sequence < d.sequence AND e.next_attempt_at IS NOT NULL))
            ORDER BY d.next_attempt_at LIMIT 1) AS f
        WHERE r.enabled AND r.failing_since IS NULL
        GROUP BY f.environment),
    dead AS (
        SELECT d.environment, count(*) AS dead_events
        FROM checkout_data.webhook_deliveries d WHERE d.dead_at IS NOT NULL GROUP BY d.environment),
    disabled AS (
        SELECT p.environment, count(*) AS disabled_endpoints
        FROM checkout_data.webhook_endpoints p WHERE p.disabled_at IS NOT NULL AND p.deleted_at IS NULL
        GROUP BY p.environment),
    rejected AS (
        SELECT p.environment, count(*) AS rejected_payments, min(p.created_at) AS since
        FROM checkout_data.payments p
        WHERE p.status = 'rejected' AND p.amount > p.refunded_amount + p.pending_refund_amount
        GROUP BY p.environment),
    failure AS (
        SELECT f.environment, count(*) AS hook_failures
        FROM checkout_data.hook_failures f WHERE f.created_at >= now() - interval '1 day' GROUP BY f.environment),
    refused AS (
        SELECT f.environment, sum(f.failure_count)::bigint AS refused_calls
        FROM checkout_data.request_failures f
        WHERE f.minute > now() - interval '6 minutes' AND f.last_failed_at > now() - interval '5 minutes'
        GROUP BY f.environment)
    SELECT e.environment, COALESCE(open.open_sessions, 0),
        COALESCE(overdue.overdue_sessions, 0), checkout_data.seconds_since(overdue.since),
        COALESCE(counted.created, 0), COALESCE(counted.completed, 0), COALESCE(counted.failed, 0),
        COALESCE(counted.expired, 0)::bigint, checkout_data.seconds_since(uncounted.since),
        COALESCE(undelivered.undelivered_events, 0), checkout_data.seconds_since(due.since),
        COALESCE(dead.dead_events, 0), COALESCE(disabled.disabled_endpoints, 0),
        COALESCE(rejected.rejected_payments, 0), checkout_data.seconds_since(rejected.since),
        COALESCE(failure.hook_failures, 0), COALESCE(refused.refused_calls, 0)
    FROM (VALUES ('live'), ('test')) AS e (environment)
    LEFT JOIN open USING (environment)
    LEFT JOIN overdue USING (environment)
    LEFT JOIN counted USING (environment)
    LEFT JOIN uncounted USING (environment)
    LEFT JOIN undelivered USING (environment)
    LEFT JOIN due USING (environment)
    LEFT JOIN dead USING (environment)
    LEFT JOIN disabled USING (environment)
    LEFT JOIN rejected USING (environment)
    LEFT JOIN failure USING (environment)
    LEFT JOIN refused USING (environment)
    ORDER BY e.environment
    $$;
COMMENT ON FUNCTION checkout.monitor_figures IS
$$Returns what a monitor watches: a row for live and a row for test, with the sums of all organizations.

Call it as often as once in some seconds: it reads no table that grows with the sessions that have ended. Seconds are 0
where nothing waits.

- open_sessions: those that have not ended. overdue_sessions: those whose deadline has passed, and whose event is not
  written yet. overdue_seconds: since when, the longest.
- created_sessions, completed_sessions, failed_sessions, expired_sessions: of the sessions created in the last 24 hours,
  those in hours that are counted already: see fold_sessions.
- uncounted_seconds: how old the oldest hour is that is not counted. An hour is counted once its last session has ended.
- undelivered_events: deliveries to enabled endpoints and consumers that are not done. due_seconds: how long the oldest of
  those that could be made has waited for a relay, or its consumer: not one that waits for an earlier one, or for an
  endpoint that fails. dead_events: those that were given up.
- disabled_endpoints: webhook endpoints that are disabled.
- rejected_payments: money that was taken and has neither been refunded nor applied. rejected_seconds: since when.
- hook_failures: hooks that have failed in the last 24 hours. refused_calls: calls of functions that were refused in the last
  5 minutes, if the library is preloaded: see the view request_failures.$$;
