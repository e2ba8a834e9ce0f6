-- Events, endpoints and deliveries as they are shown, and the outbox for operators.
--
-- Those in checkout_data are one expression without a search path of its own, so that the planner puts it in the place of
-- its call; names and operators are qualified instead.

-- events ----------------------------------------------------------------------------------------------------------

CREATE FUNCTION checkout_data.event_id(
    organization_id uuid, environment text, checkout_session_id uuid, sequence integer
) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    SELECT pg_catalog.concat('evt_', pg_catalog.translate(pg_catalog.encode(
        pg_catalog.uuid_send(checkout_session_id) OPERATOR(pg_catalog.||) pg_catalog.uuid_send(organization_id)
            OPERATOR(pg_catalog.||) pg_catalog.int4send(sequence)
            OPERATOR(pg_catalog.||) pg_catalog.convert_to(pg_catalog.left(environment, 1), 'UTF8'),
        'base64'), '+/=', '-_'))
    $$;
COMMENT ON FUNCTION checkout_data.event_id IS 'The id of an event: its key, opaque to consumers.';

-- Not one expression, but called for events that went to endpoints only. With a path of its own it is not inlined.
CREATE FUNCTION checkout_data.deliveries_status(o checkout_data.webhook_outbox, at timestamptz) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    SET search_path TO pg_catalog, pg_temp
    AS $$
    SELECT CASE
        WHEN bool_or(d.next_attempt_at > at AND d.lease_token IS NOT NULL) THEN 'leased'
        WHEN bool_or(d.next_attempt_at IS NOT NULL) THEN 'pending'
        WHEN bool_or(d.dead_at IS NOT NULL) THEN 'dead'
        WHEN count(*) > 0 THEN 'delivered'
        ELSE 'skipped'
    END
    FROM checkout_data.webhook_endpoints p
    JOIN checkout_data.webhook_deliveries d
        ON d.organization_id = p.organization_id AND d.environment = p.environment
        AND d.webhook_endpoint_id = p.webhook_endpoint_id
        AND d.checkout_session_id = o.checkout_session_id AND d.sequence = o.sequence
    WHERE p.organization_id = o.organization_id AND p.environment = o.environment AND p.deleted_at IS NULL
    $$;
COMMENT ON FUNCTION checkout_data.deliveries_status IS 'The state at a time of an event of an organization with endpoints: delivered when all that asked for it have it; skipped where none has, or those were deleted.';

CREATE FUNCTION checkout_data.event_status(o checkout_data.webhook_outbox, at timestamptz) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$
    SELECT CASE
        WHEN o.fanned_out THEN checkout_data.deliveries_status(o, at)
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
                'created_at', s.created_at, 'created_by', s.created_by, 'created_with', s.created_with,
                'trace_id', s.trace_id,
                'updated_at', CASE WHEN o.session_status OPERATOR(pg_catalog.=) 'open' THEN o.created_at ELSE s.updated_at END)
    $$;
COMMENT ON FUNCTION checkout_data.session_of_event IS 'The session in the body of an event.';

CREATE FUNCTION checkout_data.event_object(o checkout_data.webhook_outbox, s checkout_data.checkout_sessions) RETURNS json
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$
    SELECT CASE WHEN o.endpoint IS NULL THEN checkout_data.session_of_event(o, s) ELSE o.endpoint::pg_catalog.json END
    $$;
COMMENT ON FUNCTION checkout_data.event_object IS 'What an event is about, as it was then: a session, or a webhook endpoint.';

CREATE FUNCTION checkout_data.event_body(o checkout_data.webhook_outbox, s checkout_data.checkout_sessions) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$
    SELECT pg_catalog.json_build_object(
        'id', checkout_data.event_id(o.organization_id, o.environment, o.checkout_session_id, o.sequence),
        'type', o.event_type,
        'timestamp', o.created_at,
        'data', CASE WHEN o.payment IS NULL THEN pg_catalog.json_build_object('object', checkout_data.event_object(o, s))
            ELSE pg_catalog.json_build_object('object', checkout_data.event_object(o, s), 'payment', o.payment) END
    )::pg_catalog.text
    $$;
COMMENT ON FUNCTION checkout_data.event_body IS 'The canonical body of an event.';

CREATE FUNCTION checkout_data.event_of(
    o checkout_data.webhook_outbox, s checkout_data.checkout_sessions, at timestamptz, with_lease boolean
) RETURNS checkout.webhook_event
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$
    SELECT ROW(
        checkout_data.event_id(o.organization_id, o.environment, o.checkout_session_id, o.sequence),
        o.event_type, o.organization_id, o.environment, CASE WHEN o.endpoint IS NULL THEN o.checkout_session_id END, o.sequence,
        o.payment_id, o.created_at, checkout_data.event_status(o, at), o.delivery_attempts, o.next_attempt_at,
        o.delivered_at, o.dead_at, o.last_error, CASE WHEN with_lease THEN o.lease_token END,
        checkout_data.event_body(o, s)
    )::checkout.webhook_event
    $$;
COMMENT ON FUNCTION checkout_data.event_of IS 'An event as consumers get it, with its body.';

-- endpoints and deliveries ----------------------------------------------------------------------------------------

