//! Statements on sessions.

use chrono::{DateTime, Utc};
use pgrx::AnyNumeric;
use pgrx::datum::TimestampWithTimeZone;
use uuid::Uuid;

use super::fan_out::{fan_out, has_endpoints, notified};
use super::row::Row;
use super::statement::{Argument, statement};
use crate::datum::{self, Json, PublicSession, Session};
use crate::domain::money::{self, Currency};
use crate::domain::payment;
use crate::domain::session::{NewSession, Order};
use crate::domain::status::Status;
use crate::domain::view::SessionView;
use crate::domain::{Error, Result};
use crate::tenant::{Caller, Tenant};

/// The names of a tenant's session, as every statement's first parameters.
pub fn key(tenant: Tenant, id: Uuid) -> [Argument<'static>; 3] {
    [datum::uuid(tenant.organization_id).into(), tenant.environment.as_str().into(), datum::uuid(id).into()]
}

macro_rules! insert {
    ($tail:literal) => {
        concat!(
            "INSERT INTO checkout_data.checkout_sessions AS s (organization_id, environment, checkout_session_id, amount, \
             currency_code, created_at, updated_at, expires_at, expiring_notice_at, max_retry_attempts, quantity, \
             allow_quantity, allow_coupon_code, require_billing_address, is_spi, is_pos, reference, reference_policy, \
             created_by, title, description, product_id, price_id, subscription_id, payment_link_id, country, \
             customer_id, customer_email, customer_name, customer_phone, success_url, cancel_url, url, payment_methods, \
             metadata, trace_id, created_with, id_prefix) \
             VALUES ($1, $2, $3, $4, $5, $6, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, \
             $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33, COALESCE($34, '{}'), $35, $36, $37)",
            $tail,
            " RETURNING checkout_data.session_at(s, $6, false, $38)"
        )
    };
}
statement!(INSERT, Write, insert!(""));
statement!(INSERT_UNLESS_TAKEN, Write, insert!(" ON CONFLICT DO NOTHING"));

/// Stores a new session. `None` when `unless_taken` and its reference has been taken meanwhile.
pub fn insert(
    tenant: Tenant,
    order: &Order,
    metadata: Option<Json>,
    session: &NewSession,
    caller: &Caller,
    client_secret: &str,
    unless_taken: bool,
) -> Result<Option<Session>> {
    let [organization_id, environment, id] = key(tenant, session.checkout_session_id);
    let arguments = [
        organization_id,
        environment,
        id,
        datum::numeric(session.amount)?.into(),
        order.currency_code.into(),
        datum::timestamp(session.created_at).into(),
        datum::timestamp(session.expires_at).into(),
        session.expiring_notice_at.map(datum::timestamp).into(),
        session.max_retry_attempts.into(),
        session.quantity.into(),
        order.allow_quantity.unwrap_or(false).into(),
        order.allow_coupon_code.unwrap_or(false).into(),
        order.require_billing_address.unwrap_or(false).into(),
        order.is_spi.unwrap_or(false).into(),
        order.is_pos.unwrap_or(false).into(),
        order.reference.into(),
        session.reference_policy.into(),
        caller.name.as_str().into(),
        order.title.into(),
        order.description.into(),
        order.product_id.into(),
        order.price_id.into(),
        order.subscription_id.into(),
        order.payment_link_id.into(),
        order.country.into(),
        order.customer_id.into(),
        order.customer_email.into(),
        order.customer_name.into(),
        order.customer_phone.into(),
        order.success_url.into(),
        order.cancel_url.into(),
        session.url.as_deref().into(),
        session.payment_methods.clone().into(),
        metadata.into(),
        order.trace_id.into(),
        caller.kind.as_str().into(),
        session.id_prefix.into(),
        client_secret.into(),
    ];
    let statement = if unless_taken { &INSERT_UNLESS_TAKEN } else { &INSERT };
    statement.with(|statement| statement.composite(&arguments))
}

