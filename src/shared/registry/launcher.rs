//! The launcher's functions on the registry.

#![expect(unsafe_code, reason = "reads this process's latch and id")]

use chrono::TimeDelta;
use pgrx::pg_sys;

use super::{NEVER, Pause, REGISTRY, Rest, START_TIMEOUT, UNUSED, now, set_latch, span};

pub fn attach_launcher() {
    let mut registry = REGISTRY.exclusive();
    // SAFETY: the process's own latch, set before its main function is called.
    unsafe {
        registry.launcher_pid = pg_sys::MyProcPid;
        registry.launcher_latch = pg_sys::MyLatch;
    }
}

pub fn detach_launcher() {
    let mut registry = REGISTRY.exclusive();
    registry.launcher_pid = 0;
    registry.launcher_latch = std::ptr::null_mut();
}

/// Makes workers look at every known database and at each of `found` now. Returns the databases that found no room.
pub fn look_everywhere(found: &[pg_sys::Oid]) -> Vec<pg_sys::Oid> {
    let mut registry = REGISTRY.exclusive();
    for database in registry.databases.iter_mut().filter(|database| database.oid != pg_sys::InvalidOid) {
        database.tell(0);
    }
    let mut left = Vec::new();
    for oid in found {
        match registry.entry(*oid) {
            Some(database) => database.tell(0),
            None => left.push(*oid),
        }
    }
    left
}

/// Says whether the server's configuration lets no worker begin.
pub fn set_disabled(disabled: bool) {
    REGISTRY.exclusive().disabled = disabled;
}

/// Says whether the server's configuration lets events be claimed.
pub fn set_deliveries_enabled(enabled: bool) {
    REGISTRY.exclusive().deliveries_enabled = enabled;
}

/// Returns whether the server's configuration lets events be claimed, whatever a database says. `None`: nobody knows.
pub fn deliveries_enabled() -> Option<bool> {
    super::available().then(|| REGISTRY.share().deliveries_enabled)
}

/// The worker has been enabled: databases where it found itself disabled need not wait until it looks again.
pub fn enabled() {
    let mut registry = REGISTRY.exclusive();
    for database in registry.databases.iter_mut().filter(|database| database.rest == Rest::Disabled) {
        database.pause = Pause::OVER;
    }
    let latch = registry.resident.latch;
    drop(registry);
    set_latch(latch);
}

/// Forgets databases that no longer exist.
pub fn keep_only(exists: impl Fn(pg_sys::Oid) -> bool) {
    for database in REGISTRY.exclusive().databases.iter_mut() {
        if database.pid == 0 && !exists(database.oid) {
            *database = UNUSED;
        }
    }
}

/// A database that needs a worker now.
pub struct Due {
    pub oid: pg_sys::Oid,
    /// The last worker there failed: the database may be gone.
    pub failed: bool,
}

/// Returns the due databases, marked as being started; and when to ask again.
pub fn due(early: TimeDelta) -> (Vec<Due>, i64) {
    let mut due = Vec::new();
    let mut next = NEVER;
    let mut registry = REGISTRY.exclusive();
    let now = now();
    let resident = registry.resident.database;
    for database in registry.databases.iter_mut() {
        if database.oid == pg_sys::InvalidOid || database.oid == resident || database.pid != 0 {
            continue;
        }
        if let Some(starting) = database.starting {
            let overdue_at = starting.ends_at(now);
            if now < overdue_at {
                next = next.min(overdue_at);
                continue;
            }
            database.starting = None;
            database.note_error("worker did not start", now);
            database.fail();
        }
        let (sweep_at, tell_at) = (database.sweep_at(now), database.tell_at(now));
        if sweep_at.min(tell_at) == NEVER {
            continue;
        }
        let start_at = sweep_at.saturating_sub(span(early)).min(tell_at).max(database.pause.ends_at(now));
        if start_at <= now {
            database.starting = Some(Pause::of(START_TIMEOUT));
            due.push(Due { oid: database.oid, failed: database.failures > 0 });
        } else {
            next = next.min(start_at);
        }
    }
    (due, next)
}

/// Notes that a worker could not be started, because the server has no free slot. The launcher tries again whenever it
/// wakes: the server wakes it when one of its workers has left its slot.
pub fn not_started(oid: pg_sys::Oid, message: &str) {
    let now = now();
    if let Some(database) = REGISTRY.exclusive().find_mut(oid) {
        database.starting = None;
        database.note_error(message, now);
        database.waiting = true;
    }
}

/// Notes that the database accepts no connections. The launcher looks at it again with all others.
pub fn closed(oid: pg_sys::Oid) {
    if let Some(database) = REGISTRY.exclusive().find_mut(oid) {
        database.starting = None;
        (database.wake_at, database.planned_at, database.to_tell) = (NEVER, 0, false);
    }
}
