//! The rules of a checkout session: statuses, money, payments, validation, errors.
//!
//! Nothing here knows Postgres: no `use pgrx`, no SQL. Plain unit tests cover all of it.

pub mod api_key;
pub mod client_secret;
pub mod credential;
pub mod delivery;
pub mod endpoint;
pub mod error;
pub mod event;
pub mod idempotency;
pub mod money;
pub mod payment;
pub mod policy;
pub mod redact;
pub mod reference;
pub mod http_credential;
pub mod retry;
pub mod session;
pub mod status;
pub mod time;
pub mod turns;
pub mod validate;
pub mod view;
pub mod webhook_signature;

pub use error::{Error, Result};
