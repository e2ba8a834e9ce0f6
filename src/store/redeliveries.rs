//! Statements that make events due again.
//!
//! Deliveries are locked in the order of their keys, so that no two calls wait in a circle. They are changed by their
//! keys, because a call that waited for a lock has an old snapshot, in which the row is not where it is now.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::fan_out::{own_receivers_of_o, receivers_of_o};
use super::statement::{Access, Argument, Statement, statement};
use crate::datum;
use crate::shared::wake;
use crate::tenant::Tenant;
use rules::Result;
use rules::webhooks::event::EventId;

/// The choice of events; every field narrows it.
pub struct Chosen<'a> {
    /// Only its events, and only to its own receivers: a consumer of all organizations is not a tenant's.
    pub tenant: Option<Tenant>,
    pub events: Option<Vec<EventId>>,
    /// Inclusive.
    pub created_after: Option<DateTime<Utc>>,
    /// Exclusive.
    pub created_before: Option<DateTime<Utc>>,
    /// The status of the delivery.
    pub status: Option<&'a str>,
}

impl Chosen<'_> {
    fn arguments(&self, now: DateTime<Utc>) -> Vec<Argument<'_>> {
        let events = self.events.as_deref().unwrap_or_default();
        vec![
            datum::timestamp(now).into(),
            events.iter().map(|e| datum::uuid(e.tenant.organization_id)).collect::<Vec<_>>().into(),
            events.iter().map(|e| e.tenant.environment.as_str()).collect::<Vec<_>>().into(),
            events.iter().map(|e| datum::uuid(e.subject_id)).collect::<Vec<_>>().into(),
            events.iter().map(|e| e.sequence).collect::<Vec<_>>().into(),
            self.created_after.map(datum::timestamp).into(),
            self.created_before.map(datum::timestamp).into(),
            self.status.into(),
            self.tenant.map(|tenant| datum::uuid(tenant.organization_id)).into(),
            self.tenant.map(|tenant| tenant.environment.as_str()).into(),
        ]
    }

    /// The events by their ids, if they are given, or else by their times. One text for both would be planned for
    /// neither.
    fn source(&self) -> &'static str {
        if self.events.is_some() {
            "unnest($2, $3, $4, $5) AS e (organization_id, environment, subject_id, sequence) \
             JOIN checkout_data.webhook_outbox o \
               ON o.organization_id = e.organization_id AND o.environment = e.environment \
               AND o.subject_id = e.subject_id AND o.sequence = e.sequence"
        } else {
            "checkout_data.webhook_outbox o"
        }
    }

    fn condition(&self) -> &'static str {
        if self.tenant.is_some() {
            "COALESCE(o.created_at >= $6, true) AND COALESCE(o.created_at < $7, true) \
             AND o.organization_id = $9 AND o.environment = $10"
        } else {
            "COALESCE(o.created_at >= $6, true) AND COALESCE(o.created_at < $7, true)"
        }
    }
}

const KEY: &str = "organization_id, environment, receiver_id, subject_id, sequence";
const IN_ORDER: &str = "ORDER BY d.organization_id, d.environment, d.subject_id, d.sequence, d.receiver_id";
const AGAIN: &str = "next_attempt_at = $1, delivered_at = NULL, dead_at = NULL, lease_token = NULL, attempts = 0";
const RETURNED: &str = "d.organization_id, d.environment, d.receiver_id, d.subject_id, d.sequence";
// Deliveries behind those that are due again may have been put off: see `claims`.
const BEHIND: &str = ", behind AS ( \
       UPDATE checkout_data.webhook_deliveries d SET next_attempt_at = $1 WHERE d.ctid = ANY (ARRAY( \
         SELECT n.ctid FROM again a \
         JOIN checkout_data.webhook_deliveries n \
           ON n.organization_id = a.organization_id AND n.environment = a.environment AND n.receiver_id = a.receiver_id \
           AND n.subject_id = a.subject_id AND n.sequence > a.sequence \
         WHERE n.next_attempt_at > $1 AND n.lease_token IS NULL AND n.attempts = 0 \
         FOR NO KEY UPDATE OF n SKIP LOCKED))) \
     SELECT FROM again";
const IN_STATUS: &str = "($8 IS NULL OR $8 = CASE WHEN d.delivered_at IS NOT NULL THEN 'delivered' \
     WHEN d.dead_at IS NOT NULL THEN 'dead' ELSE 'pending' END)";

