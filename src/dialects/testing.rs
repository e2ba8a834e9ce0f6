//! What the tests of the APIs have in common.

use serde_json::Value;

use super::{Api, Create, HttpRequest, HttpResponse, Lookup, Operation, Status, route};
use crate::domain::Error;

fn read<R>(
    api: &Api,
    method: &str,
    path: &str,
    headers: &Value,
    query: &Value,
    body: &Value,
    use_it: impl FnOnce(Operation) -> R,
) -> Result<R, HttpResponse> {
    let (route, parameters) = route(api, method, path)?;
    let (Some(headers), Some(query)) = (headers.as_object(), query.as_object()) else { unreachable!("objects") };
    let request = HttpRequest { parameters, headers, query, body };
    let result: Result<Operation, Error> = (route.read)(&request);
    result.map(use_it).map_err(|error| api.refuse_reading(&error))
}

/// Reads a request that creates a session, and looks at what it asks for.
pub fn created(api: &Api, path: &str, headers: Value, body: Value, look: impl FnOnce(Create)) {
    let empty = Value::Object(Default::default());
    let result = read(api, "POST", path, &headers, &empty, &body, |operation| match operation {
        Operation::Create(create) => look(*create),
        _ => unreachable!("it creates"),
    });
    assert_eq!(result.map_err(|response| response.body), Ok(()));
}

/// The answer to a request that is refused as it stands.
pub fn refused(api: &Api, method: &str, path: &str, headers: Value, body: Value) -> (u16, String) {
    let empty = Value::Object(Default::default());
    let result = read(api, method, path, &headers, &empty, &body, |_| ());
    let response = result.expect_err("refused");
    (response.status, response.body)
}

/// What a request for a list asks for: statuses, how many, after how many.
pub fn listed(api: &Api, path: &str, query: Value) -> Result<(Vec<Status>, i32, i32), (u16, String)> {
    let empty = Value::Object(Default::default());
    read(api, "GET", path, &empty, &query, &Value::Null, |operation| match operation {
        Operation::List(list) => (list.status.to_vec(), list.page_size, list.page_offset),
        _ => unreachable!("it lists"),
    })
    .map_err(|response| (response.status, response.body))
}

/// The id or the reference that a request looks up.
pub fn looked_up(api: &Api, path: &str) -> Result<String, (u16, String)> {
    let empty = Value::Object(Default::default());
    read(api, "GET", path, &empty, &empty, &Value::Null, |operation| match operation {
        Operation::Get(Lookup::Id(id)) | Operation::PaymentMethods(id) => id.to_string(),
        Operation::Get(Lookup::IdOrReference(text)) => text.to_owned(),
        _ => unreachable!("it looks something up"),
    })
    .map_err(|response| (response.status, response.body))
}
