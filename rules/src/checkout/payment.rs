//! The effect of a payment on its session. Money that was taken is never lost: if a session cannot accept a payment,
//! the payment is rejected with the reason, and that is an answer, not an error.

use std::str::FromStr;

use chrono::{DateTime, TimeDelta, Utc};
use rust_decimal::Decimal;

use super::money::{self, Currency};
use super::session::Session;
use super::status::{Status, Trigger};
use crate::webhooks::event::EventType;
use crate::{Error, Result};

const DEFAULT_LEASE: TimeDelta = TimeDelta::minutes(5);
const MAXIMUM_LEASE: TimeDelta = TimeDelta::minutes(15);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Succeeded,
    Failed,
}

impl FromStr for Outcome {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "succeeded" => Ok(Self::Succeeded),
            "failed" => Ok(Self::Failed),
            _ => Err(Error::invalid("outcome", "must be succeeded or failed")),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PaymentStatus {
    Processing,
    Succeeded,
    Failed,
    Rejected(Rejection),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rejection {
    SessionExpired,
    SessionFailed,
    AlreadyPaid,
    AmountMismatch,
    CurrencyMismatch,
}

impl PaymentStatus {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Processing => "processing",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Rejected(_) => "rejected",
        }
    }

    pub fn rejection_reason(self) -> Option<&'static str> {
        match self {
            Self::Rejected(Rejection::SessionExpired) => Some("session_expired"),
            Self::Rejected(Rejection::SessionFailed) => Some("session_failed"),
            Self::Rejected(Rejection::AlreadyPaid) => Some("already_paid"),
            Self::Rejected(Rejection::AmountMismatch) => Some("amount_mismatch"),
            Self::Rejected(Rejection::CurrencyMismatch) => Some("currency_mismatch"),
            _ => None,
        }
    }
}

/// A payment of that session that was recorded or begun before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    pub same_session: bool,
    pub status: PaymentStatus,
    pub amount: Decimal,
    pub currency_code: String,
    pub lease_expires_at: Option<DateTime<Utc>>,
}

/// A report of how a payment ended. What it leaves out is taken from the session.
#[derive(Debug, Clone, PartialEq)]
pub struct Report<'a> {
    pub payment_id: &'a str,
    pub outcome: Outcome,
    pub amount: Option<Decimal>,
    pub currency_code: Option<&'a str>,
    pub payment_method: Option<&'a str>,
    pub failure_code: Option<&'a str>,
    pub failure_message: Option<&'a str>,
}

impl<'a> Report<'a> {
    /// A report with the session's amount, without details.
    pub fn new(payment_id: &'a str, outcome: Outcome) -> Self {
        Self {
            payment_id,
            outcome,
            amount: None,
            currency_code: None,
            payment_method: None,
            failure_code: None,
            failure_message: None,
        }
    }
}

/// The rows to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Nothing: the payment was recorded before.
    Replay,
    Settle(Settlement),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settlement {
    pub payment: PaymentStatus,
    pub amount: Decimal,
    pub currency_code: String,
    pub session: Status,
    pub attempts: i32,
    pub lease_expires_at: Option<DateTime<Utc>>,
    /// In order, at most two: an overdue session is expired before its late payment is rejected.
    pub events: Vec<EventType>,
}

