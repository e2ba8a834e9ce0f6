//! Record and list refunds.

use pgrx::AnyNumeric;
use pgrx::prelude::*;
use rules::checkout::label;
use rules::checkout::refund::{RefundStatus, Report};
use rules::validate;
use rules::{Error, Result};

use crate::datum::{self, Refund, Rows, Text, required_text};
use crate::operations::refunds;
use crate::report::or_raise;
use crate::{store, tenant};

#[pg_extern(sql = false)]
fn record_refund(
    payment_id: Option<Text>,
    refund_id: Option<Text>,
    amount: Option<AnyNumeric>,
    status: Option<Text>,
    reason: Option<Text>,
) -> Refund {
    or_raise(|| {
        let tenant = tenant::secret()?;
        let payment_id = id("payment_id", &payment_id)?;
        let refund_id = id("refund_id", &refund_id)?;
        let amount = amount.map(|amount| datum::from_reported("amount", &amount)).transpose()?;
        let status: RefundStatus = required_text("status", &status)?.parse()?;
        let reason = reason.and_then(|reason| label::lines(&reason.label(label::MESSAGE), label::MESSAGE));
        refunds::record(tenant, &Report { payment_id, refund_id, amount, status, reason: reason.as_deref() })
    })
}

#[pg_extern(sql = false)]
fn list_refunds(payment_id: Option<Text>) -> Rows<Refund> {
    Rows(or_raise(|| {
        let tenant = tenant::reader()?;
        let payment_id = id("payment_id", &payment_id)?;
        if !store::payment_lists::exists(tenant, payment_id)? {
            return Err(Error::PaymentNotFound { payment_id: payment_id.to_owned() });
        }
        store::refunds::list(tenant, payment_id)
    }))
}

fn id<'a>(argument: &'static str, value: &'a Option<Text>) -> Result<&'a str> {
    validate::text(argument, required_text(argument, value)?, validate::SHORT_TEXT)
}
