//! Begin, record and list payments.

use pgrx::datum::Interval;
use pgrx::prelude::*;
use pgrx::{AnyNumeric, Uuid};
use rust_decimal::Decimal;

use crate::datum::{self, Payment, Rows, Text, required_text, text};
use crate::domain::payment::{self, Begin, Decision, Outcome, Report};
use crate::domain::validate::{self, required};
use crate::domain::{Error, Result, money, time};
use crate::report::or_raise;
use crate::store::payments::Details;
use crate::store::{payments, sessions};
use crate::tenant::{self, Tenant};
use crate::worker;

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
        let lease = time::payment_lease(lease.map(|lease| datum::from_interval("lease", lease)).transpose()?)?;

        let session = sessions::lock(tenant, id)?;
        let known = payments::known(tenant, id, payment_id)?;
        let now = datum::now();
        if payment::begin(&session.state, known.as_ref(), payment_id, now)? == Begin::Replay {
            return payments::replay(tenant, payment_id);
        }
        if let (Some(method), Some(allowed)) = (payment_method, &session.payment_methods)
            && !allowed.iter().any(|allowed| allowed == method)
        {
            return Err(Error::invalid("payment_method", "is not among the session's payment methods"));
        }
        payments::begin(tenant, id, &session.state, payment_id, payment_method, now + lease, now)
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
            money::Currency::parse("currency_code", code)?;
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

        record(
            tenant,
            id,
            &Reported { payment_id, outcome, amount, currency_code, payment_method, failure_code, failure_message },
        )
    })())
}

/// How a payment ended, as it is reported; what is not said is as the session has it.
pub(super) struct Reported<'a> {
    pub payment_id: &'a str,
    pub outcome: Outcome,
    pub amount: Option<Decimal>,
    pub currency_code: Option<&'a str>,
    pub payment_method: Option<&'a str>,
    pub failure_code: Option<&'a str>,
    pub failure_message: Option<&'a str>,
}

impl<'a> Reported<'a> {
    /// In full, without details.
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

/// Records how a payment ended.
pub(super) fn record(tenant: Tenant, id: uuid::Uuid, reported: &Reported) -> Result<Payment> {
    let payment_id = reported.payment_id;
    let session = sessions::lock(tenant, id)?.state;
    let known = payments::known(tenant, id, payment_id)?;
    let currency_code = reported.currency_code.unwrap_or(&session.currency_code);
    let currency = money::Currency::parse("currency_code", currency_code)?;
    let amount = money::with_digits(reported.amount.unwrap_or(session.amount), currency);
    let report = Report { payment_id, outcome: reported.outcome, amount, currency_code };
    // Under the lock, so that what was waited for counts against the deadline.
    let now = datum::now();
    let settlement = match payment::record(&session, known.as_ref(), &report, now)? {
        Decision::Replay => return payments::replay(tenant, payment_id),
        Decision::Settle(settlement) => settlement,
    };
    let details = Details {
        payment_id,
        amount: report.amount,
        currency_code: report.currency_code,
        payment_method: reported.payment_method,
        failure_code: reported.failure_code,
        failure_message: reported.failure_message,
    };
    if settlement.lease_expires_at != session.lease_expires_at {
        worker::wake_at_commit(session.expires_at);
    }
    payments::settle(tenant, id, &session, &details, &settlement, now)
}

#[pg_extern(sql = false)]
fn list_payments(checkout_session_id: Option<Uuid>) -> Rows<Payment> {
    Rows(or_raise((|| {
        let tenant = tenant::secret()?;
        let id = datum::from_uuid(required("checkout_session_id", checkout_session_id)?);
        if !sessions::exists(tenant, id)? {
            return Err(Error::SessionNotFound { checkout_session_id: id });
        }
        payments::list(tenant, id)
    })()))
}

fn check_payment_id(payment_id: &Option<Text>) -> Result<&str> {
    validate::text("payment_id", required_text("payment_id", payment_id)?, validate::SHORT_TEXT)
}
