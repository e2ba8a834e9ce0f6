//! The parts of sqlx that are used. The crate `sqlx` has the same names, but adds migrations, and with them a second
//! version of sha2.

pub use sqlx_core::connection::{ConnectOptions, Connection};
pub use sqlx_core::error::{Error, Result};
pub use sqlx_core::executor::Executor;
pub use sqlx_core::query::query;
pub use sqlx_core::query_scalar::query_scalar;
pub use sqlx_core::raw_sql::raw_sql;
pub use sqlx_core::row::Row;
pub use sqlx_postgres::{self as postgres, PgConnection, Postgres};
