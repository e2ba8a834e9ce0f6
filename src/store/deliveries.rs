//! Statements on the deliveries of events to webhook endpoints.

use chrono::{DateTime, TimeDelta, Utc};
use pgrx::datum::TimestampWithTimeZone;
use uuid::Uuid;

use super::fan_out::fan_out;
use super::statement::{Access, Argument, Statement, at_most, statement};
use crate::datum::{self, WebhookDelivery, WebhookDeliveryRequest};
use crate::shared::wake;
use rules::Result;
use rules::webhooks::delivery::{EndpointChange, Outcome};
use rules::webhooks::event::EventId;

/// A delivery: an event, and the endpoint that it goes to.
pub struct Key {
    pub event: EventId,
    pub webhook_endpoint_id: Uuid,
}

impl Key {
    fn arguments(&self) -> [Argument<'static>; 5] {
        [
            datum::uuid(self.event.tenant.organization_id).into(),
            self.event.tenant.environment.as_str().into(),
            datum::uuid(self.webhook_endpoint_id).into(),
            datum::uuid(self.event.checkout_session_id).into(),
            self.event.sequence.into(),
        ]
    }
}

/// A claim that takes longer than this, and is not full, has met many blocked deliveries.
const WADING: TimeDelta = TimeDelta::milliseconds(20);

/// The nearest earlier delivery before `c` to the same endpoint, of the same session, that is neither delivered nor
/// dead. The search starts at the near end, because all deliveries far behind are finished.
macro_rules! unfinished_before_c {
    ($result:literal) => {
        concat!(
            "SELECT ",
            $result,
            " FROM checkout_data.webhook_deliveries e \
             WHERE e.organization_id = c.organization_id AND e.environment = c.environment \
               AND e.webhook_endpoint_id = c.webhook_endpoint_id AND e.checkout_session_id = c.checkout_session_id \
               AND e.sequence < c.sequence AND e.next_attempt_at IS NOT NULL \
             ORDER BY e.sequence DESC LIMIT 1"
        )
    };
}

