//! The version of this library, and that of the extension in this database. They differ after a new library was
//! installed, until `ALTER EXTENSION ... UPDATE` has run here, or until an old server has been restarted.

#![expect(unsafe_code, reason = "reads a catalog, and adds a hint to errors of the server")]

use std::cell::RefCell;
use std::ffi::{CStr, CString, c_char, c_int, c_void};

use pgrx::pg_sys;
use pgrx::prelude::*;

pub const LIBRARY: &str = env!("CARGO_PKG_VERSION");

// These change the error that is being reported. pgrx does not export them, because they may be called only then.
unsafe extern "C-unwind" {
    fn errhint(format: *const c_char, ...) -> c_int;
    fn geterrcode() -> c_int;
}

thread_local! {
    /// The version of the schema, if it is another.
    static OTHER: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Looks whether the versions differ. It takes a few microseconds, and is for moments that take longer.
pub fn look() {
    OTHER.set(installed().filter(|installed| installed != LIBRARY));
}

/// Says that the versions differ, if they did when that was last looked at.
pub fn difference() -> Option<String> {
    OTHER.with_borrow(|other| {
        other.as_ref().map(|schema| format!("the library is of version {LIBRARY}, and the schema of version {schema}"))
    })
}

/// What an error of ours should say to that.
pub fn hint() -> Option<String> {
    difference().map(|difference| {
        format!(
            "In checkout_sessions {difference}. If the schema is older, run ALTER EXTENSION checkout_sessions UPDATE. \
             If the library is older, restart the server."
        )
    })
}

/// Does `work`. If the versions differ, errors that may come from that say so.
pub fn with_hint<T>(work: impl FnOnce() -> T) -> T {
    let Some(hint) = hint().and_then(|hint| CString::new(hint).ok()) else { return work() };
    // SAFETY: the copies live until the calling function's error has been handled, and the handler takes the callback off
    // the stack. If there is no error, it is taken off here.
    unsafe {
        let context = pg_sys::palloc0(size_of::<pg_sys::ErrorContextCallback>()).cast::<pg_sys::ErrorContextCallback>();
        (*context).previous = pg_sys::error_context_stack;
        (*context).callback = Some(add_hint);
        (*context).arg = pg_sys::pstrdup(hint.as_ptr()).cast();
        pg_sys::error_context_stack = context;
        let done = work();
        pg_sys::error_context_stack = (*context).previous;
        done
    }
}

unsafe extern "C-unwind" fn add_hint(text: *mut c_void) {
    // SAFETY: called by the server while it makes a report, with the text of `with_hint`.
    unsafe {
        if may_come_from_a_difference(PgSqlErrorCode::from(geterrcode())) {
            errhint(c"%s".as_ptr(), text.cast::<c_char>());
        }
    }
}

fn may_come_from_a_difference(code: PgSqlErrorCode) -> bool {
    use PgSqlErrorCode::*;
    matches!(
        code,
        ERRCODE_UNDEFINED_COLUMN
            | ERRCODE_UNDEFINED_FUNCTION
            | ERRCODE_UNDEFINED_TABLE
            | ERRCODE_UNDEFINED_OBJECT
            | ERRCODE_UNDEFINED_PARAMETER
            | ERRCODE_DATATYPE_MISMATCH
            | ERRCODE_NOT_NULL_VIOLATION
            | ERRCODE_INTERNAL_ERROR
    )
}

/// The version of the extension in this database. `None` if it is not there.
fn installed() -> Option<String> {
    // SAFETY: within a transaction. The row is used before the scan ends.
    unsafe {
        let extensions = pg_sys::table_open(pg_sys::ExtensionRelationId, pg_sys::AccessShareLock as i32);
        let mut key = pg_sys::ScanKeyData::default();
        pg_sys::ScanKeyInit(
            &mut key,
            pg_sys::Anum_pg_extension_extname as pg_sys::AttrNumber,
            pg_sys::BTEqualStrategyNumber as pg_sys::StrategyNumber,
            pg_sys::Oid::from(pg_sys::F_NAMEEQ),
            pg_sys::Datum::from(c"checkout_sessions".as_ptr()),
        );
        let scan = pg_sys::systable_beginscan(
            extensions,
            pg_sys::Oid::from(pg_sys::ExtensionNameIndexId),
            true,
            std::ptr::null_mut(),
            1,
            &mut key,
        );
        let row = pg_sys::systable_getnext(scan);
        let version = (!row.is_null())
            .then(|| pg_sys::SPI_getvalue(row, (*extensions).rd_att, pg_sys::Anum_pg_extension_extversion as i32))
            .filter(|version| !version.is_null())
            .map(|version| CStr::from_ptr(version).to_string_lossy().into_owned());
        pg_sys::systable_endscan(scan);
        pg_sys::table_close(extensions, pg_sys::AccessShareLock as i32);
        version
    }
}
