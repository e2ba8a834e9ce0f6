//! Statements that remove sessions, subscriptions and keys that have ended long ago.

use chrono::{DateTime, TimeDelta, Utc};
use pgrx::datum::{Interval, TimestampWithTimeZone};
use uuid::Uuid;

use super::fan_out::receivers_of_o;
use super::removal::{of_session, remove_sessions, remove_subscriptions, undelivered, without_events};
use super::sessions::owner;
use super::statement::{Argument, statement};
use crate::datum;
use crate::tenant::Tenant;
use rules::Result;
use rules::maintenance::retention::Bounds;

/// How long a tenant that keeps sessions for a time is not looked at, if nothing is due earlier.
const LOOK_EVERY: TimeDelta = TimeDelta::days(1);

statement!(
    PAGE,
    Latest,
    "SELECT f.organization_id, f.environment::text, o.session_retention \
     FROM checkout_data.session_folds f JOIN checkout_data.organizations o USING (organization_id) \
     WHERE (f.organization_id, f.environment) > ($1, $2) AND (f.removal_at <= $3 OR f.removal_at IS NULL AND $4) \
     ORDER BY f.organization_id, f.environment LIMIT 100"
);

/// A tenant, and how long it keeps what has ended; `None`: for ever.
pub type Kept = (Tenant, Option<TimeDelta>);

/// The next tenants after one that are to be looked at. `None`: the first.
pub fn page(after: Option<Tenant>, bounds: Bounds, now: DateTime<Utc>) -> Result<Vec<Kept>> {
    let [organization_id, environment] = after.map_or_else(|| [datum::uuid(Uuid::nil()).into(), "".into()], owner);
    let arguments = [organization_id, environment, datum::timestamp(now).into(), bounds.maximum.is_some().into()];
    let mut page = Vec::new();
    PAGE.with(|statement| {
        statement.rows(&arguments, |row| {
            if let (Some(id), Some(environment)) = (row.get::<pgrx::Uuid>(1)?, row.get::<String>(2)?) {
                let wanted = row.get::<Interval>(3)?;
                let wanted = wanted.map(|span| datum::from_interval("session_retention", span)).transpose()?;
                let tenant = Tenant { organization_id: datum::from_uuid(id), environment: environment.parse()? };
                page.push((tenant, bounds.apply(wanted)));
            }
            Ok(())
        })
    })?;
    Ok(page)
}

statement!(
    LOCK,
    Write,
    "SELECT FROM checkout_data.session_folds f WHERE f.organization_id = $1 AND f.environment = $2 FOR UPDATE SKIP LOCKED"
);

/// Locks a tenant for the removal of its rows: the statements after it see what those have done who keep its rows. Returns
/// false if somebody does that now.
pub fn lock(tenant: Tenant) -> Result<bool> {
    Ok(LOCK.with(|statement| statement.count(&owner(tenant)))? > 0)
}

statement!(
    HOLD,
    Write,
    "SELECT FROM checkout_data.session_folds f \
     WHERE $1 IS NULL OR f.organization_id = $1 AND f.environment = $2 \
     ORDER BY f.organization_id, f.environment FOR KEY SHARE"
);

/// Keeps all rows of a tenant, or of all tenants, from being removed until the transaction ends. Waits for a removal, which is
/// over in a moment.
pub fn hold(tenant: Option<Tenant>) -> Result<()> {
    let arguments = [
        tenant.map(|tenant| datum::uuid(tenant.organization_id)).into(),
        tenant.map(|tenant| tenant.environment.as_str()).into(),
    ];
    HOLD.with(|statement| statement.count(&arguments)).map(|_| ())
}

/// What is removed in order of its creation, in stretches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Subscriptions,
    Sessions,
}

statement!(
    LAST_SUBSCRIPTION,
    Transaction,
    "SELECT s.created_at FROM checkout_data.subscriptions s \
     WHERE s.organization_id = $1 AND s.environment = $2 AND s.created_at <= $3 AND s.created_at > $4 \
     ORDER BY s.created_at OFFSET $5 - 1 LIMIT 1"
);
statement!(
    LAST_SESSION,
    Transaction,
    "SELECT s.created_at FROM checkout_data.checkout_sessions s \
     WHERE s.organization_id = $1 AND s.environment = $2 AND s.created_at <= $3 AND s.created_at > $4 \
     ORDER BY s.created_at OFFSET $5 - 1 LIMIT 1"
);
/// The most rows that one statement looks at. `near` says it to the planner.
pub const STRETCH: usize = 200;

