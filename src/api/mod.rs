//! The functions that SQL calls, one file a subject. Each reads and checks its arguments, and calls down into `operations`, or
//! into `store` where there is nothing to decide. Their COMMENTs in `sql/` say what they promise.

mod access;
mod api_keys;
mod deliveries;
mod dialects;
mod endpoints;
mod events;
mod maintenance;
mod organizations;
mod payments;
mod sessions;
mod signatures;
mod triggers;
