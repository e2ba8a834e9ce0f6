//! Lists of payments: one statement for each combination of filters in use.

use chrono::{DateTime, Utc};
use pgrx::datum::TimestampWithTimeZone;
use uuid::Uuid;

use super::payments::payment_key;
use super::statement::{Access, Argument, Statement, at_most, statement};
use crate::datum::{self, Payment};
use crate::tenant::Tenant;
use rules::{Error, Result};

/// The filters of a list.
#[derive(Default)]
pub struct Filter<'a> {
    pub checkout_session_id: Option<Uuid>,
    pub status: Option<&'a str>,
    pub rejection_reason: Option<&'a str>,
    pub payment_method: Option<&'a str>,
    pub to_refund: Option<bool>,
    pub occurred_after: Option<DateTime<Utc>>,
    pub occurred_before: Option<DateTime<Utc>>,
    pub page_size: i32,
    pub starting_after: Option<&'a str>,
}

statement!(
    CURSOR,
    Caller,
    "SELECT p.created_at FROM checkout_data.payments p \
     WHERE p.organization_id = $1 AND p.environment = $2 AND p.payment_id = $3"
);

/// As in the predicate of its index.
const TO_REFUND: &str = "p.status = 'rejected' AND p.amount > p.refunded_amount + p.pending_refund_amount";

/// Returns true if there is the payment.
pub fn exists(tenant: Tenant, payment_id: &str) -> Result<bool> {
    CURSOR.with(|statement| Ok(statement.count(&payment_key(tenant, payment_id))? > 0))
}

/// Payments as the caller's snapshot sees them: of one session the oldest first, of all the newest first.
pub fn list(tenant: Tenant, filter: &Filter) -> Result<Vec<Payment>> {
    let mut arguments: Vec<Argument> =
        vec![datum::uuid(tenant.organization_id).into(), tenant.environment.as_str().into(), filter.page_size.into()];
    let mut bind = |argument: Argument<'static>| {
        arguments.push(argument);
        format!("${}", arguments.len())
    };
    let mut conditions = String::new();
    if let Some(id) = filter.checkout_session_id {
        conditions += &format!(" AND p.checkout_session_id = {}", bind(datum::uuid(id).into()));
    }
    for (column, value) in [
        ("status", filter.status),
        ("rejection_reason", filter.rejection_reason),
        ("payment_method", filter.payment_method),
    ] {
        if let Some(value) = value {
            conditions += &format!(" AND p.{column} = {}", bind(value.to_owned().into()));
        }
    }
    for (operator, at) in [(">=", filter.occurred_after), ("<", filter.occurred_before)] {
        if let Some(at) = at {
            let at = bind(datum::timestamp(at).into());
            conditions += &format!(" AND COALESCE(p.occurred_at, p.created_at) {operator} {at}");
        }
    }
    if let Some(wanted) = filter.to_refund {
        let not = if wanted { "" } else { "NOT " };
        conditions += &format!(" AND {not}({TO_REFUND})");
    }
    let (direction, behind) = if filter.checkout_session_id.is_some() { ("ASC", ">") } else { ("DESC", "<") };
    if let Some(cursor) = filter.starting_after {
        let key = payment_key(tenant, cursor);
        let created_at = CURSOR.with(|statement| statement.row(&key, |row| row.get::<TimestampWithTimeZone>(1)))?;
        let unknown = Error::CursorNotFound { argument: "starting_after", what: "payment" };
        let created_at = bind(created_at.flatten().ok_or(unknown)?.into());
        let payment_id = bind(cursor.to_owned().into());
        conditions += &format!(" AND (p.created_at, p.payment_id) {behind} ({created_at}, {payment_id})");
    }
    let sql = format!(
        "SELECT page.payment FROM ( \
           SELECT checkout_data.payment_of(p, false) AS payment FROM checkout_data.payments p \
           WHERE p.organization_id = $1 AND p.environment = $2{conditions} \
           ORDER BY p.created_at {direction}, p.payment_id {direction} LIMIT {}) AS page \
         LIMIT $3",
        at_most(filter.page_size)
    );
    Statement::composed(Access::Caller, sql).composites(&arguments)
}
