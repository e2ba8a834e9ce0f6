//! A session as callers see it: the members of `checkout.checkout_session`, read from its JSON.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Number, Value};
use uuid::Uuid;

use super::status::Status;
use crate::access::credential::Environment;

#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct SessionView {
    pub checkout_session_id: Uuid,
    pub organization_id: Uuid,
    pub environment: Environment,
    #[serde(deserialize_with = "exact")]
    pub amount: Decimal,
    pub currency_code: String,
    #[serde(deserialize_with = "status")]
    pub status: Status,
    /// unpaid, processing, paid or no_payment_required.
    pub payment_status: String,
    pub payment_id: Option<String>,
    pub max_retry_attempts: i32,
    pub title: Option<String>,
    pub description: Option<String>,
    pub reference: Option<String>,
    pub customer_id: Option<String>,
    pub customer_email: Option<String>,
    pub customer_name: Option<String>,
    pub customer_phone: Option<String>,
    pub product_id: Option<String>,
    pub price_id: Option<String>,
    pub subscription_id: Option<String>,
    pub payment_link_id: Option<String>,
    pub quantity: i32,
    pub allow_quantity: bool,
    pub allow_coupon_code: bool,
    pub require_billing_address: bool,
    pub is_spi: bool,
    pub is_pos: bool,
    pub country: Option<String>,
    pub success_url: Option<String>,
    pub cancel_url: Option<String>,
    pub url: Option<String>,
    pub client_secret: Option<String>,
    pub payment_methods: Vec<String>,
    pub metadata: Map<String, Value>,
    pub expires_at: DateTime<Utc>,
    pub completed_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
    pub created_by: Option<String>,
    pub updated_at: DateTime<Utc>,
}

/// Converted without floating point.
fn exact<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Decimal, D::Error> {
    let number = Number::deserialize(deserializer)?;
    Decimal::from_str_exact(number.as_str()).map_err(serde::de::Error::custom)
}

fn status<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Status, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
}

#[cfg(test)]
impl SessionView {
    /// An open session with these `members`.
    pub fn with(members: Value) -> Self {
        let mut session = serde_json::json!({
            "checkout_session_id": "987e6543-e89b-12d3-a456-426614174000",
            "organization_id": "789e0123-e89b-12d3-a456-426614174000",
            "environment": "live", "amount": 10000, "currency_code": "XOF", "status": "open", "payment_status": "unpaid",
            "max_retry_attempts": 3, "quantity": 1, "allow_quantity": false, "allow_coupon_code": false,
            "require_billing_address": false, "is_spi": false, "is_pos": false, "payment_methods": ["bank_transfer", "payid"],
            "metadata": {}, "created_at": "2024-01-15T10:30:00+00:00", "updated_at": "2024-01-15T10:30:00+00:00",
            "expires_at": "2024-01-15T11:30:00+00:00", "created_by": "456e7890-e89b-12d3-a456-426614174000"
        });
        if let (Some(session), Value::Object(members)) = (session.as_object_mut(), members) {
            session.extend(members);
        }
        serde_json::from_value(session).expect("a session")
    }
}
