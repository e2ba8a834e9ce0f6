//! Callers: API keys, tokens and client secrets, and how all of them are kept out of the log.

pub mod api_key;
pub mod changes;
pub mod client_secret;
pub mod credential;
pub mod http_credential;
pub mod redact;
