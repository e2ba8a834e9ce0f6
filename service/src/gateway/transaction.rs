//! The transaction of a request: with its credential, as PostgREST begins it.

use axum::http::StatusCode;
use serde_json::{Map, Value};
use sqlx_core::pool::PoolConnection;
use sqlx_core::transaction::Transaction;

use crate::gateway::connections::Connections;
use crate::gateway::failure::Failure;
use crate::gateway::request::Head;
use crate::gateway::sql_failure::failure;
use crate::gateway::token::Token;
use crate::sqlx::{self, Connection as _, Postgres};

/// The settings are there before pre_request reads them: a subquery with OFFSET is computed first.
const PREPARE: &str = "SELECT checkout.pre_request() FROM (SELECT
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
    done.map_err(|error| {
        let failure = failure(&error, presented.is_any);
        // A request that may write is right; the database is not.
        match failure.status == StatusCode::METHOD_NOT_ALLOWED && !read_only {
            true => Failure::unavailable(failure.message),
            false => failure,
        }
    })
}

async fn in_transaction<T>(
    connection: &mut PoolConnection<Postgres>,
    presented: &Presented<'_>,
    read_only: bool,
    work: impl AsyncFnOnce(&mut Transaction<'_, Postgres>) -> sqlx::Result<T>,
) -> sqlx::Result<T> {
    let begin = if read_only { "BEGIN READ ONLY" } else { "BEGIN" };
    let mut transaction = connection.begin_with(begin).await?;
    let Presented { head, token, .. } = presented;
    if let Some(role) = token.and_then(|token| token.role.as_deref()) {
        sqlx::query(TAKE_ROLE).bind(role).execute(&mut *transaction).await?;
    }
    let headers = Value::from(head.headers.clone()).to_string();
    let claims = token.map_or("", |token| token.claims.as_str());
    let prepare = sqlx::query(PREPARE).bind(headers).bind(head.method.as_str()).bind(&head.path).bind(claims);
    prepare.execute(&mut *transaction).await?;
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
