//! The terms of a new session: the organization's settings, as the dialect and the caller change them.

use chrono::{DateTime, TimeDelta, Utc};

use super::lifetime::Lifetime;
use super::policy::Policy;
use super::reference::ReferencePolicy;
use super::settings::Settings;
use crate::access::credential::Kind;

/// Computed once for each call, and then only read.
#[derive(Debug, Clone, Copy)]
pub struct Terms<'a> {
    /// Either customer_id or customer_email must be given.
    pub customer_required: bool,
    /// The prefix of the id in URLs, if a dialect does not write it as a UUID.
    pub id_prefix: Option<&'static str>,
    pub lifetime: Lifetime,
    pub max_retry_attempts: i32,
    pub reference_policy: ReferencePolicy,
    pub sub_minor_amounts: bool,
    pub payment_methods: &'a [String],
    /// The schemes of return URLs beside http and https.
    pub app_link_schemes: &'a [String],
    expiring_notice: Option<TimeDelta>,
}

impl<'a> Terms<'a> {
    /// `payment_methods` are those of the caller's API key, and have precedence over the organization's.
    pub fn new(settings: &'a Settings, policy: &Policy, kind: Kind, payment_methods: Option<&'a [String]>) -> Self {
        Self {
            customer_required: policy.customer_required,
            id_prefix: policy.id_prefix,
            lifetime: policy.lifetime.unwrap_or(settings.lifetime),
            max_retry_attempts: policy.max_retry_attempts.unwrap_or(settings.max_retry_attempts),
            // References can be guessed. A browser must neither get a server's session as its own, nor prevent a server
            // from using a reference.
            reference_policy: match kind {
                Kind::Secret | Kind::Restricted => policy.reference_policy.unwrap_or(settings.reference_policy),
                Kind::Publishable => ReferencePolicy::None,
            },
            sub_minor_amounts: policy.sub_minor_amounts.unwrap_or(settings.sub_minor_amounts),
            payment_methods: payment_methods.unwrap_or(&settings.payment_methods),
            app_link_schemes: &settings.app_link_schemes,
            expiring_notice: settings.expiring_notice,
        }
    }

    /// A reminder is due this long before the deadline, unless the session is shorter.
    pub fn expiring_notice_at(&self, now: DateTime<Utc>, expires_at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.expiring_notice.map(|notice| expires_at - notice).filter(|at| *at > now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkout::reference::WhenOpen;

    #[test]
    fn the_dialect_comes_before_the_organization_and_a_browser_has_no_reference_policy() {
        let settings = Settings { reference_policy: ReferencePolicy::OneOpen(WhenOpen::Error), ..Settings::default() };
        let policy = Policy { reference_policy: Some(ReferencePolicy::Unique), ..Policy::STANDARD };
        let terms = |policy, kind| Terms::new(&settings, policy, kind, None).reference_policy;
        assert_eq!(terms(&Policy::STANDARD, Kind::Secret), ReferencePolicy::OneOpen(WhenOpen::Error));
        assert_eq!(terms(&policy, Kind::Secret), ReferencePolicy::Unique);
        assert_eq!(terms(&policy, Kind::Publishable), ReferencePolicy::None);
    }

    #[test]
    fn the_key_comes_before_the_organization() {
        let settings = Settings::default();
        let card = ["card".to_owned()];
        let terms = |methods| Terms::new(&settings, &Policy::STANDARD, Kind::Secret, methods);
        assert_eq!(terms(Some(&card)).payment_methods, card);
        assert_eq!(terms(None).payment_methods, settings.payment_methods);
    }
}