/// Deliveries that exist, to these receivers.
fn again(chosen: &Chosen, receivers: &str) -> String {
    format!(
        "WITH x AS ( \
           SELECT d.organization_id, d.environment, d.receiver_id, d.subject_id, d.sequence \
           FROM {source} \
           CROSS JOIN {receivers} \
           JOIN checkout_data.webhook_deliveries d \
             ON d.organization_id = o.organization_id AND d.environment = o.environment \
             AND d.receiver_id = r.receiver_id AND d.subject_id = o.subject_id AND d.sequence = o.sequence \
           WHERE {condition} AND {IN_STATUS} \
           {IN_ORDER} FOR NO KEY UPDATE OF d), \
         again AS ( \
           UPDATE checkout_data.webhook_deliveries d SET {AGAIN} FROM x \
           WHERE d.organization_id = x.organization_id AND d.environment = x.environment AND d.receiver_id = x.receiver_id \
             AND d.subject_id = x.subject_id AND d.sequence = x.sequence \
           RETURNING {RETURNED}) \
         {BEHIND}",
        source = chosen.source(),
        condition = chosen.condition(),
    )
}

statement!(
    UNKNOWN,
    Transaction,
    "SELECT e.place::integer FROM unnest($1, $2) WITH ORDINALITY AS e (subject_id, sequence, place) \
     LEFT JOIN checkout_data.webhook_outbox o \
       ON o.organization_id = $3 AND o.environment = $4 AND o.subject_id = e.subject_id AND o.sequence = e.sequence \
     WHERE o.subject_id IS NULL ORDER BY e.place LIMIT 1"
);

/// The first of these events that is none of the tenant's.
pub fn unknown_to(tenant: Tenant, events: &[EventId]) -> Result<Option<EventId>> {
    if let Some(foreign) = events.iter().find(|event| event.tenant != tenant) {
        return Ok(Some(*foreign));
    }
    let arguments = [
        events.iter().map(|event| datum::uuid(event.subject_id)).collect::<Vec<_>>().into(),
        events.iter().map(|event| event.sequence).collect::<Vec<_>>().into(),
        datum::uuid(tenant.organization_id).into(),
        tenant.environment.as_str().into(),
    ];
    let place = UNKNOWN.with(|statement| statement.row(&arguments, |row| row.get::<i32>(1)))?.flatten();
    // Places are counted from 1.
    Ok(place.and_then(|place| usize::try_from(place - 1).ok()).and_then(|place| events.get(place).copied()))
}

/// Makes events due again wherever they went. Returns the number of deliveries.
pub fn everywhere(chosen: &Chosen, now: DateTime<Utc>) -> Result<usize> {
    let text = again(chosen, if chosen.tenant.is_some() { own_receivers_of_o!() } else { receivers_of_o!() });
    Statement::composed(Access::Write, text).count(&chosen.arguments(now)).map(announced)
}

statement!(
    EXISTS,
    Transaction,
    "SELECT FROM checkout_data.webhook_receivers r \
     WHERE r.receiver_id = $1 AND (r.webhook_endpoint_id IS NOT NULL) = $2 \
       AND ($3 IS NULL OR r.organization_id = $3 AND r.environment = $4)"
);

/// Makes events due at one receiver, including those written before it existed. `None`: there is no such endpoint or
/// consumer, or it is not the tenant's.
pub fn to_receiver(chosen: &Chosen, receiver_id: Uuid, is_endpoint: bool, now: DateTime<Utc>) -> Result<Option<usize>> {
    let tenant = chosen.tenant;
    let receiver = [
        datum::uuid(receiver_id).into(),
        is_endpoint.into(),
        tenant.map(|tenant| datum::uuid(tenant.organization_id)).into(),
        tenant.map(|tenant| tenant.environment.as_str()).into(),
    ];
    if EXISTS.with(|statement| statement.count(&receiver))? == 0 {
        return Ok(None);
    }
    let mut arguments = chosen.arguments(now);
    arguments.push(datum::uuid(receiver_id).into());
    let text = if chosen.status.is_some() {
        // A delivery with a status exists already.
        again(chosen, "(SELECT $11::uuid AS receiver_id) AS r")
    } else {
        format!(
            "WITH x AS ( \
               SELECT o.organization_id, o.environment, o.subject_id, o.sequence, o.created_at \
               FROM {source} \
               JOIN checkout_data.webhook_receivers r \
                 ON COALESCE(r.organization_id = o.organization_id AND r.environment = o.environment, true) \
                 AND r.receiver_id <> o.subject_id \
                 AND checkout_data.event_type_matches(r.event_types, r.body_format, o.event_type) \
               WHERE r.receiver_id = $11 AND {condition} \
               ORDER BY o.organization_id, o.environment, o.subject_id, o.sequence), \
             again AS ( \
               INSERT INTO checkout_data.webhook_deliveries AS d ({KEY}, created_at, next_attempt_at) \
               SELECT x.organization_id, x.environment, $11, x.subject_id, x.sequence, x.created_at, $1 FROM x \
               ON CONFLICT ({KEY}) DO UPDATE SET {AGAIN} \
               RETURNING {RETURNED}) \
             {BEHIND}",
            source = chosen.source(),
            condition = chosen.condition(),
        )
    };
    Statement::composed(Access::Write, text).count(&arguments).map(announced).map(Some)
}

fn announced(count: usize) -> usize {
    if count > 0 {
        wake::tell_relays_at_commit();
    }
    count
}
