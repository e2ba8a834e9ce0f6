//! What is sold: the lines of sessions, and discounts.

pub mod address;
pub mod cart;
pub mod discount;
pub mod line;
