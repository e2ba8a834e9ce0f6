//! Statements over all tenants: what the worker, or anybody in its stead, runs.
//!
//! Rows are picked by `ctid = ANY (ARRAY(... LIMIT ... SKIP LOCKED))`: the inner query runs once, the outer
//! one goes straight to the rows, and a row that somebody holds is passed over, not waited for.

use chrono::{DateTime, TimeDelta, Utc};
use pgrx::datum::TimestampWithTimeZone;

use super::fan_out::{fan_out, has_endpoints, notified};
use super::statement::{Statement, statement};
use crate::datum;
use crate::domain::Result;

statement!(
    EXPIRE_DUE,
    Write,
    concat!(
        "WITH expired AS ( \
       UPDATE checkout_data.checkout_sessions s \
       SET status = 'expired', payment_status = 'unpaid', lease_expires_at = NULL, updated_at = s.deadline, \
         event_count = s.event_count + 1 \
       WHERE s.ctid = ANY (ARRAY( \
         SELECT d.ctid FROM checkout_data.checkout_sessions d WHERE d.status = 'open' AND d.deadline <= $1 \
         ORDER BY d.deadline LIMIT $2 FOR NO KEY UPDATE SKIP LOCKED)) \
       RETURNING s.organization_id, s.environment, s.checkout_session_id, s.event_count, s.attempts, ",
        has_endpoints!("s"),
        " AS fanned_out), \
     event AS ( \
       INSERT INTO checkout_data.webhook_outbox (organization_id, environment, checkout_session_id, sequence, event_type, \
         created_at, session_status, session_attempts, next_attempt_at, fanned_out) \
       SELECT e.organization_id, e.environment, e.checkout_session_id, e.event_count, 'checkout.session.expired', $1, \
         'expired', e.attempts, CASE WHEN NOT e.fanned_out THEN $1 END, e.fanned_out \
       FROM expired e",
        fan_out!(),
        "SELECT count(*), ",
        notified!(),
        " FROM event"
    )
);

/// Makes sessions expired whose deadline has passed, with their events. How many.
pub fn expire_due(batch: i32, now: DateTime<Utc>) -> Result<usize> {
    EXPIRE_DUE.with(|statement| written(statement, batch, now))
}

statement!(
    NOTICE_DUE,
    Write,
    concat!(
        "WITH noticed AS ( \
       UPDATE checkout_data.checkout_sessions s \
       SET expiring_notice_at = NULL, event_count = s.event_count + 1 \
       WHERE s.ctid = ANY (ARRAY( \
         SELECT d.ctid FROM checkout_data.checkout_sessions d \
         WHERE d.status = 'open' AND d.expiring_notice_at <= $1 AND d.deadline > $1 \
         ORDER BY d.expiring_notice_at LIMIT $2 FOR NO KEY UPDATE SKIP LOCKED)) \
       RETURNING s.organization_id, s.environment, s.checkout_session_id, s.event_count, s.attempts, ",
        has_endpoints!("s"),
        " AS fanned_out), \
     event AS ( \
       INSERT INTO checkout_data.webhook_outbox (organization_id, environment, checkout_session_id, sequence, event_type, \
         created_at, session_status, session_attempts, next_attempt_at, fanned_out) \
       SELECT n.organization_id, n.environment, n.checkout_session_id, n.event_count, 'checkout.session.expiring', $1, \
         'open', n.attempts, CASE WHEN NOT n.fanned_out THEN $1 END, n.fanned_out \
       FROM noticed n",
        fan_out!(),
        "SELECT count(*), ",
        notified!(),
        " FROM event"
    )
);

/// Writes the reminders that are due. How many.
pub fn notice_due(batch: i32, now: DateTime<Utc>) -> Result<usize> {
    NOTICE_DUE.with(|statement| written(statement, batch, now))
}

