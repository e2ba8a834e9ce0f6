//! Statements on sessions.

use chrono::{DateTime, Utc};
use pgrx::AnyNumeric;
use pgrx::datum::TimestampWithTimeZone;
use uuid::Uuid;

use super::fan_out::{fan_out, notified};
use super::row::Row;
use super::statement::{Argument, statement};
use crate::datum::{self, PublicSession, Session};
use crate::tenant::{Caller, Tenant};
use rules::checkout::money::{self, Currency};
use rules::checkout::session;
use rules::checkout::settings::Page;
use rules::checkout::status::Status;
use rules::{Error, Result};

/// The key of a tenant's session: the first parameters of every statement.
/// The beginning of every key of a tenant's rows.
pub(super) fn owner(tenant: Tenant) -> [Argument<'static>; 2] {
    [datum::uuid(tenant.organization_id).into(), tenant.environment.as_str().into()]
}

pub fn key(tenant: Tenant, id: Uuid) -> [Argument<'static>; 3] {
    [datum::uuid(tenant.organization_id).into(), tenant.environment.as_str().into(), datum::uuid(id).into()]
}

const GET: &str = "SELECT checkout_data.session_at(s, $4, $5, $6, $7) FROM checkout_data.checkout_sessions s \
     WHERE s.organization_id = $1 AND s.environment = $2 AND s.checkout_session_id = $3";
statement!(GET_FOR_CALLER, Caller, GET);
statement!(GET_AGAIN, Transaction, GET);

/// A session as it is at `now`, in the caller's snapshot.
pub fn get(tenant: Tenant, id: Uuid, now: DateTime<Utc>, page: Option<&Page>) -> Result<Option<Session>> {
    GET_FOR_CALLER.with(|statement| statement.composite(&shown(tenant, id, now, false, page)))
}

fn shown(
    tenant: Tenant,
    id: Uuid,
    now: DateTime<Utc>,
    idempotent_replay: bool,
    page: Option<&Page>,
) -> [Argument<'_>; 7] {
    let [organization_id, environment, id] = key(tenant, id);
    let client_secret = page.map(|page| page.client_secret.as_str()).into();
    let url = page.and_then(|page| page.url.as_deref()).into();
    [organization_id, environment, id, datum::timestamp(now).into(), idempotent_replay.into(), client_secret, url]
}

/// A session as it is at `now`, for a caller that has written it or waited for it: the caller's snapshot is older.
pub fn get_again(
    tenant: Tenant,
    id: Uuid,
    now: DateTime<Utc>,
    idempotent_replay: bool,
    page: Option<&Page>,
) -> Result<Session> {
    let arguments = shown(tenant, id, now, idempotent_replay, page);
    let session = GET_AGAIN.with(|statement| statement.composite(&arguments))?;
    session.ok_or(Error::SessionNotFound { checkout_session_id: id })
}

const PUBLIC: &str = "SELECT checkout_data.public_session_at(s, o.name, $4, t, ARRAY( \
       SELECT checkout_data.session_line_of(l) FROM checkout_data.session_lines l \
       WHERE s.has_terms AND l.organization_id = $1 AND l.environment = $2 AND l.checkout_session_id = $3 ORDER BY l.line), ( \
       SELECT p.failure_code FROM checkout_data.payments p \
       WHERE s.attempts > 0 AND p.organization_id = $1 AND p.environment = $2 AND p.checkout_session_id = $3 \
         AND p.status = 'failed' \
       ORDER BY p.updated_at DESC LIMIT 1), \
       s.has_terms AND t.hold_count IS NULL AND EXISTS ( \
         SELECT FROM checkout_data.session_lines l \
         JOIN checkout_data.inventory i ON i.organization_id = $1 AND i.environment = $2 AND i.product_id = l.product_id \
         WHERE l.organization_id = $1 AND l.environment = $2 AND l.checkout_session_id = $3 AND NOT i.continue_selling \
         GROUP BY i.product_id, i.on_hand \
         HAVING sum(l.quantity) > i.on_hand - ( \
           SELECT COALESCE(sum(h.quantity), 0) FROM checkout_data.holds h \
           WHERE h.organization_id = $1 AND h.environment = $2 AND h.kind = 'product' AND h.item_id = i.product_id \
             AND h.state <> 'counted' AND (h.state = 'taken' OR h.deadline > $4))), \
       o.allow_restart, o.payment_method_urls, ( \
         SELECT ROW(c.amount * l.quantity, c.interval_unit, c.interval_count, CASE WHEN p.trial AND s.status = 'open' \
             THEN checkout_data.period_boundary($4, o.time_zone, c.trial_period) END, p.period_start, p.period_end \
           )::checkout.session_recurrence \
         FROM checkout_data.session_periods p \
         JOIN checkout_data.session_lines l ON l.organization_id = $1 AND l.environment = $2 AND l.checkout_session_id = $3 \
         JOIN checkout_data.prices c ON c.organization_id = $1 AND c.environment = $2 AND c.price_id = l.price_id \
         WHERE s.has_terms AND p.organization_id = $1 AND p.environment = $2 AND p.checkout_session_id = $3)) \
     FROM checkout_data.checkout_sessions s \
     JOIN checkout_data.organizations o ON o.organization_id = s.organization_id \
     LEFT JOIN checkout_data.session_terms t ON s.has_terms AND t.organization_id = $1 AND t.environment = $2 \
       AND t.checkout_session_id = $3 \
     WHERE s.organization_id = $1 AND s.environment = $2 AND s.checkout_session_id = $3";
