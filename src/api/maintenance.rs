//! The tasks of the worker, run by hand, and the state of the worker.

use pgrx::PgLogLevel;
use pgrx::datum::{Interval, TimestampWithTimeZone};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

use crate::operations::maintenance;
use crate::report::or_raise;
use crate::shared::registry::{self, Rest};
use crate::shared::wake;
use crate::store::activation;
use crate::store::locks;
use crate::store::maintenance::{Overdue, overdue};
use crate::{backend, datum, gucs, version};
use rules::maintenance::turns::BEGINNING;
use rules::{Result, validate};

#[pg_extern(sql = false)]
fn expire_due_checkout_sessions(batch: Option<i32>) -> i32 {
    or_raise(|| {
        let batch = checked(batch)?;
        activation::check_active()?;
        let expired = maintenance::expire(batch, datum::now())?;
        Ok(i32::try_from(expired).unwrap_or(i32::MAX))
    })
}

#[pg_extern(sql = false)]
fn fold_sessions(batch: Option<i32>) -> i32 {
    or_raise(|| {
        let batch = checked(batch)?;
        activation::check_active()?;
        let counted = maintenance::fold(batch, datum::now())?;
        Ok(i32::try_from(counted).unwrap_or(i32::MAX))
    })
}

#[pg_extern(sql = false)]
fn run_maintenance(batch: Option<i32>) -> TableIterator<'static, (name!(task, &'static str), name!(row_count, i32))> {
    let done = or_raise(|| {
        let batch = checked(batch)?;
        activation::check_active()?;
        maintenance::run(batch, datum::now())
    });
    TableIterator::new(done.into_iter().map(|(task, rows)| (task, i32::try_from(rows).unwrap_or(i32::MAX))))
}

fn checked(batch: Option<i32>) -> Result<i32> {
    validate::in_range("batch", validate::required("batch", batch)?, 1, 100_000)
}

#[pg_extern(sql = false)]
fn activate_database() -> TimestampWithTimeZone {
    or_raise(maintenance::activate)
}

/// Called by the install script. When it commits, the launcher learns that this database has the extension. If there is
/// no launcher, the one who installs learns that.
#[pg_extern(sql = false)]
fn wake_worker() {
    if !registry::available() && backend::is_creating_extension() {
        // While a script runs, the server withholds its notices.
        pgrx::register_xact_callback(pgrx::PgXactCallbackEvent::PreCommit, notice_of_no_launcher);
    }
    wake::wake_at_commit(BEGINNING);
}

fn notice_of_no_launcher() {
    let message = "checkout_sessions is not preloaded, so no background worker expires sessions and announces it";
    ErrorReport::new(PgSqlErrorCode::ERRCODE_SUCCESSFUL_COMPLETION, message, "")
        .set_hint(
            "Add checkout_sessions to shared_preload_libraries in postgresql.conf, and restart the server. Meanwhile call \
             checkout.run_maintenance() once a minute.",
        )
        .report(PgLogLevel::NOTICE);
}

#[pg_extern(sql = false)]
fn library_version() -> &'static str {
    version::LIBRARY
}

#[expect(clippy::type_complexity)]
#[pg_extern(sql = false)]
fn worker_status() -> TableIterator<
    'static,
    (
        name!(state, &'static str),
        name!(launcher_pid, Option<i32>),
        name!(pid, Option<i32>),
        name!(last_sweep_at, Option<TimestampWithTimeZone>),
        name!(next_sweep_at, Option<TimestampWithTimeZone>),
        name!(next_deadline, Option<TimestampWithTimeZone>),
        name!(overdue, Option<i64>),
        name!(oldest_overdue_at, Option<TimestampWithTimeZone>),
        name!(lag, Option<Interval>),
        name!(failures, i32),
        name!(last_error, Option<String>),
        name!(last_error_at, Option<TimestampWithTimeZone>),
    ),
> {
    let row = or_raise(|| {
        let now = datum::now();
        let status = registry::status();
        // A caller who asks for the state of the worker must not wait for a lock that the worker may be waiting for.
        let overdue = if locks::open_sessions_can_be_read() { overdue(now)? } else { Overdue::default() };
        let state = match &status {
            _ if backend::in_recovery() => "standby",
            _ if !activation::is_active()? => "inactive",
            status if !status.preloaded => "not preloaded",
            status if !gucs::WORKER_ENABLED.get() || status.disabled => "disabled",
            status if status.launcher_pid.is_none() => "no launcher",
            status if status.rest == Rest::ReadOnly => "read only",
            status if status.pid.is_some() => "working",
            status if status.waiting => "no worker slot",
            status if status.failing => "failing",
            status if status.starting => "starting",
            _ => "sleeping",
        };
        Ok((
            state,
            status.launcher_pid,
            status.pid,
            status.last_sweep_at.map(datum::timestamp),
            status.next_sweep_at.map(datum::timestamp),
            overdue.next_deadline,
            overdue.count,
            overdue.oldest_at,
            overdue.lag,
            status.failures,
            status.last_error,
            status.last_error_at.map(datum::timestamp),
        ))
    });
    TableIterator::once(row)
}

/// For fan-out: called by a statement that has written deliveries.
#[pg_extern(sql = false)]
fn deliveries_due() {
    wake::tell_relays_at_commit();
}
