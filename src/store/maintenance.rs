//! Statements over all tenants: what the worker, or anybody in its stead, runs.
//!
//! Rows are picked by `ctid = ANY (ARRAY(... LIMIT ... SKIP LOCKED))`: the inner query runs once, the outer
//! one goes straight to the rows, and a row that somebody holds is passed over, not waited for.

use chrono::{DateTime, TimeDelta, Utc};
use pgrx::datum::TimestampWithTimeZone;

use super::statement::statement;
use crate::datum;
use crate::domain::Result;

statement!(
    EXPIRE_DUE,
    Write,
    "WITH expired AS ( \
       UPDATE checkout_data.checkout_sessions s \
       SET status = 'expired', payment_status = 'unpaid', lease_expires_at = NULL, updated_at = s.deadline, \
         event_count = s.event_count + 1 \
       WHERE s.ctid = ANY (ARRAY( \
         SELECT d.ctid FROM checkout_data.checkout_sessions d WHERE d.status = 'open' AND d.deadline <= $1 \
         ORDER BY d.deadline LIMIT $2 FOR NO KEY UPDATE SKIP LOCKED)) \
       RETURNING s.organization_id, s.environment, s.checkout_session_id, s.event_count, s.attempts) \
     INSERT INTO checkout_data.webhook_outbox (organization_id, environment, checkout_session_id, sequence, event_type, \
       created_at, session_status, session_attempts, next_attempt_at) \
     SELECT e.organization_id, e.environment, e.checkout_session_id, e.event_count, 'checkout.session.expired', $1, \
       'expired', e.attempts, $1 \
     FROM expired e"
);

/// Makes sessions expired whose deadline has passed, with their events. How many.
pub fn expire_due(batch: i32, now: DateTime<Utc>) -> Result<usize> {
    EXPIRE_DUE.with(|statement| statement.count(&[datum::timestamp(now).into(), batch.into()]))
}

statement!(
    NOTICE_DUE,
    Write,
    "WITH noticed AS ( \
       UPDATE checkout_data.checkout_sessions s \
       SET expiring_notice_at = NULL, event_count = s.event_count + 1 \
       WHERE s.ctid = ANY (ARRAY( \
         SELECT d.ctid FROM checkout_data.checkout_sessions d \
         WHERE d.status = 'open' AND d.expiring_notice_at <= $1 AND d.deadline > $1 \
         ORDER BY d.expiring_notice_at LIMIT $2 FOR NO KEY UPDATE SKIP LOCKED)) \
       RETURNING s.organization_id, s.environment, s.checkout_session_id, s.event_count, s.attempts) \
     INSERT INTO checkout_data.webhook_outbox (organization_id, environment, checkout_session_id, sequence, event_type, \
       created_at, session_status, session_attempts, next_attempt_at) \
     SELECT n.organization_id, n.environment, n.checkout_session_id, n.event_count, 'checkout.session.expiring', $1, \
       'open', n.attempts, $1 \
     FROM noticed n"
);

/// Writes the reminders that are due. How many.
pub fn notice_due(batch: i32, now: DateTime<Utc>) -> Result<usize> {
    NOTICE_DUE.with(|statement| statement.count(&[datum::timestamp(now).into(), batch.into()]))
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

/// Removes idempotency keys that have lived, and events that were delivered `retention` ago. How many rows.
pub fn purge(batch: i32, retention: Option<TimeDelta>, now: DateTime<Utc>) -> Result<usize> {
    let keys = PURGE_KEYS.with(|s| s.count(&[datum::timestamp(now).into(), batch.into()]))?;
    let events = match retention {
        Some(retention) => PURGE_EVENTS.with(|s| s.count(&[datum::timestamp(now - retention).into(), batch.into()]))?,
        None => 0,
    };
    Ok(keys.max(events))
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
         (SELECT min(o.delivered_at) + $1 FROM checkout_data.webhook_outbox o WHERE o.delivered_at IS NOT NULL))"
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
        statement.row(&[retention.map(datum::interval).into()], |row| {
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
