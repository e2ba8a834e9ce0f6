//! Checkout sessions inside PostgreSQL.
//!
//! Where to look: `api` is what can be called, `domain` is the rules (no Postgres in it), `dialects` the dialects, `store` is the SQL that runs,
//! `notify` tells relays, `tenant` is who is calling, `postgrest` the HTTP request that a call came with, `worker` is what happens on its own, `log`
//! keeps secrets out of the server's log. Tables and rights are in `sql/`.

#[cfg(not(panic = "unwind"))]
compile_error!("build with panic = \"unwind\": an abort would restart the whole server");

use pgrx::prelude::*;

mod api;
mod datum;
mod dialects;
mod domain;
mod gucs;
mod log;
mod notify;
mod operations;
mod postgrest;
mod report;
mod role;
mod store;
mod tenant;
mod worker;

pgrx::pg_module_magic!(name, version);

/// Called when a backend, or the postmaster by `shared_preload_libraries`, loads the library.
#[pg_guard]
pub extern "C-unwind" fn _PG_init() {
    // pgrx would put backtraces into the DETAIL of errors, for every client to see.
    // SAFETY: a backend has one thread, and the postmaster has.
    unsafe {
        std::env::remove_var("RUST_BACKTRACE");
        std::env::remove_var("RUST_LIB_BACKTRACE");
    }
    gucs::init();
    log::init();
    worker::init();
}
