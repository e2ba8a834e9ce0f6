//! Hooks that went on after every cancel, so that their connection was ended. They are called no more until they are set
//! again: else a payment whose hook never ends would never be recorded, however often it is reported.

#![expect(unsafe_code, reason = "shares plain data under a lock")]

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use pgrx::lwlock::PgLwLock;
use pgrx::prelude::*;
use pgrx::shmem::PGRXSharedMemory;
use pgrx::{pg_shmem_init, pg_sys};

use super::registry;
use crate::backend;

/// The number of hooks that are remembered. The oldest is forgotten for another.
const ROOM: usize = 64;

#[derive(Clone, Copy, PartialEq, Eq)]
struct Function {
    database: pg_sys::Oid,
    function: pg_sys::Oid,
}

struct Noted {
    next: usize,
    functions: [Function; ROOM],
}

// SAFETY: plain data, read and written under the lock.
unsafe impl PGRXSharedMemory for Noted {}

// SAFETY: the name is the extension's own.
static NOTED: PgLwLock<Noted> = unsafe { PgLwLock::new(c"checkout_sessions unending hooks") };

const NONE: Function = Function { database: pg_sys::InvalidOid, function: pg_sys::InvalidOid };

/// The hook that runs in this process; 0 if none does. Read where its connection ends.
static RUNNING: AtomicU32 = AtomicU32::new(0);
/// True if it has gone on so often that its connection is being ended.
static GIVEN_UP: AtomicBool = AtomicBool::new(false);

pub fn init() {
    pg_shmem_init!(NOTED = Noted { next: 0, functions: [NONE; ROOM] });
}

/// Says which hook runs now. Returns the one that has led to it, or none.
pub fn running(function: pg_sys::Oid) -> pg_sys::Oid {
    GIVEN_UP.store(false, Ordering::Relaxed);
    pg_sys::Oid::from(RUNNING.swap(function.to_u32(), Ordering::Relaxed))
}

/// Called by a signal handler before it ends the connection.
pub fn give_up() {
    GIVEN_UP.store(true, Ordering::Relaxed);
}

/// Called when an error ends this process.
pub fn note_fatal() {
    let function = pg_sys::Oid::from(RUNNING.load(Ordering::Relaxed));
    if GIVEN_UP.swap(false, Ordering::Relaxed) && function != pg_sys::InvalidOid && registry::available() {
        let mut noted = NOTED.exclusive();
        let next = noted.next % ROOM;
        noted.functions[next] = here(function);
        noted.next = next + 1;
    }
}

/// True if this function has had to be ended with its connection since it was set, or since the server started.
pub fn is_noted(function: pg_sys::Oid) -> bool {
    registry::available() && NOTED.share().functions.contains(&here(function))
}

/// The function is to be called again.
pub fn forget(function: pg_sys::Oid) {
    if registry::available() {
        let function = here(function);
        NOTED.exclusive().functions.iter_mut().filter(|noted| **noted == function).for_each(|noted| *noted = NONE);
    }
}

fn here(function: pg_sys::Oid) -> Function {
    Function { database: backend::database(), function }
}
