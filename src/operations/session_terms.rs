//! What a buyer may change of an open session: quantity, amount, coupon and address; and completing it if nothing is due.

use chrono::{DateTime, Utc};
use rules::catalog::cart::Cart;
use rules::catalog::discount::{MOST_TRIES, Refusal};
use rules::catalog::line::{Kind, Line};
use rules::checkout::hook::Cause;
use rules::checkout::session::Session;
use rules::checkout::status::Status;
use rules::webhooks::event::EventType;
use rules::{Error, Result};
use rust_decimal::Decimal;
use uuid::Uuid;

use crate::datum::{self, Json, PublicSession};
use crate::operations::holding::{Holding, follow};
use crate::operations::subscribing::TRIAL_USED;
use crate::operations::{carts, hooks};
use crate::store::holds::{self, Wait};
use crate::store::lines::{self, Ordered, Terms};
use crate::store::sessions;
use crate::tenant::Tenant;

/// An open session, locked, whose terms may change: no payment is in progress.
struct Open {
    tenant: Tenant,
    id: Uuid,
    session: Session,
    ordered: Ordered,
    terms: Terms,
    holding: Holding,
    cart: Cart,
    /// Of the cart, before any change.
    units: i32,
    now: DateTime<Utc>,
}

impl Open {
    fn lock(tenant: Tenant, id: Uuid) -> Result<Self> {
        let session = carts::waiting(|| sessions::lock(tenant, id))?.state;
        let holding = Holding::lock(tenant, id, &session)?;
        let now = holding.now(&session);
        let status = session.effective_status(now);
        if status != Status::Open {
            return Err(Error::SessionNotOpen { status: status.as_str() });
        }
        if let Some(until) = session.live_lease(now) {
            return Err(Error::PaymentInProgress { until });
        }
        let ordered = lines::ordered(tenant, id)?;
        let (terms, cart) = match holding.terms.clone() {
            Some(terms) => {
                let cart = carts::of_session(tenant, id, &session.currency_code, terms.coupon_code.as_deref())?;
                (terms, cart)
            }
            None => (
                Terms {
                    hold_count: (!ordered.by_browser).then_some(0),
                    order_hash: carts::order_hash(None, session.amount, &session.currency_code)?,
                    ..Terms::default()
                },
                carts::plain(ordered.title.clone(), session.amount, ordered.quantity, session.currency_code.parse()?),
            ),
        };
        let units = cart.quantity();
        Ok(Self { tenant, id, session, ordered, terms, holding, cart, units, now })
    }

    /// Holds what has changed, and writes it.
    fn save(mut self, with_units: bool) -> Result<PublicSession> {
        if self.terms.hold_count.is_some() {
            let deadline = self.session.deadline();
            for (product_id, quantity) in self.cart.units().into_iter().filter(|_| with_units) {
                carts::waiting(|| {
                    holds::reserve_units(self.tenant, self.id, product_id, quantity, deadline, Wait::ForOthers)
                })?;
            }
            if let Some(code) = &self.terms.coupon_code
                && self.cart.coupon.as_ref().is_none_or(|coupon| coupon.code != *code)
            {
                holds::release_coupon(self.tenant, self.id, code)?;
            }
            let count = holds::lock(self.tenant, self.id)?;
            self.terms.hold_count = Some(i32::try_from(count).unwrap_or(i32::MAX));
        }
        self.write()?;
        self.public()
    }

    fn write(&self) -> Result<()> {
        let sums = self.cart.sums()?;
        lines::store(self.tenant, self.id, &self.cart, &sums, self.terms.hold_count, &self.terms.order_hash)?;
        // A session that said only an amount may have a quantity that its cart has not.
        let quantity = self.ordered.quantity - self.units + self.cart.quantity();
        lines::change(self.tenant, self.id, &sums, quantity, self.now).map(|_| ())
    }

    fn public(&self) -> Result<PublicSession> {
        sessions::get_public_again(self.tenant, self.id, self.now)
    }

    /// The line that is meant: the only item, if the caller does not say.
    fn line(&mut self, line: Option<i32>) -> Result<&mut Line> {
        let items: Vec<usize> =
            (0..self.cart.lines.len()).filter(|at| self.cart.lines[*at].kind == Kind::Item).collect();
        let at = match (line, &items[..]) {
            (None, [only]) => *only,
            (None, _) => return Err(Error::NullArgument { argument: "line" }),
            (Some(line), items) => usize::try_from(line)
                .ok()
                .and_then(|line| line.checked_sub(1))
                .filter(|at| items.contains(at))
                .ok_or_else(|| Error::invalid("line", "is not the number of an item"))?,
        };
        Ok(&mut self.cart.lines[at])
    }
}

fn refuse<T>(fault: &'static str) -> Result<T> {
    Err(Error::TermsConflict { fault })
}

