//! Holds of a session while payments begin and end.

use chrono::{DateTime, TimeDelta, Utc};
use rules::checkout::session::Session;
use rules::checkout::status::Status;
use rules::{Error, Result};
use uuid::Uuid;

use crate::datum;
use crate::operations::carts;
use crate::shared::wake;
use crate::store::holds::{self, Wait};
use crate::store::lines;
use crate::tenant::Tenant;

/// What a locked session holds of stock and coupons. Its holds are locked before the clock is read, so that nobody takes
/// them for lapsed while a payment is accepted.
pub struct Holding {
    /// `None`: the session has no terms.
    pub terms: Option<lines::Terms>,
    /// True if another has taken a hold: by their clock the session was over.
    lapsed: bool,
}

impl Holding {
    pub fn lock(tenant: Tenant, id: Uuid, session: &Session) -> Result<Self> {
        if !session.has_terms || session.status != Status::Open {
            return Ok(Self { terms: None, lapsed: false });
        }
        let locked = holds::lock(tenant, id)?;
        let terms = lines::terms(tenant, id)?.unwrap_or_default();
        let lapsed = terms.hold_count.is_some_and(|count| usize::try_from(count).is_ok_and(|count| locked < count));
        Ok(Self { terms: Some(terms), lapsed })
    }

    /// The time, as of which the session is over if it has lost a hold.
    pub fn now(&self, session: &Session) -> DateTime<Utc> {
        let now = datum::now();
        if self.lapsed { now.max(session.deadline()) } else { now }
    }

    /// A payment begins: it needs a billing address if the session asks for one, and what the session sells.
    pub fn begin(&self, tenant: Tenant, id: Uuid, session: &Session, until: DateTime<Utc>) -> Result<()> {
        let Some(terms) = &self.terms else { return Ok(()) };
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

    /// A session that a browser created may be paid without a beginning. Returns false if what it sells cannot be had:
    /// a payment waits for no buyer.
    pub fn hold_now(&self, tenant: Tenant, id: Uuid, session: &Session) -> Result<bool> {
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
