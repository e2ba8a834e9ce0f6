//! The list of sessions: one statement for each combination of filters in use.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::statement::{Access, Argument, Statement};
use crate::datum::{self, Session};
use crate::tenant::Tenant;
use rules::Result;
use rules::checkout::ids::least_session_id;
use rules::checkout::status::Status;

/// The filters of a list.
#[derive(Default)]
pub struct Filter<'a> {
    /// Sessions in any of these statuses; in every status if it is empty.
    pub status: &'a [Status],
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

/// Sessions, newest first, as the caller's snapshot sees them.
pub fn list(tenant: Tenant, filter: &Filter, now: DateTime<Utc>) -> Result<Vec<Session>> {
    run(Access::Caller, tenant, filter, now)
}

/// Sessions, newest first, for a caller that may have written since its snapshot.
pub fn list_again(tenant: Tenant, filter: &Filter, now: DateTime<Utc>) -> Result<Vec<Session>> {
    run(Access::Transaction, tenant, filter, now)
}

fn run(access: Access, tenant: Tenant, filter: &Filter, now: DateTime<Utc>) -> Result<Vec<Session>> {
    let (sql, arguments) = compose(tenant, filter, now);
    let mut sessions = Statement::composed(access, sql).composites(&arguments)?;
    if filter.ending_before.is_some() {
        sessions.reverse();
    }
    Ok(sessions)
}

fn compose<'a>(tenant: Tenant, filter: &Filter<'a>, now: DateTime<Utc>) -> (String, Vec<Argument<'a>>) {
    let mut arguments: Vec<Argument<'a>> = vec![
        datum::uuid(tenant.organization_id).into(),
        tenant.environment.as_str().into(),
        datum::timestamp(now).into(),
        filter.page_size.into(),
    ];
    let mut bind = |argument: Argument<'a>| {
        arguments.push(argument);
        format!("${}", arguments.len())
    };
    let open = filter.status == [Status::Open];
    let (mut of_sessions, mut of_keys) = (String::new(), String::new());
    let texts = [
        ("customer_id", filter.customer_id),
        ("customer_email", filter.customer_email),
        ("reference", filter.reference),
    ];
    for (column, value) in texts {
        if let Some(value) = value {
            of_sessions += &format!(" AND s.{column} = {}", bind(value.into()));
        }
    }
    if let Some(value) = filter.payment_id {
        of_sessions += &format!(
            " AND s.checkout_session_id = (SELECT p.checkout_session_id FROM checkout_data.payments p \
             WHERE p.organization_id = $1 AND p.environment = $2 AND p.payment_id = {})",
            bind(value.into())
        );
    }
    let selective = !of_sessions.is_empty();
    // Whose keys are in order.
    let ordered = if open && !selective { "o" } else { "s" };
    let (from, before) = keys(filter);
    for (operator, id) in [(">=", from), ("<", before)] {
        if let Some(id) = id {
            of_keys += &format!(" AND {ordered}.checkout_session_id {operator} {}", bind(datum::uuid(id).into()));
        }
    }
    for (operator, at) in [(">=", filter.created_after), ("<", filter.created_before)] {
        if let Some(at) = at {
            of_sessions += &format!(" AND s.created_at {operator} {}", bind(datum::timestamp(at).into()));
        }
    }
    if !open && !filter.status.is_empty() {
        of_sessions += &format!(
            " AND checkout_data.effective_status(s, $3) = ANY ({})",
            bind(filter.status.iter().map(|status| status.as_str()).collect::<Vec<_>>().into())
        );
    }
    let session =
        "SELECT checkout_data.session_at(s, $3, false, NULL, NULL) AS session FROM checkout_data.checkout_sessions s";
    let of_tenant = "s.organization_id = $1 AND s.environment = $2";
    let is_open = "o.organization_id = $1 AND o.environment = $2 AND o.deadline > $3";
    let same = "s.checkout_session_id = o.checkout_session_id";
    let rows = match (open, selective) {
        // In the order of the open sessions, also if they are few and old: OFFSET 0 leaves the planner no other join.
        (true, false) => format!(
            "SELECT s.session FROM checkout_data.open_sessions o \
             CROSS JOIN LATERAL ({session} WHERE {of_tenant} AND {same}{of_sessions} OFFSET 0) AS s \
             WHERE {is_open}{of_keys}"
        ),
        (true, true) => format!(
            "{session} JOIN checkout_data.open_sessions o ON {same} WHERE {of_tenant} AND {is_open}{of_keys}{of_sessions}"
        ),
        (false, _) => format!("{session} WHERE {of_tenant}{of_keys}{of_sessions}"),
    };
    let direction = if filter.ending_before.is_some() { "ASC" } else { "DESC" };
    let sessions = format!("{rows} ORDER BY {ordered}.checkout_session_id {direction}");
    let offset = match filter.page_offset {
        0 => String::new(),
        rows => {
            arguments.push(i64::from(rows).into());
            format!(" OFFSET ${}", arguments.len())
        }
    };
    // The planner takes a parameter of LIMIT for a tenth of all rows, so the statement has a bound. If every page size
    // were a bound, each would have a plan of its own.
    let sql = match filter.page_size {
        size @ (20 | 21 | 100 | 101) => format!("{sessions} LIMIT {size}{offset}"),
        size => {
            let bound = if size < 20 { 20 } else { 101 };
            format!("SELECT page.session FROM ({sessions} LIMIT {bound}{offset}) AS page LIMIT $4")
        }
    };
    (sql, arguments)
}

/// The range of ids that a period and a cursor leave: an id holds the milliseconds of created_at. It includes the first
/// id, and excludes the second.
fn keys(filter: &Filter) -> (Option<Uuid>, Option<Uuid>) {
    let after = filter.ending_before.map(|id| Uuid::from_u128(id.as_u128().saturating_add(1)));
    let from = filter.created_after.and_then(least_session_id).max(after);
    // Up to the next millisecond: some ids of this one may still be before the end.
    let end = filter.created_before.and_then(|at| at.checked_add_signed(TimeDelta::milliseconds(1)));
    let ends = [end.and_then(least_session_id), filter.starting_after];
    (from, ends.into_iter().flatten().min())
}
