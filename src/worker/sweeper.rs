//! The worker of one database: expires what is due, and exits when nothing is due soon.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use pgrx::bgworkers::BackgroundWorker;
use pgrx::pg_sys;
use pgrx::pg_sys::panic::CaughtError;
use pgrx::prelude::*;

use super::{process, registry, uses};
use crate::domain::Result;
use crate::role::as_worker_role;
use crate::store::maintenance;
use crate::store::purge::{self, Place};
use crate::{datum, gucs, report};

/// A worker stays for what is due within this time. DROP DATABASE waits for up to five seconds.
const STAY: TimeDelta = TimeDelta::seconds(2);
/// When to try rows again that somebody has locked.
const LOCKED_RETRY: TimeDelta = TimeDelta::seconds(1);
/// When to come back to a database that somebody drops, renames or copies.
const CLAIMED_RETRY: TimeDelta = TimeDelta::seconds(6);
/// Purging waits until there is this much time's worth of it.
const PURGE_EVERY: TimeDelta = TimeDelta::minutes(10);

/// Whether the worker ends because it is done.
static DONE: AtomicBool = AtomicBool::new(false);

enum Sweep {
    /// The extension is not in this database.
    Absent,
    /// Somebody holds a lock that stands in the way.
    Claimed(TimeDelta),
    /// More may be due than was done.
    More,
    /// Nothing more is due, and it is time to purge.
    PurgeDue,
    Purged,
    /// Nothing is due before this time.
    Until(i64),
}

#[pg_guard]
#[unsafe(no_mangle)]
pub extern "C-unwind" fn checkout_sessions_worker_main(argument: pg_sys::Datum) {
    let database = pg_sys::Oid::from(argument.value() as u32);
    process::start();
    if !registry::attach_worker(database) {
        return;
    }
    // SAFETY: the callback has the right signature.
    unsafe { pg_sys::before_shmem_exit(Some(at_exit), argument) };
    BackgroundWorker::connect_worker_to_spi_by_oid(Some(database), None);
    process::set(c"application_name", c"checkout_sessions worker");
    process::set(c"search_path", c"pg_catalog, pg_temp");
    process::set(c"lock_timeout", c"2s");
    // Whatever the database's own defaults are.
    process::set(c"default_transaction_isolation", c"read committed");
    process::set(c"default_transaction_read_only", c"off");
    process::set(c"row_security", c"on");

    while gucs::WORKER_ENABLED.get() {
        process::reload();
        pgrx::check_for_interrupts!();
        registry::begin_sweep(database);
        process::report_activity(pg_sys::BackendState::STATE_RUNNING, c"expiring checkout sessions");
        let now = registry::now();
        let after = |span: TimeDelta| now + span.num_microseconds().unwrap_or(0);
        let mut sweep = in_transaction(database, expire);
        if matches!(sweep, Sweep::PurgeDue) {
            // Apart, so that nobody waits for it who pays a session that was about to expire.
            sweep = in_transaction(database, purge);
        }
        match sweep {
            Sweep::Absent => {
                registry::forget(database);
                break;
            }
            Sweep::Claimed(pause) => {
                registry::postpone(database, after(pause));
                break;
            }
            Sweep::More | Sweep::PurgeDue => {
                registry::end_sweep(database, now, false);
            }
            // Sessions may have come due meanwhile.
            Sweep::Purged => {
                registry::end_sweep(database, now, true);
            }
            Sweep::Until(next) => {
                let next = registry::end_sweep(database, next, false);
                if next > after(STAY) {
                    break;
                }
                process::report_activity(pg_sys::BackendState::STATE_IDLE, c"waiting for the next deadline");
                process::sleep_until(next, Duration::from_secs(60));
            }
        }
    }
    DONE.store(true, Ordering::Relaxed);
}

#[pg_guard]
unsafe extern "C-unwind" fn at_exit(_code: std::ffi::c_int, argument: pg_sys::Datum) {
    registry::detach_worker(pg_sys::Oid::from(argument.value() as u32), !DONE.load(Ordering::Relaxed));
}

/// One transaction's worth of work. An error is noted for `worker_status()`, and ends the process: the launcher starts
/// another, later each time.
fn in_transaction(database: pg_sys::Oid, work: fn(pg_sys::Oid) -> Result<Sweep>) -> Sweep {
    let swept = BackgroundWorker::transaction(move || {
        PgTryBuilder::new(move || report::or_raise(if_free(database, work)))
            .catch_others(move |error| {
                let (CaughtError::PostgresError(report)
                | CaughtError::ErrorReport(report)
                | CaughtError::RustPanic { ereport: report, .. }) = &error;
                registry::note_error(database, report.message());
                error.rethrow()
            })
            .execute()
    });
    // SAFETY: outside of a transaction. Without it autovacuum would never learn what the worker changed.
    unsafe { pg_sys::pgstat_report_stat(true) };
    swept
}

