//! Creates, expires and recovers sessions.

use std::rc::Rc;

use chrono::{DateTime, TimeDelta, Utc};
use rules::access::credential::Kind;
use rules::catalog::cart::Cart;
use rules::checkout::idempotency;
use rules::checkout::ids;
use rules::checkout::order::Order;
use rules::checkout::policy::Policy;
use rules::checkout::reference::{ReferencePolicy, WhenOpen};
use rules::checkout::settings::Settings;
use rules::checkout::status::Status;
use rules::checkout::terms::Terms;
use rules::{Error, Result, validate};
use uuid::Uuid;

use crate::datum::{self, Json, Session};
use crate::operations::holding::end;
use crate::operations::{carts, subscribing, subscriptions};
use crate::role::as_worker_role;
use crate::shared::wake;
use crate::store::holds::Wait;
use crate::store::idempotency::Key;
use crate::store::new_sessions::{self, Recovery};
use crate::store::{self, lines, recoveries, references, sessions};
use crate::tenant::{Caller, Tenant};
use crate::{gucs, postgrest};

/// How often a create starts over when other calls take its reference at the same moment.
const REFERENCE_TRIES: usize = 10;

/// How many open sessions of its reference a create ends: a hook may create another each time.
const ROOM_TRIES: usize = 10;
const IN_USE: Error = Error::ReferenceTaken { fault: "reference is being used by other calls" };

/// Whoever gets the session of another order would pay less, or more, than was ordered, or get something else.
const OTHER_ORDER: Error =
    Error::ReferenceTaken { fault: "reference has an open checkout session of another amount, currency or cart" };

/// The session that a create returns.
pub struct Created {
    pub id: Uuid,
    pub session: Session,
    /// True if the session existed before.
    pub replayed: bool,
}

/// Creates a session under a dialect's policy, or finds the one that already answers the order.
pub fn create(
    caller: &Caller,
    policy: &Policy,
    order: Order,
    metadata: Option<Json>,
    idempotency_key: Option<&str>,
) -> Result<Created> {
    let settings = store::settings::of(caller.tenant)?;
    let terms = Terms::new(&settings, policy, caller.kind, caller.payment_methods.as_deref());
    let creation = Creation { caller, settings: &settings, terms };
    let mut order = order.complete(policy);
    let Some(text) = idempotency_key else {
        return creation.store(&order, metadata, None);
    };
    let metadata_text = metadata.map_or_else(|| "{}".to_owned(), Json::text);
    order.metadata = Some(idempotency::canonical_json(&metadata_text)?);
    let now = datum::now();
    let key = Key {
        text: idempotency::check_key(text)?,
        request_hash: idempotency::request_hash(&order)?,
        checkout_session_id: ids::session_id(now),
        created_at: now,
        expires_at: now + TimeDelta::minutes(gucs::IDEMPOTENCY_KEY_LIFETIME.get().into()),
    };
    // Before all checks: a replay is answered even if its order would be refused by now.
    if let Some(existing) = store::idempotency::claim(caller, &key)? {
        return replay(caller.tenant, existing);
    }
    let created = creation.store(&order, metadata, Some(key.checkout_session_id))?;
    if created.id != key.checkout_session_id {
        store::idempotency::point(caller, created.id, &key)?;
    }
    Ok(created)
}

/// The caller who creates a session, and the terms.
struct Creation<'a> {
    caller: &'a Caller,
    settings: &'a Settings,
    terms: Terms<'a>,
}

