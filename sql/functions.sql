-- Functions that SQL says best. The other functions of schema checkout are written in Rust: src/api/.

-- how rows are shown ----------------------------------------------------------------------------------------------
-- Each is one expression without a search path of its own, so that the planner puts it in the place of its call; names
-- and operators are qualified instead.

CREATE FUNCTION checkout_data.effective_status(status text, deadline timestamptz, at timestamptz) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT CASE WHEN status OPERATOR(pg_catalog.=) 'open' AND deadline OPERATOR(pg_catalog.<=) at THEN 'expired' ELSE status END $$;
COMMENT ON FUNCTION checkout_data.effective_status IS 'The status of a session at a time. The only place that says so.';

CREATE FUNCTION checkout_data.session_at(s checkout_data.checkout_sessions, at timestamptz, idempotent_replay boolean)
    RETURNS checkout.checkout_session
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    SELECT ROW(
        s.checkout_session_id, s.organization_id, s.environment, s.amount, s.currency_code,
        checkout_data.effective_status(s.status, s.deadline, at),
        CASE WHEN s.payment_status OPERATOR(pg_catalog.=) 'processing' AND s.lease_expires_at OPERATOR(pg_catalog.<=) at
            THEN 'unpaid' ELSE s.payment_status END,
        s.payment_id, s.attempts, s.max_retry_attempts, s.title, s.description, s.reference,
        s.customer_id, s.customer_email, s.customer_name, s.customer_phone,
        s.product_id, s.price_id, s.subscription_id, s.payment_link_id,
        s.quantity, s.allow_quantity, s.allow_coupon_code, s.require_billing_address, s.is_spi, s.is_pos, s.country,
        s.success_url, s.cancel_url, s.url, s.payment_methods, s.metadata, s.recovered_from,
        s.expires_at, s.completed_at, s.created_at, s.created_by,
        CASE WHEN s.status OPERATOR(pg_catalog.=) 'open' AND s.deadline OPERATOR(pg_catalog.<=) at
            THEN s.deadline ELSE s.updated_at END,
        idempotent_replay
    )::checkout.checkout_session
    $$;
COMMENT ON FUNCTION checkout_data.session_at IS 'A session as callers see it at a time.';

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

CREATE FUNCTION checkout_data.event_id(o checkout_data.webhook_outbox) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    SELECT pg_catalog.concat('evt_', pg_catalog.translate(pg_catalog.encode(
        pg_catalog.uuid_send(o.checkout_session_id) OPERATOR(pg_catalog.||) pg_catalog.uuid_send(o.organization_id)
            OPERATOR(pg_catalog.||) pg_catalog.int4send(o.sequence)
            OPERATOR(pg_catalog.||) pg_catalog.convert_to(pg_catalog.left(o.environment, 1), 'UTF8'),
        'base64'), '+/=', '-_'))
    $$;
COMMENT ON FUNCTION checkout_data.event_id IS 'The id of an event: its key, opaque to consumers.';

CREATE FUNCTION checkout_data.event_status(o checkout_data.webhook_outbox, at timestamptz) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    SELECT CASE
        WHEN o.delivered_at IS NOT NULL THEN 'delivered'
        WHEN o.dead_at IS NOT NULL THEN 'dead'
        WHEN o.lease_token IS NOT NULL AND o.next_attempt_at OPERATOR(pg_catalog.>) at THEN 'leased'
        ELSE 'pending'
    END
    $$;
COMMENT ON FUNCTION checkout_data.event_status IS 'The state of an event''s delivery at a time.';

