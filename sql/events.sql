-- Webhook events: the outbox, how events are shown, and the functions for your own consumer of events.

CREATE DOMAIN checkout_data.event_type AS text CHECK (VALUE IN (
    'checkout.session.completed', 'checkout.session.expired', 'checkout.session.failed',
    'checkout.session.expiring', 'checkout.session.payment_failed', 'checkout.session.payment_rejected',
    'webhook_endpoint.disabled'));

-- No foreign key to sessions: an event is written from the row that its statement has just changed. Looking that row
-- up again would take a quarter of the time of a sweep. No role can delete a session.
CREATE TABLE checkout_data.webhook_outbox (
    organization_id uuid NOT NULL,
    environment checkout_data.environment NOT NULL,
    checkout_session_id uuid NOT NULL,
    sequence checkout_data.positive NOT NULL,
    event_type checkout_data.event_type NOT NULL,
    created_at timestamptz NOT NULL,
    payment_id text,
    payment jsonb,
    endpoint jsonb,
    session_status checkout_data.session_status,
    session_attempts checkout_data.count,
    fanned_out boolean NOT NULL DEFAULT false,
    delivery_attempts checkout_data.count NOT NULL DEFAULT 0,
    next_attempt_at timestamptz,
    lease_token uuid,
    delivered_at timestamptz,
    dead_at timestamptz,
    last_error text,
    CONSTRAINT webhook_outbox_pkey PRIMARY KEY (organization_id, environment, checkout_session_id, sequence),
    CONSTRAINT webhook_outbox_payment_fkey FOREIGN KEY (organization_id, environment, payment_id)
        REFERENCES checkout_data.payments,
    CONSTRAINT webhook_outbox_state_check CHECK (
        num_nonnulls(next_attempt_at, delivered_at, dead_at) = CASE WHEN fanned_out THEN 0 ELSE 1 END
        AND (lease_token IS NULL OR next_attempt_at IS NOT NULL)
        AND (endpoint IS NOT NULL) = (event_type = 'webhook_endpoint.disabled')
        AND num_nonnulls(session_status, session_attempts) = CASE WHEN endpoint IS NULL THEN 2 ELSE 0 END)
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 500);
COMMENT ON TABLE checkout_data.webhook_outbox IS
    'One row per event, written by the statement that changed the session. The body of an event is rendered from its '
    'row when it is claimed. The inserts alone are the full history; updates only track delivery.';
COMMENT ON COLUMN checkout_data.webhook_outbox.checkout_session_id IS
    'The session that the event is about. For an event about a webhook endpoint: the endpoint''s id.';
COMMENT ON COLUMN checkout_data.webhook_outbox.sequence IS
    'The number of the event within its session, from 1, without gaps.';
COMMENT ON COLUMN checkout_data.webhook_outbox.payment IS
    'The payment that the event is about, as it was when the event was written.';
COMMENT ON COLUMN checkout_data.webhook_outbox.endpoint IS
    'The webhook endpoint that the event is about, as it was when the event was written.';
COMMENT ON COLUMN checkout_data.webhook_outbox.fanned_out IS
    'True if the organization had webhook endpoints when the event was written. Its state is then in '
    'webhook_deliveries, and claim_webhook_events does not return it.';
COMMENT ON COLUMN checkout_data.webhook_outbox.session_status IS
    'The status of the session when the event was written.';
COMMENT ON COLUMN checkout_data.webhook_outbox.session_attempts IS
    'How many payments of the session had failed when the event was written.';
COMMENT ON COLUMN checkout_data.webhook_outbox.next_attempt_at IS
    'When the event is due for a claim. While it is leased: when the lease ends. NULL when delivered or dead.';
COMMENT ON COLUMN checkout_data.webhook_outbox.lease_token IS
    'Identifies the claim that holds the event. ack_webhook_events and nack_webhook_event must present it.';
-- A session ends once.
CREATE UNIQUE INDEX webhook_outbox_terminal_idx
    ON checkout_data.webhook_outbox (organization_id, environment, checkout_session_id)
    WHERE event_type IN ('checkout.session.completed', 'checkout.session.expired', 'checkout.session.failed');
-- Serves claims: what is due, oldest first.
CREATE INDEX webhook_outbox_next_attempt_idx
    ON checkout_data.webhook_outbox (next_attempt_at) WHERE next_attempt_at IS NOT NULL;
