//! Statements that count the sessions of past hours for the funnel. The worker runs them, or a function that does its
//! work, except for `changed`.
//!
//! One process at a time counts for a tenant: it holds the lock of the row in `session_folds`. Nobody else waits for it.

use chrono::{DateTime, TimeDelta, Utc};
use pgrx::datum::TimestampWithTimeZone;
use rules::Result;
use uuid::Uuid;

use super::row::Row;
use super::sessions::{key, owner};
use super::statement::statement;
use crate::datum;
use crate::tenant::Tenant;

/// An hour is counted when its last session has ended this long ago: clocks are moved a little.
const MARGIN: TimeDelta = TimeDelta::minutes(5);
const HOUR: TimeDelta = TimeDelta::hours(1);

/// The hours that can be counted end before this.
pub fn limit(seen_until: DateTime<Utc>) -> DateTime<Utc> {
    seen_until - MARGIN
}

/// The least id of a session that is created at this time.
fn first_id(at: DateTime<Utc>) -> Uuid {
    let millis = u128::try_from(at.timestamp_millis()).unwrap_or(0);
    Uuid::from_u128(millis << 80)
}

fn time(row: &Row, number: i32) -> Result<Option<DateTime<Utc>>> {
    row.get::<TimestampWithTimeZone>(number)?.map(|at| datum::from_timestamp("hour", at)).transpose()
}

statement!(
    PAGE,
    Latest,
    "SELECT o.organization_id, e.environment, \
       EXISTS ( \
         SELECT FROM checkout_data.checkout_sessions s \
         WHERE s.organization_id = o.organization_id AND s.environment = e.environment \
           AND s.created_at >= COALESCE(f.folded_until, '-infinity') AND s.created_at < date_bin('1 hour', $2, 'epoch')) \
       OR EXISTS ( \
         SELECT FROM checkout_data.uncounted_hours u \
         WHERE u.organization_id = o.organization_id AND u.environment = e.environment) \
       OR EXISTS ( \
         SELECT FROM checkout_data.open_sessions s \
         WHERE s.organization_id = o.organization_id AND s.environment = e.environment \
           AND s.checkout_session_id < checkout_data.first_id(f.folded_until)) \
       OR COALESCE(f.looked_at > $2 + interval '5 minutes', false) \
     FROM ( \
       SELECT o.organization_id FROM checkout_data.organizations o \
       WHERE o.organization_id > $1 ORDER BY o.organization_id LIMIT 500) AS o \
     CROSS JOIN (VALUES ('live'), ('test')) AS e (environment) \
     LEFT JOIN checkout_data.session_folds f ON f.organization_id = o.organization_id AND f.environment = e.environment \
     ORDER BY o.organization_id"
);

/// Looks at the next organizations after one: which of their tenants may have hours to count, and which organization is
/// the last.
pub fn page(after: Uuid, now: DateTime<Utc>) -> Result<(Vec<Tenant>, Option<Uuid>)> {
    let (mut due, mut last) = (Vec::new(), None);
    PAGE.with(|statement| {
        statement.rows(&[datum::uuid(after).into(), datum::timestamp(limit(now)).into()], |row| {
            let (Some(id), Some(environment)) = (row.get::<pgrx::Uuid>(1)?, row.get::<String>(2)?) else {
                return Ok(());
            };
            let organization_id = datum::from_uuid(id);
            last = Some(organization_id);
            if row.get::<bool>(3)? == Some(true) {
                due.push(Tenant { organization_id, environment: environment.parse()? });
            }
            Ok(())
        })
    })?;
    Ok((due, last))
}

statement!(
    BEGIN,
    Write,
    "INSERT INTO checkout_data.session_folds (organization_id, environment) SELECT $1, unnest('{live,test}'::text[])"
);

/// A new organization has tenants that the worker looks at, also before they have sessions.
pub fn begin(organization_id: Uuid) -> Result<()> {
    BEGIN.with(|statement| statement.count(&[datum::uuid(organization_id).into()])).map(|_| ())
}

