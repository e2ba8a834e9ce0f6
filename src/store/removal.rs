//! Removes sessions and subscriptions with all that hangs on them.

/// True if an event of the subject waits for a receiver. The row that it is about is called `o`.
macro_rules! undelivered {
    ($subject:literal) => {
        concat!(
            " EXISTS (SELECT FROM ",
            receivers_of_o!(),
            " JOIN checkout_data.webhook_deliveries d ON d.organization_id = o.organization_id \
                AND d.receiver_id = r.receiver_id AND d.subject_id = o.",
            $subject,
            " AND d.environment = o.environment AND d.next_attempt_at IS NOT NULL) "
        )
    };
}
pub(super) use undelivered;

/// The end of a statement that has removed the subjects `gone`: removes their events, with deliveries and attempts.
macro_rules! without_events {
    () => {
        concat!(
            ", event AS ( \
               DELETE FROM checkout_data.webhook_outbox e USING gone g \
               WHERE e.organization_id = g.organization_id AND e.environment = g.environment AND e.subject_id = g.subject_id), \
             receiver AS ( \
               SELECT o.organization_id, o.environment, o.subject_id, r.receiver_id FROM gone o, ",
            receivers_of_o!(),
            "), \
             delivery AS ( \
               DELETE FROM checkout_data.webhook_deliveries d USING receiver r \
               WHERE d.organization_id = r.organization_id AND d.environment = r.environment \
                 AND d.receiver_id = r.receiver_id AND d.subject_id = r.subject_id), \
             attempt AS ( \
               DELETE FROM checkout_data.webhook_attempts a USING receiver r \
               WHERE a.organization_id = r.organization_id AND a.environment = r.environment \
                 AND a.receiver_id = r.receiver_id AND a.subject_id = r.subject_id) \
             SELECT FROM gone"
        )
    };
}
pub(super) use without_events;

/// Removes the subscriptions `o` that are chosen by the end of a statement. A renewal that was not paid and is kept longer keeps
/// its period: it is still none that can be sold again.
macro_rules! remove_subscriptions {
    ($chosen:expr) => {
        concat!(
            "WITH gone AS ( \
               DELETE FROM checkout_data.subscriptions s WHERE s.ctid = ANY (ARRAY( \
                 SELECT o.ctid FROM checkout_data.subscriptions o ",
            $chosen,
            "    FOR UPDATE OF o SKIP LOCKED)) \
               RETURNING s.organization_id, s.environment, s.subscription_id AS subject_id), \
             period AS ( \
               DELETE FROM checkout_data.session_periods p USING gone g, checkout_data.checkout_sessions s \
               WHERE p.organization_id = g.organization_id AND p.environment = g.environment \
                 AND p.subscription_id = g.subject_id AND s.organization_id = p.organization_id \
                 AND s.environment = p.environment AND s.checkout_session_id = p.checkout_session_id \
                 AND s.status = 'complete')",
            without_events!()
        )
    };
}
pub(super) use remove_subscriptions;

/// Removes the sessions `o` that are chosen by the end of a statement, if all their payments were changed last by `cutoff`.
macro_rules! remove_sessions {
    ($chosen:expr, $cutoff:literal) => {
        concat!(
            "WITH gone AS ( \
               DELETE FROM checkout_data.checkout_sessions s WHERE s.ctid = ANY (ARRAY( \
                 SELECT o.ctid FROM checkout_data.checkout_sessions o ",
            $chosen,
            "    FOR UPDATE OF o SKIP LOCKED)) \
               RETURNING s.organization_id, s.environment, s.checkout_session_id AS subject_id), \
             payment AS ( \
               DELETE FROM checkout_data.payments p USING gone g \
               WHERE p.organization_id = g.organization_id AND p.environment = g.environment \
                 AND p.checkout_session_id = g.subject_id AND p.updated_at <= ",
            $cutoff,
            "  RETURNING p.organization_id, p.environment, p.payment_id), \
             refund AS ( \
               DELETE FROM checkout_data.refunds r USING payment p \
               WHERE r.organization_id = p.organization_id AND r.environment = p.environment \
                 AND r.payment_id = p.payment_id)",
            of_session!("line", "session_lines"),
            of_session!("terms", "session_terms"),
            of_session!("visit", "session_visits"),
            of_session!("hold", "holds"),
            of_session!("period", "session_periods"),
            without_events!()
        )
    };
}
pub(super) use remove_sessions;

/// Removes what a table has of the sessions that are gone.
macro_rules! of_session {
    ($name:literal, $table:literal) => {
        concat!(
            ", ",
            $name,
            " AS ( \
               DELETE FROM checkout_data.",
            $table,
            " x USING gone g \
               WHERE x.organization_id = g.organization_id AND x.environment = g.environment \
                 AND x.checkout_session_id = g.subject_id)"
        )
    };
}
pub(super) use of_session;
