//! The settings of an organization for its sessions.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use uuid::Uuid;

use super::hook::Hook;
use super::lifetime::Lifetime;
use super::reference::ReferencePolicy;
use crate::access::client_secret;
use crate::access::credential::Tenant;
use crate::catalog::subscription;
use crate::{Error, Result, validate};

/// The settings of an organization that affect its sessions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    pub lifetime: Lifetime,
    pub max_retry_attempts: i32,
    pub reference_policy: ReferencePolicy,
    pub sub_minor_amounts: bool,
    pub payment_methods: Vec<String>,
    pub base_url: Option<String>,
    pub expiring_notice: Option<TimeDelta>,
    pub leases: Leases,
    /// True if a success must say how much was paid.
    pub require_payment_amount: bool,
    /// In lower case.
    pub app_link_schemes: Vec<String>,
    /// True if a dialect refuses parameters that it does not know.
    pub strict_parameters: bool,
    /// The origins of pages that may read a dialect's answers in a browser.
    pub allowed_origins: Vec<String>,
    /// True if the product_id and price_id of a session are looked up in the catalog.
    pub uses_catalog: bool,
    /// False if a publishable credential may create sessions by price only.
    pub publishable_amounts: bool,
    pub pages: Pages,
    pub subscriptions: subscription::Settings,
    pub hooks: Hooks,
    pub records: Records,
    /// True if it is being deleted: nothing is created for it any more, but reports of money are taken.
    pub ended: bool,
    /// The secret from which the client secrets of its sessions are derived.
    pub client_secret_key: client_secret::Key,
}

/// What the hosted payment pages may do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pages {
    /// The origins of the pages that may show them in a frame.
    pub embedding_origins: Vec<String>,
    /// Where the buyer is sent to pay, by payment method.
    pub payment_method_urls: BTreeMap<String, String>,
    /// True if buyers may start an expired session again.
    pub allow_restart: bool,
    /// True if a buyer who cancels ends the session.
    pub cancel_expires: bool,
}

/// The functions that are called when its sessions end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hooks {
    /// True if a failing hook refuses calls that end sessions.
    pub required: bool,
    pub all: Vec<Hook>,
}

/// What is kept of its sessions and its calls, and for how long.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Records {
    /// How long sessions are kept after their end. `None`: for ever.
    pub session_retention: Option<TimeDelta>,
    /// The members of metadata that are personal, and are erased with a customer.
    pub personal_metadata_keys: Vec<String>,
    /// How many refused calls in five minutes are an event. `None`: any number is none.
    pub request_failure_threshold: Option<i32>,
}

impl Records {
    const SHORTEST_RETENTION: TimeDelta = TimeDelta::days(1);
    const LONGEST_RETENTION: TimeDelta = TimeDelta::days(36_525);
    const MOST_KEYS: usize = 50;

    /// Checks how long an organization wants to keep its sessions.
    pub fn check_retention(span: TimeDelta) -> Result<TimeDelta> {
        match span < Self::SHORTEST_RETENTION || span > Self::LONGEST_RETENTION {
            true => Err(Error::invalid("session_retention", "must be between 1 day and 100 years")),
            false => Ok(span),
        }
    }

    /// Checks the names of members of metadata.
    pub fn check_keys(keys: &[Option<String>]) -> Result<Vec<String>> {
        const ARGUMENT: &str = "personal_metadata_keys";
        if keys.len() > Self::MOST_KEYS {
            return Err(Error::invalid(ARGUMENT, format!("must have at most {} elements", Self::MOST_KEYS)));
        }
        let mut checked: Vec<String> = Vec::with_capacity(keys.len());
        for key in keys {
            let key = key.as_deref().ok_or_else(|| Error::invalid(ARGUMENT, "must not have null elements"))?;
            let key = validate::text(ARGUMENT, key, validate::SHORT_TEXT)?;
            if !checked.iter().any(|known| known == key) {
                checked.push(key.to_owned());
            }
        }
        Ok(checked)
    }
}

impl Settings {
    /// What the buyer of a session gets. `base_url` is the server's, and applies if the organization has none.
    pub fn page(&self, tenant: Tenant, checkout_session_id: Uuid, base_url: Option<&str>) -> Page {
        let client_secret = client_secret::derive(&self.client_secret_key, tenant, checkout_session_id);
        let base = self.base_url.as_deref().or(base_url);
        let url = base.map(|base| validate::page_url(base, &checkout_session_id.to_string(), &client_secret));
        Page { client_secret, url }
    }
}

/// How the buyer of a session reaches it. Never stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    pub client_secret: String,
    /// The hosted payment page, with the secret in it. `None` without a base URL.
    pub url: Option<String>,
}

/// How long payments may hold their sessions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leases {
    pub maximum: TimeDelta,
    /// The maximum of single payment methods.
    pub by_method: BTreeMap<String, TimeDelta>,
}

impl Default for Leases {
    fn default() -> Self {
        Self { maximum: TimeDelta::minutes(15), by_method: BTreeMap::new() }
    }
}

impl Leases {
    /// If a lease is not said.
    const DEFAULT: TimeDelta = TimeDelta::minutes(5);
    const SHORTEST: TimeDelta = TimeDelta::seconds(1);
    const LONGEST: TimeDelta = TimeDelta::days(30);

