//! Webhooks: the events, the endpoints that get them, and the attempts to deliver them.

pub mod consumer;
pub mod delivery;
pub mod endpoint;
pub mod event;
pub mod retry;
pub mod signature;
pub mod url;
