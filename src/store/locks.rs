//! Locks that are taken without waiting.

#![expect(unsafe_code, reason = "takes the server's locks")]

use std::ffi::CStr;

use pgrx::pg_sys;

/// Returns true unless another process is dropping, renaming or copying the database. Such a process holds a lock on
/// the database and waits for us to leave.
pub fn database_is_free(database: pg_sys::Oid) -> bool {
    let tag = pg_sys::LOCKTAG {
        // The lock of a shared object (storage/lock.h, SET_LOCKTAG_OBJECT).
        locktag_field1: 0,
        locktag_field2: pg_sys::DatabaseRelationId.to_u32(),
        locktag_field3: database.to_u32(),
        locktag_field4: 0,
        locktag_type: pg_sys::LockTagType::LOCKTAG_OBJECT as u8,
        locktag_lockmethodid: pg_sys::DEFAULT_LOCKMETHOD as u8,
    };
    // SAFETY: does not wait. The lock is the session's, so that no transaction is needed. It is released at once: DROP
    // DATABASE ... WITH (FORCE) would wait for the lock before it ends us.
    unsafe {
        let mode = pg_sys::RowExclusiveLock as i32;
        let free = pg_sys::LockAcquire(&tag, mode, true, true) != pg_sys::LockAcquireResult::LOCKACQUIRE_NOT_AVAIL;
        if free {
            pg_sys::LockRelease(&tag, mode, true);
        }
        free
    }
}

pub enum Locked {
    Absent,
    Busy,
    Yes,
}

/// Makes DROP EXTENSION wait for the end of this transaction, or reports that it cannot.
pub fn lock_extension() -> Locked {
    // SAFETY: look-ups in catalogs and a lock, within a transaction.
    unsafe {
        let exists = || pg_sys::get_extension_oid(c"checkout_sessions".as_ptr(), true) != pg_sys::InvalidOid;
        let tables = || TABLES.map(table);
        let oids = tables();
        if !exists() || oids.contains(&pg_sys::InvalidOid) {
            return Locked::Absent;
        }
        if !oids.into_iter().all(|oid| pg_sys::ConditionalLockRelationOid(oid, pg_sys::RowExclusiveLock as i32)) {
            return Locked::Busy;
        }
        // Taking the locks makes earlier commits visible.
        if exists() && tables() == oids { Locked::Yes } else { Locked::Absent }
    }
}

const OPEN_SESSIONS: &CStr = c"open_sessions";
/// The tables of sessions.
const TABLES: [&CStr; 2] = [c"checkout_sessions", OPEN_SESSIONS];

fn table(name: &CStr) -> pg_sys::Oid {
    // SAFETY: look-ups in catalogs, within a transaction.
    unsafe {
        let schema = pg_sys::get_namespace_oid(c"checkout_data".as_ptr(), true);
        pg_sys::get_relname_relid(name.as_ptr(), schema)
    }
}

/// Returns true if open sessions can be read, for the rest of this transaction, without waiting for a lock on their
/// table or on one of its indexes.
pub fn open_sessions_can_be_read() -> bool {
    let lock = |oid| {
        // SAFETY: does not wait; released at the end of the transaction.
        unsafe { pg_sys::ConditionalLockRelationOid(oid, pg_sys::AccessShareLock as i32) }
    };
    let oid = table(OPEN_SESSIONS);
    if oid == pg_sys::InvalidOid || !lock(oid) {
        return false;
    }
    // SAFETY: the table is locked; the list is ours.
    unsafe {
        let table = pg_sys::table_open(oid, pg_sys::NoLock as i32);
        let indexes = pg_sys::RelationGetIndexList(table);
        pg_sys::table_close(table, pg_sys::NoLock as i32);
        // In Postgres an empty list is NULL.
        let count = indexes.as_ref().map_or(0, |list| usize::try_from(list.length).unwrap_or(0));
        (0..count).all(|at| lock((*(*indexes).elements.add(at)).oid_value))
    }
}
