//! Lists of the catalog, newest first: one statement for each combination of filters in use.

use chrono::{DateTime, Utc};
use pgrx::datum::TimestampWithTimeZone;
use rules::{Error, Result};

use super::products::key;
use super::statement::{Access, Argument, Statement, at_most};
use crate::datum::{self, Composite};
use crate::tenant::Tenant;

/// What is listed. Its table is `c`; `row` may use `$4`, the time of the list.
pub struct Listed {
    pub row: &'static str,
    pub from: &'static str,
    pub table: &'static str,
    pub id: &'static str,
    /// The type of the id in SQL.
    pub id_type: &'static str,
    pub what: &'static str,
}

pub struct Page<'a> {
    pub size: i32,
    pub starting_after: Option<&'a str>,
}

impl Listed {
    /// The rows as the caller's snapshot sees them. The filters are expressions, and what they must be.
    pub(super) fn list<C: Composite>(
        &self,
        tenant: Tenant,
        filters: Vec<(&str, Option<Argument<'_>>)>,
        page: &Page,
        now: DateTime<Utc>,
    ) -> Result<Vec<C>> {
        let Self { row, from, table, id, id_type, what } = self;
        let mut arguments = vec![
            datum::uuid(tenant.organization_id).into(),
            tenant.environment.as_str().into(),
            page.size.into(),
            datum::timestamp(now).into(),
        ];
        let mut conditions = String::new();
        for (expression, value) in filters {
            if let Some(value) = value {
                arguments.push(value);
                conditions += &format!(" AND {expression} = ${}", arguments.len());
            }
        }
        if let Some(cursor) = page.starting_after {
            let sql = format!(
                "SELECT c.created_at FROM checkout_data.{table} c \
                 WHERE c.organization_id = $1 AND c.environment = $2 AND c.{id} = $3::{id_type}"
            );
            let created_at = Statement::composed(Access::Caller, sql)
                .row(&key(tenant, cursor), |row| row.get::<TimestampWithTimeZone>(1))?;
            let created_at = created_at.flatten().ok_or(Error::CursorNotFound { argument: "starting_after", what })?;
            arguments.extend([created_at.into(), cursor.into()]);
            let last = arguments.len();
            conditions += &format!(" AND (c.created_at, c.{id}) < (${}, ${last}::{id_type})", last - 1);
        }
        let sql = format!(
            "SELECT page.item FROM ( \
               SELECT {row} AS item FROM {from} WHERE c.organization_id = $1 AND c.environment = $2{conditions} \
               ORDER BY c.created_at DESC, c.{id} DESC LIMIT {}) AS page \
             LIMIT $3",
            at_most(page.size)
        );
        Statement::composed(Access::Caller, sql).composites(&arguments)
    }
}
