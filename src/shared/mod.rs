//! Shared memory: which database has due work, which API keys were used, which calls were refused, and which hooks do not
//! end. Backends write it; the launcher and the workers read it.

pub mod api_key_uses;
pub mod failure;
pub mod registry;
pub mod request_failures;
pub mod unending_hooks;
pub mod wake;
