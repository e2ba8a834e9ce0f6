-- Activation: a database does work of its own only after it was activated, which a copy of it is not.

-- A row counts as native if it was written to this table of this database: by its oids, and because the row still has the
-- transaction that it says. Whatever loads rows into another table makes rows that are not native: a restore, logical
-- replication, CREATE DATABASE ... TEMPLATE. Whatever keeps the files keeps them native: pg_upgrade, a standby, VACUUM
-- FULL. A database is active if it has a native row and no other.
CREATE TABLE checkout_data.activations (
    activation_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    activated_at timestamptz NOT NULL,
    activated_by text NOT NULL,
    database_oid oid NOT NULL,
    table_oid oid NOT NULL,
    transaction_id xid NOT NULL
);
COMMENT ON TABLE checkout_data.activations IS
    'Says that this database is at work. A row that comes from another database says that it is a copy.';
COMMENT ON COLUMN checkout_data.activations.transaction_id IS
    'The transaction, or subtransaction, that wrote the row: its xmin. It differs if another one loads the row.';

-- for administrators ----------------------------------------------------------------------------------------------

CREATE FUNCTION checkout.activate_database() RETURNS timestamptz
    LANGUAGE c STRICT SECURITY DEFINER
    SET search_path TO pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'activate_database_wrapper';
COMMENT ON FUNCTION checkout.activate_database IS
$$Puts a database to work that was restored or copied, and returns since when it is active.

Until then its worker does nothing, and no event can be claimed: sessions do not expire while a restore is loading rows,
and a copy sends nothing to merchants. Call verify_restore first. Do not call this in a copy for tests.

A database is activated by its first organization if it is new. It stays active when it is upgraded with pg_upgrade, and
when its standby is promoted. In a database that is active this changes nothing, and returns since when.$$;

