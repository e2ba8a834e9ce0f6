//! Statements on claimed deliveries: the results of attempts, acknowledgements, leases given back.

use chrono::{DateTime, TimeDelta, Utc};
use pgrx::datum::TimestampWithTimeZone;
use uuid::Uuid;

use super::statement::{Argument, statement};
use crate::datum::{self, WebhookDelivery};
use crate::shared::wake;
use rules::webhooks::delivery::Outcome;
use rules::webhooks::event::EventId;
use rules::{Error, Result};

/// A delivery: an event, and the endpoint or consumer that it goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key {
    pub event: EventId,
    pub receiver_id: Uuid,
}

impl Key {
    fn arguments(&self) -> [Argument<'static>; 5] {
        [
            datum::uuid(self.event.tenant.organization_id).into(),
            self.event.tenant.environment.as_str().into(),
            datum::uuid(self.receiver_id).into(),
            datum::uuid(self.event.subject_id).into(),
            self.event.sequence.into(),
        ]
    }
}

fn columns<'a>(keys: impl Iterator<Item = &'a Key> + Clone) -> [Argument<'static>; 5] {
    let uuids = |value: fn(&Key) -> Uuid| keys.clone().map(|key| datum::uuid(value(key))).collect::<Vec<_>>().into();
    [
        uuids(|key| key.event.tenant.organization_id),
        keys.clone().map(|key| key.event.tenant.environment.as_str()).collect::<Vec<_>>().into(),
        uuids(|key| key.receiver_id),
        uuids(|key| key.event.subject_id),
        keys.clone().map(|key| key.event.sequence).collect::<Vec<_>>().into(),
    ]
}

macro_rules! same_delivery {
    ($left:literal, $right:literal) => {
        concat!(
            $left,
            ".organization_id = ",
            $right,
            ".organization_id AND ",
            $left,
            ".environment = ",
            $right,
            ".environment AND ",
            $left,
            ".receiver_id = ",
            $right,
            ".receiver_id AND ",
            $left,
            ".subject_id = ",
            $right,
            ".subject_id AND ",
            $left,
            ".sequence = ",
            $right,
            ".sequence"
        )
    };
}
// Every statement that locks several deliveries does so in this order, so that no two of them wait in a circle. A locked
// delivery is still where it was: had it been changed meanwhile, it would not be leased under that token.
macro_rules! lock_in_order {
    () => {
        " ORDER BY d.organization_id, d.environment, d.subject_id, d.sequence, d.receiver_id FOR NO KEY UPDATE OF d"
    };
}
statement!(
    LOCK,
    Write,
    concat!(
        "SELECT x.place::integer, d.attempts::integer, p.failing_since \
         FROM unnest($1, $2, $3, $4, $5, $6) WITH ORDINALITY \
           AS x (organization_id, environment, receiver_id, subject_id, sequence, lease_token, place) \
         JOIN checkout_data.webhook_deliveries d ON ",
        same_delivery!("d", "x"),
        " JOIN checkout_data.webhook_endpoints p \
           ON p.organization_id = d.organization_id AND p.environment = d.environment \
           AND p.webhook_endpoint_id = d.receiver_id AND p.deleted_at IS NULL \
         WHERE d.lease_token = x.lease_token AND d.next_attempt_at IS NOT NULL",
        lock_in_order!()
    )
);

/// A delivery to an endpoint, locked until the transaction ends.
pub struct Locked {
    /// Its place among the deliveries that were to be locked.
    pub place: usize,
    /// The attempts since it was written or redelivered.
    pub attempts: i32,
    pub failing_since: Option<DateTime<Utc>>,
}

/// Locks those of these deliveries to endpoints that are leased under their tokens.
pub fn lock(deliveries: &[(Key, Uuid)]) -> Result<Vec<Locked>> {
    let mut arguments = Vec::from(columns(deliveries.iter().map(|(key, _)| key)));
    arguments.push(deliveries.iter().map(|(_, token)| datum::uuid(*token)).collect::<Vec<_>>().into());
    LOCK.with(|statement| {
        statement.rows(&arguments, |row| {
            let failing_since = row.get::<TimestampWithTimeZone>(3)?;
            Ok(Locked {
                // Places are counted from 1.
                place: row.get::<i32>(1)?.and_then(|place| usize::try_from(place - 1).ok()).unwrap_or(usize::MAX),
                attempts: row.get::<i32>(2)?.unwrap_or(0),
                failing_since: failing_since.map(|at| datum::from_timestamp("failing_since", at)).transpose()?,
            })
        })
    })
}

statement!(
    EXISTS,
    Write,
    "SELECT FROM checkout_data.webhook_deliveries d \
     JOIN checkout_data.webhook_endpoints p \
       ON p.organization_id = d.organization_id AND p.environment = d.environment \
       AND p.webhook_endpoint_id = d.receiver_id AND p.deleted_at IS NULL \
     WHERE d.organization_id = $1 AND d.environment = $2 AND d.receiver_id = $3 AND d.subject_id = $4 AND d.sequence = $5"
);

