//! Checkout sessions inside PostgreSQL. The rules are a crate of their own, without Postgres: `rules`.
//!
//! From top to bottom, each uses only those below: `api` is what SQL calls, and `worker` what happens on its own; `operations`
//! is what they do; `store` is the SQL that this runs; `shared` is the memory that all processes share. At the bottom, `tenant`
//! is who is calling, `postgrest` the HTTP request that a call came with, `datum` the values of SQL, `gucs` the settings.
//! `report` raises errors, `log` keeps secrets out of the server's log. Tables, functions and rights are in `sql/`.

#[cfg(not(panic = "unwind"))]
compile_error!("build with panic = \"unwind\": an abort would restart the whole server");

use pgrx::prelude::*;

mod api;
mod backend;
mod datum;
mod gucs;
mod log;
mod operations;
mod postgrest;
mod report;
mod role;
mod shared;
mod store;
mod tenant;
mod worker;

pgrx::pg_module_magic!(name, version);

/// Called when a backend, or the postmaster by `shared_preload_libraries`, loads the library.
#[expect(unsafe_code, reason = "removes environment variables before there are threads")]
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
