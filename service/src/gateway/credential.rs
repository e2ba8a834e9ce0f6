//! The credential of a request, as far as the gateway reads it.

use rules::access::{api_key, http_credential};
use serde_json::{Map, Value};

/// The functions of a buyer, whose credential is a client secret.
const BUYERS: [&str; 12] = [
    "public_checkout_session",
    "open_checkout_session",
    "cancel_checkout_session",
    "restart_checkout_session",
    "simulate_public_payment",
    "set_quantity",
    "set_unit_amount",
    "apply_coupon",
    "remove_coupon",
    "set_billing_address",
    "complete_free_checkout_session",
    "page_policy",
];

pub fn is_for_buyers(function: &str) -> bool {
    BUYERS.contains(&function)
}

/// The API key of a request, if it has the form of one.
pub struct ApiKey {
    /// Its public part.
    pub id: String,
    /// Stands for the whole key: whoever knows only its public part must not count as its holder.
    pub digest: api_key::Digest,
}

impl ApiKey {
    pub fn of(headers: &Map<String, Value>) -> Option<Self> {
        let presented = api_key::parse(http_credential::api_key(headers).ok()??)?;
        Some(Self { id: presented.api_key_id.to_owned(), digest: presented.digest })
    }
}

/// Returns true if the request presents any credential, be it good or bad.
pub fn is_presented(headers: &Map<String, Value>) -> bool {
    headers.contains_key("x-api-key") || headers.contains_key("authorization")
}
