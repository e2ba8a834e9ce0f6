//! Claims: statements that lease due deliveries.
//!
//! A claim goes from receiver to receiver of those with deliveries that wait for something, by steps in an index: a
//! receiver without any costs nothing. The claim of a consumer goes from organization to organization in the same way,
//! so that none waits for all events of another.

use std::cell::Cell;

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::statement::{Access, Statement, at_most, statement};
use crate::datum::{self, Event, WebhookDeliveryRequest};
use rules::Result;
use rules::webhooks::retry::MAXIMUM_DELIVERY_ATTEMPTS;

/// A claim that takes longer than this, and is not full, may have met many blocked deliveries.
const WADING: TimeDelta = TimeDelta::milliseconds(20);
/// Putting them off takes at most about one part in `PUT_OFF_SHARE` of the time: there may be other reasons.
const PUT_OFF_SHARE: i32 = 5;

/// The nearest earlier delivery before `c` to the same receiver, of the same subject, that is neither delivered nor
/// dead. The search starts at the near end, because all deliveries far behind are finished.
macro_rules! unfinished_before_c {
    ($result:literal) => {
        concat!(
            "SELECT ",
            $result,
            " FROM checkout_data.webhook_deliveries e \
             WHERE e.organization_id = c.organization_id AND e.environment = c.environment \
               AND e.receiver_id = c.receiver_id AND e.subject_id = c.subject_id \
               AND e.sequence < c.sequence AND e.next_attempt_at IS NOT NULL \
             ORDER BY e.sequence DESC LIMIT 1"
        )
    };
}

/// The values of a column in the waiting deliveries that meet a condition, each with the time when its first delivery
/// is due: those from `start` on, and then those before it. Each is found by one step in the index, whose columns are
/// `order`. Rows of `step`.
fn steps(column: &str, order: &str, condition: &str, start: &str) -> String {
    let step = |condition: &str| {
        format!(
            "(SELECT d.{column} AS at, d.next_attempt_at FROM checkout_data.webhook_deliveries d \
             WHERE d.next_attempt_at IS NOT NULL AND {condition} ORDER BY {order} LIMIT 1)"
        )
    };
    let walk = |name: &str, first: &str, bound: &str| {
        format!(
            "{name} AS ({first} UNION ALL SELECT n.* FROM {name}, LATERAL {next} AS n)",
            first = step(&format!("{condition} AND d.{column} {first} {start}")),
            next = step(&format!("{condition} AND d.{column} > {name}.at{bound}")),
        )
    };
    format!(
        "{after}, {before}, step AS NOT MATERIALIZED (SELECT * FROM after UNION ALL SELECT * FROM before)",
        after = walk("after", ">=", ""),
        before = walk("before", "<", &format!(" AND d.{column} < {start}")),
    )
}

const BY_RECEIVER: &str = "d.receiver_id, d.organization_id, d.next_attempt_at";
const BY_ORGANIZATION: &str = "d.organization_id, d.next_attempt_at";

/// The due deliveries of a receiver that can be sent, the oldest first. Their places.
fn due(receiver: &str, organization: &str, limit: &str) -> String {
    format!(
        "SELECT c.ctid FROM checkout_data.webhook_deliveries c \
         WHERE c.receiver_id = {receiver} AND c.organization_id = {organization} AND c.next_attempt_at <= $1 \
           AND (c.sequence = 1 OR COALESCE(({nearest}), true)) \
         ORDER BY c.next_attempt_at LIMIT {limit} FOR NO KEY UPDATE OF c SKIP LOCKED",
        nearest = unfinished_before_c!("false"),
    )
}

/// The event of a claimed delivery `c`, and the session that it is about.
const EVENT: &str = "LEFT JOIN checkout_data.webhook_outbox o \
       ON o.organization_id = c.organization_id AND o.environment = c.environment \
       AND o.subject_id = c.subject_id AND o.sequence = c.sequence \
     LEFT JOIN checkout_data.checkout_sessions s \
       ON s.organization_id = o.organization_id AND s.environment = o.environment \
       AND s.checkout_session_id = o.subject_id ";