-- Serves the removal of old events.
CREATE INDEX webhook_outbox_delivered_idx
    ON checkout_data.webhook_outbox (delivered_at) WHERE delivered_at IS NOT NULL;
-- Serves the list of dead events.
CREATE INDEX webhook_outbox_dead_idx ON checkout_data.webhook_outbox (dead_at) WHERE dead_at IS NOT NULL;
-- Serves the removal of old events that went to endpoints.
CREATE INDEX webhook_outbox_fanned_out_idx ON checkout_data.webhook_outbox (created_at, checkout_session_id, sequence)
    WHERE fanned_out;

CREATE TYPE checkout.webhook_event AS (
    event_id text,
    event_type text,
    organization_id uuid,
    environment text,
    checkout_session_id uuid,
    sequence integer,
    payment_id text,
    created_at timestamptz,
    status text,
    delivery_attempts integer,
    next_attempt_at timestamptz,
    delivered_at timestamptz,
    dead_at timestamptz,
    last_error text,
    lease_token uuid,
    body text
);
COMMENT ON TYPE checkout.webhook_event IS 'An event of the outbox.';
COMMENT ON COLUMN checkout.webhook_event.event_id IS
    'The same in every delivery. Send it as webhook-id; receivers use it to ignore repeated deliveries.';
COMMENT ON COLUMN checkout.webhook_event.checkout_session_id IS 'NULL if the event is about a webhook endpoint.';
COMMENT ON COLUMN checkout.webhook_event.sequence IS
    'The number of the event within its session, from 1, without gaps.';
COMMENT ON COLUMN checkout.webhook_event.status IS
    'pending, leased, delivered, dead or skipped. If the organization has webhook endpoints, the state of all its '
    'deliveries together; skipped means that no endpoint asked for the event. Otherwise the state for the consumer of '
    'claim_webhook_events.';
COMMENT ON COLUMN checkout.webhook_event.delivery_attempts IS
    'Counts the claims by the consumer of claim_webhook_events. The columns after it are about that consumer, too. '
    'For deliveries to endpoints see list_webhook_deliveries.';
COMMENT ON COLUMN checkout.webhook_event.lease_token IS
    'To present to ack_webhook_events and nack_webhook_event. Only claim_webhook_events returns it.';
COMMENT ON COLUMN checkout.webhook_event.body IS 'The JSON text to sign and send, byte for byte.';

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
COMMENT ON FUNCTION checkout_data.event_id IS 'Returns the id of an event: its key, opaque to consumers.';

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
COMMENT ON FUNCTION checkout_data.event_status IS 'Returns the state of an event''s delivery at a time.';

-- The body of an event has the session as it was when the event was written, so that every delivery is the same. Only
-- the state of a session changes, and a final state stays, so the event needs to store little of it.
CREATE FUNCTION checkout_data.session_of_event(o checkout_data.webhook_outbox, s checkout_data.checkout_sessions)
    RETURNS json
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
        'updated_at', CASE WHEN o.session_status OPERATOR(pg_catalog.=) 'open' THEN o.created_at
            -- Expired by the clock: nobody has written that into the session's row.
            WHEN s.status OPERATOR(pg_catalog.=) 'open'
                THEN checkout_data.deadline(s.expires_at, s.lease_expires_at)
            ELSE s.updated_at END)
    $$;
COMMENT ON FUNCTION checkout_data.session_of_event IS
    'Returns the session in the body of an event, as it was when the event was written.';

CREATE FUNCTION checkout_data.event_object(o checkout_data.webhook_outbox, s checkout_data.checkout_sessions)
    RETURNS json
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$
    SELECT CASE WHEN o.endpoint IS NULL THEN checkout_data.session_of_event(o, s) ELSE o.endpoint::pg_catalog.json END
    $$;
COMMENT ON FUNCTION checkout_data.event_object IS
    'Returns the session or webhook endpoint that an event is about, as it was when the event was written.';

CREATE FUNCTION checkout_data.event_body(o checkout_data.webhook_outbox, s checkout_data.checkout_sessions)
    RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$
    SELECT pg_catalog.json_build_object(
        'id', checkout_data.event_id(o.organization_id, o.environment, o.checkout_session_id, o.sequence),
        'type', o.event_type,
        'timestamp', o.created_at,
        'data', CASE WHEN o.payment IS NULL
            THEN pg_catalog.json_build_object('object', checkout_data.event_object(o, s))
            ELSE pg_catalog.json_build_object('object', checkout_data.event_object(o, s), 'payment', o.payment) END
    )::pg_catalog.text
    $$;
