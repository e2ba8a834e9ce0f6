//! The functions of a database's worker on the registry.

#![expect(unsafe_code, reason = "reads this process's latch and id")]

use chrono::TimeDelta;
use pgrx::pg_sys;

use super::{FIRST_RETRY, NEVER, Pause, REGISTRY, Rest, UNUSED, now, set_latch, span};

/// Returns false if another worker is at work on the database already.
pub fn attach_worker(oid: pg_sys::Oid) -> bool {
    let mut registry = REGISTRY.exclusive();
    let Some(database) = registry.entry(oid) else {
        return false;
    };
    if database.pid != 0 {
        return false;
    }
    database.starting = None;
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
    let mut registry = REGISTRY.exclusive();
    let launcher = registry.launcher_latch;
    if let Some(database) = registry.find_mut(oid) {
        database.pid = 0;
        database.latch = std::ptr::null_mut();
        if failed {
            database.fail();
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
    let registry = REGISTRY.share();
    let now = now();
    registry.find(oid).map_or(Next { sweep_at: NEVER, tell_at: NEVER }, |database| Next {
        sweep_at: database.sweep_at(now),
        tell_at: database.tell_at(now),
    })
}

/// Returns true if relays must be told now. Deliveries noted from here on are told after `pause`.
pub fn take_deliveries_due(oid: pg_sys::Oid, pause: TimeDelta) -> bool {
    let now = now();
    if REGISTRY.share().find(oid).is_none_or(|database| database.tell_at(now) > now) {
        return false;
    }
    if let Some(database) = REGISTRY.exclusive().find_mut(oid) {
        database.to_tell = false;
        database.tell_pause = Pause::of(pause);
    }
    true
}

/// Notes that relays could not be told, and must be told after `pause`.
pub fn tell_after(oid: pg_sys::Oid, pause: TimeDelta) {
    if let Some(database) = REGISTRY.exclusive().find_mut(oid) {
        database.to_tell = true;
        database.tell_pause = Pause::of(pause);
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

/// A worker has looked. `next` is when to look again, unless earlier work was noted meanwhile. If it has purged, it does
/// so again after `purged`.
pub fn end_sweep(oid: pg_sys::Oid, next: i64, purged: Option<TimeDelta>) {
    let mut registry = REGISTRY.exclusive();
    let now = now();
    let Some(database) = registry.find_mut(oid) else {
        return;
    };
    database.failures = 0;
    database.pause = Pause::OVER;
    database.rest = Rest::No;
    database.last_sweep_at = now;
    if let Some(pause) = purged {
        database.purge_pause = Pause::of(pause);
    }
    database.plan(next, now);
}

/// Puts off the next look at the database until `pause` is over, because another process holds a lock.
pub fn postpone(oid: pg_sys::Oid, pause: TimeDelta) {
    if let Some(database) = REGISTRY.exclusive().find_mut(oid) {
        database.wake_at = 0;
        database.pause = Pause::of(pause);
    }
}

/// Notes that the worker has to do nothing. It looks again after `pause`. In a read-only database it does so earlier, but
/// not at once, if there is news; otherwise only if it is asked to, because sessions may be created all the time.
pub fn rest(oid: pg_sys::Oid, why: Rest, pause: TimeDelta) {
    if let Some(database) = REGISTRY.exclusive().find_mut(oid) {
        let now = now();
        database.rest = why;
        database.plan(now + span(pause), now);
        database.pause = match why {
            Rest::ReadOnly => Pause::of(FIRST_RETRY),
            _ if database.asked => Pause::OVER,
            _ => Pause::of(pause),
        };
        if why == Rest::Inactive {
            database.to_tell = false;
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

/// Not before this time to purge.
pub fn purge_at(oid: pg_sys::Oid) -> i64 {
    let now = now();
    REGISTRY.share().find(oid).map_or(0, |database| database.purge_pause.ends_at(now))
}

/// Notes an error. Returns true if it differs from the last one.
pub fn note_error(oid: pg_sys::Oid, message: &str) -> bool {
    let now = now();
    REGISTRY.exclusive().find_mut(oid).is_some_and(|database| database.note_error(message, now))
}
