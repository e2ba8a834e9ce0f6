//! Signatures of webhooks. They prove to a receiver who sent a webhook, and that it was not changed.
//!
//! Sources: Standard Webhooks 1.0.0, with the reference library's answers; and, for receivers with Stripe's
//! `constructEvent`, "Resolve webhook signature verification errors" of Stripe: `t=<seconds>,v1=<hex>`, over the time, a
//! dot and the body, with the secret as it stands.
//!
//! The reference libraries of both allow five minutes. That of Standard Webhooks allows nothing else, so this compares
//! signatures itself. Stripe's takes a tolerance, of which 0 switches the check off, and does not look at times in the
//! future. Here 0 is refused: whoever had seen a webhook once could send it for ever.

use std::collections::BTreeMap;
use std::str::FromStr;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use chrono::{DateTime, TimeDelta, Utc};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Map, Value};
use sha2::Sha256;
use standardwebhooks::{HEADER_WEBHOOK_ID, HEADER_WEBHOOK_SIGNATURE, HEADER_WEBHOOK_TIMESTAMP, Webhook};

use crate::{Error, Result};

/// The longest tolerance. Relays sign each attempt anew, so no webhook is older unless its receiver has put it aside.
const MAXIMUM_TOLERANCE: TimeDelta = TimeDelta::days(1);
/// Standard Webhooks: "between 24 bytes and 64 bytes".
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

const STRIPE_SIGNATURE: &str = "stripe-signature";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    Standard,
    Stripe,
}

impl FromStr for Scheme {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "standard" => Ok(Self::Standard),
            "stripe" => Ok(Self::Stripe),
            _ => Err(Error::invalid("scheme", "must be standard or stripe")),
        }
    }
}

/// The signed parts of a webhook.
pub struct Message<'a> {
    pub id: &'a str,
    pub timestamp: DateTime<Utc>,
    pub body: &'a str,
}

/// The signature of a message: the value of its `webhook-signature` header, or of `stripe-signature`.
pub fn sign(scheme: Scheme, secret: &str, message: &Message) -> Result<String> {
    read_secret(secret)?;
    let seconds = message.timestamp.timestamp();
    match scheme {
        Scheme::Standard => {
            if message.id.is_empty() || message.id.contains('.') {
                return Err(Error::invalid("webhook_id", "must not be empty or contain a dot"));
            }
            let webhook = Webhook::new(secret).map_err(|_| bad_secret())?;
            webhook.sign(message.id, seconds, message.body.as_bytes()).map_err(|_| bad_secret())
        }
        Scheme::Stripe => {
            let mac = stripe(secret, seconds, message.body).finalize().into_bytes();
            Ok(format!("t={seconds},v1={}", hex::encode(mac)))
        }
    }
}

/// The headers of a message that is signed with each of these secrets.
pub fn headers(scheme: Scheme, secrets: &[&str], message: &Message) -> Result<BTreeMap<&'static str, String>> {
    let signatures = secrets.iter().map(|secret| sign(scheme, secret, message)).collect::<Result<Vec<_>>>()?;
    let mut headers =
        BTreeMap::from([("content-type", "application/json".to_owned()), (HEADER_WEBHOOK_ID, message.id.to_owned())]);
    match scheme {
        Scheme::Standard => {
            headers.insert(HEADER_WEBHOOK_TIMESTAMP, message.timestamp.timestamp().to_string());
            headers.insert(HEADER_WEBHOOK_SIGNATURE, signatures.join(" "));
        }
        Scheme::Stripe => {
            // One `t`, and one `v1` for each secret.
            let mut parts = signatures.iter().map(String::as_str);
            let first = parts.next().unwrap_or_default();
            let more = parts.filter_map(|signature| signature.split_once(',')).map(|(_, v1)| v1);
            headers.insert(STRIPE_SIGNATURE, std::iter::once(first).chain(more).collect::<Vec<_>>().join(","));
        }
    }
    Ok(headers)
}

/// How far the time in a signature may differ from now, either way.
pub fn tolerance(tolerance: TimeDelta) -> Result<TimeDelta> {
    if tolerance < TimeDelta::seconds(1) || tolerance > MAXIMUM_TOLERANCE {
        return Err(Error::invalid("tolerance", "must be between 1 second and 1 day"));
    }
    Ok(tolerance)
}

