//! Work that leaves nothing behind if it is refused.

#![expect(unsafe_code, reason = "begins and ends subtransactions")]

use std::panic::AssertUnwindSafe;

use pgrx::pg_sys;
use pgrx::prelude::*;

use rules::Result;

/// Does `work` in a subtransaction, which is rolled back if it ends with an error of the domain or of the server; a
/// server error is raised again. Without the rollback, a caller that catches the error would keep the open
/// subtransaction, and the rights of the function's owner.
pub fn undone_if_refused<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    // SAFETY: as PL/pgSQL does it for a block with EXCEPTION: the memory context and the resource owner are put back.
    let (context, owner) = unsafe {
        let before = (pg_sys::CurrentMemoryContext, pg_sys::CurrentResourceOwner);
        pg_sys::BeginInternalSubTransaction(std::ptr::null());
        pg_sys::MemoryContextSwitchTo(before.0);
        before
    };
    let end = move |refused: bool| {
        // SAFETY: as above; the subtransaction that was begun is the current one.
        unsafe {
            pg_sys::MemoryContextSwitchTo(context);
            if refused {
                pg_sys::RollbackAndReleaseCurrentSubTransaction();
            } else {
                pg_sys::ReleaseCurrentSubTransaction();
            }
            pg_sys::MemoryContextSwitchTo(context);
            pg_sys::CurrentResourceOwner = owner;
        }
    };
    PgTryBuilder::new(AssertUnwindSafe(move || {
        let result = work();
        end(result.is_err());
        result
    }))
    .catch_others(move |error| {
        end(true);
        error.rethrow()
    })
    .execute()
}
