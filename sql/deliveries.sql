-- Deliveries: each event to each of its receivers, for organizations and for the relay that sends them to endpoints.

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

CREATE TYPE checkout.webhook_delivery_request AS (
    event_id text,
    webhook_endpoint_id uuid,
    organization_id uuid,
    environment text,
    event_type text,
    url text,
    headers jsonb,
    body text,
    attempt integer,
    lease_token uuid,
    lease_expires_at timestamptz,
    to_localhost boolean
);
COMMENT ON TYPE checkout.webhook_delivery_request IS
    'A request for a relay to send: POST the body to the url with the headers.';
COMMENT ON COLUMN checkout.webhook_delivery_request.event_type IS
    'Our name of the event. In the body it may have that of a dialect.';
COMMENT ON COLUMN checkout.webhook_delivery_request.headers IS
    'Names and values of the headers, including the signature. The signature has the current time: send at once.';
COMMENT ON COLUMN checkout.webhook_delivery_request.attempt IS
    'The number of the attempt, from 1, counting those before a redelivery.';
COMMENT ON COLUMN checkout.webhook_delivery_request.lease_token IS
    'To present to record_webhook_attempt and release_webhook_delivery.';
COMMENT ON COLUMN checkout.webhook_delivery_request.to_localhost IS
    'True if a url with localhost or a loopback address may be followed: in the test environment, while the database has '
    'one organization and checkout_sessions.webhook_allowed_ranges is empty.';

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
        checkout_data.event_id(d.organization_id, d.environment, d.subject_id, d.sequence),
        webhook_endpoint_id, consumer, o.event_type, d.organization_id, d.environment,
        CASE WHEN o.subject_type OPERATOR(pg_catalog.=) 'checkout_session' THEN d.subject_id END,
        checkout_data.delivery_status(d, receiver_enabled, at),
        d.attempts, d.next_attempt_at, d.delivered_at, d.dead_at, d.last_attempt_at, d.last_status_code, d.last_error,
        d.created_at
    )::checkout.webhook_delivery
    $$;
COMMENT ON FUNCTION checkout_data.delivery_of IS 'Returns a delivery as callers see it at a time.';

CREATE FUNCTION checkout_data.attempt_of(a checkout_data.webhook_attempts) RETURNS checkout.webhook_attempt
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    SELECT ROW(
        checkout_data.event_id(a.organization_id, a.environment, a.subject_id, a.sequence),
        a.receiver_id, a.attempt, a.recorded_at, a.status_code, a.error, a.duration, a.response_body
    )::checkout.webhook_attempt
    $$;
COMMENT ON FUNCTION checkout_data.attempt_of IS 'Returns an attempt as callers see it.';

CREATE FUNCTION checkout_data.webhook_headers(
    signature_scheme text,
    event_id text,
    url text,
    body text,
    secret text,
    previous_secret text,
    at timestamptz
) RETURNS text
    LANGUAGE c IMMUTABLE PARALLEL SAFE
    AS 'MODULE_PATHNAME', 'webhook_headers_wrapper';
COMMENT ON FUNCTION checkout_data.webhook_headers IS
    'Returns the headers of a request to an endpoint as JSON, with the signature. NULL if the url, the body or a '
    'secret is not valid UTF-8.';

CREATE FUNCTION checkout_data.is_utf8(
    text text
) RETURNS boolean
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
    AS 'MODULE_PATHNAME', 'is_utf8_wrapper';
COMMENT ON FUNCTION checkout_data.is_utf8 IS
    'Returns true if a text is valid UTF-8 and not larger than an event can be.';

CREATE FUNCTION checkout_data.deliveries_due() RETURNS void
    LANGUAGE c STRICT
    AS 'MODULE_PATHNAME', 'deliveries_due_wrapper';
COMMENT ON FUNCTION checkout_data.deliveries_due IS
    'Notifies relays, after this transaction has committed, that deliveries are due.';

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

-- for a relay -----------------------------------------------------------------------------------------------------

CREATE FUNCTION checkout.claim_webhook_deliveries(
    batch_size integer DEFAULT 100,
    lease interval DEFAULT '1 minute',
    per_endpoint integer DEFAULT 10,
    in_flight uuid[] DEFAULT '{}',
    except_organizations uuid[] DEFAULT '{}'
) RETURNS SETOF checkout.webhook_delivery_request
    LANGUAGE c SECURITY DEFINER
    SET search_path TO pg_catalog, pg_temp
    SET timezone TO 'UTC'
    -- The index has the due deliveries in order. While statistics lag behind a backlog, the planner would prefer to
    -- sort all of them. A plan that needs a method that is off has so high a cost that it would be compiled.
    SET enable_bitmapscan TO off
    SET enable_seqscan TO off
    SET enable_sort TO off
    SET jit TO off
    AS 'MODULE_PATHNAME', 'claim_webhook_deliveries_wrapper';
COMMENT ON FUNCTION checkout.claim_webhook_deliveries IS
$$For a relay: leases deliveries that are due, of all organizations, and returns the signed requests to send.

Send each body as it is, with its headers, at once. Then call record_webhook_attempt or release_webhook_delivery. A
delivery for which you call neither within the lease is returned again. Delivery is at least once, each time with the
same webhook-id. The next delivery of a session to an endpoint is returned only when the one before it is delivered or
dead.

