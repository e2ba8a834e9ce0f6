-- The invariants, which hold at any time. There is a row for each violation, so there should be none.
-- To be run by a superuser, who sees every tenant. Events that were delivered outbox_retention ago may be purged: only
-- sessions that changed since then must have all of their events.
WITH retention (minutes) AS (
    SELECT COALESCE((SELECT setting::integer FROM pg_settings WHERE name = 'checkout_sessions.outbox_retention'),
        30 * 24 * 60)
), session AS (
    -- A session that is stored as open, and is not among the open sessions, has been swept: it is expired, or failed,
    -- since its deadline, and the event of that comes on top.
    SELECT s.organization_id, s.environment, s.checkout_session_id, s.amount, s.currency_code, s.payment_id,
        s.completed_at, s.expires_at, s.created_with, s.reference_policy, s.metadata, s.recovered_from, s.attempts,
        s.max_retry_attempts, x.swept, x.deadline,
        CASE WHEN x.swept THEN checkout_data.ends_as(s) ELSE s.status END AS status,
        CASE WHEN x.swept THEN 'unpaid' ELSE s.payment_status END AS payment_status,
        CASE WHEN NOT x.swept THEN s.lease_expires_at END AS lease_expires_at,
        s.event_count + x.swept::integer AS event_count, y.updated_at,
        retention.minutes < 0 OR y.updated_at > now() - retention.minutes * interval '1 minute' AS has_all_events
    FROM retention, checkout_data.checkout_sessions s
    LEFT JOIN checkout_data.open_sessions o USING (organization_id, environment, checkout_session_id)
    CROSS JOIN LATERAL (
        SELECT s.status = 'open' AND o.deadline IS NULL, checkout_data.deadline(s)
    ) AS x (swept, deadline)
    CROSS JOIN LATERAL (SELECT CASE WHEN x.swept THEN x.deadline ELSE s.updated_at END) AS y (updated_at)
), event AS (
    SELECT o.*, o.subject_id AS checkout_session_id, o.snapshot #>> '{payment,payment_id}' AS payment_id,
        substring(o.event_type FROM 'checkout\.session\.(.*)') AS kind, o.snapshot -> 'webhook_endpoint' AS endpoint
    FROM checkout_data.webhook_outbox o
), events AS (
    SELECT organization_id, environment, checkout_session_id,
        count(*) AS count, max(sequence) AS last,
        array_agg(kind) FILTER (WHERE kind IN ('completed', 'expired', 'failed')) AS terminal
    FROM event WHERE subject_type = 'checkout_session' GROUP BY 1, 2, 3
), receiver AS (
    SELECT webhook_endpoint_id AS receiver_id, organization_id, environment, created_at, deleted_at, true AS is_endpoint
    FROM checkout_data.webhook_endpoints
    UNION ALL
    SELECT webhook_consumer_id, organization_id, environment, created_at, deleted_at, false
    FROM checkout_data.webhook_consumers
), delivery AS (
    SELECT d.*, d.subject_id AS checkout_session_id, r.is_endpoint, r.created_at AS receiver_created_at,
        r.deleted_at IS NOT NULL AS is_remains,
        -- A consumer of all organizations has none.
        r.receiver_id IS NOT NULL AND COALESCE(r.organization_id = d.organization_id AND r.environment = d.environment,
            NOT r.is_endpoint) AS has_receiver,
        (SELECT array_agg(a.attempt::integer ORDER BY a.attempt) FROM checkout_data.webhook_attempts a
         WHERE (a.organization_id, a.environment, a.receiver_id, a.subject_id, a.sequence)
             = (d.organization_id, d.environment, d.receiver_id, d.subject_id, d.sequence)) AS numbers
    FROM checkout_data.webhook_deliveries d LEFT JOIN receiver r USING (receiver_id)
), payments AS (
    SELECT organization_id, environment, checkout_session_id,
        count(*) FILTER (WHERE status = 'succeeded') AS succeeded, min(created_at) AS first_created_at
    FROM checkout_data.payments GROUP BY 1, 2, 3
), violation (what, organization_id, environment, checkout_session_id) AS (

    -- money
    SELECT 'complete without exactly one succeeded payment', organization_id, environment, checkout_session_id
    FROM session LEFT JOIN payments USING (organization_id, environment, checkout_session_id)
    WHERE status = 'complete'
        AND COALESCE(succeeded, 0) <> CASE payment_status WHEN 'no_payment_required' THEN 0 ELSE 1 END
    UNION ALL
    SELECT 'payment succeeded, and its session does not say so', p.organization_id, p.environment, p.checkout_session_id
    FROM checkout_data.payments p LEFT JOIN session s USING (organization_id, environment, checkout_session_id)
    WHERE p.status = 'succeeded'
        AND (s.status, s.payment_id, s.amount, s.currency_code)
            IS DISTINCT FROM ('complete', p.payment_id, p.amount, p.currency_code)
    UNION ALL
    SELECT 'payment for no session of its tenant', p.organization_id, p.environment, p.checkout_session_id
    FROM checkout_data.payments p LEFT JOIN session s USING (organization_id, environment, checkout_session_id)
    WHERE s.checkout_session_id IS NULL
    UNION ALL
    SELECT 'rejected payment without its event', p.organization_id, p.environment, p.checkout_session_id
    FROM checkout_data.payments p JOIN session s USING (organization_id, environment, checkout_session_id)
    WHERE p.status = 'rejected' AND s.has_all_events AND NOT EXISTS (
        SELECT FROM event e
        WHERE e.organization_id = p.organization_id AND e.environment = p.environment
            AND e.checkout_session_id = p.checkout_session_id AND e.payment_id = p.payment_id
                AND e.kind = 'payment_rejected')
    UNION ALL
    SELECT 'event tells of a payment of another session', e.organization_id, e.environment, e.checkout_session_id
    FROM event e JOIN checkout_data.payments p USING (organization_id, environment, payment_id)
    WHERE e.checkout_session_id NOT IN (p.checkout_session_id, COALESCE(p.applied_from, p.checkout_session_id))
    UNION ALL
    SELECT 'payment whose sums are not those of its refunds', p.organization_id, p.environment, p.checkout_session_id
    FROM checkout_data.payments p, LATERAL (
        SELECT COALESCE(sum(r.amount) FILTER (WHERE r.status = 'succeeded'), 0),
            COALESCE(sum(r.amount) FILTER (WHERE r.status = 'pending'), 0)
        FROM checkout_data.refunds r
        WHERE (r.organization_id, r.environment, r.payment_id) = (p.organization_id, p.environment, p.payment_id)
    ) AS r (succeeded, pending)
    WHERE (p.refunded_amount, p.pending_refund_amount) <> (r.succeeded, r.pending)
        OR r.succeeded + r.pending > GREATEST(p.amount, 0,
            CASE WHEN p.reported_currency_code = p.currency_code THEN p.reported_amount END)
    UNION ALL
    SELECT 'attempt that is counted twice', p.organization_id, p.environment, p.checkout_session_id
    FROM checkout_data.payments p
    WHERE cardinality(p.attempt_ids) <> (SELECT count(DISTINCT id) FROM unnest(p.attempt_ids) AS id)
    UNION ALL
    SELECT 'refund of no payment', r.organization_id, r.environment, NULL
    FROM checkout_data.refunds r LEFT JOIN checkout_data.payments p USING (organization_id, environment, payment_id)
    WHERE p.payment_id IS NULL OR p.currency_code <> r.currency_code
    UNION ALL
    SELECT 'refund that has ended without its event', p.organization_id, p.environment, p.checkout_session_id
    FROM checkout_data.refunds r
    JOIN checkout_data.payments p USING (organization_id, environment, payment_id)
    JOIN session s USING (organization_id, environment, checkout_session_id)
    WHERE r.status <> 'pending' AND s.has_all_events AND p.applied_from IS NULL AND NOT EXISTS (
        SELECT FROM event e
        WHERE (e.organization_id, e.environment, e.checkout_session_id)
                = (p.organization_id, p.environment, p.checkout_session_id)
            AND e.snapshot #>> '{refund,refund_id}' = r.refund_id
            AND e.kind = CASE r.status WHEN 'succeeded' THEN 'refunded' ELSE 'refund_failed' END)
    UNION ALL
    SELECT 'payment that was applied, and the session that had rejected it does not say so', p.organization_id,
        p.environment, p.applied_from
    FROM checkout_data.payments p
    LEFT JOIN session s ON (s.organization_id, s.environment, s.checkout_session_id)
        = (p.organization_id, p.environment, p.applied_from)
    WHERE p.applied_from IS NOT NULL AND (p.status <> 'succeeded' OR s.status IS NULL
        OR s.has_all_events AND NOT EXISTS (
            SELECT FROM event e
            WHERE (e.organization_id, e.environment, e.checkout_session_id)
                    = (p.organization_id, p.environment, p.applied_from)
                AND e.payment_id = p.payment_id AND e.kind = 'payment_applied'))

    -- time: only a payment that had begun before expires_at holds a session open
    UNION ALL
    SELECT 'complete after the deadline', organization_id, environment, checkout_session_id
    FROM session JOIN payments USING (organization_id, environment, checkout_session_id)
    WHERE completed_at >= expires_at AND first_created_at >= expires_at
    UNION ALL
    SELECT 'expired, and before its time told', s.organization_id, s.environment, s.checkout_session_id
    FROM session s JOIN event e USING (organization_id, environment, checkout_session_id)
    WHERE e.kind = 'expired' AND e.created_at < s.updated_at
    UNION ALL
    SELECT 'overdue for a minute, and a launcher is there', organization_id, environment, checkout_session_id
    FROM session
    WHERE status = 'open' AND deadline < statement_timestamp() - interval '1 minute'
        AND EXISTS (
            SELECT FROM pg_stat_activity
            WHERE backend_type = 'checkout_sessions launcher'
                AND backend_start < statement_timestamp() - interval '1 minute')
        AND current_setting('checkout_sessions.worker_enabled', true) = 'on'
        AND (SELECT state FROM checkout.worker_status()) <> 'inactive'
    UNION ALL
    SELECT 'swept before its deadline', organization_id, environment, checkout_session_id
    FROM session WHERE swept AND deadline > clock_timestamp()
    UNION ALL
    SELECT 'open session that has ended, or that is no session', o.organization_id, o.environment, o.checkout_session_id
    FROM checkout_data.open_sessions o LEFT JOIN session s USING (organization_id, environment, checkout_session_id)
    WHERE s.status IS DISTINCT FROM 'open'
    UNION ALL
    SELECT 'open session that says something else than its session', o.organization_id, o.environment,
        o.checkout_session_id
    FROM checkout_data.open_sessions o
    JOIN checkout_data.checkout_sessions s USING (organization_id, environment, checkout_session_id)
    WHERE (o.deadline, o.fails_at_deadline, o.event_count, o.reference, o.created_by) IS DISTINCT FROM (
        checkout_data.deadline(s), s.attempts > s.max_retry_attempts, s.event_count,
        CASE WHEN s.reference_policy = 'open' THEN s.reference END,
        CASE WHEN s.created_with = 'publishable' AND s.recovered_from IS NULL THEN s.created_by END)
    UNION ALL
    SELECT 'processing without a lease', organization_id, environment, checkout_session_id
    FROM session WHERE (payment_status = 'processing') <> (lease_expires_at IS NOT NULL)
    UNION ALL
    SELECT 'lease that no processing payment holds', s.organization_id, s.environment, s.checkout_session_id
    FROM session s
    WHERE s.lease_expires_at IS NOT NULL AND NOT EXISTS (
        SELECT FROM checkout_data.payments p
        WHERE p.organization_id = s.organization_id AND p.environment = s.environment
            AND p.checkout_session_id = s.checkout_session_id AND p.status = 'processing'
            AND p.lease_expires_at = s.lease_expires_at)

    -- states and events
    UNION ALL
    SELECT 'failed with retries left, or open with none and no lease', organization_id, environment,
        checkout_session_id
    FROM session
    WHERE status = 'failed' AND attempts <= max_retry_attempts OR attempts > max_retry_attempts + 1
        OR status = 'open' AND attempts > max_retry_attempts AND lease_expires_at IS NULL
    UNION ALL
    SELECT 'final without exactly one event of its kind', organization_id, environment, checkout_session_id
    FROM session LEFT JOIN events USING (organization_id, environment, checkout_session_id)
    WHERE status <> 'open' AND (has_all_events OR terminal IS NOT NULL)
        AND terminal IS DISTINCT FROM ARRAY[CASE status WHEN 'complete' THEN 'completed' ELSE status END]
    UNION ALL
    SELECT 'open with a final event', organization_id, environment, checkout_session_id
    FROM session JOIN events USING (organization_id, environment, checkout_session_id)
    WHERE status = 'open' AND terminal IS NOT NULL
    UNION ALL
    SELECT 'an event after the final one that changes the session', e.organization_id, e.environment,
        e.checkout_session_id
    FROM event e JOIN event final USING (organization_id, environment, checkout_session_id)
    WHERE final.kind IN ('completed', 'expired', 'failed') AND e.sequence > final.sequence
        AND e.kind NOT IN ('payment_rejected', 'payment_applied', 'refunded', 'refund_failed')
    UNION ALL
    SELECT 'event without a session', organization_id, environment, checkout_session_id
    FROM events LEFT JOIN session s USING (organization_id, environment, checkout_session_id)
    WHERE s.status IS NULL
    UNION ALL
    SELECT 'events do not go from 1 to event_count', organization_id, environment, checkout_session_id
    FROM session LEFT JOIN events USING (organization_id, environment, checkout_session_id)
    WHERE COALESCE(last, 0) > event_count
        OR has_all_events AND (COALESCE(count, 0), COALESCE(last, 0)) <> (event_count, event_count)

    -- webhooks
    UNION ALL
    SELECT 'event that tells of another thing than it is about', organization_id, environment, checkout_session_id
    FROM event
    WHERE (subject_type = 'checkout_session') <> (kind IS NOT NULL)
        OR (subject_type = 'webhook_endpoint') <> (endpoint IS NOT NULL)
        OR endpoint ->> 'webhook_endpoint_id' <> subject_id::text OR endpoint ? 'secret'
        OR (subject_type = 'subscription') <> (event_type LIKE 'subscription.%')
        OR (subject_type = 'subscription') <> (snapshot -> 'subscription' IS NOT NULL)
        OR snapshot #>> '{subscription,subscription_id}' <> subject_id::text
        OR (subject_type = 'organization') <> (event_type = 'requests.failing')
        OR (subject_type = 'organization') <> (snapshot #>> '{organization,organization_id}' IS NOT NULL)
        OR subject_type = 'organization' AND subject_id <> organization_id
        OR snapshot #>> '{payment,checkout_session_id}' <> subject_id::text AND kind <> 'payment_applied'
    UNION ALL
    SELECT 'event that does not tell how its session was', organization_id, environment, checkout_session_id
    FROM event
    -- The clock has failed a session if there is none.
    WHERE (kind IS NULL OR kind = 'expired') <> (snapshot -> 'session' IS NULL)
            AND NOT (kind = 'failed' AND snapshot IS NULL)
        OR snapshot -> 'session' IS NOT NULL AND num_nulls(
            snapshot #>> '{session,status}', (snapshot #>> '{session,attempts}')::integer) > 0
        OR (kind NOT IN ('expired', 'expiring', 'cancelled')) <> (payment_id IS NOT NULL) AND kind <> 'failed'
            -- Nothing was due.
            AND NOT (kind = 'completed' AND COALESCE((snapshot #>> '{session,amount}')::numeric = 0, false))
        OR (kind = 'cancelled') <> (snapshot -> 'cancellation' IS NOT NULL)
        OR (kind IN ('refunded', 'refund_failed')) <> (snapshot -> 'refund' IS NOT NULL)
        OR kind = 'completed' AND snapshot #>> '{session,status}' <> 'complete'
    UNION ALL
    SELECT 'events of an endpoint do not go from 1 to event_count', p.organization_id, p.environment,
        p.webhook_endpoint_id
    FROM retention, checkout_data.webhook_endpoints p
    LEFT JOIN event e ON e.organization_id = p.organization_id AND e.environment = p.environment
        AND e.subject_id = p.webhook_endpoint_id
    WHERE retention.minutes < 0 OR p.created_at > now() - retention.minutes * interval '1 minute'
    GROUP BY p.organization_id, p.environment, p.webhook_endpoint_id
    HAVING (count(e.sequence), COALESCE(max(e.sequence), 0)) <> (p.event_count, p.event_count)
    UNION ALL
    SELECT 'alert without its event, or the other way round', COALESCE(a.organization_id, e.organization_id),
        COALESCE(a.environment, e.environment), NULL::uuid
    FROM retention CROSS JOIN checkout_data.request_alerts a
    FULL JOIN (SELECT organization_id, environment, max(sequence) AS last FROM event
        WHERE subject_type = 'organization' GROUP BY 1, 2) AS e USING (organization_id, environment)
    WHERE e.last IS DISTINCT FROM a.event_count
        AND COALESCE(retention.minutes < 0 OR a.alerted_at > now() - retention.minutes * interval '1 minute', true)
    UNION ALL
    -- What remains of a deleted receiver keeps no event.
    SELECT 'delivery of no event', d.organization_id, d.environment, d.checkout_session_id
    FROM delivery d LEFT JOIN event e USING (organization_id, environment, subject_id, sequence)
    WHERE e.subject_id IS NULL AND NOT d.is_remains AND d.last_error IS DISTINCT FROM 'its event is gone'
        OR d.created_at <> e.created_at
    UNION ALL
    SELECT 'delivery to no receiver of its tenant, or to that which it is about', organization_id, environment,
        checkout_session_id
    FROM delivery WHERE NOT has_receiver OR receiver_id = subject_id
    UNION ALL
    SELECT 'delivery in no state, or in more than one', organization_id, environment, checkout_session_id
    FROM delivery
    WHERE num_nonnulls(next_attempt_at, delivered_at, dead_at) <> 1
        OR lease_token IS NOT NULL AND next_attempt_at IS NULL
    UNION ALL
    SELECT 'delivery that ended without an attempt', organization_id, environment, checkout_session_id
    FROM delivery
    WHERE next_attempt_at IS NULL AND (attempts = 0 OR last_attempt_at IS NULL OR CASE WHEN is_endpoint
            THEN last_attempt_at IS DISTINCT FROM COALESCE(delivered_at, dead_at)
                OR (delivered_at IS NOT NULL) <> (COALESCE(last_status_code, 0) BETWEEN 200 AND 299)
            -- A consumer has claimed it before.
            ELSE last_attempt_at > COALESCE(delivered_at, dead_at) OR last_status_code IS NOT NULL END)
        -- Except for deliveries that could not be sent, which say why.
        AND (dead_at IS NOT NULL AND last_error ~ '^its (event|session|body)') IS NOT TRUE
    UNION ALL
    SELECT 'delivery that is tried more than ten times', organization_id, environment, checkout_session_id
    FROM delivery
    WHERE attempts > 10 OR attempts = 10 AND next_attempt_at IS NOT NULL AND is_endpoint OR attempts > attempts_ever
    UNION ALL
    SELECT 'attempts do not go from 1 to attempts_ever', organization_id, environment, checkout_session_id
    FROM delivery
    WHERE COALESCE(numbers, '{}')
        <> ARRAY(SELECT generate_series(1, CASE WHEN is_endpoint THEN attempts_ever ELSE 0 END))
    UNION ALL
    SELECT 'delivery that went before the one before it', later.organization_id, later.environment,
        later.checkout_session_id
    FROM delivery later
    JOIN delivery earlier USING (organization_id, environment, receiver_id, subject_id)
    -- An event that is older than its receiver was redelivered, and may come later.
    WHERE earlier.sequence < later.sequence AND earlier.attempts_ever = 0 AND later.attempts_ever > 0
        AND earlier.next_attempt_at IS NOT NULL AND earlier.created_at >= earlier.receiver_created_at
    UNION ALL
    SELECT 'endpoint that is disabled without a reason, or for one that it does not have', organization_id, environment,
        webhook_endpoint_id
    FROM checkout_data.webhook_endpoints
    WHERE (disabled_at IS NULL) <> (disabled_reason IS NULL)
        OR disabled_reason IN ('gone', 'failing') AND failing_since IS NULL
    UNION ALL
    SELECT 'endpoint or consumer without an organization', r.organization_id, r.environment, r.receiver_id
    FROM receiver r LEFT JOIN checkout_data.organizations o USING (organization_id)
    WHERE o.organization_id IS NULL AND (r.is_endpoint OR r.organization_id IS NOT NULL)

    -- the catalog
    UNION ALL
    SELECT 'price, stock or change of stock without a product of its tenant', r.organization_id, r.environment,
        NULL::uuid
    FROM (
        SELECT organization_id, environment, product_id FROM checkout_data.prices
        UNION ALL SELECT organization_id, environment, product_id FROM checkout_data.inventory
        UNION ALL SELECT organization_id, environment, product_id FROM checkout_data.inventory_changes
    ) AS r LEFT JOIN checkout_data.products p USING (organization_id, environment, product_id)
    WHERE p.product_id IS NULL
    UNION ALL
    SELECT 'product or coupon without an organization', r.organization_id, r.environment, NULL::uuid
    FROM (
        SELECT organization_id, environment FROM checkout_data.products
        UNION ALL SELECT organization_id, environment FROM checkout_data.coupons
    ) AS r LEFT JOIN checkout_data.organizations o USING (organization_id)
    WHERE o.organization_id IS NULL
    UNION ALL
    SELECT 'price that is a default and archived', organization_id, environment, NULL::uuid
    FROM checkout_data.prices WHERE is_default AND NOT active
    UNION ALL
    SELECT 'stock that is not the sum of its changes', p.organization_id, p.environment, NULL::uuid
    FROM checkout_data.products p
    LEFT JOIN checkout_data.inventory i USING (organization_id, environment, product_id)
    LEFT JOIN checkout_data.inventory_changes c USING (organization_id, environment, product_id)
    GROUP BY p.organization_id, p.environment, p.product_id, i.on_hand
    HAVING COALESCE(i.on_hand, 0) <> COALESCE(sum(c.change), 0)

    -- what sessions sell
    UNION ALL
    SELECT 'terms that are not those of their session', organization_id, environment, checkout_session_id
    FROM checkout_data.checkout_sessions s
    FULL JOIN checkout_data.session_terms t USING (organization_id, environment, checkout_session_id)
    WHERE (t.amount IS NOT NULL) <> COALESCE(s.has_terms, false) OR t.amount <> s.amount
    UNION ALL
    SELECT 'lines that are not the sums of their session', organization_id, environment, checkout_session_id
    FROM checkout_data.session_terms t
    FULL JOIN (
        SELECT organization_id, environment, checkout_session_id,
            sum(subtotal) FILTER (WHERE kind = 'item') AS subtotal,
            sum(discount) AS discount, sum(subtotal - discount) AS total
        FROM checkout_data.session_lines GROUP BY 1, 2, 3
    ) AS l USING (organization_id, environment, checkout_session_id)
    WHERE (t.subtotal, t.discount, t.amount) IS DISTINCT FROM (COALESCE(l.subtotal, 0), l.discount, l.total)
    UNION ALL
    SELECT 'visit of no session of its tenant', v.organization_id, v.environment, v.checkout_session_id
    FROM checkout_data.session_visits v
    LEFT JOIN checkout_data.checkout_sessions s USING (organization_id, environment, checkout_session_id)
    WHERE s.checkout_session_id IS NULL OR v.first_opened_at < s.created_at OR v.cancelled_at < s.created_at
    UNION ALL
    SELECT 'subscription whose paid sessions do not make it', b.organization_id, b.environment, b.subscription_id
    FROM checkout_data.subscriptions b
    WHERE b.periods_paid + CASE WHEN b.trial_end IS NULL THEN 0 ELSE 1 END <> (
        SELECT count(*) FROM checkout_data.session_periods p
        JOIN checkout_data.checkout_sessions s USING (organization_id, environment, checkout_session_id)
        WHERE p.organization_id = b.organization_id AND p.environment = b.environment
            AND p.subscription_id = b.subscription_id AND s.status = 'complete')
    UNION ALL
    SELECT 'complete session without its subscription', p.organization_id, p.environment, p.checkout_session_id
    FROM checkout_data.session_periods p
    LEFT JOIN checkout_data.checkout_sessions s USING (organization_id, environment, checkout_session_id)
    LEFT JOIN checkout_data.subscriptions b ON b.organization_id = p.organization_id
        AND b.environment = p.environment AND b.subscription_id = p.subscription_id
    WHERE s.checkout_session_id IS NULL OR s.subscription_id <> p.subscription_id::text
        OR b.subscription_id IS NULL AND s.status = 'complete'
    UNION ALL
    SELECT 'period that was paid twice', p.organization_id, p.environment, min(p.checkout_session_id::text)::uuid
    FROM checkout_data.session_periods p
    JOIN checkout_data.checkout_sessions s USING (organization_id, environment, checkout_session_id)
    WHERE s.status = 'complete'
    GROUP BY p.organization_id, p.environment, p.subscription_id, p.period_start HAVING count(*) > 1
    UNION ALL
    SELECT 'open session that renews another subscription than it says', o.organization_id, o.environment,
        o.checkout_session_id
    FROM checkout_data.open_sessions o
    LEFT JOIN checkout_data.session_periods p USING (organization_id, environment, checkout_session_id)
    WHERE o.renews IS DISTINCT FROM CASE WHEN p.period_start IS NOT NULL THEN p.subscription_id END
    UNION ALL
    SELECT 'events of a subscription do not go from 1 to event_count', b.organization_id, b.environment,
        b.subscription_id
    FROM retention, checkout_data.subscriptions b
    LEFT JOIN event e ON e.organization_id = b.organization_id AND e.environment = b.environment
        AND e.subject_id = b.subscription_id
    WHERE retention.minutes < 0 OR b.created_at > now() - retention.minutes * interval '1 minute'
    GROUP BY b.organization_id, b.environment, b.subscription_id
    HAVING (count(e.sequence), COALESCE(max(e.sequence), 0)) <> (b.event_count, b.event_count)
    UNION ALL
    SELECT 'failure of a hook of no session of its tenant', f.organization_id, f.environment, f.checkout_session_id
    FROM checkout_data.hook_failures f
    LEFT JOIN checkout_data.checkout_sessions s USING (organization_id, environment, checkout_session_id)
    WHERE s.checkout_session_id IS NULL OR f.created_at < s.created_at
    UNION ALL
    SELECT 'entry of the log without who did it', l.organization_id, l.environment, l.admin_log_id
    FROM checkout_data.admin_log l
    WHERE l.role = '' OR l.session_role = '' OR l.action ~ '^(api_key|webhook_endpoint)' AND l.environment IS NULL
    UNION ALL
    SELECT 'secret in the log', l.organization_id, l.environment, l.admin_log_id
    FROM checkout_data.admin_log l
    WHERE l.changes::text ~ '(sk|pk|rk)_(live|test)_[0-9A-Za-z]{20}|whsec_' OR l.changes::jsonb ?| ARRAY['secret',
        'api_key']
    UNION ALL
    SELECT 'hook without an organization', h.organization_id, NULL::text, NULL::uuid
    FROM checkout_data.hooks h LEFT JOIN checkout_data.organizations o USING (organization_id)
    WHERE o.organization_id IS NULL
    UNION ALL
    SELECT 'counted hour that lacks sessions', h.organization_id, h.environment, NULL::uuid
    FROM (
        SELECT organization_id, environment, date_bin('1 hour', created_at, 'epoch') AS hour, count(*) AS created
        FROM checkout_data.checkout_sessions s JOIN checkout_data.session_folds f USING (organization_id, environment)
        WHERE s.created_at < f.folded_until GROUP BY 1, 2, 3
    ) AS h
    LEFT JOIN checkout_data.uncounted_hours u USING (organization_id, environment, hour)
    WHERE u.hour IS NULL AND h.created > (
        SELECT COALESCE(sum(c.created), 0) FROM checkout_data.session_counts c
        WHERE c.organization_id = h.organization_id AND c.environment = h.environment AND c.dimension = 'none'
            AND c.unit = '1 hour' AND c.starts_at = h.hour)
    UNION ALL
    -- One that is held by a session that has ended unpaid has lapsed, and is removed in time.
    SELECT 'hold that its session denies', h.organization_id, h.environment, h.checkout_session_id
    FROM checkout_data.holds h LEFT JOIN session s USING (organization_id, environment, checkout_session_id)
    WHERE (h.state <> 'held') <> (COALESCE(s.status, '') = 'complete')
    UNION ALL
    SELECT 'open session that has lost a hold', s.organization_id, s.environment, s.checkout_session_id
    FROM session s JOIN checkout_data.session_terms t USING (organization_id, environment, checkout_session_id)
    WHERE s.status = 'open' AND s.deadline > clock_timestamp() AND t.hold_count <> (
        SELECT count(*) FROM checkout_data.holds h
        WHERE h.organization_id = s.organization_id AND h.environment = s.environment
            AND h.checkout_session_id = s.checkout_session_id AND h.state = 'held' AND h.deadline = s.deadline)
    UNION ALL
    SELECT 'stock of which more is held than it says', i.organization_id, i.environment, NULL::uuid
    FROM checkout_data.inventory i
    WHERE i.held < (
        SELECT sum(h.quantity) FROM checkout_data.holds h
        WHERE h.organization_id = i.organization_id AND h.environment = i.environment AND h.kind = 'product'
            AND h.item_id = i.product_id)
    UNION ALL
    SELECT 'coupon that was redeemed too often', c.organization_id, c.environment, NULL::uuid
    FROM checkout_data.coupons c
    WHERE c.max_redemptions < c.redeemed + (
        SELECT count(*) FROM checkout_data.holds h
        WHERE h.organization_id = c.organization_id AND h.environment = c.environment AND h.kind = 'coupon'
            AND h.item_id = c.code AND h.state = 'taken')

    -- references between rows
    UNION ALL
    SELECT 'idempotency key without a session of its tenant', k.organization_id, k.environment, k.checkout_session_id
    FROM checkout_data.idempotency_keys k LEFT JOIN session s USING (organization_id, environment, checkout_session_id)
    WHERE s.status IS NULL
    UNION ALL
    -- The tests note the key in the metadata, because a session does not contain it.
    SELECT 'two sessions for one idempotency key', s.organization_id, s.environment, s.checkout_session_id
    FROM session s JOIN session other USING (organization_id, environment, created_with)
    WHERE s.metadata ? 'idempotency_key' AND s.metadata ->> 'idempotency_key' = other.metadata ->> 'idempotency_key'
        AND s.checkout_session_id > other.checkout_session_id
    UNION ALL
    SELECT 'idempotency key of a server for a session of a browser, or the other way round', k.organization_id,
        k.environment,
        k.checkout_session_id
    FROM checkout_data.idempotency_keys k JOIN session s USING (organization_id, environment, checkout_session_id)
    WHERE k.created_with <> s.created_with
    UNION ALL
    SELECT 'session of a browser under a reference policy', organization_id, environment, checkout_session_id
    FROM session WHERE created_with = 'publishable' AND reference_policy <> 'none'
    UNION ALL
    SELECT 'API key replaced by none of its kind', k.organization_id, k.environment, NULL
    FROM checkout_data.api_keys k LEFT JOIN checkout_data.api_keys r
        ON r.api_key_id = k.replaced_by AND r.api_key_id <> k.api_key_id
            AND (r.organization_id, r.environment, r.kind) = (k.organization_id, k.environment, k.kind)
    WHERE k.replaced_by IS NOT NULL AND r.api_key_id IS NULL
    UNION ALL
    SELECT 'recovered from no expired session of its tenant', s.organization_id, s.environment, s.checkout_session_id
    FROM session s LEFT JOIN session o
        ON o.organization_id = s.organization_id AND o.environment = s.environment
            AND o.checkout_session_id = s.recovered_from
    WHERE s.recovered_from IS NOT NULL AND o.status IS DISTINCT FROM 'expired'
    UNION ALL
    SELECT 'session without an organization', s.organization_id, s.environment, s.checkout_session_id
    FROM session s LEFT JOIN checkout_data.organizations o USING (organization_id)
    WHERE o.organization_id IS NULL
)
SELECT * FROM violation ORDER BY what, checkout_session_id LIMIT 100