/// Leases due deliveries: of each endpoint the oldest first, in order within a session. Returns the requests to send.
/// `in_flight` has the endpoint of each delivery that the caller has open.
pub fn claim(
    batch_size: i32,
    lease: TimeDelta,
    per_endpoint: i32,
    in_flight: &[Uuid],
    except_organizations: &[Uuid],
    now: DateTime<Utc>,
) -> Result<Vec<WebhookDeliveryRequest>> {
    let arguments = [
        datum::timestamp(now).into(),
        datum::timestamp(now + lease).into(),
        datum::uuid(Uuid::new_v4()).into(),
        // The place among the endpoints where to begin, so that each is first at times.
        datum::uuid(Uuid::new_v4()).into(),
        per_endpoint.into(),
        in_flight.iter().copied().map(datum::uuid).collect::<Vec<_>>().into(),
        batch_size.into(),
        except_organizations.iter().copied().map(datum::uuid).collect::<Vec<_>>().into(),
    ];
    let endpoints = |condition| {
        format!(
            "(SELECT p.organization_id, p.environment, p.webhook_endpoint_id, p.failing_since \
             FROM checkout_data.webhook_endpoints p \
             WHERE p.disabled_at IS NULL AND p.deleted_at IS NULL AND p.webhook_endpoint_id {condition} $4 \
               AND p.organization_id <> ALL ($8) \
             ORDER BY p.webhook_endpoint_id)"
        )
    };
    let sql = format!(
        "WITH claimed AS ( \
           UPDATE checkout_data.webhook_deliveries d \
           SET next_attempt_at = $2, lease_token = $3 \
           WHERE d.ctid = ANY (ARRAY( \
             SELECT due.ctid FROM ( \
               SELECT due.ctid \
               FROM ({after} UNION ALL {before}) AS p, \
                 LATERAL ( \
                   SELECT c.ctid FROM checkout_data.webhook_deliveries c \
                   WHERE c.webhook_endpoint_id = p.webhook_endpoint_id \
                     AND (c.organization_id, c.environment) IS NOT DISTINCT FROM (p.organization_id, p.environment) \
                     AND c.next_attempt_at <= $1 \
                     AND COALESCE(({nearest}), true) \
                   ORDER BY c.next_attempt_at \
                   LIMIT GREATEST(0, CASE WHEN p.failing_since IS NULL THEN $5 ELSE 1 END \
                     - cardinality(array_positions($6, p.webhook_endpoint_id))) \
                   FOR NO KEY UPDATE OF c SKIP LOCKED) AS due \
               LIMIT {at_most}) AS due \
             LIMIT $7)) \
           RETURNING d AS delivery, d.ctid AS place) \
         SELECT \
           CASE WHEN signed.headers IS NOT NULL THEN ROW( \
             sent.event_id, p.webhook_endpoint_id, p.organization_id, p.environment, o.event_type, p.url, signed.headers, \
             sent.body, (c.delivery).attempts_ever + 1, $3, $2)::checkout.webhook_delivery_request END, \
           c.place::text, \
           CASE WHEN o.endpoint IS NULL AND s.checkout_session_id IS NULL THEN 'its session is gone' \
             WHEN sent.body IS NULL THEN concat('its body cannot be written as ', p.body_format) \
             ELSE 'its body or its URL is not valid' END \
         FROM claimed c \
         JOIN checkout_data.webhook_endpoints p \
           ON p.organization_id = (c.delivery).organization_id AND p.environment = (c.delivery).environment \
           AND p.webhook_endpoint_id = (c.delivery).webhook_endpoint_id \
         JOIN checkout_data.webhook_outbox o \
           ON o.organization_id = (c.delivery).organization_id AND o.environment = (c.delivery).environment \
           AND o.checkout_session_id = (c.delivery).checkout_session_id AND o.sequence = (c.delivery).sequence \
         LEFT JOIN checkout_data.checkout_sessions s \
           ON s.organization_id = o.organization_id AND s.environment = o.environment \
           AND s.checkout_session_id = o.checkout_session_id \
         CROSS JOIN LATERAL ( \
           SELECT e.event_id, CASE WHEN p.body_format = 'canonical' THEN checkout_data.event_body(o, s) \
             ELSE checkout_data.event_body_as(p.body_format, e.event_id, o.event_type, o.created_at, \
               checkout_data.event_object(o, s)::text, o.endpoint IS NULL) END AS body \
           FROM (SELECT checkout_data.event_id(o.organization_id, o.environment, o.checkout_session_id, o.sequence)) \
             AS e (event_id) \
           OFFSET 0) AS sent \
         CROSS JOIN LATERAL ( \
           SELECT CASE WHEN o.endpoint IS NOT NULL OR s.checkout_session_id IS NOT NULL THEN \
             checkout_data.webhook_headers(p.signature_scheme, sent.event_id, p.url, sent.body, p.secret, \
               CASE WHEN p.previous_secret_expires_at > $1 THEN p.previous_secret END, $1)::jsonb END AS headers \
           OFFSET 0) AS signed \
         ORDER BY o.created_at, o.checkout_session_id, o.sequence",
        after = endpoints(">="),
        before = endpoints("<"),
        nearest = unfinished_before_c!("false"),
        at_most = at_most(batch_size),
    );
    let (requests, unsendable) = Statement::composed(Access::Write, sql).composites_or_texts(&arguments)?;
    bury(unsendable, now)?;
    // It has passed over many deliveries that it could not give out.
    if requests.len() < usize::try_from(batch_size).unwrap_or(0) && datum::now() - now > WADING {
        DEFER.with(|statement| statement.count(&[datum::timestamp(now).into()]))?;
    }
    Ok(requests)
}

statement!(
    BURY,
    Write,
    "UPDATE checkout_data.webhook_deliveries d \
     SET next_attempt_at = NULL, lease_token = NULL, dead_at = $1, last_error = x.reason \
     FROM unnest($2::tid[], $3) AS x (place, reason) WHERE d.ctid = x.place"
);

