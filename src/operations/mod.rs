//! What a call does, below its arguments: `api`, the dialects and the worker call down into these, and these into
//! `store`.

pub mod credentials;
pub mod dialects;
pub mod maintenance;
pub mod payments;
pub mod refunds;
pub mod scenarios;
pub mod sessions;
pub mod webhook_deliveries;
