//! The worker of one database: expires what is due, and exits when nothing is due soon.

#![expect(unsafe_code, reason = "is a process of the server")]

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use pgrx::bgworkers::BackgroundWorker;
use pgrx::prelude::*;
use pgrx::{IntoDatum, direct_function_call_as_datum, pg_sys};
use rules::Result;
use rules::maintenance::turns::Turns;

use super::due::{Due, LOCKED_RETRY};
use super::process;
use crate::operations::maintenance::{self, Purge, retention};
use crate::role::as_worker_role;
use crate::shared::failure;
use crate::shared::registry::{self, span};
use crate::store::locks::{self, Locked};
use crate::store::maintenance::{Work, is_to_be_read_only, next_purge};
use crate::{datum, gucs, report};

/// The channel that relays listen to.
const CHANNEL: &str = "checkout_sessions_webhooks";
/// A worker stays for what is due within this time. DROP DATABASE waits for up to five seconds.
const STAY: TimeDelta = TimeDelta::seconds(2);
/// When to come back to a database that somebody drops, renames or copies.
const CLAIMED_RETRY: TimeDelta = TimeDelta::seconds(6);
/// When to look whether a database is to be written to again that was not, unless somebody has something done before.
const READ_ONLY_RETRY: TimeDelta = TimeDelta::minutes(1);
/// How often to look whether a database is still to be written to. A session does not learn of it by itself.
const READ_ONLY_LOOK_EVERY: TimeDelta = TimeDelta::seconds(10);
/// Purging waits until there is this much time's worth of it.
const PURGE_EVERY: TimeDelta = TimeDelta::minutes(10);

/// Relays are told so often at most.
const TELL_EVERY: TimeDelta = TimeDelta::milliseconds(10);
/// When to tell relays again where that has failed. They look on their own meanwhile.
const TELL_RETRY: TimeDelta = TimeDelta::seconds(10);
/// What says that somebody was in the way, or wanted it to stop: no fault, and no reason to come later each time.
const BUSY: [PgSqlErrorCode; 4] = [
    PgSqlErrorCode::ERRCODE_LOCK_NOT_AVAILABLE,
    PgSqlErrorCode::ERRCODE_T_R_DEADLOCK_DETECTED,
    PgSqlErrorCode::ERRCODE_T_R_SERIALIZATION_FAILURE,
    PgSqlErrorCode::ERRCODE_QUERY_CANCELED,
];

/// Whether the worker ends because it is done.
static DONE: AtomicBool = AtomicBool::new(false);

enum Sweep {
    /// The extension is not in this database.
    Absent,
    /// Somebody drops, renames or copies the database.
    Claimed,
    /// Somebody holds a lock that stands in the way.
    Busy,
    /// The database is not to be written to, as where a disk is full.
    ReadOnly,
    /// A session that begins now would have other settings.
    Outdated,
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
    process::start();
    serve(pg_sys::Oid::from(argument.value() as u32), false);
}

/// Connects to a database, unless another worker is there, and does what is due in it. `stays`: even while nothing is.
pub fn serve(database: pg_sys::Oid, stays: bool) {
    if !registry::attach_worker(database) {
        return;
    }
    failure::works_in(database);
    // SAFETY: the callback has the right signature.
    unsafe { pg_sys::before_shmem_exit(Some(at_exit), pg_sys::Datum::from(database)) };
    BackgroundWorker::connect_worker_to_spi_by_oid(Some(database), None);
    failure::connected();
    process::set(c"application_name", c"checkout_sessions worker");
    process::set(c"search_path", c"pg_catalog, pg_temp");
    process::set(c"lock_timeout", c"2s");
    // Whatever the database's own defaults are.
    process::set(c"default_transaction_isolation", c"read committed");
    process::set(c"row_security", c"on");

    work(database, stays);
    DONE.store(true, Ordering::Relaxed);
}

