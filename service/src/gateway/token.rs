//! Tokens (JSON Web Tokens, HS256), for gateways that know the secret. PostgREST reads them in the same way.
//!
//! Written here because it is the only algorithm: the crates for all of them bring RSA and elliptic curves along.

use std::time::{SystemTime, UNIX_EPOCH};

use axum::http::StatusCode;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use rules::access::api_key;
use serde_json::{Map, Value};
use sha2::Sha256;

use crate::gateway::failure::Failure;

/// In the environment only: others see arguments.
pub const VARIABLE: &str = "CHECKOUT_SESSIONS_GATEWAY_JWT_SECRET";
const SHORTEST: usize = 32;
/// Seconds by which clocks may differ.
const LEEWAY: f64 = 30.0;

/// Reads tokens, if there is a secret. No `Debug`: it would show the secret.
pub struct Tokens(Option<Hmac<Sha256>>);

/// A token that has been verified.
pub struct Token {
    /// As JSON.
    pub claims: String,
    /// The role of its transaction, if it names one.
    pub role: Option<String>,
}

impl Tokens {
    pub fn new(secret: Option<String>) -> Result<Self, String> {
        let Some(secret) = secret.filter(|secret| !secret.is_empty()) else { return Ok(Self(None)) };
        if secret.len() < SHORTEST {
            return Err(format!("{VARIABLE} must have at least {SHORTEST} characters"));
        }
        Hmac::new_from_slice(secret.as_bytes()).map(|key| Self(Some(key))).map_err(|error| error.to_string())
    }

    /// The token in Authorization: Bearer. `None` if there is an API key or nothing; refuses one that is not valid.
    pub fn of(&self, headers: &Map<String, Value>) -> Result<Option<Token>, Failure> {
        let bearer = headers.get("authorization").and_then(Value::as_str).and_then(|value| value.split_once(' '));
        let Some((_, token)) = bearer.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")) else {
            return Ok(None);
        };
        let token = token.trim();
        if api_key::looks_like(token) {
            return Ok(None);
        }
        let refusal = |message: &str| Failure::new(StatusCode::UNAUTHORIZED, "PGRST301", message);
        let Some(key) = &self.0 else { return Err(refusal("the token is not an API key")) };
        let claims = verified(key, token).ok_or_else(|| refusal("the token is not valid"))?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64());
        check_times(&claims, now).map_err(refusal)?;
        let role = match claims.get("role") {
            None | Some(Value::Null) => None,
            Some(Value::String(role)) => Some(role.clone()),
            Some(_) => return Err(refusal("the token's role is not a text")),
        };
        Ok(Some(Token { claims: Value::from(claims).to_string(), role }))
    }
}

/// The claims of a token that is signed with the key.
fn verified(key: &Hmac<Sha256>, token: &str) -> Option<Map<String, Value>> {
    let (signed, signature) = token.rsplit_once('.')?;
    let (header, claims) = signed.split_once('.')?;
    let decode = |part: &str| BASE64_URL_SAFE_NO_PAD.decode(part).ok();
    key.clone().chain_update(signed).verify_slice(&decode(signature)?).ok()?;
    let header: Map<String, Value> = serde_json::from_slice(&decode(header)?).ok()?;
    // Extensions that a reader must understand (RFC 7515, 4.1.11) are none that this one does.
    if header.get("alg").and_then(Value::as_str) != Some("HS256") || header.contains_key("crit") {
        return None;
    }
    serde_json::from_slice(&decode(claims)?).ok()
}

fn check_times(claims: &Map<String, Value>, now: f64) -> Result<(), &'static str> {
    let time = |name: &str| match claims.get(name) {
        None => Ok(None),
        Some(value) => value.as_f64().map(Some).ok_or("a time of the token is not a number"),
    };
    match (time("exp")?, time("nbf")?, time("iat")?) {
        (Some(end), _, _) if now >= end + LEEWAY => Err("JWT expired"),
        (_, Some(begin), _) if now < begin - LEEWAY => Err("JWT not yet valid"),
        (_, _, Some(issued)) if now < issued - LEEWAY => Err("JWT issued at future"),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const SECRET: &str = "0123456789abcdef0123456789abcdef";

    fn token(secret: &str, header: Value, claims: Value) -> String {
        let [header, claims] = [header, claims].map(|part| BASE64_URL_SAFE_NO_PAD.encode(part.to_string()));
        let signed = format!("{header}.{claims}");
        let key: Hmac<Sha256> = Hmac::new_from_slice(secret.as_bytes()).expect("any length");
        let signature = key.chain_update(&signed).finalize().into_bytes();
        format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
    }

    fn read(tokens: &Tokens, authorization: &str) -> Result<Option<Token>, String> {
        let headers = Map::from_iter([("authorization".to_owned(), authorization.into())]);
        tokens.of(&headers).map_err(|failure| failure.message.into())
    }

    #[test]
    fn a_signed_token_is_read_and_no_other() {
        let tokens = Tokens::new(Some(SECRET.into())).expect("long enough");
        let good = token(SECRET, json!({"alg": "HS256"}), json!({"role": "member", "organization_id": "a"}));
        let read_token = read(&tokens, &format!("bearer {good}")).expect("valid").expect("there");
        assert_eq!(read_token.role.as_deref(), Some("member"));
        assert_eq!(read_token.claims, r#"{"organization_id":"a","role":"member"}"#);
        for header in ["Basic x", "Bearer sk_live_1", ""] {
            assert!(matches!(read(&tokens, header), Ok(None)), "{header}");
        }
        for bad in [
            token("another secret of 32 characters.", json!({"alg": "HS256"}), json!({})),
            token(SECRET, json!({"alg": "none"}), json!({})),
            token(SECRET, json!({"alg": "HS512"}), json!({})),
            token(SECRET, json!({"alg": "HS256", "crit": ["x"]}), json!({})),
            token(SECRET, json!({"alg": "HS256"}), json!([])),
            token(SECRET, json!({"alg": "HS256"}), json!({"role": 7})),
            good.replace('.', ""),
            format!("{}.", &good[..good.rfind('.').expect("a dot")]),
            good[..good.len() - 2].to_owned(),
            String::new(),
        ] {
            assert!(read(&tokens, &format!("Bearer {bad}")).is_err(), "{bad}");
        }
        assert!(read(&Tokens::new(None).expect("none"), &format!("Bearer {good}")).is_err(), "without a secret");
        assert!(Tokens::new(Some("short".into())).is_err());
    }

    #[test]
    fn times_are_kept_with_a_leeway() {
        let at = |claims: Value| check_times(claims.as_object().expect("an object"), 1_000.0);
        assert_eq!(at(json!({"exp": 980, "nbf": 1_020, "iat": 1_020})), Ok(()));
        assert_eq!(at(json!({"exp": 970})), Err("JWT expired"));
        assert_eq!(at(json!({"nbf": 1_031})), Err("JWT not yet valid"));
        assert_eq!(at(json!({"iat": 1_031})), Err("JWT issued at future"));
        for wrong in [json!({"exp": "2000"}), json!({"exp": null}), json!({"nbf": {}})] {
            assert!(at(wrong.clone()).is_err(), "{wrong}");
        }
    }
}
