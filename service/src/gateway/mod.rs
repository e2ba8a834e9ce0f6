//! The gateway: the dialects, the functions and the views over HTTP, and the buyer's page.
//!
//! `server` accepts connections, `gateway` answers one request, `target` says what a path stands for. Each kind of
//! target has a file: `dialect`, `rpc`, `views`, `pages`, `openapi`. The database decides everything else.

mod address;
mod catalog;
mod connections;
mod credential;
mod csv;
mod dialect;
mod failure;
mod filter;
mod form;
#[expect(clippy::module_inception, reason = "it is what the folder is about")]
mod gateway;
mod limits;
mod metrics;
mod openapi;
mod options;
mod organizations;
mod page_policy;
mod pages;
mod query;
mod request;
mod rpc;
mod run;
mod server;
mod sql_failure;
mod target;
mod token;
mod transaction;
mod views;
mod watcher;

pub use options::Options;
pub use run::start;
