//! The rules of checkout sessions, by subject. No Postgres in here: no SQL, no types of pgrx, nothing to mock.
//!
//! `access` says who is calling, `checkout` what a session and its payments may become, `webhooks` what is sent where and
//! when, `maintenance` in which order overdue work is done, and `dialects` how five payment companies' APIs put all this.
//! The dialects use the other subjects; `checkout` and `webhooks` use `access`; nobody uses the dialects.

pub mod access;
pub mod checkout;
pub mod dialects;
mod error;
pub mod maintenance;
pub mod validate;
pub mod webhooks;

pub use error::{Error, Result};
