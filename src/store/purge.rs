//! Statements that remove old rows of all tenants.

use chrono::{DateTime, TimeDelta, Utc};
use pgrx::datum::TimestampWithTimeZone;
use uuid::Uuid;

use super::statement::{Argument, Statement, statement};
use crate::datum;
use rules::Result;

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

// An event that went to endpoints is finished when all remaining endpoints have had it for `retention`. Its deliveries
// are read again on a new snapshot after it is locked, because it may have been redelivered since.
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
// Looks at a limited number of events, the oldest after a place, and at no others: dead events, and events that wait
// for a disabled endpoint, stay. Otherwise each batch would pass over all of them.
statement!(
    LAST_OF_STRETCH,
    Transaction,
    "SELECT o.created_at, o.checkout_session_id, o.sequence::integer FROM checkout_data.webhook_outbox o \
     WHERE o.fanned_out AND o.created_at <= $1 AND (o.created_at, o.checkout_session_id, o.sequence) > ($2, $3, $4) \
     ORDER BY o.created_at, o.checkout_session_id, o.sequence OFFSET $5 - 1 LIMIT 1"
);
statement!(
    LOCK_FANNED_OUT,
    Write,
    concat!(
        "SELECT o.ctid::text FROM checkout_data.webhook_outbox o \
         WHERE o.fanned_out AND o.created_at <= $1 AND (o.created_at, o.checkout_session_id, o.sequence) > ($2, $3, $4) \
           AND ($5 IS NULL OR (o.created_at, o.checkout_session_id, o.sequence) <= ($5, $6, $7)) AND ",
        finished!("o"),
        " ORDER BY o.created_at, o.checkout_session_id, o.sequence FOR UPDATE SKIP LOCKED"
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
           DELETE FROM checkout_data.webhook_deliveries d WHERE d.ctid = ANY (ARRAY( \
             SELECT x.ctid FROM event e \
             JOIN checkout_data.webhook_endpoints p ON p.organization_id = e.organization_id AND p.environment = e.environment, \
               LATERAL ( \
                 SELECT x.ctid FROM checkout_data.webhook_deliveries x \
                 WHERE x.organization_id = p.organization_id AND x.environment = p.environment \
                   AND x.webhook_endpoint_id = p.webhook_endpoint_id \
                   AND x.checkout_session_id = e.checkout_session_id AND x.sequence = e.sequence OFFSET 0) AS x))) \
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
       WHERE p.deleted_at <= $1 LIMIT $2 FOR UPDATE OF x SKIP LOCKED))"
);
statement!(
    PURGE_ENDPOINTS,
    Write,
    "DELETE FROM checkout_data.webhook_endpoints e WHERE e.ctid = ANY (ARRAY( \
       SELECT p.ctid FROM checkout_data.webhook_endpoints p WHERE p.deleted_at <= $1 AND NOT EXISTS ( \
         SELECT FROM checkout_data.webhook_deliveries d \
         WHERE d.organization_id = p.organization_id AND d.environment = p.environment \
           AND d.webhook_endpoint_id = p.webhook_endpoint_id) \
       FOR UPDATE OF p SKIP LOCKED))"
);

/// How long a deleted endpoint is kept: a transaction that still sees it may be writing an event.
pub const KEEP_DELETED: TimeDelta = TimeDelta::hours(1);

/// A place among the events that went to endpoints, in the order in which they were written.
#[derive(Clone, Copy)]
pub struct Place {
    created_at: DateTime<Utc>,
    checkout_session_id: Uuid,
    sequence: i32,
}

impl Place {
    pub const FIRST: Self =
        Self { created_at: DateTime::<Utc>::UNIX_EPOCH, checkout_session_id: Uuid::nil(), sequence: 0 };

    fn arguments(self) -> [Argument<'static>; 3] {
        [datum::timestamp(self.created_at).into(), datum::uuid(self.checkout_session_id).into(), self.sequence.into()]
    }
}

/// Removes expired idempotency keys, events that a consumer acknowledged `retention` ago, and the remains of deleted
/// endpoints. Returns the number of rows of each kind.
pub fn purge(batch: i32, retention: Option<TimeDelta>, now: DateTime<Utc>) -> Result<[usize; 4]> {
    let before = |statement: &Statement, at| statement.count(&[datum::timestamp(at).into(), batch.into()]);
    let keys = PURGE_KEYS.with(|statement| before(statement, now))?;
    let events = match retention {
        Some(retention) => PURGE_EVENTS.with(|statement| before(statement, now - retention))?,
        None => 0,
    };
    let deliveries = PURGE_DELIVERIES.with(|statement| before(statement, now - KEEP_DELETED))?;
    let endpoints =
        PURGE_ENDPOINTS.with(|statement| statement.count(&[datum::timestamp(now - KEEP_DELETED).into()]))?;
    Ok([keys, events, deliveries, endpoints])
}

/// Looks at a stretch of the events that went to endpoints, from a place on, and removes those that all endpoints
/// received `retention` ago. Returns their number, and where to continue; `None` at the end.
pub fn purge_fanned_out(
    from: Place,
    stretch: i32,
    retention: Option<TimeDelta>,
    now: DateTime<Utc>,
) -> Result<(usize, Option<Place>)> {
    let Some(retention) = retention else { return Ok((0, None)) };
    let before = || -> Argument { datum::timestamp(now - retention).into() };
    let mut arguments = vec![before()];
    arguments.extend(from.arguments());
    arguments.push(stretch.into());
    let last = LAST_OF_STRETCH.with(|statement| {
        statement.row(&arguments, |row| {
            Ok((row.get::<TimestampWithTimeZone>(1)?, row.get::<pgrx::Uuid>(2)?, row.get::<i32>(3)?))
        })
    })?;
    let last = match last {
        Some((Some(created_at), Some(id), Some(sequence))) => Some(Place {
            created_at: datum::from_timestamp("created_at", created_at)?,
            checkout_session_id: datum::from_uuid(id),
            sequence,
        }),
        _ => None,
    };
    arguments.pop();
    match last {
        Some(last) => arguments.extend(last.arguments()),
        None => arguments.extend([None::<TimestampWithTimeZone>.into(), None::<pgrx::Uuid>.into(), None::<i32>.into()]),
    }
    let locked = LOCK_FANNED_OUT.with(|statement| statement.texts(&arguments))?;
    let removed = match locked.is_empty() {
        true => 0,
        false => PURGE_FANNED_OUT.with(|statement| statement.count(&[before(), locked.into()]))?,
    };
    Ok((removed, last))
}
