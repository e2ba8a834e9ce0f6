#![expect(clippy::panic)]

use chrono::TimeDelta;

use super::*;
use crate::checkout::session::samples::{exhausted, leased, now, open, overdue, swept};

fn report(outcome: Outcome) -> Report<'static> {
    Report { amount: Some(Decimal::new(100, 0)), currency_code: Some("USD"), ..Report::new("pay_1", outcome) }
}

fn known(status: PaymentStatus) -> Known {
    Known {
        same_session: true,
        status,
        paid: usd(100),
        lease_expires_at: None,
        attempt_ids: Vec::new(),
        refunded: Decimal::ZERO,
        has_refunds: false,
        contradiction: None,
    }
}

fn usd(amount: i64) -> Paid {
    Paid { amount: amount.into(), currency_code: "USD".into() }
}

/// A begun payment that holds a lease until then.
fn holder(until: DateTime<Utc>) -> Known {
    Known { lease_expires_at: Some(until), ..known(PaymentStatus::Processing) }
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
    assert_eq!(settlement.change.session.status, Status::Complete);
    assert_eq!(settlement.change.events, [EventType::Completed]);
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
        assert_eq!(settlement.change.session.status, session.status, "the session stays as it was");
        assert_eq!(settlement.change.events, [EventType::PaymentRejected]);
    }
}

#[test]
fn a_late_payment_expires_the_session_first() {
    let settlement = settle(&overdue(), None, &report(Outcome::Succeeded));
    assert_eq!(settlement.payment, PaymentStatus::Rejected(Rejection::SessionExpired));
    assert_eq!(settlement.change.session.status, Status::Expired);
    assert_eq!(settlement.change.events, [EventType::Expired, EventType::PaymentRejected]);
}

#[test]
fn a_session_that_has_been_swept_expires_no_second_time() {
    let settlement = settle(&swept(), None, &report(Outcome::Succeeded));
    assert_eq!(settlement.payment, PaymentStatus::Rejected(Rejection::SessionExpired));
    assert_eq!((settlement.change.session.status, settlement.change.session.lease_expires_at), (Status::Expired, None));
    assert_eq!(settlement.change.events, [EventType::PaymentRejected]);
    let until = now() - TimeDelta::minutes(1);
    let holder = holder(until);
    let lapsed = Session { lease_expires_at: Some(until), ..swept() };
    let settlement = settle(&lapsed, Some(&holder), &report(Outcome::Failed));
    assert_eq!((settlement.change.session.status, settlement.change.session.lease_expires_at), (Status::Expired, None));
    assert_eq!(settlement.change.events, []);
    assert_eq!(begin(&lapsed, Some(&holder), "pay_1", now()), Err(Error::SessionNotOpen { status: "expired" }));
}

#[test]
fn the_last_failure_fails_the_session() {
    let mut session = open();
    for attempt in 1..=2 {
        let settlement = settle(&session, None, &report(Outcome::Failed));
        assert_eq!((settlement.change.session.status, settlement.change.session.attempts), (Status::Open, attempt));
        assert_eq!(settlement.change.events, [EventType::PaymentFailed]);
        session.attempts = attempt;
    }
    let settlement = settle(&session, None, &report(Outcome::Failed));
    assert_eq!((settlement.change.session.status, settlement.change.session.attempts), (Status::Failed, 3));
    assert_eq!(settlement.change.events, [EventType::Failed]);
}

#[test]
fn a_failure_after_the_end_changes_nothing_but_the_payment() {
    for status in [Status::Complete, Status::Failed, Status::Expired] {
        let settlement = settle(&Session { status, ..open() }, None, &report(Outcome::Failed));
        assert_eq!((settlement.payment, settlement.change.session.status), (PaymentStatus::Failed, status));
        assert_eq!(settlement.change.events, []);
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
        let complete = Session { status: Status::Complete, ..open() };
        let sessions = if status == rejected { [complete.clone(), complete] } else { [open(), overdue()] };
        for session in sessions {
            let decision = record(&session, Some(&known(status)), &report(outcome), now());
            assert_eq!(decision, Ok(Decision::Replay), "{status:?} then {outcome:?}");
        }
    }
}

