//! This backend: its database, and its settings.

#![expect(unsafe_code, reason = "reads the server's variables and calls its functions")]

use std::ffi::{CStr, CString};
use std::panic::AssertUnwindSafe;

use chrono::TimeDelta;
use pgrx::pg_sys;
use pgrx::prelude::*;

use rules::{Error, Result};

/// The database that this backend is connected to.
pub fn database() -> pg_sys::Oid {
    // SAFETY: set when the backend connected.
    unsafe { pg_sys::MyDatabaseId }
}

/// Its name.
pub fn database_name() -> String {
    // SAFETY: within a transaction; NULL for a database that was dropped, which this is not.
    unsafe {
        let name = pg_sys::get_database_name(database());
        if name.is_null() { String::new() } else { CStr::from_ptr(name).to_string_lossy().into_owned() }
    }
}

/// The transaction, or subtransaction, that writes the rows of this moment: their `xmin`.
pub fn transaction_id() -> u32 {
    // SAFETY: within a transaction; gives it an id if it has none.
    unsafe { pg_sys::GetCurrentTransactionId().into_inner() }
}

/// The id that the server's next writing transaction gets: it grows with every one.
pub fn next_transaction_id() -> u64 {
    // SAFETY: reads a counter in shared memory.
    unsafe { pg_sys::ReadNextFullTransactionId().value }
}

/// The id of the oldest transaction that runs, or that a snapshot in this database does not see as ended. A table of the
/// extension says which snapshots count.
fn oldest_in_use(table: pg_sys::Oid) -> u64 {
    // SAFETY: within a transaction, which locks the table. An id has 32 bits; the oldest is less than 2^31 behind the next.
    unsafe {
        let relation = pg_sys::table_open(table, pg_sys::AccessShareLock as i32);
        let oldest = pg_sys::GetOldestNonRemovableTransactionId(relation).into_inner();
        pg_sys::table_close(relation, pg_sys::NoLock as i32);
        let next = next_transaction_id();
        next - u64::from((next as u32).wrapping_sub(oldest))
    }
}

/// True if all transactions have ended that do not see one of this id as ended. An id that no transaction has had yet is
/// of another cluster, from which the row was restored.
pub fn is_past(id: u64, table: pg_sys::Oid) -> bool {
    let oldest = oldest_in_use(table);
    oldest > id || next_transaction_id() <= id
}

/// The server's clock, in microseconds since 2000.
pub fn now() -> i64 {
    // SAFETY: reads the clock, nothing else.
    unsafe { pg_sys::GetCurrentTimestamp() }
}

/// True while the postmaster loads the libraries of `shared_preload_libraries`.
pub fn is_preloading() -> bool {
    // SAFETY: set before any library is loaded.
    unsafe { pg_sys::process_shared_preload_libraries_in_progress }
}

/// True in a server that pg_upgrade has started.
pub fn is_upgrading() -> bool {
    // SAFETY: set before any library is loaded.
    unsafe { pg_sys::IsBinaryUpgrade }
}

/// True while CREATE EXTENSION, or ALTER EXTENSION ... UPDATE, runs a script.
pub fn is_creating_extension() -> bool {
    // SAFETY: reads a variable of this backend.
    unsafe { pg_sys::creating_extension }
}

/// True in a transaction that sees no more what others commit: REPEATABLE READ or SERIALIZABLE.
pub fn has_one_snapshot() -> bool {
    // SAFETY: reads a variable of this backend.
    unsafe { pg_sys::XactIsoLevel >= pg_sys::XACT_REPEATABLE_READ as std::ffi::c_int }
}

/// True on a standby.
pub fn in_recovery() -> bool {
    // SAFETY: reads a flag in shared memory.
    unsafe { pg_sys::RecoveryInProgress() }
}

/// Refuses to go on in a transaction that cannot write (25006). For a report that reads first: on a standby that lags what it
/// looks for may not be there yet, and the report must not be taken for wrong.
pub fn refuse_if_read_only(function: &CStr) {
    // SAFETY: within a transaction; a NUL-terminated name.
    unsafe { pg_sys::PreventCommandIfReadOnly(function.as_ptr()) };
}

/// Changes a setting for the rest of this transaction, or of this subtransaction with `GUC_ACTION_SAVE`.
pub fn set(name: &CStr, value: &CStr, context: pg_sys::GucContext::Type, action: pg_sys::GucAction::Type) {
    // SAFETY: within a transaction; NUL-terminated texts.
    unsafe {
        pg_sys::set_config_option(
            name.as_ptr(),
            value.as_ptr(),
            context,
            pg_sys::GucSource::PGC_S_SESSION,
            action,
            true,
            0,
            false,
        );
    }
}

/// Does `work`, which waits for a lock no longer than this: then others are busy with it.
pub fn with_lock_timeout<T>(longest: TimeDelta, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let longest = i32::try_from(longest.num_milliseconds()).unwrap_or(i32::MAX);
    // SAFETY: within a transaction. An error puts the setting back when it ends the transaction or subtransaction, which
    // it does: whoever gets the error raises another.
    unsafe {
        let level = pg_sys::NewGUCNestLevel();
        let before = pg_sys::LockTimeout;
        if !(1..=longest).contains(&before) {
            let value = CString::new(longest.to_string()).unwrap_or_default();
            set(c"lock_timeout", &value, pg_sys::GucContext::PGC_USERSET, pg_sys::GucAction::GUC_ACTION_SAVE);
        }
        let result = PgTryBuilder::new(AssertUnwindSafe(work))
            .catch_when(PgSqlErrorCode::ERRCODE_LOCK_NOT_AVAILABLE, |_| Err(Error::Busy))
            .execute();
        if result.is_ok() {
            pg_sys::AtEOXact_GUC(true, level);
        }
        result
    }
}
