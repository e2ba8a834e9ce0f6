//! The background work: sessions expire on time, reminders are written, relays are told of deliveries, the last uses of
//! API keys and the refused calls are noted, old keys and events are purged.
//!
//! As with autovacuum, there is a launcher, which connects to no database, and a worker for each database with due
//! work. A worker exits if nothing is due within seconds, so that it does not block DROP DATABASE, ALTER DATABASE ...
//! RENAME or CREATE DATABASE ... TEMPLATE.
//!
//! Correctness does not depend on any of it: every reader sees overdue sessions as expired. The worker only stores that
//! and announces it.

mod due;
mod launcher;
mod process;
mod resident;
mod sweeper;

use crate::backend;
use crate::shared::{api_key_uses, registry, request_failures, unending_hooks};

/// Sets up shared memory and the launcher, if the postmaster loads the library.
pub fn init() {
    if backend::is_preloading() && !backend::is_upgrading() {
        registry::init();
        api_key_uses::init();
        unending_hooks::init();
        request_failures::init();
        launcher::register();
        if crate::gucs::WORKER_DATABASE.get().is_some_and(|name| !name.is_empty()) {
            resident::register();
        }
    }
}