#[test]
fn a_success_after_a_failure_of_the_same_payment_is_money() {
    let failed = known(PaymentStatus::Failed);
    let settlement = settle(&open(), Some(&failed), &report(Outcome::Succeeded));
    assert_eq!(settlement.change.session.status, Status::Complete);
    let settlement = settle(&overdue(), Some(&failed), &report(Outcome::Succeeded));
    assert_eq!(settlement.payment, PaymentStatus::Rejected(Rejection::SessionExpired));
}

#[test]
fn a_payment_is_of_one_session() {
    let elsewhere = Known { same_session: false, ..known(PaymentStatus::Succeeded) };
    let error = record(&open(), Some(&elsewhere), &report(Outcome::Succeeded), now()).expect_err("conflict");
    assert_eq!(error.sqlstate(), "PT409");
}

#[test]
fn what_contradicts_an_accepted_payment_is_kept_beside_it() {
    let complete = Session { status: Status::Complete, ..open() };
    let mut accepted = known(PaymentStatus::Succeeded);
    let other = Report { amount: Some(99.into()), ..report(Outcome::Succeeded) };
    let decide = |known: &Known| record(&complete, Some(known), &other, now());
    assert_eq!(decide(&accepted), Ok(Decision::Contradict(usd(99))));
    accepted.contradiction = Some(usd(99));
    assert_eq!(decide(&accepted), Ok(Decision::Replay));
}

#[test]
fn a_payment_that_was_rejected_for_its_amount_or_currency_is_corrected_while_its_session_is_open() {
    for (reason, paid) in [
        (Rejection::AmountMismatch, usd(50)),
        (Rejection::CurrencyMismatch, Paid { currency_code: "USDT".into(), ..usd(100) }),
    ] {
        let rejected = Known { paid, ..known(PaymentStatus::Rejected(reason)) };
        let settlement = settle(&open(), Some(&rejected), &report(Outcome::Succeeded));
        assert_eq!(
            (settlement.payment, settlement.change.session.status),
            (PaymentStatus::Succeeded, Status::Complete)
        );
        assert_eq!(settlement.change.events, [EventType::Completed]);
        // After the end of the session it is still known how much was taken.
        let settlement = settle(&swept(), Some(&rejected), &report(Outcome::Succeeded));
        assert_eq!(settlement.payment, PaymentStatus::Rejected(Rejection::SessionExpired));
        assert_eq!((settlement.paid, settlement.change.events), (usd(100), vec![EventType::PaymentRejected]));
    }
}

#[test]
fn of_a_payment_that_was_refunded_only_more_money_is_news() {
    let rejected = PaymentStatus::Rejected(Rejection::AmountMismatch);
    let refunded = Known { paid: usd(50), refunded: 50.into(), has_refunds: true, ..known(rejected) };
    let settlement = settle(&open(), Some(&refunded), &report(Outcome::Succeeded));
    assert_eq!((settlement.payment, settlement.paid), (rejected, usd(100)));
    let less = Report { amount: Some(40.into()), ..report(Outcome::Succeeded) };
    assert_eq!(record(&open(), Some(&refunded), &less, now()), Ok(Decision::Replay));
    // If the refund has failed, the money pays the session after all.
    let kept = Known { paid: usd(100), refunded: Decimal::ZERO, ..refunded };
    assert_eq!(settle(&open(), Some(&kept), &report(Outcome::Succeeded)).payment, PaymentStatus::Succeeded);
    let other = Report { currency_code: Some("EUR"), ..report(Outcome::Succeeded) };
    assert_eq!(record(&open(), Some(&kept), &other, now()), Ok(Decision::Replay));
}

#[test]
fn what_a_later_report_leaves_out_is_as_it_was_reported() {
    let paid = Paid { amount: 40.into(), currency_code: "XOF".into() };
    let rejected = Known { paid: paid.clone(), ..known(PaymentStatus::Rejected(Rejection::CurrencyMismatch)) };
    let accepted = known(PaymentStatus::Succeeded);
    for (session, known) in [(open(), &rejected), (swept(), &rejected), (open(), &accepted)] {
        let again = Report::new("pay_1", Outcome::Succeeded);
        assert_eq!(record(&session, Some(known), &again, now()), Ok(Decision::Replay));
    }
    let amount_alone = Report { amount: Some(50.into()), ..Report::new("pay_1", Outcome::Succeeded) };
    let settlement = settle(&open(), Some(&rejected), &amount_alone);
    assert_eq!(settlement.paid, Paid { amount: 50.into(), ..paid });
}

