//! The list of sessions: one statement for each combination of filters.

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

/// The filters of a list. Every combination has a statement, and a kept plan, of its own.
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
    let (sql, arguments) =
        compose("row_to_json(checkout_data.session_at(s, $3, false, NULL))::text", tenant, filter, now);
    Statement::composed(Access::Write, sql).texts(&arguments)?.iter().map(|text| sessions::read_view(text)).collect()
}

/// Sessions, newest first.
pub fn list(tenant: Tenant, filter: &Filter, now: DateTime<Utc>) -> Result<Vec<Session>> {
    let (sql, arguments) = compose("checkout_data.session_at(s, $3, false, NULL)", tenant, filter, now);
    let statement = Statement::composed(Access::Read, sql);
    let mut sessions = statement.composites(&arguments)?;
    if filter.ending_before.is_some() {
        sessions.reverse();
    }
    Ok(sessions)
}

fn compose<'a>(shown: &str, tenant: Tenant, filter: &Filter<'a>, now: DateTime<Utc>) -> (String, Vec<Argument<'a>>) {
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
        if let Some(id) = least_session_id(at) {
            add("s.checkout_session_id >= ?", datum::uuid(id).into());
        }
        add("s.created_at >= ?", datum::timestamp(at).into());
    }
    if let Some(at) = filter.created_before {
        // Up to the next millisecond: of this one, some may still be before.
        let bound = at.checked_add_signed(TimeDelta::milliseconds(1)).and_then(least_session_id);
        if let Some(id) = bound {
            add("s.checkout_session_id < ?", datum::uuid(id).into());
        }
        add("s.created_at < ?", datum::timestamp(at).into());
    }
    if let Some(id) = filter.starting_after {
        add("s.checkout_session_id < ?", datum::uuid(id).into());
    }
    if let Some(id) = filter.ending_before {
        add("s.checkout_session_id > ?", datum::uuid(id).into());
    }
    match filter.status {
        [] => {}
        // Also in the words of the partial index.
        [Status::Open] => conditions.push_str(" AND s.status = 'open' AND s.deadline > $3"),
        some => {
            let some: Vec<_> = some.iter().map(|status| format!("'{status}'")).collect();
            let some = some.join(", ");
            conditions.push_str(&format!(" AND checkout_data.effective_status(s.status, s.deadline, $3) IN ({some})"));
        }
    }
    let direction = if filter.ending_before.is_some() { "ASC" } else { "DESC" };
    // Every offset as a statement of its own would be a plan kept for each.
    let offset = match filter.page_offset {
        0 => String::new(),
        rows => {
            arguments.push(i64::from(rows).into());
            format!(" OFFSET ${}", arguments.len())
        }
    };
    // A literal, because the planner takes a parameter of LIMIT for a tenth of all rows.
    let sql = format!(
        "SELECT {shown} FROM checkout_data.checkout_sessions s \
         WHERE s.organization_id = $1 AND s.environment = $2{conditions} \
         ORDER BY s.checkout_session_id {direction} LIMIT {}{offset}",
        filter.page_size
    );
    (sql, arguments)
}
