//! Statements on the lines and the terms of sessions.

use chrono::{DateTime, Utc};
use pgrx::AnyNumeric;
use pgrx::datum::TimestampWithTimeZone;
use rules::catalog::cart::{Cart, Sums};
use rules::catalog::line::{Bounds, Kind, Line};
use rules::catalog::subscription::{Action, Period};
use rules::checkout::idempotency::RequestHash;
use rules::checkout::money::{self, Currency};
use rules::{Error, Result};
use rust_decimal::Decimal;
use serde_json::{Value, json};
use uuid::Uuid;

use super::fan_out::{fan_out, notified};
use super::row::Row;
use super::sessions::key;
use super::statement::{Argument, statement};
use crate::datum::{self, Json, Session, SessionLine};
use crate::tenant::Tenant;

statement!(
    STORE,
    Write,
    "WITH line AS ( \
       INSERT INTO checkout_data.session_lines AS l (organization_id, environment, checkout_session_id, line, kind, \
         product_id, price_id, title, image_url, unit_amount, quantity, subtotal, discount, minimum_quantity, \
         maximum_quantity, minimum_amount, maximum_amount, suggested_amount) \
       SELECT $1, $2, $3, n.* FROM json_to_recordset($4::json) AS n (line integer, kind text, product_id text, \
         price_id text, title text, image_url text, unit_amount numeric, quantity integer, subtotal numeric, \
         discount numeric, minimum_quantity integer, maximum_quantity integer, minimum_amount numeric, \
         maximum_amount numeric, suggested_amount numeric) \
       ON CONFLICT (organization_id, environment, checkout_session_id, line) DO UPDATE \
         SET unit_amount = EXCLUDED.unit_amount, quantity = EXCLUDED.quantity, subtotal = EXCLUDED.subtotal, \
           discount = EXCLUDED.discount) \
     INSERT INTO checkout_data.session_terms AS t (organization_id, environment, checkout_session_id, subtotal, \
       discount, shipping, tax, fees, amount, coupon_code, hold_count, order_hash) \
     VALUES ($1, $2, $3, $5, $6, $7, $8, $9, $10, $11, $12, $13) \
     ON CONFLICT (organization_id, environment, checkout_session_id) DO UPDATE \
       SET subtotal = EXCLUDED.subtotal, discount = EXCLUDED.discount, amount = EXCLUDED.amount, \
         coupon_code = EXCLUDED.coupon_code, hold_count = EXCLUDED.hold_count"
);

fn written(at: usize, line: &Line) -> Result<Value> {
    let bounds = line.bounds.as_ref();
    Ok(json!({
        "line": at + 1,
        "kind": line.kind.as_str(),
        "product_id": line.product_id,
        "price_id": line.price_id,
        "title": line.title,
        "image_url": line.image_url,
        "unit_amount": line.unit_amount.to_string(),
        "quantity": line.quantity,
        "subtotal": line.subtotal()?.to_string(),
        "discount": line.discount.to_string(),
        "minimum_quantity": line.minimum_quantity,
        "maximum_quantity": line.maximum_quantity,
        "minimum_amount": bounds.map(|bounds| bounds.minimum.to_string()),
        "maximum_amount": bounds.and_then(|bounds| bounds.maximum).map(|amount| amount.to_string()),
        "suggested_amount": bounds.and_then(|bounds| bounds.suggested).map(|amount| amount.to_string()),
    }))
}

/// Writes the lines and the sums of a new session, or what has changed of them.
pub fn store(
    tenant: Tenant,
    session: Uuid,
    cart: &Cart,
    sums: &Sums,
    hold_count: Option<i32>,
    order_hash: &RequestHash,
) -> Result<()> {
    let lines = cart.lines.iter().enumerate().map(|(at, line)| written(at, line)).collect::<Result<Vec<_>>>()?;
    let [organization_id, environment, id] = key(tenant, session);
    let mut arguments: Vec<Argument> = vec![organization_id, environment, id, Value::from(lines).to_string().into()];
    for sum in [sums.subtotal, sums.discount, sums.shipping, sums.tax, sums.fees, sums.amount] {
        arguments.push(datum::numeric(sum)?.into());
    }
    arguments.push(cart.coupon.as_ref().map(|coupon| coupon.code.clone()).into());
    arguments.push(hold_count.into());
    arguments.push(order_hash.as_slice().into());
    STORE.with(|statement| statement.count(&arguments)).map(|_| ())
}

statement!(
    LINES,
    Transaction,
    "SELECT l.kind::text, l.product_id, l.price_id, l.title, l.image_url, l.unit_amount::numeric, l.quantity::integer, \
       l.discount::numeric, l.minimum_quantity::integer, l.maximum_quantity::integer, l.minimum_amount::numeric, \
       l.maximum_amount::numeric, l.suggested_amount::numeric \
     FROM checkout_data.session_lines l \
     WHERE l.organization_id = $1 AND l.environment = $2 AND l.checkout_session_id = $3 ORDER BY l.line"
);

