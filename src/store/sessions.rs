//! Statements on sessions and their idempotency keys.

use std::cell::RefCell;
use std::collections::HashMap;

use chrono::{DateTime, Utc};
use pgrx::AnyNumeric;
use pgrx::datum::TimestampWithTimeZone;
use pgrx::spi::{SpiHeapTupleData, SpiResult};
use uuid::Uuid;

use super::statement::{Access, Argument, Statement, statement};
use crate::datum::{self, Metadata, Session};
use crate::domain::idempotency::RequestHash;
use crate::domain::payment;
use crate::domain::session::{NewSession, Request};
use crate::domain::status::Status;
use crate::domain::{Error, Result};
use crate::tenant::Tenant;

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
             metadata) \
             VALUES ($1, $2, $3, $4, $5, $6, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, \
             $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33, COALESCE($34, '{}'))",
            $tail,
            " RETURNING checkout_data.session_at(s, $6, false)"
        )
    };
}
statement!(INSERT, Write, insert!(""));
statement!(INSERT_UNLESS_TAKEN, Write, insert!(" ON CONFLICT DO NOTHING"));

/// Stores a new session. `None` when `unless_taken` and its reference has been taken meanwhile.
pub fn insert(
    tenant: Tenant,
    request: &Request,
    metadata: Option<Metadata>,
    session: &NewSession,
    created_by: &str,
    unless_taken: bool,
) -> Result<Option<Session>> {
    let [organization_id, environment, id] = key(tenant, session.checkout_session_id);
    let arguments = [
        organization_id,
        environment,
        id,
        datum::numeric(session.amount)?.into(),
        request.currency_code.into(),
        datum::timestamp(session.created_at).into(),
        datum::timestamp(session.expires_at).into(),
        session.expiring_notice_at.map(datum::timestamp).into(),
        session.max_retry_attempts.into(),
        session.quantity.into(),
        request.allow_quantity.unwrap_or(false).into(),
        request.allow_coupon_code.unwrap_or(false).into(),
        request.require_billing_address.unwrap_or(false).into(),
        request.is_spi.unwrap_or(false).into(),
        request.is_pos.unwrap_or(false).into(),
        request.reference.into(),
        session.reference_policy.into(),
        created_by.into(),
        request.title.into(),
        request.description.into(),
        request.product_id.into(),
        request.price_id.into(),
        request.subscription_id.into(),
        request.payment_link_id.into(),
        request.country.into(),
        request.customer_id.into(),
        request.customer_email.into(),
        request.customer_name.into(),
        request.customer_phone.into(),
        request.success_url.into(),
        request.cancel_url.into(),
        session.url.as_deref().into(),
        session.payment_methods.clone().into(),
        metadata.into(),
    ];
    let statement = if unless_taken { &INSERT_UNLESS_TAKEN } else { &INSERT };
    statement.with(|statement| statement.composite(&arguments))
}

statement!(
    CLONE,
    Write,
    "INSERT INTO checkout_data.checkout_sessions AS s (organization_id, environment, checkout_session_id, recovered_from, \
     created_at, updated_at, expires_at, expiring_notice_at, url, created_by, reference_policy, amount, currency_code, \
     max_retry_attempts, quantity, allow_quantity, allow_coupon_code, require_billing_address, is_spi, is_pos, reference, \
     title, description, product_id, price_id, subscription_id, payment_link_id, country, customer_id, customer_email, \
     customer_name, customer_phone, success_url, cancel_url, payment_methods, metadata) \
     SELECT o.organization_id, o.environment, $4, o.checkout_session_id, $5, $5, $6, $7, $8, $9, $10, o.amount, \
     o.currency_code, o.max_retry_attempts, o.quantity, o.allow_quantity, o.allow_coupon_code, o.require_billing_address, \
     o.is_spi, o.is_pos, o.reference, o.title, o.description, o.product_id, o.price_id, o.subscription_id, \
     o.payment_link_id, o.country, o.customer_id, o.customer_email, o.customer_name, o.customer_phone, o.success_url, \
     o.cancel_url, o.payment_methods, o.metadata \
     FROM checkout_data.checkout_sessions o \
     WHERE o.organization_id = $1 AND o.environment = $2 AND o.checkout_session_id = $3 \
     ON CONFLICT DO NOTHING RETURNING checkout_data.session_at(s, $5, false)"
);

