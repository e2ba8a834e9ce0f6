//! The functions that SQL calls, one file for each subject. Each reads and checks its arguments, then calls
//! `operations`, or `store` if there is nothing to decide. Their COMMENTs in `sql/` say what they promise.

mod access;
mod api_keys;
mod consumers;
mod coupons;
mod customers;
mod deliveries;
mod dialects;
mod endpoints;
mod erasure;
mod events;
mod hooks;
mod maintenance;
mod organizations;
mod payments;
mod prices;
mod products;
mod refunds;
mod session_terms;
mod sessions;
mod signatures;
mod statistics;
mod subscriptions;
mod triggers;
mod visits;
