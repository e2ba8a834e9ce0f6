//! Takes secrets out of a text before it is written to a log.
//!
//! Works on bytes: a log has the encoding of its database, which may be any.

use super::{api_key, client_secret};

const STARS: usize = 3;
/// Standard Webhooks: 24 bytes or more in base64.
const WEBHOOK_SECRET: &[u8] = b"whsec_";
const WEBHOOK_SECRET_LENGTH: usize = 32;
/// `{"` in base64.
const TOKEN: &[u8] = b"eyJ";
/// A name may begin with the prefix of a client secret, too, but it has fewer characters.
const CLIENT_SECRET_LENGTH: usize = 40;

/// Masks the secrets in a text. Of an API key it keeps the id; of client secrets, webhook secrets and tokens it keeps
/// the first characters. `Some` is the number of bytes left; `None`: there was nothing to mask. A text that begins like
/// an API key and is longer than its id counts as one, so that a mistyped key is masked, too.
///
/// Works in place and in one pass, because it runs for every error, of whatever size, and when there is no memory left.
pub fn mask(text: &mut [u8]) -> Option<usize> {
    let mut search = Search::default();
    let (mut read, mut written) = (0, 0);
    while let Some((start, end)) = search.next(text, read) {
        text.copy_within(read..start, written);
        written += start - read;
        // Never more stars than bytes they replace, because there would be no room.
        let stars = STARS.min(end - start);
        text[written..written + stars].fill(b'*');
        written += stars;
        read = end;
    }
    if read == 0 {
        return None;
    }
    text.copy_within(read.., written);
    Some(written + text.len() - read)
}

/// Returns true if there is something to mask.
pub fn has_secret(text: &[u8]) -> bool {
    Search::default().next(text, 0).is_some()
}

/// Goes through a text once.
#[derive(Default)]
struct Search {
    /// No token begins before this: an earlier search has gone through the text up to here.
    no_token_before: usize,
}

impl Search {
    /// The next secret: the start of its masked part, and its end.
    fn next(&mut self, text: &[u8], from: usize) -> Option<(usize, usize)> {
        (from..text.len()).find_map(|start| {
            let within_a_word = start > 0 && is_word(text[start - 1]) && !ends_with_escape(&text[..start]);
            if within_a_word || !matches!(text[start], b's' | b'r' | b'p' | b'c' | b'e' | b'w') {
                return None;
            }
            let (kept, end) = secret_in(&text[start..]).or_else(|| self.token_at(text, start))?;
            Some((start + kept, start + end))
        })
    }

    /// A JSON Web Token (RFC 7519): header, claims and signature in base64url, the first two JSON objects.
    fn token_at(&mut self, text: &[u8], start: usize) -> Option<(usize, usize)> {
        let token = &text[start..];
        if start < self.no_token_before || !token.starts_with(TOKEN) {
            return None;
        }
        let dot = end_of(token, 0, |c| is_word(c) || c == b'-');
        if token[dot..].starts_with(b".") && token[dot + 1..].starts_with(TOKEN) {
            return Some((TOKEN.len(), end_of(token, dot, |c| is_word(c) || matches!(c, b'-' | b'.'))));
        }
        self.no_token_before = start + dot;
        None
    }
}

