//! `checkout-sessions listen`: forwards the events of a test environment to a developer's own server.
//!
//! `consumer` gets the events, `forwarder` sends them, `screen` shows both.

mod consumer;
mod forwarder;
mod options;
mod run;
mod screen;

pub use options::Options;
pub use run::start;