statement!(
    ENSURE,
    Write,
    "INSERT INTO checkout_data.session_folds (organization_id, environment) VALUES ($1, $2) ON CONFLICT DO NOTHING"
);
// Gives this transaction its id: those that write already have lower ones.
statement!(OWN_ID, Write, "SELECT pg_current_xact_id()");
// Whatever was written until a time can be seen, if all transactions have ended whose ids are lower than the next one at
// that time: the snapshot's end is not below it, and none of those that run. First tried is this transaction's own
// id. A horizon above it is that of another cluster.
statement!(
    LOCK,
    Write,
    "SELECT NULLIF(f.folded_until, '-infinity'), \
       CASE WHEN s.xmax >= s.own AND NOT EXISTS (SELECT FROM pg_snapshot_xip(s.now) AS x (id) WHERE x.id < s.own) \
           THEN LEAST(now(), $3) \
         WHEN f.horizon < s.own AND s.xmax >= f.horizon \
             AND NOT EXISTS (SELECT FROM pg_snapshot_xip(s.now) AS x (id) WHERE x.id < f.horizon) \
           THEN LEAST(now(), $3, f.looked_at) END, \
       COALESCE(f.horizon < s.own, false), f.looked_at > $3 \
     FROM checkout_data.session_folds f, \
       (SELECT pg_current_snapshot() AS now, pg_snapshot_xmax(pg_current_snapshot()) AS xmax, \
          pg_current_xact_id() AS own OFFSET 0) AS s \
     WHERE f.organization_id = $1 AND f.environment = $2 FOR NO KEY UPDATE OF f SKIP LOCKED"
);

/// How far the sessions of a tenant are counted.
pub struct Fold {
    /// `None`: no hour was counted yet.
    pub until: Option<DateTime<Utc>>,
    /// Whatever was written until then can be seen. `None`: transactions are running that may have begun earlier.
    pub seen_until: Option<DateTime<Utc>>,
    /// It is noted which transactions those are.
    pub noted: bool,
    /// The clock was put back.
    pub put_back: bool,
}

/// Locks the counts of a tenant until the transaction ends. `None`: another process has locked them.
pub fn lock(tenant: Tenant, now: DateTime<Utc>) -> Result<Option<Fold>> {
    OWN_ID.with(|statement| statement.count(&[]))?;
    ENSURE.with(|statement| statement.count(&owner(tenant)))?;
    let [organization_id, environment] = owner(tenant);
    LOCK.with(|statement| {
        statement.row(&[organization_id, environment, datum::timestamp(now).into()], |row| {
            Ok(Fold {
                until: time(row, 1)?,
                seen_until: time(row, 2)?,
                noted: row.get::<bool>(3)? == Some(true),
                put_back: row.get::<bool>(4)? == Some(true),
            })
        })
    })
}

statement!(
    NOTE,
    Write,
    "UPDATE checkout_data.session_folds f \
     SET looked_at = LEAST(now(), $3), horizon = pg_current_xact_id() \
     WHERE f.organization_id = $1 AND f.environment = $2"
);

/// Notes which transactions are running.
pub fn note(tenant: Tenant, now: DateTime<Utc>) -> Result<()> {
    let [organization_id, environment] = owner(tenant);
    NOTE.with(|statement| statement.count(&[organization_id, environment, datum::timestamp(now).into()])).map(|_| ())
}

statement!(
    PLAN,
    Write,
    "UPDATE checkout_data.session_folds f SET next_at = w.next_at \
     FROM (SELECT CASE WHEN EXISTS ( \
         SELECT FROM checkout_data.checkout_sessions s \
         WHERE s.organization_id = $1 AND s.environment = $2 \
           AND s.created_at >= (SELECT c.folded_until FROM checkout_data.session_folds c \
             WHERE c.organization_id = $1 AND c.environment = $2)) \
       OR EXISTS ( \
         SELECT FROM checkout_data.uncounted_hours u WHERE u.organization_id = $1 AND u.environment = $2) \
       THEN $3::timestamptz END) AS w (next_at) \
     WHERE f.organization_id = $1 AND f.environment = $2"
);