/// What a claim returns of a delivery that it has leased.
const CLAIMED: &str = "d.organization_id, d.environment, d.receiver_id, d.subject_id, d.sequence, d.attempts, \
       d.attempts_ever, d.dead_at, d.ctid AS place";

/// Why the event cannot be sent at all.
const GONE: &str = "(CASE WHEN o.subject_id IS NULL THEN 'its event is gone' \
     WHEN o.subject_type = 'checkout_session' AND s.checkout_session_id IS NULL THEN 'its session is gone' END)";

/// Leases due deliveries to endpoints: of each endpoint the oldest first, in order within a session. Returns the
/// requests to send. `in_flight` has the endpoint of each delivery that the caller has open. With `may_stay_home` those of
/// the test environment may go to the relay's machine, as long as there is one organization: no stranger's do.
pub fn for_endpoints(
    batch_size: i32,
    lease: TimeDelta,
    per_endpoint: i32,
    in_flight: &[Uuid],
    except_organizations: &[Uuid],
    may_stay_home: bool,
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
        may_stay_home.into(),
    ];
    let sql = format!(
        "WITH RECURSIVE {steps}, claimed AS ( \
           UPDATE checkout_data.webhook_deliveries d \
           SET next_attempt_at = $2, lease_token = $3 \
           WHERE d.ctid = ANY (ARRAY( \
             SELECT due.ctid FROM ( \
               SELECT due.ctid FROM step \
               JOIN checkout_data.webhook_endpoints p \
                 ON p.webhook_endpoint_id = step.at AND p.disabled_at IS NULL AND p.deleted_at IS NULL \
                 AND p.organization_id <> ALL ($8), \
                 LATERAL ({due}) AS due \
               WHERE step.next_attempt_at <= $1 \
               LIMIT {at_most}) AS due \
             LIMIT $7)) \
           RETURNING {CLAIMED}) \
         SELECT \
           CASE WHEN signed.headers IS NOT NULL THEN ROW( \
             e.event_id, e.receiver_id, e.organization_id, e.environment, e.event_type, (e.p).url, signed.headers, \
             e.body, e.attempts_ever + 1, $3, $2, $9 AND e.environment = 'test' \
             AND NOT EXISTS (SELECT FROM checkout_data.organizations o WHERE o.organization_id <> e.organization_id) \
             )::checkout.webhook_delivery_request END, \
           CASE WHEN signed.headers IS NULL THEN e.place::text END, \
           CASE WHEN signed.headers IS NOT NULL THEN NULL WHEN e.gone IS NOT NULL THEN e.gone \
             WHEN e.body IS NULL AND (e.p).body_format <> 'canonical' \
               THEN concat('its body cannot be written as ', (e.p).body_format) \
             ELSE 'its body or its URL is not valid' END \
         FROM ( \
           SELECT c.*, p, o.event_type, o.created_at, id.event_id, {GONE} AS gone, \
             CASE WHEN {GONE} IS NOT NULL THEN NULL \
               WHEN p.body_format = 'canonical' THEN checkout_data.event_body(o, s) \
               ELSE checkout_data.event_body_as(p.body_format, id.event_id, o.event_type, o.created_at, \
                 checkout_data.event_object(o, s), o.subject_type = 'checkout_session') END AS body \
           FROM claimed c \
           JOIN checkout_data.webhook_endpoints p \
             ON p.organization_id = c.organization_id AND p.environment = c.environment \
             AND p.webhook_endpoint_id = c.receiver_id \
           {EVENT} \
           CROSS JOIN LATERAL ( \
             SELECT checkout_data.event_id( \
               c.organization_id, c.environment, c.subject_id, c.sequence, o.created_at) OFFSET 0) AS id (event_id) \
           OFFSET 0) AS e \
         CROSS JOIN LATERAL ( \
           SELECT CASE WHEN e.body IS NOT NULL THEN \
             checkout_data.webhook_headers((e.p).signature_scheme, e.event_id, (e.p).url, e.body, (e.p).secret, \
               CASE WHEN (e.p).previous_secret_expires_at > $1 THEN (e.p).previous_secret END, $1)::jsonb END AS headers \
           OFFSET 0) AS signed \
         ORDER BY e.created_at, e.subject_id, e.sequence",
        steps = steps("receiver_id", BY_RECEIVER, "true", "$4"),
        due = due(
            "p.webhook_endpoint_id",
            "p.organization_id",
            "GREATEST(0, CASE WHEN p.failing_since IS NULL THEN $5 ELSE 1 END \
               - cardinality(array_positions($6, p.webhook_endpoint_id)))",
        ),
        at_most = at_most(batch_size),
    );
    let (requests, unsendable) = Statement::composed(Access::Write, sql).composites_or_texts(&arguments)?;
    bury(unsendable, now)?;
    put_off(requests.len(), batch_size, now)?;
    Ok(requests)
}

