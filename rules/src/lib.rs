//! The rules of checkout sessions, by subject, without Postgres: no SQL, no types of pgrx, nothing to mock.
//!
//! `access` says who is calling. `checkout` has the states of sessions and payments, `catalog` what they sell. `webhooks` decides which events
//! are sent, where and when. `maintenance` puts overdue work in order. `dialects` has the APIs of five payment
//! companies. The dialects use the other subjects; `checkout` and `webhooks` use `access`; no subject uses the
//! dialects.

pub mod access;
pub mod catalog;
pub mod checkout;
pub mod dialects;
mod error;
mod error_statistics;
#[cfg(test)]
mod fuzz_tests;
pub mod maintenance;
pub mod validate;
pub mod webhooks;

pub use error::{Error, Result};
