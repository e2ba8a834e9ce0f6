-- After all other tests: conditions that everything stored must meet. No query returns a row.
\c - postgres
SELECT count(*) > 100 AS there_are_sessions FROM checkout_data.checkout_sessions;

-- The sessions whose events a test has removed.
CREATE VIEW testing.purged AS SELECT organization_id
FROM checkout_data.organizations WHERE name IN ('Reports', 'Redeliveries', 'Redeliveries of another', 'Keeps',
    'Keeps all');

-- The sessions with what their two rows say together. One that is stored as open, and is not among the open sessions,
-- has been swept: it is expired, or failed, and the event of that comes on top.
CREATE VIEW testing.sessions AS
SELECT s.organization_id, s.environment, s.checkout_session_id, s.recovered_from, s.amount, s.currency_code, s.attempts,
    s.max_retry_attempts, s.lease_expires_at, CASE WHEN swept THEN checkout_data.ends_as(s) ELSE s.status END AS status,
    s.event_count + swept::integer AS event_count
FROM checkout_data.checkout_sessions s
    LEFT JOIN checkout_data.open_sessions o USING (organization_id, environment, checkout_session_id),
    LATERAL (SELECT s.status = 'open' AND o.deadline IS NULL) AS x (swept);

-- The row of an open session says the same as the session's; one that has ended has none, and one that the sweep has
-- ended is overdue.
SELECT checkout_session_id, s.status, s.expires_at, s.lease_expires_at, o
FROM checkout_data.checkout_sessions s
    FULL JOIN checkout_data.open_sessions o USING (organization_id, environment, checkout_session_id)
WHERE o.deadline IS NULL AND s.status = 'open' AND checkout_data.deadline(s) > now()
    OR o.deadline IS NOT NULL
    AND (s.status, s.event_count, checkout_data.deadline(s), s.attempts > s.max_retry_attempts,
            CASE WHEN s.reference_policy = 'open' THEN s.reference END,
            CASE WHEN s.created_with = 'publishable' AND s.recovered_from IS NULL THEN s.created_by END)
        IS DISTINCT FROM ('open', o.event_count, o.deadline, o.fails_at_deadline, o.reference, o.created_by);
-- A session that has ended has one event of its end, of the right kind; an open one has none.
SELECT s.checkout_session_id, s.status, e.ends FROM testing.sessions s, LATERAL (
    SELECT array_agg(replace(o.event_type, 'checkout.session.', '')) AS ends FROM checkout_data.webhook_outbox o
    WHERE (o.organization_id, o.environment, o.subject_id)
        = (s.organization_id, s.environment, s.checkout_session_id)
        AND o.event_type IN ('checkout.session.completed', 'checkout.session.expired', 'checkout.session.failed')) AS e
WHERE e.ends IS DISTINCT FROM CASE s.status WHEN 'complete' THEN '{completed}' WHEN 'failed' THEN '{failed}'
    WHEN 'expired' THEN '{expired}' END::text[]
    AND NOT (s.status <> 'open' AND e.ends IS NULL
        AND s.organization_id IN (SELECT p.organization_id FROM testing.purged p));
-- Sequences are 1, 2, 3 up to the session's count.
SELECT s.checkout_session_id
FROM testing.sessions s
    JOIN checkout_data.webhook_outbox o
        ON (o.organization_id, o.environment, o.subject_id) = (s.organization_id, s.environment, s.checkout_session_id)
WHERE s.organization_id NOT IN (SELECT p.organization_id FROM testing.purged p)
GROUP BY s.organization_id, s.environment, s.checkout_session_id, s.event_count
HAVING array_agg(o.sequence::integer ORDER BY o.sequence) <> array(SELECT generate_series(1, s.event_count));
SELECT s.checkout_session_id
FROM testing.sessions s
WHERE event_count > 0 AND NOT EXISTS (
    SELECT FROM checkout_data.webhook_outbox o WHERE o.subject_id = s.checkout_session_id)
    AND s.organization_id NOT IN (SELECT p.organization_id FROM testing.purged p);
-- A session is complete exactly when one payment of the right amount and currency was accepted.
SELECT s.checkout_session_id FROM checkout_data.checkout_sessions s LEFT JOIN checkout_data.payments p
    ON (p.organization_id, p.environment, p.checkout_session_id)
    = (s.organization_id, s.environment, s.checkout_session_id) AND p.status = 'succeeded'