#[test]
fn currencies_and_amounts_are_read_as_providers_write_them() {
    let paid = |amount: &str, code| {
        let report = Report { amount: amount.parse().ok(), currency_code: Some(code), ..report(Outcome::Succeeded) };
        let settlement = settle(&open(), None, &report);
        (settlement.payment, settlement.paid.currency_code)
    };
    let rejected = PaymentStatus::Rejected;
    assert_eq!(paid("100", "usd"), (PaymentStatus::Succeeded, "USD".into()));
    assert_eq!(paid("99.99999999999999", "USD"), (PaymentStatus::Succeeded, "USD".into()));
    assert_eq!(paid("100.0001", "USD"), (rejected(Rejection::AmountMismatch), "USD".into()));
    assert_eq!(paid("-100", "USD"), (rejected(Rejection::AmountMismatch), "USD".into()));
    for code in ["USDT", "BTC", "us", "\u{20ac}"] {
        assert_eq!(paid("100", code), (rejected(Rejection::CurrencyMismatch), code.into()));
    }
}

#[test]
fn while_another_payment_holds_a_lease_the_last_failure_does_not_fail_the_session() {
    let until = now() + TimeDelta::minutes(5);
    let session = Session { max_retry_attempts: 0, ..leased(until) };
    let settlement = settle(&session, None, &report(Outcome::Failed));
    assert_eq!(settlement.change.events, [EventType::PaymentFailed]);
    let session = settlement.change.session;
    assert_eq!((session.status, session.attempts, session.deadline()), (Status::Open, 1, until));
    // Nothing more is counted meanwhile.
    let settlement = settle(&session, None, &report(Outcome::Failed));
    assert_eq!((settlement.change.session.attempts, settlement.change.events), (1, vec![]));
    let end = |outcome| settle(&session, Some(&holder(until)), &report(outcome));
    assert_eq!(end(Outcome::Succeeded).change.session.status, Status::Complete);
    for outcome in [Outcome::Failed, Outcome::Canceled] {
        assert_eq!(
            (end(outcome).change.session.status, end(outcome).change.events),
            (Status::Failed, vec![EventType::Failed])
        );
    }
    let wrong = Report { amount: Some(1.into()), ..report(Outcome::Succeeded) };
    let settlement = settle(&session, Some(&holder(until)), &wrong);
    assert_eq!(settlement.change.session.status, Status::Failed);
    assert_eq!(settlement.change.events, [EventType::PaymentRejected, EventType::Failed]);
}

#[test]
fn a_session_without_retries_fails_by_the_clock_when_the_lease_ends() {
    let settlement = settle(&exhausted(now()), Some(&holder(now())), &report(Outcome::Succeeded));
    assert_eq!(settlement.payment, PaymentStatus::Rejected(Rejection::SessionFailed));
    assert_eq!((settlement.change.session.status, settlement.change.ended_by_clock), (Status::Failed, true));
    assert_eq!(settlement.change.events, [EventType::Failed, EventType::PaymentRejected]);
}

#[test]
fn a_canceled_payment_gives_its_lease_up_and_is_no_attempt() {
    let until = now() + TimeDelta::minutes(5);
    let settlement = settle(&leased(until), Some(&holder(until)), &report(Outcome::Canceled));
    assert_eq!((settlement.payment, settlement.change.events), (PaymentStatus::Canceled, vec![]));
    let session = settlement.change.session;
    assert_eq!((session.status, session.attempts, session.lease_expires_at), (Status::Open, 0, None));
    let canceled = known(PaymentStatus::Canceled);
    assert_eq!(begin(&session, Some(&canceled), "pay_1", now()), Ok(Begin::Lease));
    assert_eq!(record(&session, Some(&canceled), &report(Outcome::Canceled), now()), Ok(Decision::Replay));
    assert_eq!(settle(&session, Some(&canceled), &report(Outcome::Succeeded)).change.session.status, Status::Complete);
}

