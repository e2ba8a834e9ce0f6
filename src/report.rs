//! The only place where an error of the domain becomes an error of Postgres.

#![expect(unsafe_code, reason = "sets the SQLSTATE and the context of an error")]

use std::ffi::{CString, c_char, c_int, c_void};

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use pgrx::{PgLogLevel, pg_sys};

use rules::{Error, Result};

use crate::{tenant, version};

// These change the error that is being reported. pgrx does not export them, because they may be called only then.
unsafe extern "C-unwind" {
    fn errcode(sqlstate: c_int) -> c_int;
    fn errcontext_msg(format: *const c_char, ...) -> c_int;
}

/// The value, or the error raised as SQL callers see it.
pub fn or_raise<T>(result: Result<T>) -> T {
    match result {
        Ok(value) => value,
        Err(error) => raise(&error),
    }
}

fn raise(error: &Error) -> ! {
    // PostgREST puts the message of a PTxyz error into the status line of its response, where a line break would begin
    // a header.
    let message = error.to_string().replace(char::is_control, " ");
    let mut report = ErrorReport::new(PgSqlErrorCode::ERRCODE_INTERNAL_ERROR, message, "");
    if let Some(detail) = error.detail() {
        report = report.set_detail(detail);
    }
    let other_version = || if matches!(error, Error::Internal(_)) { version::hint() } else { None };
    if let Some(hint) = error.hint().map(str::to_owned).or_else(other_version) {
        report = report.set_hint(hint);
    }
    // pgrx knows a fixed list of codes, without PT404 and PT409, so the code is set while the server makes the error.
    // SAFETY: pgrx hands the error to the server after Rust's frames are gone, and then the server calls the callback.
    // Its memory is the calling function's, which lives until the error has been handled. The handler takes it off the
    // stack.
    unsafe {
        let context = pg_sys::palloc0(size_of::<pg_sys::ErrorContextCallback>()).cast::<pg_sys::ErrorContextCallback>();
        (*context).previous = pg_sys::error_context_stack;
        (*context).callback = Some(set_sqlstate);
        (*context).arg = encode(sqlstate(error)) as usize as *mut c_void;
        pg_sys::error_context_stack = context;
    }
    report.report(PgLogLevel::ERROR);
    unreachable!("an ERROR was reported and did not raise")
}

/// Does `work`. What the server reports meanwhile, to the client and in its log, has the line in its CONTEXT.
pub fn in_context<T>(line: &str, work: impl FnOnce() -> T) -> T {
    let line = CString::new(line).unwrap_or_default();
    // SAFETY: as in `raise`: the copies live until the calling function's error has been handled, and the handler takes
    // the callback off the stack. If there is no error, it is taken off here.
    unsafe {
        let context = pg_sys::palloc0(size_of::<pg_sys::ErrorContextCallback>()).cast::<pg_sys::ErrorContextCallback>();
        (*context).previous = pg_sys::error_context_stack;
        (*context).callback = Some(add_line);
        (*context).arg = pg_sys::pstrdup(line.as_ptr()).cast();
        pg_sys::error_context_stack = context;
        let done = work();
        pg_sys::error_context_stack = (*context).previous;
        done
    }
}

unsafe extern "C-unwind" fn add_line(line: *mut c_void) {
    // SAFETY: called by the server while it makes a report, with the line of `in_context`.
    unsafe { errcontext_msg(c"%s".as_ptr(), line.cast::<c_char>()) };
}

/// The SQLSTATE of an error. PostgREST would turn 28000 into 403, and 42501 into 401 if there is no token. HTTP callers
/// must get the statuses that state the fault.
fn sqlstate(error: &Error) -> &'static str {
    match error {
        Error::Unauthorized { .. } => "PT401",
        Error::NotAllowed { .. } if tenant::calls_by_http() => "PT403",
        error => error.sqlstate(),
    }
}

/// As MAKE_SQLSTATE in utils/elog.h: six bits a character.
fn encode(sqlstate: &str) -> c_int {
    sqlstate.bytes().enumerate().fold(0, |code, (at, c)| code | (c_int::from(c.wrapping_sub(b'0') & 0x3F) << (6 * at)))
}

unsafe extern "C-unwind" fn set_sqlstate(code: *mut c_void) {
    // SAFETY: called by the server while it makes an error, which is when errcode may be called. It cannot fail.
    unsafe { errcode(code as usize as c_int) };
}
