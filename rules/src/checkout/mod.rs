//! Sessions: their orders, their states, and the effect of a payment on its session.

pub mod change;
pub mod hook;
pub mod idempotency;
pub mod ids;
pub mod label;
pub mod lifetime;
pub mod money;
pub mod order;
pub mod payment;
pub mod policy;
pub mod reference;
pub mod refund;
pub mod rejection;
pub mod scenario;
pub mod session;
pub mod settings;
pub mod status;
pub mod terms;
pub mod view;