/// Runs a statement that writes events, and says how many.
fn written(statement: &Statement, batch: i32, now: DateTime<Utc>) -> Result<usize> {
    let count = statement.row(&[datum::timestamp(now).into(), batch.into()], |row| row.get::<i64>(1))?.flatten();
    Ok(count.and_then(|count| usize::try_from(count).ok()).unwrap_or(0))
}

statement!(
    PURGE_KEYS,
    Write,
    "DELETE FROM checkout_data.idempotency_keys k WHERE k.ctid = ANY (ARRAY( \
       SELECT d.ctid FROM checkout_data.idempotency_keys d WHERE d.expires_at <= $1 \
       ORDER BY d.expires_at LIMIT $2 FOR UPDATE SKIP LOCKED))"
);
statement!(
    PURGE_EVENTS,
    Write,
    "DELETE FROM checkout_data.webhook_outbox o WHERE o.ctid = ANY (ARRAY( \
       SELECT d.ctid FROM checkout_data.webhook_outbox d WHERE d.delivered_at <= $1 \
       ORDER BY d.delivered_at LIMIT $2 FOR UPDATE SKIP LOCKED))"
);

// An event that went to endpoints is finished when those that are still there have had it for so long. Its deliveries are
// looked at once more, on a new snapshot, when it is locked: somebody may have redelivered it since.
macro_rules! finished {
    ($event:literal) => {
        concat!(
            " NOT EXISTS ( \
             SELECT FROM checkout_data.webhook_endpoints p \
             JOIN checkout_data.webhook_deliveries d \
               ON d.organization_id = p.organization_id AND d.environment = p.environment \
               AND d.webhook_endpoint_id = p.webhook_endpoint_id \
               AND d.checkout_session_id = ",
            $event,
            ".checkout_session_id AND d.sequence = ",
            $event,
            ".sequence WHERE p.organization_id = ",
            $event,
            ".organization_id AND p.environment = ",
            $event,
            ".environment AND p.deleted_at IS NULL AND (d.delivered_at IS NULL OR d.delivered_at > $1)) "
        )
    };
}
statement!(
    LOCK_FANNED_OUT,
    Write,
    concat!(
        "SELECT o.ctid::text FROM checkout_data.webhook_outbox o \
         WHERE o.fanned_out AND o.created_at <= $1 AND ",
        finished!("o"),
        " ORDER BY o.created_at LIMIT $2 FOR UPDATE SKIP LOCKED"
    )
);
statement!(
    PURGE_FANNED_OUT,
    Write,
    concat!(
        "WITH event AS ( \
           DELETE FROM checkout_data.webhook_outbox o \
           WHERE o.ctid = ANY ($2::tid[]) AND o.fanned_out AND o.created_at <= $1 AND ",
        finished!("o"),
        " RETURNING o.organization_id, o.environment, o.checkout_session_id, o.sequence), \
         delivery AS ( \
           DELETE FROM checkout_data.webhook_deliveries d \
           USING event e \
           JOIN checkout_data.webhook_endpoints p ON p.organization_id = e.organization_id AND p.environment = e.environment \
           WHERE d.organization_id = e.organization_id AND d.environment = e.environment \
             AND d.webhook_endpoint_id = p.webhook_endpoint_id \
             AND d.checkout_session_id = e.checkout_session_id AND d.sequence = e.sequence) \
         SELECT FROM event"
    )
);
statement!(
    PURGE_DELIVERIES,
    Write,
    "DELETE FROM checkout_data.webhook_deliveries d WHERE d.ctid = ANY (ARRAY( \
       SELECT x.ctid FROM checkout_data.webhook_endpoints p \
       JOIN checkout_data.webhook_deliveries x \
         ON x.organization_id = p.organization_id AND x.environment = p.environment \
         AND x.webhook_endpoint_id = p.webhook_endpoint_id \
       WHERE p.deleted_at <= $1 LIMIT $2))"
);
statement!(
    PURGE_ENDPOINTS,
    Write,
    "DELETE FROM checkout_data.webhook_endpoints p WHERE p.deleted_at <= $1 AND NOT EXISTS ( \
       SELECT FROM checkout_data.webhook_deliveries d \
       WHERE d.organization_id = p.organization_id AND d.environment = p.environment \
         AND d.webhook_endpoint_id = p.webhook_endpoint_id)"
);

