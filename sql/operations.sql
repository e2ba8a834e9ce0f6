-- For operators: the state of the outbox, dead deliveries, and redelivery.

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

Events that the consumer of claim_webhook_events did not acknowledge are included, without webhook_endpoint_id.

- organization_id: only deliveries of this organization. Default: all organizations.
- webhook_endpoint_id: only deliveries to this endpoint. Default: all endpoints.
- page_size: 1 to 100.
- page_offset: how many deliveries to skip: for operators who page through more than 100 of them.

Errors:
- 22023: an argument is wrong.$$;

CREATE FUNCTION checkout.redeliver_webhook_events(
    event_ids text[] DEFAULT NULL,
    webhook_endpoint_id uuid DEFAULT NULL,
    created_after timestamptz DEFAULT NULL,
    created_before timestamptz DEFAULT NULL,
    status text DEFAULT NULL
) RETURNS integer
    LANGUAGE c SECURITY DEFINER
    SET search_path TO pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'redeliver_webhook_events_wrapper';
COMMENT ON FUNCTION checkout.redeliver_webhook_events IS
$$Makes events due again, and returns the number of deliveries. Their attempts start from the beginning.

A delivery is included if it matches every argument given. One of event_ids, webhook_endpoint_id, created_after and
created_before is required.

- event_ids: these events.
- webhook_endpoint_id: only deliveries to this endpoint. Events of its event_types that are older than the endpoint,
  and were therefore never sent to it, are included.
- created_after (inclusive), created_before (exclusive): when the event was written.
- status: pending, delivered or dead.

Errors:
- 22023, 22P02: an argument is missing or wrong.
- PT404: the endpoint does not exist.$$;

CREATE FUNCTION checkout.outbox_status() RETURNS TABLE (
    organization_id uuid,
    environment text,
    webhook_endpoint_id uuid,
    url text,
    enabled boolean,
    failing_since timestamptz,
    pending bigint,
    leased bigint,
    delivered bigint,
    dead bigint,
    oldest_pending_at timestamptz,
    lag interval
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
    FROM checkout_data.webhook_outbox o,
        LATERAL (SELECT checkout_data.event_status(o, clock_timestamp())) AS state (status)
    WHERE NOT o.fanned_out
    UNION ALL
    (SELECT p.organization_id, p.environment::text, p.webhook_endpoint_id, p.url, p.disabled_at IS NULL,
        p.failing_since,
        count(*) FILTER (WHERE d.status = 'pending'),
        count(*) FILTER (WHERE d.status = 'leased'),
        count(*) FILTER (WHERE d.status = 'delivered'),
        count(*) FILTER (WHERE d.status = 'dead'),
        min(d.created_at) FILTER (WHERE d.status = 'pending'),
        clock_timestamp() - min(d.created_at) FILTER (WHERE d.status = 'pending')
    FROM checkout_data.webhook_endpoints p
    LEFT JOIN (
        SELECT d.*, checkout_data.delivery_status(d, true, clock_timestamp()) AS status
        FROM checkout_data.webhook_deliveries d
    ) d USING (organization_id, environment, webhook_endpoint_id)
    WHERE p.deleted_at IS NULL
    GROUP BY p.organization_id, p.environment, p.webhook_endpoint_id
    ORDER BY min(d.created_at) FILTER (WHERE d.status = 'pending'), p.organization_id, p.environment,
        p.webhook_endpoint_id)
    $$;
COMMENT ON FUNCTION checkout.outbox_status IS
$$For operators: returns the number of pending, leased, delivered and dead deliveries of each endpoint.

Also returns the time since when the oldest has been pending, and for how long. The first row counts the events for
consumers of claim_webhook_events. The other rows are of webhook endpoints, the one with the oldest pending delivery
first.$$;
