//! Refunds: what of a payment was returned. A provider reports a refund as often as it likes; its id tells refunds
//! apart. Source of the states: Stripe, "Refund object" (`pending`, `succeeded`, `failed`; a refund may fail after it
//! has succeeded, if the buyer's bank returns it).

use std::str::FromStr;

use rust_decimal::Decimal;

use super::money::{self, Currency};
use super::payment::{Paid, PaymentStatus};
use crate::webhooks::event::EventType;
use crate::{Error, Result};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefundStatus {
    Pending,
    Succeeded,
    Failed,
}

impl RefundStatus {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
        }
    }

    /// The event that tells of it.
    pub fn event(self) -> Option<EventType> {
        match self {
            Self::Pending => None,
            Self::Succeeded => Some(EventType::Refunded),
            Self::Failed => Some(EventType::RefundFailed),
        }
    }
}

impl FromStr for RefundStatus {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        [Self::Pending, Self::Succeeded, Self::Failed]
            .into_iter()
            .find(|status| status.as_str() == text)
            .ok_or_else(|| Error::invalid("status", "must be pending, succeeded or failed"))
    }
}

/// A payment whose money may be returned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refundable {
    pub status: PaymentStatus,
    /// The most that was reported.
    pub paid: Paid,
    pub refunded: Decimal,
    pub pending: Decimal,
}

/// A refund that was recorded before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    pub same_payment: bool,
    pub status: RefundStatus,
    pub amount: Decimal,
}

/// A report of a refund. Without an amount, all that is left is returned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report<'a> {
    pub payment_id: &'a str,
    pub refund_id: &'a str,
    pub amount: Option<Decimal>,
    pub status: RefundStatus,
    pub reason: Option<&'a str>,
}

/// The rows to write: the refund, and the sums of its payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    pub status: RefundStatus,
    pub amount: Decimal,
    pub refunded: Decimal,
    pub pending: Decimal,
}

