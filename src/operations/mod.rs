//! The operations. The functions of `api` and the dialects call these, and these call `store`.

pub mod credentials;
pub mod dialects;
pub mod maintenance;
pub mod payments;
pub mod sessions;