/// The lines of a locked session.
pub fn read(tenant: Tenant, session: Uuid, currency: Currency) -> Result<Vec<Line>> {
    LINES.with(|statement| statement.rows(&key(tenant, session), |row| read_line(row, currency)))
}

fn read_line(row: &Row, currency: Currency) -> Result<Line> {
    let broken = || Error::Internal("a line has a NULL where none can be".into());
    let amount = |number| -> Result<Option<Decimal>> {
        let amount = row.get::<AnyNumeric>(number)?;
        let amount = amount.map(|amount| datum::from_numeric("amount", &amount)).transpose()?;
        Ok(amount.map(|amount| money::with_digits(amount, currency)))
    };
    Ok(Line {
        kind: row.get::<String>(1)?.ok_or_else(broken)?.parse::<Kind>()?,
        product_id: row.get(2)?,
        price_id: row.get(3)?,
        title: row.get(4)?,
        image_url: row.get(5)?,
        unit_amount: amount(6)?.ok_or_else(broken)?,
        quantity: row.get(7)?.ok_or_else(broken)?,
        discount: amount(8)?.ok_or_else(broken)?,
        minimum_quantity: row.get(9)?.ok_or_else(broken)?,
        maximum_quantity: row.get(10)?,
        bounds: match amount(11)? {
            None => None,
            Some(minimum) => Some(Bounds { minimum, maximum: amount(12)?, suggested: amount(13)? }),
        },
    })
}

statement!(
    TERMS,
    Transaction,
    "SELECT t.coupon_code::text, t.coupon_tries::integer, t.hold_count::integer, t.billing_address IS NOT NULL, \
       t.order_hash::bytea, p.subscription_id, p.trial, p.period_start, p.period_end \
     FROM checkout_data.session_terms t \
     LEFT JOIN checkout_data.session_periods p USING (organization_id, environment, checkout_session_id) \
     WHERE t.organization_id = $1 AND t.environment = $2 AND t.checkout_session_id = $3"
);

/// The terms of a locked session.
#[derive(Clone, Default)]
pub struct Terms {
    pub coupon_code: Option<String>,
    pub coupon_tries: i32,
    /// `None`: the session holds nothing yet.
    pub hold_count: Option<i32>,
    pub has_address: bool,
    pub order_hash: RequestHash,
    /// What it does to a subscription.
    pub subscribing: Option<(Uuid, Action)>,
}

pub fn terms(tenant: Tenant, session: Uuid) -> Result<Option<Terms>> {
    TERMS.with(|statement| {
        statement.row(&key(tenant, session), |row| {
            Ok(Terms {
                coupon_code: row.get(1)?,
                coupon_tries: row.get(2)?.unwrap_or(0),
                hold_count: row.get(3)?,
                has_address: row.get(4)? == Some(true),
                order_hash: row
                    .get::<Vec<u8>>(5)?
                    .and_then(|hash| hash.try_into().ok())
                    .ok_or_else(|| Error::Internal("a session has no hash of its order".into()))?,
                subscribing: match row.get::<pgrx::Uuid>(6)? {
                    Some(id) => Some((datum::from_uuid(id), read_action(row)?)),
                    None => None,
                },
            })
        })
    })
}

fn read_action(row: &Row) -> Result<Action> {
    let time = |number| -> Result<Option<DateTime<Utc>>> {
        let at = row.get::<TimestampWithTimeZone>(number)?;
        at.map(|at| datum::from_timestamp("period_end", at)).transpose()
    };
    Ok(match time(8)?.zip(time(9)?) {
        Some((follows, end)) => Action::Renew(Period { follows, end }),
        None => Action::Begin { trial: row.get(7)? == Some(true) },
    })
}

statement!(
    HOLD_COUNT,
    Write,
    "UPDATE checkout_data.session_terms t SET hold_count = $4 \
     WHERE t.organization_id = $1 AND t.environment = $2 AND t.checkout_session_id = $3"
);

pub fn set_hold_count(tenant: Tenant, session: Uuid, hold_count: i32) -> Result<()> {
    let [organization_id, environment, id] = key(tenant, session);
    HOLD_COUNT.with(|statement| statement.count(&[organization_id, environment, id, hold_count.into()])).map(|_| ())
}

statement!(
    TRIED,
    Write,
    "UPDATE checkout_data.session_terms t SET coupon_tries = t.coupon_tries + 1 \
     WHERE t.organization_id = $1 AND t.environment = $2 AND t.checkout_session_id = $3"
);

/// Counts one try of a coupon code.
pub fn tried(tenant: Tenant, session: Uuid) -> Result<()> {
    TRIED.with(|statement| statement.count(&key(tenant, session))).map(|_| ())
}

statement!(
    ADDRESS,
    Write,
    "UPDATE checkout_data.session_terms t SET billing_address = $4 \
     WHERE t.organization_id = $1 AND t.environment = $2 AND t.checkout_session_id = $3"
);

pub fn set_address(tenant: Tenant, session: Uuid, address: Json) -> Result<()> {
    let [organization_id, environment, id] = key(tenant, session);
    ADDRESS.with(|statement| statement.count(&[organization_id, environment, id, address.into()])).map(|_| ())
}

