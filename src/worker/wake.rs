//! Telling the worker of an earlier deadline, once the transaction that made it has committed.

use std::cell::Cell;

use chrono::{DateTime, Utc};
use pgrx::pg_sys;
use pgrx::prelude::*;

use super::registry::{self, NEVER};
use crate::datum;

thread_local! {
    /// The earliest deadline that the current transaction has made.
    static PENDING: Cell<i64> = const { Cell::new(NEVER) };
    static REGISTERED: Cell<bool> = const { Cell::new(false) };
}

/// At commit, makes sure that somebody looks at this database at `at`.
///
/// The comparison with what the worker plans is made only then, when the rows can be seen: see `registry::begin_sweep`.
/// A transaction that is prepared for two-phase commit tells nobody; the launcher's look once a minute finds it.
pub fn wake_at_commit(at: DateTime<Utc>) {
    if !registry::available() {
        return;
    }
    PENDING.set(PENDING.get().min(datum::micros(at)));
    if !REGISTERED.replace(true) {
        // SAFETY: the callback has the right signature and lives as long as the library, which is never unloaded.
        unsafe { pg_sys::RegisterXactCallback(Some(at_end), std::ptr::null_mut()) };
    }
}

/// Must not fail: an error after commit takes the server down. It takes one lock and sets one latch.
#[pg_guard]
unsafe extern "C-unwind" fn at_end(event: pg_sys::XactEvent::Type, _argument: *mut std::ffi::c_void) {
    use pg_sys::XactEvent::{XACT_EVENT_ABORT, XACT_EVENT_COMMIT, XACT_EVENT_PREPARE};
    if !matches!(event, XACT_EVENT_ABORT | XACT_EVENT_COMMIT | XACT_EVENT_PREPARE) {
        return;
    }
    let at = PENDING.replace(NEVER);
    if event == XACT_EVENT_COMMIT && at != NEVER {
        // SAFETY: set when the backend connected.
        registry::notify(unsafe { pg_sys::MyDatabaseId }, at);
    }
}
