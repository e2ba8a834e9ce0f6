//! The transaction of a request: with its credential, as PostgREST begins it.

use axum::http::StatusCode;
use serde_json::{Map, Value};
use sqlx_core::pool::PoolConnection;
use sqlx_core::query::Query;
use sqlx_core::sql_str::AssertSqlSafe;
use sqlx_core::transaction::Transaction;
use sqlx_postgres::{PgArguments, PgRow};

use crate::gateway::connections::Connections;
use crate::gateway::failure::Failure;
use crate::gateway::request::Head;
use crate::gateway::sql_failure::failure;
use crate::gateway::token::Token;
use crate::sqlx::{self, Connection as _, Postgres};

/// The settings are there before pre_request reads them: a subquery with OFFSET is computed first.
pub const PREPARE: &str = "SELECT checkout.pre_request() IS NULL AS done FROM (SELECT
    set_config('request.headers', $1, true), set_config('request.method', $2, true),
    set_config('request.path', $3, true), set_config('request.jwt.claims', $4, true) OFFSET 0) AS settings";
const TAKE_ROLE: &str = "SELECT set_config('role', $1, true)";

/// Who presents a credential: the request, and its token if it has one.
pub struct Presented<'r> {
    pub head: &'r Head,
    pub token: Option<&'r Token>,
    /// True if there is a token or an API key, be it good or bad.
    pub is_any: bool,
}

/// Takes a connection, and gives it to `work` in a transaction that has presented the request's credential.
pub async fn of_request<T>(
    connections: &Connections,
    presented: &Presented<'_>,
    read_only: bool,
    work: impl AsyncFnOnce(&mut Transaction<'_, Postgres>) -> sqlx::Result<T>,
) -> Result<T, Failure> {
    let mut connection = connections.acquire().await?;
    let done = in_transaction(&mut connection, presented, read_only, work).await;
    done.map_err(|error| told(&error, presented, read_only))
}

/// As `of_request`, for one statement that begins with `PREPARE`: its own transaction, in one round trip. `call` is its
/// fifth parameter. A role cannot be taken in it.
pub async fn in_one_statement(
    connections: &Connections,
    presented: &Presented<'_>,
    read_only: bool,
    statement: String,
    call: String,
) -> Result<PgRow, Failure> {
    let mut connection = connections.acquire().await?;
    let prepared = prepared(sqlx::query(AssertSqlSafe(statement)), presented);
    let row = prepared.bind(call).fetch_one(&mut *connection).await;
    row.map_err(|error| told(&error, presented, read_only))
}

fn told(error: &sqlx::Error, presented: &Presented<'_>, read_only: bool) -> Failure {
    let failure = failure(error, presented.is_any);
    // A request that may write is right; the database is not.
    match failure.status == StatusCode::METHOD_NOT_ALLOWED && !read_only {
        true => Failure::unavailable(failure.message),
        false => failure,
    }
}

/// A statement with the parameters of `PREPARE`.
fn prepared<'q>(
    statement: Query<'q, Postgres, PgArguments>,
    presented: &Presented<'_>,
) -> Query<'q, Postgres, PgArguments> {
    let Presented { head, token, .. } = presented;
    let headers = Value::from(head.headers.clone()).to_string();
    let claims = token.map_or_else(String::new, |token| token.claims.clone());
    statement.bind(headers).bind(head.method.to_string()).bind(head.path.clone()).bind(claims)
}

async fn in_transaction<T>(
    connection: &mut PoolConnection<Postgres>,
    presented: &Presented<'_>,
    read_only: bool,
    work: impl AsyncFnOnce(&mut Transaction<'_, Postgres>) -> sqlx::Result<T>,
) -> sqlx::Result<T> {
    let begin = if read_only { "BEGIN READ ONLY" } else { "BEGIN" };
    let mut transaction = connection.begin_with(begin).await?;
    if let Some(role) = presented.token.and_then(|token| token.role.as_deref()) {
        sqlx::query(TAKE_ROLE).bind(role).execute(&mut *transaction).await?;
    }
    prepared(sqlx::query(PREPARE), presented).execute(&mut *transaction).await?;
    let done = work(&mut transaction).await?;
    transaction.commit().await?;
    Ok(done)
}

/// The headers that a function has set, in PostgREST's form: a list of objects with one member each.
pub fn response_headers(text: Option<&str>) -> Vec<(String, String)> {
    let list: Vec<Map<String, Value>> = text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let pairs = list.into_iter().flatten();
    pairs.filter_map(|(name, value)| Some((name, value.as_str()?.to_owned()))).collect()
}