-- A session as it was when the event was written, so that every delivery of an event is the same. Nothing but the state of
-- a session changes, and a final state does not, so that little is needed for it.
CREATE FUNCTION checkout_data.session_of_event(o checkout_data.webhook_outbox, s checkout_data.checkout_sessions) RETURNS json
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$
    SELECT pg_catalog.json_build_object(
                'checkout_session_id', s.checkout_session_id, 'organization_id', s.organization_id,
                'environment', s.environment, 'amount', s.amount, 'currency_code', s.currency_code,
                'status', o.session_status,
                'payment_status', CASE WHEN o.session_status OPERATOR(pg_catalog.=) 'complete' THEN 'paid' ELSE 'unpaid' END,
                'payment_id', CASE WHEN o.session_status OPERATOR(pg_catalog.=) 'complete' THEN s.payment_id END,
                'attempts', o.session_attempts, 'max_retry_attempts', s.max_retry_attempts, 'title', s.title,
                'description', s.description, 'reference', s.reference, 'customer_id', s.customer_id,
                'customer_email', s.customer_email, 'customer_name', s.customer_name, 'customer_phone', s.customer_phone,
                'product_id', s.product_id, 'price_id', s.price_id, 'subscription_id', s.subscription_id,
                'payment_link_id', s.payment_link_id, 'quantity', s.quantity, 'allow_quantity', s.allow_quantity,
                'allow_coupon_code', s.allow_coupon_code, 'require_billing_address', s.require_billing_address,
                'is_spi', s.is_spi, 'is_pos', s.is_pos, 'country', s.country, 'success_url', s.success_url,
                'cancel_url', s.cancel_url, 'url', s.url, 'payment_methods', s.payment_methods, 'metadata', s.metadata,
                'recovered_from', s.recovered_from, 'expires_at', s.expires_at,
                'completed_at', CASE WHEN o.session_status OPERATOR(pg_catalog.=) 'complete' THEN s.completed_at END,
                'created_at', s.created_at, 'created_by', s.created_by,
                'updated_at', CASE WHEN o.session_status OPERATOR(pg_catalog.=) 'open' THEN o.created_at ELSE s.updated_at END)
    $$;
COMMENT ON FUNCTION checkout_data.session_of_event IS 'The session in the body of an event.';

CREATE FUNCTION checkout_data.event_of(
    o checkout_data.webhook_outbox, s checkout_data.checkout_sessions, at timestamptz, with_lease boolean
) RETURNS checkout.webhook_event
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$
    SELECT ROW(
        checkout_data.event_id(o), o.event_type, o.organization_id, o.environment, o.checkout_session_id, o.sequence,
        o.payment_id, o.created_at, checkout_data.event_status(o, at), o.delivery_attempts, o.next_attempt_at,
        o.delivered_at, o.dead_at, o.last_error, CASE WHEN with_lease THEN o.lease_token END,
        pg_catalog.json_build_object(
            'id', checkout_data.event_id(o),
            'type', o.event_type,
            'timestamp', o.created_at,
            'data', CASE WHEN o.payment IS NULL THEN pg_catalog.json_build_object('object', checkout_data.session_of_event(o, s))
                ELSE pg_catalog.json_build_object('object', checkout_data.session_of_event(o, s), 'payment', o.payment) END
        )::pg_catalog.text
    )::checkout.webhook_event
    $$;
COMMENT ON FUNCTION checkout_data.event_of IS 'An event as consumers get it, with its body.';

-- settings --------------------------------------------------------------------------------------------------------

CREATE FUNCTION checkout_data.organizations_changed() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'organizations_changed_wrapper';
COMMENT ON FUNCTION checkout_data.organizations_changed IS 'Makes every backend forget the settings that it keeps, once the change is committed.';

CREATE TRIGGER organizations_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON checkout_data.organizations
    FOR EACH STATEMENT EXECUTE FUNCTION checkout_data.organizations_changed();

-- for applications ------------------------------------------------------------------------------------------------

CREATE FUNCTION checkout.redirect_url(url text, checkout_session_id uuid) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    SET search_path TO pg_catalog, pg_temp
    AS $$ SELECT replace(url, '{CHECKOUT_SESSION_ID}', checkout_session_id::text) $$;

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
        tenant CONSTANT uuid := checkout.current_organization_id();
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

