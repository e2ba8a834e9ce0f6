//! The webhook relay. The database decides what is sent when, and signs it; the relay sends it.
//!
//! `claimer` claims and starts, `sender` sends, `recorder` reports; `guard` decides where connections may go.

mod attempt;
mod claimer;
mod consequence;
mod delivery;
mod delivery_store;
mod delivery_tasks;
mod guard;
mod in_flight;
mod metrics;
mod network;
mod notifications;
mod options;
mod own_machine;
mod recorder;
#[cfg(test)]
mod recorder_tests;
mod response;
mod run;
mod send_error;
mod sender;
#[cfg(test)]
mod sender_http2_tests;
#[cfg(test)]
mod sender_tests;
mod trouble;

pub use options::Options;
pub use run::start;
