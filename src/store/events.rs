//! Statements on the webhook outbox.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::statement::{Argument, statement};
use crate::datum::{self, Event};
use crate::tenant::Tenant;
use rules::webhooks::event::EventId;
use rules::{Error, Result};

fn key(event: &EventId) -> [Argument<'static>; 4] {
    [
        datum::uuid(event.tenant.organization_id).into(),
        event.tenant.environment.as_str().into(),
        datum::uuid(event.subject_id).into(),
        event.sequence.into(),
    ]
}

statement!(
    BODY_AS,
    Caller,
    "SELECT checkout_data.event_body_as($5, $6, o.event_type, o.created_at, checkout_data.event_object(o, s), \
       o.subject_type = 'checkout_session') \
     FROM checkout_data.webhook_outbox o \
     LEFT JOIN checkout_data.checkout_sessions s \
       ON s.organization_id = o.organization_id AND s.environment = o.environment \
       AND s.checkout_session_id = o.subject_id \
     WHERE o.organization_id = $1 AND o.environment = $2 AND o.subject_id = $3 AND o.sequence = $4"
);

/// The body of an event in the format of a dialect.
pub fn body_as(event: &EventId, event_id: &str, dialect: &str) -> Result<Option<String>> {
    let [organization_id, environment, session, sequence] = key(event);
    let arguments = [organization_id, environment, session, sequence, dialect.into(), event_id.into()];
    Ok(BODY_AS.with(|statement| statement.row(&arguments, |row| row.get::<String>(1)))?.flatten())
}

statement!(
    EXISTS,
    Caller,
    "SELECT FROM checkout_data.webhook_outbox o \
     WHERE o.organization_id = $1 AND o.environment = $2 AND o.subject_id = $3 AND o.sequence = $4"
);

pub fn exists(event: &EventId) -> Result<bool> {
    Ok(EXISTS.with(|statement| statement.count(&key(event)))? > 0)
}

/// The event that a list continues after: one of the tenant's.
pub fn cursor(tenant: Tenant, argument: &'static str, event_id: Option<&str>) -> Result<Option<EventId>> {
    let event = event_id.map(|id| EventId::parse(argument, id)).transpose()?;
    match event {
        Some(event) if event.tenant != tenant => Err(Error::CursorNotFound { argument, what: "webhook event" }),
        event => Ok(event),
    }
}

/// The filters of a list of events.
pub struct Filter<'a> {
    pub checkout_session_id: Option<Uuid>,
    pub event_type: Option<&'a str>,
    pub status: Option<&'a str>,
    pub starting_after: Option<EventId>,
    pub page_size: i32,
}

macro_rules! list {
    ($condition:literal) => {
        concat!(
            "SELECT checkout_data.event_of(o, checkout_data.event_body(o, s), state.status, NULL, NULL) \
             FROM checkout_data.webhook_outbox o \
             LEFT JOIN checkout_data.checkout_sessions s \
               ON s.organization_id = o.organization_id AND s.environment = o.environment \
               AND s.checkout_session_id = o.subject_id, \
               LATERAL (SELECT checkout_data.event_status(o, $3) AS status OFFSET 0) AS state \
             WHERE o.organization_id = $1 AND o.environment = $2 \
               AND ($4 IS NULL OR o.subject_id = $4) \
               AND ($5 IS NULL OR o.event_type = $5) \
               AND ($6 IS NULL OR state.status = $6) \
               AND ($7 IS NULL OR (o.subject_id, o.sequence) < ($7, $8)) ",
            $condition,
            " ORDER BY o.subject_id DESC, o.sequence DESC LIMIT $9"
        )
    };
}
statement!(LIST, Caller, list!(""));
// Few events are neither delivered nor skipped. These are found by their deliveries.
statement!(
    LIST_UNFINISHED,
    Caller,
    list!(
        "AND (o.subject_id, o.sequence) IN ( \
           SELECT d.subject_id, d.sequence FROM checkout_data.webhook_receivers r \
           JOIN checkout_data.webhook_deliveries d ON d.receiver_id = r.receiver_id AND d.organization_id = $1 \
             AND d.environment = $2 \
           WHERE (r.organization_id = $1 AND r.environment = $2 OR r.organization_id IS NULL) \
             AND d.next_attempt_at IS NOT NULL \
           UNION ALL \
           SELECT d.subject_id, d.sequence FROM checkout_data.webhook_deliveries d \
           WHERE d.organization_id = $1 AND d.environment = $2 AND d.dead_at IS NOT NULL)"
    )
);

/// A tenant's events. Those of the newest session come first, and of each session the last.
pub fn list(tenant: Tenant, filter: &Filter, now: DateTime<Utc>) -> Result<Vec<Event>> {
    let arguments = [
        datum::uuid(tenant.organization_id).into(),
        tenant.environment.as_str().into(),
        datum::timestamp(now).into(),
        filter.checkout_session_id.map(datum::uuid).into(),
        filter.event_type.into(),
        filter.status.into(),
        filter.starting_after.as_ref().map(|event| datum::uuid(event.subject_id)).into(),
        filter.starting_after.as_ref().map(|event| event.sequence).into(),
        filter.page_size.into(),
    ];
    let list = if matches!(filter.status, Some("pending" | "leased" | "dead")) { &LIST_UNFINISHED } else { &LIST };
    list.with(|statement| statement.composites(&arguments))
}
