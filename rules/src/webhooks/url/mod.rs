//! Which URLs and addresses webhooks may go to.
//!
//! The extension asks when an endpoint is registered, and the relay when it connects: a name's addresses may be others by
//! then. What is denied, and why: [`address`]. How URLs are read: [`target`].

mod address;
mod ranges;
mod target;

pub use address::{denied, permitted};
pub use ranges::{RangeFault, Ranges};
pub use target::{Fault, is_localhost, parse};