/// Decides the effect of a reported refund, under the lock of its payment. `None`: it was recorded before.
pub fn record(payment: &Refundable, known: Option<&Known>, report: &Report) -> Result<Option<Change>> {
    use RefundStatus::*;
    if !matches!(payment.status, PaymentStatus::Succeeded | PaymentStatus::Rejected(_)) {
        return Err(Error::PaymentConflict {
            payment_id: report.payment_id.to_owned(),
            conflict: "has taken no money that could be refunded",
        });
    }
    let conflict = |fault| Error::RefundConflict { refund_id: report.refund_id.to_owned(), fault };
    let currency = Currency::known(&payment.paid.currency_code);
    let given = report.amount.map(|amount| currency.map_or(amount, |it| money::reported_amount(amount, it)));
    if given.is_some_and(|amount| amount <= Decimal::ZERO) {
        return Err(Error::invalid("amount", "must be greater than zero"));
    }
    if let Some(known) = known {
        if !known.same_payment {
            return Err(conflict("belongs to another payment".into()));
        }
        // One that has failed has returned nothing yet.
        if known.status != Failed && given.is_some_and(|amount| amount != known.amount) {
            return Err(conflict("was recorded with another amount".into()));
        }
        // A refund is pending before anything else: such a report comes late.
        if known.status == report.status || report.status == Pending {
            return Ok(None);
        }
    }
    // The sums without this refund.
    let of_known = |status| known.filter(|known| known.status == status).map_or(Decimal::ZERO, |known| known.amount);
    let (mut refunded, mut pending) = (payment.refunded - of_known(Succeeded), payment.pending - of_known(Pending));
    let left = payment.paid.amount.max(Decimal::ZERO) - refunded - pending;
    let amount = given.or(known.map(|known| known.amount)).unwrap_or(left);
    match report.status {
        Failed if amount <= Decimal::ZERO => return Err(conflict("needs an amount: nothing is left to refund".into())),
        Pending | Succeeded if amount > left || amount <= Decimal::ZERO => {
            let code = &payment.paid.currency_code;
            return Err(conflict(format!("is more than what is left to refund: {left} {code}")));
        }
        Pending => pending += amount,
        Succeeded => refunded += amount,
        Failed => {}
    }
    Ok(Some(Change { status: report.status, amount, refunded, pending }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkout::rejection::Rejection;

    fn payment(status: PaymentStatus, refunded: i64, pending: i64) -> Refundable {
        let paid = Paid { amount: Decimal::new(10_000, 2), currency_code: "USD".into() };
        Refundable { status, paid, refunded: refunded.into(), pending: pending.into() }
    }

    fn accepted(refunded: i64, pending: i64) -> Refundable {
        payment(PaymentStatus::Succeeded, refunded, pending)
    }

    fn report(amount: Option<i64>, status: RefundStatus) -> Report<'static> {
        Report { payment_id: "pay_1", refund_id: "re_1", amount: amount.map(Decimal::from), status, reason: None }
    }

    fn known(amount: i64, status: RefundStatus) -> Known {
        Known { same_payment: true, status, amount: amount.into() }
    }

    /// (amount, refunded, pending) after a report, nothing if it changes nothing, or the error's SQLSTATE.
    fn sums(
        payment: &Refundable,
        known: Option<Known>,
        report: Report,
    ) -> std::result::Result<Option<(String, String, String)>, &'static str> {
        record(payment, known.as_ref(), &report)
            .map(|change| {
                let text = |amount: Decimal| amount.normalize().to_string();
                change.map(|change| (text(change.amount), text(change.refunded), text(change.pending)))
            })
            .map_err(|error| error.sqlstate())
    }

    fn after(amount: &str, refunded: &str, pending: &str) -> Option<(String, String, String)> {
        Some((amount.into(), refunded.into(), pending.into()))
    }

    #[test]
    fn partial_refunds_add_up_to_what_was_paid_and_no_more() {
        use RefundStatus::*;
        assert_eq!(sums(&accepted(0, 0), None, report(Some(30), Succeeded)), Ok(after("30", "30", "0")));
        assert_eq!(sums(&accepted(30, 0), None, report(Some(30), Pending)), Ok(after("30", "30", "30")));
        assert_eq!(sums(&accepted(30, 30), None, report(None, Succeeded)), Ok(after("40", "70", "30")));
        assert_eq!(sums(&accepted(30, 30), None, report(Some(41), Succeeded)), Err("PT409"));
        assert_eq!(sums(&accepted(100, 0), None, report(None, Succeeded)), Err("PT409"));
    }

    #[test]
    fn a_refund_is_pending_then_succeeds_or_fails() {
        use RefundStatus::*;
        let pending = accepted(0, 60);
        assert_eq!(sums(&pending, Some(known(60, Pending)), report(None, Succeeded)), Ok(after("60", "60", "0")));
        assert_eq!(sums(&pending, Some(known(60, Pending)), report(Some(60), Failed)), Ok(after("60", "0", "0")));
        let succeeded = accepted(60, 0);
        assert_eq!(sums(&succeeded, Some(known(60, Succeeded)), report(None, Failed)), Ok(after("60", "0", "0")));
        assert_eq!(sums(&succeeded, Some(known(60, Failed)), report(None, Succeeded)), Err("PT409"), "100 were paid");
        assert_eq!(sums(&accepted(0, 0), Some(known(60, Failed)), report(None, Succeeded)), Ok(after("60", "60", "0")));
    }

    #[test]
    fn the_same_report_and_a_late_pending_one_change_nothing() {
        use RefundStatus::*;
        for (before, reported) in
            [(Pending, Pending), (Succeeded, Succeeded), (Failed, Failed), (Succeeded, Pending), (Failed, Pending)]
        {
            assert_eq!(sums(&accepted(60, 0), Some(known(60, before)), report(Some(60), reported)), Ok(None));
        }
    }

    #[test]
    fn a_refund_is_of_one_payment_and_one_amount() {
        let elsewhere = Known { same_payment: false, ..known(60, RefundStatus::Pending) };
        let of_failed =
            sums(&accepted(0, 0), Some(known(59, RefundStatus::Failed)), report(Some(60), RefundStatus::Succeeded));
        assert_eq!(of_failed, Ok(after("60", "60", "0")));
        for known in [elsewhere, known(59, RefundStatus::Pending)] {
            assert_eq!(sums(&accepted(0, 60), Some(known), report(Some(60), RefundStatus::Succeeded)), Err("PT409"));
        }
    }

    #[test]
    fn only_money_that_was_taken_is_refunded() {
        let rejected = payment(PaymentStatus::Rejected(Rejection::SessionExpired), 0, 0);
        assert_eq!(sums(&rejected, None, report(None, RefundStatus::Succeeded)), Ok(after("100", "100", "0")));
        for status in [PaymentStatus::Processing, PaymentStatus::Failed, PaymentStatus::Canceled] {
            assert_eq!(sums(&payment(status, 0, 0), None, report(None, RefundStatus::Succeeded)), Err("PT409"));
        }
        for amount in [0, -1] {
            assert_eq!(sums(&rejected, None, report(Some(amount), RefundStatus::Succeeded)), Err("22023"));
        }
    }
}
