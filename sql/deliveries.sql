-- Deliveries: each event to each of its receivers, and the attempts to deliver it, as organizations see them.

-- No foreign keys to receivers and events: every event would lock its receivers' rows, and row locks of concurrent
-- writers pile up in multixacts. The worker removes deliveries whose receiver or event is gone.
CREATE TABLE checkout_data.webhook_deliveries (
    organization_id uuid NOT NULL,
    environment checkout_data.environment NOT NULL,
    receiver_id uuid NOT NULL,
    subject_id uuid NOT NULL,
    sequence checkout_data.positive NOT NULL,
    created_at timestamptz NOT NULL,
    attempts checkout_data.count NOT NULL DEFAULT 0,
    attempts_ever checkout_data.count NOT NULL DEFAULT 0,
    next_attempt_at timestamptz,
    lease_token uuid,
    delivered_at timestamptz,
    dead_at timestamptz,
    last_attempt_at timestamptz,
    last_status_code integer,
    last_error text,
    -- The environment follows from the receiver or the subject. It comes last, because comparisons of keys are slow
    -- behind a column of variable length.
    CONSTRAINT webhook_deliveries_pkey
        PRIMARY KEY (organization_id, receiver_id, subject_id, sequence, environment),
    CONSTRAINT webhook_deliveries_state_check CHECK (
        num_nonnulls(next_attempt_at, delivered_at, dead_at) = 1
        AND (lease_token IS NULL OR next_attempt_at IS NOT NULL))
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 500);
COMMENT ON TABLE checkout_data.webhook_deliveries IS
    'One row per event and receiver, written by the statement that wrote the event.';
COMMENT ON COLUMN checkout_data.webhook_deliveries.receiver_id IS 'The webhook endpoint, or the consumer.';
COMMENT ON COLUMN checkout_data.webhook_deliveries.subject_id IS 'Identifies the event, together with sequence.';
COMMENT ON COLUMN checkout_data.webhook_deliveries.attempts IS
    'The attempts since the delivery was written or redelivered: of an endpoint those that were recorded, of a '
    'consumer its claims. They limit how many follow.';
COMMENT ON COLUMN checkout_data.webhook_deliveries.attempts_ever IS
    'The number of the last attempt, including those before a redelivery.';
COMMENT ON COLUMN checkout_data.webhook_deliveries.next_attempt_at IS
    'When the delivery is due. While it is leased: when the lease ends. NULL when delivered or dead.';
COMMENT ON COLUMN checkout_data.webhook_deliveries.lease_token IS
    'Identifies the claim that holds the delivery. Who reports its result must present it.';
-- Serves claims, which go from receiver to receiver, and within a consumer from organization to organization: what is
-- due, oldest first.
CREATE INDEX webhook_deliveries_next_attempt_idx
    ON checkout_data.webhook_deliveries (receiver_id, organization_id, next_attempt_at)
    WHERE next_attempt_at IS NOT NULL;
-- Serves the list of dead deliveries.
CREATE INDEX webhook_deliveries_dead_idx ON checkout_data.webhook_deliveries (dead_at) WHERE dead_at IS NOT NULL;

-- No foreign key to deliveries, whose rows a parallel restore may load later. What removes deliveries removes these.
CREATE TABLE checkout_data.webhook_attempts (
    organization_id uuid NOT NULL,
    environment checkout_data.environment NOT NULL,
    receiver_id uuid NOT NULL,
    subject_id uuid NOT NULL,
    sequence checkout_data.positive NOT NULL,
    attempt checkout_data.positive NOT NULL,
    recorded_at timestamptz NOT NULL,
    status_code integer CHECK (status_code BETWEEN 100 AND 599),
    error text,
    duration interval,
    response_body text CHECK (char_length(response_body) <= 1000),
    CONSTRAINT webhook_attempts_pkey
        PRIMARY KEY (organization_id, receiver_id, subject_id, sequence, attempt, environment)
);
COMMENT ON TABLE checkout_data.webhook_attempts IS 'The result of each attempt to deliver an event to an endpoint.';
COMMENT ON COLUMN checkout_data.webhook_attempts.status_code IS
    'The status of the HTTP response. NULL: there was no response.';

CREATE TYPE checkout.webhook_delivery AS (
    event_id text,
    webhook_endpoint_id uuid,
    consumer text,
    event_type text,
    organization_id uuid,
    environment text,
    checkout_session_id uuid,
    status text,
    delivery_attempts integer,
    next_attempt_at timestamptz,
    delivered_at timestamptz,
    dead_at timestamptz,
    last_attempt_at timestamptz,
    last_status_code integer,
    last_error text,
    created_at timestamptz
);
COMMENT ON TYPE checkout.webhook_delivery IS 'The delivery of one event to one receiver.';
COMMENT ON COLUMN checkout.webhook_delivery.webhook_endpoint_id IS 'The receiver, if it is a webhook endpoint.';
COMMENT ON COLUMN checkout.webhook_delivery.consumer IS 'The name of the receiver, if it is a consumer.';
COMMENT ON COLUMN checkout.webhook_delivery.event_type IS
    'Our name of the event. In the body it may have that of a dialect.';
COMMENT ON COLUMN checkout.webhook_delivery.status IS
    'pending, leased, delivered, dead, or paused while its endpoint is disabled.';
COMMENT ON COLUMN checkout.webhook_delivery.delivery_attempts IS
    'The attempts since the event was written or redelivered.';

CREATE TYPE checkout.webhook_attempt AS (
    event_id text,
    webhook_endpoint_id uuid,
    attempt integer,
    recorded_at timestamptz,
    status_code integer,
    error text,
    duration interval,
    response_body text
);
COMMENT ON TYPE checkout.webhook_attempt IS 'The result of an attempt to deliver an event to an endpoint.';
COMMENT ON COLUMN checkout.webhook_attempt.status_code IS
    'The status of the HTTP response. NULL: there was no response, and error says why.';