/// A delivery that cannot be sent dies alone, with its reason. Otherwise every claim would return it again, or nothing
/// at all.
fn bury([places, reasons]: [Vec<String>; 2], now: DateTime<Utc>) -> Result<()> {
    if places.is_empty() {
        return Ok(());
    }
    let arguments = [datum::timestamp(now).into(), places.into(), reasons.into()];
    BURY.with(|statement| statement.count(&arguments)).map(|_| ())
}

// A due delivery behind one that waits for its next attempt is put off until then. During an outage there may be many,
// and every claim would have to pass over them. The one before is locked, so that it cannot be finished meanwhile; when
// it is finished, RECORD makes the next one due at once.
statement!(
    DEFER,
    Write,
    concat!(
        "WITH blocked AS MATERIALIZED ( \
           SELECT c.organization_id, c.environment, c.webhook_endpoint_id, c.checkout_session_id, c.sequence, \
             e.sequence AS before \
           FROM checkout_data.webhook_endpoints p, \
             LATERAL ( \
               SELECT c.* FROM checkout_data.webhook_deliveries c \
               WHERE c.webhook_endpoint_id = p.webhook_endpoint_id \
                 AND (c.organization_id, c.environment) IS NOT DISTINCT FROM (p.organization_id, p.environment) \
                 AND c.next_attempt_at <= $1 AND c.lease_token IS NULL AND c.attempts = 0 \
               ORDER BY c.next_attempt_at LIMIT 5000) AS c, \
             LATERAL (",
        unfinished_before_c!("e.sequence, e.next_attempt_at, e.lease_token"),
        "    ) AS e \
           WHERE p.disabled_at IS NULL AND p.deleted_at IS NULL AND e.next_attempt_at > $1 AND e.lease_token IS NULL \
           LIMIT 5000), \
         locked AS ( \
           SELECT b.*, e.next_attempt_at FROM blocked b \
           JOIN checkout_data.webhook_deliveries c USING (organization_id, environment, webhook_endpoint_id, \
             checkout_session_id, sequence) \
           JOIN checkout_data.webhook_deliveries e \
             ON e.organization_id = b.organization_id AND e.environment = b.environment \
             AND e.webhook_endpoint_id = b.webhook_endpoint_id AND e.checkout_session_id = b.checkout_session_id \
             AND e.sequence = b.before \
           WHERE c.next_attempt_at <= $1 AND c.lease_token IS NULL AND c.attempts = 0 \
             AND e.next_attempt_at > $1 AND e.lease_token IS NULL \
           FOR NO KEY UPDATE OF c, e SKIP LOCKED) \
         UPDATE checkout_data.webhook_deliveries d SET next_attempt_at = l.next_attempt_at \
         FROM locked l \
         WHERE d.organization_id = l.organization_id AND d.environment = l.environment \
           AND d.webhook_endpoint_id = l.webhook_endpoint_id AND d.checkout_session_id = l.checkout_session_id \
           AND d.sequence = l.sequence"
    )
);

statement!(
    LOCK,
    Write,
    "SELECT d.attempts::integer, d.lease_token, p.failing_since, d.next_attempt_at IS NOT NULL \
     FROM checkout_data.webhook_deliveries d \
     JOIN checkout_data.webhook_endpoints p \
       ON p.organization_id = d.organization_id AND p.environment = d.environment \
       AND p.webhook_endpoint_id = d.webhook_endpoint_id AND p.deleted_at IS NULL \
     WHERE d.organization_id = $1 AND d.environment = $2 AND d.webhook_endpoint_id = $3 \
       AND d.checkout_session_id = $4 AND d.sequence = $5 \
     FOR NO KEY UPDATE OF d"
);

/// A delivery, locked until the transaction ends.
pub struct Locked {
    /// The attempts since it was written or redelivered.
    pub attempts: i32,
    /// The token of the claim that holds it, or held it last.
    pub lease_token: Option<Uuid>,
    pub failing_since: Option<DateTime<Utc>>,
}

