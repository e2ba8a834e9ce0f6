//! What happens: the functions of `api` and the dialects call down into these, and they call `store`, never each other.

pub mod maintenance;
