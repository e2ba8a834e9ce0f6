//! The only place where an error of the domain becomes an error of Postgres.

#![expect(unsafe_code, reason = "sets the SQLSTATE and the context of an error")]

use std::ffi::{CString, c_char, c_int, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use pgrx::pg_sys::panic::{CaughtError, ErrorReport};
use pgrx::prelude::*;
use pgrx::{PgLogLevel, pg_sys};

use rules::{Error, Result};

use crate::shared::request_failures;
use crate::{tenant, version};

// These change the error that is being reported. pgrx does not export them, because they may be called only then.
unsafe extern "C-unwind" {
    fn errcode(sqlstate: c_int) -> c_int;
    fn errcontext_msg(format: *const c_char, ...) -> c_int;
}

/// Does the work of a function that SQL calls, and returns its value, or raises its error as SQL callers see it. Calls
/// that are refused, by us or by the server, are counted for their organization if `work` is a closure: its name says
/// which function it is in.
pub fn or_raise<T, W: FnOnce() -> Result<T>>(work: W) -> T {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(value)) => value,
        Ok(Err(error)) => {
            if let Some(function) = enclosing_function::<W>() {
                note_refused(function, &error);
            }
            raise(&error)
        }
        Err(panic) => {
            if let (Some(function), Some(CaughtError::PostgresError(report))) =
                (enclosing_function::<W>(), panic.downcast_ref::<CaughtError>())
                && let Ok(tenant) = tenant::current()
            {
                let sqlstate = decode(report.sql_error_code() as c_int);
                let message = is_without_values(&sqlstate).then(|| report.message());
                request_failures::note(tenant, function, &sqlstate, message.unwrap_or_default());
            }
            resume_unwind(panic)
        }
    }
}

/// Counts a call of the current tenant that is refused.
pub fn note_refused(function: &str, error: &Error) {
    // A simulated error is the answer that was asked for.
    if !matches!(error, Error::Simulated { .. })
        && let Ok(tenant) = tenant::current()
    {
        let sqlstate = encode(sqlstate(error));
        request_failures::note(tenant, function, &decode(sqlstate), &error.without_values());
    }
}

/// The function that a closure is in: the compiler calls the closure `path::function::{{closure}}`.
fn enclosing_function<W>() -> Option<&'static str> {
    let (path, _) = std::any::type_name::<W>().split_once("::{{closure}}")?;
    path.rsplit("::").next()
}

/// True if the server's messages with this SQLSTATE tell of the server, and not of the values of a call.
fn is_without_values(sqlstate: &[u8; 5]) -> bool {
    matches!(&sqlstate[..2], b"40" | b"53" | b"55" | b"57" | b"58")
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

/// As unpack_sql_state in utils/error/elog.c.
fn decode(code: c_int) -> [u8; 5] {
    std::array::from_fn(|at| ((code >> (6 * at)) & 0x3F) as u8 + b'0')
}

unsafe extern "C-unwind" fn set_sqlstate(code: *mut c_void) {
    // SAFETY: called by the server while it makes an error, which is when errcode may be called. It cannot fail.
    unsafe { errcode(code as usize as c_int) };
}
