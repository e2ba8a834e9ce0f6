//! Begin, record and list payments.

use pgrx::datum::Interval;
use pgrx::prelude::*;
use pgrx::{AnyNumeric, Uuid};
use rules::checkout::money::Currency;
use rules::checkout::payment::{self, Outcome, Report};
use rules::validate::{self, required};
use rules::{Error, Result};

use crate::datum::{self, Payment, Rows, Text, required_text, text};
use crate::operations::payments;
use crate::report::or_raise;
use crate::{store, tenant};

#[pg_extern(sql = false)]
fn begin_payment(
    checkout_session_id: Option<Uuid>,
    payment_id: Option<Text>,
    payment_method: Option<Text>,
    lease: Option<Interval>,
) -> Payment {
    or_raise((|| {
        let tenant = tenant::secret()?;
        let id = datum::from_uuid(required("checkout_session_id", checkout_session_id)?);
        let payment_id = check_payment_id(&payment_id)?;
        let payment_method = text("payment_method", &payment_method)?;
        let payment_method = validate::optional_text("payment_method", payment_method, validate::PAYMENT_METHOD)?;
        let lease = payment::lease(lease.map(|lease| datum::from_interval("lease", lease)).transpose()?)?;
        payments::begin(tenant, id, payment_id, payment_method, lease)
    })())
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
) -> Payment {
    or_raise((|| {
        let tenant = tenant::secret()?;
        let id = datum::from_uuid(required("checkout_session_id", checkout_session_id)?);
        let payment_id = check_payment_id(&payment_id)?;
        let outcome: Outcome = required_text("outcome", &outcome)?.parse()?;
        let amount = amount.map(|amount| datum::from_numeric("amount", &amount)).transpose()?;
        let currency_code = text("currency_code", &currency_code)?;
        if let Some(code) = currency_code {
            Currency::parse("currency_code", code)?;
        }
        let payment_method = text("payment_method", &payment_method)?;
        let payment_method = validate::optional_text("payment_method", payment_method, validate::PAYMENT_METHOD)?;
        let failure_code = text("failure_code", &failure_code)?;
        let failure_code = validate::optional_text("failure_code", failure_code, validate::SHORT_TEXT)?;
        let failure_message = text("failure_message", &failure_message)?
            .map(|text| validate::long_text("failure_message", text, validate::FAILURE_MESSAGE))
            .transpose()?;
        if outcome == Outcome::Succeeded && (failure_code.is_some() || failure_message.is_some()) {
            return Err(Error::invalid("failure_code", "is for outcome failed only, as is failure_message"));
        }

        payments::record(
            tenant,
            id,
            &Report { payment_id, outcome, amount, currency_code, payment_method, failure_code, failure_message },
        )
    })())
}

#[pg_extern(sql = false)]
fn list_payments(checkout_session_id: Option<Uuid>) -> Rows<Payment> {
    Rows(or_raise((|| {
        let tenant = tenant::secret()?;
        let id = datum::from_uuid(required("checkout_session_id", checkout_session_id)?);
        if !store::sessions::exists(tenant, id)? {
            return Err(Error::SessionNotFound { checkout_session_id: id });
        }
        store::payments::list(tenant, id)
    })()))
}

fn check_payment_id(payment_id: &Option<Text>) -> Result<&str> {
    validate::text("payment_id", required_text("payment_id", payment_id)?, validate::SHORT_TEXT)
}
