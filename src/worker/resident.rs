//! The resident worker, which keeps its slot: for the database of `checkout_sessions.worker_database`.
//!
//! The server keeps the slot of a worker that it restarts by itself, so parallel queries cannot take it. The worker
//! stays connected when nothing is due, and leaves when another process drops, renames or copies the database.

#![expect(unsafe_code, reason = "is a process of the server")]

use std::ffi::c_int;
use std::time::Duration;

use pgrx::bgworkers::{BackgroundWorkerBuilder, BgWorkerStartTime};
use pgrx::pg_sys;
use pgrx::prelude::*;

use super::{process, sweeper};
use crate::gucs;
use crate::shared::registry;

pub fn register() {
    BackgroundWorkerBuilder::new("checkout_sessions worker")
        .set_library("checkout_sessions")
        .set_function("checkout_sessions_resident_main")
        .set_restart_time(Some(Duration::from_secs(1)))
        .enable_spi_access()
        .set_start_time(BgWorkerStartTime::RecoveryFinished)
        .load();
}

#[pg_guard]
#[unsafe(no_mangle)]
pub extern "C-unwind" fn checkout_sessions_resident_main(_argument: pg_sys::Datum) {
    process::start();
    registry::attach_resident();
    // SAFETY: the callback has the right signature.
    unsafe { pg_sys::before_shmem_exit(Some(at_exit), pg_sys::Datum::from(0)) };
    sweeper::serve(await_database(), true);
    // SAFETY: ends the process; with 0 the server would not start it again.
    unsafe { pg_sys::proc_exit(1) };
}

/// Waits, connected to no database, until there is one to look after.
fn await_database() -> pg_sys::Oid {
    loop {
        pgrx::check_for_interrupts!();
        let (database, at) = registry::residence();
        if at <= registry::now() && gucs::WORKER_ENABLED.get() {
            return database;
        }
        process::sleep_until(if at <= registry::now() { registry::NEVER } else { at }, Duration::from_secs(60));
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn at_exit(_code: c_int, _argument: pg_sys::Datum) {
    registry::detach_resident();
}
