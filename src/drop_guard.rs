//! Refuses to drop the extension, or its tables, while they have sessions or payments.
//!
//! The server calls the hook for each object that a statement drops, whichever statement that is, before it is dropped and
//! while it is locked. In a process that has not loaded the library there is no hook: it has to be preloaded.

#![expect(unsafe_code, reason = "installs and serves object_access_hook")]

use std::cell::Cell;
use std::ffi::{CStr, c_int, c_void};

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use pgrx::{PgLogLevel, pg_sys};

use crate::gucs;

thread_local! {
    static PREVIOUS: Cell<pg_sys::object_access_hook_type> = const { Cell::new(None) };
}

/// What must not be lost without a word. All else hangs on these.
const GUARDED: [&CStr; 2] = [c"checkout_sessions", c"payments"];

/// Called once, when the library is loaded.
pub fn init() {
    // SAFETY: the server's hook; one thread.
    unsafe {
        PREVIOUS.set(pg_sys::object_access_hook);
        pg_sys::object_access_hook = Some(on_access);
    }
}

/// The server calls this for each use of a function, too, so it does nothing else first.
#[pg_guard]
unsafe extern "C-unwind" fn on_access(
    access: pg_sys::ObjectAccessType::Type,
    class: pg_sys::Oid,
    object: pg_sys::Oid,
    part: c_int,
    argument: *mut c_void,
) {
    if access == pg_sys::ObjectAccessType::OAT_DROP
        && class == pg_sys::RelationRelationId
        && part == 0
        && !gucs::ALLOW_DROP.get()
    {
        // SAFETY: called by the server within a transaction. Who drops an object has locked it.
        let lost = unsafe { guarded(object).filter(|_| has_rows(object)) };
        if let Some(table) = lost {
            refuse(table);
        }
    }
    if let Some(previous) = PREVIOUS.get() {
        // SAFETY: the hook that was there before, with the server's arguments.
        unsafe { previous(access, class, object, part, argument) };
    }
}

fn refuse(table: &str) {
    let code = PgSqlErrorCode::ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST;
    ErrorReport::new(code, format!("table checkout_data.{table} has rows and cannot be dropped"), "")
        .set_detail("All sessions and payments of this database would be lost with the extension.")
        .set_hint(
            "If that is meant, make a dump, SET checkout_sessions.allow_drop = on, and repeat it in the same session.",
        )
        .report(PgLogLevel::ERROR);
}

/// The name of a relation that is a guarded table of the extension. One that was taken out of the extension is still in
/// its schema, and one whose schema was renamed is still the extension's.
///
/// # Safety
/// Must be called within a transaction.
unsafe fn guarded(relation: pg_sys::Oid) -> Option<&'static str> {
    // SAFETY: look-ups in the catalog, which give NULL or a copy.
    unsafe {
        let name = pg_sys::get_rel_name(relation);
        // There is a view of each name, too.
        if name.is_null() || pg_sys::get_rel_relkind(relation) as u8 != pg_sys::RELKIND_RELATION {
            return None;
        }
        let table = GUARDED.into_iter().find(|table| CStr::from_ptr(name) == *table)?;
        let extension = pg_sys::get_extension_oid(c"checkout_sessions".as_ptr(), true);
        let schema = pg_sys::get_namespace_oid(c"checkout_data".as_ptr(), true);
        let ours = extension != pg_sys::InvalidOid
            && (pg_sys::getExtensionOfObject(pg_sys::RelationRelationId, relation) == extension
                || pg_sys::get_rel_namespace(relation) == schema);
        if ours { table.to_str().ok() } else { None }
    }
}

/// Returns true if a table has a row that is committed, or that this transaction has written. It is read without a plan,
/// row-level security or an index: those may have been dropped already.
///
/// # Safety
/// Must be called within a transaction that has locked the table.
unsafe fn has_rows(table: pg_sys::Oid) -> bool {
    // SAFETY: the caller's. No snapshot: the server takes one as of now.
    unsafe {
        let relation = pg_sys::table_open(table, pg_sys::NoLock as pg_sys::LOCKMODE);
        let scan = pg_sys::systable_beginscan(
            relation,
            pg_sys::InvalidOid,
            false,
            std::ptr::null_mut(),
            0,
            std::ptr::null_mut(),
        );
        let found = !pg_sys::systable_getnext(scan).is_null();
        pg_sys::systable_endscan(scan);
        pg_sys::table_close(relation, pg_sys::NoLock as pg_sys::LOCKMODE);
        found
    }
}
