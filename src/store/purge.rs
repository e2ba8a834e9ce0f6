//! Statements that remove old rows of all tenants.

use chrono::{DateTime, TimeDelta, Utc};
use pgrx::datum::TimestampWithTimeZone;

use super::fan_out::receivers_of_o;
use super::request_failures;
use super::statement::{Argument, statement};
use crate::datum;
use rules::Result;

statement!(
    PURGE_KEYS,
    Write,
    "DELETE FROM checkout_data.idempotency_keys k WHERE k.ctid = ANY (ARRAY( \
       SELECT d.ctid FROM checkout_data.idempotency_keys d WHERE d.expires_at <= $1 \
       ORDER BY d.expires_at LIMIT $2 FOR UPDATE SKIP LOCKED))"
);
// Looks at a limited number of events, the oldest after a time, and at no others: dead events, and events that wait for
// a disabled endpoint, stay. Otherwise each batch would pass over all of them.
statement!(
    LAST_OF_STRETCH,
    Transaction,
    "SELECT o.created_at FROM checkout_data.webhook_outbox o \
     WHERE o.created_at <= $1 AND o.created_at > $2 ORDER BY o.created_at OFFSET $3 - 1 LIMIT 1"
);
/// The deliveries of the events of a stretch: all of its receivers that are not deleted. What remains of a deleted
/// receiver keeps no event.
macro_rules! deliveries_of_stretch {
    () => {
        concat!(
            " checkout_data.webhook_outbox o, ",
            receivers_of_o!(),
            ", LATERAL ( \
                 SELECT d.ctid, d.* FROM checkout_data.webhook_deliveries d \
                 WHERE d.organization_id = o.organization_id AND d.environment = o.environment \
                   AND d.receiver_id = r.receiver_id AND d.subject_id = o.subject_id AND d.sequence = o.sequence OFFSET 0) AS d \
             WHERE o.created_at <= $3 AND o.created_at > $2 "
        )
    };
}
statement!(
    PURGE_DELIVERIES,
    Write,
    concat!(
        "WITH delivery AS ( \
           DELETE FROM checkout_data.webhook_deliveries g WHERE g.ctid = ANY (ARRAY( \
             SELECT x.ctid FROM checkout_data.webhook_deliveries x WHERE x.ctid = ANY (ARRAY(SELECT d.ctid FROM",
        deliveries_of_stretch!(),
        "      AND d.delivered_at <= $1)) AND x.delivered_at <= $1 FOR UPDATE SKIP LOCKED)) \
           RETURNING g.organization_id, g.environment, g.receiver_id, g.subject_id, g.sequence) \
         DELETE FROM checkout_data.webhook_attempts a USING delivery d \
         WHERE a.organization_id = d.organization_id AND a.environment = d.environment AND a.receiver_id = d.receiver_id \
           AND a.subject_id = d.subject_id AND a.sequence = d.sequence"
    )
);
// On a new snapshot: an event may have been redelivered meanwhile.
statement!(
    PURGE_EVENTS,
    Write,
    concat!(
        "DELETE FROM checkout_data.webhook_outbox g \
         WHERE g.created_at <= $3 AND g.created_at > $2 \
           AND (g.organization_id, g.environment, g.subject_id, g.sequence) NOT IN ( \
             SELECT o.organization_id, o.environment, o.subject_id, o.sequence FROM",
        deliveries_of_stretch!(),
        ")"
    )
);
// The remains of deleted receivers.
statement!(
    PURGE_REMAINS,
    Write,
    "WITH receiver AS ( \
       SELECT p.webhook_endpoint_id AS receiver_id, p.organization_id, p.environment \
       FROM checkout_data.webhook_endpoints p WHERE p.deleted_at <= $1 \
       UNION ALL \
       SELECT c.webhook_consumer_id, c.organization_id, c.environment \
       FROM checkout_data.webhook_consumers c WHERE c.deleted_at <= $1), \
     delivery AS ( \
       DELETE FROM checkout_data.webhook_deliveries d WHERE d.ctid = ANY (ARRAY( \
         SELECT x.ctid FROM receiver r JOIN checkout_data.webhook_deliveries x \
           ON x.organization_id = r.organization_id AND x.environment = r.environment AND x.receiver_id = r.receiver_id \
           OR r.organization_id IS NULL AND x.receiver_id = r.receiver_id \
         LIMIT $2 FOR UPDATE OF x SKIP LOCKED)) \
       RETURNING d.organization_id, d.environment, d.receiver_id, d.subject_id, d.sequence), \
     attempt AS ( \
       DELETE FROM checkout_data.webhook_attempts a USING delivery d \
       WHERE a.organization_id = d.organization_id AND a.environment = d.environment AND a.receiver_id = d.receiver_id \
         AND a.subject_id = d.subject_id AND a.sequence = d.sequence) \
     SELECT FROM delivery"
);
// A delivery was written again while its event was removed, and has died of that. There are few.
statement!(
    PURGE_ORPHANS,
    Write,
    "WITH delivery AS ( \
       DELETE FROM checkout_data.webhook_deliveries g WHERE g.ctid = ANY (ARRAY( \
         SELECT d.ctid FROM checkout_data.webhook_deliveries d \
         WHERE d.dead_at <= $1 AND d.last_error = 'its event is gone' AND NOT EXISTS ( \
           SELECT FROM checkout_data.webhook_outbox o \
           WHERE o.organization_id = d.organization_id AND o.environment = d.environment AND o.subject_id = d.subject_id \
             AND o.sequence = d.sequence) \
         LIMIT $2 FOR UPDATE OF d SKIP LOCKED)) \
       RETURNING g.organization_id, g.environment, g.receiver_id, g.subject_id, g.sequence), \
     attempt AS ( \
       DELETE FROM checkout_data.webhook_attempts a USING delivery d \
       WHERE a.organization_id = d.organization_id AND a.environment = d.environment AND a.receiver_id = d.receiver_id \
         AND a.subject_id = d.subject_id AND a.sequence = d.sequence) \
     SELECT FROM delivery"
);
statement!(
    PURGE_ENDPOINTS,
    Write,
    "DELETE FROM checkout_data.webhook_endpoints e WHERE e.ctid = ANY (ARRAY( \
       SELECT p.ctid FROM checkout_data.webhook_endpoints p WHERE p.deleted_at <= $1 AND NOT EXISTS ( \
         SELECT FROM checkout_data.webhook_deliveries d \
         WHERE d.organization_id = p.organization_id AND d.environment = p.environment \
           AND d.receiver_id = p.webhook_endpoint_id) \
       FOR UPDATE OF p SKIP LOCKED))"
);
statement!(
    PURGE_CONSUMERS,
    Write,
    "DELETE FROM checkout_data.webhook_consumers e WHERE e.ctid = ANY (ARRAY( \
       SELECT c.ctid FROM checkout_data.webhook_consumers c WHERE c.deleted_at <= $1 AND NOT EXISTS ( \
         SELECT FROM checkout_data.webhook_deliveries d WHERE d.receiver_id = c.webhook_consumer_id) \
       FOR UPDATE OF c SKIP LOCKED))"
);