/// What a recovered session does not take from the one it recovers.
pub struct Recovery {
    pub checkout_session_id: Uuid,
    pub created_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    pub expiring_notice_at: Option<DateTime<Utc>>,
    pub url: Option<String>,
    pub reference_policy: &'static str,
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
        ])
    })
}

statement!(
    GET,
    Read,
    "SELECT checkout_data.session_at(s, $4, $5) FROM checkout_data.checkout_sessions s \
     WHERE s.organization_id = $1 AND s.environment = $2 AND s.checkout_session_id = $3"
);

/// A session as it is at `now`.
pub fn get(tenant: Tenant, id: Uuid, now: DateTime<Utc>, idempotent_replay: bool) -> Result<Option<Session>> {
    let [organization_id, environment, id] = key(tenant, id);
    let arguments = [organization_id, environment, id, datum::timestamp(now).into(), idempotent_replay.into()];
    GET.with(|statement| statement.composite(&arguments))
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

/// The filters of a list. Every combination has a statement, and a kept plan, of its own.
#[derive(Default)]
pub struct Filter<'a> {
    pub status: Option<Status>,
    pub customer_id: Option<&'a str>,
    pub customer_email: Option<&'a str>,
    pub reference: Option<&'a str>,
    pub payment_id: Option<&'a str>,
    pub created_after: Option<DateTime<Utc>>,
    pub created_before: Option<DateTime<Utc>>,
    pub starting_after: Option<Uuid>,
    pub ending_before: Option<Uuid>,
    pub page_size: i32,
    pub page_offset: i32,
}

/// Sessions, newest first.
pub fn list(tenant: Tenant, filter: &Filter, now: DateTime<Utc>) -> Result<Vec<Session>> {
    thread_local! {
        static PLANS: RefCell<HashMap<String, &'static Statement>> = RefCell::default();
    }
    let (sql, arguments) = list_statement(tenant, filter, now);
    let statement = PLANS.with_borrow_mut(|plans| {
        *plans.entry(sql).or_insert_with_key(|sql| Box::leak(Box::new(Statement::composed(Access::Read, sql.clone()))))
    });
    let mut sessions = statement.composites(&arguments)?;
    if filter.ending_before.is_some() {
        sessions.reverse();
    }
    Ok(sessions)
}

fn list_statement<'a>(tenant: Tenant, filter: &Filter<'a>, now: DateTime<Utc>) -> (String, Vec<Argument<'a>>) {
    let mut arguments: Vec<Argument<'a>> = vec![
        datum::uuid(tenant.organization_id).into(),
        tenant.environment.as_str().into(),
        datum::timestamp(now).into(),
    ];
    let mut conditions = String::new();
    let mut add = |condition: &str, argument: Argument<'a>| {
        arguments.push(argument);
        conditions.push_str(" AND ");
        conditions.push_str(&condition.replace('?', &format!("${}", arguments.len())));
    };
    if let Some(value) = filter.customer_id {
        add("s.customer_id = ?", value.into());
    }
    if let Some(value) = filter.customer_email {
        add("s.customer_email = ?", value.into());
    }
    if let Some(value) = filter.reference {
        add("s.reference = ?", value.into());
    }
    if let Some(value) = filter.payment_id {
        add(
            "s.checkout_session_id = (SELECT p.checkout_session_id FROM checkout_data.payments p \
             WHERE p.organization_id = $1 AND p.environment = $2 AND p.payment_id = ?)",
            value.into(),
        );
    }
    // The id holds the milliseconds of created_at, so a period is a range of the key.
    if let Some(at) = filter.created_after {
        add("s.checkout_session_id >= ?", datum::uuid(crate::domain::session::least_session_id(at)).into());
        add("s.created_at >= ?", datum::timestamp(at).into());
    }
    if let Some(at) = filter.created_before {
        let bound = at + chrono::TimeDelta::milliseconds(1);
        add("s.checkout_session_id < ?", datum::uuid(crate::domain::session::least_session_id(bound)).into());
        add("s.created_at < ?", datum::timestamp(at).into());
    }
    if let Some(id) = filter.starting_after {
        add("s.checkout_session_id < ?", datum::uuid(id).into());
    }
    if let Some(id) = filter.ending_before {
        add("s.checkout_session_id > ?", datum::uuid(id).into());
    }
    match filter.status {
        // Also in the words of the partial index.
        Some(Status::Open) => conditions.push_str(" AND s.status = 'open' AND s.deadline > $3"),
        Some(status) => {
            conditions.push_str(&format!(" AND checkout_data.effective_status(s.status, s.deadline, $3) = '{status}'"))
        }
        None => {}
    }
    let direction = if filter.ending_before.is_some() { "ASC" } else { "DESC" };
    // Literals, because the planner takes a parameter of LIMIT for a tenth of all rows.
    let sql = format!(
        "SELECT checkout_data.session_at(s, $3, false) FROM checkout_data.checkout_sessions s \
         WHERE s.organization_id = $1 AND s.environment = $2{conditions} \
         ORDER BY s.checkout_session_id {direction} LIMIT {} OFFSET {}",
        filter.page_size, filter.page_offset
    );
    (sql, arguments)
}