/// Says when to look again, if anything is not counted.
pub fn plan(tenant: Tenant, now: DateTime<Utc>) -> Result<()> {
    let [organization_id, environment] = owner(tenant);
    let next = datum::timestamp(now + HOUR);
    PLAN.with(|statement| statement.count(&[organization_id, environment, next.into()])).map(|_| ())
}

// All hours from now on may get further sessions, also those that had none.
statement!(
    PUT_BACK,
    Write,
    "INSERT INTO checkout_data.uncounted_hours (organization_id, environment, hour) \
     SELECT $1, $2, h.hour FROM checkout_data.session_folds f, \
       LATERAL generate_series(date_bin('1 hour', $3, 'epoch'), f.folded_until - interval '1 hour', '1 hour') AS h (hour) \
     WHERE f.organization_id = $1 AND f.environment = $2"
);
// Sessions that were created while the clock was wrong, by their ids.
statement!(
    STRAYS,
    Write,
    "INSERT INTO checkout_data.uncounted_hours (organization_id, environment, hour) \
     SELECT DISTINCT $1, $2, date_bin('1 hour', s.created_at, 'epoch') FROM checkout_data.open_sessions o \
     JOIN checkout_data.checkout_sessions s USING (organization_id, environment, checkout_session_id) \
     WHERE o.organization_id = $1 AND o.environment = $2 AND o.checkout_session_id < $4 AND s.created_at < $3 \
       AND NOT EXISTS ( \
         SELECT FROM checkout_data.uncounted_hours u \
         WHERE u.organization_id = $1 AND u.environment = $2 AND u.hour = date_bin('1 hour', s.created_at, 'epoch'))"
);

/// Has the hours from now on counted again: the clock was put back.
pub fn put_back(tenant: Tenant, now: DateTime<Utc>) -> Result<()> {
    let [organization_id, environment] = owner(tenant);
    PUT_BACK
        .with(|statement| statement.count(&[organization_id, environment, datum::timestamp(now).into()]))
        .map(|_| ())
}

/// Has the hours counted again that have open sessions.
pub fn strays(tenant: Tenant, until: DateTime<Utc>) -> Result<()> {
    let [organization_id, environment, first_id] = key(tenant, first_id(until));
    STRAYS
        .with(|statement| statement.count(&[organization_id, environment, datum::timestamp(until).into(), first_id]))
        .map(|_| ())
}

statement!(
    UNCOUNTED,
    Transaction,
    "SELECT u.hour::timestamptz FROM checkout_data.uncounted_hours u \
     WHERE u.organization_id = $1 AND u.environment = $2 AND u.hour > $3 AND u.hour < $4 AND u.hour <= $5 \
     ORDER BY u.hour LIMIT 1"
);
statement!(
    NEXT,
    Transaction,
    "SELECT date_bin('1 hour', s.created_at, 'epoch') FROM checkout_data.checkout_sessions s \
     WHERE s.organization_id = $1 AND s.environment = $2 AND s.created_at >= COALESCE($3, '-infinity') \
       AND s.created_at < date_bin('1 hour', $4, 'epoch') \
     ORDER BY s.created_at LIMIT 1"
);

/// The next hour after one that was passed over, and that has ended by `limit`.
pub fn uncounted(
    tenant: Tenant,
    after: DateTime<Utc>,
    until: DateTime<Utc>,
    limit: DateTime<Utc>,
) -> Result<Option<DateTime<Utc>>> {
    let [organization_id, environment] = owner(tenant);
    let times = [after, until, limit - HOUR].map(|at| datum::timestamp(at).into());
    let [after, until, limit] = times;
    let hour = UNCOUNTED
        .with(|statement| statement.row(&[organization_id, environment, after, until, limit], |row| time(row, 1)))?;
    Ok(hour.flatten())
}

