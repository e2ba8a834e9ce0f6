//! What the launcher, the workers and all backends know of each other, in shared memory.

use std::sync::atomic::{AtomicBool, Ordering};

use chrono::{DateTime, TimeDelta, Utc};
use pgrx::lwlock::PgLwLock;
use pgrx::prelude::*;
use pgrx::shmem::PGRXSharedMemory;
use pgrx::{pg_shmem_init, pg_sys};

use crate::datum;

/// How many databases with the extension a server can have a worker for.
const DATABASES: usize = 128;
const ERROR_LENGTH: usize = 240;
/// A worker that has not reported within this time could not be started.
const START_TIMEOUT: TimeDelta = TimeDelta::seconds(30);
const FIRST_RETRY: TimeDelta = TimeDelta::seconds(1);
const LAST_RETRY: TimeDelta = TimeDelta::minutes(5);

/// Times are microseconds since 2000, as in Postgres.
pub const NEVER: i64 = i64::MAX;

#[derive(Clone, Copy)]
pub struct Database {
    oid: pg_sys::Oid,
    /// Of the worker at work; 0 when there is none.
    pid: i32,
    latch: *mut pg_sys::Latch,
    /// Since when a worker is being started; 0 when none is.
    starting_since: i64,
    /// When there is next something to do.
    wake_at: i64,
    /// Not to be started before, after a failure.
    not_before: i64,
    last_sweep_at: i64,
    last_purge_at: i64,
    /// No worker could be started because all of the server's slots were taken.
    waiting: bool,
    failures: u32,
    error_at: i64,
    error_length: usize,
    error: [u8; ERROR_LENGTH],
}

const UNUSED: Database = Database {
    oid: pg_sys::InvalidOid,
    pid: 0,
    latch: std::ptr::null_mut(),
    starting_since: 0,
    wake_at: NEVER,
    not_before: 0,
    last_sweep_at: 0,
    last_purge_at: 0,
    waiting: false,
    failures: 0,
    error_at: 0,
    error_length: 0,
    error: [0; ERROR_LENGTH],
};

struct Registry {
    launcher_pid: i32,
    launcher_latch: *mut pg_sys::Latch,
    databases: [Database; DATABASES],
}

// SAFETY: plain data, read and written under the lock. The latches point to shared memory that lives as long as the
// server; setting one whose process has gone wakes somebody for nothing, at worst.
unsafe impl PGRXSharedMemory for Registry {}

// SAFETY: the name is the extension's own.
static REGISTRY: PgLwLock<Registry> = unsafe { PgLwLock::new(c"checkout_sessions") };
static AVAILABLE: AtomicBool = AtomicBool::new(false);

pub fn init() {
    pg_shmem_init!(
        REGISTRY = Registry { launcher_pid: 0, launcher_latch: std::ptr::null_mut(), databases: [UNUSED; DATABASES] }
    );
    AVAILABLE.store(true, Ordering::Relaxed);
}

/// Whether the library was preloaded, so that there is a launcher.
pub fn available() -> bool {
    AVAILABLE.load(Ordering::Relaxed)
}

pub fn now() -> i64 {
    datum::micros(datum::now())
}

fn span(span: TimeDelta) -> i64 {
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

    /// The entry of a database, made if there is room.
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
    fn fail(&mut self, now: i64) {
        self.failures = self.failures.saturating_add(1);
        let factor = 1_i32 << (self.failures - 1).min(16);
        self.not_before = now + span((FIRST_RETRY * factor).min(LAST_RETRY));
        self.wake_at = self.wake_at.min(now);
    }

    fn note_error(&mut self, message: &str, now: i64) {
        let mut length = message.len().min(ERROR_LENGTH);
        while !message.is_char_boundary(length) {
            length -= 1;
        }
        self.error[..length].copy_from_slice(&message.as_bytes()[..length]);
        self.error_length = length;
        self.error_at = now;
    }
}

// For every backend ------------------------------------------------------------------------------------------------