/// For how long a deleted endpoint is kept, because somebody may be writing an event who still sees it.
const KEEP_DELETED: TimeDelta = TimeDelta::hours(1);

/// Removes idempotency keys that have lived, events that were delivered `retention` ago, and what endpoints that were
/// deleted have left. How many rows of the kind with most.
pub fn purge(batch: i32, retention: Option<TimeDelta>, now: DateTime<Utc>) -> Result<usize> {
    let before = |statement: &Statement, at| statement.count(&[datum::timestamp(at).into(), batch.into()]);
    let mut most = PURGE_KEYS.with(|statement| before(statement, now))?;
    if let Some(retention) = retention {
        most = most.max(PURGE_EVENTS.with(|statement| before(statement, now - retention))?);
        let arguments = [datum::timestamp(now - retention).into(), batch.into()];
        let locked = LOCK_FANNED_OUT.with(|statement| statement.texts(&arguments))?;
        if !locked.is_empty() {
            let arguments = [datum::timestamp(now - retention).into(), locked.clone().into()];
            PURGE_FANNED_OUT.with(|statement| statement.count(&arguments))?;
            most = most.max(locked.len());
        }
    }
    most = most.max(PURGE_DELIVERIES.with(|statement| before(statement, now - KEEP_DELETED))?);
    PURGE_ENDPOINTS.with(|statement| statement.count(&[datum::timestamp(now - KEEP_DELETED).into()]))?;
    Ok(most)
}

statement!(
    NEXT_DUE,
    Read,
    "SELECT LEAST( \
         (SELECT min(s.deadline) FROM checkout_data.checkout_sessions s WHERE s.status = 'open'), \
         (SELECT min(s.expiring_notice_at) FROM checkout_data.checkout_sessions s \
          WHERE s.expiring_notice_at IS NOT NULL AND s.status = 'open')), \
       LEAST( \
         (SELECT min(k.expires_at) FROM checkout_data.idempotency_keys k), \
         (SELECT min(o.delivered_at) + $1 FROM checkout_data.webhook_outbox o WHERE o.delivered_at IS NOT NULL), \
         (SELECT min(o.created_at) + $1 FROM checkout_data.webhook_outbox o WHERE o.fanned_out), \
         (SELECT min(p.deleted_at) + $2 FROM checkout_data.webhook_endpoints p))"
);

/// What is due next.
#[derive(Debug, Default)]
pub struct NextDue {
    /// A session, or its reminder.
    pub session: Option<DateTime<Utc>>,
    /// A row that can be purged.
    pub purge: Option<DateTime<Utc>>,
}

pub fn next_due(retention: Option<TimeDelta>) -> Result<NextDue> {
    let read = |at: Option<TimestampWithTimeZone>| at.and_then(|at| datum::from_timestamp("deadline", at).ok());
    let next = NEXT_DUE.with(|statement| {
        statement.row(&[retention.map(datum::interval).into(), datum::interval(KEEP_DELETED).into()], |row| {
            Ok(NextDue { session: read(row.get(1)?), purge: read(row.get(2)?) })
        })
    })?;
    Ok(next.unwrap_or_default())
}

statement!(
    OLDEST_OVERDUE,
    Read,
    "SELECT min(s.deadline), count(*) FROM checkout_data.checkout_sessions s WHERE s.status = 'open' AND s.deadline <= $1"
);

/// The deadline that has passed longest ago without the session being expired, and how many there are.
pub fn overdue(now: DateTime<Utc>) -> Result<(Option<TimestampWithTimeZone>, i64)> {
    let row = OLDEST_OVERDUE
        .with(|statement| statement.row(&[datum::timestamp(now).into()], |row| Ok((row.get(1)?, row.get(2)?))))?;
    Ok(row.map_or((None, 0), |(oldest, count)| (oldest, count.unwrap_or(0))))
}
