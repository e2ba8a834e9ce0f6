//! The effect of a payment on its session. Money that was taken is never lost: if a session cannot accept a payment,
//! the payment is rejected with the reason, and that is an answer, not an error.

use std::str::FromStr;

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;

use super::change::Change;
use super::money::{self, Currency};
use super::rejection::Rejection;
use super::session::Session;
use super::status::{Status, Trigger};
use crate::webhooks::event::EventType;
use crate::{Error, Result};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Succeeded,
    Failed,
    /// The buyer left the provider's page. No money was taken, and that is no attempt.
    Canceled,
}

impl FromStr for Outcome {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "succeeded" => Ok(Self::Succeeded),
            "failed" => Ok(Self::Failed),
            "canceled" => Ok(Self::Canceled),
            _ => Err(Error::invalid("outcome", "must be succeeded, failed or canceled")),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PaymentStatus {
    Processing,
    Succeeded,
    Failed,
    Canceled,
    Rejected(Rejection),
}

impl PaymentStatus {
    /// Every status as it is written; a rejection has its reason beside it.
    pub const NAMES: [&'static str; 5] = ["processing", "succeeded", "failed", "canceled", "rejected"];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Processing => "processing",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
            Self::Rejected(_) => "rejected",
        }
    }

    pub fn rejection_reason(self) -> Option<&'static str> {
        match self {
            Self::Rejected(rejection) => Some(rejection.as_str()),
            _ => None,
        }
    }

    /// The status that is stored as these two texts.
    pub fn stored(status: &str, rejection: Option<&str>) -> Result<Self> {
        [Self::Processing, Self::Succeeded, Self::Failed, Self::Canceled]
            .into_iter()
            .chain(Rejection::ALL.map(Self::Rejected))
            .find(|known| known.as_str() == status && known.rejection_reason() == rejection)
            .ok_or_else(|| Error::Internal(format!("payment has the unknown status \"{status}\"")))
    }
}

/// An amount of a currency as a provider reports it. The currency may be none of ISO 4217.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paid {
    pub amount: Decimal,
    pub currency_code: String,
}

/// A payment that was recorded or begun before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// True if it is, or was, a payment of the session.
    pub same_session: bool,
    pub status: PaymentStatus,
    pub paid: Paid,
    pub lease_expires_at: Option<DateTime<Utc>>,
    /// The failed attempts that were counted and had an id.
    pub attempt_ids: Vec<String>,
    /// What was returned, or is being returned.
    pub refunded: Decimal,
    /// True if it has refunds, be they failed ones.
    pub has_refunds: bool,
    /// What a later report of the accepted payment said, if it was something else.
    pub contradiction: Option<Paid>,
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
    /// Tells failed attempts of one payment apart.
    pub attempt_id: Option<&'a str>,
    /// When it happened, by the provider's clock.
    pub occurred_at: Option<DateTime<Utc>>,
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
            attempt_id: None,
            occurred_at: None,
        }
    }

    /// What it says was paid. What it leaves out is as it was reported before, or else as in the session.
    fn paid(&self, session: &Session, known: Option<&Known>) -> Paid {
        let before =
            known.filter(|known| matches!(known.status, PaymentStatus::Succeeded | PaymentStatus::Rejected(_)));
        let (amount, code) =
            before.map_or((session.amount, &session.currency_code), |it| (it.paid.amount, &it.paid.currency_code));
        let (amount, code) = (self.amount.unwrap_or(amount), self.currency_code.unwrap_or(code));
        match Currency::known(code) {
            Some(currency) => {
                Paid { amount: money::reported_amount(amount, currency), currency_code: currency.code().to_owned() }
            }
            None => Paid { amount: money::denoised(amount, money::FINEST).normalize(), currency_code: code.to_owned() },
        }
    }
}

/// The rows to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Nothing: the payment was recorded before.
    Replay,
    /// The payment stays accepted. What the report says instead is written beside it.
    Contradict(Paid),
    Settle(Settlement),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settlement {
    pub payment: PaymentStatus,
    pub paid: Paid,
    /// The id of a failed attempt that counts.
    pub attempt_id: Option<String>,
    pub change: Change,
}