statement!(GET_PUBLIC, Caller, PUBLIC);
statement!(GET_PUBLIC_AGAIN, Transaction, PUBLIC);

/// A session as its buyer sees it.
pub fn get_public(tenant: Tenant, id: Uuid, now: DateTime<Utc>) -> Result<Option<PublicSession>> {
    let [organization_id, environment, id] = key(tenant, id);
    GET_PUBLIC.with(|statement| statement.composite(&[organization_id, environment, id, datum::timestamp(now).into()]))
}

/// As get_public, for a caller that has written the session.
pub fn get_public_again(tenant: Tenant, id: Uuid, now: DateTime<Utc>) -> Result<PublicSession> {
    let [organization_id, environment, session] = key(tenant, id);
    let arguments = [organization_id, environment, session, datum::timestamp(now).into()];
    let found = GET_PUBLIC_AGAIN.with(|statement| statement.composite(&arguments))?;
    found.ok_or(Error::SessionNotFound { checkout_session_id: id })
}

statement!(
    REDIRECT_URL,
    Latest,
    "SELECT checkout_data.redirect_url_of(s, $4) FROM checkout_data.checkout_sessions s \
     WHERE s.organization_id = $1 AND s.environment = $2 AND s.checkout_session_id = $3"
);

/// A URL with the id of a session filled in. The same statement may have created the session.
pub fn redirect_url(tenant: Tenant, id: Uuid, url: &str) -> Result<Option<String>> {
    let [organization_id, environment, id] = key(tenant, id);
    let arguments = [organization_id, environment, id, url.into()];
    Ok(REDIRECT_URL.with(|statement| statement.row(&arguments, |row| row.get::<String>(1)))?.flatten())
}

statement!(
    STATUS_AND_REFERENCE,
    Transaction,
    "SELECT checkout_data.effective_status(s, $4), \
       CASE WHEN s.created_with = 'secret' THEN s.reference END \
     FROM checkout_data.checkout_sessions s \
     WHERE s.organization_id = $1 AND s.environment = $2 AND s.checkout_session_id = $3"
);

/// The status of a session at `now`, and its reference if the organization's policy applies to it; or PT404.
pub fn status_and_reference(tenant: Tenant, id: Uuid, now: DateTime<Utc>) -> Result<(Status, Option<String>)> {
    let [organization_id, environment, key] = key(tenant, id);
    let arguments = [organization_id, environment, key, datum::timestamp(now).into()];
    let row = STATUS_AND_REFERENCE
        .with(|statement| statement.row(&arguments, |row| Ok((row.get::<String>(1)?, row.get::<String>(2)?))))?;
    match row {
        Some((Some(status), reference)) => Ok((status.parse()?, reference)),
        _ => Err(Error::SessionNotFound { checkout_session_id: id }),
    }
}

statement!(
    EXISTS,
    Caller,
    "SELECT true FROM checkout_data.checkout_sessions s \
     WHERE s.organization_id = $1 AND s.environment = $2 AND s.checkout_session_id = $3"
);

