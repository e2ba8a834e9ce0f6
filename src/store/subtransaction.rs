//! Work that leaves nothing behind if it is refused.

#![expect(unsafe_code, reason = "begins and ends subtransactions")]

use std::cell::Cell;
use std::ffi::{c_int, c_void};
use std::panic::{AssertUnwindSafe, RefUnwindSafe, UnwindSafe};

use pgrx::pg_sys;
use pgrx::pg_sys::panic::CaughtError;
use pgrx::prelude::*;

use rules::Result;

/// Does `work` in a subtransaction, which is rolled back if it ends with an error of the domain or of the server; a
/// server error is raised again. Without the rollback, a caller that catches the error would keep the open
/// subtransaction, and the rights of the function's owner.
pub fn undone_if_refused<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    let subtransaction = Subtransaction::begin();
    PgTryBuilder::new(AssertUnwindSafe(move || {
        let result = work();
        subtransaction.end(result.is_err());
        result
    }))
    .catch_others(move |error| {
        subtransaction.end(true);
        error.rethrow()
    })
    .execute()
}

/// An error of the server.
pub struct Refusal {
    pub code: PgSqlErrorCode,
    pub sqlstate: String,
    pub message: String,
    /// The function in the server's source that has raised it.
    pub raised_by: Option<String>,
}

/// Does `work` in a subtransaction, which is rolled back if it ends with an error. A server error is returned if it
/// `is_failure`, and raised again otherwise.
pub fn undone_if_it_fails<T>(
    work: impl FnOnce() -> Result<T>,
    is_failure: impl Fn(&Refusal) -> bool + UnwindSafe + RefUnwindSafe,
) -> Result<std::result::Result<T, Refusal>> {
    let subtransaction = Subtransaction::begin();
    let codes = Codes::note();
    PgTryBuilder::new(AssertUnwindSafe(|| {
        let result = work();
        codes.end();
        subtransaction.end(result.is_err());
        result.map(Ok)
    }))
    .catch_others(|error| {
        let refusal = refusal(&error);
        codes.end();
        subtransaction.end(true);
        if is_failure(&refusal) { Ok(Err(refusal)) } else { error.rethrow() }
    })
    .execute()
}

fn refusal(error: &CaughtError) -> Refusal {
    let (CaughtError::PostgresError(report)
    | CaughtError::ErrorReport(report)
    | CaughtError::RustPanic { ereport: report, .. }) = error;
    let code = report.sql_error_code();
    // pgrx knows a fixed list of codes, and takes any other for this one.
    let number = if code == PgSqlErrorCode::ERRCODE_INTERNAL_ERROR { LAST_CODE.get() } else { code as c_int };
    Refusal {
        code,
        sqlstate: decode(number),
        message: report.message().to_owned(),
        raised_by: report.function_name().map(str::to_owned),
    }
}

/// As unpack_sql_state in the server's elog.c.
fn decode(code: c_int) -> String {
    (0..5).map(|at| char::from(((code >> (6 * at)) & 0x3F) as u8 + b'0')).collect()
}

thread_local! {
    /// The SQLSTATE of the last report.
    static LAST_CODE: Cell<c_int> = const { Cell::new(0) };
}

// It is for callbacks, which pgrx's guard would disturb.
unsafe extern "C-unwind" {
    fn geterrcode() -> c_int;
}

/// Notes the SQLSTATE of each report.
#[derive(Clone, Copy)]
struct Codes(*mut pg_sys::ErrorContextCallback);

impl Codes {
    fn note() -> Self {
        LAST_CODE.set(PgSqlErrorCode::ERRCODE_INTERNAL_ERROR as c_int);
        // SAFETY: as in `report`: its memory lives until the error has been handled, and the handler takes it off the
        // stack.
        unsafe {
            let callback =
                pg_sys::palloc0(size_of::<pg_sys::ErrorContextCallback>()).cast::<pg_sys::ErrorContextCallback>();
            (*callback).previous = pg_sys::error_context_stack;
            (*callback).callback = Some(note_code);
            pg_sys::error_context_stack = callback;
            Self(callback)
        }
    }

    fn end(self) {
        // SAFETY: the callback of `note`.
        unsafe { pg_sys::error_context_stack = (*self.0).previous };
    }
}

unsafe extern "C-unwind" fn note_code(_argument: *mut c_void) {
    // SAFETY: called by the server while it makes a report.
    LAST_CODE.set(unsafe { geterrcode() });
}

/// The subtransaction that is open, and what it must put back.
#[derive(Clone, Copy)]
struct Subtransaction {
    context: pg_sys::MemoryContext,
    owner: pg_sys::ResourceOwner,
}

impl Subtransaction {
    fn begin() -> Self {
        // SAFETY: as PL/pgSQL does it for a block with EXCEPTION: the memory context and the resource owner are put back.
        unsafe {
            let before = Self { context: pg_sys::CurrentMemoryContext, owner: pg_sys::CurrentResourceOwner };
            pg_sys::BeginInternalSubTransaction(std::ptr::null());
            pg_sys::MemoryContextSwitchTo(before.context);
            before
        }
    }

    fn end(self, undone: bool) {
        // SAFETY: as above; the subtransaction that was begun is the current one.
        unsafe {
            pg_sys::MemoryContextSwitchTo(self.context);
            if undone {
                pg_sys::RollbackAndReleaseCurrentSubTransaction();
            } else {
                pg_sys::ReleaseCurrentSubTransaction();
            }
            pg_sys::MemoryContextSwitchTo(self.context);
            pg_sys::CurrentResourceOwner = self.owner;
        }
    }
}
