//! The resident worker's functions on the registry: of the worker that stays.

#![expect(unsafe_code, reason = "reads this process's latch")]

use pgrx::pg_sys;

use super::{NEVER, REGISTRY, Rest, now, set_latch, span};
use chrono::TimeDelta;

/// How often to check whether another worker has left the database.
const LEAVING: TimeDelta = TimeDelta::seconds(1);

#[derive(Clone, Copy)]
pub struct Resident {
    /// The database that it looks after; 0 while no database has the name.
    pub database: pg_sys::Oid,
    pub latch: *mut pg_sys::Latch,
}

pub const NOBODY: Resident = Resident { database: pg_sys::InvalidOid, latch: std::ptr::null_mut() };

pub fn attach_resident() {
    // SAFETY: the process's own latch, set before its main function is called.
    REGISTRY.exclusive().resident.latch = unsafe { pg_sys::MyLatch };
}

pub fn detach_resident() {
    REGISTRY.exclusive().resident.latch = std::ptr::null_mut();
}

/// Notes the database that the worker stays in, or that there is none. The launcher calls this.
pub fn settle(database: pg_sys::Oid) {
    if is_resident(database) {
        return;
    }
    let mut registry = REGISTRY.exclusive();
    registry.resident.database = database;
    let latch = registry.resident.latch;
    drop(registry);
    set_latch(latch);
}

/// Returns true if a worker stays in this database: the launcher starts none for it.
pub fn is_resident(database: pg_sys::Oid) -> bool {
    REGISTRY.share().resident.database == database
}

/// The database to stay in, and when to connect to it.
pub fn residence() -> (pg_sys::Oid, i64) {
    let registry = REGISTRY.share();
    let now = now();
    let oid = registry.resident.database;
    let at = match registry.find(oid).filter(|_| oid != pg_sys::InvalidOid) {
        // As far as is known, the database does not have the extension.
        None => NEVER,
        Some(database) if database.pid != 0 => now + span(LEAVING),
        Some(database) if database.rest != Rest::No => database.sweep_at(now),
        Some(database) => database.pause.ends_at(now),
    };
    (oid, at)
}