pub fn lock(key: &Key) -> Result<Option<Locked>> {
    let row = LOCK.with(|statement| {
        statement.row(&key.arguments(), |row| {
            Ok((row.get::<i32>(1)?, row.get::<pgrx::Uuid>(2)?, row.get::<TimestampWithTimeZone>(3)?))
        })
    })?;
    row.map(|(attempts, lease_token, failing_since)| {
        Ok(Locked {
            attempts: attempts.unwrap_or(0),
            lease_token: lease_token.map(datum::from_uuid),
            failing_since: failing_since.map(|at| datum::from_timestamp("failing_since", at)).transpose()?,
        })
    })
    .transpose()
}

/// A relay's report of an attempt.
pub struct Attempt<'a> {
    pub status_code: Option<i32>,
    pub error: Option<&'a str>,
    pub duration: Option<TimeDelta>,
    pub response_body: Option<&'a str>,
}

statement!(
    RECORD,
    Write,
    "WITH delivery AS ( \
       UPDATE checkout_data.webhook_deliveries d \
       SET attempts = d.attempts + 1, attempts_ever = d.attempts_ever + 1, lease_token = NULL, next_attempt_at = $7, \
         delivered_at = CASE WHEN $8 THEN $6 END, dead_at = CASE WHEN NOT $8 AND $7 IS NULL THEN $6 END, \
         last_attempt_at = $6, last_status_code = $9, last_error = $10 \
       WHERE d.organization_id = $1 AND d.environment = $2 AND d.webhook_endpoint_id = $3 \
         AND d.checkout_session_id = $4 AND d.sequence = $5 \
       RETURNING d AS delivery), \
     attempt AS ( \
       INSERT INTO checkout_data.webhook_attempts (organization_id, environment, webhook_endpoint_id, checkout_session_id, \
         sequence, attempt, recorded_at, status_code, error, duration, response_body) \
       SELECT $1, $2, $3, $4, $5, (d.delivery).attempts_ever, $6, $9, $10, $11, $12 FROM delivery d), \
     next AS ( \
       UPDATE checkout_data.webhook_deliveries n SET next_attempt_at = $6 \
       WHERE n.ctid = ANY (ARRAY( \
         SELECT x.ctid FROM checkout_data.webhook_deliveries x \
         WHERE $7 IS NULL AND x.organization_id = $1 AND x.environment = $2 AND x.webhook_endpoint_id = $3 \
           AND x.checkout_session_id = $4 AND x.sequence > $5 \
           AND x.next_attempt_at > $6 AND x.lease_token IS NULL AND x.attempts = 0 \
         ORDER BY x.sequence LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED))), \
     free AS ( \
       SELECT FROM checkout_data.webhook_deliveries x \
       WHERE $7 IS NULL AND x.organization_id = $1 AND x.environment = $2 AND x.webhook_endpoint_id = $3 \
         AND x.checkout_session_id = $4 AND x.sequence > $5 AND x.next_attempt_at IS NOT NULL AND x.lease_token IS NULL \
       LIMIT 1) \
     SELECT checkout_data.delivery_of(d.delivery, o.event_type, o.endpoint IS NOT NULL, p.disabled_at IS NULL, $6), \
       (SELECT checkout_data.deliveries_due() FROM free) \
     FROM delivery d \
     JOIN checkout_data.webhook_endpoints p \
       ON p.organization_id = $1 AND p.environment = $2 AND p.webhook_endpoint_id = $3 \
     JOIN checkout_data.webhook_outbox o \
       ON o.organization_id = $1 AND o.environment = $2 AND o.checkout_session_id = $4 AND o.sequence = $5"
);

/// Writes the outcome of an attempt at a locked delivery.
pub fn record(key: &Key, attempt: &Attempt, outcome: Outcome, now: DateTime<Utc>) -> Result<Option<WebhookDelivery>> {
    let next_attempt_at = match outcome {
        Outcome::Retry(delay) => Some(now + delay),
        Outcome::Delivered | Outcome::Dead => None,
    };
    let mut arguments = Vec::from(key.arguments());
    arguments.extend([
        datum::timestamp(now).into(),
        next_attempt_at.map(datum::timestamp).into(),
        (outcome == Outcome::Delivered).into(),
        attempt.status_code.into(),
        attempt.error.into(),
        attempt.duration.map(datum::interval).into(),
        attempt.response_body.into(),
    ]);
    RECORD.with(|statement| statement.composite(&arguments))
}

