//! The error that ends a worker, noted where `worker_status()` finds it.

#![expect(unsafe_code, reason = "reads the error that is being logged")]

use std::ffi::CStr;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use pgrx::{PgLogLevel, pg_sys};

use super::registry;

/// The database whose worker this process is; 0 if it is no worker.
static DATABASE: AtomicU32 = AtomicU32::new(0);
static CONNECTED: AtomicBool = AtomicBool::new(false);

/// Notes that this process is the worker of a database, and is about to connect to it.
pub fn works_in(database: pg_sys::Oid) {
    DATABASE.store(database.to_u32(), Ordering::Relaxed);
}

pub fn connected() {
    CONNECTED.store(true, Ordering::Relaxed);
}

/// Called with every message that the server is about to log. Notes the errors that end the worker of a database, for
/// example if it cannot connect.
pub fn note_fatal(error: &pg_sys::ErrorData) {
    let database = DATABASE.load(Ordering::Relaxed);
    // SAFETY: a NUL-terminated text.
    unsafe {
        let ends = if CONNECTED.load(Ordering::Relaxed) { PgLogLevel::FATAL } else { PgLogLevel::ERROR };
        let ends = error.elevel >= ends as i32;
        if database != 0 && ends && !error.message.is_null() {
            registry::note_error(pg_sys::Oid::from(database), &CStr::from_ptr(error.message).to_string_lossy());
        }
    }
}