- batch_size: how many deliveries at most, 1 to 1000.
- lease: 1 second to 12 hours.
- per_endpoint: how many deliveries an endpoint gets at most, 1 to 1000. An endpoint that fails gets one at a time.
- in_flight: for each delivery that the caller still has open, the id of its endpoint. These count towards
  per_endpoint.
- except_organizations: organizations that get nothing, because they have enough deliveries open.

Errors:
- 22003, 22004, 22023: an argument is missing or wrong.$$;

CREATE FUNCTION checkout.record_webhook_attempt(
    event_id text,
    webhook_endpoint_id uuid,
    lease_token uuid,
    status_code integer DEFAULT NULL,
    error text DEFAULT NULL,
    duration interval DEFAULT NULL,
    response_body text DEFAULT NULL,
    retry_after interval DEFAULT NULL
) RETURNS checkout.webhook_delivery
    LANGUAGE c SECURITY DEFINER
    SET search_path TO pg_catalog, pg_temp
    SET timezone TO 'UTC'
    SET enable_seqscan TO off
    AS 'MODULE_PATHNAME', 'record_webhook_attempt_wrapper';
COMMENT ON FUNCTION checkout.record_webhook_attempt IS
$$For a relay: records the result of an attempt, and returns the delivery.

Only a 2xx status is success. After a failure the delivery is due again after 5 seconds, 5 minutes, 30 minutes, 2, 5,
10, 14, 20 and 24 hours, varied by up to a fifth, or after retry_after if the status is 429 or 503 and that is later.
After the tenth attempt the delivery is dead. The endpoint is disabled by a 410, and by a failure after five days
without success. Source: Standard Webhooks 1.0.0.

- event_id, webhook_endpoint_id, lease_token: as returned by claim_webhook_deliveries.
- status_code: the status of the response. NULL: there was no response; error then says why.
- duration: from connecting to the end of the response.
- error, response_body: the first 1,000 characters are stored, and the organization can read them.
- retry_after: from the header Retry-After of the response. At most one day counts.

Errors:
- 22003, 22004, 22023, 22P02: an argument is missing or wrong.
- PT404: the delivery does not exist.
- PT409: the delivery is not leased under this lease_token.$$;

CREATE FUNCTION checkout.record_webhook_attempts(
    attempts jsonb
) RETURNS SETOF checkout.webhook_delivery
    LANGUAGE c SECURITY DEFINER
    SET search_path TO pg_catalog, pg_temp
    SET enable_seqscan TO off
    AS 'MODULE_PATHNAME', 'record_webhook_attempts_wrapper';
COMMENT ON FUNCTION checkout.record_webhook_attempts IS
$$For a relay: records the results of many attempts at once, and returns their deliveries.

Does for each what record_webhook_attempt does, and locks the deliveries in its own order. A delivery that is not leased
under its lease_token does not change and is not returned: another claim has it, or it is gone.

- attempts: an array of at most 1000 objects. Their keys are the arguments of record_webhook_attempt: event_id,
  webhook_endpoint_id and lease_token are required; duration and retry_after are numbers of seconds.

Errors:
- 22003, 22004, 22023, 22P02: attempts, or part of an attempt, is missing or wrong; then none is recorded.$$;

CREATE FUNCTION checkout.release_webhook_delivery(
    event_id text,
    webhook_endpoint_id uuid,
    lease_token uuid
) RETURNS boolean
    LANGUAGE c SECURITY DEFINER
    SET search_path TO pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'release_webhook_delivery_wrapper';
COMMENT ON FUNCTION checkout.release_webhook_delivery IS
$$For a relay: gives a lease back without an attempt, so that the delivery is due at once.

Returns true if the delivery was leased under this lease_token; otherwise false, and nothing changes.

Errors:
- 22004, 22P02: an argument is missing or wrong.$$;

CREATE FUNCTION checkout.next_webhook_attempt_at(
    after timestamptz DEFAULT NULL
) RETURNS timestamptz
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO pg_catalog, pg_temp
    AS $$
    -- From receiver to receiver, of those that wait for something.
    WITH RECURSIVE receiver AS (
        (SELECT d.receiver_id FROM checkout_data.webhook_deliveries d WHERE d.next_attempt_at IS NOT NULL
         ORDER BY d.receiver_id LIMIT 1)
        UNION ALL
        SELECT n.receiver_id
        FROM receiver r,
            LATERAL (
                SELECT d.receiver_id FROM checkout_data.webhook_deliveries d
                WHERE d.next_attempt_at IS NOT NULL AND d.receiver_id > r.receiver_id
                ORDER BY d.receiver_id LIMIT 1) AS n
    )
    SELECT min(due.next_attempt_at)
    FROM receiver r
    JOIN checkout_data.webhook_endpoints p
        ON p.webhook_endpoint_id = r.receiver_id AND p.disabled_at IS NULL AND p.deleted_at IS NULL,
        LATERAL (
            SELECT d.next_attempt_at FROM checkout_data.webhook_deliveries d
            WHERE d.receiver_id = p.webhook_endpoint_id AND d.organization_id = p.organization_id
                AND d.next_attempt_at > (SELECT COALESCE(next_webhook_attempt_at.after, clock_timestamp()))
            ORDER BY d.next_attempt_at LIMIT 1) AS due
    $$;
COMMENT ON FUNCTION checkout.next_webhook_attempt_at IS
$$For a relay: returns the time when the next delivery is due or its lease ends. NULL if there is none.

- after: only times later than this count. Default: now. Pass the time just before a claim that returned fewer
  deliveries than it asked for. With the default, deliveries that became due since that claim would be missed.$$;
