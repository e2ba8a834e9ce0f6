//! Signatures of webhooks, for senders and receivers in SQL.

use pgrx::datum::TimestampWithTimeZone;
use pgrx::prelude::*;
use serde_json::{Map, Value};

use crate::datum::{self, Jsonb};
use crate::domain::validate::required;
use crate::domain::webhook_signature::{self, Message};
use crate::domain::{Error, Result};
use crate::report::or_raise;

#[pg_extern(schema = "checkout", immutable, parallel_safe)]
fn sign_webhook(
    webhook_id: Option<&str>,
    webhook_timestamp: Option<TimestampWithTimeZone>,
    body: Option<&str>,
    secret: Option<&str>,
    scheme: default!(Option<&str>, "'standard'"),
) -> String {
    or_raise((|| {
        let message = Message {
            id: required("webhook_id", webhook_id)?,
            timestamp: datum::from_timestamp("webhook_timestamp", required("webhook_timestamp", webhook_timestamp)?)?,
            body: required("body", body)?,
        };
        webhook_signature::sign(required("scheme", scheme)?.parse()?, required("secret", secret)?, &message)
    })())
}

#[pg_extern(schema = "checkout", stable, parallel_safe)]
fn verify_webhook(
    headers: Option<Jsonb>,
    body: Option<&str>,
    secret: Option<&str>,
    scheme: default!(Option<&str>, "'standard'"),
) -> bool {
    or_raise((|| {
        let headers = names_in_lower_case(required("headers", headers)?)?;
        let body = required("body", body)?;
        let secret = required("secret", secret)?;
        webhook_signature::verify(required("scheme", scheme)?.parse()?, secret, &headers, body, datum::now())
    })())
}

fn names_in_lower_case(headers: Jsonb) -> Result<Map<String, Value>> {
    headers.check_plain("headers")?;
    let headers: Map<String, Value> =
        serde_json::from_str(&headers.text()).map_err(|_| Error::invalid("headers", "must be a JSON object"))?;
    Ok(headers.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value)).collect())
}
