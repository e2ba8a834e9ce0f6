//! Writes the values of which the answers of all dialects consist.

use chrono::{DateTime, SecondsFormat, Utc};
use rust_decimal::Decimal;
use serde::Serialize;
use serde_json::Number;
use serde_json::value::RawValue;

use crate::checkout::money;
use crate::checkout::status::Status;
use crate::checkout::view::SessionView;
use crate::webhooks::event::EventType;

/// JSON text. The members of a struct keep its order.
pub fn to_text(body: &impl Serialize) -> String {
    // Strings, numbers and maps of them can always be written.
    serde_json::to_string(body).unwrap_or_else(|_| "null".into())
}

/// A decimal as a JSON number, exactly.
pub fn number(amount: Decimal) -> Number {
    let Ok(number) = amount.normalize().to_string().parse() else { unreachable!("a decimal is a JSON number") };
    number
}

/// A status, in a dialect with three: a failed session counts as expired there.
pub fn three_statuses(status: Status) -> &'static str {
    match status {
        Status::Open => "open",
        Status::Complete => "complete",
        Status::Failed | Status::Expired => "expired",
    }
}

/// The events of such a dialect, which knows the ends of a session as completed and expired.
pub const THREE_STATUSES_EVENTS: [(EventType, EventType); 1] = [(EventType::Failed, EventType::Expired)];

/// The amount of a session in its currency's smallest units.
pub fn minor_units(session: &SessionView) -> Number {
    number(money::to_minor_units(session.amount, &session.currency_code))
}

/// The body of a webhook event about an object, usually a session, given as JSON text.
pub fn event(id: &str, event_type: &str, timestamp: DateTime<Utc>, object: String) -> String {
    #[derive(Serialize)]
    struct Event<'e> {
        id: &'e str,
        r#type: &'e str,
        timestamp: String,
        data: Data,
    }
    #[derive(Serialize)]
    struct Data {
        object: Option<Box<RawValue>>,
    }
    let object = RawValue::from_string(object).ok();
    to_text(&Event { id, r#type: event_type, timestamp: microseconds(timestamp), data: Data { object } })
}

/// 2024-01-15T10:30:00Z
pub fn seconds(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// 2022-05-09T20:46:54.786342Z
pub fn microseconds(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Micros, true)
}
