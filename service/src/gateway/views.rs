//! Reads a view of the schema checkout: a small subset of PostgREST's grammar.

use axum::body::Body;
use axum::http::header::{CONTENT_RANGE, CONTENT_TYPE};
use axum::http::{HeaderValue, Response, StatusCode};
use sqlx_core::query::Query;
use sqlx_core::sql_str::AssertSqlSafe;
use sqlx_postgres::{PgArguments, PgRow};

use crate::gateway::catalog::{Column, quoted};
use crate::gateway::connections::Connections;
use crate::gateway::csv;
use crate::gateway::failure::{Failure, JSON};
use crate::gateway::filter::{Bound, Question, in_view};
use crate::gateway::target::Target;
use crate::gateway::transaction::{Presented, of_request};
use crate::sqlx::{self, Postgres, Row};

const MOST_ROWS: i64 = 1_000;
const MOST_ROWS_OF_CSV: i64 = 100_000;
const ALLOW: &str = "GET, HEAD, OPTIONS";

pub async fn read(connections: &Connections, name: &str, presented: &Presented<'_>) -> Result<Response<Body>, Failure> {
    let head = presented.head;
    if !head.reads() {
        return Err(Failure::method_not_allowed(ALLOW));
    }
    if !presented.is_any {
        return Err(Failure::new(StatusCode::UNAUTHORIZED, "PT401", "a credential is required: the header x-api-key"));
    }
    let catalog = connections.catalog();
    let view = catalog.view(name).ok_or_else(|| {
        Failure::new(StatusCode::NOT_FOUND, "42P01", format!("relation \"checkout.{name}\" does not exist"))
    })?;
    let question = Question::read(view, &head.query)?;
    let as_csv = head.header("accept").is_some_and(|kinds| kinds.to_ascii_lowercase().contains("text/csv"));
    let counts = head.header("prefer").is_some_and(|wishes| wishes.split(',').any(|wish| wish.trim() == "count=exact"));
    let most = if as_csv { MOST_ROWS_OF_CSV } else { MOST_ROWS };
    let limit = question.limit.map_or(most, |limit| limit.min(most));

    let source = format!("FROM checkout.{} AS v {}", quoted(&view.name), question.conditions);
    let rows = rows_of(&question, &source, limit, as_csv);
    let count = format!("SELECT count(*) {source}");
    let found = of_request(connections, presented, true, async |transaction| {
        let rows = match as_csv {
            true => {
                Rows::read_all(bound(rows, &question.values).fetch_all(&mut **transaction).await?, &question.columns)?
            }
            false => Rows::read_json(&bound(rows, &question.values).fetch_one(&mut **transaction).await?)?,
        };
        let total = match counts {
            true => Some(bound(count, &question.values).fetch_one(&mut **transaction).await?.try_get("count")?),
            false => None,
        };
        Ok((rows, total))
    });
    let (rows, total) = found.await?;
    Ok(answer(rows, question.offset, total))
}

/// The statement for a page. All of its statements have the same parameters.
fn rows_of(question: &Question, source: &str, limit: i64, as_csv: bool) -> String {
    let columns: Vec<String> = question.columns.iter().map(in_view).collect();
    let (order, offset) = (&question.order, question.offset);
    if as_csv {
        let texts: Vec<String> = columns.iter().map(|column| format!("{column}::text")).collect();
        return format!("SELECT {} {source} {order} LIMIT {limit} OFFSET {offset}", texts.join(", "));
    }
    let columns = columns.join(", ");
    format!(
        "SELECT count(*) AS rows, coalesce(json_agg(r), '[]')::text AS body
         FROM (SELECT {columns} {source} {order} LIMIT {limit} OFFSET {offset}) AS r"
    )
}

fn bound<'q>(statement: String, values: &[Bound]) -> Query<'q, Postgres, PgArguments> {
    let mut query = sqlx::query(AssertSqlSafe(statement));
    for value in values {
        query = match value {
            Bound::Text(text) => query.bind(text.clone()),
            Bound::List(texts) => query.bind(texts.clone()),
        };
    }
    query
}

struct Rows {
    count: i64,
    body: String,
    kind: HeaderValue,
}

impl Rows {
    fn read_json(row: &PgRow) -> sqlx::Result<Self> {
        Ok(Self { count: row.try_get("rows")?, body: row.try_get("body")?, kind: JSON })
    }

    fn read_all(rows: Vec<PgRow>, columns: &[Column]) -> sqlx::Result<Self> {
        let texts = |row: &PgRow| (0..columns.len()).map(|at| row.try_get(at)).collect::<sqlx::Result<Vec<_>>>();
        let rows: Vec<Vec<Option<String>>> = rows.iter().map(texts).collect::<sqlx::Result<_>>()?;
        Ok(Self {
            count: i64::try_from(rows.len()).unwrap_or(i64::MAX),
            body: csv::write(columns, &rows),
            kind: HeaderValue::from_static("text/csv; charset=utf-8"),
        })
    }
}

fn answer(rows: Rows, offset: i64, total: Option<i64>) -> Response<Body> {
    let mut response = Response::new(Body::from(rows.body));
    if total.is_some_and(|total| offset > total) {
        let message = "Requested range not satisfiable";
        let failure = Failure::new(StatusCode::RANGE_NOT_SATISFIABLE, "PGRST103", message);
        response = failure.response(Target::View(""));
    } else {
        response.headers_mut().insert(CONTENT_TYPE, rows.kind);
    }
    if response.status().is_success() && total.is_some_and(|total| rows.count < total) {
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    if let Ok(range) = HeaderValue::try_from(range(offset, rows.count, total)) {
        response.headers_mut().insert(CONTENT_RANGE, range);
    }
    response
}

/// `0-19/259`; without a total `0-19/*`, without rows `*/259`.
fn range(offset: i64, count: i64, total: Option<i64>) -> String {
    let total = total.map_or_else(|| "*".to_owned(), |total| total.to_string());
    match count {
        0 => format!("*/{total}"),
        _ => format!("{offset}-{}/{total}", offset.saturating_add(count) - 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_written_as_postgrest_does() {
        assert_eq!(range(0, 20, Some(259)), "0-19/259");
        assert_eq!(range(40, 20, None), "40-59/*");
        assert_eq!(range(0, 0, Some(0)), "*/0");
    }
}