/// The next hour in which sessions were created, and that has ended by `limit`.
pub fn next(tenant: Tenant, until: Option<DateTime<Utc>>, limit: DateTime<Utc>) -> Result<Option<DateTime<Utc>>> {
    let [organization_id, environment] = owner(tenant);
    let arguments = [organization_id, environment, until.map(datum::timestamp).into(), datum::timestamp(limit).into()];
    Ok(NEXT.with(|statement| statement.row(&arguments, |row| time(row, 1)))?.flatten())
}

// The ids nearly always say it at once.
statement!(
    ENDED,
    Transaction,
    "SELECT CASE WHEN EXISTS ( \
         SELECT FROM checkout_data.open_sessions o \
         WHERE o.organization_id = $1 AND o.environment = $2 AND o.checkout_session_id >= $5 AND o.checkout_session_id < $6) \
       THEN false \
       ELSE NOT EXISTS ( \
         SELECT FROM checkout_data.checkout_sessions s \
         WHERE s.organization_id = $1 AND s.environment = $2 AND s.created_at >= $3 \
           AND s.created_at < $3 + interval '1 hour' \
           AND (CASE s.status WHEN 'open' THEN checkout_data.deadline(s) ELSE s.updated_at END > $4 \
             OR s.status = 'open' AND EXISTS ( \
               SELECT FROM checkout_data.open_sessions o \
               WHERE o.organization_id = $1 AND o.environment = $2 AND o.checkout_session_id = s.checkout_session_id))) END"
);

/// Returns true if all sessions of an hour have ended by `limit`.
pub fn has_ended(tenant: Tenant, hour: DateTime<Utc>, limit: DateTime<Utc>) -> Result<bool> {
    let [organization_id, environment] = owner(tenant);
    let arguments = [
        organization_id,
        environment,
        datum::timestamp(hour).into(),
        datum::timestamp(limit).into(),
        datum::uuid(first_id(hour)).into(),
        datum::uuid(first_id(hour + HOUR)).into(),
    ];
    Ok(ENDED.with(|statement| statement.row(&arguments, |row| row.get::<bool>(1)))?.flatten() == Some(true))
}

// Sessions that were removed since stay counted.
statement!(
    REMOVED,
    Transaction,
    "SELECT COALESCE(sum(c.created), 0) > ( \
       SELECT count(*) FROM checkout_data.checkout_sessions s \
       WHERE s.organization_id = $1 AND s.environment = $2 AND s.created_at >= $3 \
         AND s.created_at < $3 + interval '1 hour') \
     FROM checkout_data.session_counts c \
     WHERE c.organization_id = $1 AND c.environment = $2 AND c.dimension = 'none' AND c.unit = '1 hour' AND c.starts_at = $3"
);
statement!(
    FORGET,
    Write,
    "DELETE FROM checkout_data.session_counts c \
     WHERE c.organization_id = $1 AND c.environment = $2 \
       AND c.dimension = ANY ('{none,currency,method,product,country}'::text[]) \
       AND c.unit = ANY ('{1 hour,15 minutes}'::text[]) AND c.starts_at >= $3 \
       AND c.starts_at < $3 + interval '1 hour'"
);
statement!(
    KEEP,
    Write,
    "DELETE FROM checkout_data.uncounted_hours u \
     WHERE u.organization_id = $1 AND u.environment = $2 AND u.hour = $3"
);
// Notes and changes are committed together. In one snapshot, the notes that are removed are those whose changes are
// counted.
statement!(
    COUNT,
    Write,
    "WITH note AS ( \
       DELETE FROM checkout_data.uncounted_hours u \
       WHERE u.organization_id = $1 AND u.environment = $2 AND u.hour = $3) \
     INSERT INTO checkout_data.session_counts \
     SELECT * FROM checkout_data.count_sessions($1, $2, tstzmultirange(tstzrange($3, $3 + interval '1 hour')), \
       '{1 hour,15 minutes}', '{none,currency,method,product,country}', $4)"
);

