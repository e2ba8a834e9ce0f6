//! The worker of one database: does the due work, and exits when nothing is due soon.

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
use crate::operations::folding::Folding;
use crate::operations::hooks;
use crate::operations::maintenance::{self, Purge, retention};
use crate::operations::retention::Retention;
use crate::role::as_worker_role;
use crate::shared::failure;
use crate::shared::registry::{self, Rest, span};
use crate::store::activation;
use crate::store::locks::{self, Locked};
use crate::store::maintenance::{Work, is_to_be_read_only, next_purge, remove_strays};
use crate::{backend, datum, gucs, report, version};

/// The channel that relays listen to.
const CHANNEL: &str = "checkout_sessions_webhooks";
/// A worker stays if more work is due within this time. DROP DATABASE waits for up to five seconds.
const STAY: TimeDelta = TimeDelta::seconds(2);
/// When to come back to a database that is being dropped, renamed or copied.
const CLAIMED_RETRY: TimeDelta = TimeDelta::seconds(6);
/// When to check whether there still is a reason to do nothing.
const REST: TimeDelta = TimeDelta::minutes(1);
/// How often to check whether the database is to be read only by now, or the worker to be disabled in it. A running session
/// does not learn of a database's changed settings by itself.
const SETTINGS_LOOK_EVERY: TimeDelta = TimeDelta::seconds(10);
/// Purging waits until there is this much time's worth of it.
const PURGE_EVERY: TimeDelta = TimeDelta::minutes(10);

/// How long hooks may be called in one transaction; the last goes on.
const HOOKS_SPAN: TimeDelta = TimeDelta::milliseconds(100);
const HOOKS_REST: TimeDelta = TimeDelta::seconds(1);

/// The shortest time between two notifications of relays.
const TELL_EVERY: TimeDelta = TimeDelta::milliseconds(10);
/// When to tell relays again after a failure. They look on their own meanwhile.
const TELL_RETRY: TimeDelta = TimeDelta::seconds(10);
/// Errors of a statement that was blocked or cancelled: no fault, so the next try need not come later each time.
const BUSY: [PgSqlErrorCode; 4] = [
    PgSqlErrorCode::ERRCODE_LOCK_NOT_AVAILABLE,
    PgSqlErrorCode::ERRCODE_T_R_DEADLOCK_DETECTED,
    PgSqlErrorCode::ERRCODE_T_R_SERIALIZATION_FAILURE,
    PgSqlErrorCode::ERRCODE_QUERY_CANCELED,
];

/// True if the worker ends because its work is done.
static DONE: AtomicBool = AtomicBool::new(false);

enum Sweep {
    /// The extension is not in this database.
    Absent,
    /// Another process is dropping, renaming or copying the database.
    Claimed,
    /// Another transaction holds a lock that blocks the work.
    Busy,
    /// The database must not be written to, for example because a disk is full.
    ReadOnly,
    /// The database has not been activated.
    Inactive,
    /// A session that begins now would have other settings.
    Outdated,
    /// More may be due than was done.
    More,
    /// No more work is due, and it is time to purge.
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

/// Connects to a database, unless another worker is there, and does its due work. With `stays` it stays when nothing is
/// due.
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
    // Independent of the database's own defaults.
    process::set(c"default_transaction_isolation", c"read committed");
    process::set(c"row_security", c"on");
    // Its statements are short, whatever the planner thinks of their ranges.
    process::set(c"jit", c"off");

    work(database, stays);
    DONE.store(true, Ordering::Relaxed);
}

/// Works until nothing is due soon, or until another worker has to look after the database.
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
    process::reload();
    if !gucs::WORKER_ENABLED.get() {
        registry::rest(database, Rest::Disabled, REST);
    }
}

/// Tells relays that deliveries are due, in a transaction of its own, so that a failure affects nothing else. Returns
/// true if the worker can stay.
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

