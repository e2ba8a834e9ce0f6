//! This backend: its database, and its settings.

#![expect(unsafe_code, reason = "reads the server's variables and calls its functions")]

use std::ffi::CStr;

use pgrx::pg_sys;

/// The database that this backend is connected to.
pub fn database() -> pg_sys::Oid {
    // SAFETY: set when the backend connected.
    unsafe { pg_sys::MyDatabaseId }
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

/// True on a standby.
pub fn in_recovery() -> bool {
    // SAFETY: reads a flag in shared memory.
    unsafe { pg_sys::RecoveryInProgress() }
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