/// Decides the effect of a reported payment at `now`, under the session's row lock.
pub fn record(session: &Session, known: Option<&Known>, report: &Report, now: DateTime<Utc>) -> Result<Decision> {
    let currency_code = report.currency_code.unwrap_or(&session.currency_code);
    let currency = Currency::parse("currency_code", currency_code)?;
    let amount = money::with_digits(report.amount.unwrap_or(session.amount), currency);
    if let Some(known) = known {
        if !known.same_session {
            return Err(conflict(report.payment_id, "belongs to another checkout session"));
        }
        let settled = matches!(known.status, PaymentStatus::Succeeded | PaymentStatus::Rejected(_));
        if settled
            && report.outcome == Outcome::Succeeded
            && (known.amount != amount || known.currency_code != currency_code)
        {
            return Err(conflict(report.payment_id, "was recorded with another amount or currency"));
        }
        // A late report of failure does not undo a success. A late success after a failure is money: it goes on below.
        if settled || (known.status == PaymentStatus::Failed && report.outcome == Outcome::Failed) {
            return Ok(Decision::Replay);
        }
    }

    let mut events = Vec::with_capacity(2);
    let mut status = session.status;
    if session.overdue(now) {
        status = Status::Expired;
        events.push(EventType::Expired);
    }
    let holds_lease = known.is_some_and(|known| {
        known.status == PaymentStatus::Processing
            && known.lease_expires_at.is_some()
            && known.lease_expires_at == session.lease_expires_at
    });
    let live_lease = session.live_lease(now).filter(|_| status == Status::Open);
    let settlement = |payment, session, attempts, lease_expires_at, events| {
        let currency_code = currency_code.to_owned();
        Ok(Decision::Settle(Settlement { payment, amount, currency_code, session, attempts, lease_expires_at, events }))
    };

    match report.outcome {
        Outcome::Succeeded => {
            if let Some(rejection) = rejection(session, status, amount, currency_code) {
                events.push(EventType::PaymentRejected);
                let lease = if holds_lease { None } else { live_lease };
                return settlement(PaymentStatus::Rejected(rejection), status, session.attempts, lease, events);
            }
            let status = after(status, Trigger::PaymentSucceeded)?;
            events.push(EventType::Completed);
            settlement(PaymentStatus::Succeeded, status, session.attempts, None, events)
        }
        // No money was taken, and the session is over: only the payment is recorded.
        Outcome::Failed if status != Status::Open => {
            settlement(PaymentStatus::Failed, status, session.attempts, None, events)
        }
        Outcome::Failed => {
            let attempts = session.attempts + 1;
            let lease = if holds_lease { None } else { live_lease };
            if attempts > session.max_retry_attempts {
                events.push(EventType::Failed);
                let status = after(status, Trigger::RetriesExhausted)?;
                settlement(PaymentStatus::Failed, status, attempts, None, events)
            } else {
                events.push(EventType::PaymentFailed);
                let status = after(status, Trigger::PaymentFailed)?;
                settlement(PaymentStatus::Failed, status, attempts, lease, events)
            }
        }
    }
}

/// The reason why a successful payment cannot be accepted, if any.
fn rejection(session: &Session, status: Status, amount: Decimal, currency_code: &str) -> Option<Rejection> {
    match status {
        Status::Complete => Some(Rejection::AlreadyPaid),
        Status::Expired => Some(Rejection::SessionExpired),
        Status::Failed => Some(Rejection::SessionFailed),
        Status::Open if currency_code != session.currency_code => Some(Rejection::CurrencyMismatch),
        Status::Open if amount != session.amount => Some(Rejection::AmountMismatch),
        Status::Open => None,
    }
}

fn after(status: Status, trigger: Trigger) -> Result<Status> {
    status
        .on(trigger)
        .ok_or_else(|| Error::Internal(format!("session that is {status} cannot be settled by {trigger:?}")))
}

/// Checks that a payment may begin now: `Replay` if it has begun already and its lease is running.
pub fn begin(session: &Session, known: Option<&Known>, payment_id: &str, now: DateTime<Utc>) -> Result<Begin> {
    if let Some(known) = known {
        if !known.same_session {
            return Err(conflict(payment_id, "belongs to another checkout session"));
        }
        if known.status != PaymentStatus::Processing {
            return Err(conflict(payment_id, "has been recorded already"));
        }
        if known.lease_expires_at.is_some_and(|until| until > now)
            && known.lease_expires_at == session.lease_expires_at
            && session.status == Status::Open
        {
            return Ok(Begin::Replay);
        }
    }
    let status = session.effective_status(now);
    status.on(Trigger::PaymentBegan).ok_or(Error::SessionNotOpen { status: status.as_str() })?;
    match session.live_lease(now) {
        Some(until) => Err(Error::PaymentInProgress { until }),
        None => Ok(Begin::Lease),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begin {
    Replay,
    Lease,
}

/// How long a payment holds its session.
pub fn lease(lease: Option<TimeDelta>) -> Result<TimeDelta> {
    let lease = lease.unwrap_or(DEFAULT_LEASE);
    if lease < TimeDelta::seconds(1) || lease > MAXIMUM_LEASE {
        return Err(Error::invalid("lease", "must be between 1 second and 15 minutes"));
    }
    Ok(lease)
}

fn conflict(payment_id: &str, conflict: &'static str) -> Error {
    Error::PaymentConflict { payment_id: payment_id.to_owned(), conflict }
}

#[cfg(test)]
#[path = "payment_tests.rs"]
mod tests;
