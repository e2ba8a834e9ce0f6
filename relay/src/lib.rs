//! The webhook relay of checkout_sessions: the database decides what is sent when, and signs it; this sends it.
//!
//! `dispatch` claims and starts, `sender` sends, `recorder` reports; `guard` is asked wherever a connection may go.

mod attempt;
mod back_off;
mod connection;
mod database;
mod database_url;
mod dispatch;
mod event_id;
mod failure;
mod fault;
mod guard;
mod health;
mod in_flight;
mod listener;
mod local;
mod logs;
mod metrics;
mod network;
mod options;
mod recorder;
#[cfg(test)]
mod recorder_tests;
mod response;
mod run;
mod sender;
#[cfg(test)]
mod sender_http2_tests;
#[cfg(test)]
mod sender_tests;
mod server;
mod trouble;

pub use local::raise_file_limit;
pub use logs::start as start_logs;
pub use options::Options;
pub use run::{Failure, run};