/// Counts the sessions of an hour, instead of what was counted before.
pub fn count(tenant: Tenant, hour: DateTime<Utc>, now: DateTime<Utc>) -> Result<()> {
    let arguments = || {
        let [organization_id, environment] = owner(tenant);
        [organization_id, environment, datum::timestamp(hour).into()]
    };
    let removed = REMOVED.with(|statement| statement.row(&arguments(), |row| row.get::<bool>(1)))?.flatten();
    if removed == Some(true) {
        return KEEP.with(|statement| statement.count(&arguments())).map(|_| ());
    }
    FORGET.with(|statement| statement.count(&arguments()))?;
    let [organization_id, environment, hour] = arguments();
    COUNT
        .with(|statement| statement.count(&[organization_id, environment, hour, datum::timestamp(now).into()]))
        .map(|_| ())
}

statement!(
    PASS,
    Write,
    "INSERT INTO checkout_data.uncounted_hours (organization_id, environment, hour) VALUES ($1, $2, $3)"
);
statement!(
    ADVANCE,
    Write,
    "UPDATE checkout_data.session_folds f SET folded_until = $3 + interval '1 hour' \
     WHERE f.organization_id = $1 AND f.environment = $2"
);

/// Passes over an hour that has open sessions.
pub fn pass(tenant: Tenant, hour: DateTime<Utc>) -> Result<()> {
    let [organization_id, environment] = owner(tenant);
    PASS.with(|statement| statement.count(&[organization_id, environment, datum::timestamp(hour).into()])).map(|_| ())
}

/// Continues after an hour.
pub fn advance(tenant: Tenant, hour: DateTime<Utc>) -> Result<()> {
    let [organization_id, environment] = owner(tenant);
    ADVANCE
        .with(|statement| statement.count(&[organization_id, environment, datum::timestamp(hour).into()]))
        .map(|_| ())
}

statement!(
    CHANGED,
    Write,
    "INSERT INTO checkout_data.uncounted_hours (organization_id, environment, hour) \
     SELECT s.organization_id, s.environment, date_bin('1 hour', s.created_at, 'epoch') \
     FROM checkout_data.checkout_sessions s \
     WHERE s.organization_id = $1 AND s.environment = $2 AND s.checkout_session_id = $3 \
       AND NOT COALESCE(date_bin('1 hour', s.created_at, 'epoch') <= $4 AND ( \
         SELECT sum(c.created) FROM checkout_data.session_counts c \
         WHERE c.organization_id = $1 AND c.environment = $2 AND c.dimension = 'none' AND c.unit = '1 hour' \
           AND c.starts_at = date_bin('1 hour', s.created_at, 'epoch')) > ( \
         SELECT count(*) FROM checkout_data.checkout_sessions x \
         WHERE x.organization_id = $1 AND x.environment = $2 \
           AND x.created_at >= date_bin('1 hour', s.created_at, 'epoch') \
           AND x.created_at < date_bin('1 hour', s.created_at, 'epoch') + interval '1 hour'), false)"
);

/// Has the hour of a session counted again: it has changed after its end. Not where sessions of that hour were removed, which
/// may be where it is older than `cutoff`: they stay counted.
pub fn changed(tenant: Tenant, id: Uuid, cutoff: Option<DateTime<Utc>>) -> Result<()> {
    let [organization_id, environment, id] = key(tenant, id);
    let arguments = [organization_id, environment, id, cutoff.map(datum::timestamp).into()];
    CHANGED.with(|statement| statement.count(&arguments)).map(|_| ())
}
