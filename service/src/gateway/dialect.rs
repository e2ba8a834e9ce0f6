//! Forwards a request to checkout.handle_request, and returns its answer.

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderName, HeaderValue, Response, StatusCode};
use rules::dialects::Dialect;
use serde_json::{Map, Value};

use crate::gateway::connections::Connections;
use crate::gateway::failure::{Failure, JSON};
use crate::gateway::request::Head;
use crate::gateway::{form, query, sql_failure};
use crate::sqlx::{self, Row};

/// One statement, so one transaction: when it has answered, it is committed.
const FORWARD: &str = "SELECT status, headers::text AS headers, body::text AS body FROM checkout.handle_request(
    api => $1, method => $2, path => $3, headers => $4::jsonb, query => $5::jsonb, body => $6)";
/// Bytes that are no text are not JSON either: this makes the dialect say so.
const NO_TEXT: &str = "\u{fffd}";
/// The dialect whose client sends forms.
const FORMS: &str = "paygate";

pub async fn forward(
    connections: &Connections,
    dialect: &'static Dialect,
    path: &str,
    head: &Head,
    body: Vec<u8>,
) -> Result<Response<Body>, Failure> {
    head.check_path()?;
    let headers = Value::from(head.headers.clone()).to_string();
    let query = Value::from(query::object(&head.query)).to_string();
    let mut connection = connections.acquire().await?;
    let forward = sqlx::query(FORWARD)
        .bind(dialect.name)
        .bind(head.method.as_str())
        .bind(path)
        .bind(headers)
        .bind(query)
        .bind(text_of(dialect, head, body));
    let row = forward.fetch_one(&mut *connection).await.map_err(|error| failure(&error))?;
    let read = || -> sqlx::Result<_> { Ok((row.try_get("status")?, row.try_get("headers")?, row.try_get("body")?)) };
    let (status, headers, body) = read().map_err(|error| failure(&error))?;
    answer(status, headers, body).ok_or_else(|| Failure::internal("XX000", "handle_request has answered nonsense"))
}

/// What is wrong is an answer of the dialect's. An error is the gateway's fault, or the server's.
fn failure(error: &sqlx::Error) -> Failure {
    let failure = sql_failure::failure(error, true);
    match failure.status {
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT => failure,
        StatusCode::BAD_REQUEST => Failure { code: Box::default(), ..failure },
        StatusCode::METHOD_NOT_ALLOWED => Failure::unavailable(failure.message),
        _ => Failure::internal(&failure.code, failure.cause.unwrap_or(failure.message)),
    }
}

/// The body as it was written: if it were parsed, its numbers could change. `None` if it is empty.
fn text_of(dialect: &Dialect, head: &Head, body: Vec<u8>) -> Option<String> {
    if body.is_empty() {
        return None;
    }
    let no_text = || Some(NO_TEXT.to_owned());
    let Some(text) = String::from_utf8(body).ok().filter(|text| !text.contains('\0')) else { return no_text() };
    let kind = head.header("content-type").unwrap_or_default();
    let is_form = kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case(form::CONTENT_TYPE));
    if is_form && dialect.name == FORMS { form::to_json(&text).or_else(no_text) } else { Some(text) }
}

fn answer(status: i32, headers: Option<String>, body: Option<String>) -> Option<Response<Body>> {
    let status = u16::try_from(status).ok().and_then(|status| StatusCode::from_u16(status).ok())?;
    let has_body = body.is_some();
    let mut response = Response::new(body.map_or_else(Body::empty, Body::from));
    *response.status_mut() = status;
    let headers: Map<String, Value> = headers.map_or(Some(Map::new()), |text| serde_json::from_str(&text).ok())?;
    for (name, value) in headers {
        let (name, value) = (HeaderName::try_from(name).ok()?, HeaderValue::try_from(value.as_str()?).ok()?);
        response.headers_mut().insert(name, value);
    }
    if has_body {
        response.headers_mut().insert(CONTENT_TYPE, JSON);
    }
    Some(response)
}
