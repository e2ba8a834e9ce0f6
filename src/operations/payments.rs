//! Begins, records and applies payments.

use chrono::TimeDelta;
use rules::checkout::change::Change;
use rules::checkout::hook::Cause;
use rules::checkout::payment::{self, Begin, Decision, PaymentStatus, Report};
use rules::checkout::rejection::Rejection;
use rules::checkout::session::Session;
use rules::checkout::status::Status;
use rules::webhooks::event::EventType;
use rules::{Error, Result};
use uuid::Uuid;

use crate::backend;
use crate::datum::Payment;
use crate::operations::holding::{Holding, follow};
use crate::operations::{hooks, retention};
use crate::shared::wake;
use crate::store::{self, folds, payments, sessions};
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
    let holding = Holding::lock(tenant, id, &session.state)?;
    let known = payments::lock(tenant, payment_id)?.map(|payment| payment.known(id));
    let now = holding.now(&session.state);
    if payment::begin(&session.state, known.as_ref(), payment_id, now)? == Begin::Replay {
        return payments::replay(tenant, payment_id);
    }
    if let (Some(method), Some(allowed)) = (payment_method, &session.payment_methods)
        && !allowed.iter().any(|allowed| allowed == method)
    {
        return Err(Error::invalid("payment_method", "is not among the session's payment methods"));
    }
    let until = now + lease;
    holding.begin(tenant, id, &session.state, until)?;
    payments::begin(tenant, id, &session.state, payment_id, payment_method, until, now)
}

/// Records the end of a payment.
pub fn record(tenant: Tenant, id: Uuid, report: &Report, cause: Cause) -> Result<Payment> {
    store::settings::for_report(tenant)?;
    let session = sessions::lock(tenant, id)?.state;
    let holding = Holding::lock(tenant, id, &session)?;
    let known = payments::lock(tenant, report.payment_id)?.map(|payment| payment.known(id));
    // Read under the locks, so that time spent waiting counts against the deadline.
    let now = holding.now(&session);
    let mut decision = payment::record(&session, known.as_ref(), report, now)?;
    if let Decision::Settle(settlement) = &decision
        && settlement.payment == PaymentStatus::Succeeded
        && let Some(reason) = match holding.unavailable(tenant, id, &session)? {
            None if !holding.subscribe(tenant, id, &settlement.change.session, now)? => Some(Rejection::TrialUsed),
            reason => reason,
        }
    {
        let unavailable = Session { unavailable: Some(reason), ..session.clone() };
        decision = payment::record(&unavailable, known.as_ref(), report, now)?;
    }
    match decision {
        Decision::Replay => payments::replay(tenant, report.payment_id),
        Decision::Contradict(paid) => payments::contradict(tenant, report.payment_id, &paid, now),
        Decision::Settle(settlement) => {
            wake_for(&session, &settlement.change);
            follow(tenant, id, &session, &settlement.change.session)?;
            let settled = payments::settle(tenant, id, &session, report, &settlement, now)?;
            if session.status != Status::Open || settlement.change.ended_by_clock {
                folds::changed(tenant, id, retention::cutoff(tenant, now)?)?;
            }
            let called = hooks::call(tenant, id, &settlement.change.events, cause)?;
            if called { payments::get_again(tenant, report.payment_id) } else { Ok(settled) }
        }
    }
}

/// Wakes the worker if the session now ends earlier.
fn wake_for(session: &Session, change: &Change) {
    if change.session.status == Status::Open && change.session.deadline() < session.deadline() {
        wake::wake_at_commit(change.session.deadline());
    }
}

/// Pays an open session with a payment that another session has rejected. Of two sessions the newer one is locked first,
/// as among those of a reference, and both before the payment.
pub fn apply(tenant: Tenant, payment_id: &str, id: Uuid) -> Result<Payment> {
    backend::refuse_if_read_only(c"apply_payment()");
    let unknown = || Error::PaymentNotFound { payment_id: payment_id.to_owned() };
    let from = payments::find(tenant, payment_id)?.ok_or_else(unknown)?.checkout_session_id;
    let mut ids = [id, from];
    ids.sort_by(|one, other| other.cmp(one));
    let states = ids.map(|id| sessions::lock(tenant, id));
    let (session, rejecting) = match states {
        [one, other] if ids[0] == id => (one?.state, other?.state),
        [one, other] => (other?.state, one?.state),
    };
    // Another call may have applied it meanwhile, and then it is not locked: its session comes first. It stays there.
    let payment = payments::find(tenant, payment_id)?.ok_or_else(unknown)?;
    let payment = match payment.checkout_session_id == from {
        true => payments::lock(tenant, payment_id)?.ok_or_else(unknown)?,
        false => payment,
    };
    let holding = Holding::lock(tenant, id, &session)?;
    let now = holding.now(&session);
    let Some(settlement) = payment::apply(&session, &payment.known(id), payment_id, now)? else {
        return payments::replay(tenant, payment_id);
    };
    let mut unavailable = holding.unavailable(tenant, id, &session)?;
    if unavailable.is_none() && !holding.subscribe(tenant, id, &settlement.change.session, now)? {
        unavailable = Some(Rejection::TrialUsed);
    }
    if let Some(reason) = unavailable {
        let conflict = match reason {
            Rejection::OutOfStock => "comes after what it pays for was sold out",
            Rejection::TrialUsed => "comes after the customer has used the trial",
            _ => "comes after the subscription was renewed or canceled",
        };
        return Err(Error::PaymentConflict { payment_id: payment_id.to_owned(), conflict });
    }
    follow(tenant, id, &session, &settlement.change.session)?;
    let by_clock = Change::by_clock(&rejecting, now);
    if from != id {
        follow(tenant, from, &rejecting, &by_clock.session)?;
    }
    let applied = payments::apply(tenant, id, &session, payment_id, &settlement, now)?;
    let mut called = false;
    if from != id {
        payments::announce(tenant, from, &rejecting, payment_id, EventType::PaymentApplied, now)?;
        folds::changed(tenant, from, retention::cutoff(tenant, now)?)?;
        called = hooks::call(tenant, from, &by_clock.events, Cause::Fact)?;
    }
    called |= hooks::call(tenant, id, &settlement.change.events, Cause::Call)?;
    if called { payments::get_again(tenant, payment_id) } else { Ok(applied) }
}
