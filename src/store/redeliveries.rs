//! Statements that make events due again.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::statement::{Argument, statement};
use crate::domain::Result;
use crate::domain::event::EventId;
use crate::{datum, notify};

/// Which events, whatever is given.
pub struct Chosen<'a> {
    pub events: Option<Vec<EventId>>,
    /// Inclusive.
    pub created_after: Option<DateTime<Utc>>,
    /// Exclusive.
    pub created_before: Option<DateTime<Utc>>,
    /// Of the delivery.
    pub status: Option<&'a str>,
}

impl Chosen<'_> {
    fn arguments(&self, now: DateTime<Utc>) -> [Argument<'_>; 8] {
        let events = self.events.as_deref();
        [
            datum::timestamp(now).into(),
            events.map(|e| e.iter().map(|e| datum::uuid(e.organization_id)).collect::<Vec<_>>()).into(),
            events.map(|e| e.iter().map(|e| e.environment).collect::<Vec<_>>()).into(),
            events.map(|e| e.iter().map(|e| datum::uuid(e.checkout_session_id)).collect::<Vec<_>>()).into(),
            events.map(|e| e.iter().map(|e| e.sequence).collect::<Vec<_>>()).into(),
            self.created_after.map(datum::timestamp).into(),
            self.created_before.map(datum::timestamp).into(),
            self.status.into(),
        ]
    }
}

/// The rows of `o` that are chosen.
macro_rules! chosen {
    () => {
        " ($2 IS NULL OR (o.organization_id, o.environment::text, o.checkout_session_id, o.sequence::integer) IN ( \
             SELECT e.organization_id, e.environment, e.checkout_session_id, e.sequence \
             FROM unnest($2, $3, $4, $5) AS e (organization_id, environment, checkout_session_id, sequence))) \
           AND ($6 IS NULL OR o.created_at >= $6) AND ($7 IS NULL OR o.created_at < $7) "
    };
}
/// Whether `$row` is in the state that was asked for.
macro_rules! in_status {
    ($row:literal) => {
        concat!(
            " ($8 IS NULL OR $8 = CASE WHEN ",
            $row,
            ".delivered_at IS NOT NULL THEN 'delivered' WHEN ",
            $row,
            ".dead_at IS NOT NULL THEN 'dead' ELSE 'pending' END) "
        )
    };
}
/// Locked in one order by everybody, so that nobody waits in a circle.
macro_rules! key_of {
    ($row:literal) => {
        concat!($row, ".organization_id, ", $row, ".environment, ", $row, ".checkout_session_id, ", $row, ".sequence")
    };
}
statement!(
    EVENTS,
    Write,
    concat!(
        "UPDATE checkout_data.webhook_outbox u \
         SET next_attempt_at = $1, delivered_at = NULL, dead_at = NULL, lease_token = NULL, delivery_attempts = 0 \
         WHERE u.ctid = ANY (ARRAY(SELECT o.ctid FROM checkout_data.webhook_outbox o WHERE NOT o.fanned_out AND ",
        chosen!(),
        " AND ",
        in_status!("o"),
        " ORDER BY ",
        key_of!("o"),
        " FOR NO KEY UPDATE))"
    )
);
statement!(
    DELIVERIES,
    Write,
    concat!(
        "UPDATE checkout_data.webhook_deliveries u \
         SET next_attempt_at = $1, delivered_at = NULL, dead_at = NULL, lease_token = NULL, attempts = 0 \
         WHERE u.ctid = ANY (ARRAY( \
           SELECT d.ctid FROM checkout_data.webhook_outbox o \
           JOIN checkout_data.webhook_endpoints p \
             ON p.organization_id = o.organization_id AND p.environment = o.environment AND p.deleted_at IS NULL \
           JOIN checkout_data.webhook_deliveries d \
             ON d.organization_id = p.organization_id AND d.environment = p.environment \
             AND d.webhook_endpoint_id = p.webhook_endpoint_id \
             AND d.checkout_session_id = o.checkout_session_id AND d.sequence = o.sequence \
           WHERE o.fanned_out AND ",
        chosen!(),
        " AND ",
        in_status!("d"),
        " ORDER BY ",
        key_of!("d"),
        ", d.webhook_endpoint_id FOR NO KEY UPDATE OF d))"
    )
);

