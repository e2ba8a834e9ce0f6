//! Takes secrets out of a text that is about to be written to a log.

use std::borrow::Cow;

use super::{api_key, client_secret};

const MASK: &str = "***";

/// The text with every API key cut down to its id and every client secret to its prefix. Anything that begins like one
/// is taken for one, so that a mistyped key is not shown either.
pub fn redact(text: &str) -> Cow<'_, str> {
    let mut shown = String::new();
    let mut copied = 0;
    let mut at = 0;
    // All prefixes have an underscore as their third character, which is quicker to find than any of them.
    while let Some(underscore) = text[at..].find('_').map(|found| at + found) {
        at = underscore + 1;
        let Some(rest) = underscore.checked_sub(2).and_then(|start| text.get(start..)) else { continue };
        let Some((kept, secret)) = secret_in(rest) else { continue };
        shown.push_str(&text[copied..underscore - 2 + kept]);
        shown.push_str(MASK);
        copied = underscore - 2 + secret;
        at = copied;
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    shown.push_str(&text[copied..]);
    Cow::Owned(shown)
}

/// Where the secret part of what the text begins with starts, and where it ends.
fn secret_in(text: &str) -> Option<(usize, usize)> {
    let length =
        |from: usize, belongs: fn(u8) -> bool| text.as_bytes()[from..].iter().take_while(|c| belongs(**c)).count();
    if api_key::looks_like(text) {
        let prefix = api_key::NAME - api_key::ID;
        let end = prefix + length(prefix, |c| c.is_ascii_alphanumeric());
        return (end > api_key::NAME).then_some((api_key::NAME, end));
    }
    if text.starts_with(client_secret::PREFIX) {
        let prefix = client_secret::PREFIX.len();
        let end = prefix + length(prefix, |c| c.is_ascii_alphanumeric() || matches!(c, b'_' | b'-'));
        return (end > prefix).then_some((prefix, end));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::credential::{Environment, Kind, Tenant};

    #[test]
    fn secrets_are_masked_wherever_they_stand() {
        let key = api_key::generate(Kind::Secret, Environment::Live);
        let tenant = Tenant { organization_id: uuid::Uuid::nil(), environment: Environment::Live };
        let secret = client_secret::derive(&[0; 32], tenant, uuid::Uuid::nil());
        let text = format!("é_{0} authenticate('{0}'), {{\"x-api-key\":\"{0}\"}} ({1})", key.text, secret);
        let shown = redact(&text);
        let id = key.api_key_id();
        assert_eq!(shown, format!("é_{id}*** authenticate('{id}***'), {{\"x-api-key\":\"{id}***\"}} (cs_secret_***)"));
        assert_eq!(redact(&shown), shown);
    }

    #[test]
    fn a_mistyped_key_is_masked_too() {
        assert_eq!(redact("sk_live_0123456789abX"), "sk_live_0123456789ab***");
        assert_eq!(redact("sk_live_0123456789abX!"), "sk_live_0123456789ab***!");
    }

    #[test]
    fn what_is_no_secret_stays() {
        for text in [
            "",
            "_",
            "__",
            "a_b_c_d",
            "sk_live_",
            "sk_live_0123456789ab",
            "risk_lively",
            "cs_secret_",
            "é_",
            "123é_sk_test_é",
        ] {
            assert!(matches!(redact(text), Cow::Borrowed(same) if same == text), "{text}");
        }
    }
}