/// Joins the rows of a stretch. The planner does not know how short a stretch is, but knows the bound, and so looks up what
/// hangs on each row instead of reading all of it. Rows beyond the bound, which were created at the same moment, are
/// found the next time.
macro_rules! near {
    ($table:literal, $id:literal) => {
        concat!(
            "JOIN (SELECT s.",
            $id,
            " FROM checkout_data.",
            $table,
            " s WHERE s.organization_id = $1 AND s.environment = $2 AND s.created_at <= $3 AND s.created_at > $4 \
             ORDER BY s.created_at LIMIT 200) AS near \
             ON o.organization_id = $1 AND o.environment = $2 AND o.",
            $id,
            " = near.",
            $id
        )
    };
}
statement!(
    REMOVE_SUBSCRIPTIONS,
    Write,
    remove_subscriptions!(concat!(
        near!("subscriptions", "subscription_id"),
        " WHERE o.announced = 'ended' AND GREATEST(o.updated_at, o.ends_at) <= $5 \
       AND NOT EXISTS ( \
         SELECT FROM checkout_data.open_sessions x WHERE x.organization_id = o.organization_id \
           AND x.environment = o.environment AND x.renews = o.subscription_id) \
       AND NOT",
        undelivered!("subscription_id")
    ))
);
// A payment that another transaction is changing keeps its session.
statement!(
    REMOVE_SESSIONS,
    Write,
    remove_sessions!(
        concat!(
            near!("checkout_sessions", "checkout_session_id"),
            " WHERE CASE o.status WHEN 'open' THEN checkout_data.deadline(o) ELSE o.updated_at END <= $5 \
       AND o.created_at < ( \
         SELECT f.folded_until FROM checkout_data.session_folds f \
         WHERE f.organization_id = $1 AND f.environment = $2) \
       AND NOT EXISTS ( \
         SELECT FROM checkout_data.uncounted_hours u WHERE u.organization_id = $1 AND u.environment = $2 \
           AND u.hour = date_bin('1 hour', o.created_at, 'epoch')) \
       AND NOT EXISTS ( \
         SELECT FROM checkout_data.open_sessions x WHERE x.organization_id = o.organization_id \
           AND x.environment = o.environment AND x.checkout_session_id = o.checkout_session_id) \
       AND ( \
         SELECT count(*) FROM checkout_data.payments p WHERE p.organization_id = o.organization_id \
           AND p.environment = o.environment AND p.checkout_session_id = o.checkout_session_id) = ( \
         SELECT count(*) FROM ( \
           SELECT FROM checkout_data.payments p WHERE p.organization_id = o.organization_id \
             AND p.environment = o.environment AND p.checkout_session_id = o.checkout_session_id \
             AND p.updated_at <= $5 AND p.pending_refund_amount = 0 \
             AND (p.status <> 'rejected' OR p.amount <= p.refunded_amount) \
           FOR UPDATE SKIP LOCKED) AS settled) \
       AND NOT EXISTS ( \
         SELECT FROM checkout_data.checkout_sessions x WHERE x.organization_id = o.organization_id \
           AND x.environment = o.environment AND x.recovered_from = o.checkout_session_id) \
       AND NOT EXISTS ( \
         SELECT FROM checkout_data.holds h WHERE h.organization_id = o.organization_id \
           AND h.environment = o.environment AND h.checkout_session_id = o.checkout_session_id \
           AND h.state <> 'counted') \
       AND NOT EXISTS ( \
         SELECT FROM checkout_data.session_periods p JOIN checkout_data.subscriptions b \
           ON b.organization_id = p.organization_id AND b.environment = p.environment \
           AND b.subscription_id = p.subscription_id \
         WHERE p.organization_id = o.organization_id AND p.environment = o.environment \
           AND p.checkout_session_id = o.checkout_session_id) \
       AND NOT",
            undelivered!("checkout_session_id")
        ),
        "$5"
    )
);

/// Looks at the first `stretch` rows of a kind that were created after `from`, and removes those that have ended by
/// `cutoff` and are not needed any more. Returns their number, and where to continue; `None` at the end.
pub fn remove(
    kind: Kind,
    tenant: Tenant,
    from: Option<DateTime<Utc>>,
    stretch: i32,
    cutoff: DateTime<Utc>,
) -> Result<(usize, Option<DateTime<Utc>>)> {
    let arguments = |until: TimestampWithTimeZone, last: Argument<'static>| -> [Argument<'static>; 5] {
        let from = from.map_or_else(TimestampWithTimeZone::negative_infinity, datum::timestamp);
        let [organization_id, environment] = owner(tenant);
        [organization_id, environment, until.into(), from.into(), last]
    };
    let cut = || datum::timestamp(cutoff);
    let (last_of, remove) = match kind {
        Kind::Subscriptions => (&LAST_SUBSCRIPTION, &REMOVE_SUBSCRIPTIONS),
        Kind::Sessions => (&LAST_SESSION, &REMOVE_SESSIONS),
    };
    let last = last_of
        .with(|statement| statement.row(&arguments(cut(), stretch.into()), |row| row.get::<TimestampWithTimeZone>(1)))?
        .flatten();
    let until = last.unwrap_or_else(cut);
    let removed = remove.with(|statement| statement.count(&arguments(until, cut().into())))?;
    Ok((removed, last.map(|last| datum::from_timestamp("created_at", last)).transpose()?))
}

