//! Conversions between Postgres' values and those of the rules.

use chrono::{DateTime, TimeDelta, Utc};
use pgrx::AnyNumeric;
use pgrx::datum::{Interval, TimestampWithTimeZone};
use pgrx::prelude::PgTryBuilder;
use rust_decimal::Decimal;
use uuid::Uuid;

use crate::backend;

use rules::checkout::money;
use rules::{Error, Result};

mod column;
mod composite;
mod jsonb;
mod rows;
mod session_json;
mod session_view;
mod text;

pub use column::Column;

pub use composite::{
    ApiKey, Composite, CouponAnswer, CouponRow, Credential, CustomerRecord, Event, Hook, HttpAnswer, Organization,
    PagePolicy, Payment, Price, Product, PublicSession, Refund, Restarted, Session, SessionLine, Subscription,
    WebhookAttempt, WebhookConsumer, WebhookDelivery, WebhookDeliveryRequest, WebhookEndpoint,
};
pub use jsonb::{Json, Jsonb, metadata};
pub use rows::Rows;
pub use text::{Text, Texts, Uuids, required_text, text};

/// 2000-01-01, the epoch of Postgres, in microseconds since 1970.
const POSTGRES_EPOCH: i64 = 946_684_800_000_000;

pub fn uuid(id: Uuid) -> pgrx::Uuid {
    pgrx::Uuid::from_bytes(id.into_bytes())
}

pub fn from_uuid(id: pgrx::Uuid) -> Uuid {
    Uuid::from_bytes(*id.as_bytes())
}

/// The clock, not the start of the transaction: due work must not wait for the end of a transaction.
pub fn now() -> DateTime<Utc> {
    from_micros(backend::now())
}

/// Microseconds since 2000, as Postgres stores a timestamptz.
pub fn micros(at: DateTime<Utc>) -> i64 {
    at.timestamp_micros() - POSTGRES_EPOCH
}

pub fn from_micros(micros: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(micros.saturating_add(POSTGRES_EPOCH)).unwrap_or_default()
}

pub fn timestamp(at: DateTime<Utc>) -> TimestampWithTimeZone {
    TimestampWithTimeZone::try_from(micros(at)).unwrap_or_else(|_| TimestampWithTimeZone::positive_infinity())
}

/// Postgres has times up to the year 294276, and this type up to 262142: later ones are its last. No bound is as far.
pub fn from_timestamp(argument: &'static str, at: TimestampWithTimeZone) -> Result<DateTime<Utc>> {
    match i64::from(at) {
        i64::MIN | i64::MAX => Err(Error::invalid(argument, "must be a finite time")),
        micros => {
            let at = micros.checked_add(POSTGRES_EPOCH).and_then(DateTime::from_timestamp_micros);
            Ok(at.unwrap_or(DateTime::<Utc>::MAX_UTC))
        }
    }
}

/// A year counts as 365.25 days, a month as 30 days and a day as 24 hours, as in Postgres' epoch of an interval.
pub fn from_interval(argument: &'static str, interval: Interval) -> Result<TimeDelta> {
    let (years, months) = (interval.months() / 12, interval.months() % 12);
    let quarters_of_days = i128::from(years) * 1_461 + (i128::from(months) * 30 + i128::from(interval.days())) * 4;
    let micros = quarters_of_days * 21_600_000_000 + i128::from(interval.micros());
    i64::try_from(micros)
        .map(TimeDelta::microseconds)
        .map_err(|_| Error::OutOfRange { argument, fault: "is too long".into() })
}

/// An interval that is added to a time of the calendar: months are no 30 days there, so its parts must not cancel out.
pub fn of_one_sign(argument: &'static str, interval: Interval) -> Result<Interval> {
    let signs = [i64::from(interval.months()), i64::from(interval.days()), interval.micros()].map(i64::signum);
    if signs.contains(&1) && signs.contains(&-1) {
        return Err(Error::invalid(argument, "must not have parts with different signs"));
    }
    Ok(interval)
}

/// A span in days, rounded up. A year has 365.25 days: as long as it lasts.
pub fn from_years(argument: &'static str, interval: Interval) -> Result<TimeDelta> {
    let interval = of_one_sign(argument, interval)?;
    let (months, days) = (i64::from(interval.months()), i64::from(interval.days()));
    let rest = from_interval(argument, Interval::from_micros(interval.micros()))?;
    let days = (months * 487 + 15).div_euclid(16) + days + (rest.num_seconds() + 86_399).div_euclid(86_400);
    Ok(TimeDelta::days(days))
}

/// An interval of days, for spans that are whole days.
pub fn days(span: TimeDelta) -> Interval {
    let days = i32::try_from(span.num_days()).unwrap_or(i32::MAX);
    Interval::new(0, days, 0).unwrap_or_else(|_| interval(span))
}

/// Reads an interval as Postgres does.
pub fn parse_interval(argument: &'static str, text: &str) -> Result<TimeDelta> {
    let unreadable = || Error::invalid(argument, "has a text that is no interval");
    let interval = PgTryBuilder::new(|| text.parse::<Interval>().map_err(|_| unreadable()))
        .catch_others(|_| Err(unreadable()))
        .execute()?;
    from_interval(argument, interval)
}

pub fn interval(span: TimeDelta) -> Interval {
    // In microseconds. An interval is made of a floating-point number, which would be rounded up beyond the greatest one.
    const LONGEST: i64 = 9_000_000_000_000_000_000;
    Interval::from_micros(span.num_microseconds().unwrap_or(i64::MAX).clamp(-LONGEST, LONGEST))
}

pub fn numeric(amount: Decimal) -> Result<AnyNumeric> {
    AnyNumeric::try_from(amount.to_string().as_str())
        .map_err(|error| Error::Internal(format!("amount is not numeric: {error}")))
}

pub fn from_numeric(argument: &'static str, amount: &AnyNumeric) -> Result<Decimal> {
    money::parse_amount(argument, &amount.to_string())
}

/// Any amount that is reported.
pub fn from_reported(argument: &'static str, amount: &AnyNumeric) -> Result<Decimal> {
    money::parse_reported(argument, &amount.to_string())
}