    /// Checks the maximum that an organization sets.
    pub fn check_maximum(argument: &'static str, maximum: TimeDelta) -> Result<TimeDelta> {
        if maximum < Self::SHORTEST || maximum > Self::LONGEST {
            return Err(Error::invalid(argument, "must be between 1 second and 30 days"));
        }
        Ok(maximum)
    }

    /// How long a payment holds its session.
    pub fn of_payment(&self, payment_method: Option<&str>, lease: Option<TimeDelta>) -> Result<TimeDelta> {
        let of_method = payment_method.and_then(|method| self.by_method.get(method));
        let maximum = *of_method.unwrap_or(&self.maximum);
        let lease = lease.unwrap_or(maximum.min(Self::DEFAULT));
        if lease < Self::SHORTEST || lease > maximum {
            return Err(Error::invalid("lease", format!("must be between 1 second and {}", in_words(maximum))));
        }
        Ok(lease)
    }
}

/// A span as Postgres reads it, in the largest unit in which it is whole.
pub fn in_words(span: TimeDelta) -> String {
    const UNITS: [(&str, i64); 4] = [("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1)];
    let seconds = span.num_seconds();
    let whole = UNITS.iter().find(|(_, size)| span == TimeDelta::seconds(seconds) && seconds % size == 0);
    match whole {
        Some((unit, size)) if seconds == *size => format!("1 {unit}"),
        Some((unit, size)) => format!("{} {unit}s", seconds / size),
        None => format!("{} microseconds", span.num_microseconds().unwrap_or(i64::MAX)),
    }
}

/// The settings of a new organization, before its key is made.
impl Default for Settings {
    fn default() -> Self {
        Self {
            lifetime: Lifetime {
                default: TimeDelta::minutes(60),
                minimum: TimeDelta::seconds(1),
                maximum: TimeDelta::hours(48),
            },
            max_retry_attempts: 3,
            reference_policy: ReferencePolicy::None,
            sub_minor_amounts: false,
            payment_methods: vec!["bank_transfer".into(), "payid".into()],
            base_url: None,
            expiring_notice: None,
            leases: Leases::default(),
            require_payment_amount: false,
            app_link_schemes: Vec::new(),
            strict_parameters: false,
            allowed_origins: Vec::new(),
            uses_catalog: false,
            publishable_amounts: true,
            pages: Pages::default(),
            subscriptions: subscription::Settings::default(),
            hooks: Hooks::default(),
            records: Records::default(),
            ended: false,
            client_secret_key: [0; 32],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::credential::Environment;

    #[test]
    fn the_page_is_at_the_organization_or_else_at_the_server() {
        let tenant = Tenant { organization_id: Uuid::nil(), environment: Environment::Test };
        let settings = Settings { base_url: Some("https://shop.example/".into()), ..Settings::default() };
        for (settings, at) in [(settings, "https://shop.example"), (Settings::default(), "https://server.example")] {
            let page = settings.page(tenant, Uuid::nil(), Some("https://server.example"));
            assert_eq!(page.url, Some(format!("{at}/{}#{}", Uuid::nil(), page.client_secret)));
        }
        assert_eq!(Settings::default().page(tenant, Uuid::nil(), None).url, None);
    }

    fn leases() -> Leases {
        Leases { by_method: BTreeMap::from([("bank_transfer".into(), TimeDelta::days(3))]), ..Leases::default() }
    }

    #[test]
    fn a_lease_is_bounded_by_its_payment_method_or_else_by_the_organization() {
        let lease = |method, lease| leases().of_payment(method, lease).map_err(|error| error.to_string());
        assert_eq!(lease(None, None), Ok(TimeDelta::minutes(5)));
        assert_eq!(lease(Some("bank_transfer"), None), Ok(TimeDelta::minutes(5)));
        assert_eq!(lease(Some("card"), Some(TimeDelta::minutes(15))), Ok(TimeDelta::minutes(15)));
        assert_eq!(lease(Some("bank_transfer"), Some(TimeDelta::days(3))), Ok(TimeDelta::days(3)));
        let refused = |most| Err(format!("argument \"lease\" must be between 1 second and {most}"));
        for bad in [TimeDelta::zero(), TimeDelta::minutes(-1), TimeDelta::minutes(16)] {
            assert_eq!(lease(Some("card"), Some(bad)), refused("15 minutes"));
        }
        assert_eq!(lease(Some("bank_transfer"), Some(TimeDelta::hours(73))), refused("3 days"));
    }

    #[test]
    fn the_default_lease_is_no_longer_than_the_maximum() {
        let leases = Leases { maximum: TimeDelta::seconds(90), ..Leases::default() };
        assert_eq!(leases.of_payment(None, None), Ok(TimeDelta::seconds(90)));
    }

    #[test]
    fn spans_are_written_in_the_largest_unit_in_which_they_are_whole() {
        for (span, words) in [
            (TimeDelta::days(3), "3 days"),
            (TimeDelta::hours(24), "1 day"),
            (TimeDelta::hours(25), "25 hours"),
            (TimeDelta::seconds(90), "90 seconds"),
            (TimeDelta::minutes(1), "1 minute"),
            (TimeDelta::milliseconds(1_500), "1500000 microseconds"),
        ] {
            assert_eq!(in_words(span), words);
        }
    }
}