CREATE FUNCTION checkout.verify_restore() RETURNS TABLE (
    problem text,
    row_count bigint
)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO pg_catalog, pg_temp
    AS $$
    SELECT found.problem, found.row_count
    FROM (
        SELECT 'payments without their session', count(*)
        FROM checkout_data.payments p
        WHERE NOT EXISTS (
            SELECT FROM checkout_data.checkout_sessions s
            WHERE s.organization_id = p.organization_id AND s.environment = p.environment
                AND s.checkout_session_id = p.checkout_session_id)
        UNION ALL
        SELECT 'complete sessions without their payment', count(*)
        FROM checkout_data.checkout_sessions s
        WHERE s.status = 'complete' AND s.payment_status = 'paid' AND NOT EXISTS (
            SELECT FROM checkout_data.payments p
            WHERE p.organization_id = s.organization_id AND p.environment = s.environment
                AND p.payment_id = s.payment_id AND p.checkout_session_id = s.checkout_session_id
                AND p.status = 'succeeded')
        UNION ALL
        SELECT 'succeeded payments whose session is not complete', count(*)
        FROM checkout_data.payments p
        JOIN checkout_data.checkout_sessions s USING (organization_id, environment, checkout_session_id)
        WHERE p.status = 'succeeded' AND s.status <> 'complete'
        UNION ALL
        SELECT 'refunds without their payment', count(*)
        FROM checkout_data.refunds r
        WHERE NOT EXISTS (
            SELECT FROM checkout_data.payments p
            WHERE p.organization_id = r.organization_id AND p.environment = r.environment
                AND p.payment_id = r.payment_id)
        UNION ALL
        SELECT 'payments whose refunds are missing', count(*)
        FROM checkout_data.payments p
        WHERE p.refunded_amount + p.pending_refund_amount > 0
            AND NOT EXISTS (
                SELECT FROM checkout_data.refunds r
                WHERE r.organization_id = p.organization_id AND r.environment = p.environment
                    AND r.payment_id = p.payment_id
                HAVING p.refunded_amount = COALESCE(sum(r.amount) FILTER (WHERE r.status = 'succeeded'), 0)
                    AND p.pending_refund_amount = COALESCE(sum(r.amount) FILTER (WHERE r.status = 'pending'), 0))
        UNION ALL
        SELECT 'sessions that will not expire', count(*)
        FROM checkout_data.checkout_sessions s
        WHERE s.status = 'open' AND checkout_data.deadline(s) > clock_timestamp()
            AND NOT EXISTS (
                SELECT FROM checkout_data.open_sessions o
                WHERE o.organization_id = s.organization_id AND o.environment = s.environment
                    AND o.checkout_session_id = s.checkout_session_id)
        UNION ALL
        SELECT 'open sessions that have ended, or do not exist', count(*)
        FROM checkout_data.open_sessions o
        WHERE NOT EXISTS (
            SELECT FROM checkout_data.checkout_sessions s
            WHERE s.organization_id = o.organization_id AND s.environment = o.environment
                AND s.checkout_session_id = o.checkout_session_id AND s.status = 'open')
        UNION ALL
        -- Those that were deleted since stay counted.
        SELECT 'counted hours that lack sessions', count(*)
        FROM (
            SELECT s.organization_id, s.environment, date_bin('1 hour', s.created_at, 'epoch') AS hour, count(*) AS created
            FROM checkout_data.checkout_sessions s
            JOIN checkout_data.session_folds f
                ON f.organization_id = s.organization_id AND f.environment = s.environment
                AND s.created_at < f.folded_until
            GROUP BY s.organization_id, s.environment, date_bin('1 hour', s.created_at, 'epoch')
        ) AS h
        WHERE h.created > (
                SELECT COALESCE(sum(c.created), 0) FROM checkout_data.session_counts c
                WHERE c.organization_id = h.organization_id AND c.environment = h.environment
                    AND c.dimension = 'none' AND c.unit = '1 hour' AND c.starts_at = h.hour)
            AND NOT EXISTS (
                SELECT FROM checkout_data.uncounted_hours u
                WHERE u.organization_id = h.organization_id AND u.environment = h.environment AND u.hour = h.hour)
        UNION ALL
        SELECT 'idempotency keys without their session', count(*)
        FROM checkout_data.idempotency_keys k
        WHERE NOT EXISTS (
            SELECT FROM checkout_data.checkout_sessions s
            WHERE s.organization_id = k.organization_id AND s.environment = k.environment
                AND s.checkout_session_id = k.checkout_session_id)
        UNION ALL
        SELECT 'sessions without their organization', count(*)
        FROM checkout_data.checkout_sessions s
        WHERE NOT EXISTS (
            SELECT FROM checkout_data.organizations o WHERE o.organization_id = s.organization_id)
        UNION ALL
        SELECT 'API keys without their organization', count(*)
        FROM checkout_data.api_keys k
        WHERE NOT EXISTS (
            SELECT FROM checkout_data.organizations o WHERE o.organization_id = k.organization_id)
        UNION ALL
        SELECT 'API keys without the key that replaced them', count(*)
        FROM checkout_data.api_keys k
        WHERE k.replaced_by IS NOT NULL AND NOT EXISTS (
            SELECT FROM checkout_data.api_keys r WHERE r.api_key_id = k.replaced_by)
        UNION ALL
        SELECT 'webhook endpoints without their organization', count(*)
        FROM checkout_data.webhook_endpoints e
        WHERE NOT EXISTS (
            SELECT FROM checkout_data.organizations o WHERE o.organization_id = e.organization_id)
        UNION ALL
        SELECT 'webhook consumers without their organization', count(*)
        FROM checkout_data.webhook_consumers c
        WHERE c.organization_id IS NOT NULL AND NOT EXISTS (
            SELECT FROM checkout_data.organizations o WHERE o.organization_id = c.organization_id)
        UNION ALL
        SELECT 'hooks without their organization', count(*)
        FROM checkout_data.hooks h
        WHERE NOT EXISTS (
            SELECT FROM checkout_data.organizations o WHERE o.organization_id = h.organization_id)
        UNION ALL
        SELECT 'hooks whose function is missing, or must not be called', count(*)
        FROM checkout_data.hooks h
        WHERE NOT EXISTS (
            SELECT FROM checkout_data.hook_function(h.schema_name, h.function_name) AS f
            WHERE f.owner_name = h.owner_name AND f.fault IS NULL)
        UNION ALL
        SELECT 'failures of hooks without their session', count(*)
        FROM checkout_data.hook_failures f
        WHERE NOT EXISTS (
            SELECT FROM checkout_data.checkout_sessions s
            WHERE s.organization_id = f.organization_id AND s.environment = f.environment
                AND s.checkout_session_id = f.checkout_session_id)
        UNION ALL
        SELECT 'products without their organization', count(*)
        FROM checkout_data.products p
        WHERE NOT EXISTS (
            SELECT FROM checkout_data.organizations o WHERE o.organization_id = p.organization_id)
        UNION ALL
        SELECT 'coupons without their organization', count(*)
        FROM checkout_data.coupons c
        WHERE NOT EXISTS (
            SELECT FROM checkout_data.organizations o WHERE o.organization_id = c.organization_id)
        UNION ALL
        SELECT 'prices without their product', count(*)
        FROM checkout_data.prices c
        WHERE NOT EXISTS (
            SELECT FROM checkout_data.products p
            WHERE p.organization_id = c.organization_id AND p.environment = c.environment
                AND p.product_id = c.product_id)
        UNION ALL
        SELECT 'lines of sessions without their session', count(*)
        FROM checkout_data.session_lines l
        WHERE NOT EXISTS (
            SELECT FROM checkout_data.checkout_sessions s
            WHERE s.organization_id = l.organization_id AND s.environment = l.environment
                AND s.checkout_session_id = l.checkout_session_id)
        UNION ALL
        SELECT 'terms of sessions without their session', count(*)
        FROM checkout_data.session_terms t
        WHERE NOT EXISTS (
            SELECT FROM checkout_data.checkout_sessions s
            WHERE s.organization_id = t.organization_id AND s.environment = t.environment
                AND s.checkout_session_id = t.checkout_session_id)
        UNION ALL
        SELECT 'visits without their session', count(*)
        FROM checkout_data.session_visits v
        WHERE NOT EXISTS (
            SELECT FROM checkout_data.checkout_sessions s
            WHERE s.organization_id = v.organization_id AND s.environment = v.environment
                AND s.checkout_session_id = v.checkout_session_id)
        UNION ALL
        SELECT 'holds without their session', count(*)
        FROM checkout_data.holds h
        WHERE NOT EXISTS (
            SELECT FROM checkout_data.checkout_sessions s
            WHERE s.organization_id = h.organization_id AND s.environment = h.environment
                AND s.checkout_session_id = h.checkout_session_id)
        UNION ALL
        SELECT 'sessions without what they sell', count(*)
        FROM checkout_data.checkout_sessions s
        WHERE s.has_terms AND NOT EXISTS (
            SELECT FROM checkout_data.session_terms t
            JOIN checkout_data.session_lines l USING (organization_id, environment, checkout_session_id)
            WHERE t.organization_id = s.organization_id AND t.environment = s.environment
                AND t.checkout_session_id = s.checkout_session_id)
        UNION ALL
        SELECT 'lines of sessions without their price', count(*)
        FROM checkout_data.session_lines l
        WHERE l.price_id IS NOT NULL AND NOT EXISTS (
            SELECT FROM checkout_data.prices c
            WHERE c.organization_id = l.organization_id AND c.environment = l.environment AND c.price_id = l.price_id)
        UNION ALL
        SELECT 'subscriptions without their price', count(*)
        FROM checkout_data.subscriptions b
        WHERE NOT EXISTS (
            SELECT FROM checkout_data.prices c
            WHERE c.organization_id = b.organization_id AND c.environment = b.environment AND c.price_id = b.price_id)
        UNION ALL
        SELECT 'subscriptions without the session that began them', count(*)
        FROM checkout_data.subscriptions b
        WHERE NOT EXISTS (
            SELECT FROM checkout_data.session_periods p
            JOIN checkout_data.checkout_sessions s USING (organization_id, environment, checkout_session_id)
            WHERE p.organization_id = b.organization_id AND p.environment = b.environment
                AND p.checkout_session_id = b.checkout_session_id AND p.subscription_id = b.subscription_id
                AND s.status = 'complete')
        UNION ALL
        SELECT 'sessions whose subscription is missing', count(*)
        FROM checkout_data.session_periods p
        LEFT JOIN checkout_data.checkout_sessions s USING (organization_id, environment, checkout_session_id)
        LEFT JOIN checkout_data.subscriptions b ON b.organization_id = p.organization_id
            AND b.environment = p.environment AND b.subscription_id = p.subscription_id
        WHERE s.checkout_session_id IS NULL OR b.subscription_id IS NULL AND s.status = 'complete'
        UNION ALL
        SELECT 'stock without its product', count(*)
        FROM checkout_data.inventory i
        WHERE NOT EXISTS (
            SELECT FROM checkout_data.products p
            WHERE p.organization_id = i.organization_id AND p.environment = i.environment
                AND p.product_id = i.product_id)
        UNION ALL
        SELECT 'changes of stock without their product', count(*)
        FROM checkout_data.inventory_changes c
        WHERE NOT EXISTS (
            SELECT FROM checkout_data.products p
            WHERE p.organization_id = c.organization_id AND p.environment = c.environment
                AND p.product_id = c.product_id)
        UNION ALL
        SELECT 'stock that is not the sum of its changes', count(*)
        FROM checkout_data.inventory i
        WHERE i.on_hand <> COALESCE((
            SELECT sum(c.change) FROM checkout_data.inventory_changes c
            WHERE c.organization_id = i.organization_id AND c.environment = i.environment
                AND c.product_id = i.product_id), 0)
        UNION ALL
        -- Events about an endpoint stay when the endpoint is removed.
        SELECT 'events without their session', count(*)
        FROM checkout_data.webhook_outbox o
        WHERE o.subject_type = 'checkout_session' AND NOT EXISTS (
            SELECT FROM checkout_data.checkout_sessions s
            WHERE s.organization_id = o.organization_id AND s.environment = o.environment
                AND s.checkout_session_id = o.subject_id)
        UNION ALL
        SELECT 'events that their session does not count', count(*)
        FROM checkout_data.webhook_outbox o
        JOIN checkout_data.checkout_sessions s
            ON s.organization_id = o.organization_id AND s.environment = o.environment
            AND s.checkout_session_id = o.subject_id
        -- The event of an expiry by the clock is not counted there.
        WHERE o.sequence > s.event_count + CASE WHEN s.status = 'open' THEN 1 ELSE 0 END
        UNION ALL
        SELECT 'events without their payment', count(*)
        FROM checkout_data.webhook_outbox o
        WHERE o.snapshot ? 'payment' AND NOT EXISTS (
            SELECT FROM checkout_data.payments p
            WHERE p.organization_id = o.organization_id AND p.environment = o.environment
                AND p.payment_id = o.snapshot #>> '{payment,payment_id}')
        UNION ALL
        SELECT 'deliveries without their event', count(*)
        FROM checkout_data.webhook_deliveries d
        WHERE NOT EXISTS (
            SELECT FROM checkout_data.webhook_outbox o
            WHERE o.organization_id = d.organization_id AND o.environment = d.environment
                AND o.subject_id = d.subject_id AND o.sequence = d.sequence)
            -- Those of a deleted receiver go some time after their events.
            AND NOT EXISTS (
                SELECT FROM checkout_data.webhook_endpoints e
                WHERE e.organization_id = d.organization_id AND e.environment = d.environment
                    AND e.webhook_endpoint_id = d.receiver_id AND e.deleted_at IS NOT NULL)
            AND NOT EXISTS (
                SELECT FROM checkout_data.webhook_consumers c
                WHERE c.webhook_consumer_id = d.receiver_id AND c.deleted_at IS NOT NULL)
        UNION ALL
        SELECT 'deliveries without their webhook endpoint or consumer', count(*)
        FROM checkout_data.webhook_deliveries d
        WHERE NOT EXISTS (
                SELECT FROM checkout_data.webhook_endpoints e
                WHERE e.organization_id = d.organization_id AND e.environment = d.environment
                    AND e.webhook_endpoint_id = d.receiver_id)
            AND NOT EXISTS (
                SELECT FROM checkout_data.webhook_consumers c WHERE c.webhook_consumer_id = d.receiver_id)
        UNION ALL
        SELECT 'attempts without their delivery', count(*)
        FROM checkout_data.webhook_attempts a
        WHERE NOT EXISTS (
            SELECT FROM checkout_data.webhook_deliveries d
            WHERE d.organization_id = a.organization_id AND d.environment = a.environment
                AND d.receiver_id = a.receiver_id AND d.subject_id = a.subject_id AND d.sequence = a.sequence)
    ) AS found (problem, row_count)
    WHERE found.row_count > 0
    $$;
COMMENT ON FUNCTION checkout.verify_restore IS
$$Returns what is wrong with restored data, and how many rows it concerns. It should return no rows.

It finds rows without the row that they belong to, such as payments without their session, and sessions without what they
sell. It reads every row of almost every table, also on a standby. Call it after a restore, before activate_database. It
cannot find what nothing else tells of: events, of which delivered ones are removed in time, and the stock of a product.$$;