CREATE FUNCTION checkout_data.endpoint_of(p checkout_data.webhook_endpoints, secret text) RETURNS checkout.webhook_endpoint
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    SELECT ROW(
        p.webhook_endpoint_id, p.organization_id, p.environment, p.url, p.event_types, p.body_format, p.signature_scheme,
        p.description, p.disabled_at IS NULL, p.disabled_reason, p.disabled_at, p.failing_since, p.created_at, p.created_by,
        p.updated_at, p.previous_secret_expires_at, secret
    )::checkout.webhook_endpoint
    $$;
COMMENT ON FUNCTION checkout_data.endpoint_of IS 'A webhook endpoint as callers see it.';

CREATE FUNCTION checkout_data.delivery_of(
    d checkout_data.webhook_deliveries, event_type text, about_endpoint boolean, endpoint_enabled boolean, at timestamptz
) RETURNS checkout.webhook_delivery
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    SELECT ROW(
        checkout_data.event_id(d.organization_id, d.environment, d.checkout_session_id, d.sequence),
        d.webhook_endpoint_id, event_type, d.organization_id, d.environment,
        CASE WHEN about_endpoint THEN NULL ELSE d.checkout_session_id END,
        CASE WHEN d.delivered_at IS NOT NULL THEN 'delivered'
            WHEN d.dead_at IS NOT NULL THEN 'dead'
            WHEN d.lease_token IS NOT NULL AND d.next_attempt_at OPERATOR(pg_catalog.>) at THEN 'leased'
            WHEN endpoint_enabled THEN 'pending' ELSE 'paused' END,
        d.attempts, d.next_attempt_at, d.delivered_at, d.dead_at, d.last_attempt_at, d.last_status_code, d.last_error,
        d.created_at
    )::checkout.webhook_delivery
    $$;
COMMENT ON FUNCTION checkout_data.delivery_of IS 'A delivery as callers see it at a time.';

CREATE FUNCTION checkout_data.attempt_of(a checkout_data.webhook_attempts) RETURNS checkout.webhook_attempt
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    SELECT ROW(
        checkout_data.event_id(a.organization_id, a.environment, a.checkout_session_id, a.sequence),
        a.webhook_endpoint_id, a.attempt, a.recorded_at, a.status_code, a.error, a.duration, a.response_body
    )::checkout.webhook_attempt
    $$;
COMMENT ON FUNCTION checkout_data.attempt_of IS 'An attempt as callers see it.';

-- for operators ---------------------------------------------------------------------------------------------------

CREATE FUNCTION checkout.outbox_status() RETURNS TABLE (
    organization_id uuid, environment text, webhook_endpoint_id uuid, url text, enabled boolean, failing_since timestamptz,
    pending bigint, leased bigint, delivered bigint, dead bigint, oldest_pending_at timestamptz, lag interval
)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO pg_catalog, pg_temp
    AS $$
    SELECT NULL::uuid, NULL::text, NULL::uuid, NULL::text, NULL::boolean, NULL::timestamptz,
        count(*) FILTER (WHERE state.status = 'pending'),
        count(*) FILTER (WHERE state.status = 'leased'),
        count(*) FILTER (WHERE state.status = 'delivered'),
        count(*) FILTER (WHERE state.status = 'dead'),
        min(o.created_at) FILTER (WHERE state.status = 'pending'),
        clock_timestamp() - min(o.created_at) FILTER (WHERE state.status = 'pending')
    FROM checkout_data.webhook_outbox o, LATERAL (SELECT checkout_data.event_status(o, clock_timestamp())) AS state (status)
    WHERE NOT o.fanned_out
    UNION ALL
    (SELECT p.organization_id, p.environment::text, p.webhook_endpoint_id, p.url, p.disabled_at IS NULL, p.failing_since,
        count(*) FILTER (WHERE d.status = 'pending'),
        count(*) FILTER (WHERE d.status = 'leased'),
        count(*) FILTER (WHERE d.status = 'delivered'),
        count(*) FILTER (WHERE d.status = 'dead'),
        min(d.created_at) FILTER (WHERE d.status = 'pending'),
        clock_timestamp() - min(d.created_at) FILTER (WHERE d.status = 'pending')
    FROM checkout_data.webhook_endpoints p
    LEFT JOIN (
        SELECT d.*, CASE WHEN d.delivered_at IS NOT NULL THEN 'delivered' WHEN d.dead_at IS NOT NULL THEN 'dead'
            WHEN d.lease_token IS NOT NULL AND d.next_attempt_at > clock_timestamp() THEN 'leased' ELSE 'pending' END AS status
        FROM checkout_data.webhook_deliveries d
    ) d USING (organization_id, environment, webhook_endpoint_id)
    WHERE p.deleted_at IS NULL
    GROUP BY p.organization_id, p.environment, p.webhook_endpoint_id
    ORDER BY min(d.created_at) FILTER (WHERE d.status = 'pending'), p.organization_id, p.environment, p.webhook_endpoint_id)
    $$;

CREATE FUNCTION checkout.next_webhook_attempt_at(after timestamptz DEFAULT NULL) RETURNS timestamptz
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO pg_catalog, pg_temp
    AS $$
    SELECT min(due.next_attempt_at)
    FROM checkout_data.webhook_endpoints p,
        LATERAL (
            SELECT d.next_attempt_at FROM checkout_data.webhook_deliveries d
            WHERE d.webhook_endpoint_id = p.webhook_endpoint_id
                AND d.next_attempt_at > (SELECT COALESCE(next_webhook_attempt_at.after, clock_timestamp()))
            ORDER BY d.next_attempt_at LIMIT 1) AS due
    WHERE p.disabled_at IS NULL AND p.deleted_at IS NULL
    $$;
