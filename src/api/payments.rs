//! Begin, record, apply, simulate and list payments.

use chrono::{DateTime, Utc};
use pgrx::datum::{Interval, TimestampWithTimeZone};
use pgrx::prelude::*;
use pgrx::{AnyNumeric, Uuid};
use rules::checkout::hook::Cause;
use rules::checkout::label;
use rules::checkout::payment::{Outcome, PaymentStatus, Report};
use rules::checkout::rejection::Rejection;
use rules::checkout::scenario::Scenario;
use rules::validate::{self, required};
use rules::{Error, Result};

use crate::api::visits::as_buyer;
use crate::datum::{self, Payment, PublicSession, Rows, Session, Text, required_text, text};
use crate::operations::{payments, scenarios};
use crate::report::or_raise;
use crate::store::payment_lists::Filter;
use crate::{store, tenant};

#[pg_extern(sql = false)]
fn begin_payment(
    checkout_session_id: Option<Uuid>,
    payment_id: Option<Text>,
    payment_method: Option<Text>,
    lease: Option<Interval>,
) -> Payment {
    or_raise(|| {
        let tenant = tenant::secret()?;
        let id = datum::from_uuid(required("checkout_session_id", checkout_session_id)?);
        let payment_id = check_payment_id(&payment_id)?;
        let payment_method = text("payment_method", &payment_method)?;
        let payment_method = validate::optional_text("payment_method", payment_method, validate::PAYMENT_METHOD)?;
        let lease = lease.map(|lease| datum::from_interval("lease", lease)).transpose()?;
        payments::begin(tenant, id, payment_id, payment_method, lease)
    })
}

#[expect(clippy::too_many_arguments)]
#[pg_extern(sql = false)]
fn record_payment(
    checkout_session_id: Option<Uuid>,
    payment_id: Option<Text>,
    outcome: Option<Text>,
    amount: Option<AnyNumeric>,
    currency_code: Option<Text>,
    payment_method: Option<Text>,
    failure_code: Option<Text>,
    failure_message: Option<Text>,
    attempt_id: Option<Text>,
    occurred_at: Option<TimestampWithTimeZone>,
) -> Payment {
    or_raise(|| {
        let tenant = tenant::secret()?;
        let id = datum::from_uuid(required("checkout_session_id", checkout_session_id)?);
        let payment_id = check_payment_id(&payment_id)?;
        let outcome: Outcome = required_text("outcome", &outcome)?.parse()?;
        let amount = amount.map(|amount| datum::from_reported("amount", &amount)).transpose()?;
        if outcome == Outcome::Succeeded
            && amount.is_none()
            && store::settings::for_report(tenant)?.require_payment_amount
        {
            return Err(Error::NullArgument { argument: "amount" });
        }
        let line = |value: Option<Text>, limit| value.and_then(|text| label::line(&text.label(limit), limit));
        let currency_code = line(currency_code, label::CURRENCY_CODE);
        let payment_method = line(payment_method, label::PAYMENT_METHOD);
        let attempt_id = line(attempt_id, label::SHORT_TEXT);
        // What a success says of failures is of an earlier attempt.
        let failed = outcome != Outcome::Succeeded;
        let failure_code = line(failure_code.filter(|_| failed), label::SHORT_TEXT);
        let failure_message = failure_message
            .filter(|_| failed)
            .and_then(|text| label::lines(&text.label(label::MESSAGE), label::MESSAGE));
        payments::record(
            tenant,
            id,
            &Report {
                payment_id,
                outcome,
                amount,
                currency_code: currency_code.as_deref(),
                payment_method: payment_method.as_deref(),
                failure_code: failure_code.as_deref(),
                failure_message: failure_message.as_deref(),
                attempt_id: attempt_id.as_deref(),
                // An infinite time says nothing.
                occurred_at: occurred_at.and_then(|at| datum::from_timestamp("occurred_at", at).ok()),
            },
            Cause::Fact,
        )
    })
}

#[pg_extern(sql = false)]
fn apply_payment(payment_id: Option<Text>, checkout_session_id: Option<Uuid>) -> Payment {
    or_raise(|| {
        let tenant = tenant::secret()?;
        let payment_id = check_payment_id(&payment_id)?;
        let id = datum::from_uuid(required("checkout_session_id", checkout_session_id)?);
        payments::apply(tenant, payment_id, id)
    })
}

#[pg_extern(sql = false)]
fn simulate_payment(checkout_session_id: Option<Uuid>, scenario: Option<Text>) -> Session {
    or_raise(|| {
        let tenant = tenant::secret()?;
        let id = datum::from_uuid(required("checkout_session_id", checkout_session_id)?);
        let scenario = Scenario::parse("scenario", required_text("scenario", &scenario)?)?;
        scenarios::simulate(tenant, id, scenario)
    })
}

#[pg_extern(sql = false)]
fn simulate_public_payment(
    checkout_session_id: Option<Uuid>,
    client_secret: Option<Text>,
    scenario: Option<Text>,
) -> PublicSession {
    or_raise(|| {
        as_buyer(checkout_session_id, &client_secret, |tenant, id| {
            let scenario = Scenario::parse("scenario", required_text("scenario", &scenario)?)?;
            scenarios::simulate(tenant, id, scenario)?;
            store::sessions::get_public_again(tenant, id, datum::now())
        })
    })
}

#[expect(clippy::too_many_arguments)]
#[pg_extern(sql = false)]
fn list_payments(
    checkout_session_id: Option<Uuid>,
    status: Option<Text>,
    rejection_reason: Option<Text>,
    payment_method: Option<Text>,
    to_refund: Option<bool>,
    occurred_after: Option<TimestampWithTimeZone>,
    occurred_before: Option<TimestampWithTimeZone>,
    page_size: Option<i32>,
    starting_after: Option<Text>,
) -> Rows<Payment> {
    Rows(or_raise(|| {
        let tenant = tenant::reader()?;
        let id = checkout_session_id.map(datum::from_uuid);
        if let Some(id) = id
            && !store::sessions::exists(tenant, id)?
        {
            return Err(Error::SessionNotFound { checkout_session_id: id });
        }
        let occurred_after = time("occurred_after", occurred_after)?;
        let occurred_before = time("occurred_before", occurred_before)?;
        if occurred_before.is_some_and(|before| occurred_after.is_some_and(|after| after > before)) {
            return Err(Error::invalid("occurred_after", "must not be later than occurred_before"));
        }
        let one_of = |argument, value, words: &[&str]| {
            text(argument, value)?.map(|word| validate::one_of(argument, word, words)).transpose()
        };
        let filter = Filter {
            checkout_session_id: id,
            status: one_of("status", &status, &PaymentStatus::NAMES)?,
            rejection_reason: one_of("rejection_reason", &rejection_reason, &Rejection::ALL.map(Rejection::as_str))?,
            payment_method: text("payment_method", &payment_method)?,
            to_refund,
            occurred_after,
            occurred_before,
            page_size: validate::in_range(
                "page_size",
                page_size.unwrap_or(validate::PAGE_SIZE),
                1,
                validate::PAGE_SIZE,
            )?,
            starting_after: text("starting_after", &starting_after)?,
        };
        store::payment_lists::list(tenant, &filter)
    }))
}

fn time(argument: &'static str, at: Option<TimestampWithTimeZone>) -> Result<Option<DateTime<Utc>>> {
    at.map(|at| datum::from_timestamp(argument, at)).transpose()
}

fn check_payment_id(payment_id: &Option<Text>) -> Result<&str> {
    validate::text("payment_id", required_text("payment_id", payment_id)?, validate::SHORT_TEXT)
}