/// Returns true if the headers of a webhook, names in lower case, have a signature of its body under the secret, made
/// at `now` or not further from it than the tolerance.
pub fn verify(
    scheme: Scheme,
    secret: &str,
    headers: &Map<String, Value>,
    body: &str,
    now: DateTime<Utc>,
    tolerance: TimeDelta,
) -> Result<bool> {
    let key = read_secret(secret)?;
    // Signatures have whole seconds.
    let recent = |seconds: i64| now.timestamp().abs_diff(seconds) <= tolerance.num_seconds().unsigned_abs();
    let header = |name: &str| headers.get(name).and_then(Value::as_str);
    // Each comparison takes a time that does not depend on where the values differ.
    Ok(match scheme {
        Scheme::Standard => {
            // The reference library reads no other characters in a header.
            let header = |name| header(name).filter(|value| value.bytes().all(|c| matches!(c, b'\t' | b' '..=b'~')));
            let seconds = header(HEADER_WEBHOOK_TIMESTAMP).and_then(|text| text.parse::<i64>().ok());
            let (Some(id), Some(seconds), Some(signatures)) =
                (header(HEADER_WEBHOOK_ID), seconds, header(HEADER_WEBHOOK_SIGNATURE))
            else {
                return Ok(false);
            };
            recent(seconds)
                && signatures
                    .split(' ')
                    .filter_map(|text| BASE64_STANDARD.decode(text.strip_prefix("v1,")?).ok())
                    .any(|signature| mac(&key, &format!("{id}.{seconds}."), body).verify_slice(&signature).is_ok())
        }
        Scheme::Stripe => {
            let mut seconds = None;
            let mut signatures = Vec::new();
            for element in header(STRIPE_SIGNATURE).unwrap_or_default().split(',') {
                match element.trim().split_once('=') {
                    Some(("t", text)) => seconds = text.parse::<i64>().ok(),
                    Some(("v1", text)) => signatures.push(text),
                    _ => {}
                }
            }
            let Some(seconds) = seconds else { return Ok(false) };
            recent(seconds)
                && signatures
                    .iter()
                    .filter_map(|text| hex::decode(text).ok())
                    .any(|signature| stripe(secret, seconds, body).verify_slice(&signature).is_ok())
        }
    })
}

fn stripe(secret: &str, seconds: i64, body: &str) -> Hmac<Sha256> {
    mac(secret.as_bytes(), &format!("{seconds}."), body)
}

fn mac(key: &[u8], prefix: &str, body: &str) -> Hmac<Sha256> {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { unreachable!("HMAC takes keys of any length") };
    mac.update(prefix.as_bytes());
    mac.update(body.as_bytes());
    mac
}

/// The bytes of a secret: `whsec_` and 24 to 64 bytes in base64.
fn read_secret(secret: &str) -> Result<Vec<u8>> {
    let bytes = secret.strip_prefix("whsec_").and_then(|text| BASE64_STANDARD.decode(text).ok());
    bytes.filter(|bytes| SECRET_BYTES.contains(&bytes.len())).ok_or_else(bad_secret)
}

