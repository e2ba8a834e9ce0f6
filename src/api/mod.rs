//! Every function that a user calls, one file a subject. Each reads its arguments, asks `domain` what to do and has
//! `store` do it. What they promise is in the comments of `sql/`, where `\df+` shows it.

mod access;
mod api_keys;
mod deliveries;
mod endpoints;
mod events;
mod dialects;
mod maintenance;
mod organizations;
mod payments;
mod sessions;
mod signatures;
