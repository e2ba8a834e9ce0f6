//! The parts that the launcher and the workers share, as processes of the server.

#![expect(unsafe_code, reason = "is a process of the server")]

use std::ffi::CStr;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use pgrx::bgworkers::{BackgroundWorker, SignalWakeFlags};
use pgrx::pg_sys;
use pgrx::pg_sys::panic::{CaughtError, ErrorReportWithLevel};
use pgrx::prelude::*;

use crate::backend;
use crate::shared::registry;

// The server's own handler for SIGTERM. pgrx wraps it in a function that cannot be given to the kernel.
unsafe extern "C-unwind" {
    fn die(signal: std::ffi::c_int);
}

/// Sets up signals. With `die`, instead of a flag of our own, SIGTERM interrupts a statement, and even a commit that
/// waits for a standby. So neither a fast shutdown nor DROP DATABASE ... WITH (FORCE) has to wait.
pub fn start() {
    // SAFETY: `die` is a signal handler. Set before attach_signal_handlers, which ends by unblocking signals.
    unsafe {
        #[cfg(not(feature = "pg18"))]
        pg_sys::pqsignal(pg_sys::SIGTERM as i32, Some(die));
        #[cfg(feature = "pg18")]
        pg_sys::pqsignal_be(pg_sys::SIGTERM as i32, Some(die));
    }
    BackgroundWorker::attach_signal_handlers(SignalWakeFlags::SIGHUP);
}

/// Sets a configuration parameter for this process.
pub fn set(name: &CStr, value: &CStr) {
    // SAFETY: NUL-terminated texts; an unknown name or a bad value is an ordinary error.
    unsafe {
        pg_sys::SetConfigOption(
            name.as_ptr(),
            value.as_ptr(),
            pg_sys::GucContext::PGC_SUSET,
            pg_sys::GucSource::PGC_S_OVERRIDE,
        );
    }
}

/// Runs a transaction. An error, also one of the commit, ends the transaction and is returned.
pub fn transaction<R>(work: impl FnOnce() -> R) -> Result<R, Box<CaughtError>> {
    let work = AssertUnwindSafe(work);
    let done = PgTryBuilder::new(AssertUnwindSafe(|| Ok(BackgroundWorker::transaction(AssertUnwindSafe(|| work.0())))))
        .catch_others(|error| Err(Box::new(error)))
        .execute();
    // SAFETY: as the server's own loops do after an error. Without the second call autovacuum would never learn of the
    // changes.
    unsafe {
        if done.is_err() {
            pg_sys::AbortCurrentTransaction();
        }
        pg_sys::pgstat_report_stat(true);
    }
    done
}

/// The text of an error.
pub fn report(error: &CaughtError) -> &ErrorReportWithLevel {
    let (CaughtError::PostgresError(report)
    | CaughtError::ErrorReport(report)
    | CaughtError::RustPanic { ereport: report, .. }) = error;
    report
}

/// Returns true if this transaction must not write, because of a default of the database or of the server.
pub fn is_read_only() -> bool {
    // SAFETY: reads a variable of this process.
    unsafe { pg_sys::XactReadOnly }
}

/// Makes the commit of this transaction wait neither for the disk nor for a standby.
pub fn do_not_wait_for_this_commit() {
    let (context, action) = (pg_sys::GucContext::PGC_SUSET, pg_sys::GucAction::GUC_ACTION_LOCAL);
    backend::set(c"synchronous_commit", c"off", context, action);
}

/// Sets the text that pg_stat_activity has for this process.
pub fn report_activity(state: pg_sys::BackendState::Type, doing: &CStr) {
    // SAFETY: a NUL-terminated text, which is copied.
    unsafe { pg_sys::pgstat_report_activity(state, doing.as_ptr()) };
}

/// Sleeps until the latch is set or the time has come. Then reads changed configuration.
pub fn sleep_until(at: i64, at_most: Duration) {
    let microseconds = u64::try_from(at.saturating_sub(registry::now())).unwrap_or(0);
    // Rounded up to the next millisecond: a latch that times out too early would only have to wait again.
    let pause = Duration::from_millis(microseconds.div_ceil(1_000)).min(at_most);
    if !BackgroundWorker::wait_latch(Some(pause)) {
        // SAFETY: the postmaster is gone; there is nothing left to do.
        unsafe { pg_sys::proc_exit(1) };
    }
    reload();
}

/// Reads changed configuration, if the server was told to.
pub fn reload() {
    if BackgroundWorker::sighup_received() {
        // SAFETY: outside of a transaction, as the server's own loops do.
        unsafe { pg_sys::ProcessConfigFile(pg_sys::GucContext::PGC_SIGHUP) };
    }
}