fn if_free(database: pg_sys::Oid, work: fn(pg_sys::Oid) -> Result<Sweep>) -> Result<Sweep> {
    if !database_is_free(database) {
        return Ok(Sweep::Claimed(CLAIMED_RETRY));
    }
    match lock_extension() {
        Locked::Absent => Ok(Sweep::Absent),
        Locked::Busy => Ok(Sweep::Claimed(LOCKED_RETRY)),
        Locked::Yes => as_worker_role(|| work(database)),
    }
}

/// How many rows are as many as may be changed at once.
fn full() -> usize {
    usize::try_from(gucs::WORKER_BATCH_SIZE.get()).unwrap_or(1)
}

fn expire(database: pg_sys::Oid) -> Result<Sweep> {
    let (batch, now) = (gucs::WORKER_BATCH_SIZE.get(), datum::now());
    let expired = maintenance::expire_due(batch, now)?;
    let noticed = maintenance::notice_due(batch, now)?;
    if expired.max(noticed) >= full() {
        return Ok(Sweep::More);
    }
    uses::write_uses()?;
    let purged_at = datum::from_micros(registry::last_purge_at(database));
    if purged_at + PURGE_EVERY <= now { Ok(Sweep::PurgeDue) } else { until_next(purged_at, now) }
}

/// How far this process has come with the events that went to endpoints. Where it ends before it is through, the next begins
/// anew.
static PURGED_TO: Mutex<Place> = Mutex::new(Place::FIRST);

fn purge(_: pg_sys::Oid) -> Result<Sweep> {
    let (batch, now) = (gucs::WORKER_BATCH_SIZE.get(), datum::now());
    if purge::purge(batch, retention(), now)? >= full() {
        return Ok(Sweep::More);
    }
    let mut place = PURGED_TO.lock().unwrap_or_else(PoisonError::into_inner);
    match purge::purge_fanned_out(*place, batch, retention(), now)? {
        Some(next) => {
            *place = next;
            Ok(Sweep::More)
        }
        None => {
            *place = Place::FIRST;
            Ok(Sweep::Purged)
        }
    }
}

/// When there is something to do again. `now` is the time that was swept up to: what has come due since then is due at once.
fn until_next(purged_at: DateTime<Utc>, now: DateTime<Utc>) -> Result<Sweep> {
    let next = maintenance::next_due(retention())?;
    // What is still due is locked by somebody: that row waits, and no other.
    let due = next.session.map(|due| if due <= now { now + LOCKED_RETRY } else { due });
    let purge = next.purge.map(|purge| purge.max(purged_at + PURGE_EVERY));
    Ok(Sweep::Until(due.into_iter().chain(purge).min().map_or(registry::NEVER, datum::micros)))
}

/// How long delivered events are kept; `None` for ever.
pub fn retention() -> Option<TimeDelta> {
    let minutes = gucs::OUTBOX_RETENTION.get();
    (minutes >= 0).then(|| TimeDelta::minutes(minutes.into()))
}

/// Whether nobody is dropping, renaming or copying the database: they hold a lock on it and wait for us to leave.
fn database_is_free(database: pg_sys::Oid) -> bool {
    let tag = pg_sys::LOCKTAG {
        // The lock of a shared object (storage/lock.h, SET_LOCKTAG_OBJECT).
        locktag_field1: 0,
        locktag_field2: pg_sys::DatabaseRelationId.to_u32(),
        locktag_field3: database.to_u32(),
        locktag_field4: 0,
        locktag_type: pg_sys::LockTagType::LOCKTAG_OBJECT as u8,
        locktag_lockmethodid: pg_sys::DEFAULT_LOCKMETHOD as u8,
    };
    // SAFETY: does not wait. Released at once: DROP DATABASE ... WITH (FORCE) would wait for the lock before it ends us.
    unsafe {
        let mode = pg_sys::RowExclusiveLock as i32;
        let free = pg_sys::LockAcquire(&tag, mode, false, true) != pg_sys::LockAcquireResult::LOCKACQUIRE_NOT_AVAIL;
        if free {
            pg_sys::LockRelease(&tag, mode, false);
        }
        free
    }
}

enum Locked {
    Absent,
    Busy,
    Yes,
}

/// Makes DROP EXTENSION wait for the end of this transaction, or finds that it cannot.
fn lock_extension() -> Locked {
    // SAFETY: look-ups in catalogs and a lock, within a transaction.
    unsafe {
        let exists = || pg_sys::get_extension_oid(c"checkout_sessions".as_ptr(), true) != pg_sys::InvalidOid;
        let table = || {
            let schema = pg_sys::get_namespace_oid(c"checkout_data".as_ptr(), true);
            pg_sys::get_relname_relid(c"checkout_sessions".as_ptr(), schema)
        };
        let oid = table();
        if !exists() || oid == pg_sys::InvalidOid {
            return Locked::Absent;
        }
        if !pg_sys::ConditionalLockRelationOid(oid, pg_sys::RowExclusiveLock as i32) {
            return Locked::Busy;
        }
        // To take the lock is to learn of what was committed before.
        if exists() && table() == oid { Locked::Yes } else { Locked::Absent }
    }
}