/// Does as much due work as fits into a transaction. Returns true if the worker can stay.
fn sweep(database: pg_sys::Oid, sweeps: &mut Sweeps) -> bool {
    let news = registry::begin_sweep(database);
    let news = (news != registry::NEVER).then(|| datum::from_micros(news));
    process::report_activity(pg_sys::BackendState::STATE_RUNNING, c"expiring checkout sessions");
    let (now, transaction_id) = (registry::now(), backend::next_transaction_id());
    let mut sweep = in_transaction(database, || sweeps.expire(database, news));
    if matches!(sweep, Sweep::Busy) {
        // The work that it has noted has not been done.
        *sweeps = Sweeps::new();
    }
    if sweeps.may_call_hooks(&sweep) {
        // In a transaction of its own: others do not wait for the hooks of an organization.
        match in_transaction(database, call_hooks) {
            Sweep::Until(_) => {}
            // What else is due does not wait for a hook that was interrupted.
            Sweep::Busy if matches!(sweep, Sweep::PurgeDue) => {}
            other => sweep = other,
        }
    }
    if matches!(sweep, Sweep::PurgeDue) {
        // In a transaction of its own, so that payments of sessions that are about to expire do not wait for it.
        sweep = in_transaction(database, clean_up);
        if matches!(sweep, Sweep::Busy) {
            // This work can wait until the next time; sessions cannot.
            sweep = Sweep::Purged;
        }
    }
    match sweep {
        Sweep::Absent => registry::forget(database),
        Sweep::Claimed => registry::postpone(database, CLAIMED_RETRY),
        Sweep::Busy => registry::postpone(database, LOCKED_RETRY),
        Sweep::ReadOnly => registry::rest(database, Rest::ReadOnly, REST),
        Sweep::Inactive => registry::rest(database, Rest::Inactive, REST),
        Sweep::Outdated => registry::wake(database, now),
        Sweep::More => registry::end_sweep(database, registry::now() + rest(now, transaction_id), None),
        Sweep::PurgeDue => registry::end_sweep(database, now, None),
        // Meanwhile more sessions may have come due.
        Sweep::Purged => registry::end_sweep(database, now, Some(PURGE_EVERY)),
        Sweep::Until(next) => registry::end_sweep(database, next, None),
    }
    !matches!(sweep, Sweep::Absent | Sweep::Claimed | Sweep::ReadOnly | Sweep::Inactive | Sweep::Outdated)
}

/// How long to rest after a batch that began at this time, before the next: others who write wait for the same disk and
/// the same log. The batch itself was one transaction.
fn rest(began_at: i64, transaction_id: u64) -> i64 {
    let others_write = backend::next_transaction_id() > transaction_id + 1;
    let share = i64::from(gucs::WORKER_SHARE.get());
    if others_write { (registry::now() - began_at) * (100 - share) / share } else { 0 }
}

#[pg_guard]
unsafe extern "C-unwind" fn at_exit(_code: std::ffi::c_int, argument: pg_sys::Datum) {
    registry::detach_worker(pg_sys::Oid::from(argument.value() as u32), !DONE.load(Ordering::Relaxed));
}

/// Does one transaction's worth of work. An error, also one of the commit, is noted for `worker_status()`. Unless the
/// work was only blocked, the error ends the process: the launcher starts another, later each time.
fn in_transaction(database: pg_sys::Oid, work: impl FnOnce() -> Result<Sweep>) -> Sweep {
    process::transaction(|| report::or_raise(|| if_free(database, work))).unwrap_or_else(|error| {
        let reported = process::report(&error);
        let message = reported.message();
        let message =
            version::difference().map_or_else(|| message.to_owned(), |versions| format!("{message}; {versions}"));
        registry::note_error(database, &message);
        let code = reported.sql_error_code();
        let is_mended = || {
            let mended = process::transaction(|| report::or_raise(|| if_free(database, remove_what_blocks)));
            mended.is_ok_and(|sweep| matches!(sweep, Sweep::More))
        };
        if BUSY.contains(&code) || code == PgSqlErrorCode::ERRCODE_UNIQUE_VIOLATION && is_mended() {
            Sweep::Busy
        } else {
            error.rethrow()
        }
    })
}

/// Removes rows whose event is there already, if they are what keeps others from theirs.
fn remove_what_blocks() -> Result<Sweep> {
    Ok(if remove_strays(datum::now())? > 0 { Sweep::More } else { Sweep::Purged })
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
        Locked::Yes => as_worker_role(|| if activation::is_active()? { work() } else { Ok(Sweep::Inactive) }),
    }
}

/// The number of rows at which a batch is full.
fn full() -> usize {
    usize::try_from(gucs::WORKER_BATCH_SIZE.get()).unwrap_or(1)
}

/// Ends sessions whose organizations have hooks for that.
fn call_hooks() -> Result<Sweep> {
    let ended = hooks::end_due(full(), Some(HOOKS_SPAN), datum::now())?;
    Ok(if ended > 0 { Sweep::More } else { Sweep::Until(registry::NEVER) })
}