pub fn set_quantity(tenant: Tenant, id: Uuid, quantity: i32, line: Option<i32>) -> Result<PublicSession> {
    let mut open = Open::lock(tenant, id)?;
    if !open.ordered.allow_quantity {
        return refuse("does not allow another quantity");
    }
    let line = open.line(line)?;
    if line.maximum_quantity == Some(line.minimum_quantity) {
        return refuse("does not allow another quantity");
    }
    line.set_quantity(quantity)?;
    open.cart.keep_coupon()?;
    open.save(true)
}

pub fn set_unit_amount(tenant: Tenant, id: Uuid, amount: Decimal, line: Option<i32>) -> Result<PublicSession> {
    let mut open = Open::lock(tenant, id)?;
    let currency = open.cart.currency;
    let line = open.line(line)?;
    if line.bounds.is_none() {
        return refuse("has a fixed price");
    }
    line.set_unit_amount("unit_amount", amount, currency)?;
    open.cart.keep_coupon()?;
    open.save(false)
}

/// Applies a coupon. That it cannot be applied is an answer: an error would undo the count of tries.
pub fn apply_coupon(tenant: Tenant, id: Uuid, code: &str) -> Result<(std::result::Result<(), Refusal>, PublicSession)> {
    let mut open = Open::lock(tenant, id)?;
    if !open.ordered.allow_coupon_code {
        return refuse("does not allow coupons");
    }
    if open.terms.coupon_tries >= MOST_TRIES {
        return Ok((Err(Refusal::TooManyTries), open.public()?));
    }
    if !open.session.has_terms {
        open.write()?;
    }
    lines::tried(tenant, id)?;
    match open.try_coupon(code)? {
        Ok(()) => Ok((Ok(()), open.save(false)?)),
        Err(refusal) => Ok((Err(refusal), open.public()?)),
    }
}

impl Open {
    fn try_coupon(&mut self, code: &str) -> Result<std::result::Result<(), Refusal>> {
        let (customer_id, customer_email) =
            (self.ordered.customer_id.as_deref(), self.ordered.customer_email.as_deref());
        let coupon = match carts::admitted(self.tenant, code, customer_id, customer_email, self.now)? {
            Ok(coupon) => coupon,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let mut cart = self.cart.clone();
        if let Err(refusal) = cart.apply(coupon)? {
            return Ok(Err(refusal));
        }
        if let (Some(coupon), Some(_)) = (&cart.coupon, self.terms.hold_count) {
            let customer = carts::customer(customer_id, customer_email);
            let (customer, deadline) = (customer.as_deref(), self.session.deadline());
            let held = carts::waiting(|| {
                holds::reserve_redemption(self.tenant, self.id, coupon, customer, deadline, Wait::ForOthers)
            })?;
            if held.is_err() {
                return Ok(held);
            }
        }
        self.cart = cart;
        Ok(Ok(()))
    }
}

pub fn remove_coupon(tenant: Tenant, id: Uuid) -> Result<PublicSession> {
    let mut open = Open::lock(tenant, id)?;
    if open.cart.coupon.is_none() {
        return open.public();
    }
    open.cart.remove_coupon();
    open.save(false)
}

pub fn set_billing_address(tenant: Tenant, id: Uuid, address: Json) -> Result<PublicSession> {
    let open = Open::lock(tenant, id)?;
    if !open.ordered.require_billing_address {
        return refuse("asks for no billing address");
    }
    open.save(false)?;
    lines::set_address(tenant, id, address)?;
    sessions::get_public_again(tenant, id, datum::now())
}

/// Completes a session in which nothing is due. Repeated, it changes nothing.
pub fn complete_free(tenant: Tenant, id: Uuid) -> Result<PublicSession> {
    let session = carts::waiting(|| sessions::lock(tenant, id))?.state;
    if session.status == Status::Complete && session.amount.is_zero() {
        return sessions::get_public_again(tenant, id, datum::now());
    }
    let open = Open::lock(tenant, id)?;
    if !open.session.amount.is_zero() {
        return refuse("has something to pay");
    }
    if open.ordered.require_billing_address && !open.terms.has_address {
        return refuse("has no billing address yet");
    }
    open.holding.check_subscription()?;
    let deadline = open.session.deadline();
    if open.terms.hold_count.is_none() {
        let customer = carts::customer(open.ordered.customer_id.as_deref(), open.ordered.customer_email.as_deref());
        let count = carts::hold_all(tenant, id, &open.cart, customer.as_deref(), deadline, Wait::ForOthers)?;
        lines::set_hold_count(tenant, id, count)?;
    }
    let complete = Session { status: Status::Complete, ..open.session.clone() };
    if !carts::waiting(|| open.holding.subscribe(tenant, id, &complete, open.now))? {
        return Err(TRIAL_USED);
    }
    follow(tenant, id, &open.session, &complete)?;
    lines::complete_free(tenant, id, open.now)?;
    hooks::call(tenant, id, &[EventType::Completed], Cause::Call)?;
    open.public()
}
