-- Functions that SQL says best. The other functions of schema checkout are written in Rust: src/api/.

-- how rows are shown ----------------------------------------------------------------------------------------------
-- Each is one expression without a search path of its own, so that the planner puts it in the place of its call; names
-- and operators are qualified instead.

CREATE FUNCTION checkout.redirect_url(url text, checkout_session_id uuid) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT pg_catalog.replace(url, '{CHECKOUT_SESSION_ID}', checkout_session_id::pg_catalog.text) $$;

CREATE FUNCTION checkout_data.effective_status(status text, deadline timestamptz, at timestamptz) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT CASE WHEN status OPERATOR(pg_catalog.=) 'open' AND deadline OPERATOR(pg_catalog.<=) at THEN 'expired' ELSE status END $$;
COMMENT ON FUNCTION checkout_data.effective_status IS 'The status of a session at a time. The only place that says so.';

CREATE FUNCTION checkout_data.effective_payment_status(payment_status text, lease_expires_at timestamptz, at timestamptz)
    RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    SELECT CASE WHEN payment_status OPERATOR(pg_catalog.=) 'processing' AND lease_expires_at OPERATOR(pg_catalog.<=) at
        THEN 'unpaid' ELSE payment_status END
    $$;
COMMENT ON FUNCTION checkout_data.effective_payment_status IS 'The payment status of a session at a time: a lease ends by the clock.';

CREATE FUNCTION checkout_data.session_at(
    s checkout_data.checkout_sessions, at timestamptz, idempotent_replay boolean, client_secret text
)
    RETURNS checkout.checkout_session
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    SELECT ROW(
        s.checkout_session_id, s.organization_id, s.environment, s.amount, s.currency_code,
        checkout_data.effective_status(s.status, s.deadline, at),
        checkout_data.effective_payment_status(s.payment_status, s.lease_expires_at, at),
        s.payment_id, s.attempts, s.max_retry_attempts, s.title, s.description, s.reference,
        s.customer_id, s.customer_email, s.customer_name, s.customer_phone,
        s.product_id, s.price_id, s.subscription_id, s.payment_link_id,
        s.quantity, s.allow_quantity, s.allow_coupon_code, s.require_billing_address, s.is_spi, s.is_pos, s.country,
        s.success_url, s.cancel_url, s.url, client_secret, s.payment_methods, s.metadata, s.recovered_from,
        s.expires_at, s.completed_at, s.created_at, s.created_by, s.created_with, s.trace_id,
        CASE WHEN s.status OPERATOR(pg_catalog.=) 'open' AND s.deadline OPERATOR(pg_catalog.<=) at
            THEN s.deadline ELSE s.updated_at END,
        idempotent_replay
    )::checkout.checkout_session
    $$;
COMMENT ON FUNCTION checkout_data.session_at IS 'A session as callers see it at a time.';