thread_local! {
    /// The consumer of this backend's last claim, and the organization with which its next one begins.
    static NEXT: Cell<Option<(Uuid, Uuid)>> = const { Cell::new(None) };
}

/// Leases due deliveries to a consumer: of each organization the oldest first, in order within a session. Deliveries
/// whose attempts are used up die instead.
pub fn for_consumer(consumer: Uuid, batch_size: i32, lease: TimeDelta, now: DateTime<Utc>) -> Result<Vec<Event>> {
    let start = NEXT.get().filter(|(of, _)| *of == consumer).map_or_else(Uuid::new_v4, |(_, next)| next);
    let arguments = [
        datum::timestamp(now).into(),
        datum::timestamp(now + lease).into(),
        datum::uuid(Uuid::new_v4()).into(),
        datum::uuid(start).into(),
        datum::uuid(consumer).into(),
        batch_size.into(),
    ];
    let sql = format!(
        "WITH RECURSIVE {steps}, claimed AS ( \
           UPDATE checkout_data.webhook_deliveries d \
           SET attempts = d.attempts + {claim}, attempts_ever = d.attempts_ever + {claim}, \
             last_attempt_at = CASE WHEN {used_up} THEN d.last_attempt_at ELSE $1 END, \
             next_attempt_at = CASE WHEN NOT {used_up} THEN $2 END, lease_token = CASE WHEN NOT {used_up} THEN $3 END, \
             dead_at = CASE WHEN {used_up} THEN $1 END, \
             last_error = CASE WHEN {used_up} THEN COALESCE(d.last_error, 'the consumer did not acknowledge it') \
               ELSE d.last_error END \
           WHERE d.ctid = ANY (ARRAY( \
             SELECT due.ctid FROM (SELECT due.ctid FROM step, LATERAL ({due}) AS due WHERE step.next_attempt_at <= $1 LIMIT {at_most}) AS due LIMIT $6)) \
           RETURNING {CLAIMED}) \
         SELECT CASE WHEN sent.fault IS NULL THEN checkout_data.event_of(e.o, e.body, 'leased', e.attempts, $3) END, \
           CASE WHEN sent.fault IS NOT NULL THEN e.place::text END, sent.fault \
         FROM ( \
           SELECT c.attempts, c.place, o, {GONE} AS gone, \
             CASE WHEN {GONE} IS NULL THEN checkout_data.event_body(o, s) END AS body \
           FROM claimed c {EVENT} WHERE c.dead_at IS NULL OFFSET 0) AS e \
         CROSS JOIN LATERAL ( \
           SELECT COALESCE(e.gone, \
             CASE WHEN checkout_data.is_utf8(e.body) IS NOT TRUE THEN 'its body is not valid UTF-8' END) AS fault OFFSET 0) AS sent \
         ORDER BY (e.o).created_at, (e.o).subject_id, (e.o).sequence",
        steps = steps("organization_id", BY_ORGANIZATION, "d.receiver_id = $5", "$4"),
        due = due("$5", "step.at", "$6"),
        at_most = at_most(batch_size),
        used_up = format_args!("(d.attempts >= {MAXIMUM_DELIVERY_ATTEMPTS})"),
        // Who buries it does not claim it.
        claim = format_args!("(d.attempts < {MAXIMUM_DELIVERY_ATTEMPTS})::integer"),
    );
    let (events, unsendable): (Vec<Event>, _) =
        Statement::composed(Access::Write, sql).composites_or_texts(&arguments)?;
    // The last organization, on the way round from the start, that has got some.
    let last = events.iter().filter_map(Event::organization_id).max_by_key(|id| (*id < start, *id));
    NEXT.set(last.map(|last| (consumer, Uuid::from_u128(last.as_u128().wrapping_add(1)))));
    bury(unsendable, now)?;
    put_off(events.len(), batch_size, now)?;
    Ok(events)
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
// and every claim would have to pass over them. The one before is locked, so that it cannot be finished meanwhile. It
// is not claimed earlier either, unless it is redelivered or its endpoint enabled: both make those behind it due, too.
thread_local! {
    static PUT_OFF: Statement = Statement::made(Access::Write, put_off_text());
    /// When it may run again.
    static PUT_OFF_FROM: Cell<DateTime<Utc>> = const { Cell::new(DateTime::UNIX_EPOCH) };
}

fn put_off_text() -> String {
    format!(
        "WITH RECURSIVE {steps}, blocked AS MATERIALIZED ( \
           SELECT c.organization_id, c.environment, c.receiver_id, c.subject_id, c.sequence, e.sequence AS before \
           FROM step, \
             LATERAL ( \
               SELECT c.* FROM checkout_data.webhook_deliveries c \
               WHERE c.receiver_id = step.at AND c.next_attempt_at <= $1 AND c.lease_token IS NULL AND c.attempts = 0 \
               ORDER BY c.organization_id, c.next_attempt_at LIMIT 5000) AS c, \
             LATERAL ({before}) AS e \
           WHERE step.next_attempt_at <= $1 AND e.next_attempt_at > $1 AND e.lease_token IS NULL \
           LIMIT 5000), \
         locked AS ( \
           SELECT b.*, e.next_attempt_at FROM blocked b \
           JOIN checkout_data.webhook_deliveries c USING (organization_id, environment, receiver_id, subject_id, sequence) \
           JOIN checkout_data.webhook_deliveries e \
             ON e.organization_id = b.organization_id AND e.environment = b.environment \
             AND e.receiver_id = b.receiver_id AND e.subject_id = b.subject_id AND e.sequence = b.before \
           WHERE c.next_attempt_at <= $1 AND c.lease_token IS NULL AND c.attempts = 0 \
             AND e.next_attempt_at > $1 AND e.lease_token IS NULL \
           FOR NO KEY UPDATE OF c, e SKIP LOCKED) \
         UPDATE checkout_data.webhook_deliveries d SET next_attempt_at = l.next_attempt_at \
         FROM locked l \
         WHERE d.organization_id = l.organization_id AND d.environment = l.environment AND d.receiver_id = l.receiver_id \
           AND d.subject_id = l.subject_id AND d.sequence = l.sequence",
        steps = steps("receiver_id", BY_RECEIVER, "true", "$2"),
        before = unfinished_before_c!("e.sequence, e.next_attempt_at, e.lease_token"),
    )
}

/// After a claim that has passed over many deliveries that it could not give out.
fn put_off(claimed: usize, batch_size: i32, now: DateTime<Utc>) -> Result<()> {
    let (full, began) = (usize::try_from(batch_size).unwrap_or(0), datum::now());
    if claimed >= full || began - now <= WADING || began < PUT_OFF_FROM.get() {
        return Ok(());
    }
    let arguments = [datum::timestamp(now).into(), datum::uuid(Uuid::nil()).into()];
    PUT_OFF.with(|statement| statement.count(&arguments))?;
    let ended = datum::now();
    PUT_OFF_FROM.set(ended + (ended - began) * (PUT_OFF_SHARE - 1));
    Ok(())
}
