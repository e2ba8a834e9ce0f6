-- Webhook events: the outbox, and how events are shown.

CREATE DOMAIN checkout_data.event_type AS text CHECK (VALUE IN (
    'checkout.session.completed', 'checkout.session.expired', 'checkout.session.failed',
    'checkout.session.expiring', 'checkout.session.payment_failed', 'checkout.session.payment_rejected',
    'checkout.session.payment_applied', 'checkout.session.refunded', 'checkout.session.refund_failed',
    'checkout.session.cancelled', 'webhook_endpoint.disabled', 'requests.failing', 'subscription.created', 'subscription.renewed',
    'subscription.renewal_due', 'subscription.past_due', 'subscription.ended'));

CREATE DOMAIN checkout_data.event_subject AS text
    CHECK (VALUE IN ('checkout_session', 'webhook_endpoint', 'subscription', 'organization'));

-- Rows are inserted and, when they are old, deleted: no role may update them.
CREATE TABLE checkout_data.webhook_outbox (
    organization_id uuid NOT NULL,
    environment checkout_data.environment NOT NULL,
    subject_id uuid NOT NULL,
    sequence checkout_data.positive NOT NULL,
    subject_type checkout_data.event_subject NOT NULL,
    event_type checkout_data.event_type NOT NULL,
    created_at timestamptz NOT NULL,
    snapshot jsonb
);
COMMENT ON TABLE checkout_data.webhook_outbox IS
    'One row per event, written by the statement that changed its subject. The inserts alone tell the whole story. '
    'Where an event goes is in webhook_deliveries.';
COMMENT ON COLUMN checkout_data.webhook_outbox.subject_id IS
    'The checkout session, webhook endpoint, subscription or organization that the event is about.';
COMMENT ON COLUMN checkout_data.webhook_outbox.sequence IS
    'The number of the event within its subject, from 1, without gaps.';
COMMENT ON COLUMN checkout_data.webhook_outbox.snapshot IS
    'What the body of the event needs and may change later, as it was when the event was written: session (status and '
    'attempts; of one with terms also amount and quantity), payment, refund, cancellation, webhook_endpoint, subscription, organization. '
    'Without session, the clock had ended the session.';
-- Serves the removal of old events.
CREATE INDEX webhook_outbox_created_at_idx ON checkout_data.webhook_outbox (created_at);
ALTER TABLE checkout_data.webhook_outbox ADD CONSTRAINT webhook_outbox_pkey
    PRIMARY KEY (organization_id, environment, subject_id, sequence);

CREATE TYPE checkout.webhook_event AS (
    event_id text,
    event_type text,
    organization_id uuid,
    environment text,
    subject_type text,
    subject_id uuid,
    checkout_session_id uuid,
    sequence integer,
    payment_id text,
    created_at timestamptz,
    status text,
    delivery_attempts integer,
    lease_token uuid,
    body text
);
COMMENT ON TYPE checkout.webhook_event IS 'An event of the outbox.';
COMMENT ON COLUMN checkout.webhook_event.event_id IS
    'The same in every delivery. Send it as webhook-id; receivers use it to ignore repeated deliveries.';
COMMENT ON COLUMN checkout.webhook_event.subject_type IS
    'The kind of thing that the event is about: checkout_session, webhook_endpoint, subscription or organization.';
COMMENT ON COLUMN checkout.webhook_event.subject_id IS 'The id of the thing that the event is about.';
COMMENT ON COLUMN checkout.webhook_event.checkout_session_id IS 'The subject_id, if the event is about a session.';
COMMENT ON COLUMN checkout.webhook_event.sequence IS
    'The number of the event within its subject, from 1, without gaps.';
COMMENT ON COLUMN checkout.webhook_event.status IS
    'pending, leased, delivered, dead or skipped: the state of all deliveries of the event together. skipped: no '
    'webhook endpoint and no consumer asked for it, or those that did were deleted.';
COMMENT ON COLUMN checkout.webhook_event.delivery_attempts IS
    'How often the consumer has claimed the event, this claim included. NULL in lists.';
COMMENT ON COLUMN checkout.webhook_event.lease_token IS
    'To present to ack_webhook_events and nack_webhook_event. Only claim_webhook_events returns it.';
COMMENT ON COLUMN checkout.webhook_event.event_type IS 'Our name of the event, in every format of bodies.';
COMMENT ON COLUMN checkout.webhook_event.body IS 'The JSON text to sign and send, byte for byte.';