/// Tells whoever looks after this database that there is something to do at `at`.
pub fn notify(oid: pg_sys::Oid, at: i64) {
    if REGISTRY.share().find(oid).is_some_and(|database| database.wake_at <= at) {
        return;
    }
    let mut registry = REGISTRY.exclusive();
    let launcher = registry.launcher_latch;
    let Some(database) = registry.entry(oid) else {
        return;
    };
    database.wake_at = database.wake_at.min(at);
    let latch = if database.pid == 0 { launcher } else { database.latch };
    drop(registry);
    set_latch(latch);
}

/// What `worker_status()` reports of a database.
#[derive(Default)]
pub struct Status {
    pub preloaded: bool,
    pub launcher_pid: Option<i32>,
    pub pid: Option<i32>,
    pub starting: bool,
    pub failing: bool,
    pub failures: i32,
    pub last_sweep_at: Option<DateTime<Utc>>,
    pub next_sweep_at: Option<DateTime<Utc>>,
    pub last_error: Option<String>,
    pub last_error_at: Option<DateTime<Utc>>,
}

pub fn status() -> Status {
    if !available() {
        return Status::default();
    }
    // SAFETY: set when the backend connected.
    let oid = unsafe { pg_sys::MyDatabaseId };
    let registry = REGISTRY.share();
    let launcher_pid = Some(registry.launcher_pid).filter(|pid| *pid != 0);
    let Some(database) = registry.find(oid) else {
        return Status { preloaded: true, launcher_pid, ..Status::default() };
    };
    let time = |at: i64| match at {
        0 | NEVER => None,
        at => Some(datum::from_micros(at)),
    };
    Status {
        preloaded: true,
        launcher_pid,
        pid: Some(database.pid).filter(|pid| *pid != 0),
        starting: database.starting_since != 0,
        failing: database.failures > 0 || database.waiting,
        failures: i32::try_from(database.failures).unwrap_or(i32::MAX),
        last_sweep_at: time(database.last_sweep_at),
        next_sweep_at: time(database.wake_at.max(database.not_before).max(1)),
        last_error: (database.error_at != 0)
            .then(|| String::from_utf8_lossy(&database.error[..database.error_length]).into_owned()),
        last_error_at: time(database.error_at),
    }
}

// For the launcher -------------------------------------------------------------------------------------------------

pub fn attach_launcher() {
    let mut registry = REGISTRY.exclusive();
    // SAFETY: this process's own, set before its main function is called.
    unsafe {
        registry.launcher_pid = pg_sys::MyProcPid;
        registry.launcher_latch = pg_sys::MyLatch;
    }
}

pub fn detach_launcher() {
    let mut registry = REGISTRY.exclusive();
    registry.launcher_pid = 0;
    registry.launcher_latch = std::ptr::null_mut();
}

/// Has every known database, and each of `found`, looked at now; returns those for which there was no room.
pub fn look_everywhere(found: &[pg_sys::Oid]) -> Vec<pg_sys::Oid> {
    let now = now();
    let mut registry = REGISTRY.exclusive();
    for database in registry.databases.iter_mut().filter(|database| database.oid != pg_sys::InvalidOid) {
        database.wake_at = database.wake_at.min(now);
    }
    let mut left = Vec::new();
    for oid in found {
        match registry.entry(*oid) {
            Some(database) => database.wake_at = database.wake_at.min(now),
            None => left.push(*oid),
        }
    }
    left
}

/// Forgets databases that are no more.
pub fn keep_only(existing: &[pg_sys::Oid]) {
    for database in REGISTRY.exclusive().databases.iter_mut() {
        if database.pid == 0 && !existing.contains(&database.oid) {
            *database = UNUSED;
        }
    }
}

/// A database for which a worker is to be started now.
pub struct Due {
    pub oid: pg_sys::Oid,
    /// The last worker there failed: the database may be gone.
    pub failed: bool,
}

