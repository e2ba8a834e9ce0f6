//! The only place with SQL that Rust runs. Each statement has one constant and one function, its names are fully
//! qualified, and its plan is kept.

pub mod activation;
pub mod api_keys;
pub mod catalog;
pub mod claims;
pub mod consumers;
pub mod counts;
pub mod deliveries;
pub mod delivery_lists;
pub mod endpoint_health;
pub mod endpoints;
pub mod events;
mod fan_out;
pub mod holds;
pub mod idempotency;
pub mod lines;
pub mod list;
pub mod locks;
pub mod maintenance;
pub mod new_sessions;
pub mod organizations;
pub mod payment_lists;
pub mod payments;
pub mod purge;
pub mod recoveries;
pub mod redeliveries;
pub mod references;
pub mod refunds;
mod row;
pub mod sessions;
pub mod settings;
mod statement;
pub mod subtransaction;
pub mod transitions;
