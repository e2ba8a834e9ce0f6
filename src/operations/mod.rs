//! What happens. The functions of `api` and the dialects call down into these, and they call down into `store`.

pub mod credentials;
pub mod dialects;
pub mod maintenance;
pub mod payments;
pub mod sessions;
