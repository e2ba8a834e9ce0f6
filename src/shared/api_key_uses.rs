//! When API keys were last used: noted in shared memory, and written to the table by the worker about a minute later.
//!
//! If the call that uses a key wrote the time, every request would wait for the others with its key, and would fail in
//! READ ONLY transactions. A crash, or a lack of room, loses at most a minute's worth of times.

#![expect(unsafe_code, reason = "shares plain data under a lock")]

use std::cell::RefCell;
use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use pgrx::lwlock::PgLwLock;
use pgrx::prelude::*;
use pgrx::shmem::PGRXSharedMemory;
use pgrx::{pg_shmem_init, pg_sys};

use super::registry;
use crate::{backend, datum};
use rules::access::api_key::NAME;

/// The number of keys whose use can be noted within a minute.
const ROOM: usize = 2_048;
/// How often a backend notes the use of one key.
const NOTE_EVERY: TimeDelta = TimeDelta::minutes(1);
/// How long uses are gathered before they are written.
const WRITE_AFTER: TimeDelta = TimeDelta::minutes(1);
/// The number of keys that a backend remembers having noted.
const REMEMBERED: usize = 1_000;

type Name = [u8; NAME];

#[derive(Clone, Copy)]
struct Use {
    database: pg_sys::Oid,
    api_key_id: Name,
    /// Microseconds since 2000, as in Postgres.
    at: i64,
}

struct Uses {
    count: usize,
    noted: [Use; ROOM],
}

// SAFETY: plain data, read and written under the lock.
unsafe impl PGRXSharedMemory for Uses {}

// SAFETY: the name is the extension's own.
static USES: PgLwLock<Uses> = unsafe { PgLwLock::new(c"checkout_sessions API key uses") };

thread_local! {
    /// The keys whose use this backend has noted, and when.
    static NOTED: RefCell<HashMap<Name, DateTime<Utc>>> = RefCell::default();
}

pub fn init() {
    const UNUSED: Use = Use { database: pg_sys::InvalidOid, api_key_id: [0; NAME], at: 0 };
    pg_shmem_init!(USES = Uses { count: 0, noted: [UNUSED; ROOM] });
}

/// Notes the use of a key. Without a worker the note would never be written.
pub fn note_use(api_key_id: &str, now: DateTime<Utc>) {
    let Ok(api_key_id) = Name::try_from(api_key_id.as_bytes()) else { return };
    if !registry::available() || backend::in_recovery() || !is_news(api_key_id, now) {
        return;
    }
    let database = backend::database();
    USES.exclusive().note(Use { database, api_key_id, at: datum::micros(now) });
    registry::wake(database, datum::micros(now + WRITE_AFTER));
}

fn is_news(api_key_id: Name, now: DateTime<Utc>) -> bool {
    NOTED.with_borrow_mut(|noted| {
        if noted.get(&api_key_id).is_some_and(|at| (now - *at).abs() < NOTE_EVERY) {
            return false;
        }
        if noted.len() >= REMEMBERED {
            noted.clear();
        }
        noted.insert(api_key_id, now);
        true
    })
}

impl Uses {
    fn note(&mut self, new: Use) {
        let known = self.noted[..self.count]
            .iter_mut()
            .find(|old| old.database == new.database && old.api_key_id == new.api_key_id);
        match known {
            Some(old) => old.at = old.at.max(new.at),
            None if self.count < ROOM => {
                self.noted[self.count] = new;
                self.count += 1;
            }
            None => {}
        }
    }

    /// Takes out the notes of the chosen databases.
    fn take(&mut self, chosen: impl Fn(pg_sys::Oid) -> bool) -> Vec<Use> {
        let mut taken = Vec::new();
        let mut at = 0;
        while at < self.count {
            if chosen(self.noted[at].database) {
                taken.push(self.noted[at]);
                self.count -= 1;
                self.noted[at] = self.noted[self.count];
            } else {
                at += 1;
            }
        }
        taken
    }
}

/// Forgets the notes of databases that no longer exist.
pub fn keep_only(exists: impl Fn(pg_sys::Oid) -> bool) {
    USES.exclusive().take(|database| !exists(database));
}

/// Takes out the notes of this database: the keys, and when they were used.
pub fn take() -> Vec<(String, DateTime<Utc>)> {
    if !registry::available() || USES.share().count == 0 {
        return Vec::new();
    }
    let database = backend::database();
    let taken = USES.exclusive().take(|oid| oid == database);
    taken
        .iter()
        .map(|used| (String::from_utf8_lossy(&used.api_key_id).into_owned(), datum::from_micros(used.at)))
        .collect()
}