/// The due work: deadlines, reminders and the events of subscriptions.
struct Sweeps {
    due: [Due; 3],
    /// When hooks were called last.
    hooks_at: i64,
}

impl Sweeps {
    fn new() -> Self {
        let due = [Work::Expire, Work::Remind, Work::Announce].map(|work| Due::new(work, Turns::default()));
        Self { due, hooks_at: 0 }
    }

    /// Between the batches of a great sweep hooks have a turn each second: finding their sessions means reading past the
    /// others.
    fn may_call_hooks(&mut self, sweep: &Sweep) -> bool {
        let (now, rested) = (registry::now(), registry::now() >= self.hooks_at + span(HOOKS_REST));
        let may = match sweep {
            Sweep::More => rested,
            Sweep::PurgeDue | Sweep::Until(_) => true,
            _ => false,
        };
        if may {
            self.hooks_at = now;
        }
        may
    }

    fn expire(&mut self, database: pg_sys::Oid, news: Option<DateTime<Utc>>) -> Result<Sweep> {
        let now = datum::now();
        if is_outdated(now)? {
            return Ok(Sweep::Outdated);
        }
        for due in &mut self.due {
            due.sweep(news, full(), now)?;
        }
        let [Some(deadline), Some(reminder), Some(subscription)] = self.due.each_ref().map(Due::next) else {
            return Ok(Sweep::More);
        };
        maintenance::write_notes(now)?;
        let purge_at = datum::from_micros(registry::purge_at(database));
        if purge_at <= now {
            return Ok(Sweep::PurgeDue);
        }
        let purge = next_purge(retention())?.map(|purge| purge.max(purge_at));
        let next = deadline.min(reminder).min(subscription).min(purge.unwrap_or(DateTime::<Utc>::MAX_UTC));
        Ok(Sweep::Until(if next == DateTime::<Utc>::MAX_UTC { registry::NEVER } else { datum::micros(next) }))
    }
}

/// When this process last looked at the settings of the database. At first its session had just begun.
static SETTINGS_LOOK: AtomicI64 = AtomicI64::new(0);

/// Returns true if the database has been set to read only, or the worker disabled in it, since the session began.
fn is_outdated(now: DateTime<Utc>) -> Result<bool> {
    let now = datum::micros(now);
    let looked_at = SETTINGS_LOOK.load(Ordering::Relaxed);
    if now < looked_at + span(SETTINGS_LOOK_EVERY) {
        return Ok(false);
    }
    SETTINGS_LOOK.store(now, Ordering::Relaxed);
    Ok(looked_at != 0 && (is_to_be_read_only()? || activation::worker_is_disabled()?))
}

/// The longest time, but for its last statement, that a transaction counts or removes sessions.
const WORK_FOR: Duration = Duration::from_millis(40);

/// How far this process has come with purging. If it ends before it is done, the next process begins anew.
static PURGE: Mutex<Purge> = Mutex::new(Purge::new());

/// Once all is purged, the same is done with counting.
static FOLDING: Mutex<Folding> = Mutex::new(Folding::done());

/// Once all is counted, the same is done with removing what has ended long ago.
static RETENTION: Mutex<Retention> = Mutex::new(Retention::done());

fn clean_up() -> Result<Sweep> {
    let mut folding = FOLDING.lock().unwrap_or_else(PoisonError::into_inner);
    let mut retention = RETENTION.lock().unwrap_or_else(PoisonError::into_inner);
    if folding.more() {
        folding.step(full(), WORK_FOR, datum::now())?;
    } else if retention.more() {
        retention.step(full(), WORK_FOR, datum::now())?;
    } else {
        if !purge()? {
            return Ok(Sweep::More);
        }
        (*folding, *retention) = (Folding::new(), Retention::new());
        folding.step(full(), WORK_FOR, datum::now())?;
    }
    if folding.more() || retention.more() { Ok(Sweep::More) } else { Ok(Sweep::Purged) }
}

/// Returns true if all is purged.
fn purge() -> Result<bool> {
    let (batch, now) = (gucs::WORKER_BATCH_SIZE.get(), datum::now());
    let mut purge = PURGE.lock().unwrap_or_else(PoisonError::into_inner);
    let (_, more) = purge.old(batch, now)?;
    Ok(!more && !purge.events(batch, now)?.1)
}
