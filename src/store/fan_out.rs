//! Fan-out: every statement that writes events has these parts, which make them deliveries to their receivers, and tell
//! relays. Other statements find the receivers of an event.

/// The end of a `WITH event AS (INSERT INTO checkout_data.webhook_outbox ...`. An event about a receiver does not go to
/// it. The consumers of all organizations have a branch of their own: one condition for both could not use an index.
macro_rules! fan_out {
    () => {
        " RETURNING organization_id, environment, subject_id, sequence, event_type, created_at), \
         delivery AS ( \
           INSERT INTO checkout_data.webhook_deliveries (organization_id, environment, receiver_id, subject_id, sequence, \
             created_at, next_attempt_at) \
           SELECT e.organization_id, e.environment, r.receiver_id, e.subject_id, e.sequence, e.created_at, e.created_at \
           FROM event e \
           JOIN checkout_data.webhook_receivers r ON r.organization_id = e.organization_id AND r.environment = e.environment \
           WHERE r.receiver_id <> e.subject_id AND checkout_data.event_type_matches(r.event_types, r.body_format, e.event_type) \
           UNION ALL \
           SELECT e.organization_id, e.environment, c.webhook_consumer_id, e.subject_id, e.sequence, e.created_at, e.created_at \
           FROM event e \
           JOIN checkout_data.webhook_consumers c ON c.organization_id IS NULL AND c.deleted_at IS NULL \
           WHERE checkout_data.event_type_matches(c.event_types, 'canonical', e.event_type) \
           RETURNING organization_id) "
    };
}
pub(super) use fan_out;

/// What the deadline of the sessions `changed` brings: their holds go, and each has its `event`. A hold that is locked is
/// being taken by another session.
macro_rules! told_of_end {
    ($at:literal) => {
        concat!(
            "released AS ( \
               DELETE FROM checkout_data.holds h WHERE h.ctid = ANY (ARRAY( \
                 SELECT x.ctid FROM changed c JOIN checkout_data.holds x \
                   ON x.organization_id = c.organization_id AND x.environment = c.environment \
                   AND x.checkout_session_id = c.checkout_session_id AND x.state = 'held' \
                 WHERE c.has_terms FOR UPDATE OF x SKIP LOCKED))), \
             event AS ( \
               INSERT INTO checkout_data.webhook_outbox (organization_id, environment, subject_type, subject_id, sequence, \
                 event_type, created_at) \
               SELECT e.organization_id, e.environment, 'checkout_session', e.checkout_session_id, e.event_count, \
                 CASE WHEN e.fails_at_deadline THEN 'checkout.session.failed' ELSE 'checkout.session.expired' END, ",
            $at,
            " FROM changed e"
        )
    };
}
pub(super) use told_of_end;

/// True if an event that ends the session `e` is there: its row among the open sessions is a stray one, from a dump that was
/// restored over what came after it. Its event would be there already, and must not keep others from theirs.
macro_rules! is_written {
    () => {
        " COALESCE(( \
           SELECT true FROM checkout_data.webhook_outbox w \
           WHERE w.organization_id = e.organization_id AND w.environment = e.environment \
             AND w.subject_id = e.checkout_session_id AND w.event_type IN ( \
               'checkout.session.completed', 'checkout.session.expired', 'checkout.session.failed') LIMIT 1), false) "
    };
}
pub(super) use is_written;

/// All who may have got the event `o`. The consumers of all organizations have a branch of their own, as above.
macro_rules! receivers_of_o {
    () => {
        "LATERAL ( \
           SELECT r.receiver_id FROM checkout_data.webhook_receivers r \
           WHERE r.organization_id = o.organization_id AND r.environment = o.environment \
           UNION ALL \
           SELECT c.webhook_consumer_id FROM checkout_data.webhook_consumers c \
           WHERE c.organization_id IS NULL AND c.deleted_at IS NULL) AS r"
    };
}
pub(super) use receivers_of_o;

/// The same, and those that were deleted, whose deliveries are not removed yet.
macro_rules! former_receivers_of_o {
    () => {
        "LATERAL ( \
           SELECT p.webhook_endpoint_id AS receiver_id FROM checkout_data.webhook_endpoints p \
           WHERE p.organization_id = o.organization_id AND p.environment = o.environment \
           UNION ALL \
           SELECT c.webhook_consumer_id FROM checkout_data.webhook_consumers c \
           WHERE c.organization_id = o.organization_id AND c.environment = o.environment OR c.organization_id IS NULL) AS r"
    };
}
pub(super) use former_receivers_of_o;

/// Those of them that are its organization's own.
macro_rules! own_receivers_of_o {
    () => {
        "LATERAL ( \
           SELECT r.receiver_id FROM checkout_data.webhook_receivers r \
           WHERE r.organization_id = o.organization_id AND r.environment = o.environment) AS r"
    };
}
pub(super) use own_receivers_of_o;

/// A column of the statement. It tells relays if the statement has made deliveries.
macro_rules! notified {
    () => {
        "(SELECT checkout_data.deliveries_due() FROM delivery LIMIT 1)"
    };
}
pub(super) use notified;
