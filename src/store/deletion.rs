//! Statements that delete an organization with all its rows.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::fan_out::receivers_of_o;
use super::removal::{of_session, remove_sessions, remove_subscriptions, without_events};
use super::statement::{Access, Argument, Statement, statement};
use crate::{backend, datum};
use rules::Result;

pub struct Organization {
    pub name: String,
    /// True if nothing is created for it any more.
    pub ended: bool,
    /// True if nobody sees the time any more when it was not ended.
    pub settled: bool,
    /// True if its rows are being removed.
    pub removes: bool,
}

statement!(
    LOCK,
    Write,
    "SELECT o.name::text, o.deletion_began::text::bigint, o.tableoid::bigint, o.removal_began \
     FROM checkout_data.organizations o WHERE o.organization_id = $1 FOR UPDATE"
);

/// Locks an organization.
pub fn lock(organization_id: Uuid) -> Result<Option<Organization>> {
    let row = LOCK.with(|statement| {
        statement.row(&id(organization_id), |row| {
            let began = row.get::<i64>(2)?;
            let table = row.get::<i64>(3)?.and_then(|oid| u32::try_from(oid).ok()).unwrap_or_default();
            Ok(Organization {
                name: row.get(1)?.unwrap_or_default(),
                ended: began.is_some(),
                settled: began.is_some_and(|began| backend::is_past(began.cast_unsigned(), table.into())),
                removes: row.get(4)?.unwrap_or_default(),
            })
        })
    })?;
    Ok(row)
}

fn id(organization_id: Uuid) -> [Argument<'static>; 1] {
    [datum::uuid(organization_id).into()]
}

statement!(
    OPEN_MONEY,
    Latest,
    "SELECT CASE \
       WHEN EXISTS (SELECT FROM checkout_data.open_sessions o \
         WHERE o.organization_id = $1 AND o.deadline > $2) THEN 'open checkout sessions' \
       WHEN EXISTS (SELECT FROM checkout_data.payments p WHERE p.organization_id = $1 \
         AND p.status = 'rejected' AND p.amount > p.refunded_amount + p.pending_refund_amount) THEN 'payments to refund' \
       WHEN EXISTS (SELECT FROM checkout_data.payments p WHERE p.organization_id = $1 \
         AND p.pending_refund_amount > 0) THEN 'pending refunds' \
       WHEN EXISTS (SELECT FROM checkout_data.subscriptions s WHERE s.organization_id = $1 \
         AND checkout_data.subscription_status(s, $2) NOT IN ('ended', 'canceled')) \
         THEN 'subscriptions that have not ended' END"
);

/// What of an organization's money is not settled yet.
pub fn open_money(organization_id: Uuid, now: DateTime<Utc>) -> Result<Option<String>> {
    let arguments = [datum::uuid(organization_id).into(), datum::timestamp(now).into()];
    Ok(OPEN_MONEY.with(|statement| statement.row(&arguments, |row| row.get::<String>(1)))?.flatten())
}

// Every backend forgets its settings when this is committed.
statement!(
    END,
    Write,
    "UPDATE checkout_data.organizations o SET deletion_began = pg_current_xact_id() WHERE o.organization_id = $1"
);

/// From the commit on nothing is created for the organization. Reports of money are taken.
pub fn end(organization_id: Uuid) -> Result<()> {
    END.with(|statement| statement.count(&id(organization_id))).map(|_| ())
}

statement!(
    RESUME,
    Write,
    "UPDATE checkout_data.organizations o SET deletion_began = NULL WHERE o.organization_id = $1"
);
statement!(
    BEGIN_REMOVAL,
    Write,
    "WITH keys AS (DELETE FROM checkout_data.api_keys k WHERE k.organization_id = $1) \
     UPDATE checkout_data.organizations o SET removal_began = true WHERE o.organization_id = $1"
);

/// Takes the end back.
pub fn resume(organization_id: Uuid) -> Result<()> {
    RESUME.with(|statement| statement.count(&id(organization_id))).map(|_| ())
}

/// From the commit on nobody acts for the organization: its keys are gone, and its rows are being removed.
pub fn begin_removal(organization_id: Uuid) -> Result<()> {
    BEGIN_REMOVAL.with(|statement| statement.count(&id(organization_id))).map(|_| ())
}

statement!(
    REMOVE_SUBSCRIPTIONS,
    Write,
    remove_subscriptions!("WHERE o.organization_id = $1 ORDER BY o.subscription_id LIMIT $2")
);
statement!(
    REMOVE_SESSIONS,
    Write,
    remove_sessions!("WHERE o.organization_id = $1 ORDER BY o.checkout_session_id LIMIT $2", "'infinity'")
);

/// The other tables, each after those whose rows depend on it.
const TABLES: [&str; 28] = [
    "idempotency_keys",
    "open_sessions",
    "refunds",
    "payments",
    "session_lines",
    "session_terms",
    "session_visits",
    "session_periods",
    "holds",
    "webhook_attempts",
    "webhook_deliveries",
    "webhook_outbox",
    "webhook_endpoints",
    "webhook_consumers",
    "hook_failures",
    "hooks",
    "api_keys",
    "prices",
    "inventory",
    "inventory_changes",
    "products",
    "coupons",
    "session_counts",
    "uncounted_hours",
    "session_folds",
    "request_failures",
    "request_alerts",
    "subscriptions",
];

/// Removes about `batch` rows of a kind. Returns true if it has found any.
pub fn remove(organization_id: Uuid, batch: i32) -> Result<bool> {
    let chosen = || [datum::uuid(organization_id).into(), batch.into()];
    // Without its key a session is whole. A key without its session is not.
    if remove_from("idempotency_keys", &chosen())? || REMOVE_SUBSCRIPTIONS.with(|it| it.count(&chosen()))? > 0 {
        return Ok(true);
    }
    if REMOVE_SESSIONS.with(|it| it.count(&chosen()))? > 0 {
        return Ok(true);
    }
    for table in TABLES {
        if remove_from(table, &chosen())? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn remove_from(table: &str, chosen: &[Argument]) -> Result<bool> {
    let sql = format!(
        "DELETE FROM checkout_data.{table} x WHERE x.ctid = ANY (ARRAY( \
           SELECT o.ctid FROM checkout_data.{table} o WHERE o.organization_id = $1 LIMIT $2))"
    );
    Ok(Statement::composed(Access::Write, sql).count(chosen)? > 0)
}

statement!(DELETE, Write, "DELETE FROM checkout_data.organizations o WHERE o.organization_id = $1");

/// Deletes the organization, which has no rows any more.
pub fn delete(organization_id: Uuid) -> Result<()> {
    DELETE.with(|statement| statement.count(&id(organization_id))).map(|_| ())
}