// The row among the open sessions says it too: the sweep reads no other.
statement!(
    CHANGE,
    Write,
    "WITH open AS ( \
       UPDATE checkout_data.open_sessions o SET has_terms = true \
       WHERE o.organization_id = $1 AND o.environment = $2 AND o.checkout_session_id = $3 AND NOT o.has_terms) \
     UPDATE checkout_data.checkout_sessions s \
     SET amount = $4, quantity = $5, has_terms = true, updated_at = $6 \
     WHERE s.organization_id = $1 AND s.environment = $2 AND s.checkout_session_id = $3 \
     RETURNING checkout_data.session_at(s, $6, false, NULL, NULL)"
);

/// Writes the amount and the quantity of an open session after a change of its lines.
pub fn change(tenant: Tenant, session: Uuid, sums: &Sums, quantity: i32, now: DateTime<Utc>) -> Result<Session> {
    let [organization_id, environment, id] = key(tenant, session);
    let arguments = [
        organization_id,
        environment,
        id,
        datum::numeric(sums.amount)?.into(),
        quantity.into(),
        datum::timestamp(now).into(),
    ];
    CHANGE
        .with(|statement| statement.composite(&arguments))?
        .ok_or(Error::SessionNotFound { checkout_session_id: session })
}

statement!(
    COMPLETE_FREE,
    Write,
    concat!(
        "WITH session AS ( \
           UPDATE checkout_data.checkout_sessions s \
           SET status = 'complete', payment_status = 'no_payment_required', lease_expires_at = NULL, completed_at = $4, \
             updated_at = $4, event_count = s.event_count + 1 \
           WHERE s.organization_id = $1 AND s.environment = $2 AND s.checkout_session_id = $3 \
           RETURNING s.event_count, s.attempts, checkout_data.changing_terms(s) AS terms), \
         ended AS ( \
           DELETE FROM checkout_data.open_sessions o \
           WHERE o.organization_id = $1 AND o.environment = $2 AND o.checkout_session_id = $3), \
         event AS ( \
           INSERT INTO checkout_data.webhook_outbox (organization_id, environment, subject_type, subject_id, sequence, \
             event_type, created_at, snapshot) \
           SELECT $1, $2, 'checkout_session', $3, s.event_count, 'checkout.session.completed', $4, \
             jsonb_build_object('session', \
               jsonb_build_object('status', 'complete', 'attempts', s.attempts) || s.terms) \
           FROM session s",
        fan_out!(),
        "SELECT ",
        notified!(),
        " FROM session s"
    )
);

/// Completes a locked session in which nothing is due, and writes its event.
pub fn complete_free(tenant: Tenant, session: Uuid, now: DateTime<Utc>) -> Result<()> {
    let [organization_id, environment, id] = key(tenant, session);
    let arguments = [organization_id, environment, id, datum::timestamp(now).into()];
    COMPLETE_FREE.with(|statement| statement.count(&arguments)).map(|_| ())
}

statement!(
    LIST,
    Caller,
    "SELECT checkout_data.session_line_of(l) FROM checkout_data.session_lines l \
     WHERE l.organization_id = $1 AND l.environment = $2 AND l.checkout_session_id = $3 ORDER BY l.line"
);

/// The lines of a session, as callers see them.
pub fn list(tenant: Tenant, session: Uuid) -> Result<Vec<SessionLine>> {
    LIST.with(|statement| statement.composites(&key(tenant, session)))
}

statement!(
    OF_SESSION,
    Transaction,
    "SELECT s.customer_id, s.customer_email, s.created_with::text, s.title, s.quantity::integer, s.allow_quantity, \
       s.allow_coupon_code, s.require_billing_address \
     FROM checkout_data.checkout_sessions s \
     WHERE s.organization_id = $1 AND s.environment = $2 AND s.checkout_session_id = $3"
);

/// What its order says of a session that bears on what it sells.
pub struct Ordered {
    pub customer_id: Option<String>,
    pub customer_email: Option<String>,
    pub by_browser: bool,
    pub title: Option<String>,
    pub quantity: i32,
    pub allow_quantity: bool,
    pub allow_coupon_code: bool,
    pub require_billing_address: bool,
}

pub fn ordered(tenant: Tenant, session: Uuid) -> Result<Ordered> {
    OF_SESSION
        .with(|statement| {
            statement.row(&key(tenant, session), |row| {
                Ok(Ordered {
                    customer_id: row.get(1)?,
                    customer_email: row.get(2)?,
                    by_browser: row.get::<String>(3)?.as_deref() == Some("publishable"),
                    title: row.get(4)?,
                    quantity: row.get(5)?.unwrap_or(1),
                    allow_quantity: row.get(6)? == Some(true),
                    allow_coupon_code: row.get(7)? == Some(true),
                    require_billing_address: row.get(8)? == Some(true),
                })
            })
        })?
        .ok_or(Error::SessionNotFound { checkout_session_id: session })
}