/// Makes events due again wherever they went. How many deliveries that are.
pub fn everywhere(chosen: &Chosen, now: DateTime<Utc>) -> Result<usize> {
    let events = EVENTS.with(|statement| statement.count(&chosen.arguments(now)))?;
    let deliveries = DELIVERIES.with(|statement| statement.count(&chosen.arguments(now)))?;
    announced(events + deliveries)
}

statement!(
    ENDPOINT,
    Write,
    "SELECT FROM checkout_data.webhook_endpoints p WHERE p.webhook_endpoint_id = $1 AND p.deleted_at IS NULL"
);
statement!(
    TO_ENDPOINT,
    Write,
    concat!(
        "WITH event AS ( \
           SELECT o.ctid AS id, o.fanned_out, o.organization_id, o.environment, o.checkout_session_id, o.sequence, o.created_at \
           FROM checkout_data.webhook_endpoints p \
           JOIN checkout_data.webhook_outbox o \
             ON o.organization_id = p.organization_id AND o.environment = p.environment \
             AND o.checkout_session_id <> p.webhook_endpoint_id \
             AND checkout_data.event_type_matches(p.event_types, o.event_type) \
           WHERE p.webhook_endpoint_id = $9 AND p.deleted_at IS NULL AND ",
        chosen!(),
        " ORDER BY ",
        key_of!("o"),
        " FOR NO KEY UPDATE OF o), \
         delivery AS ( \
           INSERT INTO checkout_data.webhook_deliveries AS d (organization_id, environment, webhook_endpoint_id, \
             checkout_session_id, sequence, created_at, next_attempt_at) \
           SELECT e.organization_id, e.environment, $9, e.checkout_session_id, e.sequence, e.created_at, $1 FROM event e \
           WHERE $8 IS NULL OR EXISTS ( \
             SELECT FROM checkout_data.webhook_deliveries d \
             WHERE d.organization_id = e.organization_id AND d.environment = e.environment AND d.webhook_endpoint_id = $9 \
               AND d.checkout_session_id = e.checkout_session_id AND d.sequence = e.sequence) \
           ON CONFLICT (organization_id, environment, webhook_endpoint_id, checkout_session_id, sequence) DO UPDATE \
             SET next_attempt_at = $1, delivered_at = NULL, dead_at = NULL, lease_token = NULL, attempts = 0 \
             WHERE ",
        in_status!("d"),
        " RETURNING d.organization_id, d.environment, d.checkout_session_id, d.sequence), \
         taken AS ( \
           UPDATE checkout_data.webhook_outbox u \
           SET fanned_out = true, next_attempt_at = NULL, delivered_at = NULL, dead_at = NULL, lease_token = NULL \
           FROM event e JOIN delivery d USING (organization_id, environment, checkout_session_id, sequence) \
           WHERE u.ctid = e.id AND NOT e.fanned_out) \
         SELECT FROM delivery"
    )
);

/// Makes events due at one endpoint, those that were written before it was there included. `None`: there is no such
/// endpoint.
pub fn to_endpoint(chosen: &Chosen, webhook_endpoint_id: Uuid, now: DateTime<Utc>) -> Result<Option<usize>> {
    let endpoint: Argument = datum::uuid(webhook_endpoint_id).into();
    if ENDPOINT.with(|statement| statement.count(std::slice::from_ref(&endpoint)))? == 0 {
        return Ok(None);
    }
    let mut arguments = Vec::from(chosen.arguments(now));
    arguments.push(endpoint);
    TO_ENDPOINT.with(|statement| statement.count(&arguments)).and_then(announced).map(Some)
}

fn announced(count: usize) -> Result<usize> {
    if count > 0 {
        notify::deliveries_due();
    }
    Ok(count)
}
