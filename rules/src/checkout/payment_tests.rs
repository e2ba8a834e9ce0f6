#![expect(clippy::panic)]

use chrono::TimeDelta;

use super::*;
use crate::checkout::session::samples::{leased, now, open, overdue, swept};

fn report(outcome: Outcome) -> Report<'static> {
    Report { amount: Some(Decimal::new(100, 0)), currency_code: Some("USD"), ..Report::new("pay_1", outcome) }
}

fn known(status: PaymentStatus) -> Known {
    Known {
        same_session: true,
        status,
        amount: Decimal::new(100, 0),
        currency_code: "USD".into(),
        lease_expires_at: None,
    }
}

fn settle(session: &Session, known: Option<&Known>, report: &Report) -> Settlement {
    match record(session, known, report, now()) {
        Ok(Decision::Settle(settlement)) => settlement,
        other => panic!("not settled: {other:?}"),
    }
}

#[test]
fn a_payment_in_time_and_in_full_completes_the_session() {
    let settlement = settle(&open(), None, &report(Outcome::Succeeded));
    assert_eq!(settlement.payment, PaymentStatus::Succeeded);
    assert_eq!(settlement.session, Status::Complete);
    assert_eq!(settlement.events, [EventType::Completed]);
}

#[test]
fn what_cannot_be_accepted_is_rejected_with_its_reason() {
    let success = report(Outcome::Succeeded);
    let wrong_amount = Report { amount: Some(Decimal::new(99, 0)), ..success.clone() };
    let wrong_currency = Report { currency_code: Some("GHS"), ..success.clone() };
    let complete = Session { status: Status::Complete, ..open() };
    let failed = Session { status: Status::Failed, ..open() };
    let expired = Session { status: Status::Expired, ..open() };
    for (session, report, reason) in [
        (open(), &wrong_amount, Rejection::AmountMismatch),
        (open(), &wrong_currency, Rejection::CurrencyMismatch),
        (complete, &success, Rejection::AlreadyPaid),
        (failed, &success, Rejection::SessionFailed),
        (expired, &success, Rejection::SessionExpired),
    ] {
        let settlement = settle(&session, None, report);
        assert_eq!(settlement.payment, PaymentStatus::Rejected(reason));
        assert_eq!(settlement.session, session.status, "the session stays as it was");
        assert_eq!(settlement.events, [EventType::PaymentRejected]);
    }
}

#[test]
fn a_late_payment_expires_the_session_first() {
    let settlement = settle(&overdue(), None, &report(Outcome::Succeeded));
    assert_eq!(settlement.payment, PaymentStatus::Rejected(Rejection::SessionExpired));
    assert_eq!(settlement.session, Status::Expired);
    assert_eq!(settlement.events, [EventType::Expired, EventType::PaymentRejected]);
}

#[test]
fn a_session_that_has_been_swept_expires_no_second_time() {
    let settlement = settle(&swept(), None, &report(Outcome::Succeeded));
    assert_eq!(settlement.payment, PaymentStatus::Rejected(Rejection::SessionExpired));
    assert_eq!((settlement.session, settlement.lease_expires_at), (Status::Expired, None));
    assert_eq!(settlement.events, [EventType::PaymentRejected]);
    let until = now() - TimeDelta::minutes(1);
    let holder = Known { lease_expires_at: Some(until), ..known(PaymentStatus::Processing) };
    let lapsed = Session { lease_expires_at: Some(until), ..swept() };
    let settlement = settle(&lapsed, Some(&holder), &report(Outcome::Failed));
    assert_eq!((settlement.session, settlement.lease_expires_at), (Status::Expired, None));
    assert_eq!(settlement.events, []);
    assert_eq!(begin(&lapsed, Some(&holder), "pay_1", now()), Err(Error::SessionNotOpen { status: "expired" }));
}

#[test]
fn the_last_failure_fails_the_session() {
    let mut session = open();
    for attempt in 1..=2 {
        let settlement = settle(&session, None, &report(Outcome::Failed));
        assert_eq!((settlement.session, settlement.attempts), (Status::Open, attempt));
        assert_eq!(settlement.events, [EventType::PaymentFailed]);
        session.attempts = attempt;
    }
    let settlement = settle(&session, None, &report(Outcome::Failed));
    assert_eq!((settlement.session, settlement.attempts), (Status::Failed, 3));
    assert_eq!(settlement.events, [EventType::Failed]);
}

#[test]
fn a_failure_after_the_end_changes_nothing_but_the_payment() {
    for status in [Status::Complete, Status::Failed, Status::Expired] {
        let settlement = settle(&Session { status, ..open() }, None, &report(Outcome::Failed));
        assert_eq!((settlement.payment, settlement.session), (PaymentStatus::Failed, status));
        assert_eq!(settlement.events, []);
    }
}

