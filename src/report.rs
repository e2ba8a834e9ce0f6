//! The only place where an error of the domain becomes an error of Postgres.
//!
//! pgrx's own error codes are a closed list without `PT404` and `PT409`, so the error is handed to the server directly.

use std::ffi::CString;

use pgrx::pg_sys;

use crate::domain::{Error, Result};

/// The value, or the error raised as SQL callers see it.
pub fn or_raise<T>(result: Result<T>) -> T {
    match result {
        Ok(value) => value,
        Err(error) => raise(&error),
    }
}

fn raise(error: &Error) -> ! {
    let sqlstate = error.sqlstate().bytes().enumerate();
    // The encoding of MAKE_SQLSTATE in utils/elog.h: six bits a character.
    let code = sqlstate.fold(0, |code, (at, c)| code | (i32::from((c - b'0') & 0x3F) << (6 * at)));
    // SAFETY: palloc0 gives a zeroed ErrorData, for which every field is valid; the texts are copied into the current
    // memory context, which ThrowErrorData is told to use. It does not return for an ERROR; pgrx turns its longjmp into
    // an unwind, so `error` and its owners are dropped.
    unsafe {
        let data = pg_sys::palloc0(size_of::<pg_sys::ErrorData>()).cast::<pg_sys::ErrorData>();
        (*data).elevel = pgrx::PgLogLevel::ERROR as i32;
        (*data).sqlerrcode = code;
        (*data).assoc_context = pg_sys::CurrentMemoryContext;
        (*data).message = palloc_text(&error.to_string());
        if let Some(detail) = error.detail() {
            (*data).detail = palloc_text(&detail);
        }
        if let Some(hint) = error.hint() {
            (*data).hint = palloc_text(hint);
        }
        pg_sys::ThrowErrorData(data);
    }
    unreachable!("ThrowErrorData returned from an ERROR")
}

/// # Safety
/// To be called where palloc may be.
unsafe fn palloc_text(text: &str) -> *mut std::ffi::c_char {
    let text = CString::new(text.replace('\0', "")).unwrap_or_default();
    // SAFETY: a NUL-terminated string.
    unsafe { pg_sys::pstrdup(text.as_ptr()) }
}
