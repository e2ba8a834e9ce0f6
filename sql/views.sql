-- Views: what the lists of functions show, for queries of any kind. Read-only.

-- checkout_sessions_api owns the views, so its policies say which rows they have; but the functions in a view are called
-- with the rights of the reader. Therefore the views repeat as expressions what the functions of other files say, and
-- call only one function: reader_organization_id(), which every access that may read them includes. It raises the same
-- errors as the functions of schema checkout, once for each query and before the first row, because nothing in its
-- condition depends on a row. A view with two items in FROM cannot be updated, not even by a superuser.
-- Casts that change only the name of a type, from a domain to its base, do not keep an index from being used.

CREATE VIEW checkout.checkout_sessions AS
    SELECT s.checkout_session_id, s.organization_id, s.environment::pg_catalog.text AS environment,
        s.amount::pg_catalog.numeric AS amount, s.currency_code::pg_catalog.text AS currency_code,
        CASE WHEN s.status OPERATOR(pg_catalog.=) 'open'
                AND ends.deadline OPERATOR(pg_catalog.<=) pg_catalog.statement_timestamp()
            THEN CASE WHEN s.attempts OPERATOR(pg_catalog.>) s.max_retry_attempts THEN 'failed' ELSE 'expired' END
            ELSE s.status::pg_catalog.text END AS status,
        CASE WHEN s.payment_status OPERATOR(pg_catalog.=) 'processing'
                AND s.lease_expires_at OPERATOR(pg_catalog.<=) pg_catalog.statement_timestamp()
            THEN 'unpaid'
            WHEN s.has_terms AND s.amount OPERATOR(pg_catalog.=) 0 AND s.payment_status OPERATOR(pg_catalog.=) 'unpaid'
            THEN 'no_payment_required' ELSE s.payment_status::pg_catalog.text END AS payment_status,
        s.payment_id, s.attempts::pg_catalog.int4 AS attempts,
        s.max_retry_attempts::pg_catalog.int4 AS max_retry_attempts, s.title, s.description, s.reference,
        s.customer_id, s.customer_email, s.customer_name, s.customer_phone,
        s.product_id, s.price_id, s.subscription_id, s.payment_link_id,
        s.quantity::pg_catalog.int4 AS quantity, s.allow_quantity, s.allow_coupon_code, s.require_billing_address,
        s.is_spi, s.is_pos, s.country::pg_catalog.text AS country, s.success_url, s.cancel_url,
        s.payment_methods, s.metadata::pg_catalog.jsonb AS metadata, s.recovered_from, s.expires_at, s.completed_at,
        s.created_at, s.created_by, s.created_with::pg_catalog.text AS created_with, s.trace_id,
        CASE WHEN s.status OPERATOR(pg_catalog.=) 'open'
                AND ends.deadline OPERATOR(pg_catalog.<=) pg_catalog.statement_timestamp()
            THEN ends.deadline ELSE s.updated_at END AS updated_at
    FROM checkout_data.checkout_sessions s
    CROSS JOIN LATERAL (
        SELECT CASE WHEN s.attempts OPERATOR(pg_catalog.>) s.max_retry_attempts
            THEN COALESCE(s.lease_expires_at, s.expires_at) ELSE GREATEST(s.expires_at, s.lease_expires_at) END AS deadline
    ) AS ends
    WHERE (SELECT checkout_data.reader_organization_id()) IS NOT NULL;
COMMENT ON VIEW checkout.checkout_sessions IS
$$Checkout sessions of the caller's organization and environment, with their status as of now.

For queries of any kind; needs secret or request access, and a secret credential. Order by checkout_session_id or
created_at: both are the order of creation, and served by an index.$$;

-- Begins with the narrow rows, of which there are few.
CREATE VIEW checkout.open_checkout_sessions AS
    SELECT s.*
    FROM checkout_data.open_sessions o
    JOIN checkout.checkout_sessions s
        ON s.organization_id OPERATOR(pg_catalog.=) o.organization_id
        AND s.environment OPERATOR(pg_catalog.=) o.environment
        AND s.checkout_session_id OPERATOR(pg_catalog.=) o.checkout_session_id
    WHERE o.deadline OPERATOR(pg_catalog.>) pg_catalog.statement_timestamp();