impl Creation<'_> {
    /// Stores a session under its organization's reference policy, with the promised id if that still fits. The policy
    /// may also return an existing session.
    fn store(&self, order: &Order, metadata: Option<Json>, promised: Option<Uuid>) -> Result<Created> {
        let tenant = self.caller.tenant;
        if self.caller.kind == Kind::Publishable {
            check_publishable(self.caller, metadata)?;
        }
        let cart = carts::of_order(self.caller, self.settings, order)?;
        let priced = cart.as_ref().map(|cart| carts::priced(order, cart)).transpose()?;
        let order = priced.as_ref().unwrap_or(order);
        let renews = cart.as_ref().and_then(Cart::renews);
        let policy = self.terms.reference_policy;
        let reference = order.reference.filter(|_| policy != ReferencePolicy::None);
        // A wrong order is refused, even if it would not lead to a new session.
        let asked =
            reference.map(|_| order.check(&self.terms, ids::session_id(datum::now()), datum::now())).transpose()?;
        for _ in 0..REFERENCE_TRIES {
            // Before the reference: what renews a period is the same order, whatever its reference.
            if let Some(renewed) = renews
                && let Some(existing) = subscriptions::open_renewal(tenant, renewed)?
            {
                return replay(tenant, existing);
            }
            if let (Some(reference), Some(asked)) = (reference, &asked)
                && let Some(existing) = make_room(tenant, policy, reference)?
            {
                let open = sessions::lock(tenant, existing)?.state;
                let hash = carts::order_hash(cart.as_ref(), asked.amount, asked.currency.code())?;
                if carts::ordered(tenant, existing, &open)? != hash {
                    return Err(OTHER_ORDER);
                }
                return replay(tenant, existing);
            }
            // Read this late, so that time spent waiting does not count against the session's lifetime.
            let now = datum::now();
            let id = promised.filter(|id| ids::is_of(*id, now)).unwrap_or_else(|| ids::session_id(now));
            let session = order.check(&self.terms, id, now)?;
            let page = store::settings::page(tenant, id)?;
            // `None` if another call took the reference first; then look again.
            if let Some(stored) = new_sessions::insert(order, metadata, &session, self.caller, &page, renews)? {
                wake::wake_at_commit(session.expiring_notice_at.unwrap_or(session.expires_at));
                if let Some(cart) = &cart {
                    self.sell(id, order, cart, session.expires_at)?;
                }
                return Ok(Created { id, session: stored, replayed: false });
            }
        }
        Err(IN_USE)
    }

    /// Stores what a new session sells. What a browser has created holds nothing before its first payment: browsers
    /// could reserve everything.
    fn sell(&self, id: Uuid, order: &Order, cart: &Cart, deadline: DateTime<Utc>) -> Result<()> {
        let tenant = self.caller.tenant;
        let customer = carts::customer(order.customer_id, order.customer_email);
        let hold_count = match self.caller.kind {
            Kind::Publishable => None,
            Kind::Secret | Kind::Restricted => {
                Some(carts::hold_all(tenant, id, cart, customer.as_deref(), deadline, Wait::ForOthers)?)
            }
        };
        lines::store(tenant, id, cart, &cart.sums()?, hold_count, &cart.order_hash()?)?;
        match &cart.subscribing {
            Some(it) => subscribing::store(tenant, id, it.subscription_id, &it.action),
            None => Ok(()),
        }
    }
}

/// A publishable key is in browsers: anyone who has one can create sessions as fast as the database stores them.
fn check_publishable(caller: &Caller, metadata: Option<Json>) -> Result<()> {
    if metadata.is_some_and(|metadata| metadata.size() > validate::PUBLISHABLE_METADATA_BYTES) {
        return Err(Error::invalid("metadata", "must have at most 4 kB with a publishable API key"));
    }
    let limit = gucs::PUBLISHABLE_SESSION_LIMIT.get();
    if limit >= 0 && sessions::count_publishable(caller, limit, datum::now())? >= limit.into() {
        return Err(Error::TooManySessions { limit });
    }
    Ok(())
}

/// An existing session, returned instead of a new one.
fn replay(tenant: Tenant, id: Uuid) -> Result<Created> {
    let page = store::settings::page(tenant, id)?;
    let session = sessions::get_again(tenant, id, datum::now(), true, Some(&page))?;
    postgrest::respond("Idempotent-Replayed", "true")?;
    Ok(Created { id, session, replayed: true })
}

/// Does what the policy requires of sessions with the same reference. `Some` is a session to return instead of a new
/// one.
fn make_room(tenant: Tenant, policy: ReferencePolicy, reference: &str) -> Result<Option<Uuid>> {
    let when_open = match policy {
        ReferencePolicy::None => return Ok(None),
        ReferencePolicy::Unique => {
            return match references::newest(tenant, reference)? {
                Some(_) => Err(Error::ReferenceTaken { fault: "reference was used by another checkout session" }),
                None => Ok(None),
            };
        }
        ReferencePolicy::OneOpen(when_open) => when_open,
    };
    for _ in 0..ROOM_TRIES {
        let Some(id) = references::lock_open(tenant, reference)? else { return Ok(None) };
        let open = sessions::lock(tenant, id)?.state;
        let now = datum::now();
        match when_open {
            // A sweep was ending it.
            _ if open.status != Status::Open => continue,
            _ if open.overdue(now) => {}
            WhenOpen::ExpirePrevious => {
                open.expire(now)?;
            }
            WhenOpen::ReturnExisting => return Ok(Some(id)),
            WhenOpen::Error => {
                return Err(Error::ReferenceTaken { fault: "reference has an open checkout session" });
            }
        }
        end(tenant, id, &open, now)?;
    }
    Err(IN_USE)
}

