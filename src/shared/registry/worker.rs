//! The registry, for the worker of a database.

#![expect(unsafe_code, reason = "reads this process's latch and id")]

use chrono::TimeDelta;
use pgrx::pg_sys;

use super::{FIRST_RETRY, NEVER, REGISTRY, UNUSED, now, set_latch, span};

/// False when another worker is at work on the database already.
pub fn attach_worker(oid: pg_sys::Oid) -> bool {
    let mut registry = REGISTRY.exclusive();
    let Some(database) = registry.entry(oid) else {
        return false;
    };
    if database.pid != 0 {
        return false;
    }
    database.starting_since = 0;
    database.waiting = false;
    // SAFETY: this process's own.
    unsafe {
        database.pid = pg_sys::MyProcPid;
        database.latch = pg_sys::MyLatch;
    }
    true
}

/// The worker of a database ends; `failed` when it was not done.
pub fn detach_worker(oid: pg_sys::Oid, failed: bool) {
    let now = now();
    let mut registry = REGISTRY.exclusive();
    let launcher = registry.launcher_latch;
    if let Some(database) = registry.find_mut(oid) {
        database.pid = 0;
        database.latch = std::ptr::null_mut();
        if failed {
            database.fail(now);
        }
    }
    drop(registry);
    set_latch(launcher);
}

/// When a worker has next something to do, both of it known.
pub struct Next {
    pub sweep_at: i64,
    pub tell_at: i64,
}

pub fn next(oid: pg_sys::Oid) -> Next {
    REGISTRY.share().find(oid).map_or(Next { sweep_at: NEVER, tell_at: NEVER }, |database| Next {
        sweep_at: database.wake_at.max(database.not_before),
        tell_at: database.tell_at,
    })
}

/// Whether relays are to be told now. What is said from here on is news, and is told after `pause`.
pub fn take_deliveries_due(oid: pg_sys::Oid, pause: TimeDelta) -> bool {
    let now = now();
    if REGISTRY.share().find(oid).is_none_or(|database| database.tell_at > now) {
        return false;
    }
    if let Some(database) = REGISTRY.exclusive().find_mut(oid) {
        database.tell_at = NEVER;
        database.tell_not_before = now + span(pause);
    }
    true
}

/// Relays could not be told, and are to be after `pause`.
pub fn tell_after(oid: pg_sys::Oid, pause: TimeDelta) {
    let at = now() + span(pause);
    if let Some(database) = REGISTRY.exclusive().find_mut(oid) {
        database.tell_at = at;
        database.tell_not_before = at;
    }
}

/// A worker is about to look what is due: until it says when it will look again, everything that is new is news. Returns
/// since when something may be due that is news to the worker.
pub fn begin_sweep(oid: pg_sys::Oid) -> i64 {
    let mut registry = REGISTRY.exclusive();
    let Some(database) = registry.find_mut(oid) else {
        return NEVER;
    };
    database.wake_at = NEVER;
    std::mem::replace(&mut database.news, NEVER)
}

/// A worker has looked; `next` is when to look again, unless something sooner was said meanwhile.
pub fn end_sweep(oid: pg_sys::Oid, next: i64, purged: bool) {
    let now = now();
    let mut registry = REGISTRY.exclusive();
    let Some(database) = registry.find_mut(oid) else {
        return;
    };
    database.failures = 0;
    database.not_before = 0;
    database.read_only = false;
    database.last_sweep_at = now;
    if purged {
        database.last_purge_at = now;
    }
    database.wake_at = database.wake_at.min(next);
}

/// The database cannot be looked at until `pause` is over: somebody holds a lock.
pub fn postpone(oid: pg_sys::Oid, pause: TimeDelta) {
    let at = now() + span(pause);
    if let Some(database) = REGISTRY.exclusive().find_mut(oid) {
        database.wake_at = database.wake_at.min(at);
        database.not_before = at;
    }
}

/// The database is not to be written to. Looked at again after `pause`, or, if not at once, when there is news.
pub fn read_only(oid: pg_sys::Oid, pause: TimeDelta) {
    let now = now();
    if let Some(database) = REGISTRY.exclusive().find_mut(oid) {
        database.read_only = true;
        database.wake_at = database.wake_at.min(now + span(pause));
        database.not_before = now + span(FIRST_RETRY);
    }
}

/// The extension is not in the database. Forgets it, unless somebody said otherwise since the sweep began.
pub fn forget(oid: pg_sys::Oid) {
    if let Some(database) = REGISTRY.exclusive().find_mut(oid)
        && database.wake_at == NEVER
    {
        *database = UNUSED;
    }
}

pub fn last_purge_at(oid: pg_sys::Oid) -> i64 {
    REGISTRY.share().find(oid).map_or(0, |database| database.last_purge_at)
}

/// Whether it is another error than the last.
pub fn note_error(oid: pg_sys::Oid, message: &str) -> bool {
    let now = now();
    REGISTRY.exclusive().find_mut(oid).is_some_and(|database| database.note_error(message, now))
}
