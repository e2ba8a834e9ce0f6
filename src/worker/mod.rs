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
mod locks;
mod process;
mod registry;
mod resident;
mod sweeper;
mod uses;
mod wake;

use pgrx::pg_sys;

pub use locks::sessions_can_be_read;
pub use registry::status;
pub use sweeper::note_fatal;
pub use uses::{note_use, write_uses};
pub use wake::{tell_relays_at_commit, wake_at_commit};

/// Sets up shared memory and the launcher, if the postmaster is loading the library.
pub fn init() {
    // SAFETY: both are set before any library is loaded.
    let (preloading, upgrading) =
        unsafe { (pg_sys::process_shared_preload_libraries_in_progress, pg_sys::IsBinaryUpgrade) };
    if preloading && !upgrading {
        registry::init();
        uses::init();
        launcher::register();
        if crate::gucs::WORKER_DATABASE.get().is_some_and(|name| !name.is_empty()) {
            resident::register();
        }
    }
}