statement!(
    LOCK,
    Write,
    "SELECT s.status, s.amount, s.currency_code, s.attempts, s.max_retry_attempts, s.expires_at, s.lease_expires_at, \
     s.payment_methods, s.reference \
     FROM checkout_data.checkout_sessions s \
     WHERE s.organization_id = $1 AND s.environment = $2 AND s.checkout_session_id = $3 FOR UPDATE"
);

/// A session that nobody else can change until the transaction ends.
pub struct Locked {
    pub state: payment::Session,
    pub payment_methods: Option<Vec<String>>,
    pub reference: Option<String>,
}

/// Locks a session, or PT404.
pub fn lock(tenant: Tenant, id: Uuid) -> Result<Locked> {
    LOCK.with(|statement| statement.row(&key(tenant, id), read_locked))?
        .unwrap_or(Err(Error::SessionNotFound { checkout_session_id: id }))
}

fn read_locked(row: &SpiHeapTupleData) -> SpiResult<Result<Locked>> {
    let lease: Option<TimestampWithTimeZone> = row.get(7)?;
    let (Some(status), Some(amount), Some(currency_code), Some(attempts), Some(max_retry_attempts), Some(expires_at)) = (
        row.get::<String>(1)?,
        row.get::<AnyNumeric>(2)?,
        row.get::<String>(3)?,
        row.get::<i32>(4)?,
        row.get::<i32>(5)?,
        row.get::<TimestampWithTimeZone>(6)?,
    ) else {
        return Ok(Err(Error::Internal("a session has a NULL where none can be".into())));
    };
    let (payment_methods, reference) = (row.get(8)?, row.get(9)?);
    Ok((|| {
        Ok(Locked {
            state: payment::Session {
                status: status.parse()?,
                amount: datum::from_numeric("amount", &amount)?,
                currency_code,
                attempts,
                max_retry_attempts,
                expires_at: datum::from_timestamp("expires_at", expires_at)?,
                lease_expires_at: lease.map(|lease| datum::from_timestamp("lease_expires_at", lease)).transpose()?,
            },
            payment_methods,
            reference,
        })
    })())
}

statement!(
    EXPIRE,
    Write,
    "WITH expired AS ( \
       UPDATE checkout_data.checkout_sessions s \
       SET status = 'expired', payment_status = 'unpaid', lease_expires_at = NULL, updated_at = $5, \
         event_count = s.event_count + 1 \
       WHERE s.organization_id = $1 AND s.environment = $2 AND s.checkout_session_id = $3 RETURNING s AS session), \
     event AS ( \
       INSERT INTO checkout_data.webhook_outbox (organization_id, environment, checkout_session_id, sequence, event_type, \
         created_at, session_status, session_attempts, next_attempt_at) \
       SELECT (e.session).organization_id, (e.session).environment, (e.session).checkout_session_id, \
         (e.session).event_count, 'checkout.session.expired', $4, 'expired', (e.session).attempts, $4 \
       FROM expired e) \
     SELECT checkout_data.session_at(e.session, $4, false) FROM expired e"
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
     WHERE s.organization_id = $1 AND s.environment = $2 AND s.reference = $3 \
     ORDER BY s.checkout_session_id DESC LIMIT 1"
);
statement!(
    OPEN_WITH_REFERENCE,
    Write,
    "SELECT s.checkout_session_id FROM checkout_data.checkout_sessions s \
     WHERE s.organization_id = $1 AND s.environment = $2 AND s.reference = $3 AND s.status = 'open' \
     ORDER BY s.checkout_session_id DESC LIMIT 1 FOR UPDATE"
);