CREATE FUNCTION checkout_data.redirect_url_of(s checkout_data.checkout_sessions, url text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    SELECT pg_catalog.replace(url, '{CHECKOUT_SESSION_ID}', CASE
        WHEN s.id_prefix IS NULL THEN s.checkout_session_id::pg_catalog.text
        ELSE pg_catalog.concat(s.id_prefix, pg_catalog.replace(s.checkout_session_id::pg_catalog.text, '-', '')) END)
    $$;
COMMENT ON FUNCTION checkout_data.redirect_url_of IS 'A URL of a session, with its id filled in as its API writes it.';

CREATE FUNCTION checkout_data.public_session_at(
    s checkout_data.checkout_sessions, organization_name text, at timestamptz
)
    RETURNS checkout.public_checkout_session
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    SELECT ROW(
        s.checkout_session_id, s.environment, organization_name, s.title, s.description, s.amount, s.currency_code,
        s.quantity, s.allow_quantity, s.allow_coupon_code, s.require_billing_address, s.payment_methods,
        checkout_data.effective_status(s.status, s.deadline, at),
        checkout_data.effective_payment_status(s.payment_status, s.lease_expires_at, at),
        s.expires_at,
        CASE WHEN s.status OPERATOR(pg_catalog.=) 'complete'
            THEN checkout_data.redirect_url_of(s, s.success_url) END,
        checkout_data.redirect_url_of(s, s.cancel_url)
    )::checkout.public_checkout_session
    $$;
COMMENT ON FUNCTION checkout_data.public_session_at IS 'A session as its buyer sees it at a time: without personal data, and without the success_url before it is paid.';

CREATE FUNCTION checkout_data.organization_of(o checkout_data.organizations) RETURNS checkout.organization
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    SELECT ROW(
        o.organization_id, o.name, o.default_lifetime, o.minimum_lifetime, o.maximum_lifetime, o.max_retry_attempts,
        o.reference_policy, o.sub_minor_amounts, o.payment_methods, o.base_url, o.expiring_notice, o.created_at, o.updated_at
    )::checkout.organization
    $$;
COMMENT ON FUNCTION checkout_data.organization_of IS 'An organization as administrators see it.';

CREATE FUNCTION checkout_data.api_key_of(k checkout_data.api_keys, at timestamptz, api_key text) RETURNS checkout.api_key
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    SELECT ROW(
        k.api_key_id, k.organization_id, k.environment, k.kind, k.name, k.payment_methods,
        CASE WHEN k.revoked_at IS NOT NULL THEN 'revoked'
            WHEN k.expires_at OPERATOR(pg_catalog.<=) at THEN 'expired'
            WHEN k.replaced_by IS NOT NULL THEN 'replaced' ELSE 'active' END,
        k.created_at, k.created_by, k.expires_at, k.revoked_at, k.replaced_by, k.last_used_at, api_key
    )::checkout.api_key
    $$;
COMMENT ON FUNCTION checkout_data.api_key_of IS 'An API key as administrators see it at a time.';

CREATE FUNCTION checkout_data.payment_of(p checkout_data.payments, idempotent_replay boolean) RETURNS checkout.payment
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    SELECT ROW(
        p.payment_id, p.checkout_session_id, p.organization_id, p.environment, p.status, p.rejection_reason,
        p.amount, p.currency_code, p.payment_method, p.failure_code, p.failure_message, p.lease_expires_at,
        p.created_at, p.updated_at, idempotent_replay
    )::checkout.payment
    $$;
COMMENT ON FUNCTION checkout_data.payment_of IS 'A payment as callers see it.';

-- settings --------------------------------------------------------------------------------------------------------

CREATE FUNCTION checkout_data.organizations_changed() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'organizations_changed_wrapper';
COMMENT ON FUNCTION checkout_data.organizations_changed IS 'Makes every backend forget the settings that it keeps, once the change is committed.';

CREATE TRIGGER organizations_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON checkout_data.organizations
    FOR EACH STATEMENT EXECUTE FUNCTION checkout_data.organizations_changed();

-- for applications ------------------------------------------------------------------------------------------------

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
        tenant CONSTANT uuid := checkout_data.secret_organization_id();
        tenant_environment CONSTANT text := checkout.current_environment();
        at CONSTANT timestamptz := clock_timestamp();
    BEGIN
        IF session_funnel.bucket IS NULL THEN
            RAISE null_value_not_allowed USING MESSAGE = 'argument "bucket" must not be null';
        END IF;
        IF session_funnel.created_after > session_funnel.created_before THEN
            RAISE invalid_parameter_value USING MESSAGE = 'argument "created_after" must not be later than created_before';
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
                LATERAL (SELECT checkout_data.effective_status(s.status, s.deadline, at)) AS e (status)
            WHERE s.organization_id = tenant AND s.environment = tenant_environment
                AND (session_funnel.created_after IS NULL OR s.created_at >= session_funnel.created_after)
                AND (session_funnel.created_before IS NULL OR s.created_at < session_funnel.created_before)
            GROUP BY 1 ORDER BY 1;
    END
    $$;
