//! The state that the launcher, the workers and all backends share about each database.

#![expect(unsafe_code, reason = "shares plain data under a lock")]

mod launcher;
mod pause;
mod resident;
mod status;
mod worker;

use std::sync::atomic::{AtomicBool, Ordering};

use chrono::TimeDelta;
use pgrx::lwlock::PgLwLock;
use pgrx::prelude::*;
use pgrx::shmem::PGRXSharedMemory;
use pgrx::{pg_shmem_init, pg_sys};

use self::pause::Pause;
use self::resident::{NOBODY, Resident};
use crate::{datum, gucs};
use rules::maintenance::turns::BEGINNING;

pub use launcher::{
    Due, attach_launcher, closed, deliveries_enabled, detach_launcher, due, enabled, keep_only, look_everywhere,
    not_started, set_deliveries_enabled, set_disabled,
};
pub use resident::{attach_resident, detach_resident, is_resident, residence, settle};
pub use status::status;
pub use worker::*;

/// The number of databases that a server can have a worker for.
const DATABASES: usize = 128;
const ERROR_LENGTH: usize = 240;
/// A worker that has not reported within this time counts as failed to start.
const START_TIMEOUT: TimeDelta = TimeDelta::seconds(30);
const FIRST_RETRY: TimeDelta = TimeDelta::seconds(1);
const LAST_RETRY: TimeDelta = TimeDelta::minutes(5);

/// Times are microseconds since 2000, as in Postgres.
pub const NEVER: i64 = i64::MAX;

/// Why a worker does nothing in its database.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub enum Rest {
    #[default]
    No,
    /// It must not write to the database.
    ReadOnly,
    /// The database has not been activated.
    Inactive,
    /// It is disabled, by the server's configuration or for the database.
    Disabled,
}

#[derive(Clone, Copy)]
pub struct Database {
    oid: pg_sys::Oid,
    /// The process id of the worker at work; 0 if there is none.
    pid: i32,
    latch: *mut pg_sys::Latch,
    /// While a worker is being started: how long that may take.
    starting: Option<Pause>,
    /// When the next work is due; 0: now.
    wake_at: i64,
    /// When that was planned.
    planned_at: i64,
    /// Since when work may be due that the worker does not know of yet.
    news: i64,
    /// True if relays must be told that deliveries are due.
    to_tell: bool,
    /// Before relays are told again.
    tell_pause: Pause,
    /// Before the next work, after a failure.
    pause: Pause,
    /// Before the next purge.
    purge_pause: Pause,
    last_sweep_at: i64,
    /// No worker could be started, because all of the server's slots were taken.
    waiting: bool,
    /// Why the last worker did nothing.
    rest: Rest,
    /// True if a caller has asked for a worker, whatever the last one found.
    asked: bool,
    failures: u32,
    error_at: i64,
    error_length: usize,
    error: [u8; ERROR_LENGTH],
}

const UNUSED: Database = Database {
    oid: pg_sys::InvalidOid,
    pid: 0,
    latch: std::ptr::null_mut(),
    starting: None,
    wake_at: NEVER,
    planned_at: 0,
    news: NEVER,
    to_tell: false,
    tell_pause: Pause::OVER,
    pause: Pause::OVER,
    purge_pause: Pause::OVER,
    last_sweep_at: 0,
    waiting: false,
    rest: Rest::No,
    asked: false,
    failures: 0,
    error_at: 0,
    error_length: 0,
    error: [0; ERROR_LENGTH],
};

struct Registry {
    launcher_pid: i32,
    launcher_latch: *mut pg_sys::Latch,
    /// True if the server's configuration lets no worker begin, whatever a database says.
    disabled: bool,
    /// True if it lets events be claimed.
    deliveries_enabled: bool,
    resident: Resident,
    databases: [Database; DATABASES],
}

// SAFETY: plain data, read and written under the lock. The latches point to shared memory that lives as long as the
// server. At worst, setting the latch of a process that is gone wakes another one for nothing.
unsafe impl PGRXSharedMemory for Registry {}

// SAFETY: the name is the extension's own.
static REGISTRY: PgLwLock<Registry> = unsafe { PgLwLock::new(c"checkout_sessions") };
static AVAILABLE: AtomicBool = AtomicBool::new(false);

pub fn init() {
    pg_shmem_init!(
        REGISTRY = Registry {
            launcher_pid: 0,
            launcher_latch: std::ptr::null_mut(),
            disabled: false,
            deliveries_enabled: gucs::DELIVERIES_ENABLED.get(),
            resident: NOBODY,
            databases: [UNUSED; DATABASES],
        }
    );
    AVAILABLE.store(true, Ordering::Relaxed);
}