WHERE (s.status = 'complete' AND s.payment_status <> 'no_payment_required') <> (p.payment_id IS NOT NULL)
    OR p.payment_id <> s.payment_id OR p.amount <> s.amount
    OR p.currency_code <> s.currency_code;
-- Each rejected payment has its event, each accepted one the event of completion.
SELECT p.payment_id, p.status
FROM checkout_data.payments p
WHERE p.status IN ('succeeded', 'rejected')
    AND p.organization_id NOT IN (SELECT p.organization_id FROM testing.purged p)
    -- A rejected payment has one more for each report that corrected it.
    AND 0 = (SELECT count(*) FROM checkout_data.webhook_outbox o
        WHERE (o.organization_id, o.environment, o.subject_id)
            = (p.organization_id, p.environment, p.checkout_session_id)
        AND o.snapshot #>> '{payment,payment_id}' = p.payment_id
        AND o.event_type = CASE p.status WHEN 'succeeded' THEN 'checkout.session.completed'
            ELSE 'checkout.session.payment_rejected' END);
-- As many failures as allowed, and one more; an open session has that only while a payment holds it
SELECT s.checkout_session_id
FROM testing.sessions s
WHERE (s.status = 'failed' AND s.attempts <= s.max_retry_attempts) OR s.attempts > s.max_retry_attempts + 1
    OR (s.status = 'open' AND s.attempts > s.max_retry_attempts AND s.lease_expires_at IS NULL);
-- A payment has the sums of its refunds, which are never more than was paid.
SELECT count(*) > 5 AS there_are_refunds FROM checkout_data.refunds;
SELECT p.payment_id
FROM checkout_data.payments p
    LEFT JOIN checkout_data.refunds r USING (organization_id, environment, payment_id)
GROUP BY p.organization_id, p.environment, p.payment_id
HAVING p.refunded_amount <> COALESCE(sum(r.amount) FILTER (WHERE r.status = 'succeeded'), 0)
    OR p.pending_refund_amount <> COALESCE(sum(r.amount) FILTER (WHERE r.status = 'pending'), 0)
    OR COALESCE(sum(r.amount) FILTER (WHERE r.status <> 'failed'), 0) > GREATEST(p.amount, 0,
        CASE WHEN p.reported_currency_code = p.currency_code THEN p.reported_amount END);
-- A refund that has ended has its event.
SELECT r.refund_id, r.status
FROM checkout_data.refunds r
WHERE r.status <> 'pending' AND r.organization_id NOT IN (SELECT p.organization_id FROM testing.purged p)
    AND NOT EXISTS (SELECT FROM checkout_data.webhook_outbox o
        WHERE (o.organization_id, o.environment) = (r.organization_id, r.environment)
        AND o.snapshot #>> '{refund,refund_id}' = r.refund_id
        AND o.event_type = CASE r.status WHEN 'succeeded' THEN 'checkout.session.refunded'
            ELSE 'checkout.session.refund_failed' END);
-- A key stands for a session of its organization and environment.
SELECT k.idempotency_key
FROM checkout_data.idempotency_keys k
    LEFT JOIN checkout_data.checkout_sessions s USING (organization_id, environment, checkout_session_id)
WHERE s.checkout_session_id IS NULL;
-- A recovered session comes from an expired one, of the same organization and environment, with the same amount.
SELECT n.checkout_session_id FROM testing.sessions n LEFT JOIN testing.sessions o
    ON (o.organization_id, o.environment, o.checkout_session_id) = (n.organization_id, n.environment, n.recovered_from)
WHERE n.recovered_from IS NOT NULL
    AND (o.status IS DISTINCT FROM 'expired' OR o.amount <> n.amount OR o.currency_code <> n.currency_code);
-- Every event has its session, its endpoint, its subscription or its organization.
SELECT o.subject_type, o.subject_id, o.sequence
FROM checkout_data.webhook_outbox o
LEFT JOIN checkout_data.checkout_sessions s
    ON (s.organization_id, s.environment, s.checkout_session_id) = (o.organization_id, o.environment, o.subject_id)
