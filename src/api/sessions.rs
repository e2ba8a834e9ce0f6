//! Create, get, list, expire and recover sessions.

use std::rc::Rc;

use chrono::TimeDelta;
use pgrx::datum::{Interval, TimestampWithTimeZone};
use pgrx::prelude::*;
use pgrx::{AnyNumeric, Uuid};

use crate::datum::{self, Json, Jsonb, Rows, Session, Text, Texts, text};
use crate::domain::credential::Kind;
use crate::domain::policy::Policy;
use crate::domain::reference::{ReferencePolicy, WhenOpen};
use crate::domain::session::{self, Order, Settings};
use crate::domain::status::Status;
use crate::domain::validate::{self, required};
use crate::domain::{self, Error, Result, idempotency, payment};
use crate::report::or_raise;
use crate::store::idempotency::Key;
use crate::store::list::Filter;
use crate::store::sessions::Recovery;
use crate::store::{self, sessions};
use crate::tenant::{self, Caller, Tenant};
use crate::{gucs, postgrest, worker};

/// How often a create starts over when others take its reference at the same moment.
const REFERENCE_TRIES: usize = 10;

#[expect(clippy::too_many_arguments)]
#[pg_extern(sql = false)]
fn create_checkout_session(
    amount: Option<AnyNumeric>,
    currency_code: Option<Text>,
    title: Option<Text>,
    description: Option<Text>,
    reference: Option<Text>,
    customer_id: Option<Text>,
    customer_email: Option<Text>,
    customer_name: Option<Text>,
    customer_phone: Option<Text>,
    product_id: Option<Text>,
    price_id: Option<Text>,
    subscription_id: Option<Text>,
    payment_link_id: Option<Text>,
    quantity: Option<i32>,
    allow_quantity: Option<bool>,
    allow_coupon_code: Option<bool>,
    require_billing_address: Option<bool>,
    is_spi: Option<bool>,
    is_pos: Option<bool>,
    country: Option<Text>,
    success_url: Option<Text>,
    cancel_url: Option<Text>,
    payment_methods: Option<Texts>,
    max_retry_attempts: Option<i32>,
    metadata: Option<Jsonb>,
    expires_at: Option<TimestampWithTimeZone>,
    expires_in: Option<Interval>,
    idempotency_key: Option<Text>,
    trace_id: Option<Text>,
) -> Session {
    or_raise((|| {
        let caller = tenant::caller()?;
        let headers = if caller.http { postgrest::headers()?.unwrap_or_default() } else { Default::default() };
        let idempotency_key = text("idempotency_key", &idempotency_key)?;
        let idempotency_key =
            same("idempotency_key", idempotency_key, domain::http_credential::idempotency_key(&headers)?)?;
        let order = Order {
            amount: amount.as_ref().map(|amount| datum::from_numeric("amount", amount)).transpose()?,
            currency_code: text("currency_code", &currency_code)?,
            title: text("title", &title)?,
            description: text("description", &description)?,
            reference: text("reference", &reference)?,
            customer_id: text("customer_id", &customer_id)?,
            customer_email: text("customer_email", &customer_email)?,
            customer_name: text("customer_name", &customer_name)?,
            customer_phone: text("customer_phone", &customer_phone)?,
            product_id: text("product_id", &product_id)?,
            price_id: text("price_id", &price_id)?,
            subscription_id: text("subscription_id", &subscription_id)?,
            payment_link_id: text("payment_link_id", &payment_link_id)?,
            quantity,
            allow_quantity,
            allow_coupon_code,
            require_billing_address,
            is_spi,
            is_pos,
            country: text("country", &country)?,
            success_url: text("success_url", &success_url)?,
            cancel_url: text("cancel_url", &cancel_url)?,
            payment_methods: payment_methods.map(|methods| methods.read("payment_methods")).transpose()?,
            max_retry_attempts,
            expires_at: expires_at.map(|at| datum::from_timestamp("expires_at", at)).transpose()?,
            expires_in: expires_in.map(|span| datum::from_interval("expires_in", span)).transpose()?,
            api: None,
            scenario: None,
            trace_id: text("trace_id", &trace_id)?.or(domain::http_credential::trace_id(&headers)),
            metadata: None,
        };
        Ok(create(&caller, &Policy::STANDARD, order, datum::metadata(&metadata)?, idempotency_key)?.session)
    })())
}