pub fn exists(tenant: Tenant, id: Uuid) -> Result<bool> {
    EXISTS.with(|statement| Ok(statement.count(&key(tenant, id))? > 0))
}

statement!(
    COUNT_PUBLISHABLE,
    Transaction,
    "SELECT count(*) FROM ( \
       SELECT FROM checkout_data.open_sessions o \
       WHERE o.organization_id = $1 AND o.environment = $2 AND o.created_by = $3 AND o.deadline > $4 LIMIT $5) AS open"
);

/// The number of open sessions of a publishable credential. It counts up to `most` only.
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

// Its row among the open sessions is locked after the other. If a sweep is expiring the session, this waits for it.
statement!(
    LOCK,
    Write,
    "SELECT s.*, o.among_open \
     FROM ( \
       SELECT s.status::text, s.amount::numeric, s.currency_code::text, s.attempts::integer, \
         s.max_retry_attempts::integer, s.expires_at, s.lease_expires_at, s.payment_methods, s.has_terms \
       FROM checkout_data.checkout_sessions s \
       WHERE s.organization_id = $1 AND s.environment = $2 AND s.checkout_session_id = $3 FOR NO KEY UPDATE) AS s \
     LEFT JOIN LATERAL ( \
       SELECT true AS among_open FROM checkout_data.open_sessions o \
       WHERE o.organization_id = $1 AND o.environment = $2 AND o.checkout_session_id = $3 AND s.status = 'open' \
       FOR UPDATE) AS o ON true"
);

/// A session, locked until the transaction ends.
pub struct Locked {
    pub state: session::Session,
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
    let among_open = row.get::<bool>(10)? == Some(true);
    Ok(Locked {
        state: session::Session {
            status: status.parse()?,
            amount: money::with_digits(datum::from_numeric("amount", &amount)?, currency),
            currency_code,
            attempts,
            max_retry_attempts,
            expires_at: datum::from_timestamp("expires_at", expires_at)?,
            lease_expires_at: lease.map(|lease| datum::from_timestamp("lease_expires_at", lease)).transpose()?,
            swept: false,
            has_terms: row.get::<bool>(9)? == Some(true),
            unavailable: None,
        }
        .standing(among_open),
        payment_methods: row.get(8)?,
    })
}

statement!(
    EXPIRE,
    Write,
    concat!(
        "WITH ended AS ( \
       DELETE FROM checkout_data.open_sessions o \
       WHERE o.organization_id = $1 AND o.environment = $2 AND o.checkout_session_id = $3), \
     expired AS ( \
       UPDATE checkout_data.checkout_sessions s \
       SET status = $6, payment_status = 'unpaid', lease_expires_at = NULL, updated_at = $5, \
         event_count = s.event_count + 1 \
       WHERE s.organization_id = $1 AND s.environment = $2 AND s.checkout_session_id = $3 RETURNING s AS session), \
     event AS ( \
       INSERT INTO checkout_data.webhook_outbox (organization_id, environment, subject_type, subject_id, sequence, event_type, \
         created_at) \
       SELECT (e.session).organization_id, (e.session).environment, 'checkout_session', (e.session).checkout_session_id, \
         (e.session).event_count, 'checkout.session.' || $6, $4 \
       FROM expired e",
        fan_out!(),
        "SELECT checkout_data.session_at(e.session, $4, false, NULL, NULL), ",
        notified!(),
        " FROM expired e"
    )
);

/// Ends a locked open session as the clock would, and writes its event. If the deadline has passed, that is the time of
/// its end.
pub fn expire(tenant: Tenant, id: Uuid, session: &session::Session, now: DateTime<Utc>) -> Result<Session> {
    let [organization_id, environment, key] = key(tenant, id);
    let happened_at = if session.overdue(now) { session.deadline() } else { now };
    let arguments = [
        organization_id,
        environment,
        key,
        datum::timestamp(now).into(),
        datum::timestamp(happened_at).into(),
        session.ends_as().as_str().into(),
    ];
    EXPIRE.with(|statement| statement.composite(&arguments))?.ok_or(Error::SessionNotFound { checkout_session_id: id })
}
