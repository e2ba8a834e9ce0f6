//! The answer to an HTTP request, as a row.

use super::statement::statement;
use crate::datum::HttpAnswer;
use crate::dialects::HttpResponse;
use crate::domain::{Error, Result};

statement!(ANSWER, Read, "SELECT ROW($1, $2::jsonb, $3::json)::checkout.http_response");

pub fn answer(response: &HttpResponse) -> Result<HttpAnswer> {
    let headers: serde_json::Map<_, _> =
        response.headers.iter().map(|(name, value)| ((*name).to_owned(), value.as_str().into())).collect();
    let headers = serde_json::Value::from(headers).to_string();
    let arguments = [i32::from(response.status).into(), headers.into(), response.body.as_str().into()];
    ANSWER
        .with(|statement| statement.composite(&arguments))?
        .ok_or_else(|| Error::Internal("an HTTP response was not made".into()))
}