/// Returns true if the library was preloaded, so that there is a launcher.
pub fn available() -> bool {
    AVAILABLE.load(Ordering::Relaxed)
}

pub fn now() -> i64 {
    datum::micros(datum::now())
}

/// In microseconds.
pub fn span(span: TimeDelta) -> i64 {
    span.num_microseconds().unwrap_or(NEVER)
}

fn set_latch(latch: *mut pg_sys::Latch) {
    if !latch.is_null() {
        // SAFETY: a latch in shared memory: see Registry.
        unsafe { pg_sys::SetLatch(latch) };
    }
}

impl Registry {
    fn find(&self, oid: pg_sys::Oid) -> Option<&Database> {
        self.databases.iter().find(|database| database.oid == oid)
    }

    fn find_mut(&mut self, oid: pg_sys::Oid) -> Option<&mut Database> {
        self.databases.iter_mut().find(|database| database.oid == oid)
    }

    /// The entry of a database. Makes it if there is room.
    fn entry(&mut self, oid: pg_sys::Oid) -> Option<&mut Database> {
        let at = self
            .databases
            .iter()
            .position(|database| database.oid == oid)
            .or_else(|| self.databases.iter().position(|database| database.oid == pg_sys::InvalidOid))?;
        let database = &mut self.databases[at];
        if database.oid != oid {
            *database = Database { oid, ..UNUSED };
        }
        Some(database)
    }
}

impl Database {
    /// Notes that work may be due since `at`. With `BEGINNING` a caller asks for a worker, even if the last one found
    /// that it has to rest.
    fn tell(&mut self, at: i64) {
        self.news = self.news.min(at);
        self.wake_at = self.wake_at.min(at);
        if at <= datum::micros(BEGINNING) {
            self.asked = true;
            if matches!(self.rest, Rest::Inactive | Rest::Disabled) {
                self.pause = Pause::OVER;
            }
        }
    }

    /// Plans the next work for `at`, unless earlier work is known. `now` is read under the lock, as everywhere where it is
    /// compared with an earlier plan: otherwise a process that had to wait for the lock would take its own delay for a
    /// clock that was set back.
    fn plan(&mut self, at: i64, now: i64) {
        self.wake_at = self.wake_at.min(at);
        self.planned_at = now;
    }

    /// When to sweep next. If the clock was set back since that was planned, it may come too late.
    fn sweep_at(&self, now: i64) -> i64 {
        let at = if now < self.planned_at { 0 } else { self.wake_at };
        at.max(self.pause.ends_at(now))
    }

    /// When to tell relays; NEVER if there is nothing to tell.
    fn tell_at(&self, now: i64) -> i64 {
        if self.to_tell { self.tell_pause.ends_at(now) } else { NEVER }
    }

    fn fail(&mut self) {
        self.failures = self.failures.saturating_add(1);
        let factor = 1_i32 << (self.failures - 1).min(16);
        self.pause = Pause::of((FIRST_RETRY * factor).min(LAST_RETRY));
        self.wake_at = 0;
    }

    fn error(&self) -> &[u8] {
        &self.error[..self.error_length]
    }

    /// Notes an error. Returns true if it differs from the last one.
    fn note_error(&mut self, message: &str, now: i64) -> bool {
        let mut length = message.len().min(ERROR_LENGTH);
        while !message.is_char_boundary(length) {
            length -= 1;
        }
        let message = &message.as_bytes()[..length];
        let another = self.error() != message;
        self.error[..length].copy_from_slice(message);
        self.error_length = length;
        self.error_at = now;
        another
    }
}

/// Tells the worker of this database, or the launcher, that work is due at `at`.
pub fn wake(oid: pg_sys::Oid, at: i64) {
    if REGISTRY.share().find(oid).is_none_or(|database| database.wake_at > at) {
        change(oid, |database| database.tell(at));
    }
}

/// Tells the worker of this database, or the launcher, that relays must be told of deliveries.
pub fn deliveries_due(oid: pg_sys::Oid) {
    if REGISTRY.share().find(oid).is_none_or(|database| !database.to_tell) {
        change(oid, |database| database.to_tell = true);
    }
}

/// Changes the entry of a database, and wakes its worker, or else the process that starts one.
fn change(oid: pg_sys::Oid, change: impl FnOnce(&mut Database)) {
    let mut registry = REGISTRY.exclusive();
    let starter = if registry.resident.database == oid { registry.resident.latch } else { registry.launcher_latch };
    let Some(database) = registry.entry(oid) else {
        return;
    };
    change(database);
    let latch = if database.pid == 0 { starter } else { database.latch };
    drop(registry);
    set_latch(latch);
}
