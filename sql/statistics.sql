-- Statistics: how many sessions were created, and how they ended.

CREATE FUNCTION checkout.session_funnel(
    created_after timestamptz DEFAULT NULL, created_before timestamptz DEFAULT NULL, bucket text DEFAULT 'day'
) RETURNS TABLE (
    bucket_start timestamptz, created bigint, completed bigint, failed bigint, expired bigint, open bigint,
    conversion numeric, median_time_to_pay interval
)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO pg_catalog, pg_temp
    AS $$
    #variable_conflict use_column
    DECLARE
        tenant CONSTANT uuid := checkout_data.reader_organization_id();
        tenant_environment CONSTANT text := checkout.current_environment();
        at CONSTANT timestamptz := clock_timestamp();
    BEGIN
        IF session_funnel.bucket IS NULL THEN
            RAISE null_value_not_allowed USING MESSAGE = 'argument "bucket" must not be null';
        END IF;
        IF session_funnel.created_after > session_funnel.created_before THEN
            RAISE invalid_parameter_value
                USING MESSAGE = 'argument "created_after" must not be later than created_before';
        END IF;
        IF session_funnel.bucket <> ALL (ARRAY['hour', 'day', 'week', 'month']) THEN
            RAISE invalid_parameter_value USING MESSAGE = 'argument "bucket" must be hour, day, week or month';
        END IF;
        RETURN QUERY
            SELECT date_trunc(session_funnel.bucket, s.created_at),
                count(*),
                count(*) FILTER (WHERE e.status = 'complete'),
                count(*) FILTER (WHERE e.status = 'failed'),
                count(*) FILTER (WHERE e.status = 'expired'),
                count(*) FILTER (WHERE e.status = 'open'),
                round(count(*) FILTER (WHERE e.status = 'complete')::numeric / count(*), 4),
                percentile_cont(0.5) WITHIN GROUP (ORDER BY s.completed_at - s.created_at)
            FROM checkout_data.checkout_sessions s,
                LATERAL (SELECT checkout_data.effective_status(s, at)) AS e (status)
            WHERE s.organization_id = tenant AND s.environment = tenant_environment
                AND (session_funnel.created_after IS NULL OR s.created_at >= session_funnel.created_after)
                AND (session_funnel.created_before IS NULL OR s.created_at < session_funnel.created_before)
            GROUP BY 1 ORDER BY 1;
    END
    $$;
COMMENT ON FUNCTION checkout.session_funnel IS
$$Returns how many sessions were created in each hour, day, week or month, and how they ended.

Also returns the share that was completed, and the median time from creation to payment.

- created_after (inclusive), created_before (exclusive): when the sessions were created.
- bucket: hour, day, week or month.

Errors:
- 22004, 22023: an argument is missing or wrong.
- 28000: the caller is not authenticated.
- 42501 (PT403 in an HTTP request): the credential is publishable.$$;
