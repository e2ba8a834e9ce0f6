//! In which order the work is done that nobody waits for.

pub mod turns;
