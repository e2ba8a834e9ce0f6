//! Statements over all tenants. The worker runs them, or a function that does its work.
//!
//! Rows are picked by `ctid = ANY (ARRAY(... LIMIT ... SKIP LOCKED))`. The inner query runs once, the outer one goes
//! straight to the rows. Locked rows are passed over, not waited for.

use chrono::{DateTime, TimeDelta, Utc};
use pgrx::datum::{Interval, TimestampWithTimeZone};

use super::counts;
use super::fan_out::{fan_out, is_written, notified, told_of_end};
use super::statement::statement;
use super::{hooks, purge, request_failures};
use crate::datum;
use rules::Result;
use rules::maintenance::turns::{Done, Portion};

/// The rows of a portion, in the order of `$column`: the earliest due ones, either of those organizations or of all
/// others. `$more` may lock other rows.
macro_rules! portion {
    ($column:literal, $more:literal, $lock:literal) => {
        concat!(
            " WHERE s.ctid = ANY (ARRAY( \
               SELECT d.ctid FROM checkout_data.open_sessions d ",
            $more,
            " d.",
            $column,
            " BETWEEN $3 AND $1 AND (d.organization_id = ANY ($4)) = $5 ORDER BY d.",
            $column,
            " LIMIT $2 ",
            $lock,
            " OF d SKIP LOCKED)) \
             RETURNING s.organization_id, s.environment, s.checkout_session_id, "
        )
    };
}
/// The report of a portion: the number of rows, and which organization had most.
macro_rules! done {
    () => {
        concat!(
            fan_out!(),
            "SELECT (sum(count(*)) OVER ())::integer, (SELECT count(*)::integer FROM delivery), \
               x.organization_id, count(*)::integer, max(x.due_at), ",
            notified!(),
            " FROM changed x GROUP BY x.organization_id ORDER BY count(*) DESC LIMIT 1"
        )
    };
}
// Writes nothing into checkout_sessions: for its readers the clock has ended the session. Whoever deletes the row here
// has ended the session.
statement!(
    EXPIRE,
    Write,
    concat!(
        "WITH changed AS ( \
           DELETE FROM checkout_data.open_sessions s",
        // The sessions of organizations with hooks are ended one by one: see `hooks`.
        portion!("deadline", "WHERE d.organization_id <> ALL ($6) AND", "FOR UPDATE"),
        "  s.event_count + 1 AS event_count, s.deadline AS due_at, s.fails_at_deadline, s.has_terms), ",
        told_of_end!("$1"),
        done!()
    )
);
// A portion with such a row cannot be ended. To look for one in each portion would take a fifth of the pace.
statement!(
    REMOVE_STRAYS,
    Write,
    concat!(
        "DELETE FROM checkout_data.open_sessions s WHERE s.ctid = ANY (ARRAY( \
           SELECT e.ctid FROM checkout_data.open_sessions e WHERE e.deadline <= $1 AND",
        is_written!(),
        "FOR UPDATE OF e SKIP LOCKED))"
    )
);
// Also counts in checkout_sessions. That row is locked first, as everywhere: the statement must not wait for it.
statement!(
    NOTICE,
    Write,
    concat!(
        "WITH changed AS ( \
           UPDATE checkout_data.open_sessions s \
           SET expiring_notice_at = NULL, event_count = s.event_count + ( \
             SELECT count(*) FROM checkout_data.checkout_sessions w \
             WHERE w.organization_id = s.organization_id AND w.environment = s.environment \
               AND w.checkout_session_id = s.checkout_session_id AND w.status = 'open')::integer",
        portion!(
            "expiring_notice_at",
            "CROSS JOIN LATERAL ( \
               SELECT FROM checkout_data.checkout_sessions w \
               WHERE w.organization_id = d.organization_id AND w.environment = d.environment \
                 AND w.checkout_session_id = d.checkout_session_id FOR NO KEY UPDATE SKIP LOCKED) AS w \
             WHERE d.deadline > $1 AND",
            "FOR NO KEY UPDATE"
        ),
        // The row no longer says when it was due, so an organization that has fallen behind begins anew.
        "  $3 AS due_at), \
         session AS ( \
           UPDATE checkout_data.checkout_sessions w SET event_count = w.event_count + 1 \
           FROM changed c \
           WHERE w.organization_id = c.organization_id AND w.environment = c.environment \
             AND w.checkout_session_id = c.checkout_session_id AND w.status = 'open' \
           RETURNING w.organization_id, w.environment, w.checkout_session_id, w.event_count, w.attempts, \
             checkout_data.changing_terms(w) AS terms), \
         event AS ( \
           INSERT INTO checkout_data.webhook_outbox (organization_id, environment, subject_type, subject_id, sequence, \
             event_type, created_at, snapshot) \
           SELECT n.organization_id, n.environment, 'checkout_session', n.checkout_session_id, n.event_count, \
             'checkout.session.expiring', $1, \
             jsonb_build_object('session', jsonb_build_object('status', 'open', 'attempts', n.attempts) || n.terms) \
           FROM session n",
        done!()
    )
);
// Tells of subscriptions what the clock has brought. A row that the worker has come to late gets one event after the other:
// the next is due a moment later.
statement!(
    ANNOUNCE,
    Write,
    concat!(
        "WITH changed AS ( \
           UPDATE checkout_data.subscriptions s \
           SET announced = checkout_data.due_event(s, $1), event_count = s.event_count + 1, \
             next_event_at = CASE checkout_data.due_event(s, $1) WHEN 'renewal_due' THEN s.current_period_end \
               WHEN 'past_due' THEN GREATEST(s.ends_at, $1 + '1 microsecond') END \
           WHERE s.ctid = ANY (ARRAY( \
             SELECT d.ctid FROM checkout_data.subscriptions d \
             WHERE d.next_event_at BETWEEN $3 AND $1 AND (d.organization_id = ANY ($4)) = $5 \
             ORDER BY d.next_event_at LIMIT $2 FOR NO KEY UPDATE OF d SKIP LOCKED)) \
           RETURNING s.organization_id, s.environment, s AS subscription, $3 AS due_at), \
         event AS ( \
           INSERT INTO checkout_data.webhook_outbox (organization_id, environment, subject_type, subject_id, sequence, \
             event_type, created_at, snapshot) \
           SELECT c.organization_id, c.environment, 'subscription', (c.subscription).subscription_id, \
             (c.subscription).event_count, 'subscription.' || (c.subscription).announced, $1, \
             jsonb_build_object('subscription', to_jsonb(checkout_data.subscription_at(c.subscription, \
               CASE (c.subscription).announced WHEN 'past_due' THEN (c.subscription).current_period_end ELSE $1 END))) \
           FROM changed c",
        done!()
    )
);
/// Removes the rows of sessions that have ended from among the open sessions whose deadline has passed. Returns their number.
pub fn remove_strays(now: DateTime<Utc>) -> Result<usize> {
    REMOVE_STRAYS.with(|statement| statement.count(&[datum::timestamp(now).into()]))
}