/// An argument that a header of the request may give instead.
fn same<'a>(argument: &'static str, given: Option<&'a str>, header: Option<&'a str>) -> Result<Option<&'a str>> {
    match (given, header) {
        (Some(given), Some(header)) if given != header => {
            Err(Error::invalid(argument, "differs from the request's header"))
        }
        (given, header) => Ok(given.or(header)),
    }
}

/// A session that was asked for, or one that answers the request already.
pub(super) struct Created {
    pub id: uuid::Uuid,
    pub session: Session,
    pub replayed: bool,
}

/// Creates a session, as an API's policy has it.
pub(super) fn create(
    caller: &Caller,
    policy: &Policy,
    mut order: Order,
    metadata: Option<Json>,
    idempotency_key: Option<&str>,
) -> Result<Created> {
    let tenant = caller.tenant;
    let mut settings = settings_of(tenant)?;
    if let Some(methods) = &caller.payment_methods {
        Rc::make_mut(&mut settings).payment_methods.clone_from(methods);
    }
    if *policy != Policy::STANDARD {
        policy.apply(Rc::make_mut(&mut settings));
    }
    // References can be guessed. A browser must neither be given a server's session for its own, nor be in a server's way.
    if caller.kind == Kind::Publishable {
        Rc::make_mut(&mut settings).reference_policy = ReferencePolicy::None;
    }
    let Some(text) = idempotency_key else {
        return store_session(caller, &order, metadata, &settings, None);
    };
    order.metadata = Some(metadata.map_or_else(|| "{}".to_owned(), Json::text));
    let now = datum::now();
    let key = Key {
        text: idempotency::check_key(text)?,
        request_hash: idempotency::request_hash(&order)?,
        checkout_session_id: session::session_id(now),
        created_at: now,
        expires_at: now + TimeDelta::minutes(gucs::IDEMPOTENCY_KEY_LIFETIME.get().into()),
    };
    // Before anything is checked: a replay is answered even if its request would not be accepted any more.
    if let Some(existing) = store::idempotency::claim(caller, &key)? {
        return replay(tenant, existing, &settings);
    }
    let created = store_session(caller, &order, metadata, &settings, Some(key.checkout_session_id))?;
    if created.id != key.checkout_session_id {
        store::idempotency::point(caller, created.id, &key)?;
    }
    Ok(created)
}

/// Stores a session, with the id that was promised for it if it still fits, under its organization's reference policy;
/// that may also ask for a session that is there already.
fn store_session(
    caller: &Caller,
    order: &Order,
    metadata: Option<Json>,
    settings: &Settings,
    promised: Option<uuid::Uuid>,
) -> Result<Created> {
    let tenant = caller.tenant;
    if caller.kind == Kind::Publishable {
        check_publishable(caller, metadata)?;
    }
    let policy = settings.reference_policy;
    let reference = order.reference.filter(|_| policy != ReferencePolicy::None);
    if reference.is_some() {
        // A request that is wrong is refused, even if it would not lead to a new session.
        let now = datum::now();
        order.check(settings, session::session_id(now), now)?;
    }
    for _ in 0..REFERENCE_TRIES {
        if let Some(reference) = reference
            && let Some(existing) = make_room(tenant, policy, reference)?
        {
            return replay(tenant, existing, settings);
        }
        // As late as this: what was waited for must not count against the session's lifetime.
        let now = datum::now();
        let id = promised.filter(|id| session::is_of(*id, now)).unwrap_or_else(|| session::session_id(now));
        let session = order.check(settings, id, now)?;
        let secret = settings.client_secret(tenant, id);
        // None when somebody was faster to use the reference; then look again.
        if let Some(stored) = sessions::insert(tenant, order, metadata, &session, caller, &secret, reference.is_some())?
        {
            worker::wake_at_commit(session.expiring_notice_at.unwrap_or(session.expires_at));
            return Ok(Created { id, session: stored, replayed: false });
        }
    }
    Err(Error::ReferenceTaken { fault: "reference is being used by other calls" })
}

