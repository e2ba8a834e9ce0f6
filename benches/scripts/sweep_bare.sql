WITH ended AS (
    DELETE FROM checkout_data.open_sessions WHERE deadline <= now()
    RETURNING organization_id, environment, checkout_session_id, event_count + 1 AS sequence)
INSERT INTO checkout_data.webhook_outbox (organization_id, environment, checkout_session_id, sequence, event_type, created_at,
    session_status, session_attempts, next_attempt_at)
SELECT organization_id, environment, checkout_session_id, sequence, 'checkout.session.expired', now(), 'expired', 0, now()
FROM ended;
