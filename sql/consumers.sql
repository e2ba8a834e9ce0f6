-- Webhook consumers: programs of your own that claim events, and all who receive events.

-- The first column does not say whose a row is: a consumer of all organizations has none.
CREATE TABLE checkout_data.webhook_consumers (
    webhook_consumer_id uuid NOT NULL,
    organization_id uuid,
    environment checkout_data.environment,
    name checkout_data.identifier NOT NULL,
    event_types text[] NOT NULL CHECK (cardinality(event_types) > 0),
    created_at timestamptz NOT NULL,
    created_by text NOT NULL,
    updated_at timestamptz NOT NULL,
    deleted_at timestamptz,
    slot integer NOT NULL CHECK (slot BETWEEN 1 AND 16),
    CONSTRAINT webhook_consumers_tenant_check CHECK ((organization_id IS NULL) = (environment IS NULL))
);
COMMENT ON TABLE checkout_data.webhook_consumers IS
    'The programs that claim events, by name: each of one organization and environment, or of all.';
COMMENT ON COLUMN checkout_data.webhook_consumers.event_types IS
    'Names of events, beginnings of names followed by *, or * for all.';
COMMENT ON COLUMN checkout_data.webhook_consumers.deleted_at IS
    'The worker removes the row and its deliveries an hour later: transactions that are writing events may still see '
    'the consumer.';
COMMENT ON COLUMN checkout_data.webhook_consumers.slot IS
    'A number from 1 to 16, unique among the consumers of a tenant. It limits their number.';
-- A name is unique in its tenant, and among the consumers of all tenants. Serves the consumers of a tenant.
CREATE UNIQUE INDEX webhook_consumers_name_idx
    ON checkout_data.webhook_consumers (organization_id, environment, name) NULLS NOT DISTINCT
    WHERE deleted_at IS NULL;
CREATE UNIQUE INDEX webhook_consumers_slot_idx
    ON checkout_data.webhook_consumers (organization_id, environment, slot) NULLS NOT DISTINCT
    WHERE deleted_at IS NULL;
ALTER TABLE checkout_data.webhook_consumers ADD CONSTRAINT webhook_consumers_pkey
    PRIMARY KEY (webhook_consumer_id);

-- All who receive events. With security_invoker it shows the rows that its reader may see.
CREATE VIEW checkout_data.webhook_receivers WITH (security_invoker = true) AS
    SELECT p.organization_id, p.environment, p.webhook_endpoint_id AS receiver_id,
        p.webhook_endpoint_id, NULL::text AS consumer, p.event_types, p.body_format, p.url,
        p.disabled_at IS NULL AS enabled, p.failing_since
    FROM checkout_data.webhook_endpoints p WHERE p.deleted_at IS NULL
    UNION ALL
    SELECT c.organization_id, c.environment, c.webhook_consumer_id,
        NULL, c.name, c.event_types, 'canonical', NULL, true, NULL
    FROM checkout_data.webhook_consumers c WHERE c.deleted_at IS NULL;
COMMENT ON VIEW checkout_data.webhook_receivers IS
    'Webhook endpoints and consumers. Without organization_id, a consumer of all organizations.';

CREATE TYPE checkout.webhook_consumer AS (
    webhook_consumer_id uuid,
    organization_id uuid,
    environment text,
    name text,
    event_types text[],
    created_at timestamptz,
    created_by text,
    updated_at timestamptz
);
COMMENT ON TYPE checkout.webhook_consumer IS 'A program of your own that claims events by its name.';
COMMENT ON COLUMN checkout.webhook_consumer.organization_id IS
    'The organization whose events it receives. NULL: those of all organizations.';
COMMENT ON COLUMN checkout.webhook_consumer.event_types IS
    'Names of events, beginnings of names followed by *, or * for all.';

CREATE FUNCTION checkout_data.consumer_of(c checkout_data.webhook_consumers) RETURNS checkout.webhook_consumer
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    SELECT ROW(
        c.webhook_consumer_id, c.organization_id, c.environment, c.name, c.event_types, c.created_at, c.created_by,
        c.updated_at
    )::checkout.webhook_consumer
    $$;
COMMENT ON FUNCTION checkout_data.consumer_of IS 'Returns a webhook consumer as callers see it.';

-- for applications and operators ----------------------------------------------------------------------------------
-- A caller with a secret credential acts on the consumers of its organization and environment. Without a tenant, an
-- administrator or a relay acts on those of all organizations.

CREATE FUNCTION checkout.create_webhook_consumer(
    name text,
    event_types text[] DEFAULT '{*}'
) RETURNS checkout.webhook_consumer
    LANGUAGE c SECURITY DEFINER
    SET search_path TO pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'create_webhook_consumer_wrapper';
COMMENT ON FUNCTION checkout.create_webhook_consumer IS
$$Registers a consumer of events by its name, and returns it.

From now on every event of its event_types waits for it, until it claims the event with claim_webhook_events. With a
secret credential the consumer receives the events of its organization and environment; of an administrator without a
tenant, those of all organizations. Consumers and webhook endpoints take nothing from one another. If the name is
registered already, its event_types are changed.

- name: 1 to 255 characters.
- event_types: names of events (checkout.session.completed), beginnings of names followed by * (checkout.session.*),
  or * for all.

