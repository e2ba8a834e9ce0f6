//! Webhook consumers: programs that claim events by their name.

use crate::Result;
use crate::validate;

/// How many consumers a tenant can have, and how many can receive the events of all tenants: each event makes a
/// delivery for each.
pub const MAXIMUM_CONSUMERS: i32 = 16;

/// Refuses a text that cannot be the name of a consumer.
pub fn check_name<'a>(argument: &'static str, name: &'a str) -> Result<&'a str> {
    validate::text(argument, name, validate::SHORT_TEXT)
}
