//! Shared memory: which database has due work, and which API keys were used. Backends write it when they commit; the
//! launcher and the workers read it.

pub mod api_key_uses;
pub mod failure;
pub mod registry;
pub mod wake;
