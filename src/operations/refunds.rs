//! Records refunds.

use rules::checkout::change::Change;
use rules::checkout::hook::Cause;
use rules::checkout::refund::{self, Refundable, Report};
use rules::{Error, Result};

use crate::backend;
use crate::datum::{self, Refund};
use crate::operations::hooks;
use crate::store::{payments, refunds, sessions, settings};
use crate::tenant::Tenant;

/// Records that money of a payment was returned. A session is locked before its payment; so the payment is read first,
/// and again if another call has given it to another session meanwhile.
pub fn record(tenant: Tenant, report: &Report) -> Result<Refund> {
    backend::refuse_if_read_only(c"record_refund()");
    settings::for_report(tenant)?;
    let unknown = || Error::PaymentNotFound { payment_id: report.payment_id.to_owned() };
    let session_of_payment = || Ok(payments::find(tenant, report.payment_id)?.ok_or_else(unknown)?.checkout_session_id);
    loop {
        let id = session_of_payment()?;
        let session = sessions::lock(tenant, id)?.state;
        if session_of_payment()? != id {
            continue;
        }
        let payment = payments::lock(tenant, report.payment_id)?.ok_or_else(unknown)?;
        let known = refunds::known(tenant, report.payment_id, report.refund_id)?;
        let payment = Refundable {
            status: payment.status,
            paid: payment.most_paid(),
            refunded: payment.refunded,
            pending: payment.pending,
        };
        return match refund::record(&payment, known.as_ref(), report)? {
            Some(change) => {
                let now = datum::now();
                let recorded = refunds::record(tenant, id, &session, report, &change, now)?;
                let mut events = Change::by_clock(&session, now).events;
                events.extend(change.status.event());
                let called = hooks::call(tenant, id, &events, Cause::Fact)?;
                if called { refunds::get_again(tenant, report.refund_id) } else { Ok(recorded) }
            }
            None => refunds::replay(tenant, report.refund_id),
        };
    }
}
