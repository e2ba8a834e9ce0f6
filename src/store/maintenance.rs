//! Statements over all tenants: what the worker, or anybody in its stead, runs.
//!
//! Rows are picked by `ctid = ANY (ARRAY(... LIMIT ... SKIP LOCKED))`: the inner query runs once, the outer
//! one goes straight to the rows, and a row that somebody holds is passed over, not waited for.

use chrono::{DateTime, TimeDelta, Utc};
use pgrx::datum::{Interval, TimestampWithTimeZone};

use super::fan_out::{fan_out, has_endpoints, notified};
use super::purge;
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

// What is due of sessions: the first, and the first reminder.
macro_rules! next_deadline {
    () => {
        "LEAST( \
           (SELECT min(s.deadline) FROM checkout_data.checkout_sessions s WHERE s.status = 'open'), \
           (SELECT min(s.expiring_notice_at) FROM checkout_data.checkout_sessions s \
            WHERE s.expiring_notice_at IS NOT NULL AND s.status = 'open'))"
    };
}
statement!(
    NEXT_DUE,
    Latest,
    concat!(
        "SELECT ",
        next_deadline!(),
        ", \
         LEAST( \
           (SELECT min(k.expires_at) FROM checkout_data.idempotency_keys k), \
           (SELECT min(o.delivered_at) + $1 FROM checkout_data.webhook_outbox o WHERE o.delivered_at IS NOT NULL), \
           (SELECT min(o.created_at) + $1 FROM checkout_data.webhook_outbox o WHERE o.fanned_out), \
           (SELECT min(p.deleted_at) + $2 FROM checkout_data.webhook_endpoints p))"
    )
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
        statement.row(&[retention.map(datum::interval).into(), datum::interval(purge::KEEP_DELETED).into()], |row| {
            Ok(NextDue { session: read(row.get(1)?), purge: read(row.get(2)?) })
        })
    })?;
    Ok(next.unwrap_or_default())
}

// Of one table only, which the caller has locked so that this does not wait.
statement!(
    OVERDUE,
    Read,
    concat!(
        "SELECT count(*), min(s.deadline), $1 - min(s.deadline), ",
        next_deadline!(),
        " FROM checkout_data.checkout_sessions s WHERE s.status = 'open' AND s.deadline <= $1"
    )
);

/// The sessions whose deadline has passed without their being expired.
#[derive(Default)]
pub struct Overdue {
    pub count: Option<i64>,
    pub oldest_at: Option<TimestampWithTimeZone>,
    pub lag: Option<Interval>,
    /// When the next session is due, or reminder, overdue ones included.
    pub next_deadline: Option<TimestampWithTimeZone>,
}

pub fn overdue(now: DateTime<Utc>) -> Result<Overdue> {
    let row = OVERDUE.with(|statement| {
        statement.row(&[datum::timestamp(now).into()], |row| {
            Ok(Overdue { count: row.get(1)?, oldest_at: row.get(2)?, lag: row.get(3)?, next_deadline: row.get(4)? })
        })
    })?;
    Ok(row.unwrap_or_default())
}

statement!(
    TO_BE_READ_ONLY,
    Read,
    "SELECT FROM pg_catalog.pg_db_role_setting s, unnest(s.setconfig) AS setting \
     WHERE s.setdatabase IN (0, (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = current_database())) \
       AND s.setrole IN (0, (SELECT r.oid FROM pg_catalog.pg_roles r WHERE r.rolname = session_user)) \
       AND setting ^@ 'default_transaction_read_only=' AND split_part(setting, '=', 2)::boolean"
);

/// Whether new sessions are to be read only, unless something says otherwise that only they can tell.
pub fn is_to_be_read_only() -> Result<bool> {
    Ok(TO_BE_READ_ONLY.with(|statement| statement.count(&[]))? > 0)
}
