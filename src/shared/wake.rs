//! Tells the worker, after a transaction has committed, what work it has made.

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
    /// True if it has made deliveries due.
    static DELIVERIES: Cell<bool> = const { Cell::new(false) };
    static REGISTERED: Cell<bool> = const { Cell::new(false) };
}

/// Makes sure, at commit, that a worker looks at this database at `at`.
///
/// The comparison with the worker's plan is made only then, when the worker can see the rows: see
/// `registry::begin_sweep`. A transaction prepared for two-phase commit tells no worker; the launcher, which looks once
/// a minute, finds its rows.
pub fn wake_at_commit(at: DateTime<Utc>) {
    if registered() {
        DEADLINE.set(DEADLINE.get().min(datum::micros(at)));
    }
}

/// Makes the worker tell relays, at commit, that deliveries are due. For a prepared transaction it does not.
///
/// Not by NOTIFY in the transaction itself. NOTIFY would fail at commit, and the payment with it, if a listener has let
/// the server's queue of notifications fill up. Its commits wait for one another, and a transaction with it cannot be
/// prepared.
pub fn tell_relays_at_commit() {
    if gucs::WEBHOOK_NOTIFY.get() && registered() {
        DELIVERIES.set(true);
    }
}

/// Registers the callback that tells the launcher at commit. Returns false if there is no launcher.
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

/// Must not fail: an error after commit stops the server. It takes locks of shared memory and sets latches.
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
