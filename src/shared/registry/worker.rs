//! The functions of a database's worker on the registry.

#![expect(unsafe_code, reason = "reads this process's latch and id")]

use chrono::TimeDelta;
use pgrx::pg_sys;

use super::{FIRST_RETRY, NEVER, REGISTRY, Rest, UNUSED, now, set_latch, span};

/// Returns false if another worker is at work on the database already.
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
    database.asked = false;
    // SAFETY: the process's own latch.
    unsafe {
        database.pid = pg_sys::MyProcPid;
        database.latch = pg_sys::MyLatch;
    }
    true
}

/// Notes that the worker of a database ends; `failed` if its work was not done.
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

/// When a worker next has known work.
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

/// Returns true if relays must be told now. Deliveries noted from here on are told after `pause`.
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

/// Notes that relays could not be told, and must be told after `pause`.
pub fn tell_after(oid: pg_sys::Oid, pause: TimeDelta) {
    let at = now() + span(pause);
    if let Some(database) = REGISTRY.exclusive().find_mut(oid) {
        database.tell_at = at;
        database.tell_not_before = at;
    }
}

/// A worker is about to look for due work. Until it says when it will look again, all new work counts as news. Returns
/// since when work may be due that the worker does not know of.
pub fn begin_sweep(oid: pg_sys::Oid) -> i64 {
    let mut registry = REGISTRY.exclusive();
    let Some(database) = registry.find_mut(oid) else {
        return NEVER;
    };
    database.wake_at = NEVER;
    database.asked = false;
    std::mem::replace(&mut database.news, NEVER)
}

/// A worker has looked. `next` is when to look again, unless earlier work was noted meanwhile.
pub fn end_sweep(oid: pg_sys::Oid, next: i64, purged: bool) {
    let now = now();
    let mut registry = REGISTRY.exclusive();
    let Some(database) = registry.find_mut(oid) else {
        return;
    };
    database.failures = 0;
    database.not_before = 0;
    database.rest = Rest::No;
    database.last_sweep_at = now;
    if purged {
        database.last_purge_at = now;
    }
    database.wake_at = database.wake_at.min(next);
}

/// Puts off the next look at the database until `pause` is over, because another process holds a lock.
pub fn postpone(oid: pg_sys::Oid, pause: TimeDelta) {
    let at = now() + span(pause);
    if let Some(database) = REGISTRY.exclusive().find_mut(oid) {
        database.wake_at = database.wake_at.min(at);
        database.not_before = at;
    }
}

/// Notes that the worker has to do nothing. It looks again after `pause`. In a read-only database it does so earlier, but
/// not at once, if there is news; otherwise only if it is asked to, because sessions may be created all the time.
pub fn rest(oid: pg_sys::Oid, why: Rest, pause: TimeDelta) {
    let now = now();
    if let Some(database) = REGISTRY.exclusive().find_mut(oid) {
        let again = now + span(pause);
        database.rest = why;
        database.wake_at = database.wake_at.min(again);
        database.not_before = match why {
            Rest::ReadOnly => now + span(FIRST_RETRY),
            _ if database.asked => 0,
            _ => again,
        };
        if why == Rest::Inactive {
            database.tell_at = NEVER;
        }
    }
}

/// The extension is not in the database. Forgets the database, unless work was noted since the sweep began.
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

/// Notes an error. Returns true if it differs from the last one.
pub fn note_error(oid: pg_sys::Oid, message: &str) -> bool {
    let now = now();
    REGISTRY.exclusive().find_mut(oid).is_some_and(|database| database.note_error(message, now))
}
