//! Idempotency keys: the same key with the same request leads to the same session.
//!
//! Source: Stripe, "Idempotent requests": keys of up to 255 characters, kept for at least 24 hours, another request under
//! the same key is an error.

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::validate;
use crate::{Error, Result};

pub type RequestHash = [u8; 32];

pub fn check_key(key: &str) -> Result<&str> {
    validate::text("idempotency_key", key, validate::SHORT_TEXT)
}

/// SHA-256 of the request as JSON. Fields are written in the order of the struct, object keys of metadata in the order
/// that jsonb keeps, so equal requests have equal text.
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
    fn keys_are_one_to_255_characters() {
        assert!(check_key("k").is_ok());
        assert!(check_key(&"k".repeat(255)).is_ok());
        assert!(check_key("").is_err());
        assert!(check_key(&"k".repeat(256)).is_err());
    }
}