CREATE FUNCTION checkout_data.event_id(
    organization_id uuid, environment text, subject_id uuid, sequence integer, created_at timestamptz
) RETURNS text
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
    AS 'MODULE_PATHNAME', 'event_id_wrapper';
COMMENT ON FUNCTION checkout_data.event_id IS 'Returns the id of an event: its key and its time, opaque to consumers.';

-- The body of an event has its subject as it was when the event was written, so that every delivery is the same. Only
-- the state of a session changes, and a final state stays, so the event needs to store little of it.
CREATE FUNCTION checkout_data.status_of_event(o checkout_data.webhook_outbox) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    SELECT COALESCE(o.snapshot OPERATOR(pg_catalog.#>>) '{session,status}',
        CASE WHEN o.event_type OPERATOR(pg_catalog.=) 'checkout.session.failed' THEN 'failed' ELSE 'expired' END)
    $$;
COMMENT ON FUNCTION checkout_data.status_of_event IS 'Returns the status of the session when an event was written.';

CREATE FUNCTION checkout_data.session_of_event(o checkout_data.webhook_outbox, s checkout_data.checkout_sessions)
    RETURNS checkout.checkout_session
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$
    SELECT ROW(
        s.checkout_session_id, s.organization_id, s.environment,
        COALESCE((o.snapshot OPERATOR(pg_catalog.#>>) '{session,amount}')::pg_catalog.numeric, s.amount),
        s.currency_code, checkout_data.status_of_event(o),
        CASE WHEN checkout_data.status_of_event(o) OPERATOR(pg_catalog.=) 'complete'
            THEN s.payment_status::pg_catalog.text
            WHEN COALESCE((o.snapshot OPERATOR(pg_catalog.#>>) '{session,amount}')::pg_catalog.numeric, s.amount)
                OPERATOR(pg_catalog.=) 0 THEN 'no_payment_required'
            ELSE 'unpaid' END,
        CASE WHEN checkout_data.status_of_event(o) OPERATOR(pg_catalog.=) 'complete' THEN s.payment_id END,
        COALESCE((o.snapshot OPERATOR(pg_catalog.#>>) '{session,attempts}')::pg_catalog.int4, s.attempts),
        s.max_retry_attempts, s.title, s.description, s.reference, s.customer_id, s.customer_email, s.customer_name,
        s.customer_phone, s.product_id, s.price_id, s.subscription_id, s.payment_link_id,
        COALESCE((o.snapshot OPERATOR(pg_catalog.#>>) '{session,quantity}')::pg_catalog.int4, s.quantity), s.allow_quantity,
        s.allow_coupon_code, s.require_billing_address, s.is_spi, s.is_pos, s.country, s.success_url, s.cancel_url,
        NULL, NULL, s.payment_methods, s.metadata, s.recovered_from, s.expires_at,
        CASE WHEN checkout_data.status_of_event(o) OPERATOR(pg_catalog.=) 'complete' THEN s.completed_at END,
        s.created_at, s.created_by, s.created_with, s.trace_id,
        CASE WHEN checkout_data.status_of_event(o) OPERATOR(pg_catalog.=) 'open' THEN o.created_at
            -- Ended by the clock: nobody has written that into the session's row.
            WHEN s.status OPERATOR(pg_catalog.=) 'open' THEN checkout_data.deadline(s)
            ELSE s.updated_at END,
        NULL
    )::checkout.checkout_session
    $$;
COMMENT ON FUNCTION checkout_data.session_of_event IS
    'Returns the session in the body of an event, as it was when the event was written.';

CREATE FUNCTION checkout_data.session_json(
    session checkout.checkout_session
) RETURNS text
    LANGUAGE c STABLE STRICT PARALLEL SAFE
    AS 'MODULE_PATHNAME', 'session_json_wrapper';
COMMENT ON FUNCTION checkout_data.session_json IS
    'Returns a session as JSON, for the bodies of events. NULL if it has a text that is not valid UTF-8.';

CREATE FUNCTION checkout_data.event_object(o checkout_data.webhook_outbox, s checkout_data.checkout_sessions)
    RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$
    SELECT CASE WHEN o.subject_type OPERATOR(pg_catalog.=) 'checkout_session'
        THEN checkout_data.session_json(checkout_data.session_of_event(o, s))
        ELSE (o.snapshot OPERATOR(pg_catalog.->) o.subject_type)::pg_catalog.text END
    $$;
COMMENT ON FUNCTION checkout_data.event_object IS
    'Returns the session, webhook endpoint, subscription or organization that an event is about, as JSON, as it was when the '
    'event was written.';

CREATE FUNCTION checkout_data.event_body(o checkout_data.webhook_outbox, s checkout_data.checkout_sessions)
    RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$
    SELECT '{"id" : "'
        OPERATOR(pg_catalog.||) checkout_data.event_id(
            o.organization_id, o.environment, o.subject_id, o.sequence, o.created_at)
        OPERATOR(pg_catalog.||) '", "type" : "' OPERATOR(pg_catalog.||) o.event_type
        OPERATOR(pg_catalog.||) '", "timestamp" : ' OPERATOR(pg_catalog.||) pg_catalog.to_json(o.created_at)::pg_catalog.text
        OPERATOR(pg_catalog.||) ', "data" : {"object" : ' OPERATOR(pg_catalog.||) checkout_data.event_object(o, s)
        OPERATOR(pg_catalog.||) CASE WHEN o.snapshot OPERATOR(pg_catalog.->) 'payment' IS NULL
            THEN COALESCE(', "cancellation" : '
                OPERATOR(pg_catalog.||) (o.snapshot OPERATOR(pg_catalog.->) 'cancellation')::pg_catalog.text, '')
                OPERATOR(pg_catalog.||) '}}'
            ELSE ', "payment" : ' OPERATOR(pg_catalog.||) (o.snapshot OPERATOR(pg_catalog.->) 'payment')::pg_catalog.text
                OPERATOR(pg_catalog.||) COALESCE(', "refund" : '
                    OPERATOR(pg_catalog.||) (o.snapshot OPERATOR(pg_catalog.->) 'refund')::pg_catalog.text, '')
                OPERATOR(pg_catalog.||) '}}' END
    $$;
COMMENT ON FUNCTION checkout_data.event_body IS
    'Returns the canonical body of an event. NULL if part of it is not valid UTF-8.';

CREATE FUNCTION checkout_data.event_of(
    o checkout_data.webhook_outbox, body text, status text, delivery_attempts integer, lease_token uuid
) RETURNS checkout.webhook_event
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    SELECT ROW(
        checkout_data.event_id(o.organization_id, o.environment, o.subject_id, o.sequence, o.created_at),
        o.event_type, o.organization_id, o.environment, o.subject_type, o.subject_id,
        CASE WHEN o.subject_type OPERATOR(pg_catalog.=) 'checkout_session' THEN o.subject_id END, o.sequence,
        o.snapshot OPERATOR(pg_catalog.#>>) '{payment,payment_id}', o.created_at, status, delivery_attempts,
        lease_token, body
    )::checkout.webhook_event
    $$;
COMMENT ON FUNCTION checkout_data.event_of IS 'Returns an event as organizations and consumers see it.';

-- Functions that render bodies set the time zone: times in bodies are in UTC, whatever the caller's time zone is.

-- for applications ------------------------------------------------------------------------------------------------

CREATE FUNCTION checkout.list_webhook_events(
    checkout_session_id uuid DEFAULT NULL,
    event_type text DEFAULT NULL,
    status text DEFAULT NULL,
    page_size integer DEFAULT 20,
    starting_after text DEFAULT NULL
) RETURNS SETOF checkout.webhook_event
    LANGUAGE c STABLE SECURITY DEFINER PARALLEL RESTRICTED
    SET search_path TO pg_catalog, pg_temp
    SET timezone TO 'UTC'
    AS 'MODULE_PATHNAME', 'list_webhook_events_wrapper';
COMMENT ON FUNCTION checkout.list_webhook_events IS
$$Returns the organization's webhook events.

Events about webhook endpoints and the organization come first. Then come those of the newest session or subscription, the last event of each
first.

- event_type: such as checkout.session.completed.
- status: pending, leased, delivered, dead or skipped.
- page_size: 1 to 100.
- starting_after: an event_id; the page after it is returned.

Errors:
- 22023, 22P02: an argument is wrong.
- 28000: the caller is not authenticated.
- 42501 (PT403 in an HTTP request): the credential is publishable.
- PT404: the session or the event of starting_after does not exist.$$;
