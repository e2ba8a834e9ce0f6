//! Statements on the webhook outbox.

use std::cell::RefCell;
use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::statement::{Access, Argument, Statement, at_most, statement};
use crate::datum::{self, Event};
use crate::tenant::Tenant;
use rules::webhooks::event::EventId;
use rules::webhooks::retry::MAXIMUM_DELIVERY_ATTEMPTS;
use rules::{Error, Result};

fn key(event: &EventId) -> [Argument<'static>; 4] {
    [
        datum::uuid(event.tenant.organization_id).into(),
        event.tenant.environment.as_str().into(),
        datum::uuid(event.checkout_session_id).into(),
        event.sequence.into(),
    ]
}

/// The organizations that fill claims, and when to look for others.
struct Heavy {
    organizations: Vec<Uuid>,
    look_at: DateTime<Utc>,
}

thread_local! {
    /// From this backend's last full claim.
    static HEAVY: RefCell<Option<Heavy>> = const { RefCell::new(None) };
}

/// An organization with one in `SHARE` events of a full claim is passed over at times.
const SHARE: usize = 4;
/// The search for others goes through all due events of these organizations. It takes at most one part in `LOOK_SHARE`
/// of the time.
const LOOK_SHARE: i32 = 20;

/// Leases due events, in order within a session: the oldest first. From time to time it leases those of organizations
/// other than those with most events, so that the others need not wait for all of these. Events whose attempts are used
/// up die instead.
pub fn claim(
    batch_size: i32,
    lease: TimeDelta,
    organization_id: Option<Uuid>,
    now: DateTime<Utc>,
) -> Result<Vec<Event>> {
    let full = usize::try_from(batch_size).unwrap_or(usize::MAX);
    let token = Uuid::new_v4();
    let some = |limit: usize, of, except: &[Uuid]| {
        claim_some(i32::try_from(limit).unwrap_or(batch_size), lease, token, of, except, now)
    };
    if let Some(id) = organization_id {
        return some(full, Some(id), &[]);
    }
    let mut events = Vec::new();
    let mut look_at = now;
    if let Some(heavy) = HEAVY.take() {
        look_at = heavy.look_at;
        if heavy.look_at <= now {
            events = some(full, None, &heavy.organizations)?;
            look_at = now + (datum::now() - now) * LOOK_SHARE;
        }
    }
    if events.len() < full {
        events.extend(some(full - events.len(), None, &[])?);
    }
    if events.len() >= full {
        HEAVY.set(Some(Heavy { organizations: with_share(&events), look_at }));
    }
    Ok(events)
}

/// The organizations with many of these events.
fn with_share(events: &[Event]) -> Vec<Uuid> {
    let mut counts: HashMap<Uuid, usize> = HashMap::new();
    for id in events.iter().filter_map(Event::organization_id) {
        *counts.entry(id).or_default() += 1;
    }
    counts.into_iter().filter(|(_, count)| count * SHARE >= events.len()).map(|(id, _)| id).collect()
}