/// Decides the effect of a reported payment at `now`, under the session's row lock.
pub fn record(session: &Session, known: Option<&Known>, report: &Report, now: DateTime<Utc>) -> Result<Decision> {
    let paid = report.paid(session, known);
    if let Some(known) = known
        && let Some(decision) = known.decides(report, &paid)?
    {
        return Ok(decision);
    }
    let mut settlement = Settlement::begin(session, paid, now);
    // A payment that ends gives up its own lease, and no other.
    let holds_lease = known.is_some_and(|known| {
        known.status == PaymentStatus::Processing
            && known.lease_expires_at.is_some()
            && known.lease_expires_at == session.lease_expires_at
    });
    if holds_lease {
        settlement.change.session.lease_expires_at = None;
    }
    let is_open = settlement.change.session.status == Status::Open;
    match report.outcome {
        Outcome::Succeeded => {
            let refunded = known.is_some_and(|known| !known.refunded.is_zero());
            match rejection(&settlement.change.session, &settlement.paid, refunded) {
                None => settlement.accept()?,
                Some(_) if known.is_some_and(|known| known.is_rejected() && known.paid == settlement.paid) => {
                    return Ok(Decision::Replay);
                }
                Some(rejection) => {
                    settlement.payment = PaymentStatus::Rejected(rejection);
                    settlement.change.events.push(EventType::PaymentRejected);
                    settlement.fail_if_exhausted()?;
                }
            }
        }
        Outcome::Failed if is_open => {
            settlement.payment = PaymentStatus::Failed;
            // Out of retries, nothing more is counted: the session waits for the payment that holds it.
            let counts = !settlement.change.session.exhausted();
            if counts {
                settlement.attempt_id = report.attempt_id.map(str::to_owned);
                settlement.change.session.attempts += 1;
            }
            if !settlement.fail_if_exhausted()? && counts {
                settlement.change.events.push(EventType::PaymentFailed);
            }
        }
        // No money was taken, and the session is over: only the payment is recorded.
        Outcome::Failed if known.is_some_and(|known| known.status == PaymentStatus::Failed) => {
            return Ok(Decision::Replay);
        }
        Outcome::Failed => settlement.payment = PaymentStatus::Failed,
        Outcome::Canceled => {
            settlement.payment = PaymentStatus::Canceled;
            settlement.fail_if_exhausted()?;
        }
    }
    Ok(Decision::Settle(settlement))
}

impl Known {
    fn is_rejected(&self) -> bool {
        matches!(self.status, PaymentStatus::Rejected(_))
    }

    /// What the payment's own state decides about a report; `None` if the session decides.
    fn decides(&self, report: &Report, paid: &Paid) -> Result<Option<Decision>> {
        use PaymentStatus::*;
        if !self.same_session {
            return Err(conflict(report.payment_id, "belongs to another checkout session"));
        }
        let same = self.paid == *paid;
        let replay = match (self.status, report.outcome) {
            (Succeeded, Outcome::Succeeded) if !same && self.contradiction.as_ref() != Some(paid) => {
                return Ok(Some(Decision::Contradict(paid.clone())));
            }
            (Succeeded, _) => true,
            // A later report corrects what was paid. Refunds are of that currency and amount: then only more is news.
            (Rejected(_), Outcome::Succeeded) => {
                self.has_refunds && (self.paid.currency_code != paid.currency_code || paid.amount < self.paid.amount)
            }
            // A late report of failure does not undo that money was taken.
            (Rejected(_), _) => true,
            (Failed | Canceled | Processing, Outcome::Failed) if report.attempt_id.is_some() => {
                self.attempt_ids.iter().any(|known| Some(known.as_str()) == report.attempt_id)
            }
            (Failed, Outcome::Failed | Outcome::Canceled) | (Canceled, Outcome::Canceled) => true,
            // A success after a failure is money.
            (Failed | Canceled | Processing, _) => false,
        };
        Ok(replay.then_some(Decision::Replay))
    }
}

