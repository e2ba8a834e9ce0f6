//! Telling the worker what a transaction has made for it to do, once that has committed.

#![expect(unsafe_code, reason = "is called at the end of transactions")]

use std::cell::Cell;

use chrono::{DateTime, Utc};
use pgrx::pg_sys;
use pgrx::prelude::*;

use super::registry::{self, NEVER};
use crate::{backend, datum, gucs};

thread_local! {
    /// The earliest deadline that the current transaction has made.
    static DEADLINE: Cell<i64> = const { Cell::new(NEVER) };
    /// Whether it has made deliveries due.
    static DELIVERIES: Cell<bool> = const { Cell::new(false) };
    static REGISTERED: Cell<bool> = const { Cell::new(false) };
}

/// At commit, makes sure that a worker looks at this database at `at`.
///
/// The comparison with what the worker plans is made only then, when the rows can be seen: see `registry::begin_sweep`.
/// A transaction that is prepared for two-phase commit tells nobody; the launcher's look once a minute finds it.
pub fn wake_at_commit(at: DateTime<Utc>) {
    if registered() {
        DEADLINE.set(DEADLINE.get().min(datum::micros(at)));
    }
}

/// At commit, lets the worker tell relays that deliveries are due. Those of a transaction that is prepared are not told.
///
/// Not by NOTIFY in the transaction itself: it fails at commit where a listener has let the server's queue of notifications
/// fill, and a payment with it; its commits wait for one another; and it cannot be prepared.
pub fn tell_relays_at_commit() {
    if gucs::WEBHOOK_NOTIFY.get() && registered() {
        DELIVERIES.set(true);
    }
}

/// False where there is no launcher to tell; otherwise what was noted is told at commit.
fn registered() -> bool {
    if !registry::available() {
        return false;
    }
    if !REGISTERED.replace(true) {
        // SAFETY: the callback has the right signature and lives as long as the library, which is never unloaded.
        unsafe { pg_sys::RegisterXactCallback(Some(at_end), std::ptr::null_mut()) };
    }
    true
}

/// Must not fail: an error after commit takes the server down. It takes locks of shared memory and sets latches.
#[pg_guard]
unsafe extern "C-unwind" fn at_end(event: pg_sys::XactEvent::Type, _argument: *mut std::ffi::c_void) {
    use pg_sys::XactEvent::{XACT_EVENT_ABORT, XACT_EVENT_COMMIT, XACT_EVENT_PREPARE};
    if !matches!(event, XACT_EVENT_ABORT | XACT_EVENT_COMMIT | XACT_EVENT_PREPARE) {
        return;
    }
    let (deadline, deliveries) = (DEADLINE.replace(NEVER), DELIVERIES.replace(false));
    if event != XACT_EVENT_COMMIT {
        return;
    }
    let database = backend::database();
    if deadline != NEVER {
        registry::wake(database, deadline);
    }
    if deliveries {
        registry::deliveries_due(database);
    }
}