/// Databases that are due, marked as being started; and when to ask again.
pub fn due(early: TimeDelta) -> (Vec<Due>, i64) {
    let now = now();
    let mut due = Vec::new();
    let mut next = NEVER;
    for database in REGISTRY.exclusive().databases.iter_mut() {
        if database.oid == pg_sys::InvalidOid || database.pid != 0 {
            continue;
        }
        if database.starting_since != 0 {
            let overdue_at = database.starting_since + span(START_TIMEOUT);
            if now < overdue_at {
                next = next.min(overdue_at);
                continue;
            }
            database.starting_since = 0;
            database.note_error("worker did not start", now);
            database.fail(now);
        }
        if database.wake_at == NEVER {
            continue;
        }
        let start_at = (database.wake_at - span(early)).max(database.not_before);
        if start_at <= now {
            database.starting_since = now;
            database.waiting = false;
            due.push(Due { oid: database.oid, failed: database.failures > 0 });
        } else {
            next = next.min(start_at);
        }
    }
    (due, next)
}

/// A worker could not be started, because the server has no slot free for it. Tried again whenever the launcher wakes: the
/// server wakes it when a worker of ours has left its slot.
pub fn not_started(oid: pg_sys::Oid, message: &str) {
    let now = now();
    if let Some(database) = REGISTRY.exclusive().find_mut(oid) {
        database.starting_since = 0;
        database.note_error(message, now);
        database.waiting = true;
    }
}

// For a worker -----------------------------------------------------------------------------------------------------

/// False when another worker is at work on the database already.
pub fn attach_worker(oid: pg_sys::Oid) -> bool {
    let mut registry = REGISTRY.exclusive();
    let Some(database) = registry.entry(oid) else {
        return false;
    };
    if database.pid != 0 {
        return false;
    }
    database.starting_since = 0;
    // SAFETY: this process's own.
    unsafe {
        database.pid = pg_sys::MyProcPid;
        database.latch = pg_sys::MyLatch;
    }
    true
}

/// The worker of a database ends; `failed` when it was not done.
pub fn detach_worker(oid: pg_sys::Oid, failed: bool) {
    let now = now();
    let mut registry = REGISTRY.exclusive();
    let launcher = registry.launcher_latch;
    if let Some(database) = registry.find_mut(oid) {
        database.pid = 0;
        database.latch = std::ptr::null_mut();
        if failed {
            database.fail(now);
        }
    }
    drop(registry);
    set_latch(launcher);
}

/// A worker is about to look what is due: until it says when it will look again, everything that is new is news.
pub fn begin_sweep(oid: pg_sys::Oid) {
    if let Some(database) = REGISTRY.exclusive().find_mut(oid) {
        database.wake_at = NEVER;
    }
}

/// A worker has looked; `next` is when to look again. Returns that, or what was said meanwhile and is sooner.
pub fn end_sweep(oid: pg_sys::Oid, next: i64, purged: bool) -> i64 {
    let now = now();
    let mut registry = REGISTRY.exclusive();
    let Some(database) = registry.find_mut(oid) else {
        return NEVER;
    };
    database.failures = 0;
    database.not_before = 0;
    database.last_sweep_at = now;
    if purged {
        database.last_purge_at = now;
    }
    database.wake_at = database.wake_at.min(next);
    database.wake_at
}

/// The database cannot be looked at before `at`: somebody holds a lock.
pub fn postpone(oid: pg_sys::Oid, at: i64) {
    if let Some(database) = REGISTRY.exclusive().find_mut(oid) {
        database.wake_at = database.wake_at.min(at);
        database.not_before = at;
    }
}

/// The extension is not in the database. Forgets it, unless somebody said otherwise since the sweep began.
pub fn forget(oid: pg_sys::Oid) {
    if let Some(database) = REGISTRY.exclusive().find_mut(oid)
        && database.wake_at == NEVER
    {
        *database = UNUSED;
    }
}

pub fn last_purge_at(oid: pg_sys::Oid) -> i64 {
    REGISTRY.share().find(oid).map_or(0, |database| database.last_purge_at)
}

pub fn note_error(oid: pg_sys::Oid, message: &str) {
    let now = now();
    if let Some(database) = REGISTRY.exclusive().find_mut(oid) {
        database.note_error(message, now);
    }
}