/// Returns true if the text ends like `%3D`, an escaped character in a URL. Its digits do not belong to the word that
/// follows.
fn ends_with_escape(text: &[u8]) -> bool {
    matches!(text, [.., b'%', high, low] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit())
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// The end of the run of bytes from `from` that belong together.
fn end_of(text: &[u8], from: usize, belongs: impl Fn(u8) -> bool) -> usize {
    from + text[from..].iter().take_while(|c| belongs(**c)).count()
}

/// The start of the masked part of the secret at the beginning of the text, and its end. A text that begins like a
/// secret but is too short for one is shorter than a secret, so that no long text is gone through twice.
fn secret_in(text: &[u8]) -> Option<(usize, usize)> {
    if api_key::PREFIXES.iter().any(|prefix| text.starts_with(prefix.as_bytes())) {
        let end = end_of(text, api_key::PREFIX, |c| c.is_ascii_alphanumeric());
        return (end > api_key::NAME).then_some((api_key::NAME, end));
    }
    if text.starts_with(client_secret::PREFIX.as_bytes()) {
        let prefix = client_secret::PREFIX.len();
        let end = end_of(text, prefix, |c| is_word(c) || c == b'-');
        return (end >= prefix + CLIENT_SECRET_LENGTH).then_some((prefix, end));
    }
    if text.starts_with(WEBHOOK_SECRET) {
        let end = end_of(text, WEBHOOK_SECRET.len(), |c| c.is_ascii_alphanumeric() || matches!(c, b'+' | b'/' | b'='));
        return (end >= WEBHOOK_SECRET.len() + WEBHOOK_SECRET_LENGTH).then_some((WEBHOOK_SECRET.len(), end));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::credential::{Environment, Kind, Tenant};

    fn masked(text: &[u8]) -> Option<Vec<u8>> {
        let mut masked = text.to_vec();
        let length = mask(&mut masked);
        assert_eq!(length.is_some(), has_secret(text));
        masked.truncate(length?);
        Some(masked)
    }

    fn redacted(text: &str) -> Option<String> {
        masked(text.as_bytes()).map(|bytes| String::from_utf8(bytes).expect("UTF-8"))
    }

    #[test]
    fn no_text_takes_more_than_one_pass() {
        // A search that goes through each of these once for every few bytes would take an hour for 8 MB.
        for part in ["eyJ-", "eyJ.", "eyJ-.", "sk_live_", "cs_secret_-", "whsec_/", "%3Dsk_live_0123456789a-", "s-"] {
            let text = part.repeat(8_000_000 / part.len());
            assert!(masked(text.as_bytes()).is_none_or(|masked| masked.len() <= text.len()), "{part}");
        }
    }

    #[test]
    fn secrets_are_masked_wherever_they_stand() {
        let key = api_key::generate(Kind::Secret, Environment::Live);
        let tenant = Tenant { organization_id: uuid::Uuid::nil(), environment: Environment::Live };
        let secret = client_secret::derive(&[0; 32], tenant, uuid::Uuid::nil());
        let text = format!("{0} é{0} authenticate('{0}'), {{\"x-api-key\":\"{0}\"}} ({secret})", key.text);
        let id = key.api_key_id();
        let shown = format!("{id}*** é{id}*** authenticate('{id}***'), {{\"x-api-key\":\"{id}***\"}} (cs_secret_***)");
        assert_eq!(redacted(&text), Some(shown.clone()));
        assert_eq!(redacted(&shown), None);
    }

    #[test]
    fn a_mistyped_key_is_masked_too() {
        for prefix in api_key::PREFIXES {
            let redacted = redacted(&format!("{prefix}0123456789abXYZ"));
            assert_eq!(redacted, Some(format!("{prefix}0123456789ab***")));
        }
        assert_eq!(redacted("sk_live_0123456789abX"), Some("sk_live_0123456789ab*".into()));
        assert_eq!(redacted("sk_live_0123456789abX!"), Some("sk_live_0123456789ab*!".into()));
        assert_eq!(redacted("?next=a%3Dsk_live_0123456789abX"), Some("?next=a%3Dsk_live_0123456789ab*".into()));
    }

    #[test]
    fn tokens_are_masked() {
        let text = r#"{"authorization":"Bearer eyJhbGciOi.eyJzdWIiOi.c2ln-_", "x":1}"#;
        assert_eq!(redacted(text), Some(r#"{"authorization":"Bearer eyJ***", "x":1}"#.into()));
        assert_eq!(redacted("eyJhbGciOi.something"), None);
        assert_eq!(redacted("keyJhbGciOi.eyJzdWIiOi"), None);
    }

    #[test]
    fn secrets_of_webhooks_are_masked() {
        let text = "sign_webhook('m', now(), 'b', 'whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD')";
        assert_eq!(redacted(text), Some("sign_webhook('m', now(), 'b', 'whsec_***')".into()));
        assert_eq!(redacted("whsec_of_something"), None);
    }

    #[test]
    fn bytes_that_are_not_utf_8_stay_as_they_are() {
        assert_eq!(
            masked(b"caf\xe9 sk_live_0123456789abX \x81\x8a"),
            Some(b"caf\xe9 sk_live_0123456789ab* \x81\x8a".to_vec())
        );
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
            "metrics_secret_store",
            "cs_secret_a_table_of_somebody_else",
            "task_test_internationalization_of_everything",
            "é_",
            "123é_sk_test_é",
        ] {
            assert_eq!(redacted(text), None, "{text}");
        }
    }
}
