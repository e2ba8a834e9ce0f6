//! What happens on its own: sessions expire on time, reminders are written, relays are told of deliveries, the last uses of
//! API keys are noted, old keys and events are purged.
//!
//! As with autovacuum, there is a launcher, which connects to no database, and a worker for a database while it has
//! something to do there. A worker whose database has nothing due within seconds exits, so that nothing holds up DROP
//! DATABASE, ALTER DATABASE ... RENAME or CREATE DATABASE ... TEMPLATE.
//!
//! Nothing depends on any of it for being right: what is overdue is expired for every reader. The worker only makes it
//! durable and announces it.

mod due;
mod launcher;
mod process;
mod resident;
mod sweeper;

use crate::backend;
use crate::shared::{registry, uses};

/// Sets up shared memory and the launcher, if the postmaster is loading the library.
pub fn init() {
    if backend::is_preloading() && !backend::is_upgrading() {
        registry::init();
        uses::init();
        launcher::register();
        if crate::gucs::WORKER_DATABASE.get().is_some_and(|name| !name.is_empty()) {
            resident::register();
        }
    }
}
