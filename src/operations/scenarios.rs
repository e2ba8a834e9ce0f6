//! Scenarios: plays the buyer and the payment provider in the test environment.

use rules::access::credential::{Environment, Kind};
use rules::checkout::hook::Cause;
use rules::checkout::order::Order;
use rules::checkout::payment::{Outcome, PaymentStatus, Report};
use rules::checkout::policy::Policy;
use rules::checkout::refund::{self, RefundStatus};
use rules::checkout::scenario::{self, Scenario, Step};
use rules::checkout::session;
use rules::checkout::status::Status;
use rules::{Error, Result, validate};
use rust_decimal::Decimal;
use uuid::Uuid;

use crate::datum::{self, Json, Session};
use crate::operations::sessions::Created;
use crate::operations::{payments, refunds, session_terms, sessions};
use crate::store;
use crate::tenant::{Caller, Tenant};

/// Creates a session, and plays the scenario with it that its request asks for. A session that existed before stays as
/// it is.
pub fn create(
    caller: &Caller,
    policy: &Policy,
    order: Order,
    metadata: Option<Json>,
    idempotency_key: Option<&str>,
    scenario: Option<Scenario>,
) -> Result<Created> {
    match scenario {
        // It ends the session, and only servers may do that.
        Some(_) if caller.kind != Kind::Secret => return Err(Error::NotAllowed { kind: caller.kind }),
        Some(_) if caller.tenant.environment == Environment::Live => {
            return Err(Error::invalid(scenario::HEADER, "is for the test environment only"));
        }
        Some(Scenario::Error(status)) => return Err(Error::Simulated { status }),
        _ => {}
    }
    let created = sessions::create(caller, policy, order, metadata, idempotency_key)?;
    match scenario {
        Some(scenario) if !created.replayed => {
            Ok(Created { session: simulate(caller.tenant, created.id, scenario)?, ..created })
        }
        _ => Ok(created),
    }
}

/// Plays a scenario with a session, and returns the session.
pub fn simulate(tenant: Tenant, id: Uuid, scenario: Scenario) -> Result<Session> {
    scenario::check_environment(tenant.environment)?;
    // Locked until the transaction ends: nothing else happens to the session between two steps.
    let session = store::sessions::lock(tenant, id)?.state;
    for step in scenario.steps(&session, datum::now())? {
        take(tenant, id, step)?;
    }
    let page = store::settings::page(tenant, id)?;
    store::sessions::get_again(tenant, id, datum::now(), false, Some(&page))
}

fn take(tenant: Tenant, id: Uuid, step: Step) -> Result<()> {
    let session = store::sessions::lock(tenant, id)?.state;
    let report = |payment_id: &str, outcome, amount: Option<Decimal>, failure_code| {
        let report = Report { amount, failure_code, ..Report::new(payment_id, outcome) };
        payments::record(tenant, id, &report, Cause::Call).map(|_| ())
    };
    match step {
        Step::Begin => payments::begin(tenant, id, &scenario::payment_id(id, &session), None, None).map(|_| ()),
        // Nothing is due: the buyer only confirms.
        Step::Succeed if session.has_terms && session.amount.is_zero() => {
            session_terms::complete_free(tenant, id).map(|_| ())
        }
        Step::Succeed => report(&next_payment(tenant, id, &session)?, Outcome::Succeeded, None, None),
        Step::Fail { code } => report(&next_payment(tenant, id, &session)?, Outcome::Failed, None, code),
        Step::FailAll => {
            let mut session = session;
            for _ in 0..=validate::MAXIMUM_RETRY_ATTEMPTS {
                if session.status != Status::Open {
                    break;
                }
                report(&next_payment(tenant, id, &session)?, Outcome::Failed, None, None)?;
                session = store::sessions::lock(tenant, id)?.state;
            }
            Ok(())
        }
        Step::Expire => sessions::expire(tenant, id).map(|_| ()),
        Step::SucceedAsWell(word) => report(&scenario::id_of(id, word), Outcome::Succeeded, None, None),
        Step::SucceedWithMore => {
            let more = session.amount + Decimal::ONE;
            report(&scenario::id_of(id, "wrong_amount"), Outcome::Succeeded, Some(more), None)
        }
        Step::Refund => {
            let paid = store::payments::of_session(tenant, id, PaymentStatus::Succeeded)?
                .ok_or(Error::TermsConflict { fault: "has nothing to refund" })?;
            let report = refund::Report {
                payment_id: &paid,
                refund_id: &scenario::id_of(id, "refund"),
                amount: None,
                status: RefundStatus::Succeeded,
                reason: None,
            };
            refunds::record(tenant, &report).map(|_| ())
        }
    }
}

/// The payment that is in progress, whoever has begun it; or else the next simulated one.
fn next_payment(tenant: Tenant, id: Uuid, session: &session::Session) -> Result<String> {
    let begun = match session.live_lease(datum::now()) {
        Some(_) => store::payments::of_session(tenant, id, PaymentStatus::Processing)?,
        None => None,
    };
    Ok(begun.unwrap_or_else(|| scenario::payment_id(id, session)))
}