/// Returns true if there is such a delivery to an endpoint.
pub fn exists(key: &Key) -> Result<bool> {
    Ok(EXISTS.with(|statement| statement.count(&key.arguments()))? > 0)
}

/// The result of an attempt, and what follows from it.
pub struct Recorded {
    pub key: Key,
    pub lease_token: Uuid,
    pub status_code: Option<i32>,
    pub error: Option<String>,
    pub duration: Option<TimeDelta>,
    pub response_body: Option<String>,
    pub outcome: Outcome,
}

// Relays may wait for a delivery that the finished ones stood in front of: they are told.
statement!(
    RECORD,
    Write,
    concat!(
        "WITH held AS MATERIALIZED ( \
           SELECT d.ctid AS place, p.disabled_at IS NULL AS endpoint_enabled, x.next_attempt_at, x.delivered, x.status_code, \
             x.error, x.duration, x.response_body \
           FROM unnest($2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) \
             AS x (organization_id, environment, receiver_id, subject_id, sequence, lease_token, next_attempt_at, delivered, \
               status_code, error, duration, response_body) \
           JOIN checkout_data.webhook_deliveries d ON ",
        same_delivery!("d", "x"),
        "  JOIN checkout_data.webhook_endpoints p \
             ON p.organization_id = d.organization_id AND p.environment = d.environment \
             AND p.webhook_endpoint_id = d.receiver_id AND p.deleted_at IS NULL \
           WHERE d.lease_token = x.lease_token AND d.next_attempt_at IS NOT NULL",
        lock_in_order!(),
        "), delivery AS ( \
           UPDATE checkout_data.webhook_deliveries d \
           SET attempts = d.attempts + 1, attempts_ever = d.attempts_ever + 1, lease_token = NULL, \
             next_attempt_at = h.next_attempt_at, delivered_at = CASE WHEN h.delivered THEN $1 END, \
             dead_at = CASE WHEN NOT h.delivered AND h.next_attempt_at IS NULL THEN $1 END, \
             last_attempt_at = $1, last_status_code = h.status_code, last_error = h.error \
           FROM held h WHERE d.ctid = h.place \
           RETURNING d AS delivery, d.organization_id, d.environment, d.receiver_id, d.subject_id, d.sequence, \
             d.attempts_ever, d.next_attempt_at, h.status_code, h.error, h.duration, h.response_body, h.endpoint_enabled), \
         attempt AS ( \
           INSERT INTO checkout_data.webhook_attempts (organization_id, environment, receiver_id, subject_id, sequence, attempt, \
             recorded_at, status_code, error, duration, response_body) \
           SELECT d.organization_id, d.environment, d.receiver_id, d.subject_id, d.sequence, d.attempts_ever, $1, \
             d.status_code, d.error, d.duration, d.response_body \
           FROM delivery d), \
         successor AS ( \
           SELECT FROM delivery d, \
             LATERAL ( \
               SELECT FROM checkout_data.webhook_deliveries x \
               WHERE d.next_attempt_at IS NULL AND x.organization_id = d.organization_id AND x.environment = d.environment \
                 AND x.receiver_id = d.receiver_id AND x.subject_id = d.subject_id AND x.sequence > d.sequence \
                 AND x.next_attempt_at IS NOT NULL AND x.lease_token IS NULL \
               LIMIT 1) AS x) \
         SELECT checkout_data.delivery_of(d.delivery, o, d.receiver_id, NULL, d.endpoint_enabled, $1), \
           (SELECT checkout_data.deliveries_due() FROM successor LIMIT 1) \
         FROM delivery d \
         LEFT JOIN checkout_data.webhook_outbox o \
           ON o.organization_id = d.organization_id AND o.environment = d.environment AND o.subject_id = d.subject_id \
           AND o.sequence = d.sequence"
    )
);

/// Writes the results of attempts at the deliveries that are leased under their tokens.
pub fn record(results: &[Recorded], now: DateTime<Utc>) -> Result<Vec<WebhookDelivery>> {
    if results.is_empty() {
        return Ok(Vec::new());
    }
    let next_attempt_at = |outcome| match outcome {
        Outcome::Retry(delay) => Some(datum::timestamp(now + delay)),
        Outcome::Delivered | Outcome::Dead => None,
    };
    let mut arguments = vec![datum::timestamp(now).into()];
    arguments.extend(columns(results.iter().map(|result| &result.key)));
    arguments.extend([
        results.iter().map(|result| datum::uuid(result.lease_token)).collect::<Vec<_>>().into(),
        results.iter().map(|result| next_attempt_at(result.outcome)).collect::<Vec<_>>().into(),
        results.iter().map(|result| result.outcome == Outcome::Delivered).collect::<Vec<_>>().into(),
        results.iter().map(|result| result.status_code).collect::<Vec<_>>().into(),
        results.iter().map(|result| result.error.clone()).collect::<Vec<_>>().into(),
        results.iter().map(|result| result.duration.map(datum::interval)).collect::<Vec<_>>().into(),
        results.iter().map(|result| result.response_body.clone()).collect::<Vec<_>>().into(),
    ]);
    RECORD.with(|statement| statement.composites(&arguments))
}

