//! Fan-out: every statement that writes events has this part, which makes them deliveries to webhook endpoints.

/// True if the organization of `$row` has endpoints: then its events go to them.
macro_rules! has_endpoints {
    ($row:literal) => {
        concat!(
            "((",
            $row,
            ".organization_id, ",
            $row,
            ".environment) IN (SELECT p.organization_id, p.environment FROM checkout_data.webhook_endpoints p \
               WHERE p.deleted_at IS NULL))"
        )
    };
}
pub(super) use has_endpoints;

/// The end of a `WITH event AS (INSERT INTO checkout_data.webhook_outbox ...`. An event about an endpoint does not go
/// to that endpoint.
macro_rules! fan_out {
    () => {
        " RETURNING organization_id, environment, checkout_session_id, sequence, event_type, created_at, fanned_out), \
         delivery AS ( \
           INSERT INTO checkout_data.webhook_deliveries (organization_id, environment, webhook_endpoint_id, \
             checkout_session_id, sequence, created_at, next_attempt_at) \
           SELECT e.organization_id, e.environment, p.webhook_endpoint_id, e.checkout_session_id, e.sequence, e.created_at, \
             e.created_at \
           FROM event e \
           JOIN checkout_data.webhook_endpoints p ON p.organization_id = e.organization_id AND p.environment = e.environment \
           WHERE e.fanned_out AND p.deleted_at IS NULL AND p.webhook_endpoint_id <> e.checkout_session_id \
             AND checkout_data.event_type_matches(p.event_types, e.event_type) \
           RETURNING organization_id) "
    };
}
pub(super) use fan_out;

/// A column of the statement. It tells relays if the statement has made deliveries.
macro_rules! notified {
    () => {
        "(SELECT checkout_data.deliveries_due() FROM delivery LIMIT 1)"
    };
}
pub(super) use notified;