/// How long a deleted receiver is kept: a transaction that still sees it may be writing an event.
pub const KEEP_DELETED: TimeDelta = TimeDelta::hours(1);

statement!(
    PURGE_HOOK_FAILURES,
    Write,
    "DELETE FROM checkout_data.hook_failures f WHERE f.ctid = ANY (ARRAY( \
       SELECT d.ctid FROM checkout_data.hook_failures d WHERE d.created_at <= $1 \
       ORDER BY d.created_at LIMIT $2))"
);

statement!(
    PURGE_REQUEST_FAILURES,
    Write,
    "DELETE FROM checkout_data.request_failures f WHERE f.ctid = ANY (ARRAY( \
       SELECT d.ctid FROM checkout_data.request_failures d WHERE d.minute <= $1 \
       ORDER BY d.minute LIMIT $2))"
);

/// How long the failures of hooks are kept.
pub const KEEP_FAILURES: TimeDelta = TimeDelta::days(30);

/// Removes expired idempotency keys, the remains of deleted receivers, old failures of hooks and counts of refused calls.
/// Returns the number of rows of each kind.
pub fn purge(batch: i32, now: DateTime<Utc>) -> Result<[usize; 7]> {
    let failed = datum::timestamp(now - KEEP_FAILURES);
    let refused = datum::timestamp(now - request_failures::KEEP);
    let deleted = datum::timestamp(now - KEEP_DELETED);
    Ok([
        PURGE_KEYS.with(|statement| statement.count(&[datum::timestamp(now).into(), batch.into()]))?,
        PURGE_REMAINS.with(|statement| statement.count(&[deleted.into(), batch.into()]))?,
        PURGE_ORPHANS.with(|statement| statement.count(&[deleted.into(), batch.into()]))?,
        PURGE_ENDPOINTS.with(|statement| statement.count(&[deleted.into()]))?,
        PURGE_CONSUMERS.with(|statement| statement.count(&[deleted.into()]))?,
        PURGE_HOOK_FAILURES.with(|statement| statement.count(&[failed.into(), batch.into()]))?,
        PURGE_REQUEST_FAILURES.with(|statement| statement.count(&[refused.into(), batch.into()]))?,
    ])
}

/// Looks at a stretch of the events, from a time on, and removes those that were written `retention` ago and that all
/// their receivers have had for as long. Returns their number, and where to continue; `None` at the end.
pub fn purge_events(
    from: DateTime<Utc>,
    stretch: i32,
    retention: Option<TimeDelta>,
    now: DateTime<Utc>,
) -> Result<(usize, Option<DateTime<Utc>>)> {
    let Some(retention) = retention else { return Ok((0, None)) };
    let range = || -> [Argument; 2] { [datum::timestamp(now - retention).into(), datum::timestamp(from).into()] };
    let [before, after] = range();
    let last = LAST_OF_STRETCH
        .with(|statement| statement.row(&[before, after, stretch.into()], |row| row.get::<TimestampWithTimeZone>(1)))?;
    let last = last.flatten();
    let arguments = || {
        let [before, after] = range();
        [before, after, last.unwrap_or_else(|| datum::timestamp(now - retention)).into()]
    };
    PURGE_DELIVERIES.with(|statement| statement.count(&arguments()))?;
    let removed = PURGE_EVENTS.with(|statement| statement.count(&arguments()))?;
    Ok((removed, last.map(|last| datum::from_timestamp("created_at", last)).transpose()?))
}