fn claim_some(
    batch_size: i32,
    lease: TimeDelta,
    token: Uuid,
    organization_id: Option<Uuid>,
    except: &[Uuid],
    now: DateTime<Utc>,
) -> Result<Vec<Event>> {
    let mut arguments: Vec<Argument> = vec![
        datum::timestamp(now).into(),
        datum::timestamp(now + lease).into(),
        datum::uuid(token).into(),
        batch_size.into(),
    ];
    let mut condition = "";
    if let Some(id) = organization_id {
        condition = " AND c.organization_id = $5";
        arguments.push(datum::uuid(id).into());
    } else if !except.is_empty() {
        condition = " AND c.organization_id <> ALL ($5)";
        arguments.push(except.iter().copied().map(datum::uuid).collect::<Vec<_>>().into());
    }
    let used_up = format!("(o.delivery_attempts >= {MAXIMUM_DELIVERY_ATTEMPTS})");
    let at_most = at_most(batch_size);
    let sql = format!(
        "WITH claimed AS ( \
           UPDATE checkout_data.webhook_outbox o \
           SET delivery_attempts = o.delivery_attempts + CASE WHEN {used_up} THEN 0 ELSE 1 END, \
             next_attempt_at = CASE WHEN NOT {used_up} THEN $2 END, \
             lease_token = CASE WHEN NOT {used_up} THEN $3 END, \
             dead_at = CASE WHEN {used_up} THEN $1 END, \
             last_error = CASE WHEN {used_up} THEN COALESCE(o.last_error, 'no consumer acknowledged it') ELSE o.last_error END \
           WHERE o.ctid = ANY (ARRAY( \
             SELECT due.ctid FROM ( \
               SELECT c.ctid FROM checkout_data.webhook_outbox c \
               WHERE c.next_attempt_at <= $1{condition} \
                 AND COALESCE(( \
                   SELECT false FROM checkout_data.webhook_outbox earlier \
                   WHERE earlier.organization_id = c.organization_id AND earlier.environment = c.environment \
                     AND earlier.checkout_session_id = c.checkout_session_id AND earlier.sequence < c.sequence \
                     AND earlier.next_attempt_at IS NOT NULL \
                   ORDER BY earlier.sequence DESC LIMIT 1), true) \
               ORDER BY c.next_attempt_at LIMIT {at_most} FOR NO KEY UPDATE OF c SKIP LOCKED) AS due \
             LIMIT $4)) \
           RETURNING o AS event, o.ctid AS place) \
         SELECT CASE WHEN gone.reason IS NULL THEN sent.event END, c.place::text, gone.reason \
         FROM claimed c \
         LEFT JOIN checkout_data.checkout_sessions s \
           ON s.organization_id = (c.event).organization_id AND s.environment = (c.event).environment \
           AND s.checkout_session_id = (c.event).checkout_session_id \
         CROSS JOIN LATERAL (SELECT checkout_data.event_of(c.event, s, $1, true) AS event OFFSET 0) AS sent \
         CROSS JOIN LATERAL ( \
           SELECT CASE WHEN (c.event).endpoint IS NULL AND s.checkout_session_id IS NULL THEN 'its session is gone' \
             WHEN NOT checkout_data.is_utf8(concat((sent.event).body, (sent.event).payment_id, (sent.event).last_error)) \
               THEN 'its body is not valid UTF-8' END AS reason \
           OFFSET 0) AS gone \
         WHERE (c.event).dead_at IS NULL \
         ORDER BY (c.event).created_at, (c.event).checkout_session_id"
    );
    let (events, [places, reasons]) = Statement::composed(Access::Write, sql).composites_or_texts(&arguments)?;
    if !places.is_empty() {
        let arguments = [datum::timestamp(now).into(), places.into(), reasons.into()];
        BURY.with(|statement| statement.count(&arguments))?;
    }
    Ok(events)
}

// An event that cannot be sent dies alone, with its reason.
statement!(
    BURY,
    Write,
    "UPDATE checkout_data.webhook_outbox o \
     SET next_attempt_at = NULL, lease_token = NULL, dead_at = $1, last_error = x.reason \
     FROM unnest($2::tid[], $3) AS x (place, reason) WHERE o.ctid = x.place"
);

statement!(
    ACK,
    Write,
    // Locked in the same order as in redeliveries.
    "WITH held AS ( \
       SELECT o.organization_id, o.environment, o.checkout_session_id, o.sequence \
       FROM unnest($1, $2, $3, $4) AS e (organization_id, environment, checkout_session_id, sequence) \
       JOIN checkout_data.webhook_outbox o \
         ON o.organization_id = e.organization_id AND o.environment = e.environment \
         AND o.checkout_session_id = e.checkout_session_id AND o.sequence = e.sequence \
       WHERE o.lease_token = $5 AND o.next_attempt_at IS NOT NULL \
       ORDER BY o.organization_id, o.environment, o.checkout_session_id, o.sequence FOR NO KEY UPDATE OF o) \
     UPDATE checkout_data.webhook_outbox o SET next_attempt_at = NULL, lease_token = NULL, delivered_at = $6 \
     FROM held h \
     WHERE o.organization_id = h.organization_id AND o.environment = h.environment \
       AND o.checkout_session_id = h.checkout_session_id AND o.sequence = h.sequence AND o.lease_token = $5"
);

/// Marks events as delivered that are leased under this token. Returns their number.
pub fn ack(events: &[EventId], lease_token: Uuid, now: DateTime<Utc>) -> Result<usize> {
    let arguments = [
        events.iter().map(|e| datum::uuid(e.tenant.organization_id)).collect::<Vec<_>>().into(),
        events.iter().map(|e| e.tenant.environment.as_str()).collect::<Vec<_>>().into(),
        events.iter().map(|e| datum::uuid(e.checkout_session_id)).collect::<Vec<_>>().into(),
        events.iter().map(|e| e.sequence).collect::<Vec<_>>().into(),
        datum::uuid(lease_token).into(),
        datum::timestamp(now).into(),
    ];
    ACK.with(|statement| statement.count(&arguments))
}

statement!(
    LOCK,
    Write,
    "SELECT o.delivery_attempts::integer, o.lease_token FROM checkout_data.webhook_outbox o \
     WHERE o.organization_id = $1 AND o.environment = $2 AND o.checkout_session_id = $3 AND o.sequence = $4 FOR NO KEY UPDATE"
);

