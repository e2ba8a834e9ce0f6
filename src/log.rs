//! Keeps secrets out of the server's log: out of statements, their parameters and errors. The client sees the same
//! masked text, because the server writes one report to both.

#![expect(unsafe_code, reason = "installs and serves emit_log_hook")]

use std::cell::Cell;
use std::ffi::CStr;

use pgrx::prelude::*;
use pgrx::{PgLogLevel, pg_sys};

use crate::shared::{failure, unending_hooks};
use rules::access::redact::{has_secret, mask};

thread_local! {
    static PREVIOUS: Cell<pg_sys::emit_log_hook_type> = const { Cell::new(None) };
}

/// Called once, when the library is loaded. If it is preloaded, that is before the first statement of every connection.
pub fn init() {
    // SAFETY: the server's hook that is called before it logs; one thread.
    unsafe {
        PREVIOUS.set(pg_sys::emit_log_hook);
        pg_sys::emit_log_hook = Some(hide_secrets);
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn hide_secrets(error: *mut pg_sys::ErrorData) {
    // SAFETY: the server's report lives until the hook returns. Its texts are copies made for it, NULL or
    // NUL-terminated, and so is the statement. Nothing is allocated, because the error may be a lack of memory.
    unsafe {
        let error = &mut *error;
        failure::note_fatal(error);
        if error.elevel >= PgLogLevel::FATAL as i32 {
            unending_hooks::note_fatal();
        }
        for text in [error.message, error.detail, error.detail_log, error.hint, error.context, error.internalquery] {
            if !text.is_null() {
                let bytes = std::slice::from_raw_parts_mut(text.cast::<u8>(), CStr::from_ptr(text).count_bytes());
                if let Some(length) = mask(bytes) {
                    *text.add(length) = 0;
                }
            }
        }
        // The statement of a logged error cannot be changed, only left out.
        let statement = pg_sys::debug_query_string;
        if !statement.is_null() && has_secret(CStr::from_ptr(statement).to_bytes()) {
            error.hide_stmt = true;
        }
        if let Some(previous) = PREVIOUS.get() {
            previous(error);
        }
    }
}
