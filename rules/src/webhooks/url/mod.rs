//! The URLs and addresses that webhooks may go to.
//!
//! The extension checks when an endpoint is registered, and the relay when it connects: by then a name may have other
//! addresses. Denied addresses, with reasons: [`address`]. How URLs are read: [`target`].

mod address;
mod ranges;
mod target;

pub use address::{denied, permitted};
pub use ranges::{RangeFault, Ranges};
pub use target::{Fault, is_localhost, parse};
