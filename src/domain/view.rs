//! A session as callers see it: what `checkout.checkout_session` shows, read from its JSON.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Number, Value};
use uuid::Uuid;

use super::credential::Environment;
use super::status::Status;

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
    /// unpaid, processing or paid.
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
    pub idempotent_replay: bool,
}

/// Without a detour through floating point.
fn exact<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Decimal, D::Error> {
    let number = Number::deserialize(deserializer)?;
    Decimal::from_str_exact(number.as_str()).map_err(serde::de::Error::custom)
}

fn status<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Status, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
}