-- for operators ---------------------------------------------------------------------------------------------------

CREATE FUNCTION checkout.outbox_status(
    OUT pending bigint, OUT leased bigint, OUT delivered bigint, OUT dead bigint, OUT oldest_pending_at timestamptz, OUT lag interval
)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO pg_catalog, pg_temp
    AS $$
    SELECT
        count(*) FILTER (WHERE state.status = 'pending'),
        count(*) FILTER (WHERE state.status = 'leased'),
        count(*) FILTER (WHERE state.status = 'delivered'),
        count(*) FILTER (WHERE state.status = 'dead'),
        min(o.created_at) FILTER (WHERE state.status = 'pending'),
        clock_timestamp() - min(o.created_at) FILTER (WHERE state.status = 'pending')
    FROM checkout_data.webhook_outbox o, LATERAL (SELECT checkout_data.event_status(o, clock_timestamp())) AS state (status)
    $$;

CREATE FUNCTION checkout_data.functions_of_access(role regrole, access text) RETURNS SETOF regprocedure
    LANGUAGE plpgsql STABLE
    SET search_path TO pg_catalog, pg_temp
    AS $$
    DECLARE
        names CONSTANT text[] := CASE
            WHEN access = 'secret' THEN ARRAY[
                'create_checkout_session', 'get_checkout_session', 'list_checkout_sessions', 'expire_checkout_session',
                'recover_checkout_session', 'begin_payment', 'record_payment', 'list_payments', 'list_webhook_events',
                'session_funnel', 'redirect_url', 'current_organization_id', 'current_environment']
            WHEN access = 'dispatcher' THEN ARRAY[
                'claim_webhook_events', 'ack_webhook_events', 'nack_webhook_event', 'redeliver_webhook_events', 'outbox_status']
            WHEN access = 'admin' THEN ARRAY[
                'create_organization', 'update_organization', 'list_organizations', 'expire_due_checkout_sessions',
                'redeliver_webhook_events', 'outbox_status', 'worker_status']
        END;
    BEGIN
        IF role IS NULL THEN
            RAISE null_value_not_allowed USING MESSAGE = 'argument "role" must not be null';
        END IF;
        IF access IS NULL THEN
            RAISE null_value_not_allowed USING MESSAGE = 'argument "access" must not be null';
        END IF;
        IF NOT EXISTS (SELECT FROM pg_roles r WHERE r.oid = role) THEN
            RAISE invalid_parameter_value USING MESSAGE = 'argument "role" must name a role, and not PUBLIC';
        END IF;
        IF names IS NULL THEN
            RAISE invalid_parameter_value USING MESSAGE = 'argument "access" must be secret, dispatcher or admin';
        END IF;
        RETURN QUERY
            SELECT p.oid::regprocedure FROM pg_proc p
            WHERE p.pronamespace = 'checkout'::regnamespace AND p.proname = ANY (names);
    END
    $$;
COMMENT ON FUNCTION checkout_data.functions_of_access IS 'Which functions an access lets a role call.';

CREATE FUNCTION checkout.grant_access(role regrole, access text) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO pg_catalog, pg_temp
    AS $$
    DECLARE
        callable regprocedure;
    BEGIN
        FOR callable IN SELECT checkout_data.functions_of_access(role, access) LOOP
            EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO %s', callable, role);
        END LOOP;
        EXECUTE format('GRANT USAGE ON SCHEMA checkout TO %s', role);
    END
    $$;

CREATE FUNCTION checkout.revoke_access(role regrole, access text) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO pg_catalog, pg_temp
    AS $$
    DECLARE
        callable regprocedure;
    BEGIN
        FOR callable IN SELECT checkout_data.functions_of_access(role, access) LOOP
            EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM %s', callable, role);
        END LOOP;
    END
    $$;
