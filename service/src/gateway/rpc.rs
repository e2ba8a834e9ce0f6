//! Calls a function of the schema checkout, and answers as PostgREST does.

use std::collections::BTreeMap;
use std::fmt::Write;

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderName, HeaderValue, Method, Response, StatusCode};
use serde::de::IgnoredAny;
use serde_json::Value;
use sqlx_core::sql_str::AssertSqlSafe;

use crate::gateway::catalog::{Function, Returns, quoted};
use crate::gateway::connections::Connections;
use crate::gateway::failure::{Failure, JSON};
use crate::gateway::transaction::{Presented, of_request, response_headers};
use crate::gateway::{credential, query};
use crate::sqlx::{self, Row};

const ALLOW_ALL: &str = "GET, HEAD, POST, OPTIONS";
const ALLOW_POST: &str = "POST, OPTIONS";

pub async fn call(
    connections: &Connections,
    name: &str,
    presented: &Presented<'_>,
    body: Vec<u8>,
) -> Result<Response<Body>, Failure> {
    let head = presented.head;
    let arguments = match head.method {
        Method::GET | Method::HEAD => Value::from(query::object(&head.query)).to_string(),
        Method::POST => text_of(body)?,
        _ => return Err(Failure::method_not_allowed(ALLOW_ALL)),
    };
    if !presented.is_any && !credential::is_for_buyers(name) {
        return Err(Failure::new(StatusCode::UNAUTHORIZED, "PT401", "a credential is required: the header x-api-key"));
    }
    let given: BTreeMap<String, IgnoredAny> = serde_json::from_str(&arguments).map_err(|_| Failure {
        code: "PGRST102".into(),
        ..Failure::bad_request("Empty or invalid json: an object of arguments")
    })?;
    let catalog = connections.catalog();
    let function = catalog.function(name, &given).ok_or_else(|| unknown(name, &given))?;
    if head.reads() && !function.stable {
        return Err(Failure {
            code: "25006".into(),
            message: format!("cannot execute {name} in a read-only transaction").into(),
            ..Failure::method_not_allowed(ALLOW_POST)
        });
    }
    let statement = statement(function, &given);
    let called = of_request(connections, presented, function.stable, async |transaction| {
        let call = sqlx::query(AssertSqlSafe(statement)).bind(arguments);
        let row = call.fetch_one(&mut **transaction).await?;
        Ok((row.try_get::<Option<String>, _>("body")?, row.try_get::<Option<String>, _>("headers")?))
    });
    let (body, headers) = called.await?;
    let mut response = match (function.returns, body) {
        (Returns::Nothing, _) | (_, None) => {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::NO_CONTENT;
            response
        }
        (_, Some(body)) => {
            let mut response = Response::new(Body::from(body));
            response.headers_mut().insert(CONTENT_TYPE, JSON);
            response
        }
    };
    for (name, value) in response_headers(headers.as_deref()) {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            response.headers_mut().insert(name, value);
        }
    }
    Ok(response)
}

/// The arguments of a POST; an empty body has none.
fn text_of(body: Vec<u8>) -> Result<String, Failure> {
    let not_text = || Failure { code: "PGRST102".into(), ..Failure::bad_request("The request body is not UTF-8") };
    let text = String::from_utf8(body).map_err(|_| not_text())?;
    Ok(if text.trim().is_empty() { "{}".into() } else { text })
}

/// In PostgREST's words.
fn unknown(name: &str, given: &BTreeMap<String, IgnoredAny>) -> Failure {
    let names: Vec<&str> = given.keys().map(String::as_str).collect();
    let message = match names.join(", ").as_str() {
        "" => format!("Could not find the function checkout.{name} without parameters in the schema cache"),
        names => format!("Could not find the function checkout.{name}({names}) in the schema cache"),
    };
    Failure::new(StatusCode::NOT_FOUND, "PGRST202", message)
}

/// The call, with the JSON object of its arguments as its parameter. Names come from the catalog. The database converts
/// the values to the types of the arguments, so that numbers stay as they are written.
fn statement(function: &Function, given: &BTreeMap<String, IgnoredAny>) -> String {
    let (mut columns, mut arguments) = (String::new(), String::new());
    for argument in function.arguments.iter().filter(|argument| given.contains_key(&argument.name)) {
        let separator = if columns.is_empty() { "" } else { ", " };
        let name = quoted(&argument.name);
        // Writing to a string does not fail.
        let _ = write!(columns, "{separator}{name} {}", argument.type_name);
        let _ = write!(arguments, "{separator}{name} => a.{name}");
    }
    let name = quoted(&function.name);
    // Without arguments the parameter is there, too.
    let given = match columns.as_str() {
        "" => "(SELECT $1::json) AS a".to_owned(),
        columns => format!("json_to_record($1::json) AS a ({columns})"),
    };
    let (result, row, columns) = match function.returns {
        Returns::Nothing => ("NULL::text", "f (value)", "f.value"),
        Returns::Value { many: false } => ("coalesce(json_agg(r.value)->0, 'null')::text", "f (value)", "f.value"),
        Returns::Value { many: true } => ("coalesce(json_agg(r.value), '[]')::text", "f (value)", "f.value"),
        Returns::Row { many: false } => ("coalesce(json_agg(r)->0, 'null')::text", "f", "f.*"),
        Returns::Row { many: true } => ("coalesce(json_agg(r), '[]')::text", "f", "f.*"),
    };
    format!(
        "SELECT {result} AS body, nullif(current_setting('response.headers', true), '') AS headers
         FROM (SELECT {columns} FROM {given}, LATERAL checkout.{name}({arguments}) AS {row}) AS r"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::catalog::testing;

    #[test]
    fn a_call_names_its_arguments_and_their_types() {
        let catalog = testing::catalog();
        let given = ["id", "ids"].map(|name| (name.to_owned(), IgnoredAny)).into();
        let call = statement(catalog.function("get", &given).expect("there"), &given);
        assert!(call.contains("FROM json_to_record($1::json) AS a (\"id\" uuid, \"ids\" uuid[])"), "{call}");
        assert!(call.contains("LATERAL checkout.\"get\"(\"id\" => a.\"id\", \"ids\" => a.\"ids\") AS f"), "{call}");
    }

    #[test]
    fn a_wrong_call_is_told_in_postgrest_s_words() {
        let given = ["b", "a"].map(|name| (name.to_owned(), IgnoredAny)).into();
        let failure = unknown("get", &given);
        let message = "Could not find the function checkout.get(a, b) in the schema cache";
        assert_eq!((failure.status.as_u16(), &*failure.message), (404, message));
    }
}
