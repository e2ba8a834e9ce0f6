//! Checkout sessions inside PostgreSQL. The rules are a crate of their own, without Postgres: `rules`.
//!
//! The modules from top to bottom; each uses only those below it. `api` has the functions that SQL calls, and `worker`
//! the background work; `operations` does the work of both; `store` has the SQL that this runs; `shared` is the memory
//! that all processes share. At the bottom, `tenant` says who is calling, `postgrest` reads the HTTP request of a call,
//! `datum` converts the values of SQL, and `gucs` has the settings. `report` raises errors, `log` keeps secrets out of
//! the server's log, `drop_guard` keeps the tables, `version` knows whether the schema is of another version. Tables,
//! functions and rights are in `sql/`.

#[cfg(not(panic = "unwind"))]
compile_error!("build with panic = \"unwind\": an abort would restart the whole server");

use pgrx::prelude::*;

mod api;
mod backend;
mod datum;
mod drop_guard;
mod gucs;
mod log;
mod operations;
mod postgrest;
mod report;
mod role;
mod shared;
mod store;
mod tenant;
mod version;
mod worker;

pgrx::pg_module_magic!(name, version);

/// Called when a backend loads the library, or the postmaster by `shared_preload_libraries`.
#[expect(unsafe_code, reason = "removes environment variables before there are threads")]
#[pg_guard]
pub extern "C-unwind" fn _PG_init() {
    // pgrx would put backtraces into the DETAIL of errors, for every client to see.
    // SAFETY: a backend and the postmaster each have one thread.
    unsafe {
        std::env::remove_var("RUST_BACKTRACE");
        std::env::remove_var("RUST_LIB_BACKTRACE");
    }
    gucs::init();
    log::init();
    drop_guard::init();
    worker::init();
}
