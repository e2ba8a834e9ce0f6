//! What a call does, below its arguments: `api`, the dialects and the worker call down into these, and these into
//! `store`.

pub mod carts;
pub mod catalog;
pub mod credentials;
pub mod deletion;
pub mod dialects;
pub mod folding;
mod holding;
pub mod hooks;
pub mod maintenance;
pub mod payments;
pub mod refunds;
pub mod retention;
pub mod scenarios;
pub mod session_terms;
pub mod sessions;
pub mod subscribing;
pub mod subscriptions;
pub mod visits;
pub mod webhook_deliveries;
