//! The list of sessions.
//!
//! Every text is a plan that the backend keeps, so there are few: the text says which index a list goes through, and from where
//! to where. All else about a list is in its arguments.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::sessions;
use super::statement::{Access, Argument, Statement};
use crate::datum::{self, Session};
use crate::domain::Result;
use crate::domain::session::least_session_id;
use crate::domain::status::Status;
use crate::domain::view::SessionView;
use crate::tenant::Tenant;

/// The filters of a list.
#[derive(Default)]
pub struct Filter<'a> {
    /// Any of these; every status where there is none.
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

/// Sessions as the documented APIs read them, newest first.
pub fn views(tenant: Tenant, filter: &Filter, now: DateTime<Utc>) -> Result<Vec<SessionView>> {
    let sql = compose("row_to_json(checkout_data.session_at(s, $3, false, NULL))::text", filter);
    let texts = Statement::composed(Access::Write, sql).texts(&arguments(tenant, filter, now))?;
    texts.iter().map(|text| sessions::read_view(text)).collect()
}

/// Sessions, newest first.
pub fn list(tenant: Tenant, filter: &Filter, now: DateTime<Utc>) -> Result<Vec<Session>> {
    let sql = compose("checkout_data.session_at(s, $3, false, NULL)", filter);
    let mut sessions = Statement::composed(Access::Read, sql).composites(&arguments(tenant, filter, now))?;
    if filter.ending_before.is_some() {
        sessions.reverse();
    }
    Ok(sessions)
}

/// The conditions by which a list finds its sessions: those of the first that is given decide which index it goes through,
/// those of the others are looked at in each row.
fn conditions(filter: &Filter) -> String {
    let texts = [
        (filter.reference, "s.reference = $4"),
        (filter.customer_id, "s.customer_id = $5"),
        (filter.customer_email, "s.customer_email = $6"),
    ];
    let mut found = filter.payment_id.is_some();
    let mut conditions = String::new();
    if found {
        conditions.push_str(
            " AND s.checkout_session_id = (SELECT p.checkout_session_id FROM checkout_data.payments p \
             WHERE p.organization_id = $1 AND p.environment = $2 AND p.payment_id = $7)",
        );
    }
    for (number, (value, condition)) in (4..).zip(texts) {
        if value.is_some() && !found {
            found = true;
            conditions.push_str(&format!(" AND {condition}"));
        } else {
            conditions.push_str(&format!(" AND (${number} IS NULL OR {condition})"));
        }
    }
    match filter.status {
        // In the words of the partial index.
        [Status::Open] if !found => conditions.push_str(" AND s.status = 'open' AND s.deadline > $3"),
        [] => {}
        _ => conditions.push_str(" AND checkout_data.effective_status(s.status, s.deadline, $3) = ANY ($8)"),
    }
    conditions
}

fn compose(shown: &str, filter: &Filter) -> String {
    let mut conditions = conditions(filter);
    let (from, before) = keys(filter);
    let given = [
        (from.is_some(), " AND s.checkout_session_id >= $9"),
        (before.is_some(), " AND s.checkout_session_id < $10"),
        (filter.created_after.is_some(), " AND s.created_at >= $11"),
        (filter.created_before.is_some(), " AND s.created_at < $12"),
    ];
    for (_, condition) in given.into_iter().filter(|(given, _)| *given) {
        conditions.push_str(condition);
    }
    let direction = if filter.ending_before.is_some() { "ASC" } else { "DESC" };
    let sessions = format!(
        "SELECT {shown} AS session FROM checkout_data.checkout_sessions s \
         WHERE s.organization_id = $1 AND s.environment = $2{conditions} ORDER BY s.checkout_session_id {direction}"
    );
    if filter.page_offset > 0 {
        return format!("{sessions} LIMIT $13 OFFSET $14");
    }
    // To the planner a parameter of LIMIT is a tenth of all rows, so it is given a bound; and every page size as a bound of its
    // own would be a plan kept for each.
    let bound = if filter.page_size <= 21 { 21 } else { 101 };
    format!("SELECT page.session FROM ({sessions} LIMIT {bound}) AS page LIMIT $13")
}

/// The range of ids that a period and a cursor leave: the id holds the milliseconds of created_at. From the first one on, and
/// before the second.
fn keys(filter: &Filter) -> (Option<Uuid>, Option<Uuid>) {
    let after = filter.ending_before.map(|id| Uuid::from_u128(id.as_u128().saturating_add(1)));
    let from = filter.created_after.and_then(least_session_id).max(after);
    // Up to the next millisecond: of this one, some may still be before.
    let end = filter.created_before.and_then(|at| at.checked_add_signed(TimeDelta::milliseconds(1)));
    let ends = [end.and_then(least_session_id), filter.starting_after];
    (from, ends.into_iter().flatten().min())
}

fn arguments<'a>(tenant: Tenant, filter: &Filter<'a>, now: DateTime<Utc>) -> Vec<Argument<'a>> {
    let (from, before) = keys(filter);
    vec![
        datum::uuid(tenant.organization_id).into(),
        tenant.environment.as_str().into(),
        datum::timestamp(now).into(),
        filter.reference.into(),
        filter.customer_id.into(),
        filter.customer_email.into(),
        filter.payment_id.into(),
        filter.status.iter().map(|status| status.as_str()).collect::<Vec<_>>().into(),
        from.map(datum::uuid).into(),
        before.map(datum::uuid).into(),
        filter.created_after.map(datum::timestamp).into(),
        filter.created_before.map(datum::timestamp).into(),
        filter.page_size.into(),
        i64::from(filter.page_offset).into(),
    ]
}