WHERE (o.event_type = 'webhook_endpoint.disabled') <> (o.subject_type = 'webhook_endpoint')
    OR (s.checkout_session_id IS NULL) <> (o.subject_type <> 'checkout_session')
    OR (o.subject_type = 'subscription')
        <> coalesce(o.snapshot #>> '{subscription,subscription_id}' = o.subject_id::text, false)
    OR (o.event_type LIKE 'subscription.%') <> (o.subject_type = 'subscription')
    OR (o.event_type = 'requests.failing') <> (o.subject_type = 'organization')
    OR (o.subject_type = 'webhook_endpoint')
        <> coalesce(o.snapshot #>> '{webhook_endpoint,webhook_endpoint_id}' = o.subject_id::text, false)
    -- An end by the clock has no payment.
    OR (o.event_type ~ 'expired|expiring|cancelled|disabled|^subscription|^requests'
            OR o.event_type ~ 'failed' AND o.snapshot IS NULL)
        = (coalesce(o.snapshot, '{}') ? 'payment')
    -- Nothing was due.
    AND NOT (o.event_type ~ 'completed' AND (o.snapshot #>> '{session,amount}')::numeric = 0);
-- A delivery is of an event, and goes to an endpoint or consumer of its tenant, or to one of all tenants, that is not
-- the event's subject. What remains of a deleted receiver keeps no event.
SELECT count(*) > 50 AS there_are_deliveries FROM checkout_data.webhook_deliveries;
SELECT d.receiver_id, d.subject_id, d.sequence FROM checkout_data.webhook_deliveries d
LEFT JOIN checkout_data.webhook_outbox o USING (organization_id, environment, subject_id, sequence)
LEFT JOIN checkout_data.webhook_endpoints p
    ON (p.organization_id, p.environment, p.webhook_endpoint_id) = (d.organization_id, d.environment, d.receiver_id)
LEFT JOIN checkout_data.webhook_consumers c ON c.webhook_consumer_id = d.receiver_id
    AND coalesce(c.organization_id = d.organization_id AND c.environment = d.environment, true)
WHERE o.subject_id IS NULL AND coalesce(p.deleted_at, c.deleted_at) IS NULL
    OR num_nonnulls(p.webhook_endpoint_id, c.webhook_consumer_id) <> 1
    OR d.receiver_id = d.subject_id OR d.created_at <> o.created_at;
-- The attempts at an endpoint are numbered 1, 2, 3; claims of a consumer are only counted. The events about an endpoint
-- are numbered, too, up to its count.
SELECT d.receiver_id, d.subject_id, d.attempts_ever, a.numbers
FROM checkout_data.webhook_deliveries d JOIN checkout_data.webhook_endpoints p ON p.webhook_endpoint_id = d.receiver_id,
LATERAL (
    SELECT array_agg(a.attempt::integer ORDER BY a.attempt) AS numbers FROM checkout_data.webhook_attempts a
    WHERE (a.organization_id, a.environment, a.receiver_id, a.subject_id, a.sequence)
        = (d.organization_id, d.environment, d.receiver_id, d.subject_id, d.sequence)) AS a
WHERE coalesce(a.numbers, '{}') <> array(SELECT generate_series(1, d.attempts_ever))
    AND d.organization_id NOT IN (SELECT p.organization_id FROM testing.purged p);
SELECT count(*) AS attempts_of_consumers
FROM checkout_data.webhook_attempts a JOIN checkout_data.webhook_consumers c ON c.webhook_consumer_id = a.receiver_id;
SELECT p.webhook_endpoint_id, p.event_count
FROM checkout_data.webhook_endpoints p LEFT JOIN checkout_data.webhook_outbox o
    ON o.organization_id = p.organization_id AND o.environment = p.environment
    AND o.subject_id = p.webhook_endpoint_id
GROUP BY 1, 2, p.organization_id, p.environment
HAVING coalesce(array_agg(o.sequence::integer ORDER BY o.sequence) FILTER (WHERE o.sequence IS NOT NULL), '{}')
    <> array(SELECT generate_series(1, p.event_count));
-- After a sweep, no open session is overdue.
SELECT checkout.expire_due_checkout_sessions(100000) >= 0 AS swept;
SELECT checkout_session_id FROM checkout_data.open_sessions WHERE deadline <= now();
-- The log says who did what, and no secret.
SELECT action, subject, changes FROM checkout_data.admin_log
WHERE role = '' OR session_role = '' OR action ~ '^(api_key|webhook_endpoint)' AND environment IS NULL
    OR changes::text ~ '(sk|pk|rk)_(live|test)_[0-9A-Za-z]{20}|whsec_' OR changes::jsonb ?| ARRAY['secret', 'api_key'];
SELECT count(*) > 100 AS there_is_a_log FROM checkout_data.admin_log;
