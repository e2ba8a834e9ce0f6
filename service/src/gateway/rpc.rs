//! Calls a function of the schema checkout, and answers as PostgREST does.

use std::collections::BTreeMap;
use std::fmt::Write;

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderName, HeaderValue, Method, Response, StatusCode};
use serde::de::IgnoredAny;
use serde_json::Value;
use sqlx_core::sql_str::AssertSqlSafe;
use sqlx_core::transaction::Transaction;

use crate::gateway::catalog::{Function, Returns, quoted};
use crate::gateway::connections::Connections;
use crate::gateway::failure::{Failure, JSON};
use crate::gateway::sql_failure::failure;
use crate::gateway::transaction::{PREPARE, Presented, in_one_statement, of_request, response_headers};
use crate::gateway::{credential, query};
use crate::sqlx::{self, Postgres, Row};

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
    // The role of a token must be taken before the statement whose rights it has.
    let row = if presented.token.is_some() {
        let statement = statement(function, &given, "SELECT true AS done", 1);
        let call = async |transaction: &mut Transaction<'_, Postgres>| {
            sqlx::query(AssertSqlSafe(statement)).bind(arguments).fetch_one(&mut **transaction).await
        };
        of_request(connections, presented, function.stable, call).await?
    } else {
        let statement = statement(function, &given, PREPARE, 5);
        in_one_statement(connections, presented, function.stable, statement, arguments).await?
    };
    let text = |name| row.try_get::<Option<String>, _>(name).map_err(|error| failure(&error, presented.is_any));
    let (body, headers) = (text("body")?, text("headers")?);
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
///
/// `prepare` is computed first: the call waits for its row. It would otherwise be refused, for want of a credential.
fn statement(function: &Function, given: &BTreeMap<String, IgnoredAny>, prepare: &str, parameter: usize) -> String {
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
        "" => format!("(SELECT ${parameter}::json) AS a"),
        columns => format!("json_to_record(${parameter}::json) AS a ({columns})"),
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
         FROM (SELECT {columns} FROM ({prepare} OFFSET 0) AS p, {given},
             LATERAL (SELECT * FROM checkout.{name}({arguments}) WHERE p.done IS NOT NULL OFFSET 0) AS {row}) AS r"
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
        let call = statement(catalog.function("get", &given).expect("there"), &given, PREPARE, 5);
        assert!(call.contains(", json_to_record($5::json) AS a (\"id\" uuid, \"ids\" uuid[])"), "{call}");
        let of_call =
            "FROM checkout.\"get\"(\"id\" => a.\"id\", \"ids\" => a.\"ids\") WHERE p.done IS NOT NULL OFFSET 0) AS f";
        assert!(call.contains(of_call), "{call}");
    }

    #[test]
    fn a_wrong_call_is_told_in_postgrest_s_words() {
        let given = ["b", "a"].map(|name| (name.to_owned(), IgnoredAny)).into();
        let failure = unknown("get", &given);
        let message = "Could not find the function checkout.get(a, b) in the schema cache";
        assert_eq!((failure.status.as_u16(), &*failure.message), (404, message));
    }
}