fn bad_secret() -> Error {
    Error::invalid("secret", "must be whsec_ and 24 to 64 bytes in base64")
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};
    use serde_json::json;

    use super::*;

    const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
    const BODY: &str = r#"{"email":"test@example.com","username":"test_user"}"#;

    /// The reference library reads the clock itself.
    fn now() -> DateTime<Utc> {
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or_else(
            |_| unreachable!("it is later than 1970"),
            |since| DateTime::UNIX_EPOCH + TimeDelta::seconds(i64::try_from(since.as_secs()).unwrap_or(i64::MAX)),
        )
    }

    const FIVE_MINUTES: TimeDelta = TimeDelta::minutes(5);

    /// The answer of the reference library.
    fn reference(secret: &str, headers: &Map<String, Value>, body: &str) -> bool {
        let mut shown = HeaderMap::new();
        for name in [HEADER_WEBHOOK_ID, HEADER_WEBHOOK_TIMESTAMP, HEADER_WEBHOOK_SIGNATURE] {
            let text = headers.get(name).and_then(Value::as_str);
            let Some(Ok(value)) = text.map(HeaderValue::from_str) else { return false };
            shown.insert(name, value);
        }
        Webhook::new(secret).is_ok_and(|webhook| webhook.verify(body.as_bytes(), &shown).is_ok())
    }

    fn message(timestamp: DateTime<Utc>) -> Message<'static> {
        Message { id: "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk", timestamp, body: BODY }
    }

    fn headers(scheme: Scheme, signed: &Message, signature: &str) -> Map<String, Value> {
        let headers = match scheme {
            Scheme::Standard => json!({
                "webhook-id": signed.id, "webhook-timestamp": signed.timestamp.timestamp().to_string(),
                "webhook-signature": signature
            }),
            Scheme::Stripe => json!({"stripe-signature": signature}),
        };
        headers.as_object().cloned().expect("an object")
    }

    /// The vector of the reference libraries.
    #[test]
    fn the_published_vector_has_its_signature() {
        let at = DateTime::from_timestamp(1_649_367_553, 0).expect("in range");
        let signature = "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=";
        assert_eq!(sign(Scheme::Standard, SECRET, &message(at)), Ok(signature.to_owned()));
    }

    #[test]
    fn what_is_signed_verifies_and_what_is_changed_does_not() {
        let now = now();
        for scheme in [Scheme::Standard, Scheme::Stripe] {
            let signed = message(now);
            let signature = sign(scheme, SECRET, &signed).expect("signed");
            let shown = headers(scheme, &signed, &signature);
            let verify = |headers: &_, secret, body| {
                let verified = verify(scheme, secret, headers, body, now, FIVE_MINUTES).expect("a secret");
                assert!(scheme == Scheme::Stripe || verified == reference(secret, headers, body));
                verified
            };
            assert!(verify(&shown, SECRET, BODY), "{scheme:?}");
            assert!(!verify(&shown, SECRET, r#"{"email":"test@example.com","username":"test_uses"}"#));
            assert!(!verify(&shown, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", BODY));
            assert!(!verify(&Map::new(), SECRET, BODY));
            for at in 0..signature.len() {
                let mut changed = signature.clone().into_bytes();
                changed[at] = if changed[at] == b'0' { b'1' } else { b'0' };
                let changed = String::from_utf8(changed).expect("ASCII");
                assert!(!verify(&headers(scheme, &signed, &changed), SECRET, BODY), "{changed}");
            }
            // While a secret is being rolled, a message is signed with both.
            let both = match scheme {
                Scheme::Standard => format!("v1,AAAA {signature} v2,x"),
                Scheme::Stripe => format!("{signature},v1=00,v0=ff"),
            };
            assert!(verify(&headers(scheme, &signed, &both), SECRET, BODY));
        }
    }

    #[test]
    fn headers_verify_with_the_new_secret_and_with_the_old_one() {
        let now = now();
        let old = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        for scheme in [Scheme::Standard, Scheme::Stripe] {
            let headers = super::headers(scheme, &[SECRET, old], &message(now)).expect("signed");
            assert_eq!(headers["content-type"], "application/json");
            assert_eq!(headers["webhook-id"], message(now).id);
            let shown = headers.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
            for secret in [SECRET, old] {
                assert_eq!(verify(scheme, secret, &shown, BODY, now, FIVE_MINUTES), Ok(true), "{scheme:?}");
            }
            let other = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
            assert_eq!(verify(scheme, other, &shown, BODY, now, FIVE_MINUTES), Ok(false));
        }
    }

    #[test]
    fn a_signature_is_good_for_the_tolerance_and_not_a_second_longer() {
        let now = now();
        for scheme in [Scheme::Standard, Scheme::Stripe] {
            for (tolerance, whole) in [(1_000, 1), (1_999, 1), (300_000, 300), (86_400_000, 86_400)] {
                for (seconds, good) in [(0, true), (whole, true), (whole + 1, false)] {
                    for seconds in [seconds, -seconds] {
                        let signed = message(now + TimeDelta::seconds(seconds));
                        let signature = sign(scheme, SECRET, &signed).expect("signed");
                        let shown = headers(scheme, &signed, &signature);
                        let tolerance = super::tolerance(TimeDelta::milliseconds(tolerance)).expect("in range");
                        let verified = verify(scheme, SECRET, &shown, BODY, now, tolerance);
                        assert_eq!(verified, Ok(good), "{scheme:?} {tolerance} {seconds}");
                    }
                }
            }
        }
        for refused in
            [TimeDelta::MIN, TimeDelta::zero(), TimeDelta::milliseconds(999), TimeDelta::milliseconds(86_400_001)]
        {
            assert_eq!(tolerance(refused).expect_err("refused").sqlstate(), "22023");
        }
    }

    #[test]
    fn headers_are_read_as_the_reference_library_reads_them() {
        let now = now();
        let signature = |id: &str, seconds: i64| {
            Webhook::new(SECRET).expect("a secret").sign(id, seconds, BODY.as_bytes()).expect("signed")
        };
        let (at, far) = (now.timestamp(), [i64::MAX, 0, -1]);
        let mut cases: Vec<(String, String, String)> = vec![
            ("é".into(), at.to_string(), signature("é", at)),
            ("a\tb".into(), at.to_string(), signature("a\tb", at)),
            ("a\nb".into(), at.to_string(), signature("a\nb", at)),
            ("a.b".into(), at.to_string(), signature("a.b", at)),
            (String::new(), at.to_string(), signature("", at)),
        ];
        for text in [format!("+{at}"), format!("00{at}"), format!(" {at}"), format!("{at}.0"), String::new()] {
            cases.push(("m".into(), text, signature("m", at)));
        }
        cases.extend(far.map(|seconds| ("m".into(), seconds.to_string(), signature("m", seconds))));
        let good = signature("m", at);
        let (v1, short) = (&good["v1,".len()..], good.trim_end_matches('='));
        // The same bytes: two bits of the last character have no meaning.
        let (most, last) = short.split_at(short.len() - 1);
        let same_bytes = format!("{most}{}=", char::from(last.as_bytes()[0] + 1));
        for text in [
            format!("  {good}  "),
            format!("v1,{v1},{v1}"),
            format!("v1a,{v1} v2,{v1} {v1}"),
            format!("{good},"),
            format!("{good}="),
            short.into(),
            same_bytes,
            format!("V1,{v1}"),
            "v1,".into(),
            format!("é {good}"),
        ] {
            cases.push(("m".into(), at.to_string(), text));
        }
        let mut accepted = 0;
        for (id, at, signature) in cases {
            let shown = json!({"webhook-id": id, "webhook-timestamp": at, "webhook-signature": signature});
            let shown = shown.as_object().expect("an object");
            let verified = verify(Scheme::Standard, SECRET, shown, BODY, now, FIVE_MINUTES).expect("a secret");
            assert_eq!(verified, reference(SECRET, shown, BODY), "{id:?} {at:?} {signature:?}");
            accepted += i32::from(verified);
        }
        assert_eq!(accepted, 6);
        let first = json!({"webhook-id": "m", "webhook-timestamp": i64::MIN.to_string(), "webhook-signature": good});
        let first = first.as_object().expect("an object");
        assert_eq!(verify(Scheme::Standard, SECRET, first, BODY, now, FIVE_MINUTES), Ok(false));
    }

    #[test]
    fn secrets_have_24_to_64_bytes() {
        let secret = |bytes: usize| format!("whsec_{}", BASE64_STANDARD.encode(vec![1; bytes]));
        let now = now();
        for bytes in [24, 32, 64] {
            assert!(sign(Scheme::Standard, &secret(bytes), &message(now)).is_ok());
        }
        for secret in
            [secret(23), secret(65), String::new(), "whsec_".into(), SECRET.replace("whsec_", ""), "whsec_!".into()]
        {
            let error = sign(Scheme::Stripe, &secret, &message(now)).expect_err("refused");
            assert_eq!(error, bad_secret(), "does not repeat it");
        }
    }
}
