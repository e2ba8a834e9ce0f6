//! The launcher: sleeps until a database has due work, and starts a worker for it.

#![expect(unsafe_code, reason = "is a process of the server")]

use std::collections::{HashMap, HashSet};
use std::ffi::CStr;
use std::time::Duration;

use chrono::TimeDelta;
use pgrx::bgworkers::{BackgroundWorker, BackgroundWorkerBuilder, BgWorkerStartTime};
use pgrx::pg_sys;
use pgrx::prelude::*;

use super::process;
use crate::shared::{api_key_uses, registry, request_failures};
use crate::{backend, gucs};

/// How long before its work is due a worker is started: about the time that starting takes.
const HEAD_START: TimeDelta = TimeDelta::milliseconds(200);
/// How often to look for work that no backend reported: in databases made from a template, restored rows, prepared
/// transactions.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// When to try again if all background worker slots are taken, in microseconds.
const SLOT_RETRY: i64 = 1_000_000;
/// `DATCONNLIMIT_INVALID_DB`: the connection limit of a database whose DROP was interrupted.
const INVALID: i32 = -2;
/// When to continue with databases that found no room.
const LOOK_ON_AFTER: Duration = Duration::from_secs(1);

pub fn register() {
    BackgroundWorkerBuilder::new("checkout_sessions launcher")
        .set_library("checkout_sessions")
        .set_function("checkout_sessions_launcher_main")
        .set_restart_time(Some(Duration::from_secs(1)))
        .enable_spi_access()
        // On a standby it starts when the standby is promoted.
        .set_start_time(BgWorkerStartTime::RecoveryFinished)
        .load();
}

#[pg_guard]
#[unsafe(no_mangle)]
pub extern "C-unwind" fn checkout_sessions_launcher_main(_argument: pg_sys::Datum) {
    process::start();
    // Connects to no database: it reads catalogs that all databases share, and blocks no database.
    BackgroundWorker::connect_worker_to_spi(None, None);
    registry::attach_launcher();
    // SAFETY: the callback has the right signature.
    unsafe { pg_sys::before_shmem_exit(Some(at_exit), pg_sys::Datum::from(0)) };

    let mut seen = HashSet::new();
    let (mut next_look, mut last) = (0, 0);
    let mut transactions = None;
    let mut enabled = false;
    registry::set_disabled(!gucs::WORKER_ENABLED.get());
    loop {
        registry::set_deliveries_enabled(gucs::DELIVERIES_ENABLED.get());
        if gucs::WORKER_ENABLED.get() != enabled {
            enabled = !enabled;
            registry::set_disabled(!enabled);
            if enabled {
                registry::enabled();
                (next_look, transactions) = (0, None);
            }
        }
        if enabled {
            let now = registry::now();
            if now < last {
                (next_look, transactions) = (0, None);
            }
            last = now;
            if now >= next_look {
                // If no transaction has written since the last look, there is nothing to find: an idle server stays
                // idle.
                let latest = backend::next_transaction_id();
                let complete = transactions == Some(latest) || look(&mut seen);
                transactions = complete.then_some(latest);
                let pause = if complete { LOOK_EVERY } else { LOOK_ON_AFTER };
                next_look = now + i64::try_from(pause.as_micros()).unwrap_or(0);
            }
            let (due, next) = registry::due(HEAD_START);
            let next = if start_workers(&due) { next } else { next.min(now + SLOT_RETRY) };
            process::sleep_until(next.min(next_look), LOOK_EVERY);
        } else {
            process::sleep_until(registry::NEVER, LOOK_EVERY);
        }
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn at_exit(_code: std::ffi::c_int, _argument: pg_sys::Datum) {
    registry::detach_launcher();
}

/// Makes workers look at all databases that have the extension, or that have not been looked at yet. Returns false if
/// there are more than there is room for. Most turn out not to have the extension, and make room.
fn look(seen: &mut HashSet<pg_sys::Oid>) -> bool {
    let existing = databases();
    let is_open = |oid: &pg_sys::Oid| existing.get(oid).is_some_and(|database| database.open);
    registry::keep_only(|oid| existing.contains_key(&oid));
    api_key_uses::keep_only(|oid| existing.contains_key(&oid));
    request_failures::keep_only(|oid| existing.contains_key(&oid));
    seen.retain(is_open);
    let new: Vec<_> = existing.keys().copied().filter(|oid| is_open(oid) && !seen.contains(oid)).collect();
    let left = registry::look_everywhere(&new);
    let of_resident = existing.iter().find(|(_, database)| database.open && database.of_resident);
    registry::settle(of_resident.map_or(pg_sys::InvalidOid, |(oid, _)| *oid));
    seen.extend(new.into_iter().filter(|oid| !left.contains(oid)));
    left.is_empty()
}

struct Existing {
    /// True if it accepts connections and is no template.
    open: bool,
    /// True if a worker stays in it.
    of_resident: bool,
}

fn databases() -> HashMap<pg_sys::Oid, Existing> {
    let mut found = HashMap::new();
    let of_resident = gucs::WORKER_DATABASE.get();
    BackgroundWorker::transaction(std::panic::AssertUnwindSafe(|| {
        // SAFETY: a scan of a shared catalog within a transaction, as the autovacuum launcher makes; the tuples are read
        // before the scan goes on.
        unsafe {
            let relation = pg_sys::table_open(pg_sys::DatabaseRelationId, pg_sys::AccessShareLock as i32);
            let none = std::ptr::null_mut();
            let scan = pg_sys::systable_beginscan(relation, pg_sys::InvalidOid, false, none, 0, none.cast());
            loop {
                let tuple = pg_sys::systable_getnext(scan);
                if tuple.is_null() {
                    break;
                }
                let form = pg_sys::GETSTRUCT(tuple).cast::<pg_sys::FormData_pg_database>();
                let whole = (*form).datconnlimit != INVALID;
                let open = whole && (*form).datallowconn && !(*form).datistemplate;
                let name = CStr::from_ptr((*form).datname.data.as_ptr());
                let of_resident = of_resident.as_deref() == Some(name);
                found.insert((*form).oid, Existing { open, of_resident });
            }
            pg_sys::systable_endscan(scan);
            pg_sys::table_close(relation, pg_sys::AccessShareLock as i32);
        }
    }));
    found
}

/// Returns false if the server has no slot for one of them. Others may hold the slots, so the launcher soon tries
/// again.
fn start_workers(due: &[registry::Due]) -> bool {
    // After a failed worker, the database may have been dropped, or closed.
    let existing = due.iter().any(|due| due.failed).then(databases);
    if let Some(existing) = &existing {
        registry::keep_only(|oid| existing.contains_key(&oid));
    }
    let mut started = true;
    for due in due {
        let database = existing.as_ref().map(|existing| existing.get(&due.oid));
        match database {
            None | Some(Some(Existing { open: true, .. })) => started &= start_worker(due.oid),
            Some(Some(_)) => registry::closed(due.oid),
            Some(None) => {}
        }
    }
    started
}

fn start_worker(oid: pg_sys::Oid) -> bool {
    let started = BackgroundWorkerBuilder::new("checkout_sessions worker")
        .set_library("checkout_sessions")
        .set_function("checkout_sessions_worker_main")
        .set_argument(Some(pg_sys::Datum::from(oid)))
        // SAFETY: the process's own latch, set before its main function is called.
        .set_notify_pid(unsafe { pg_sys::MyProcPid })
        .enable_spi_access()
        .load_dynamic();
    if started.is_err() {
        registry::not_started(oid, "no background worker slot is free: raise max_worker_processes");
    }
    started.is_ok()
}
