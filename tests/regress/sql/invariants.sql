-- After all the stories of the other tests: what must hold of everything that is stored. No query returns a row.
\c - postgres
SELECT count(*) > 100 AS there_are_sessions FROM checkout_data.checkout_sessions;

-- A session that has ended has one event of its end, of its kind; an open one has none.
SELECT s.checkout_session_id, s.status, e.ends FROM checkout_data.checkout_sessions s, LATERAL (
    SELECT array_agg(replace(o.event_type, 'checkout.session.', '')) AS ends FROM checkout_data.webhook_outbox o
    WHERE (o.organization_id, o.environment, o.checkout_session_id) = (s.organization_id, s.environment, s.checkout_session_id)
        AND o.event_type IN ('checkout.session.completed', 'checkout.session.expired', 'checkout.session.failed')) AS e
WHERE e.ends IS DISTINCT FROM CASE s.status WHEN 'complete' THEN '{completed}' WHEN 'failed' THEN '{failed}' WHEN 'expired' THEN '{expired}' END::text[]
    AND NOT (s.status <> 'open' AND e.ends IS NULL AND s.organization_id = (SELECT organization_id FROM checkout_data.organizations WHERE name = 'Reports'));
-- Sequences are 1, 2, 3 to the session's count.
SELECT s.checkout_session_id FROM checkout_data.checkout_sessions s JOIN checkout_data.webhook_outbox o USING (organization_id, environment, checkout_session_id)
WHERE s.organization_id <> (SELECT organization_id FROM checkout_data.organizations WHERE name = 'Reports')
GROUP BY s.organization_id, s.environment, s.checkout_session_id, s.event_count HAVING array_agg(o.sequence::integer ORDER BY o.sequence) <> array(SELECT generate_series(1, s.event_count));
SELECT s.checkout_session_id FROM checkout_data.checkout_sessions s WHERE event_count > 0 AND NOT EXISTS (SELECT FROM checkout_data.webhook_outbox o WHERE o.checkout_session_id = s.checkout_session_id)
    AND s.organization_id <> (SELECT organization_id FROM checkout_data.organizations WHERE name = 'Reports');
-- A session is complete exactly when one payment of the right amount and currency was accepted.
SELECT s.checkout_session_id FROM checkout_data.checkout_sessions s LEFT JOIN checkout_data.payments p
    ON (p.organization_id, p.environment, p.checkout_session_id) = (s.organization_id, s.environment, s.checkout_session_id) AND p.status = 'succeeded'
WHERE (s.status = 'complete') <> (p.payment_id IS NOT NULL) OR p.payment_id <> s.payment_id OR p.amount <> s.amount OR p.currency_code <> s.currency_code;
-- Each rejected payment has its event, each accepted one the event of completion.
SELECT p.payment_id, p.status FROM checkout_data.payments p WHERE p.status IN ('succeeded', 'rejected') AND p.organization_id <> (SELECT organization_id FROM checkout_data.organizations WHERE name = 'Reports')
    AND 1 <> (SELECT count(*) FROM checkout_data.webhook_outbox o WHERE (o.organization_id, o.environment, o.payment_id) = (p.organization_id, p.environment, p.payment_id)
        AND o.event_type = CASE p.status WHEN 'succeeded' THEN 'checkout.session.completed' ELSE 'checkout.session.payment_rejected' END);
-- As many failures as attempts, and never more than were allowed
SELECT checkout_session_id FROM checkout_data.checkout_sessions WHERE attempts > max_retry_attempts + 1 OR (status = 'failed') <> (attempts = max_retry_attempts + 1);
-- A key stands for a session of its organization and environment.
SELECT k.idempotency_key FROM checkout_data.idempotency_keys k LEFT JOIN checkout_data.checkout_sessions s USING (organization_id, environment, checkout_session_id) WHERE s.checkout_session_id IS NULL;
-- A recovered session comes from an expired one, of the same organization and environment, with the same amount.
SELECT n.checkout_session_id FROM checkout_data.checkout_sessions n LEFT JOIN checkout_data.checkout_sessions o
    ON (o.organization_id, o.environment, o.checkout_session_id) = (n.organization_id, n.environment, n.recovered_from)
WHERE n.recovered_from IS NOT NULL AND (o.status IS DISTINCT FROM 'expired' OR o.amount <> n.amount OR o.currency_code <> n.currency_code);
-- Every event has its session, and is in one state of delivery.
SELECT o.checkout_session_id, o.sequence FROM checkout_data.webhook_outbox o LEFT JOIN checkout_data.checkout_sessions s USING (organization_id, environment, checkout_session_id)
WHERE s.checkout_session_id IS NULL OR num_nonnulls(o.next_attempt_at, o.delivered_at, o.dead_at) <> 1;
-- Once swept, nothing open is overdue.
SELECT checkout.expire_due_checkout_sessions(100000) >= 0 AS swept;
SELECT checkout_session_id FROM checkout_data.checkout_sessions WHERE status = 'open' AND deadline <= now();