COMMENT ON VIEW checkout.open_checkout_sessions IS
$$The sessions whose status is open: the same as checkout_sessions with that filter.

A page is found among the open sessions, however many have ended, and however old the open ones are.$$;

CREATE VIEW checkout.payments AS
    SELECT p.payment_id::pg_catalog.text AS payment_id, p.checkout_session_id, p.organization_id,
        p.environment::pg_catalog.text AS environment, p.status::pg_catalog.text AS status,
        p.rejection_reason::pg_catalog.text AS rejection_reason, p.amount::pg_catalog.numeric AS amount,
        p.currency_code::pg_catalog.text AS currency_code, p.payment_method, p.failure_code, p.failure_message,
        p.lease_expires_at, p.refunded_amount::pg_catalog.numeric AS refunded_amount,
        p.pending_refund_amount::pg_catalog.numeric AS pending_refund_amount,
        p.reported_amount::pg_catalog.numeric AS reported_amount,
        p.reported_currency_code::pg_catalog.text AS reported_currency_code, p.applied_from, p.occurred_at,
        p.created_at, p.updated_at
    FROM checkout_data.payments p
    CROSS JOIN (SELECT) AS read_only
    WHERE (SELECT checkout_data.reader_organization_id()) IS NOT NULL;
COMMENT ON VIEW checkout.payments IS
    'Payments of the caller''s checkout sessions. Failed and rejected ones are included.';

CREATE VIEW checkout.refunds AS
    SELECT r.refund_id::pg_catalog.text AS refund_id, r.payment_id::pg_catalog.text AS payment_id, r.organization_id,
        r.environment::pg_catalog.text AS environment, r.status::pg_catalog.text AS status, r.amount,
        r.currency_code::pg_catalog.text AS currency_code, r.reason, r.created_at, r.updated_at
    FROM checkout_data.refunds r
    CROSS JOIN (SELECT) AS read_only
    WHERE (SELECT checkout_data.reader_organization_id()) IS NOT NULL;
COMMENT ON VIEW checkout.refunds IS 'Refunds of the caller''s payments. Failed ones are included.';