impl Settlement {
    fn begin(session: &Session, paid: Paid, now: DateTime<Utc>) -> Self {
        let change = Change::by_clock(session, now);
        Self { payment: PaymentStatus::Processing, paid, attempt_id: None, change }
    }

    fn accept(&mut self) -> Result<()> {
        self.payment = PaymentStatus::Succeeded;
        let session = &mut self.change.session;
        session.status = after(session.status, Trigger::PaymentSucceeded)?;
        session.lease_expires_at = None;
        self.change.events.push(EventType::Completed);
        Ok(())
    }

    /// Fails an open session that has no retries left, unless a payment still holds it.
    fn fail_if_exhausted(&mut self) -> Result<bool> {
        let session = &mut self.change.session;
        if session.status != Status::Open || !session.exhausted() || session.lease_expires_at.is_some() {
            return Ok(false);
        }
        session.status = after(session.status, Trigger::RetriesExhausted)?;
        self.change.events.push(EventType::Failed);
        Ok(true)
    }
}

/// The reason why a successful payment cannot be accepted, if any.
fn rejection(session: &Session, paid: &Paid, refunded: bool) -> Option<Rejection> {
    match session.status {
        Status::Complete => Some(Rejection::AlreadyPaid),
        Status::Expired => Some(Rejection::SessionExpired),
        Status::Failed => Some(Rejection::SessionFailed),
        Status::Open if paid.currency_code != session.currency_code => Some(Rejection::CurrencyMismatch),
        // Of what was returned, nothing pays the session.
        Status::Open if paid.amount != session.amount || refunded => Some(Rejection::AmountMismatch),
        Status::Open => session.unavailable,
    }
}

fn after(status: Status, trigger: Trigger) -> Result<Status> {
    status
        .on(trigger)
        .ok_or_else(|| Error::Internal(format!("session that is {status} cannot be settled by {trigger:?}")))
}

/// Checks that a payment may begin now: `Replay` if it has begun already and its lease is running. One that failed or
/// was canceled may begin again.
pub fn begin(session: &Session, known: Option<&Known>, payment_id: &str, now: DateTime<Utc>) -> Result<Begin> {
    if let Some(known) = known {
        if !known.same_session {
            return Err(conflict(payment_id, "belongs to another checkout session"));
        }
        if matches!(known.status, PaymentStatus::Succeeded | PaymentStatus::Rejected(_)) {
            return Err(conflict(payment_id, "has been recorded already"));
        }
        if known.status == PaymentStatus::Processing
            && known.lease_expires_at.is_some_and(|until| until > now)
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

/// Decides whether an open session accepts a payment that another session has rejected. `None`: it has before.
pub fn apply(session: &Session, known: &Known, payment_id: &str, now: DateTime<Utc>) -> Result<Option<Settlement>> {
    let refuse = |fault| Err(conflict(payment_id, fault));
    match known.status {
        PaymentStatus::Succeeded if known.same_session => return Ok(None),
        PaymentStatus::Rejected(_) => {}
        _ => return refuse("is not a rejected payment"),
    }
    if !known.refunded.is_zero() {
        return refuse("has been refunded");
    }
    let status = session.effective_status(now);
    if status != Status::Open {
        return Err(Error::SessionNotOpen { status: status.as_str() });
    }
    if known.paid.currency_code != session.currency_code || known.paid.amount != session.amount {
        return refuse("has another amount or currency than the checkout session");
    }
    let mut settlement = Settlement::begin(session, known.paid.clone(), now);
    settlement.accept()?;
    Ok(Some(settlement))
}

fn conflict(payment_id: &str, conflict: &'static str) -> Error {
    Error::PaymentConflict { payment_id: payment_id.to_owned(), conflict }
}

#[cfg(test)]
#[path = "payment_tests.rs"]
mod tests;
