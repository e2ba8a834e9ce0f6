//! Keeps secrets out of the server's log: statements, their parameters, errors. What is masked there, the client sees
//! masked, too: the server writes the same report to both.

use std::cell::Cell;
use std::ffi::{CStr, CString, c_char};

use pgrx::pg_sys;
use pgrx::prelude::*;

use crate::domain::redact::redact;
use crate::worker;

thread_local! {
    static PREVIOUS: Cell<pg_sys::emit_log_hook_type> = const { Cell::new(None) };
}

/// Called once, when the library is loaded. Preloaded, it is in time for the first statement of every connection.
pub fn init() {
    // SAFETY: the server's own way to be called before it logs; one thread.
    unsafe {
        PREVIOUS.set(pg_sys::emit_log_hook);
        pg_sys::emit_log_hook = Some(hide_secrets);
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn hide_secrets(error: *mut pg_sys::ErrorData) {
    // SAFETY: the server's report, which lives until the hook returns, in whose memory context we are; the statement is
    // NULL or a NUL-terminated text.
    unsafe {
        let error = &mut *error;
        worker::note_fatal(error);
        for text in [
            &mut error.message,
            &mut error.detail,
            &mut error.detail_log,
            &mut error.hint,
            &mut error.context,
            &mut error.internalquery,
        ] {
            if let Some(redacted) = redacted(*text) {
                let before = std::mem::replace(text, pg_sys::pstrdup(redacted.as_ptr()));
                // Nobody else would: the context of errors is kept.
                pg_sys::pfree(before.cast());
            }
        }
        // The statement that an error is logged with cannot be changed, only be left out.
        if redacted(pg_sys::debug_query_string).is_some() {
            error.hide_stmt = true;
        }
        if let Some(previous) = PREVIOUS.get() {
            previous(error);
        }
    }
}

/// # Safety
/// NULL, or a NUL-terminated text.
unsafe fn redacted(text: *const c_char) -> Option<CString> {
    if text.is_null() {
        return None;
    }
    // SAFETY: the caller's.
    let text = unsafe { CStr::from_ptr(text) };
    redact(text.to_bytes()).and_then(|redacted| CString::new(redacted).ok())
}
