//! The dialects: an HTTP request in, its answer out.

use pgrx::Uuid;
use pgrx::prelude::*;
use rules::access::http_credential;
use rules::dialects;
use rules::{Error, Result};
use serde_json::{Map, Value};

use crate::datum::{self, HttpAnswer, Jsonb, Text, required_text};
use crate::operations::dialects::answer;
use crate::report::{in_context, or_raise};

const HEADERS_BYTES: usize = 64 * 1024;

#[pg_extern(sql = false)]
fn handle_request(
    api: Option<Text>,
    method: Option<Text>,
    path: Option<Text>,
    headers: Option<Jsonb>,
    query: Option<Jsonb>,
    body: Option<Text>,
) -> HttpAnswer {
    or_raise(|| {
        let dialect = dialects::find(required_text("api", &api)?)?;
        let method = required_text("method", &method)?;
        let path = required_text("path", &path)?;
        let mut headers = texts("headers", headers)?;
        let query = texts("query", query)?;
        let request_id = http_credential::request_id(&headers).map_or_else(new_request_id, str::to_owned);
        headers.insert("x-request-id".to_owned(), request_id.as_str().into());
        let line = format!("checkout_sessions request {request_id}");
        let mut response = in_context(&line, || or_raise(|| answer(dialect, method, path, &headers, &query, body)));
        response.headers.push(("X-Request-Id", request_id));
        if let Some(trace_id) = http_credential::trace_id(&headers) {
            response.headers.push(("X-Trace-Id", trace_id.to_owned()));
        }
        HttpAnswer::new(&response)
    })
}

#[pg_extern(sql = false)]
fn session_id(id: Option<Text>) -> Uuid {
    or_raise(|| required_text("id", &id).and_then(|id| dialects::session_id("id", id)).map(datum::uuid))
}

fn new_request_id() -> String {
    uuid::Uuid::now_v7().to_string()
}

/// An object of texts, the form in which gateways have headers and queries. Names are in lower case; of several values
/// the first counts.
fn texts(argument: &'static str, value: Option<Jsonb>) -> Result<Map<String, Value>> {
    let Some(value) = value else { return Ok(Map::new()) };
    let value = serde_json::from_str(&value.read(argument, HEADERS_BYTES)?.text())
        .map_err(|_| Error::invalid(argument, "is nested too deeply"))?;
    let texts = match value {
        Value::Object(texts) => texts,
        Value::Null => Map::new(),
        _ => return Err(Error::invalid(argument, "must be a JSON object")),
    };
    let first = |value: Value| match value {
        Value::Array(values) => values.into_iter().next().unwrap_or_default(),
        value => value,
    };
    Ok(texts.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), first(value))).collect())
}
