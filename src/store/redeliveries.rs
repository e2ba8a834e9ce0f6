//! Statements that make events due again.
//!
//! Rows are locked in the order of their keys, so that no two calls wait in a circle. They are changed by their keys,
//! because a call that waited for a lock has an old snapshot, in which the row is not where it is now. The events are
//! locked with their deliveries, because a purge that finds an event locked passes over it.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::statement::{Access, Argument, Statement, statement};
use crate::datum;
use crate::shared::wake;
use rules::Result;
use rules::webhooks::event::EventId;

/// The choice of events; every field narrows it.
pub struct Chosen<'a> {
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
            events.iter().map(|e| datum::uuid(e.checkout_session_id)).collect::<Vec<_>>().into(),
            events.iter().map(|e| e.sequence).collect::<Vec<_>>().into(),
            self.created_after.map(datum::timestamp).into(),
            self.created_before.map(datum::timestamp).into(),
            self.status.into(),
        ]
    }

    /// The events by their ids, if they are given, or else by their times. One text for both would be planned for
    /// neither.
    fn source(&self) -> &'static str {
        if self.events.is_some() {
            "unnest($2, $3, $4, $5) AS e (organization_id, environment, checkout_session_id, sequence) \
             JOIN checkout_data.webhook_outbox o \
               ON o.organization_id = e.organization_id AND o.environment = e.environment \
               AND o.checkout_session_id = e.checkout_session_id AND o.sequence = e.sequence"
        } else {
            "checkout_data.webhook_outbox o"
        }
    }
}

const TIMES: &str = "COALESCE(o.created_at >= $6, true) AND COALESCE(o.created_at < $7, true)";
const KEY: &str = "organization_id, environment, checkout_session_id, sequence";
const AGAIN: &str = "next_attempt_at = $1, delivered_at = NULL, dead_at = NULL, lease_token = NULL";

fn in_status(row: &str) -> String {
    format!(
        "($8 IS NULL OR $8 = CASE WHEN {row}.delivered_at IS NOT NULL THEN 'delivered' \
         WHEN {row}.dead_at IS NOT NULL THEN 'dead' ELSE 'pending' END)"
    )
}

fn same_key(left: &str, right: &str) -> String {
    format!(
        "{left}.organization_id = {right}.organization_id AND {left}.environment = {right}.environment \
         AND {left}.checkout_session_id = {right}.checkout_session_id AND {left}.sequence = {right}.sequence"
    )
}

/// Deliveries that exist, to endpoints that meet the condition.
fn deliveries_again(chosen: &Chosen, endpoints: &str) -> String {
    format!(
        "WITH x AS ( \
           SELECT d.organization_id, d.environment, d.checkout_session_id, d.sequence, d.webhook_endpoint_id \
           FROM {source} \
           JOIN checkout_data.webhook_endpoints p \
             ON p.organization_id = o.organization_id AND p.environment = o.environment AND p.deleted_at IS NULL \
             AND {endpoints} \
           JOIN checkout_data.webhook_deliveries d \
             ON {same_key} AND d.webhook_endpoint_id = p.webhook_endpoint_id \
           WHERE o.fanned_out AND {TIMES} AND {status} \
           ORDER BY d.organization_id, d.environment, d.checkout_session_id, d.sequence, d.webhook_endpoint_id \
           FOR NO KEY UPDATE OF o, d) \
         UPDATE checkout_data.webhook_deliveries u SET {AGAIN}, attempts = 0 FROM x \
         WHERE {same_event} AND u.webhook_endpoint_id = x.webhook_endpoint_id",
        source = chosen.source(),
        same_key = same_key("d", "o"),
        same_event = same_key("u", "x"),
        status = in_status("d"),
    )
}

/// Makes events due again wherever they went. Returns the number of deliveries.
pub fn everywhere(chosen: &Chosen, now: DateTime<Utc>) -> Result<usize> {
    let (source, same_event) = (chosen.source(), same_key("u", "x"));
    let events = format!(
        "WITH x AS ( \
           SELECT o.organization_id, o.environment, o.checkout_session_id, o.sequence FROM {source} \
           WHERE NOT o.fanned_out AND {TIMES} AND {status} \
           ORDER BY o.organization_id, o.environment, o.checkout_session_id, o.sequence FOR NO KEY UPDATE OF o) \
         UPDATE checkout_data.webhook_outbox u SET {AGAIN}, delivery_attempts = 0 FROM x WHERE {same_event}",
        status = in_status("o"),
    );
    let deliveries = deliveries_again(chosen, "true");
    let count = |text| Statement::composed(Access::Write, text).count(&chosen.arguments(now));
    announced(count(events)? + count(deliveries)?)
}

statement!(
    ENDPOINT,
    Transaction,
    "SELECT FROM checkout_data.webhook_endpoints p WHERE p.webhook_endpoint_id = $1 AND p.deleted_at IS NULL"
);

/// Makes events due at one endpoint, including those written before the endpoint existed. `None`: there is no such
/// endpoint.
pub fn to_endpoint(chosen: &Chosen, webhook_endpoint_id: Uuid, now: DateTime<Utc>) -> Result<Option<usize>> {
    let endpoint: Argument = datum::uuid(webhook_endpoint_id).into();
    if ENDPOINT.with(|statement| statement.count(std::slice::from_ref(&endpoint)))? == 0 {
        return Ok(None);
    }
    let mut arguments = chosen.arguments(now);
    arguments.push(endpoint);
    if chosen.status.is_some() {
        // A delivery with a status exists already, so only the events of such deliveries need to be locked.
        let text = deliveries_again(chosen, "p.webhook_endpoint_id = $9");
        return Statement::composed(Access::Write, text).count(&arguments).and_then(announced).map(Some);
    }
    let text = format!(
        "WITH x AS ( \
           SELECT o.organization_id, o.environment, o.checkout_session_id, o.sequence, o.created_at, o.fanned_out \
           FROM {source} \
           JOIN checkout_data.webhook_endpoints p \
             ON p.organization_id = o.organization_id AND p.environment = o.environment \
             AND p.webhook_endpoint_id <> o.checkout_session_id \
             AND checkout_data.event_type_matches(p.event_types, o.event_type) \
           WHERE p.webhook_endpoint_id = $9 AND p.deleted_at IS NULL AND {TIMES} \
           ORDER BY o.organization_id, o.environment, o.checkout_session_id, o.sequence FOR NO KEY UPDATE OF o), \
         delivery AS ( \
           INSERT INTO checkout_data.webhook_deliveries AS d ({KEY}, webhook_endpoint_id, created_at, next_attempt_at) \
           SELECT {KEY}, $9, x.created_at, $1 FROM x \
           ON CONFLICT (organization_id, environment, webhook_endpoint_id, checkout_session_id, sequence) DO UPDATE \
             SET {AGAIN}, attempts = 0 \
           RETURNING d.organization_id, d.environment, d.checkout_session_id, d.sequence), \
         taken AS ( \
           UPDATE checkout_data.webhook_outbox u \
           SET fanned_out = true, next_attempt_at = NULL, delivered_at = NULL, dead_at = NULL, lease_token = NULL \
           FROM delivery x WHERE {same_event} AND NOT u.fanned_out) \
         SELECT FROM delivery",
        source = chosen.source(),
        same_event = same_key("u", "x"),
    );
    Statement::composed(Access::Write, text).count(&arguments).and_then(announced).map(Some)
}

fn announced(count: usize) -> Result<usize> {
    if count > 0 {
        wake::tell_relays_at_commit();
    }
    Ok(count)
}
