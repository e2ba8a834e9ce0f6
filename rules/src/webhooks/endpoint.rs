//! Webhook endpoints: which URLs may be registered, and which events go to them.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::event::EventType;
use super::url;
use crate::access::api_key;
use crate::access::credential::Environment;
use crate::{Error, Result, validate};

/// Checks the URL of an endpoint. `allowed_ranges` is the setting that allows private addresses.
pub fn check_url(text: &str, environment: Environment, allowed_ranges: &str) -> Result<()> {
    let allowed = allowed_ranges.parse().map_err(|fault| Error::Misconfigured {
        setting: "checkout_sessions.webhook_allowed_ranges",
        fault: format!("{fault}"),
    })?;
    url::parse(text, environment, &allowed).map(|_| ()).map_err(|fault| Error::invalid("url", fault.to_string()))
}

/// Checks the setting that allows private addresses.
pub fn check_allowed_ranges(setting: &'static str, text: &str) -> Result<()> {
    let checked: std::result::Result<url::Ranges, _> = text.parse();
    checked.map(|_| ()).map_err(|fault| Error::InvalidSetting { setting, fault: format!("is wrong: {fault}") })
}

/// The limit for one organization and environment, as at Stripe.
pub const MAXIMUM_ENDPOINTS: i32 = 16;

const ARGUMENT: &str = "event_types";

/// Checks the event types of an endpoint: names of events, or prefixes of names followed by `*`, each once.
pub fn event_types(patterns: &[Option<String>]) -> Result<Vec<String>> {
    if patterns.is_empty() {
        return Err(Error::invalid(ARGUMENT, "must not be empty; * stands for every event"));
    }
    let mut checked: Vec<String> = Vec::with_capacity(patterns.len());
    for pattern in patterns {
        let pattern = pattern.as_deref().ok_or_else(|| Error::invalid(ARGUMENT, "must not have null elements"))?;
        if !EventType::ALL.iter().any(|event| matches_one(pattern, event.as_str())) {
            return Err(Error::invalid(
                ARGUMENT,
                "must have names of events, such as checkout.session.completed, or beginnings of them with a *",
            ));
        }
        if checked.iter().any(|earlier| earlier == pattern) {
            return Err(Error::invalid(ARGUMENT, "must not have an element twice"));
        }
        checked.push(pattern.to_owned());
    }
    Ok(checked)
}

/// Returns true if an event goes to an endpoint with these patterns.
pub fn matches<'p>(patterns: impl IntoIterator<Item = &'p str>, event_type: &str) -> bool {
    patterns.into_iter().any(|pattern| matches_one(pattern, event_type))
}

fn matches_one(pattern: &str, event_type: &str) -> bool {
    match pattern.strip_suffix('*') {
        // The part before the * ends with a dot, or is empty: `checkout.session.payment*` would end within a word.
        Some(beginning) if beginning.is_empty() || beginning.ends_with('.') => event_type.starts_with(beginning),
        Some(_) => false,
        None => event_type == pattern,
    }
}

/// A new secret: 32 random bytes (Standard Webhooks asks for 24 to 64).
pub fn new_secret() -> String {
    format!("whsec_{}", BASE64_STANDARD.encode(api_key::random()))
}

/// The secret of a receiver that its developer starts again and again: the same for the same API key and name. It tells
/// nothing of the key, which has 256 random bits.
pub fn secret_of(api_key: &str, name: &str) -> String {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(api_key.as_bytes()) else { unreachable!("any length will do") };
    mac.update(b"webhook secret\n");
    mac.update(name.as_bytes());
    format!("whsec_{}", BASE64_STANDARD.encode(mac.finalize().into_bytes()))
}

/// The endpoint's purpose, in the words of its organization.
pub fn description(text: &str) -> Result<Option<&str>> {
    if text.is_empty() { Ok(None) } else { validate::text("description", text, validate::SHORT_TEXT).map(Some) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(patterns: &[&str]) -> Vec<Option<String>> {
        patterns.iter().map(|pattern| Some((*pattern).to_owned())).collect()
    }

    #[test]
    fn a_secret_is_of_its_key_and_name() {
        let secret = secret_of("sk_test_1", "a");
        assert_eq!(secret, secret_of("sk_test_1", "a"));
        assert_eq!(secret.len(), new_secret().len());
        for (key, name) in [("sk_test_1", "b"), ("sk_test_2", "a")] {
            assert_ne!(secret, secret_of(key, name));
        }
    }

    #[test]
    fn an_endpoint_names_its_events() {
        for patterns in [
            &["*"][..],
            &["checkout.session.completed"],
            &["checkout.session.*", "webhook_endpoint.disabled"],
            &["checkout.*"],
        ] {
            assert_eq!(event_types(&list(patterns)).expect("accepted"), patterns);
        }
        for patterns in [
            &[][..],
            &[""],
            &["completed"],
            &["checkout.session.complete"],
            &["checkout.session"],
            &["checkout.session.payment*"],
            &["invoice.*"],
            &["*.completed"],
            &["**"],
            &["*", "*"],
            &["Checkout.session.completed"],
        ] {
            let error = event_types(&list(patterns)).expect_err("refused");
            assert_eq!(error.sqlstate(), "22023", "{patterns:?}");
        }
        assert!(event_types(&[None]).is_err());
    }

    #[test]
    fn webhooks_go_to_public_hosts_and_in_the_test_environment_to_this_machine() {
        let check =
            |text, environment, allowed| check_url(text, environment, allowed).map_err(|error| error.to_string());
        assert_eq!(check("https://shop.example/hooks?token=t", Environment::Live, ""), Ok(()));
        assert_eq!(check("http://127.0.0.1:3000/", Environment::Test, ""), Ok(()));
        assert_eq!(check("https://10.0.0.1/", Environment::Live, "10.0.0.0/8"), Ok(()));
        let refused = check("http://127.0.0.1:3000/", Environment::Live, "").expect_err("refused");
        assert!(refused.starts_with("argument \"url\" must "), "{refused}");
        let error = check_url("https://shop.example/", Environment::Live, "10.0.0.0/99").expect_err("refused");
        assert_eq!(error.sqlstate(), "F0000");
    }

    #[test]
    fn patterns_match_whole_words() {
        let completed = "checkout.session.completed";
        for (pattern, matching) in [
            ("*", true),
            ("checkout.*", true),
            ("checkout.session.*", true),
            (completed, true),
            ("checkout.session.completed.*", false),
            ("checkout.session.expired", false),
            ("webhook_endpoint.*", false),
        ] {
            assert_eq!(matches([pattern], completed), matching, "{pattern}");
        }
        assert!(matches(["checkout.session.expired", "*"], completed));
    }

    #[test]
    fn secrets_are_those_of_standard_webhooks() {
        let secret = new_secret();
        let bytes = BASE64_STANDARD.decode(secret.strip_prefix("whsec_").expect("prefix")).expect("base64");
        assert_eq!(bytes.len(), 32);
        assert_ne!(new_secret(), secret);
    }
}