/// The newest session with a reference; with `open`, the newest that is stored as open, locked.
pub fn with_reference(tenant: Tenant, reference: &str, open: bool) -> Result<Option<Uuid>> {
    let arguments = [datum::uuid(tenant.organization_id).into(), tenant.environment.as_str().into(), reference.into()];
    let statement = if open { &OPEN_WITH_REFERENCE } else { &WITH_REFERENCE };
    let id = statement.with(|statement| statement.row(&arguments, |row| row.get::<pgrx::Uuid>(1)))?;
    Ok(id.flatten().map(datum::from_uuid))
}

statement!(
    CLAIM_KEY,
    Write,
    "INSERT INTO checkout_data.idempotency_keys AS k (organization_id, environment, checkout_session_id, idempotency_key, \
       request_hash, created_at, expires_at) \
     VALUES ($1, $2, $3, $4, $5, $6, $7) \
     ON CONFLICT (organization_id, environment, idempotency_key) DO UPDATE \
       SET checkout_session_id = EXCLUDED.checkout_session_id, request_hash = EXCLUDED.request_hash, \
         created_at = EXCLUDED.created_at, expires_at = EXCLUDED.expires_at \
       WHERE k.expires_at <= EXCLUDED.created_at \
     RETURNING true"
);
statement!(
    READ_KEY,
    Write,
    "SELECT k.checkout_session_id, k.request_hash = $4 FROM checkout_data.idempotency_keys k \
     WHERE k.organization_id = $1 AND k.environment = $2 AND k.idempotency_key = $3"
);
statement!(
    POINT_KEY,
    Write,
    "UPDATE checkout_data.idempotency_keys k SET checkout_session_id = $3 \
     WHERE k.organization_id = $1 AND k.environment = $2 AND k.idempotency_key = $4"
);

/// An idempotency key and the request it stands for.
pub struct Key<'a> {
    pub text: &'a str,
    pub request_hash: RequestHash,
    pub created_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
}

/// Takes a key for a session that is about to be stored. A second caller waits here for the first to commit.
/// `Some` is the session that has the key already.
pub fn claim_key(tenant: Tenant, id: Uuid, key: &Key) -> Result<Option<Uuid>> {
    let [organization_id, environment, id] = self::key(tenant, id);
    let arguments = [
        organization_id,
        environment,
        id,
        key.text.into(),
        key.request_hash.as_slice().into(),
        datum::timestamp(key.created_at).into(),
        datum::timestamp(key.expires_at).into(),
    ];
    let taken = [
        datum::uuid(tenant.organization_id).into(),
        tenant.environment.as_str().into(),
        key.text.into(),
        key.request_hash.as_slice().into(),
    ];
    // Twice, in case the worker purges the key in between.
    for _ in 0..2 {
        if CLAIM_KEY.with(|statement| statement.count(&arguments))? > 0 {
            return Ok(None);
        }
        let known = READ_KEY
            .with(|statement| statement.row(&taken, |row| Ok((row.get::<pgrx::Uuid>(1)?, row.get::<bool>(2)?))))?;
        match known {
            Some((Some(id), Some(true))) => return Ok(Some(datum::from_uuid(id))),
            Some(_) => return Err(Error::IdempotencyConflict),
            None => {}
        }
    }
    Err(Error::Internal("an idempotency key is neither free nor taken".into()))
}

/// Lets a key that was just claimed stand for a session that was there before.
pub fn point_key(tenant: Tenant, id: Uuid, key: &Key) -> Result<()> {
    let [organization_id, environment, id] = self::key(tenant, id);
    POINT_KEY.with(|statement| statement.count(&[organization_id, environment, id, key.text.into()])).map(|_| ())
}
