//! The rules of a dialect for its sessions.

use chrono::TimeDelta;

use super::lifetime::Lifetime;
use super::reference::ReferencePolicy;

/// The differences from an organization's settings; `None` leaves them as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Either customer_id or customer_email.
    pub customer_required: bool,
    pub lifetime: Option<Lifetime>,
    pub max_retry_attempts: Option<i32>,
    pub reference_policy: Option<ReferencePolicy>,
    /// True if amounts may be finer than the currency's smallest unit.
    pub sub_minor_amounts: Option<bool>,
    /// The prefix of ids, if they are not written as a UUID.
    pub id_prefix: Option<&'static str>,
}

impl Policy {
    /// The policy of the SQL functions: the organization's settings as they are.
    pub const STANDARD: Self = Self {
        customer_required: true,
        lifetime: None,
        max_retry_attempts: None,
        reference_policy: None,
        sub_minor_amounts: None,
        id_prefix: None,
    };

    /// The same lifetime for every session.
    pub const fn fixed(lifetime: TimeDelta) -> Option<Lifetime> {
        Some(Lifetime { default: lifetime, minimum: lifetime, maximum: lifetime })
    }
}
