//! Idempotency keys: the same key with the same request leads to the same session.
//!
//! Source: Stripe, "Idempotent requests": keys of up to 255 characters, kept for at least 24 hours, another request under
//! the same key is an error.

use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::validate;
use crate::{Error, Result};

pub type RequestHash = [u8; 32];

pub fn check_key(key: &str) -> Result<&str> {
    validate::identifier("idempotency_key", key)
}

/// One text for all values that are equal as jsonb. jsonb keeps the zeros at the end of a fraction: 1.0 equals 1, and is
/// written differently. `text` is as jsonb writes it: without exponents.
pub fn canonical_json(text: &str) -> Result<String> {
    let mut value: Value =
        serde_json::from_str(text).map_err(|error| Error::Internal(format!("JSON has no canonical form: {error}")))?;
    without_zeros(&mut value);
    Ok(value.to_string())
}

fn without_zeros(value: &mut Value) {
    match value {
        Value::Number(number) if number.as_str().contains('.') => {
            let shortest = number.as_str().trim_end_matches('0').trim_end_matches('.');
            if let Ok(shortest) = shortest.parse() {
                *number = shortest;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(without_zeros),
        Value::Object(members) => members.values_mut().for_each(without_zeros),
        _ => {}
    }
}

/// SHA-256 of the request as JSON. Fields are written in the order of the struct, so equal requests have equal text.
pub fn request_hash(request: &impl Serialize) -> Result<RequestHash> {
    let text = serde_json::to_vec(request)
        .map_err(|error| Error::Internal(format!("request has no canonical form: {error}")))?;
    Ok(Sha256::digest(text).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_requests_and_only_those_have_equal_hashes() {
        let hash = |value: serde_json::Value| request_hash(&value).expect("serializable");
        let one = hash(serde_json::json!({"amount": "10", "title": null}));
        assert_eq!(one, hash(serde_json::json!({"title": null, "amount": "10"})));
        assert_ne!(one, hash(serde_json::json!({"amount": "10", "title": ""})));
        assert_ne!(one, hash(serde_json::json!({"amount": "11", "title": null})));
    }

    #[test]
    fn metadata_that_are_equal_as_jsonb_have_one_text() {
        let same = |one, other| assert_eq!(canonical_json(one), canonical_json(other), "{one} {other}");
        same(r#"{"a": 1}"#, r#"{"a": 1.0}"#);
        same(r#"{"a": [1.50, {"b": -0.10}]}"#, r#"{"a": [1.5, {"b": -0.1}]}"#);
        same(r#"{"a": 100, "b": 2}"#, r#"{"b":2.000,"a":100.0}"#);
        same(r#"{"a": 0}"#, r#"{"a": 0.00}"#);
        let huge = "9".repeat(40);
        same(&format!(r#"{{"a": {huge}}}"#), &format!(r#"{{"a": {huge}.0}}"#));
        for (one, other) in [
            (r#"{"a": 1}"#, r#"{"a": 10}"#),
            (r#"{"a": 1}"#, r#"{"a": "1"}"#),
            (r#"{"a": "1.0"}"#, r#"{"a": "1"}"#),
            (r#"{"a": 1.05}"#, r#"{"a": 1.5}"#),
            (r#"{"a": null}"#, "{}"),
        ] {
            assert_ne!(canonical_json(one), canonical_json(other), "{one} {other}");
        }
    }

    #[test]
    fn keys_are_one_to_255_characters() {
        assert!(check_key("k").is_ok());
        assert!(check_key(&"k".repeat(255)).is_ok());
        assert!(check_key("").is_err());
        assert!(check_key(" ").is_err());
        assert!(check_key(&"k".repeat(256)).is_err());
    }
}