/// The number of attempts of an event, and the token of its lease. Locks the event.
pub fn lock(event: &EventId) -> Result<Option<(i32, Option<Uuid>)>> {
    let row =
        LOCK.with(|statement| statement.row(&key(event), |row| Ok((row.get::<i32>(1)?, row.get::<pgrx::Uuid>(2)?))))?;
    Ok(row.map(|(attempts, token)| (attempts.unwrap_or(0), token.map(datum::from_uuid))))
}

statement!(
    NACK,
    Write,
    "WITH event AS ( \
       UPDATE checkout_data.webhook_outbox o \
       SET next_attempt_at = $5, dead_at = CASE WHEN $5 IS NULL THEN $6 END, lease_token = NULL, last_error = $7 \
       WHERE o.organization_id = $1 AND o.environment = $2 AND o.checkout_session_id = $3 AND o.sequence = $4 \
       RETURNING o AS event) \
     SELECT checkout_data.event_of(e.event, s, $6, false) FROM event e \
     LEFT JOIN checkout_data.checkout_sessions s \
       ON s.organization_id = $1 AND s.environment = $2 AND s.checkout_session_id = $3"
);

/// Puts a locked event off until `next_attempt_at`, or makes it dead.
pub fn nack(
    event: &EventId,
    next_attempt_at: Option<DateTime<Utc>>,
    last_error: Option<&str>,
    now: DateTime<Utc>,
) -> Result<Option<Event>> {
    let [organization_id, environment, session, sequence] = key(event);
    NACK.with(|statement| {
        statement.composite(&[
            organization_id,
            environment,
            session,
            sequence,
            next_attempt_at.map(datum::timestamp).into(),
            datum::timestamp(now).into(),
            last_error.into(),
        ])
    })
}

statement!(
    BODY_AS,
    Caller,
    "SELECT checkout_data.event_body_as($5, $6, o.event_type, o.created_at, checkout_data.event_object(o, s)::text, \
       o.endpoint IS NULL) \
     FROM checkout_data.webhook_outbox o \
     LEFT JOIN checkout_data.checkout_sessions s \
       ON s.organization_id = o.organization_id AND s.environment = o.environment \
       AND s.checkout_session_id = o.checkout_session_id \
     WHERE o.organization_id = $1 AND o.environment = $2 AND o.checkout_session_id = $3 AND o.sequence = $4"
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
     WHERE o.organization_id = $1 AND o.environment = $2 AND o.checkout_session_id = $3 AND o.sequence = $4"
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
            "SELECT checkout_data.event_of(o, s, $3, false) \
             FROM checkout_data.webhook_outbox o \
             LEFT JOIN checkout_data.checkout_sessions s \
               ON s.organization_id = o.organization_id AND s.environment = o.environment \
               AND s.checkout_session_id = o.checkout_session_id \
             WHERE o.organization_id = $1 AND o.environment = $2 AND ($4 IS NULL OR o.checkout_session_id = $4) \
               AND ($5 IS NULL OR o.event_type = $5) \
               AND ($6 IS NULL OR checkout_data.event_status(o, $3) = $6) \
               AND ($7 IS NULL OR (o.checkout_session_id, o.sequence) < ($7, $8)) ",
            $condition,
            " ORDER BY o.checkout_session_id DESC, o.sequence DESC LIMIT $9"
        )
    };
}
statement!(LIST, Caller, list!(""));
// Few of the events that went to endpoints are neither delivered nor skipped. These are found by their deliveries.
statement!(
    LIST_UNFINISHED,
    Caller,
    list!(
        "AND (NOT o.fanned_out OR (o.checkout_session_id, o.sequence) IN ( \
           SELECT d.checkout_session_id, d.sequence FROM checkout_data.webhook_endpoints p \
           JOIN checkout_data.webhook_deliveries d \
             ON d.organization_id = p.organization_id AND d.environment = p.environment \
             AND d.webhook_endpoint_id = p.webhook_endpoint_id \
           WHERE p.organization_id = $1 AND p.environment = $2 AND p.deleted_at IS NULL AND d.next_attempt_at IS NOT NULL \
           UNION ALL \
           SELECT d.checkout_session_id, d.sequence FROM checkout_data.webhook_deliveries d \
           WHERE d.organization_id = $1 AND d.environment = $2 AND d.dead_at IS NOT NULL))"
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
        filter.starting_after.as_ref().map(|event| datum::uuid(event.checkout_session_id)).into(),
        filter.starting_after.as_ref().map(|event| event.sequence).into(),
        filter.page_size.into(),
    ];
    let list = if matches!(filter.status, Some("pending" | "leased" | "dead")) { &LIST_UNFINISHED } else { &LIST };
    list.with(|statement| statement.composites(&arguments))
}
