//! What a dialect asks of its sessions: the differences between them that are not a matter of names.

use chrono::TimeDelta;

use super::reference::ReferencePolicy;
use super::session::Settings;
use super::time::Lifetime;

/// What differs from an organization's settings; `None` leaves them as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Either customer_id or customer_email.
    pub customer_required: bool,
    pub lifetime: Option<Lifetime>,
    pub max_retry_attempts: Option<i32>,
    pub reference_policy: Option<ReferencePolicy>,
    /// Whether amounts may be finer than the currency's smallest unit.
    pub sub_minor_amounts: Option<bool>,
    /// What ids begin with where they are not written as a UUID.
    pub id_prefix: Option<&'static str>,
}

impl Policy {
    /// The SQL functions': the organization's settings as they are.
    pub const STANDARD: Self = Self {
        customer_required: true,
        lifetime: None,
        max_retry_attempts: None,
        reference_policy: None,
        sub_minor_amounts: None,
        id_prefix: None,
    };

    /// A lifetime that nobody can choose.
    pub const fn fixed(lifetime: TimeDelta) -> Option<Lifetime> {
        Some(Lifetime { default: lifetime, minimum: lifetime, maximum: lifetime })
    }

    pub fn apply(&self, settings: &mut Settings) {
        settings.customer_required = self.customer_required;
        settings.lifetime = self.lifetime.unwrap_or(settings.lifetime);
        settings.max_retry_attempts = self.max_retry_attempts.unwrap_or(settings.max_retry_attempts);
        settings.reference_policy = self.reference_policy.unwrap_or(settings.reference_policy);
        settings.id_prefix = self.id_prefix;
        settings.sub_minor_amounts = self.sub_minor_amounts.unwrap_or(settings.sub_minor_amounts);
    }
}