/// Until nothing is due soon, or somebody else is to look after the database.
fn work(database: pg_sys::Oid, stays: bool) {
    let (mut looked, mut stay_until, mut sweeps) = (false, 0, Sweeps::new());
    while gucs::WORKER_ENABLED.get() && registry::is_resident(database) == stays {
        process::reload();
        pgrx::check_for_interrupts!();
        let goes_on = if registry::take_deliveries_due(database, TELL_EVERY) {
            stay_until = registry::now() + span(STAY);
            tell_relays(database)
        } else if !looked || registry::next(database).sweep_at <= registry::now() {
            looked = true;
            sweep(database, &mut sweeps)
        } else {
            let (now, next) = (registry::now(), registry::next(database));
            let next_at = next.sweep_at.min(next.tell_at);
            let until = match next_at > now + span(STAY) {
                true if stays => now + span(STAY),
                true => stay_until,
                false => next_at,
            };
            if until > now {
                process::report_activity(pg_sys::BackendState::STATE_IDLE, c"waiting for the next deadline");
                process::sleep_until(until, Duration::from_secs(60));
            }
            let claimed = stays && !locks::database_is_free(database);
            if claimed {
                registry::postpone(database, CLAIMED_RETRY);
            }
            !claimed && (until > now || next_at <= now)
        };
        if !goes_on {
            return;
        }
    }
}

/// Tells relays that deliveries are due, in a transaction of its own: nothing else suffers where that fails. Whether the
/// worker can stay.
fn tell_relays(database: pg_sys::Oid) -> bool {
    let told = process::transaction(|| {
        let free = locks::database_is_free(database) && !process::is_read_only();
        if free {
            process::do_not_wait_for_this_commit();
            // SAFETY: within a transaction; two texts.
            unsafe { direct_function_call_as_datum(pg_sys::pg_notify, &[CHANNEL.into_datum(), "".into_datum()]) };
        }
        free
    });
    match told {
        Ok(true) => true,
        Ok(false) => {
            registry::tell_after(database, CLAIMED_RETRY);
            registry::postpone(database, CLAIMED_RETRY);
            false
        }
        Err(error) => {
            let message = format!("could not notify relays: {}", process::report(&error).message());
            registry::tell_after(database, TELL_RETRY);
            if registry::note_error(database, &message) {
                pgrx::log!("{message}");
            }
            true
        }
    }
}

/// Does what is due, as much as goes into a transaction. Whether the worker can stay.
fn sweep(database: pg_sys::Oid, sweeps: &mut Sweeps) -> bool {
    let news = registry::begin_sweep(database);
    let news = (news != registry::NEVER).then(|| datum::from_micros(news));
    process::report_activity(pg_sys::BackendState::STATE_RUNNING, c"expiring checkout sessions");
    let now = registry::now();
    let mut sweep = in_transaction(database, || sweeps.expire(database, news));
    if matches!(sweep, Sweep::Busy) {
        // What it has noted has not been done.
        *sweeps = Sweeps::new();
    }
    if matches!(sweep, Sweep::PurgeDue) {
        // Apart, so that nobody waits for it who pays a session that was about to expire.
        sweep = in_transaction(database, purge);
        if matches!(sweep, Sweep::Busy) {
            // It can wait until the next time, and sessions cannot.
            sweep = Sweep::Purged;
        }
    }
    match sweep {
        Sweep::Absent => registry::forget(database),
        Sweep::Claimed => registry::postpone(database, CLAIMED_RETRY),
        Sweep::Busy => registry::postpone(database, LOCKED_RETRY),
        Sweep::ReadOnly => registry::read_only(database, READ_ONLY_RETRY),
        Sweep::Outdated => registry::wake(database, now),
        Sweep::More | Sweep::PurgeDue => registry::end_sweep(database, now, false),
        // Sessions may have come due meanwhile.
        Sweep::Purged => registry::end_sweep(database, now, true),
        Sweep::Until(next) => registry::end_sweep(database, next, false),
    }
    !matches!(sweep, Sweep::Absent | Sweep::Claimed | Sweep::ReadOnly | Sweep::Outdated)
}