// A key that another names as its successor stays as long as that.
statement!(
    REMOVE_KEYS,
    Write,
    "DELETE FROM checkout_data.api_keys k \
     WHERE k.organization_id = $1 AND k.environment = $2 AND LEAST(k.revoked_at, k.expires_at) <= $3 AND NOT EXISTS ( \
       SELECT FROM checkout_data.api_keys x WHERE x.organization_id = $1 AND x.replaced_by = k.api_key_id)"
);
// Events about the organization and its endpoints, which stay.
statement!(
    REMOVE_EVENTS,
    Write,
    concat!(
        "WITH o AS ( \
           SELECT $1 AS organization_id, $2 AS environment, s.subject_id FROM ( \
             SELECT $1 AS subject_id UNION ALL \
             SELECT p.webhook_endpoint_id FROM checkout_data.webhook_endpoints p \
             WHERE p.organization_id = $1 AND p.environment = $2) AS s), \
         old AS ( \
           SELECT e.organization_id, e.environment, e.subject_id, e.sequence \
           FROM o JOIN checkout_data.webhook_outbox e USING (organization_id, environment, subject_id) \
           WHERE e.created_at <= $3 AND NOT",
        undelivered!("subject_id"),
        "), \
         receiver AS ( \
           SELECT o.organization_id, o.environment, o.subject_id, o.sequence, r.receiver_id FROM old o, ",
        receivers_of_o!(),
        "), \
         delivery AS ( \
           DELETE FROM checkout_data.webhook_deliveries d USING receiver r \
           WHERE d.organization_id = r.organization_id AND d.environment = r.environment \
             AND d.receiver_id = r.receiver_id AND d.subject_id = r.subject_id AND d.sequence = r.sequence), \
         attempt AS ( \
           DELETE FROM checkout_data.webhook_attempts a USING receiver r \
           WHERE a.organization_id = r.organization_id AND a.environment = r.environment \
             AND a.receiver_id = r.receiver_id AND a.subject_id = r.subject_id AND a.sequence = r.sequence) \
         DELETE FROM checkout_data.webhook_outbox e USING old o \
         WHERE e.organization_id = o.organization_id AND e.environment = o.environment \
           AND e.subject_id = o.subject_id AND e.sequence = o.sequence"
    )
);

/// Removes the keys of a tenant that have ended by `cutoff`, and its old events that are about no session. Returns the
/// number of both.
pub fn remove_others(tenant: Tenant, cutoff: DateTime<Utc>) -> Result<usize> {
    let arguments = || {
        let [organization_id, environment] = owner(tenant);
        [organization_id, environment, datum::timestamp(cutoff).into()]
    };
    let keys = REMOVE_KEYS.with(|statement| statement.count(&arguments()))?;
    let events = REMOVE_EVENTS.with(|statement| statement.count(&arguments()))?;
    Ok(keys + events)
}

// Who counts the tenant's sessions at this moment keeps its row. Then the tenant is looked at again.
statement!(
    PLAN,
    Write,
    "UPDATE checkout_data.session_folds f SET removal_at = CASE WHEN $3 THEN LEAST(( \
         SELECT s.created_at FROM checkout_data.checkout_sessions s \
         WHERE s.organization_id = $1 AND s.environment = $2 AND s.created_at > $4 ORDER BY s.created_at LIMIT 1) \
         + ($5 - $4), $5 + $6) END \
     WHERE f.ctid = ANY (ARRAY(SELECT x.ctid FROM checkout_data.session_folds x \
       WHERE x.organization_id = $1 AND x.environment = $2 FOR NO KEY UPDATE SKIP LOCKED))"
);

/// Notes when to look at a tenant again.
pub fn plan(tenant: Tenant, cutoff: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Result<()> {
    let [organization_id, environment] = owner(tenant);
    let arguments = [
        organization_id,
        environment,
        cutoff.is_some().into(),
        datum::timestamp(cutoff.unwrap_or(now)).into(),
        datum::timestamp(now).into(),
        datum::interval(LOOK_EVERY).into(),
    ];
    PLAN.with(|statement| statement.count(&arguments)).map(|_| ())
}

statement!(
    CHANGED,
    Write,
    "UPDATE checkout_data.session_folds f SET removal_at = 'epoch' WHERE f.organization_id = $1"
);

/// Has the tenants of an organization looked at: it keeps its sessions for another time now.
pub fn changed(organization_id: Uuid) -> Result<()> {
    CHANGED.with(|statement| statement.count(&[datum::uuid(organization_id).into()])).map(|_| ())
}