statement!(
    ACK,
    Write,
    concat!(
        "WITH held AS MATERIALIZED ( \
           SELECT d.ctid AS place \
           FROM unnest($2, $3, $4, $5) AS x (organization_id, environment, subject_id, sequence) \
           JOIN checkout_data.webhook_deliveries d \
             ON d.organization_id = x.organization_id AND d.environment = x.environment AND d.receiver_id = $6 \
             AND d.subject_id = x.subject_id AND d.sequence = x.sequence \
           WHERE d.lease_token = $7 AND d.next_attempt_at IS NOT NULL",
        lock_in_order!(),
        ") \
         UPDATE checkout_data.webhook_deliveries d \
         SET next_attempt_at = NULL, lease_token = NULL, delivered_at = $1, last_error = NULL \
         FROM held h WHERE d.ctid = h.place"
    )
);

/// Marks deliveries to a consumer as delivered that are leased under this token. Returns their number.
pub fn acknowledge(consumer: Uuid, events: &[EventId], lease_token: Uuid, now: DateTime<Utc>) -> Result<usize> {
    let arguments = [
        datum::timestamp(now).into(),
        events.iter().map(|event| datum::uuid(event.tenant.organization_id)).collect::<Vec<_>>().into(),
        events.iter().map(|event| event.tenant.environment.as_str()).collect::<Vec<_>>().into(),
        events.iter().map(|event| datum::uuid(event.subject_id)).collect::<Vec<_>>().into(),
        events.iter().map(|event| event.sequence).collect::<Vec<_>>().into(),
        datum::uuid(consumer).into(),
        datum::uuid(lease_token).into(),
    ];
    ACK.with(|statement| statement.count(&arguments))
}

statement!(
    LOCK_FOR_CONSUMER,
    Write,
    "SELECT d.attempts::integer, d.lease_token FROM checkout_data.webhook_deliveries d \
     WHERE d.organization_id = $1 AND d.environment = $2 AND d.receiver_id = $3 AND d.subject_id = $4 AND d.sequence = $5 \
     FOR NO KEY UPDATE"
);

/// The number of claims of a delivery to a consumer, and the token of its lease. Locks the delivery.
pub fn lock_for_consumer(key: &Key) -> Result<Option<(i32, Option<Uuid>)>> {
    let row = LOCK_FOR_CONSUMER
        .with(|statement| statement.row(&key.arguments(), |row| Ok((row.get::<i32>(1)?, row.get::<pgrx::Uuid>(2)?))))?;
    Ok(row.map(|(attempts, token)| (attempts.unwrap_or(0), token.map(datum::from_uuid))))
}

statement!(
    REFUSE,
    Write,
    "WITH delivery AS ( \
       UPDATE checkout_data.webhook_deliveries d \
       SET next_attempt_at = $7, dead_at = CASE WHEN $7 IS NULL THEN $1 END, lease_token = NULL, last_error = $8 \
       WHERE d.organization_id = $2 AND d.environment = $3 AND d.receiver_id = $4 AND d.subject_id = $5 AND d.sequence = $6 \
       RETURNING d AS delivery) \
     SELECT checkout_data.delivery_of(d.delivery, o, NULL, c.name, true, $1) \
     FROM delivery d \
     JOIN checkout_data.webhook_consumers c ON c.webhook_consumer_id = $4 \
     LEFT JOIN checkout_data.webhook_outbox o \
       ON o.organization_id = $2 AND o.environment = $3 AND o.subject_id = $5 AND o.sequence = $6"
);

/// Puts a locked delivery to a consumer off until `next_attempt_at`, or makes it dead.
pub fn refuse(
    key: &Key,
    next_attempt_at: Option<DateTime<Utc>>,
    error: Option<&str>,
    now: DateTime<Utc>,
) -> Result<WebhookDelivery> {
    let mut arguments = vec![datum::timestamp(now).into()];
    arguments.extend(key.arguments());
    arguments.extend([next_attempt_at.map(datum::timestamp).into(), error.into()]);
    REFUSE
        .with(|statement| statement.composite(&arguments))?
        .ok_or_else(|| Error::Internal("a locked delivery is gone".into()))
}

statement!(
    RELEASE,
    Write,
    "UPDATE checkout_data.webhook_deliveries d SET next_attempt_at = $6, lease_token = NULL \
     WHERE d.organization_id = $1 AND d.environment = $2 AND d.receiver_id = $3 AND d.subject_id = $4 AND d.sequence = $5 \
       AND d.lease_token = $7"
);

/// Gives a lease back. Returns true if it was still held.
pub fn release(key: &Key, lease_token: Uuid, now: DateTime<Utc>) -> Result<bool> {
    let mut arguments = Vec::from(key.arguments());
    arguments.extend([datum::timestamp(now).into(), datum::uuid(lease_token).into()]);
    let released = RELEASE.with(|statement| statement.count(&arguments))? > 0;
    if released {
        wake::tell_relays_at_commit();
    }
    Ok(released)
}
