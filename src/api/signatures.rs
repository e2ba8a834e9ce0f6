//! Signatures of webhooks, for senders and receivers that use SQL.

use pgrx::datum::{Interval, TimestampWithTimeZone};
use pgrx::prelude::*;
use serde_json::{Map, Value};

use crate::datum::{self, Jsonb, Text, required_text};
use crate::report::or_raise;
use rules::validate::required;
use rules::webhooks::signature::{self, Message};
use rules::{Error, Result};

/// The limit for a webhook of any sender: no known sender exceeds it.
const BODY_BYTES: usize = 32 * 1024 * 1024;
const HEADERS_BYTES: usize = 64 * 1024;

#[pg_extern(sql = false)]
fn sign_webhook(
    webhook_id: Option<Text>,
    webhook_timestamp: Option<TimestampWithTimeZone>,
    body: Option<Text>,
    secret: Option<Text>,
    scheme: Option<Text>,
) -> String {
    or_raise(|| {
        let message = Message {
            id: required_text("webhook_id", &webhook_id)?,
            timestamp: datum::from_timestamp("webhook_timestamp", required("webhook_timestamp", webhook_timestamp)?)?,
            body: required("body", body.as_ref())?.read_up_to("body", BODY_BYTES)?,
        };
        signature::sign(required_text("scheme", &scheme)?.parse()?, required_text("secret", &secret)?, &message)
    })
}

#[pg_extern(sql = false)]
fn verify_webhook(
    headers: Option<Jsonb>,
    body: Option<Text>,
    secret: Option<Text>,
    scheme: Option<Text>,
    tolerance: Option<Interval>,
) -> bool {
    or_raise(|| {
        let headers = names_in_lower_case(required("headers", headers)?)?;
        let body = required("body", body.as_ref())?.read_up_to("body", BODY_BYTES)?;
        let secret = required_text("secret", &secret)?;
        let scheme = required_text("scheme", &scheme)?.parse()?;
        let tolerance = signature::tolerance(datum::from_interval("tolerance", required("tolerance", tolerance)?)?)?;
        signature::verify(scheme, secret, &headers, body, datum::now(), tolerance)
    })
}

fn names_in_lower_case(headers: Jsonb) -> Result<Map<String, Value>> {
    let headers = headers.read("headers", HEADERS_BYTES)?;
    let headers: Map<String, Value> =
        serde_json::from_str(&headers.text()).map_err(|_| Error::invalid("headers", "must be a JSON object"))?;
    Ok(headers.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value)).collect())
}
