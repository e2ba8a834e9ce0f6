//! What a caller's session has, and its hooks must not see or take: the statement, which may have a key in it, and cursors,
//! which may have the rows of other tenants.

#![expect(unsafe_code, reason = "reads and changes variables of the server")]

use std::ffi::{CString, c_char};

use pgrx::pg_sys;

use super::statement::statement;
use rules::Result;

statement!(CURSORS, Transaction, "SELECT c.name FROM pg_catalog.pg_cursors c");

/// Hides them until it is dropped, also by an error.
pub struct Hidden {
    statement: *const c_char,
    cursors: Vec<CString>,
}

impl Hidden {
    pub fn begin() -> Result<Self> {
        let names = CURSORS.with(|statement| statement.rows(&[], |row| row.get::<String>(1)))?;
        let ready = |name: &CString| {
            // To the server a cursor that is active can neither be fetched from nor be closed. Those of the statements
            // that are running are so already.
            change(name, pg_sys::PortalStatus::PORTAL_READY, pg_sys::PortalStatus::PORTAL_ACTIVE)
        };
        let cursors = names.into_iter().flatten().filter_map(|name| CString::new(name).ok()).filter(ready).collect();
        // SAFETY: one thread; the server takes NULL for no statement.
        let statement = unsafe {
            let statement = pg_sys::debug_query_string;
            pg_sys::debug_query_string = std::ptr::null();
            statement
        };
        Ok(Self { statement, cursors })
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        for name in &self.cursors {
            change(name, pg_sys::PortalStatus::PORTAL_ACTIVE, pg_sys::PortalStatus::PORTAL_READY);
        }
        // SAFETY: the statement outlives what it calls.
        unsafe { pg_sys::debug_query_string = self.statement };
    }
}

/// Gives a cursor another status, if it has the one that it should have.
fn change(name: &CString, from: pg_sys::PortalStatus::Type, to: pg_sys::PortalStatus::Type) -> bool {
    // SAFETY: a lookup by name, which finds cursors that are open.
    unsafe {
        let portal = pg_sys::GetPortalByName(name.as_ptr());
        let found = !portal.is_null() && (*portal).status == from;
        if found {
            (*portal).status = to;
        }
        found
    }
}