statement!(
    NEXT_DEADLINE,
    Latest,
    "SELECT (SELECT min(s.deadline) FROM checkout_data.open_sessions s WHERE s.deadline > $2), \
       EXISTS (SELECT FROM checkout_data.open_sessions s WHERE s.deadline BETWEEN $1 AND $2)"
);
statement!(
    NEXT_NOTICE,
    Latest,
    "SELECT (SELECT min(s.expiring_notice_at) FROM checkout_data.open_sessions s WHERE s.expiring_notice_at > $2), \
       EXISTS (SELECT FROM checkout_data.open_sessions s \
         WHERE s.expiring_notice_at BETWEEN $1 AND $2 AND s.deadline > $2)"
);

statement!(
    NEXT_SUBSCRIPTION,
    Latest,
    "SELECT (SELECT min(s.next_event_at) FROM checkout_data.subscriptions s WHERE s.next_event_at > $2), \
       EXISTS (SELECT FROM checkout_data.subscriptions s WHERE s.next_event_at BETWEEN $1 AND $2)"
);

/// The worker's tasks on sessions and subscriptions whose time has come.
#[derive(Clone, Copy)]
pub enum Work {
    /// Expires sessions whose deadline has passed, and writes their events.
    Expire,
    /// Writes the reminders that are due.
    Remind,
    /// Writes the events of subscriptions that are due.
    Announce,
}

impl Work {
    /// Does a portion of the work that is due at `now`.
    pub fn run(self, portion: &Portion, now: DateTime<Utc>) -> Result<Done> {
        let statement = match self {
            Self::Expire => &EXPIRE,
            Self::Remind => &NOTICE,
            Self::Announce => &ANNOUNCE,
        };
        let mut arguments = vec![
            datum::timestamp(now).into(),
            i32::try_from(portion.limit).unwrap_or(i32::MAX).into(),
            datum::timestamp(portion.from).into(),
            portion.organizations.iter().copied().map(datum::uuid).collect::<Vec<_>>().into(),
            portion.theirs_alone.into(),
        ];
        if matches!(self, Self::Expire) {
            arguments.push(hooks::organizations()?.into_iter().map(datum::uuid).collect::<Vec<_>>().into());
        }
        let count = |count: Option<i32>| usize::try_from(count.unwrap_or(0)).unwrap_or(0);
        let done = statement.with(|statement| {
            statement.row(&arguments, |row| {
                let until =
                    row.get::<TimestampWithTimeZone>(5)?.and_then(|at| datum::from_timestamp("due_at", at).ok());
                let organization_id = row.get::<pgrx::Uuid>(3)?.map(datum::from_uuid);
                let most = count(row.get::<i32>(4)?);
                Ok(Done {
                    sessions: count(row.get::<i32>(1)?),
                    deliveries: count(row.get::<i32>(2)?),
                    most: organization_id.zip(until).map(|(organization_id, until)| (organization_id, most, until)),
                })
            })
        })?;
        Ok(done.unwrap_or_default())
    }