COMMENT ON FUNCTION checkout_data.event_body IS 'Returns the canonical body of an event.';

CREATE FUNCTION checkout_data.event_of(
    o checkout_data.webhook_outbox, s checkout_data.checkout_sessions, at timestamptz, with_lease boolean
) RETURNS checkout.webhook_event
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$
    SELECT ROW(
        checkout_data.event_id(o.organization_id, o.environment, o.checkout_session_id, o.sequence),
        o.event_type, o.organization_id, o.environment,
        CASE WHEN o.endpoint IS NULL THEN o.checkout_session_id END, o.sequence, o.payment_id, o.created_at,
        checkout_data.event_status(o, at), o.delivery_attempts, o.next_attempt_at, o.delivered_at, o.dead_at,
        o.last_error, CASE WHEN with_lease THEN o.lease_token END, checkout_data.event_body(o, s)
    )::checkout.webhook_event
    $$;
COMMENT ON FUNCTION checkout_data.event_of IS 'Returns an event as consumers see it, with its body.';

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

Events about webhook endpoints come first. Then come those of the newest session, the last event of each session
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

-- for a consumer of your own ---------------------------------------------------------------------------------------

CREATE FUNCTION checkout.claim_webhook_events(
    batch_size integer DEFAULT 100,
    lease interval DEFAULT '1 minute',
    organization_id uuid DEFAULT NULL
) RETURNS SETOF checkout.webhook_event
    LANGUAGE c SECURITY DEFINER
    SET search_path TO pg_catalog, pg_temp
    SET timezone TO 'UTC'
    AS 'MODULE_PATHNAME', 'claim_webhook_events_wrapper';
COMMENT ON FUNCTION checkout.claim_webhook_events IS
$$For your own consumer of events: leases events that are due, and returns them with their body and lease_token.

Returns events of organizations without webhook endpoints; other events go to the endpoints. Send each body as it is,
with event_id as webhook-id. Then call ack_webhook_events or nack_webhook_event. An event for which you call neither
within the lease is returned again; after 10 claims it is dead. Delivery is at least once. The next event of a session
is returned only when the one before it is delivered or dead.

- batch_size: how many events at most, 1 to 1000.
- lease: 1 second to 12 hours.
- organization_id: only events of this organization. Default: all organizations.

Errors:
- 22003, 22004, 22023: an argument is missing or wrong.$$;

CREATE FUNCTION checkout.ack_webhook_events(
    event_ids text[],
    lease_token uuid
) RETURNS integer
    LANGUAGE c SECURITY DEFINER
    SET search_path TO pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'ack_webhook_events_wrapper';
COMMENT ON FUNCTION checkout.ack_webhook_events IS
$$Marks leased events as delivered, and returns how many it marked.

Events that are not leased under this lease_token, for example because they were claimed again, do not change.

- event_ids, lease_token: as returned by claim_webhook_events.

Errors:
- 22004: an argument is missing.
- 22P02: an element of event_ids is not the id of an event.$$;

CREATE FUNCTION checkout.nack_webhook_event(
    event_id text,
    lease_token uuid,
    error text DEFAULT NULL,
    retry_after interval DEFAULT NULL
) RETURNS checkout.webhook_event
    LANGUAGE c SECURITY DEFINER
    SET search_path TO pg_catalog, pg_temp
    SET timezone TO 'UTC'
    AS 'MODULE_PATHNAME', 'nack_webhook_event_wrapper';
COMMENT ON FUNCTION checkout.nack_webhook_event IS
$$Reports that a leased event could not be delivered, and returns the event.

The event is due again after retry_after or, by default, after 5 seconds, 5 minutes, 30 minutes, 2, 5, 10, 14, 20 and
24 hours, varied by up to a fifth (source: Standard Webhooks 1.0.0). After the tenth attempt it is dead.

- event_id, lease_token: as returned by claim_webhook_events.
- error: the reason, stored in last_error.
- retry_after: when to try again.

Errors:
- 22003, 22004, 22023, 22P02: an argument is missing or wrong.
- PT404: the event does not exist.
- PT409: the event is not leased under this lease_token.$$;