statement!(
    CLONE,
    Write,
    "INSERT INTO checkout_data.checkout_sessions AS s (organization_id, environment, checkout_session_id, recovered_from, \
     created_at, updated_at, expires_at, expiring_notice_at, url, created_by, reference_policy, created_with, id_prefix, amount, \
     currency_code, max_retry_attempts, quantity, allow_quantity, allow_coupon_code, require_billing_address, is_spi, is_pos, reference, \
     title, description, product_id, price_id, subscription_id, payment_link_id, country, customer_id, customer_email, \
     customer_name, customer_phone, success_url, cancel_url, payment_methods, metadata) \
     SELECT o.organization_id, o.environment, $4, o.checkout_session_id, $5, $5, $6, $7, $8, $9, $10, o.created_with, o.id_prefix, o.amount, \
     o.currency_code, o.max_retry_attempts, o.quantity, o.allow_quantity, o.allow_coupon_code, o.require_billing_address, \
     o.is_spi, o.is_pos, o.reference, o.title, o.description, o.product_id, o.price_id, o.subscription_id, \
     o.payment_link_id, o.country, o.customer_id, o.customer_email, o.customer_name, o.customer_phone, o.success_url, \
     o.cancel_url, o.payment_methods, o.metadata \
     FROM checkout_data.checkout_sessions o \
     WHERE o.organization_id = $1 AND o.environment = $2 AND o.checkout_session_id = $3 \
     ON CONFLICT DO NOTHING RETURNING checkout_data.session_at(s, $5, false, $11)"
);

/// What a recovered session does not take from the one it recovers.
pub struct Recovery {
    pub checkout_session_id: Uuid,
    pub created_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    pub expiring_notice_at: Option<DateTime<Utc>>,
    pub url: Option<String>,
    pub reference_policy: &'static str,
    pub client_secret: String,
}

/// Stores a copy of a session. `None` when its reference is taken.
pub fn clone(tenant: Tenant, expired: Uuid, recovery: &Recovery, created_by: &str) -> Result<Option<Session>> {
    let [organization_id, environment, id] = key(tenant, expired);
    CLONE.with(|statement| {
        statement.composite(&[
            organization_id,
            environment,
            id,
            datum::uuid(recovery.checkout_session_id).into(),
            datum::timestamp(recovery.created_at).into(),
            datum::timestamp(recovery.expires_at).into(),
            recovery.expiring_notice_at.map(datum::timestamp).into(),
            recovery.url.as_deref().into(),
            created_by.into(),
            recovery.reference_policy.into(),
            recovery.client_secret.as_str().into(),
        ])
    })
}

const GET: &str = "SELECT checkout_data.session_at(s, $4, $5, $6) FROM checkout_data.checkout_sessions s \
     WHERE s.organization_id = $1 AND s.environment = $2 AND s.checkout_session_id = $3";
statement!(GET_FOR_CALLER, Read, GET);
statement!(GET_AGAIN, Write, GET);

/// A session as it is at `now`, to the caller's snapshot.
pub fn get(tenant: Tenant, id: Uuid, now: DateTime<Utc>, client_secret: &str) -> Result<Option<Session>> {
    let [organization_id, environment, id] = key(tenant, id);
    let arguments =
        [organization_id, environment, id, datum::timestamp(now).into(), false.into(), client_secret.into()];
    GET_FOR_CALLER.with(|statement| statement.composite(&arguments))
}

/// A session as it is at `now`, to whoever has written or waited for it: the caller's snapshot is from before.
pub fn get_again(
    tenant: Tenant,
    id: Uuid,
    now: DateTime<Utc>,
    idempotent_replay: bool,
    client_secret: Option<&str>,
) -> Result<Session> {
    let [organization_id, environment, key] = key(tenant, id);
    let now = datum::timestamp(now).into();
    let arguments = [organization_id, environment, key, now, idempotent_replay.into(), client_secret.into()];
    let session = GET_AGAIN.with(|statement| statement.composite(&arguments))?;
    session.ok_or(Error::SessionNotFound { checkout_session_id: id })
}

statement!(
    VIEW,
    Write,
    "SELECT row_to_json(checkout_data.session_at(s, $4, false, NULL))::text FROM checkout_data.checkout_sessions s \
     WHERE s.organization_id = $1 AND s.environment = $2 AND s.checkout_session_id = $3"
);

/// A session as it is at `now`, or PT404.
pub fn view(tenant: Tenant, id: Uuid, now: DateTime<Utc>) -> Result<SessionView> {
    let [organization_id, environment, key] = key(tenant, id);
    let arguments = [organization_id, environment, key, datum::timestamp(now).into()];
    let text = VIEW.with(|statement| statement.row(&arguments, |row| row.get::<String>(1)))?.flatten();
    read_view(&text.ok_or(Error::SessionNotFound { checkout_session_id: id })?)
}

/// Reads a session's JSON.
pub fn read_view(text: &str) -> Result<SessionView> {
    serde_json::from_str(text).map_err(|error| Error::Internal(format!("a session's JSON is not what it was: {error}")))
}