    /// When the next work after `to` is due; and whether work is left that has been due since `from`: its rows are
    /// locked.
    pub fn next(self, from: DateTime<Utc>, to: DateTime<Utc>) -> Result<(Option<DateTime<Utc>>, bool)> {
        let statement = match self {
            Self::Expire => &NEXT_DEADLINE,
            Self::Remind => &NEXT_NOTICE,
            Self::Announce => &NEXT_SUBSCRIPTION,
        };
        let row = statement.with(|statement| {
            statement.row(&[datum::timestamp(from).into(), datum::timestamp(to).into()], |row| {
                Ok((row.get::<TimestampWithTimeZone>(1)?, row.get::<bool>(2)?))
            })
        })?;
        let (next, left) = row.unwrap_or_default();
        Ok((next.map(|at| datum::from_timestamp("deadline", at)).transpose()?, left.unwrap_or(false)))
    }
}

statement!(
    NEXT_PURGE,
    Latest,
    "SELECT LEAST( \
       (SELECT min(k.expires_at) FROM checkout_data.idempotency_keys k), \
       (SELECT min(o.created_at) + $1 FROM checkout_data.webhook_outbox o), \
       (SELECT min(p.deleted_at) + $2 FROM checkout_data.webhook_endpoints p), \
       (SELECT min(c.deleted_at) + $2 FROM checkout_data.webhook_consumers c), \
       (SELECT 'epoch'::timestamptz FROM checkout_data.holds h WHERE h.state = 'taken' LIMIT 1), \
       (SELECT min(h.deadline) + $3 FROM checkout_data.holds h WHERE h.state = 'held'), \
       (SELECT min(f.created_at) + $4 FROM checkout_data.hook_failures f), \
       (SELECT min(f.minute) + $5 FROM checkout_data.request_failures f), \
       (SELECT min(f.next_at) FROM checkout_data.session_folds f), \
       (SELECT min(f.removal_at) FROM checkout_data.session_folds f))"
);

/// When the next row can be purged, or the sessions of past hours should be counted.
pub fn next_purge(retention: Option<TimeDelta>) -> Result<Option<DateTime<Utc>>> {
    let spans =
        [purge::KEEP_DELETED, counts::LAPSED_FOR, purge::KEEP_FAILURES, request_failures::KEEP].map(datum::interval);
    let [deleted, lapsed, failed, refused] = spans;
    let arguments =
        [retention.map(datum::interval).into(), deleted.into(), lapsed.into(), failed.into(), refused.into()];
    let next = NEXT_PURGE.with(|statement| statement.row(&arguments, |row| row.get::<TimestampWithTimeZone>(1)))?;
    next.flatten().map(|at| datum::from_timestamp("deadline", at)).transpose()
}

// Reads one table only. The caller has locked it, so this does not wait.
statement!(
    OVERDUE,
    Caller,
    "SELECT count(*), min(s.deadline), $1 - min(s.deadline), \
       LEAST( \
         (SELECT min(s.deadline) FROM checkout_data.open_sessions s), \
         (SELECT min(s.expiring_notice_at) FROM checkout_data.open_sessions s WHERE s.expiring_notice_at IS NOT NULL)) \
     FROM checkout_data.open_sessions s WHERE s.deadline <= $1"
);

/// The sessions whose deadline has passed, and the event of that is not written yet.
#[derive(Default)]
pub struct Overdue {
    pub count: Option<i64>,
    pub oldest_at: Option<TimestampWithTimeZone>,
    pub lag: Option<Interval>,
    /// When the next session or reminder is due, overdue ones included.
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
    Caller,
    "SELECT FROM pg_catalog.pg_db_role_setting s, unnest(s.setconfig) AS setting \
     WHERE s.setdatabase IN (0, (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = current_database())) \
       AND s.setrole IN (0, (SELECT r.oid FROM pg_catalog.pg_roles r WHERE r.rolname = session_user)) \
       AND setting ^@ 'default_transaction_read_only=' AND split_part(setting, '=', 2)::boolean"
);

/// Returns true if new sessions will be read only, unless a setting that only they can see overrides it.
pub fn is_to_be_read_only() -> Result<bool> {
    Ok(TO_BE_READ_ONLY.with(|statement| statement.count(&[]))? > 0)
}
