-- The relay: how it takes the deliveries that are due to endpoints, and says what came of them.

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

CREATE FUNCTION checkout_data.deliveries_due() RETURNS void
    LANGUAGE c STRICT
    AS 'MODULE_PATHNAME', 'deliveries_due_wrapper';
COMMENT ON FUNCTION checkout_data.deliveries_due IS
    'Notifies relays, after this transaction has committed, that deliveries are due.';

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