statement!(
    GET_PUBLIC,
    Read,
    "SELECT checkout_data.public_session_at(s, o.name, $4) FROM checkout_data.checkout_sessions s \
     JOIN checkout_data.organizations o ON o.organization_id = s.organization_id \
     WHERE s.organization_id = $1 AND s.environment = $2 AND s.checkout_session_id = $3"
);

/// A session as its buyer sees it.
pub fn get_public(tenant: Tenant, id: Uuid, now: DateTime<Utc>) -> Result<Option<PublicSession>> {
    let [organization_id, environment, id] = key(tenant, id);
    GET_PUBLIC.with(|statement| statement.composite(&[organization_id, environment, id, datum::timestamp(now).into()]))
}

statement!(
    READ,
    Write,
    "SELECT checkout_data.effective_status(s.status, s.deadline, $4), \
       CASE WHEN s.created_with = 'secret' THEN s.reference END \
     FROM checkout_data.checkout_sessions s \
     WHERE s.organization_id = $1 AND s.environment = $2 AND s.checkout_session_id = $3"
);

/// The status of a session at `now`, and its reference, if that is under the organization's policy; or PT404.
pub fn read(tenant: Tenant, id: Uuid, now: DateTime<Utc>) -> Result<(Status, Option<String>)> {
    let [organization_id, environment, key] = key(tenant, id);
    let arguments = [organization_id, environment, key, datum::timestamp(now).into()];
    let row =
        READ.with(|statement| statement.row(&arguments, |row| Ok((row.get::<String>(1)?, row.get::<String>(2)?))))?;
    match row {
        Some((Some(status), reference)) => Ok((status.parse()?, reference)),
        _ => Err(Error::SessionNotFound { checkout_session_id: id }),
    }
}

statement!(
    EXISTS,
    Read,
    "SELECT true FROM checkout_data.checkout_sessions s \
     WHERE s.organization_id = $1 AND s.environment = $2 AND s.checkout_session_id = $3"
);

pub fn exists(tenant: Tenant, id: Uuid) -> Result<bool> {
    EXISTS.with(|statement| Ok(statement.count(&key(tenant, id))? > 0))
}

statement!(
    COUNT_PUBLISHABLE,
    Write,
    "SELECT count(*) FROM ( \
       SELECT FROM checkout_data.checkout_sessions s \
       WHERE s.organization_id = $1 AND s.environment = $2 AND s.created_by = $3 AND s.created_with = 'publishable' \
         AND s.status = 'open' AND s.deadline > $4 LIMIT $5) AS open"
);

/// How many open sessions a publishable credential has; it is not counted further than `most`.
pub fn count_publishable(caller: &Caller, most: i32, now: DateTime<Utc>) -> Result<i64> {
    let arguments = [
        datum::uuid(caller.tenant.organization_id).into(),
        caller.tenant.environment.as_str().into(),
        caller.name.as_str().into(),
        datum::timestamp(now).into(),
        most.into(),
    ];
    let count = COUNT_PUBLISHABLE.with(|statement| statement.row(&arguments, |row| row.get::<i64>(1)))?;
    Ok(count.flatten().unwrap_or(0))
}

statement!(
    LOCK,
    Write,
    "SELECT s.status::text, s.amount::numeric, s.currency_code::text, s.attempts::integer, s.max_retry_attempts::integer, \
     s.expires_at, s.lease_expires_at, \
     s.payment_methods \
     FROM checkout_data.checkout_sessions s \
     WHERE s.organization_id = $1 AND s.environment = $2 AND s.checkout_session_id = $3 FOR NO KEY UPDATE"
);

/// A session that nobody else can change until the transaction ends.
pub struct Locked {
    pub state: payment::Session,
    pub payment_methods: Option<Vec<String>>,
}

/// Locks a session, or PT404.
pub fn lock(tenant: Tenant, id: Uuid) -> Result<Locked> {
    LOCK.with(|statement| statement.row(&key(tenant, id), read_locked))?
        .ok_or(Error::SessionNotFound { checkout_session_id: id })
}

fn read_locked(row: &Row) -> Result<Locked> {
    let lease: Option<TimestampWithTimeZone> = row.get(7)?;
    let (Some(status), Some(amount), Some(currency_code), Some(attempts), Some(max_retry_attempts), Some(expires_at)) = (
        row.get::<String>(1)?,
        row.get::<AnyNumeric>(2)?,
        row.get::<String>(3)?,
        row.get::<i32>(4)?,
        row.get::<i32>(5)?,
        row.get::<TimestampWithTimeZone>(6)?,
    ) else {
        return Err(Error::Internal("a session has a NULL where none can be".into()));
    };
    let currency: Currency = currency_code.parse()?;
    Ok(Locked {
        state: payment::Session {
            status: status.parse()?,
            amount: money::with_digits(datum::from_numeric("amount", &amount)?, currency),
            currency_code,
            attempts,
            max_retry_attempts,
            expires_at: datum::from_timestamp("expires_at", expires_at)?,
            lease_expires_at: lease.map(|lease| datum::from_timestamp("lease_expires_at", lease)).transpose()?,
        },
        payment_methods: row.get(8)?,
    })
}