#[test]
fn each_failed_attempt_of_a_payment_counts_once() {
    let attempt = |id| Report { attempt_id: Some(id), ..report(Outcome::Failed) };
    let failed = Known { attempt_ids: vec!["a".into(), "b".into()], ..known(PaymentStatus::Failed) };
    let settlement = settle(&open(), Some(&failed), &attempt("c"));
    assert_eq!((settlement.change.session.attempts, settlement.attempt_id), (1, Some("c".into())));
    assert_eq!(settlement.change.events, [EventType::PaymentFailed]);
    let states = [PaymentStatus::Failed, PaymentStatus::Processing, PaymentStatus::Canceled];
    for known in states.map(|status| Known { status, ..failed.clone() }) {
        assert_eq!(record(&open(), Some(&known), &attempt("a"), now()), Ok(Decision::Replay));
    }
}

#[test]
fn an_open_session_accepts_a_payment_that_another_has_rejected() {
    let late = Known { same_session: false, ..known(PaymentStatus::Rejected(Rejection::SessionExpired)) };
    let settlement = apply(&open(), &late, "pay_1", now()).expect("accepted").expect("new");
    assert_eq!((settlement.payment, settlement.change.session.status), (PaymentStatus::Succeeded, Status::Complete));
    assert_eq!(settlement.change.events, [EventType::Completed]);
    let complete = Session { status: Status::Complete, ..open() };
    assert_eq!(apply(&complete, &known(PaymentStatus::Succeeded), "pay_1", now()), Ok(None), "a replay");
    for (session, known) in [
        (open(), Known { refunded: 1.into(), ..late.clone() }),
        (open(), Known { paid: usd(99), ..late.clone() }),
        (open(), Known { paid: Paid { currency_code: "EUR".into(), ..usd(100) }, ..late.clone() }),
        (open(), Known { status: PaymentStatus::Failed, ..late.clone() }),
        (open(), Known { status: PaymentStatus::Succeeded, ..late.clone() }),
        (complete, late.clone()),
        (overdue(), late),
    ] {
        assert_eq!(apply(&session, &known, "pay_1", now()).map_err(|error| error.sqlstate()), Err("PT409"));
    }
}

#[test]
fn a_live_lease_holds_the_session_open_and_no_longer() {
    let past = now() - TimeDelta::minutes(1);
    let until = now() + TimeDelta::minutes(5);
    let held = Session { expires_at: past, ..leased(until) };
    let held_by = holder(until);
    assert_eq!(settle(&held, Some(&held_by), &report(Outcome::Succeeded)).change.session.status, Status::Complete);

    let lapsed = Session { expires_at: past, ..leased(now()) };
    let lapsed_by = holder(now());
    let settlement = settle(&lapsed, Some(&lapsed_by), &report(Outcome::Succeeded));
    assert_eq!(settlement.payment, PaymentStatus::Rejected(Rejection::SessionExpired));
}

#[test]
fn a_failed_payment_gives_up_its_own_lease_only() {
    let until = now() + TimeDelta::minutes(5);
    let holder = holder(until);
    assert_eq!(settle(&leased(until), Some(&holder), &report(Outcome::Failed)).change.session.lease_expires_at, None);
    assert_eq!(settle(&leased(until), None, &report(Outcome::Failed)).change.session.lease_expires_at, Some(until));
}

#[test]
fn one_payment_at_a_time_may_begin() {
    let until = now() + TimeDelta::minutes(5);
    let holder = holder(until);
    assert_eq!(begin(&open(), None, "pay_1", now()), Ok(Begin::Lease));
    assert_eq!(begin(&leased(until), Some(&holder), "pay_1", now()), Ok(Begin::Replay));
    assert_eq!(begin(&leased(until), None, "pay_2", now()), Err(Error::PaymentInProgress { until }));
    assert_eq!(begin(&leased(now()), None, "pay_2", now()), Ok(Begin::Lease), "a lapsed lease is free");
    assert_eq!(begin(&overdue(), None, "pay_1", now()), Err(Error::SessionNotOpen { status: "expired" }));
    for status in [PaymentStatus::Succeeded, PaymentStatus::Rejected(Rejection::AlreadyPaid)] {
        let error = begin(&open(), Some(&known(status)), "pay_1", now()).expect_err("recorded");
        assert_eq!(error.sqlstate(), "PT409");
    }
    assert_eq!(begin(&open(), Some(&known(PaymentStatus::Failed)), "pay_1", now()), Ok(Begin::Lease), "once more");
}