-- The key of an event and its time as text, as checkout_data.event_id() writes them. The session comes from a join and
-- not from subject_id, so that a condition on it finds the events by their key; where it is not asked for, there is no
-- join.
CREATE VIEW checkout.webhook_events AS
    SELECT 'evt_' OPERATOR(pg_catalog.||) pg_catalog.translate(pg_catalog.encode(
            pg_catalog.uuid_send(o.subject_id) OPERATOR(pg_catalog.||) pg_catalog.uuid_send(o.organization_id)
                OPERATOR(pg_catalog.||) pg_catalog.int4send(o.sequence)
                OPERATOR(pg_catalog.||) CASE WHEN o.environment OPERATOR(pg_catalog.=) 'live'
                    THEN 'l'::pg_catalog.bytea ELSE 't' END
                OPERATOR(pg_catalog.||) pg_catalog.timestamptz_send(o.created_at), 'base64'), '+/=', '-_') AS event_id,
        o.event_type::pg_catalog.text AS event_type, o.organization_id, o.environment::pg_catalog.text AS environment,
        o.subject_type::pg_catalog.text AS subject_type, o.subject_id, s.checkout_session_id,
        o.sequence::pg_catalog.int4 AS sequence,
        o.snapshot OPERATOR(pg_catalog.#>>) '{payment,payment_id}' AS payment_id, o.created_at,
        (
            SELECT CASE
                WHEN pg_catalog.bool_or(d.next_attempt_at OPERATOR(pg_catalog.>) pg_catalog.statement_timestamp()
                    AND d.lease_token IS NOT NULL) THEN 'leased'
                WHEN pg_catalog.bool_or(d.next_attempt_at IS NOT NULL) THEN 'pending'
                WHEN pg_catalog.bool_or(d.dead_at IS NOT NULL) THEN 'dead'
                WHEN pg_catalog.count(*) OPERATOR(pg_catalog.>) 0 THEN 'delivered'
                ELSE 'skipped' END
            FROM (
                SELECT p.webhook_endpoint_id AS receiver_id FROM checkout_data.webhook_endpoints p
                WHERE p.organization_id OPERATOR(pg_catalog.=) o.organization_id
                    AND p.environment OPERATOR(pg_catalog.=) o.environment AND p.deleted_at IS NULL
                UNION ALL
                SELECT c.webhook_consumer_id FROM checkout_data.webhook_consumers c
                WHERE c.deleted_at IS NULL
                    AND (c.organization_id IS NULL OR c.organization_id OPERATOR(pg_catalog.=) o.organization_id
                        AND c.environment OPERATOR(pg_catalog.=) o.environment)
            ) AS r
            JOIN checkout_data.webhook_deliveries d
                ON d.organization_id OPERATOR(pg_catalog.=) o.organization_id
                AND d.environment OPERATOR(pg_catalog.=) o.environment
                AND d.receiver_id OPERATOR(pg_catalog.=) r.receiver_id
                AND d.subject_id OPERATOR(pg_catalog.=) o.subject_id
                AND d.sequence OPERATOR(pg_catalog.=) o.sequence
        ) AS status
    FROM checkout_data.webhook_outbox o
    LEFT JOIN checkout_data.checkout_sessions s
        ON s.organization_id OPERATOR(pg_catalog.=) o.organization_id
        AND s.environment OPERATOR(pg_catalog.=) o.environment
        AND s.checkout_session_id OPERATOR(pg_catalog.=) o.subject_id
    WHERE (SELECT checkout_data.reader_organization_id()) IS NOT NULL;
COMMENT ON VIEW checkout.webhook_events IS
$$Webhook events of the caller's organization and environment, and the state of their deliveries.

Without bodies: list_webhook_events has them.$$;

-- To the organization's own receivers. An operator's consumer of all organizations is not shown.
CREATE VIEW checkout.webhook_deliveries AS
    SELECT 'evt_' OPERATOR(pg_catalog.||) pg_catalog.translate(pg_catalog.encode(
            pg_catalog.uuid_send(d.subject_id) OPERATOR(pg_catalog.||) pg_catalog.uuid_send(d.organization_id)
                OPERATOR(pg_catalog.||) pg_catalog.int4send(d.sequence)
                OPERATOR(pg_catalog.||) CASE WHEN d.environment OPERATOR(pg_catalog.=) 'live'
                    THEN 'l'::pg_catalog.bytea ELSE 't' END
                OPERATOR(pg_catalog.||) pg_catalog.timestamptz_send(d.created_at), 'base64'), '+/=', '-_') AS event_id,
        p.webhook_endpoint_id, c.name::pg_catalog.text AS consumer, o.event_type::pg_catalog.text AS event_type,
        d.organization_id, d.environment::pg_catalog.text AS environment,
        CASE WHEN o.subject_type OPERATOR(pg_catalog.=) 'checkout_session' THEN d.subject_id END AS checkout_session_id,
        CASE
            WHEN d.delivered_at IS NOT NULL THEN 'delivered'
            WHEN d.dead_at IS NOT NULL THEN 'dead'
            WHEN d.lease_token IS NOT NULL
                AND d.next_attempt_at OPERATOR(pg_catalog.>) pg_catalog.statement_timestamp() THEN 'leased'
            WHEN p.disabled_at IS NULL THEN 'pending'
            ELSE 'paused' END AS status,
        d.attempts::pg_catalog.int4 AS delivery_attempts, d.next_attempt_at, d.delivered_at, d.dead_at,
        d.last_attempt_at, d.last_status_code, d.last_error, d.created_at,
        d.subject_id, d.sequence::pg_catalog.int4 AS sequence
    FROM checkout_data.webhook_deliveries d
    LEFT JOIN checkout_data.webhook_endpoints p
        ON p.organization_id OPERATOR(pg_catalog.=) d.organization_id
        AND p.environment OPERATOR(pg_catalog.=) d.environment
        AND p.webhook_endpoint_id OPERATOR(pg_catalog.=) d.receiver_id AND p.deleted_at IS NULL
    LEFT JOIN checkout_data.webhook_consumers c
        ON c.webhook_consumer_id OPERATOR(pg_catalog.=) d.receiver_id
        AND c.organization_id OPERATOR(pg_catalog.=) d.organization_id
        AND c.environment OPERATOR(pg_catalog.=) d.environment AND c.deleted_at IS NULL
    LEFT JOIN checkout_data.webhook_outbox o
        ON o.organization_id OPERATOR(pg_catalog.=) d.organization_id
        AND o.environment OPERATOR(pg_catalog.=) d.environment
        AND o.subject_id OPERATOR(pg_catalog.=) d.subject_id AND o.sequence OPERATOR(pg_catalog.=) d.sequence
    WHERE (SELECT checkout_data.reader_organization_id()) IS NOT NULL
        AND (p.webhook_endpoint_id IS NOT NULL OR c.webhook_consumer_id IS NOT NULL);
COMMENT ON VIEW checkout.webhook_deliveries IS
    'Deliveries of events to the webhook endpoints and consumers of the caller''s organization and environment.';
COMMENT ON COLUMN checkout.webhook_deliveries.subject_id IS 'Identifies the event, together with sequence.';
COMMENT ON COLUMN checkout.webhook_deliveries.sequence IS 'Identifies the event, together with subject_id.';

CREATE VIEW checkout.webhook_attempts AS
    SELECT 'evt_' OPERATOR(pg_catalog.||) pg_catalog.translate(pg_catalog.encode(
            pg_catalog.uuid_send(a.subject_id) OPERATOR(pg_catalog.||) pg_catalog.uuid_send(a.organization_id)
                OPERATOR(pg_catalog.||) pg_catalog.int4send(a.sequence)
                OPERATOR(pg_catalog.||) CASE WHEN a.environment OPERATOR(pg_catalog.=) 'live'
                    THEN 'l'::pg_catalog.bytea ELSE 't' END
                OPERATOR(pg_catalog.||) pg_catalog.timestamptz_send(d.created_at), 'base64'), '+/=', '-_') AS event_id,
        p.webhook_endpoint_id, a.attempt::pg_catalog.int4 AS attempt, a.recorded_at, a.status_code, a.error,
        a.duration, a.response_body, a.organization_id, a.environment::pg_catalog.text AS environment, a.subject_id,
        a.sequence::pg_catalog.int4 AS sequence
    FROM checkout_data.webhook_attempts a
    LEFT JOIN checkout_data.webhook_deliveries d
        ON d.organization_id OPERATOR(pg_catalog.=) a.organization_id
        AND d.environment OPERATOR(pg_catalog.=) a.environment
        AND d.receiver_id OPERATOR(pg_catalog.=) a.receiver_id
        AND d.subject_id OPERATOR(pg_catalog.=) a.subject_id
        AND d.sequence OPERATOR(pg_catalog.=) a.sequence
    JOIN checkout_data.webhook_endpoints p
        ON p.organization_id OPERATOR(pg_catalog.=) a.organization_id
        AND p.environment OPERATOR(pg_catalog.=) a.environment
        AND p.webhook_endpoint_id OPERATOR(pg_catalog.=) a.receiver_id AND p.deleted_at IS NULL
    WHERE (SELECT checkout_data.reader_organization_id()) IS NOT NULL;
COMMENT ON VIEW checkout.webhook_attempts IS
    'Attempts to deliver events to the webhook endpoints of the caller''s organization and environment.';
COMMENT ON COLUMN checkout.webhook_attempts.subject_id IS 'Identifies the event, together with sequence.';
COMMENT ON COLUMN checkout.webhook_attempts.sequence IS 'Identifies the event, together with subject_id.';

CREATE VIEW checkout.webhook_endpoints AS
    SELECT p.webhook_endpoint_id, p.organization_id, p.environment::pg_catalog.text AS environment, p.url,
        p.event_types, p.body_format, p.signature_scheme, p.description, p.disabled_at IS NULL AS enabled,
        p.disabled_reason, p.disabled_at, p.failing_since, p.created_at, p.created_by, p.updated_at,
        p.previous_secret_expires_at
    FROM checkout_data.webhook_endpoints p
    CROSS JOIN (SELECT) AS read_only
    WHERE p.deleted_at IS NULL AND (SELECT checkout_data.reader_organization_id()) IS NOT NULL;
COMMENT ON VIEW checkout.webhook_endpoints IS
    'Webhook endpoints of the caller''s organization and environment, without their secrets.';

-- The columns mean what they mean in the types, and say so in the page that PostgREST makes of them.
DO $$
DECLARE
    view_column record;
BEGIN
    FOR view_column IN
        SELECT shown.view_name, a.attname, pg_catalog.col_description(t.typrelid, said.attnum) AS comment
        FROM (VALUES
            ('checkout_sessions', 'checkout_session'), ('open_checkout_sessions', 'checkout_session'),
            ('payments', 'payment'), ('refunds', 'refund'), ('webhook_events', 'webhook_event'),
            ('webhook_deliveries', 'webhook_delivery'), ('webhook_attempts', 'webhook_attempt'),
            ('webhook_endpoints', 'webhook_endpoint'), ('products', 'product'), ('inventory', 'product'),
            ('prices', 'price'), ('coupons', 'coupon'), ('session_lines', 'session_line'),
            ('subscriptions', 'subscription')
        ) AS shown (view_name, type_name)
        JOIN pg_catalog.pg_type t ON t.typname OPERATOR(pg_catalog.=) shown.type_name
            AND t.typnamespace OPERATOR(pg_catalog.=) 'checkout'::pg_catalog.regnamespace
        JOIN pg_catalog.pg_attribute a ON a.attrelid OPERATOR(pg_catalog.=)
            pg_catalog.format('checkout.%I', shown.view_name)::pg_catalog.regclass
        JOIN pg_catalog.pg_attribute said ON said.attrelid OPERATOR(pg_catalog.=) t.typrelid
            AND said.attname OPERATOR(pg_catalog.=) a.attname
        WHERE pg_catalog.col_description(t.typrelid, said.attnum) IS NOT NULL
    LOOP
        EXECUTE pg_catalog.format('COMMENT ON COLUMN checkout.%I.%I IS %L',
            view_column.view_name, view_column.attname, view_column.comment);
    END LOOP;
END
$$;

-- Relationships, as PostgREST reads them: select=*,payments(*). Each is the name of what is embedded. There are no foreign
-- keys that it could find. Without a search path of their own, the planner makes joins of them.

CREATE FUNCTION checkout.payments(checkout.checkout_sessions) RETURNS SETOF checkout.payments
    LANGUAGE sql STABLE PARALLEL RESTRICTED
    AS $$
    SELECT * FROM checkout.payments p WHERE p.checkout_session_id OPERATOR(pg_catalog.=) $1.checkout_session_id
    $$;
COMMENT ON FUNCTION checkout.payments IS 'Returns the payments of a row of checkout_sessions.';

CREATE FUNCTION checkout.checkout_session(checkout.payments) RETURNS SETOF checkout.checkout_sessions
    LANGUAGE sql STABLE PARALLEL RESTRICTED ROWS 1
    AS $$
    SELECT * FROM checkout.checkout_sessions s
    WHERE s.checkout_session_id OPERATOR(pg_catalog.=) $1.checkout_session_id
    $$;
COMMENT ON FUNCTION checkout.checkout_session IS 'Returns the checkout session of a row of payments.';

CREATE FUNCTION checkout.refunds(checkout.payments) RETURNS SETOF checkout.refunds
    LANGUAGE sql STABLE PARALLEL RESTRICTED
    AS $$
    SELECT * FROM checkout.refunds r WHERE r.payment_id OPERATOR(pg_catalog.=) $1.payment_id
    $$;
COMMENT ON FUNCTION checkout.refunds IS 'Returns the refunds of a row of payments.';

CREATE FUNCTION checkout.payment(checkout.refunds) RETURNS SETOF checkout.payments
    LANGUAGE sql STABLE PARALLEL RESTRICTED ROWS 1
    AS $$
    SELECT * FROM checkout.payments p WHERE p.payment_id OPERATOR(pg_catalog.=) $1.payment_id
    $$;
COMMENT ON FUNCTION checkout.payment IS 'Returns the payment of a row of refunds.';

CREATE FUNCTION checkout.webhook_events(checkout.checkout_sessions) RETURNS SETOF checkout.webhook_events
    LANGUAGE sql STABLE PARALLEL RESTRICTED
    AS $$
    SELECT * FROM checkout.webhook_events e WHERE e.subject_id OPERATOR(pg_catalog.=) $1.checkout_session_id
    $$;
COMMENT ON FUNCTION checkout.webhook_events IS 'Returns the webhook events of a row of checkout_sessions.';

CREATE FUNCTION checkout.session_lines(checkout.checkout_sessions) RETURNS SETOF checkout.session_lines
    LANGUAGE sql STABLE PARALLEL RESTRICTED
    AS $$
    SELECT * FROM checkout.session_lines l WHERE l.checkout_session_id OPERATOR(pg_catalog.=) $1.checkout_session_id
    $$;
COMMENT ON FUNCTION checkout.session_lines IS 'Returns the lines of a row of checkout_sessions.';

CREATE FUNCTION checkout.session_terms(checkout.checkout_sessions) RETURNS SETOF checkout.session_terms
    LANGUAGE sql STABLE PARALLEL RESTRICTED ROWS 1
    AS $$
    SELECT * FROM checkout.session_terms t WHERE t.checkout_session_id OPERATOR(pg_catalog.=) $1.checkout_session_id
    $$;
COMMENT ON FUNCTION checkout.session_terms IS 'Returns the sums of a row of checkout_sessions.';

CREATE FUNCTION checkout.session_periods(checkout.checkout_sessions) RETURNS SETOF checkout.session_periods
    LANGUAGE sql STABLE PARALLEL RESTRICTED ROWS 1
    AS $$
    SELECT * FROM checkout.session_periods p
    WHERE p.checkout_session_id OPERATOR(pg_catalog.=) $1.checkout_session_id
    $$;
COMMENT ON FUNCTION checkout.session_periods(checkout.checkout_sessions) IS
    'Returns what a row of checkout_sessions does to a subscription.';

CREATE FUNCTION checkout.session_visits(checkout.checkout_sessions) RETURNS SETOF checkout.session_visits
    LANGUAGE sql STABLE PARALLEL RESTRICTED ROWS 1
    AS $$
    SELECT * FROM checkout.session_visits v WHERE v.checkout_session_id OPERATOR(pg_catalog.=) $1.checkout_session_id
    $$;
COMMENT ON FUNCTION checkout.session_visits IS 'Returns the visits of the buyer of a row of checkout_sessions.';

CREATE FUNCTION checkout.webhook_deliveries(checkout.webhook_events) RETURNS SETOF checkout.webhook_deliveries
    LANGUAGE sql STABLE PARALLEL RESTRICTED
    AS $$
    SELECT * FROM checkout.webhook_deliveries d
    WHERE d.subject_id OPERATOR(pg_catalog.=) $1.subject_id AND d.sequence OPERATOR(pg_catalog.=) $1.sequence
    $$;
COMMENT ON FUNCTION checkout.webhook_deliveries IS 'Returns the deliveries of a row of webhook_events.';

CREATE FUNCTION checkout.webhook_attempts(checkout.webhook_deliveries) RETURNS SETOF checkout.webhook_attempts
    LANGUAGE sql STABLE PARALLEL RESTRICTED
    AS $$
    SELECT * FROM checkout.webhook_attempts a
    WHERE a.webhook_endpoint_id OPERATOR(pg_catalog.=) $1.webhook_endpoint_id
        AND a.subject_id OPERATOR(pg_catalog.=) $1.subject_id AND a.sequence OPERATOR(pg_catalog.=) $1.sequence
    $$;
COMMENT ON FUNCTION checkout.webhook_attempts IS 'Returns the attempts of a row of webhook_deliveries.';