/// A publishable key is in browsers: whoever has one can make sessions as fast as the database takes them.
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

/// A session that was there before, instead of a new one.
fn replay(tenant: Tenant, id: uuid::Uuid, settings: &Settings) -> Result<Created> {
    let secret = settings.client_secret(tenant, id);
    let session = sessions::get_again(tenant, id, datum::now(), true, Some(&secret))?;
    postgrest::respond("Idempotent-Replayed", "true")?;
    Ok(Created { id, session, replayed: true })
}

/// Does what the policy asks about sessions that have the reference. `Some` is one to return instead of a new one.
fn make_room(tenant: Tenant, policy: ReferencePolicy, reference: &str) -> Result<Option<uuid::Uuid>> {
    let when_open = match policy {
        ReferencePolicy::None => return Ok(None),
        ReferencePolicy::Unique => {
            return match sessions::with_reference(tenant, reference, false)? {
                Some(_) => Err(Error::ReferenceTaken { fault: "reference was used by another checkout session" }),
                None => Ok(None),
            };
        }
        ReferencePolicy::OneOpen(when_open) => when_open,
    };
    while let Some(id) = sessions::with_reference(tenant, reference, true)? {
        let open = sessions::lock(tenant, id)?.state;
        let now = datum::now();
        match when_open {
            _ if open.overdue(now) => {}
            WhenOpen::ExpirePrevious => {
                payment::expire(&open, now)?;
            }
            WhenOpen::ReturnExisting => return Ok(Some(id)),
            WhenOpen::Error => {
                return Err(Error::ReferenceTaken { fault: "reference has an open checkout session" });
            }
        }
        sessions::expire(tenant, id, &open, now)?;
    }
    Ok(None)
}

/// The tenant's settings, with the base URL that the setting gives to those who have none.
fn settings_of(tenant: Tenant) -> Result<Rc<Settings>> {
    let mut settings = store::settings::of(tenant)?;
    if settings.base_url.is_none()
        && let Some(url) = gucs::base_url()?
    {
        Rc::make_mut(&mut settings).base_url = Some(url);
    }
    Ok(settings)
}

#[pg_extern(sql = false)]
fn get_checkout_session(checkout_session_id: Option<Uuid>) -> Session {
    or_raise((|| {
        let tenant = tenant::secret()?;
        let id = datum::from_uuid(required("checkout_session_id", checkout_session_id)?);
        let secret = store::settings::of(tenant)?.client_secret(tenant, id);
        sessions::get(tenant, id, datum::now(), &secret)?.ok_or(Error::SessionNotFound { checkout_session_id: id })
    })())
}

#[expect(clippy::too_many_arguments)]
#[pg_extern(sql = false)]
fn list_checkout_sessions(
    status: Option<Text>,
    customer_id: Option<Text>,
    customer_email: Option<Text>,
    reference: Option<Text>,
    payment_id: Option<Text>,
    created_after: Option<TimestampWithTimeZone>,
    created_before: Option<TimestampWithTimeZone>,
    page_size: Option<i32>,
    starting_after: Option<Uuid>,
    ending_before: Option<Uuid>,
    page_offset: Option<i32>,
) -> Rows<Session> {
    Rows(or_raise((|| {
        let tenant = tenant::secret()?;
        let time =
            |argument, at: Option<TimestampWithTimeZone>| at.map(|at| datum::from_timestamp(argument, at)).transpose();
        let created_after = time("created_after", created_after)?;
        let created_before = time("created_before", created_before)?;
        validate::period(created_after, created_before)?;
        let status = text("status", &status)?.map(str::parse::<Status>).transpose()?;
        let filter = Filter {
            status: status.as_slice(),
            customer_id: text("customer_id", &customer_id)?,
            customer_email: text("customer_email", &customer_email)?,
            reference: text("reference", &reference)?,
            payment_id: text("payment_id", &payment_id)?,
            created_after,
            created_before,
            starting_after: starting_after.map(datum::from_uuid),
            ending_before: ending_before.map(datum::from_uuid),
            page_size: validate::page_size(page_size)?,
            page_offset: validate::in_range("page_offset", page_offset.unwrap_or(0), 0, i32::MAX)?,
        };
        if filter.starting_after.is_some() && filter.ending_before.is_some() {
            return Err(Error::invalid("ending_before", "must not be given together with starting_after"));
        }
        for (argument, cursor) in [("starting_after", filter.starting_after), ("ending_before", filter.ending_before)] {
            let Some(cursor) = cursor else { continue };
            if filter.page_offset > 0 {
                return Err(Error::invalid("page_offset", "must not be given together with a cursor"));
            }
            if !sessions::exists(tenant, cursor)? {
                return Err(Error::CursorNotFound { argument, what: "checkout session" });
            }
        }
        store::list::list(tenant, &filter, datum::now())
    })()))
}

