//! Refused calls, counted in shared memory, because what a refused call writes is rolled back. The worker writes the
//! counts to a table some seconds later. A crash, or a lack of room, loses at most the counts of these seconds.

#![expect(unsafe_code, reason = "shares plain data under a lock")]

use chrono::{DateTime, TimeDelta, Utc};
use pgrx::lwlock::PgLwLock;
use pgrx::prelude::*;
use pgrx::shmem::PGRXSharedMemory;
use pgrx::{pg_shmem_init, pg_sys};
use uuid::Uuid;

use super::registry;
use crate::tenant::Tenant;
use crate::{backend, datum};
use rules::access::credential::Environment;

/// The number of kinds of failures that can be counted between two writes.
const ROOM: usize = 1_024;
/// How long failures are counted before they are written.
const WRITE_AFTER: TimeDelta = TimeDelta::seconds(10);
/// If there is no room, what nobody has written for so long is forgotten: its database has no worker.
const FORGET_AFTER: TimeDelta = TimeDelta::minutes(1);
/// The server's limit of names.
const NAME: usize = 63;
const MESSAGE: usize = 200;

/// A text of at most so many bytes, in shared memory.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Short<const BYTES: usize> {
    length: u8,
    bytes: [u8; BYTES],
}

impl<const BYTES: usize> Short<BYTES> {
    const EMPTY: Self = Self { length: 0, bytes: [0; BYTES] };

    /// The beginning of a text.
    fn new(text: &str) -> Self {
        let mut length = text.len().min(BYTES).min(u8::MAX.into());
        while !text.is_char_boundary(length) {
            length -= 1;
        }
        let mut new = Self { length: u8::try_from(length).unwrap_or_default(), ..Self::EMPTY };
        new.bytes[..length].copy_from_slice(&text.as_bytes()[..length]);
        new
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes[..self.length.into()]).into_owned()
    }
}

/// What is counted together.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Kind {
    database: pg_sys::Oid,
    organization_id: [u8; 16],
    live: bool,
    sqlstate: [u8; 5],
    function: Short<NAME>,
}

#[derive(Clone, Copy)]
struct Count {
    kind: Kind,
    count: i64,
    /// Microseconds since 2000, as in Postgres.
    last_at: i64,
    last_message: Short<MESSAGE>,
}

struct Counts {
    used: usize,
    counts: [Count; ROOM],
}

// SAFETY: plain data, read and written under the lock.
unsafe impl PGRXSharedMemory for Counts {}

// SAFETY: the name is the extension's own.
static COUNTS: PgLwLock<Counts> = unsafe { PgLwLock::new(c"checkout_sessions request failures") };

pub fn init() {
    const NOTHING: Kind = Kind {
        database: pg_sys::InvalidOid,
        organization_id: [0; 16],
        live: false,
        sqlstate: [0; 5],
        function: Short::EMPTY,
    };
    const UNUSED: Count = Count { kind: NOTHING, count: 0, last_at: 0, last_message: Short::EMPTY };
    pg_shmem_init!(COUNTS = Counts { used: 0, counts: [UNUSED; ROOM] });
}

/// Refused calls of one kind that are not in the table yet.
pub struct Failures {
    pub tenant: Tenant,
    pub function: String,
    pub sqlstate: String,
    pub count: i64,
    pub last_at: DateTime<Utc>,
    /// Empty if the server's message could repeat a value.
    pub last_message: String,
}

/// Counts a refused call. Without a worker nobody would write the counts; a standby cannot.
pub fn note(tenant: Tenant, function: &str, sqlstate: &[u8; 5], message: &str) {
    if !registry::available() || backend::in_recovery() {
        return;
    }
    let kind = Kind {
        database: backend::database(),
        organization_id: tenant.organization_id.into_bytes(),
        live: tenant.environment == Environment::Live,
        sqlstate: *sqlstate,
        function: Short::new(function),
    };
    let now = registry::now();
    if COUNTS.exclusive().note(Count { kind, count: 1, last_at: now, last_message: Short::new(message) }) {
        registry::wake(kind.database, now + registry::span(WRITE_AFTER));
    }
}

impl Counts {
    /// Returns true if it is the first of its kind.
    fn note(&mut self, new: Count) -> bool {
        let used = &mut self.counts[..self.used];
        if let Some(known) = used.iter_mut().find(|known| known.kind == new.kind) {
            *known = Count { count: known.count.saturating_add(new.count), ..new };
            return false;
        }
        let free = match self.counts.get_mut(self.used) {
            Some(free) => {
                self.used += 1;
                free
            }
            None => {
                let oldest = self.counts.iter_mut().min_by_key(|known| known.last_at);
                match oldest.filter(|known| known.last_at < new.last_at - registry::span(FORGET_AFTER)) {
                    Some(oldest) => oldest,
                    None => return false,
                }
            }
        };
        *free = new;
        true
    }

    /// Takes out the counts of the chosen databases.
    fn take(&mut self, chosen: impl Fn(pg_sys::Oid) -> bool) -> Vec<Count> {
        let mut taken = Vec::new();
        let mut at = 0;
        while at < self.used {
            if chosen(self.counts[at].kind.database) {
                taken.push(self.counts[at]);
                self.used -= 1;
                self.counts[at] = self.counts[self.used];
            } else {
                at += 1;
            }
        }
        taken
    }
}

/// Forgets the counts of databases that no longer exist.
pub fn keep_only(exists: impl Fn(pg_sys::Oid) -> bool) {
    COUNTS.exclusive().take(|database| !exists(database));
}

/// Takes out the counts of this database.
pub fn take() -> Vec<Failures> {
    if !registry::available() || COUNTS.share().used == 0 {
        return Vec::new();
    }
    let database = backend::database();
    let taken = COUNTS.exclusive().take(|oid| oid == database);
    taken
        .iter()
        .map(|Count { kind, count, last_at, last_message }| Failures {
            tenant: Tenant {
                organization_id: Uuid::from_bytes(kind.organization_id),
                environment: if kind.live { Environment::Live } else { Environment::Test },
            },
            function: kind.function.text(),
            sqlstate: String::from_utf8_lossy(&kind.sqlstate).into_owned(),
            count: *count,
            last_at: datum::from_micros(*last_at),
            last_message: last_message.text(),
        })
        .collect()
}
