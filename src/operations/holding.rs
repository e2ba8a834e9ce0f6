//! Holds of a session while payments begin and end.

use chrono::{DateTime, TimeDelta, Utc};
use rules::catalog::subscription::{Action, Obstacle, Subscription};
use rules::checkout::hook::Cause;
use rules::checkout::rejection::Rejection;
use rules::checkout::session::Session;
use rules::checkout::status::Status;
use rules::webhooks::event::EventType;
use rules::{Error, Result};
use uuid::Uuid;

use crate::datum;
use crate::operations::{carts, hooks, subscribing};
use crate::shared::wake;
use crate::store::holds::{self, Wait};
use crate::store::{lines, session_periods, sessions, subscriptions};
use crate::tenant::Tenant;

/// What a locked session holds of stock and coupons. Its holds are locked before the clock is read, so that nobody takes
/// them for lapsed while a payment is accepted.
pub struct Holding {
    /// `None`: the session has no terms.
    pub terms: Option<lines::Terms>,
    /// True if another has taken a hold: by their clock the session was over.
    lapsed: bool,
    /// The subscription that it renews, locked.
    renewed: Option<Subscription>,
}

impl Holding {
    pub fn lock(tenant: Tenant, id: Uuid, session: &Session) -> Result<Self> {
        if !session.has_terms || session.status != Status::Open {
            return Ok(Self { terms: None, lapsed: false, renewed: None });
        }
        let locked = holds::lock(tenant, id)?;
        let terms = lines::terms(tenant, id)?.unwrap_or_default();
        let lapsed = terms.hold_count.is_some_and(|count| usize::try_from(count).is_ok_and(|count| locked < count));
        let renewed = match terms.subscribing {
            Some((subscription, Action::Renew(_))) => subscriptions::lock(tenant, subscription)?,
            _ => None,
        };
        Ok(Self { terms: Some(terms), lapsed, renewed })
    }

    /// The time, as of which the session is over if it has lost a hold.
    pub fn now(&self, session: &Session) -> DateTime<Utc> {
        let now = datum::now();
        if self.lapsed { now.max(session.deadline()) } else { now }
    }

    /// A payment begins: it needs a billing address if the session asks for one, and what the session sells.
    pub fn begin(&self, tenant: Tenant, id: Uuid, session: &Session, until: DateTime<Utc>) -> Result<()> {
        let Some(terms) = &self.terms else { return Ok(()) };
        self.check_subscription()?;
        if session.amount.is_zero() {
            return Err(Error::TermsConflict { fault: "has nothing to pay" });
        }
        let ordered = lines::ordered(tenant, id)?;
        if ordered.require_billing_address && !terms.has_address {
            return Err(Error::TermsConflict { fault: "has no billing address yet" });
        }
        let deadline = Session { lease_expires_at: Some(until), ..session.clone() }.deadline();
        match terms.hold_count {
            Some(_) => holds::extend(tenant, id, deadline),
            None => {
                let cart = carts::of_session(tenant, id, &session.currency_code, terms.coupon_code.as_deref())?;
                let customer = carts::customer(ordered.customer_id.as_deref(), ordered.customer_email.as_deref());
                let count = carts::hold_all(tenant, id, &cart, customer.as_deref(), deadline, Wait::ForOthers)?;
                lines::set_hold_count(tenant, id, count)
            }
        }
    }

    /// Why what an open session sells cannot be had, if so, for a payment of it.
    pub fn unavailable(&self, tenant: Tenant, id: Uuid, session: &Session) -> Result<Option<Rejection>> {
        if let Some(obstacle) = self.obstacle() {
            return Ok(Some(obstacle.rejection()));
        }
        if self.trial_is_used(tenant, id, session)? {
            return Ok(Some(Rejection::TrialUsed));
        }
        let available = self.hold_now(tenant, id, session)?;
        Ok(if available { None } else { Some(Rejection::OutOfStock) })
    }