#[pg_guard]
unsafe extern "C-unwind" fn at_exit(_code: std::ffi::c_int, argument: pg_sys::Datum) {
    registry::detach_worker(pg_sys::Oid::from(argument.value() as u32), !DONE.load(Ordering::Relaxed));
}

/// One transaction's worth of work. An error, of the commit too, is noted for `worker_status()`. Unless it says that somebody
/// was in the way, it ends the process: the launcher starts another, later each time.
fn in_transaction(database: pg_sys::Oid, work: impl FnOnce() -> Result<Sweep>) -> Sweep {
    process::transaction(|| report::or_raise(if_free(database, work))).unwrap_or_else(|error| {
        let report = process::report(&error);
        registry::note_error(database, report.message());
        if BUSY.contains(&report.sql_error_code()) { Sweep::Busy } else { error.rethrow() }
    })
}

fn if_free(database: pg_sys::Oid, work: impl FnOnce() -> Result<Sweep>) -> Result<Sweep> {
    if !locks::database_is_free(database) {
        return Ok(Sweep::Claimed);
    }
    if process::is_read_only() {
        return Ok(Sweep::ReadOnly);
    }
    match locks::lock_extension() {
        Locked::Absent => Ok(Sweep::Absent),
        Locked::Busy => Ok(Sweep::Busy),
        Locked::Yes => as_worker_role(work),
    }
}

/// How many rows are as many as may be changed at once.
fn full() -> usize {
    usize::try_from(gucs::WORKER_BATCH_SIZE.get()).unwrap_or(1)
}

/// What is due: deadlines and reminders.
struct Sweeps([Due; 2]);

impl Sweeps {
    fn new() -> Self {
        Self([Work::Expire, Work::Remind].map(|work| Due::new(work, Turns::default())))
    }

    fn expire(&mut self, database: pg_sys::Oid, news: Option<DateTime<Utc>>) -> Result<Sweep> {
        let now = datum::now();
        if is_outdated(now)? {
            return Ok(Sweep::Outdated);
        }
        for due in &mut self.0 {
            due.sweep(news, full(), now)?;
        }
        let [Some(deadline), Some(reminder)] = self.0.each_ref().map(Due::next) else {
            return Ok(Sweep::More);
        };
        maintenance::write_uses()?;
        let purged_at = datum::from_micros(registry::last_purge_at(database));
        if purged_at + PURGE_EVERY <= now {
            return Ok(Sweep::PurgeDue);
        }
        let purge = next_purge(retention())?.map(|purge| purge.max(purged_at + PURGE_EVERY));
        let next = deadline.min(reminder).min(purge.unwrap_or(DateTime::<Utc>::MAX_UTC));
        Ok(Sweep::Until(if next == DateTime::<Utc>::MAX_UTC { registry::NEVER } else { datum::micros(next) }))
    }
}

/// When this process has last looked whether the database is still to be written to. At first its session had just begun.
static READ_ONLY_LOOK: AtomicI64 = AtomicI64::new(0);

/// Whether the database has been set to read only since the session began.
fn is_outdated(now: DateTime<Utc>) -> Result<bool> {
    let now = datum::micros(now);
    let looked_at = READ_ONLY_LOOK.load(Ordering::Relaxed);
    if now < looked_at + span(READ_ONLY_LOOK_EVERY) {
        return Ok(false);
    }
    READ_ONLY_LOOK.store(now, Ordering::Relaxed);
    Ok(looked_at != 0 && is_to_be_read_only()?)
}

/// How far this process has come. Where it ends before it is through, the next begins anew.
static PURGE: Mutex<Purge> = Mutex::new(Purge::new());

fn purge() -> Result<Sweep> {
    let (batch, now) = (gucs::WORKER_BATCH_SIZE.get(), datum::now());
    let mut purge = PURGE.lock().unwrap_or_else(PoisonError::into_inner);
    let (_, more) = purge.old(batch, now)?;
    if more || purge.delivered(batch, now)?.1 { Ok(Sweep::More) } else { Ok(Sweep::Purged) }
}