/// Expires an open session.
pub fn expire(tenant: Tenant, id: Uuid) -> Result<Session> {
    let session = sessions::lock(tenant, id)?.state;
    let now = datum::now();
    match session.expire(now)? {
        Some(_) => end(tenant, id, &session, now),
        // Where the clock was set back since the sweep, the deadline is not there yet.
        None => sessions::get_again(tenant, id, now.max(session.deadline()), false, None),
    }
}

/// Makes a new session with the contents of an expired one. `when_open` is done in the place of what the reference
/// policy says, if another session of the same reference is open.
pub fn recover(
    caller: &Caller,
    id: Uuid,
    expires_at: Option<DateTime<Utc>>,
    expires_in: Option<TimeDelta>,
    when_open: Option<WhenOpen>,
) -> Result<Session> {
    let tenant = caller.tenant;
    let settings: Rc<Settings> = store::settings::of(tenant)?;
    as_worker_role(|| store::retention::hold(Some(tenant)))?;
    let terms = Terms::new(&settings, &Policy::STANDARD, caller.kind, None);
    // Not locked yet: a session that is expired by the clock stays expired, and make_room locks in its own order.
    let (status, reference) = sessions::status_and_reference(tenant, id, datum::now())?;
    if status != Status::Expired {
        return Err(Error::SessionNotExpired { status: status.as_str() });
    }
    terms.lifetime.expires_at(datum::now(), expires_at, expires_in)?;
    // An expired session leads to one open session at most, however often it and those recovered from it are recovered.
    let first = recoveries::first(tenant, id)?.unwrap_or(id);
    let living = || match recoveries::living(tenant, first, datum::now())? {
        Some((open, Status::Open)) => replay(tenant, open).map(|open| Some(open.session)),
        Some(_) => Err(Error::SessionRecovered),
        None => Ok(None),
    };
    let policy = match (reference.as_ref().map_or(ReferencePolicy::None, |_| terms.reference_policy), when_open) {
        (ReferencePolicy::OneOpen(_), Some(when_open)) => ReferencePolicy::OneOpen(when_open),
        (policy, _) => policy,
    };
    for _ in 0..REFERENCE_TRIES {
        // Before the reference, as in a create.
        let renews = carts::to_renew_again(tenant, id)?;
        if let Some(renewed) = renews
            && let Some(existing) = subscriptions::open_renewal(tenant, renewed)?
        {
            return Ok(replay(tenant, existing)?.session);
        }
        if let Some(reference) = &reference {
            // Another call may be recovering it.
            if policy != ReferencePolicy::None {
                references::lock_open(tenant, reference)?;
            }
            if let Some(open) = living()? {
                return Ok(open);
            }
            if let Some(existing) = make_room(tenant, policy, reference)? {
                let [open, expired] = [existing, id].map(|id| sessions::lock(tenant, id));
                let (open, expired) = (open?.state, expired?.state);
                if carts::ordered(tenant, existing, &open)? != carts::ordered(tenant, id, &expired)? {
                    return Err(OTHER_ORDER);
                }
                return Ok(replay(tenant, existing)?.session);
            }
        }
        let expired = sessions::lock(tenant, id)?.state;
        sessions::lock(tenant, first)?;
        if let Some(open) = living()? {
            return Ok(open);
        }
        let now = datum::now();
        if expired.overdue(now) {
            end(tenant, id, &expired, now)?;
            // Its hook may have recovered it.
            if let Some(open) = living()? {
                return Ok(open);
            }
        }
        let new_id = ids::session_id(now);
        let expires_at = terms.lifetime.expires_at(now, expires_at, expires_in)?;
        let recovery = Recovery {
            checkout_session_id: new_id,
            created_at: now,
            expires_at,
            expiring_notice_at: terms.expiring_notice_at(now, expires_at),
            reference_policy: policy.constraint(),
            reference: reference.as_deref(),
            has_terms: expired.has_terms,
            renews,
            page: store::settings::page(tenant, new_id)?,
        };
        if let Some(stored) = new_sessions::recover(tenant, id, &recovery, &caller.name)? {
            wake::wake_at_commit(recovery.expiring_notice_at.unwrap_or(expires_at));
            if expired.has_terms {
                carts::sell_again(tenant, id, new_id, &expired.currency_code, expires_at)?;
            }
            return Ok(stored);
        }
    }
    Err(IN_USE)
}
