//! The order of background work.

pub mod turns;
