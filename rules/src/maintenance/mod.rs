//! Background work: its order, and what it removes.

pub mod retention;
pub mod turns;