    /// True if the session begins a trial, and the customer has used it up meanwhile.
    fn trial_is_used(&self, tenant: Tenant, id: Uuid, session: &Session) -> Result<bool> {
        let subscribing = self.terms.as_ref().and_then(|terms| terms.subscribing.as_ref());
        let Some((_, Action::Begin { trial: true })) = subscribing else { return Ok(false) };
        let cart = carts::of_session(tenant, id, &session.currency_code, None)?;
        let product_id = cart.lines.first().and_then(|line| line.product_id.as_deref()).unwrap_or_default();
        let ordered = lines::ordered(tenant, id)?;
        let (customer_id, customer_email) = (ordered.customer_id.as_deref(), ordered.customer_email.as_deref());
        session_periods::had_trial(tenant, product_id, customer_id, customer_email)
    }

    /// What keeps the session from renewing its subscription.
    fn obstacle(&self) -> Option<Obstacle> {
        let (_, action) = self.terms.as_ref()?.subscribing.as_ref()?;
        let period = action.renewed()?;
        // Without its subscription, a session has none to renew.
        self.renewed.as_ref().map_or(Some(Obstacle::Canceled), |renewed| renewed.obstacle(period))
    }

    pub fn check_subscription(&self) -> Result<()> {
        self.obstacle().map_or(Ok(()), |obstacle| Err(obstacle.error()))
    }

    /// Begins or renews the subscription of a session that is being completed. Waits for whoever begins the same trial.
    /// Returns false if the customer has used the trial meanwhile.
    pub fn subscribe(&self, tenant: Tenant, id: Uuid, after: &Session, now: DateTime<Utc>) -> Result<bool> {
        match self.terms.as_ref().and_then(|terms| terms.subscribing.as_ref()) {
            Some((subscription, action)) if after.status == Status::Complete => {
                subscribing::follow(tenant, id, *subscription, action, self.renewed.as_ref(), now)
            }
            _ => Ok(true),
        }
    }

    /// A session that a browser created may be paid without a beginning. Returns false if what it sells cannot be had:
    /// a payment waits for no buyer.
    fn hold_now(&self, tenant: Tenant, id: Uuid, session: &Session) -> Result<bool> {
        let Some(terms @ lines::Terms { hold_count: None, .. }) = &self.terms else { return Ok(true) };
        let ordered = lines::ordered(tenant, id)?;
        let cart = carts::of_session(tenant, id, &session.currency_code, terms.coupon_code.as_deref())?;
        let customer = carts::customer(ordered.customer_id.as_deref(), ordered.customer_email.as_deref());
        match carts::hold(tenant, id, &cart, customer.as_deref(), session.deadline(), Wait::Never)? {
            Ok(count) => lines::set_hold_count(tenant, id, count).map(|()| true),
            Err(_) => holds::release(tenant, id).map(|()| false),
        }
    }
}

/// Ends a locked open session as the clock would. What it held is free again.
pub fn end(tenant: Tenant, id: Uuid, session: &Session, now: DateTime<Utc>) -> Result<crate::datum::Session> {
    if session.has_terms {
        holds::release(tenant, id)?;
    }
    let ended = sessions::expire(tenant, id, session, now)?;
    let event = if session.ends_as() == Status::Failed { EventType::Failed } else { EventType::Expired };
    let cause = if session.overdue(now) { Cause::Fact } else { Cause::Call };
    hooks::call(tenant, id, &[event], cause)?;
    Ok(ended)
}

/// The holds of a session follow its state.
pub fn follow(tenant: Tenant, id: Uuid, before: &Session, after: &Session) -> Result<()> {
    match after.status {
        _ if !before.has_terms || before.status != Status::Open => Ok(()),
        Status::Open if after.deadline() != before.deadline() => holds::extend(tenant, id, after.deadline()),
        Status::Open => Ok(()),
        Status::Complete => {
            // The worker counts what was sold.
            wake::wake_at_commit(datum::now() + TimeDelta::minutes(1));
            holds::take(tenant, id)
        }
        Status::Expired | Status::Failed => holds::release(tenant, id),
    }
}