statement!(
    EXPIRE,
    Write,
    concat!(
        "WITH expired AS ( \
       UPDATE checkout_data.checkout_sessions s \
       SET status = 'expired', payment_status = 'unpaid', lease_expires_at = NULL, updated_at = $5, \
         event_count = s.event_count + 1 \
       WHERE s.organization_id = $1 AND s.environment = $2 AND s.checkout_session_id = $3 RETURNING s AS session, ",
        has_endpoints!("s"),
        " AS fanned_out), \
     event AS ( \
       INSERT INTO checkout_data.webhook_outbox (organization_id, environment, checkout_session_id, sequence, event_type, \
         created_at, session_status, session_attempts, next_attempt_at, fanned_out) \
       SELECT (e.session).organization_id, (e.session).environment, (e.session).checkout_session_id, \
         (e.session).event_count, 'checkout.session.expired', $4, 'expired', (e.session).attempts, \
         CASE WHEN NOT e.fanned_out THEN $4 END, e.fanned_out \
       FROM expired e",
        fan_out!(),
        "SELECT checkout_data.session_at(e.session, $4, false, NULL), ",
        notified!(),
        " FROM expired e"
    )
);

/// Makes a locked session expired, and tells the outbox. A deadline that has passed is when it happened.
pub fn expire(tenant: Tenant, id: Uuid, session: &payment::Session, now: DateTime<Utc>) -> Result<Session> {
    let [organization_id, environment, key] = key(tenant, id);
    let happened_at = if session.overdue(now) { session.deadline() } else { now };
    let arguments =
        [organization_id, environment, key, datum::timestamp(now).into(), datum::timestamp(happened_at).into()];
    EXPIRE.with(|statement| statement.composite(&arguments))?.ok_or(Error::SessionNotFound { checkout_session_id: id })
}

statement!(
    WITH_REFERENCE,
    Write,
    "SELECT s.checkout_session_id FROM checkout_data.checkout_sessions s \
     WHERE s.organization_id = $1 AND s.environment = $2 AND s.reference = $3 AND s.created_with = 'secret' \
     ORDER BY s.checkout_session_id DESC LIMIT 1"
);
statement!(
    OPEN_WITH_REFERENCE,
    Write,
    "SELECT s.checkout_session_id FROM checkout_data.checkout_sessions s \
     WHERE s.organization_id = $1 AND s.environment = $2 AND s.reference = $3 AND s.status = 'open' \
       AND s.created_with = 'secret' \
     ORDER BY s.checkout_session_id DESC LIMIT 1 FOR NO KEY UPDATE"
);

statement!(
    FIND_REFERENCE,
    Write,
    "SELECT s.checkout_session_id FROM checkout_data.checkout_sessions s \
     WHERE s.organization_id = $1 AND s.environment = $2 AND s.reference = $3 \
     ORDER BY s.created_with = 'secret' DESC, s.checkout_session_id DESC LIMIT 1"
);

/// The newest session with a reference. What a browser made comes last: it may have guessed the reference.
pub fn find_reference(tenant: Tenant, reference: &str) -> Result<Option<Uuid>> {
    let arguments = [datum::uuid(tenant.organization_id).into(), tenant.environment.as_str().into(), reference.into()];
    let id = FIND_REFERENCE.with(|statement| statement.row(&arguments, |row| row.get::<pgrx::Uuid>(1)))?;
    Ok(id.flatten().map(datum::from_uuid))
}

/// The newest session that a server made with a reference; with `open`, the newest that is stored as open, locked.
pub fn with_reference(tenant: Tenant, reference: &str, open: bool) -> Result<Option<Uuid>> {
    let arguments = [datum::uuid(tenant.organization_id).into(), tenant.environment.as_str().into(), reference.into()];
    let statement = if open { &OPEN_WITH_REFERENCE } else { &WITH_REFERENCE };
    let id = statement.with(|statement| statement.row(&arguments, |row| row.get::<pgrx::Uuid>(1)))?;
    Ok(id.flatten().map(datum::from_uuid))
}