#[test]
fn the_same_report_again_changes_nothing() {
    let rejected = PaymentStatus::Rejected(Rejection::AlreadyPaid);
    for (status, outcome) in [
        (PaymentStatus::Succeeded, Outcome::Succeeded),
        (PaymentStatus::Succeeded, Outcome::Failed),
        (rejected, Outcome::Succeeded),
        (rejected, Outcome::Failed),
        (PaymentStatus::Failed, Outcome::Failed),
    ] {
        for session in [open(), overdue()] {
            let decision = record(&session, Some(&known(status)), &report(outcome), now());
            assert_eq!(decision, Ok(Decision::Replay), "{status:?} then {outcome:?}");
        }
    }
}

#[test]
fn a_success_after_a_failure_of_the_same_payment_is_money() {
    let failed = known(PaymentStatus::Failed);
    let settlement = settle(&open(), Some(&failed), &report(Outcome::Succeeded));
    assert_eq!(settlement.session, Status::Complete);
    let settlement = settle(&overdue(), Some(&failed), &report(Outcome::Succeeded));
    assert_eq!(settlement.payment, PaymentStatus::Rejected(Rejection::SessionExpired));
}

#[test]
fn a_payment_is_of_one_session_and_one_amount() {
    let elsewhere = Known { same_session: false, ..known(PaymentStatus::Succeeded) };
    let other_amount = Known { amount: Decimal::new(99, 0), ..known(PaymentStatus::Succeeded) };
    for known in [elsewhere, other_amount] {
        let error = record(&open(), Some(&known), &report(Outcome::Succeeded), now()).expect_err("conflict");
        assert_eq!(error.sqlstate(), "PT409");
    }
}

#[test]
fn a_live_lease_holds_the_session_open_and_no_longer() {
    let past = now() - TimeDelta::minutes(1);
    let until = now() + TimeDelta::minutes(5);
    let held = Session { expires_at: past, ..leased(until) };
    let holder = Known { lease_expires_at: Some(until), ..known(PaymentStatus::Processing) };
    assert_eq!(settle(&held, Some(&holder), &report(Outcome::Succeeded)).session, Status::Complete);

    let lapsed = Session { expires_at: past, ..leased(now()) };
    let holder = Known { lease_expires_at: Some(now()), ..known(PaymentStatus::Processing) };
    let settlement = settle(&lapsed, Some(&holder), &report(Outcome::Succeeded));
    assert_eq!(settlement.payment, PaymentStatus::Rejected(Rejection::SessionExpired));
}

#[test]
fn a_failed_payment_gives_up_its_own_lease_only() {
    let until = now() + TimeDelta::minutes(5);
    let holder = Known { lease_expires_at: Some(until), ..known(PaymentStatus::Processing) };
    assert_eq!(settle(&leased(until), Some(&holder), &report(Outcome::Failed)).lease_expires_at, None);
    assert_eq!(settle(&leased(until), None, &report(Outcome::Failed)).lease_expires_at, Some(until));
}

#[test]
fn one_payment_at_a_time_may_begin() {
    let until = now() + TimeDelta::minutes(5);
    let holder = Known { lease_expires_at: Some(until), ..known(PaymentStatus::Processing) };
    assert_eq!(begin(&open(), None, "pay_1", now()), Ok(Begin::Lease));
    assert_eq!(begin(&leased(until), Some(&holder), "pay_1", now()), Ok(Begin::Replay));
    assert_eq!(begin(&leased(until), None, "pay_2", now()), Err(Error::PaymentInProgress { until }));
    assert_eq!(begin(&leased(now()), None, "pay_2", now()), Ok(Begin::Lease), "a lapsed lease is free");
    assert_eq!(begin(&overdue(), None, "pay_1", now()), Err(Error::SessionNotOpen { status: "expired" }));
    for status in [PaymentStatus::Succeeded, PaymentStatus::Failed] {
        let error = begin(&open(), Some(&known(status)), "pay_1", now()).expect_err("recorded");
        assert_eq!(error.sqlstate(), "PT409");
    }
}

#[test]
fn leases_are_bounded() {
    assert_eq!(lease(None), Ok(TimeDelta::minutes(5)));
    assert!(lease(Some(TimeDelta::minutes(15))).is_ok());
    for bad in [TimeDelta::zero(), TimeDelta::minutes(-1), TimeDelta::minutes(16)] {
        assert!(lease(Some(bad)).is_err());
    }
}
