//! Begins, records and applies payments.

use chrono::TimeDelta;
use rules::checkout::change::Change;
use rules::checkout::payment::{self, Begin, Decision, Report};
use rules::checkout::session::Session;
use rules::checkout::status::Status;
use rules::webhooks::event::EventType;
use rules::{Error, Result};
use uuid::Uuid;

use crate::datum::{self, Payment};
use crate::shared::wake;
use crate::store::{self, payments, sessions};
use crate::tenant::Tenant;

/// Lets a payment hold its session for the length of its lease.
pub fn begin(
    tenant: Tenant,
    id: Uuid,
    payment_id: &str,
    payment_method: Option<&str>,
    lease: Option<TimeDelta>,
) -> Result<Payment> {
    let lease = store::settings::of(tenant)?.leases.of_payment(payment_method, lease)?;
    let session = sessions::lock(tenant, id)?;
    let known = payments::lock(tenant, payment_id)?.map(|payment| payment.known(id));
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
}

/// Records the end of a payment.
pub fn record(tenant: Tenant, id: Uuid, report: &Report) -> Result<Payment> {
    let session = sessions::lock(tenant, id)?.state;
    let known = payments::lock(tenant, report.payment_id)?.map(|payment| payment.known(id));
    // Read under the lock, so that time spent waiting counts against the deadline.
    let now = datum::now();
    match payment::record(&session, known.as_ref(), report, now)? {
        Decision::Replay => payments::replay(tenant, report.payment_id),
        Decision::Contradict(paid) => payments::contradict(tenant, report.payment_id, &paid, now),
        Decision::Settle(settlement) => {
            wake_for(&session, &settlement.change);
            payments::settle(tenant, id, &session, report, &settlement, now)
        }
    }
}

/// Wakes the worker if the session now ends earlier.
fn wake_for(session: &Session, change: &Change) {
    if change.session.status == Status::Open && change.session.deadline() < session.deadline() {
        wake::wake_at_commit(change.session.deadline());
    }
}

/// Pays an open session with a payment that another session has rejected. Sessions are locked in the order of their ids,
/// and before their payments.
pub fn apply(tenant: Tenant, payment_id: &str, id: Uuid) -> Result<Payment> {
    let unknown = || Error::PaymentNotFound { payment_id: payment_id.to_owned() };
    loop {
        let from = payments::find(tenant, payment_id)?.ok_or_else(unknown)?.checkout_session_id;
        let earlier = if from < id { Some(sessions::lock(tenant, from)?.state) } else { None };
        let session = sessions::lock(tenant, id)?.state;
        let earlier = match earlier {
            None if from > id => Some(sessions::lock(tenant, from)?.state),
            earlier => earlier,
        };
        let payment = payments::lock(tenant, payment_id)?.ok_or_else(unknown)?;
        if payment.checkout_session_id != from {
            continue;
        }
        let now = datum::now();
        let settlement = payment::apply(&session, &payment.known(id), payment_id, now)?;
        let (Some(settlement), Some(earlier)) = (settlement, earlier) else {
            return payments::replay(tenant, payment_id);
        };
        let applied = payments::apply(tenant, id, &session, payment_id, &settlement, now)?;
        payments::announce(tenant, from, &earlier, payment_id, EventType::PaymentApplied, now)?;
        return Ok(applied);
    }
}