Errors:
- 22004, 22023: an argument is missing or wrong.
- 28000: the caller is not authenticated.
- 42501 (PT403 in an HTTP request): the credential is publishable or restricted.
- PT409: there are 16 consumers already.$$;

CREATE FUNCTION checkout.list_webhook_consumers() RETURNS SETOF checkout.webhook_consumer
    LANGUAGE c STABLE STRICT SECURITY DEFINER PARALLEL RESTRICTED
    SET search_path TO pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'list_webhook_consumers_wrapper';
COMMENT ON FUNCTION checkout.list_webhook_consumers IS
$$Returns the consumers of the caller's organization and environment, oldest first.

For an administrator or a relay without a tenant: the consumers of all organizations' events.

Errors:
- 28000: the caller is not authenticated.
- 42501 (PT403 in an HTTP request): the credential is publishable.$$;

CREATE FUNCTION checkout.delete_webhook_consumer(
    name text,
    discard_undelivered boolean DEFAULT false
) RETURNS checkout.webhook_consumer
    LANGUAGE c SECURITY DEFINER
    SET search_path TO pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'delete_webhook_consumer_wrapper';
COMMENT ON FUNCTION checkout.delete_webhook_consumer IS
$$Removes a consumer with its deliveries, and returns it.

- discard_undelivered: must be true if there are events that the consumer has not acknowledged yet.

Errors:
- 22004: an argument is missing.
- 28000: the caller is not authenticated.
- 42501 (PT403 in an HTTP request): the credential is publishable or restricted.
- PT404: the consumer does not exist.
- PT409: the consumer has undelivered events.$$;

CREATE FUNCTION checkout.claim_webhook_events(
    consumer text,
    batch_size integer DEFAULT 100,
    lease interval DEFAULT '1 minute'
) RETURNS SETOF checkout.webhook_event
    LANGUAGE c SECURITY DEFINER
    SET search_path TO pg_catalog, pg_temp
    SET timezone TO 'UTC'
    SET enable_bitmapscan TO off
    SET enable_seqscan TO off
    SET enable_sort TO off
    SET jit TO off
    AS 'MODULE_PATHNAME', 'claim_webhook_events_wrapper';
COMMENT ON FUNCTION checkout.claim_webhook_events IS
$$Leases events that are due for a consumer, and returns them with their body and lease_token.

If you send them on, send each body as it is, with event_id as webhook-id. Then call ack_webhook_events or
nack_webhook_event. An event for which you call neither within the lease is returned again; after 10 claims it is dead.
Delivery is at least once. The next event of a session is returned only when the one before it is delivered or dead.

- consumer: the name given to create_webhook_consumer.
- batch_size: how many events at most, 1 to 1000.
- lease: 1 second to 12 hours.

Errors:
- 22003, 22004, 22023: an argument is missing or wrong.
- 28000: the caller is not authenticated.
- 42501 (PT403 in an HTTP request): the credential is publishable or restricted.
- PT404: the consumer does not exist.$$;

CREATE FUNCTION checkout.ack_webhook_events(
    consumer text,
    event_ids text[],
    lease_token uuid
) RETURNS integer
    LANGUAGE c SECURITY DEFINER
    SET search_path TO pg_catalog, pg_temp
    SET enable_seqscan TO off
    AS 'MODULE_PATHNAME', 'ack_webhook_events_wrapper';
COMMENT ON FUNCTION checkout.ack_webhook_events IS
$$Marks events that a consumer has leased as delivered, and returns how many it marked.

Events that are not leased under this lease_token, for example because they were claimed again, do not change.

- consumer: the name given to create_webhook_consumer.
- event_ids, lease_token: as returned by claim_webhook_events.

Errors:
- 22004: an argument is missing.
- 22P02: an element of event_ids is not the id of an event.
- 28000: the caller is not authenticated.
- 42501 (PT403 in an HTTP request): the credential is publishable or restricted.
- PT404: the consumer does not exist.$$;

CREATE FUNCTION checkout.nack_webhook_event(
    consumer text,
    event_id text,
    lease_token uuid,
    error text DEFAULT NULL,
    retry_after interval DEFAULT NULL
) RETURNS checkout.webhook_delivery
    LANGUAGE c SECURITY DEFINER
    SET search_path TO pg_catalog, pg_temp
    SET enable_seqscan TO off
    AS 'MODULE_PATHNAME', 'nack_webhook_event_wrapper';
COMMENT ON FUNCTION checkout.nack_webhook_event IS
$$Reports that a consumer could not deliver an event that it has leased, and returns the delivery.

The event is due again after retry_after or, by default, after 5 seconds, 5 minutes, 30 minutes, 2, 5, 10, 14, 20 and
24 hours, varied by up to a fifth (source: Standard Webhooks 1.0.0). After the tenth attempt it is dead.

- consumer: the name given to create_webhook_consumer.
- event_id, lease_token: as returned by claim_webhook_events.
- error: the reason, stored in last_error.
- retry_after: when to try again, 0 to 30 days.

Errors:
- 22003, 22004, 22023, 22P02: an argument is missing or wrong.
- 28000: the caller is not authenticated.
- 42501 (PT403 in an HTTP request): the credential is publishable or restricted.
- PT404: the consumer or the event does not exist.
- PT409: the event is not leased under this lease_token.$$;