// Each passes over an endpoint that another transaction is changing. Otherwise two relays that each record for the same
// two endpoints would wait for one another. The next attempt does the work that this one left.
macro_rules! endpoint_unless_locked {
    ($condition:literal) => {
        concat!(
            " WHERE p.ctid = ANY (ARRAY(SELECT x.ctid FROM checkout_data.webhook_endpoints x \
               WHERE x.organization_id = $1 AND x.environment = $2 AND x.webhook_endpoint_id = $3 AND ",
            $condition,
            " FOR NO KEY UPDATE SKIP LOCKED)) "
        )
    };
}
statement!(
    FAILING,
    Write,
    concat!(
        "UPDATE checkout_data.webhook_endpoints p SET failing_since = $4 ",
        endpoint_unless_locked!("x.failing_since IS NULL")
    )
);
statement!(
    RECOVERED,
    Write,
    concat!(
        "UPDATE checkout_data.webhook_endpoints p SET failing_since = NULL ",
        endpoint_unless_locked!("x.failing_since <= $4")
    )
);
statement!(
    DISABLE,
    Write,
    concat!(
        "WITH disabled AS ( \
           UPDATE checkout_data.webhook_endpoints p \
           SET disabled_at = $4, disabled_reason = $5, failing_since = COALESCE(p.failing_since, $4), updated_at = $4, \
             event_count = p.event_count + 1 ",
        // The endpoint's row may miss a success: see above. The search for one takes long, but is rare.
        endpoint_unless_locked!(
            "x.disabled_at IS NULL AND x.deleted_at IS NULL AND ($5 = 'gone' OR NOT EXISTS ( \
               SELECT FROM checkout_data.webhook_deliveries d \
               WHERE d.organization_id = $1 AND d.environment = $2 AND d.webhook_endpoint_id = $3 \
                 AND d.delivered_at > x.failing_since))"
        ),
        "  RETURNING p AS endpoint), \
         event AS ( \
           INSERT INTO checkout_data.webhook_outbox (organization_id, environment, checkout_session_id, sequence, event_type, \
             created_at, endpoint, fanned_out) \
           SELECT $1, $2, $3, (d.endpoint).event_count, 'webhook_endpoint.disabled', $4, \
             to_jsonb(checkout_data.endpoint_of(d.endpoint, NULL)) - 'secret', true \
           FROM disabled d",
        fan_out!(),
        "SELECT FROM event"
    )
);

/// Writes the effect of an attempt on the endpoint. If this disables the endpoint, writes an event about it, too.
pub fn change_endpoint(key: &Key, change: EndpointChange, now: DateTime<Utc>) -> Result<()> {
    let [organization_id, environment, endpoint, ..] = key.arguments();
    let mut arguments = vec![organization_id, environment, endpoint, datum::timestamp(now).into()];
    match change {
        EndpointChange::None => {}
        EndpointChange::Failing => drop(FAILING.with(|statement| statement.count(&arguments))?),
        EndpointChange::Recovered => drop(RECOVERED.with(|statement| statement.count(&arguments))?),
        EndpointChange::Disabled(reason) => {
            arguments.push(reason.into());
            if DISABLE.with(|statement| statement.count(&arguments))? > 0 {
                wake::tell_relays_at_commit();
            }
        }
    }
    Ok(())
}

statement!(
    RELEASE,
    Write,
    "UPDATE checkout_data.webhook_deliveries d SET next_attempt_at = $6, lease_token = NULL \
     WHERE d.organization_id = $1 AND d.environment = $2 AND d.webhook_endpoint_id = $3 \
       AND d.checkout_session_id = $4 AND d.sequence = $5 AND d.lease_token = $7"
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
