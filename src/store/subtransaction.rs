//! A piece of work that leaves nothing behind if it is refused.

use pgrx::pg_sys;

use crate::domain::Result;

/// Does `work` in a subtransaction, which is rolled back if it ends with an error of the domain. An error of the server
/// goes on as it is.
pub fn undone_if_refused<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    // SAFETY: as PL/pgSQL does it for a block with EXCEPTION: the memory context and the resource owner are put back, and an
    // error that the server raises aborts the whole.
    unsafe {
        let context = pg_sys::CurrentMemoryContext;
        let owner = pg_sys::CurrentResourceOwner;
        pg_sys::BeginInternalSubTransaction(std::ptr::null());
        pg_sys::MemoryContextSwitchTo(context);
        let result = work();
        match result {
            Ok(_) => pg_sys::ReleaseCurrentSubTransaction(),
            Err(_) => pg_sys::RollbackAndReleaseCurrentSubTransaction(),
        }
        pg_sys::MemoryContextSwitchTo(context);
        pg_sys::CurrentResourceOwner = owner;
        result
    }
}