#[pg_extern(sql = false)]
fn expire_checkout_session(checkout_session_id: Option<Uuid>) -> Session {
    or_raise((|| {
        let tenant = tenant::secret()?;
        expire(tenant, datum::from_uuid(required("checkout_session_id", checkout_session_id)?))
    })())
}

/// Expires a session that is open.
pub(super) fn expire(tenant: Tenant, id: uuid::Uuid) -> Result<Session> {
    let session = sessions::lock(tenant, id)?.state;
    let now = datum::now();
    match payment::expire(&session, now)? {
        Some(_) => sessions::expire(tenant, id, &session, now),
        None => sessions::get_again(tenant, id, now, false, None),
    }
}

#[pg_extern(sql = false)]
fn recover_checkout_session(
    checkout_session_id: Option<Uuid>,
    expires_at: Option<TimestampWithTimeZone>,
    expires_in: Option<Interval>,
) -> Session {
    or_raise((|| {
        let caller = tenant::caller()?;
        let tenant = tenant::secret()?;
        let id = datum::from_uuid(required("checkout_session_id", checkout_session_id)?);
        let expires_at = expires_at.map(|at| datum::from_timestamp("expires_at", at)).transpose()?;
        let expires_in = expires_in.map(|span| datum::from_interval("expires_in", span)).transpose()?;
        let settings = settings_of(tenant)?;
        // Not locked yet: a session that is expired by the clock stays so, and make_room locks in an order of its own.
        let (status, reference) = sessions::read(tenant, id, datum::now())?;
        if status != Status::Expired {
            return Err(Error::SessionNotExpired { status });
        }
        let policy = reference.as_ref().map_or(ReferencePolicy::None, |_| settings.reference_policy);
        for _ in 0..REFERENCE_TRIES {
            if let Some(reference) = &reference
                && let Some(existing) = make_room(tenant, policy, reference)?
            {
                return Ok(replay(tenant, existing, &settings)?.session);
            }
            let expired = sessions::lock(tenant, id)?.state;
            let now = datum::now();
            if expired.overdue(now) {
                sessions::expire(tenant, id, &expired, now)?;
            }
            let new_id = session::session_id(now);
            let expires_at = settings.lifetime.expires_at(now, expires_at, expires_in)?;
            let recovery = Recovery {
                checkout_session_id: new_id,
                created_at: now,
                expires_at,
                expiring_notice_at: session::expiring_notice_at(&settings, now, expires_at),
                url: session::session_url(&settings, new_id),
                reference_policy: policy.constraint(),
                client_secret: settings.client_secret(tenant, new_id),
            };
            if let Some(stored) = sessions::clone(tenant, id, &recovery, &caller.name)? {
                worker::wake_at_commit(recovery.expiring_notice_at.unwrap_or(expires_at));
                return Ok(stored);
            }
        }
        Err(Error::ReferenceTaken { fault: "reference is being used by other calls" })
    })())
}