COMMENT ON COLUMN checkout.webhook_attempt.response_body IS 'The first 1,000 characters of the response.';

-- Not one expression. With a search path of its own it is not inlined.
CREATE FUNCTION checkout_data.event_status(o checkout_data.webhook_outbox, at timestamptz) RETURNS text
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
    FROM (
        SELECT r.receiver_id FROM checkout_data.webhook_receivers r
        WHERE r.organization_id = o.organization_id AND r.environment = o.environment
        UNION ALL
        SELECT c.webhook_consumer_id FROM checkout_data.webhook_consumers c
        WHERE c.organization_id IS NULL AND c.deleted_at IS NULL
    ) AS r
    JOIN checkout_data.webhook_deliveries d
        ON d.organization_id = o.organization_id AND d.environment = o.environment
        AND d.receiver_id = r.receiver_id AND d.subject_id = o.subject_id AND d.sequence = o.sequence
    $$;
COMMENT ON FUNCTION checkout_data.event_status IS
    'Returns the state at a time of all deliveries of an event together. delivered: all receivers that asked for it '
    'have it. skipped: no receiver asked for it, or those that did were deleted.';

CREATE FUNCTION checkout_data.delivery_status(
    d checkout_data.webhook_deliveries, receiver_enabled boolean, at timestamptz
) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    SELECT CASE
        WHEN d.delivered_at IS NOT NULL THEN 'delivered'
        WHEN d.dead_at IS NOT NULL THEN 'dead'
        WHEN d.lease_token IS NOT NULL AND d.next_attempt_at OPERATOR(pg_catalog.>) at THEN 'leased'
        WHEN receiver_enabled THEN 'pending'
        ELSE 'paused'
    END
    $$;
COMMENT ON FUNCTION checkout_data.delivery_status IS 'Returns the state of a delivery at a time.';

CREATE FUNCTION checkout_data.delivery_of(
    d checkout_data.webhook_deliveries,
    o checkout_data.webhook_outbox,
    webhook_endpoint_id uuid,
    consumer text,
    receiver_enabled boolean,
    at timestamptz
) RETURNS checkout.webhook_delivery
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    SELECT ROW(
        checkout_data.event_id(d.organization_id, d.environment, d.subject_id, d.sequence, d.created_at),
        webhook_endpoint_id, consumer, o.event_type, d.organization_id, d.environment,
        CASE WHEN o.subject_type OPERATOR(pg_catalog.=) 'checkout_session' THEN d.subject_id END,
        checkout_data.delivery_status(d, receiver_enabled, at),
        d.attempts, d.next_attempt_at, d.delivered_at, d.dead_at, d.last_attempt_at, d.last_status_code, d.last_error,
        d.created_at
    )::checkout.webhook_delivery
    $$;
COMMENT ON FUNCTION checkout_data.delivery_of IS 'Returns a delivery as callers see it at a time.';

CREATE FUNCTION checkout_data.attempt_of(a checkout_data.webhook_attempts, d checkout_data.webhook_deliveries)
    RETURNS checkout.webhook_attempt
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    SELECT ROW(
        checkout_data.event_id(a.organization_id, a.environment, a.subject_id, a.sequence, d.created_at),
        a.receiver_id, a.attempt, a.recorded_at, a.status_code, a.error, a.duration, a.response_body
    )::checkout.webhook_attempt
    $$;
COMMENT ON FUNCTION checkout_data.attempt_of IS 'Returns an attempt of a delivery as callers see it.';

CREATE FUNCTION checkout_data.is_utf8(
    text text
) RETURNS boolean
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
    AS 'MODULE_PATHNAME', 'is_utf8_wrapper';
COMMENT ON FUNCTION checkout_data.is_utf8 IS
    'Returns true if a text is valid UTF-8 and not larger than an event can be.';

-- for applications ------------------------------------------------------------------------------------------------

CREATE FUNCTION checkout.list_webhook_deliveries(
    webhook_endpoint_id uuid,
    status text DEFAULT NULL,
    page_size integer DEFAULT 20,
    starting_after text DEFAULT NULL
) RETURNS SETOF checkout.webhook_delivery
    LANGUAGE c STABLE SECURITY DEFINER PARALLEL RESTRICTED
    SET search_path TO pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'list_webhook_deliveries_wrapper';
COMMENT ON FUNCTION checkout.list_webhook_deliveries IS
$$Returns the deliveries to a webhook endpoint.

Those of the newest session come first, and of each session the last event first.

- status: pending, leased, delivered, dead, or paused (the endpoint is disabled).
- page_size: 1 to 100.
- starting_after: an event_id; the page after it is returned.

Errors:
- 22004, 22023, 22P02: an argument is missing or wrong.
- 28000: the caller is not authenticated.
- 42501 (PT403 in an HTTP request): the credential is publishable.
- PT404: the endpoint or the event of starting_after does not exist.$$;

CREATE FUNCTION checkout.list_webhook_attempts(
    event_id text,
    webhook_endpoint_id uuid DEFAULT NULL
) RETURNS SETOF checkout.webhook_attempt
    LANGUAGE c STABLE SECURITY DEFINER PARALLEL RESTRICTED
    SET search_path TO pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'list_webhook_attempts_wrapper';
COMMENT ON FUNCTION checkout.list_webhook_attempts IS
$$Returns the attempts to deliver an event to the organization's webhook endpoints, or to one of them, oldest first.

Errors:
- 22004, 22P02: an argument is missing or wrong.
- 28000: the caller is not authenticated.
- 42501 (PT403 in an HTTP request): the credential is publishable.
- PT404: the event or the endpoint does not exist.$$;
