//! Begins and records payments.

use chrono::TimeDelta;
use rules::checkout::payment::{self, Begin, Decision, Report};
use rules::checkout::status::Status;
use rules::{Error, Result};
use uuid::Uuid;

use crate::datum::{self, Payment};
use crate::shared::wake;
use crate::store::{payments, sessions};
use crate::tenant::Tenant;

/// Lets a payment hold its session for the length of its lease.
pub fn begin(
    tenant: Tenant,
    id: Uuid,
    payment_id: &str,
    payment_method: Option<&str>,
    lease: TimeDelta,
) -> Result<Payment> {
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
}

/// Records the end of a payment.
pub fn record(tenant: Tenant, id: Uuid, report: &Report) -> Result<Payment> {
    let session = sessions::lock(tenant, id)?.state;
    let known = payments::known(tenant, id, report.payment_id)?;
    // Read under the lock, so that time spent waiting counts against the deadline.
    let now = datum::now();
    let settlement = match payment::record(&session, known.as_ref(), report, now)? {
        Decision::Replay => return payments::replay(tenant, report.payment_id),
        Decision::Settle(settlement) => settlement,
    };
    if settlement.session == Status::Open && settlement.lease_expires_at != session.lease_expires_at {
        wake::wake_at_commit(session.expires_at);
    }
    payments::settle(tenant, id, &session, report, &settlement, now)
}
