-- The state of the outbox and dead deliveries, for operators; and redelivery, which organizations may do, too.

CREATE FUNCTION checkout.list_dead_webhook_deliveries(
    organization_id uuid DEFAULT NULL,
    webhook_endpoint_id uuid DEFAULT NULL,
    page_size integer DEFAULT 20,
    page_offset integer DEFAULT 0
) RETURNS SETOF checkout.webhook_delivery
    LANGUAGE c STABLE SECURITY DEFINER PARALLEL RESTRICTED
    SET search_path TO pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'list_dead_webhook_deliveries_wrapper';
COMMENT ON FUNCTION checkout.list_dead_webhook_deliveries IS
$$For operators: returns dead deliveries, the most recent to die first. redeliver_webhook_events makes them due again.

- organization_id: only deliveries of this organization. Default: all organizations.
- webhook_endpoint_id: only deliveries to this endpoint. Default: all endpoints and consumers.
- page_size: 1 to 100.
- page_offset: how many deliveries to skip: for operators who page through more than 100 of them.

Errors:
- 22023: an argument is wrong.$$;

CREATE FUNCTION checkout.redeliver_webhook_events(
    event_ids text[] DEFAULT NULL,
    webhook_endpoint_id uuid DEFAULT NULL,
    created_after timestamptz DEFAULT NULL,
    created_before timestamptz DEFAULT NULL,
    status text DEFAULT NULL,
    webhook_consumer_id uuid DEFAULT NULL
) RETURNS integer
    LANGUAGE c SECURITY DEFINER
    SET search_path TO pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'redeliver_webhook_events_wrapper';
COMMENT ON FUNCTION checkout.redeliver_webhook_events IS
$$Makes events due again, and returns the number of deliveries. Their attempts start from the beginning.

With a secret credential: events of its organization and environment, to the organization's own endpoints and consumers.
For an administrator or a relay without a tenant: events of all organizations, also to the consumers of all.

A delivery is included if it matches every argument given. One of event_ids, webhook_endpoint_id, webhook_consumer_id
and created_after is required.

- event_ids: these events. An operator's call passes over those that do not exist; they may have been purged.
- webhook_endpoint_id, webhook_consumer_id: only deliveries to this endpoint or consumer, at most one of the two.
  Events of its event_types that are older, and therefore never went to it, are included.
- created_after (inclusive), created_before (exclusive): when the event was written.
- status: pending, delivered or dead.

Errors:
- 22023, 22P02: an argument is missing or wrong.
- 28000: the caller is not authenticated.
- 42501 (PT403 in an HTTP request): the credential is publishable or restricted.
- PT404: the endpoint or consumer does not exist or, with a secret credential, one of event_ids.$$;

CREATE FUNCTION checkout.outbox_status() RETURNS TABLE (
    organization_id uuid,
    environment text,
    webhook_endpoint_id uuid,
    url text,
    consumer text,
    enabled boolean,
    failing_since timestamptz,
    pending bigint,
    leased bigint,
    dead bigint,
    oldest_pending_at timestamptz,
    lag interval
)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO pg_catalog, pg_temp
    AS $$
    SELECT r.organization_id, r.environment::text, r.webhook_endpoint_id, r.url, r.consumer, r.enabled,
        r.failing_since,
        count(*) FILTER (WHERE d.status = 'pending'),
        count(*) FILTER (WHERE d.status = 'leased'),
        count(*) FILTER (WHERE d.status = 'dead'),
        min(d.created_at) FILTER (WHERE d.status = 'pending'),
        clock_timestamp() - min(d.created_at) FILTER (WHERE d.status = 'pending')
    FROM checkout_data.webhook_receivers r
    LEFT JOIN (
        -- Each by its own index: delivered ones are many, and are not read.
        SELECT d.receiver_id, d.created_at, checkout_data.delivery_status(d, true, clock_timestamp()) AS status
        FROM checkout_data.webhook_deliveries d WHERE d.next_attempt_at IS NOT NULL
        UNION ALL
        SELECT d.receiver_id, d.created_at, 'dead'
        FROM checkout_data.webhook_deliveries d WHERE d.dead_at IS NOT NULL
    ) AS d USING (receiver_id)
    GROUP BY r.receiver_id, r.organization_id, r.environment, r.webhook_endpoint_id, r.url, r.consumer, r.enabled,
        r.failing_since
    ORDER BY min(d.created_at) FILTER (WHERE d.status = 'pending'), r.organization_id, r.environment, r.receiver_id
    $$;
COMMENT ON FUNCTION checkout.outbox_status IS
$$For operators: returns the number of pending, leased and dead deliveries of each webhook endpoint and consumer.

Also returns the time since when the oldest has been pending, and for how long. The receiver with the oldest pending
delivery comes first. A consumer of all organizations has no organization_id.$$;
