//! The dialects: an HTTP request in, its answer out.

use pgrx::prelude::*;
use rules::access::http_credential;
use rules::dialects;
use rules::{Error, Result};
use serde_json::{Map, Value};

use crate::datum::{HttpAnswer, Jsonb, Text, required_text};
use crate::operations::dialects::answer;
use crate::report::or_raise;

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
    or_raise((|| {
        let dialect = dialects::find(required_text("api", &api)?)?;
        let method = required_text("method", &method)?;
        let path = required_text("path", &path)?;
        let headers = texts("headers", headers)?;
        let query = texts("query", query)?;
        let mut response = answer(dialect, method, path, &headers, &query, body)?;
        if let Some(trace_id) = http_credential::trace_id(&headers) {
            response.headers.push(("X-Trace-Id", trace_id.to_owned()));
        }
        HttpAnswer::new(&response)
    })())
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
