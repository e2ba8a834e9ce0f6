//! Helpers for the tests of the dialects.

use std::cell::RefCell;
use std::collections::BTreeSet;

use serde_json::Value;

use super::{Create, Dialect, HttpRequest, HttpResponse, Lookup, Operation, Status, route};
use crate::Result;

type Refused = (u16, String);

thread_local! {
    static READ: RefCell<BTreeSet<String>> = const { RefCell::new(BTreeSet::new()) };
}

/// Remembers a name that a dialect looks for.
pub fn note(name: &str) {
    READ.with_borrow_mut(|read| read.insert(name.to_owned()));
}

/// Reads a request with `using`, which gets the operation of its route.
fn read<R>(
    dialect: &Dialect,
    method: &str,
    path: &str,
    parts: [&Value; 3],
    using: impl FnOnce(&Operation, &HttpRequest) -> Result<R>,
) -> std::result::Result<R, Refused> {
    let refused = |response: HttpResponse| (response.status, response.body);
    let (route, parameters) = route(dialect, method, path).map_err(refused)?;
    let [headers, query, body] = parts;
    let (Some(headers), Some(query)) = (headers.as_object(), query.as_object()) else { unreachable!("objects") };
    READ.take();
    let result = using(&route.operation, &HttpRequest { parameters, headers, query, body, uses_catalog: false });
    for name in READ.take() {
        let known = route.body.contains(&name.as_str()) || route.query.contains(&name.as_str());
        assert!(known, "{} reads {name}, and its route does not know it", dialect.name);
    }
    result.map_err(|error| refused(dialect.refuse_reading(&error)))
}

fn empty() -> Value {
    Value::Object(Default::default())
}

/// Reads a request that creates a session, and passes the result to `look`.
pub fn created(dialect: &Dialect, path: &str, headers: Value, body: Value, look: impl FnOnce(Create)) {
    let result = read(dialect, "POST", path, [&headers, &empty(), &body], |operation, request| match operation {
        Operation::Create { read, .. } => read(request).map(look),
        _ => unreachable!("it creates"),
    });
    assert_eq!(result, Ok(()));
}

/// Returns the answer to a request that is refused.
pub fn refused(dialect: &Dialect, method: &str, path: &str, headers: Value, body: Value) -> Refused {
    read(dialect, method, path, [&headers, &empty(), &body], |operation, request| match operation {
        Operation::Create { read, .. } => read(request).map(|_| ()),
        Operation::Get { read, .. } => read(request).map(|_| ()),
        Operation::List { read, .. } => read(request).map(|_| ()),
        Operation::Expire { read, .. } => read(request).map(|_| ()),
    })
    .expect_err("refused")
}

/// Reads a request for a list: statuses, page size, offset.
pub fn listed(dialect: &Dialect, path: &str, query: Value) -> std::result::Result<(Vec<Status>, i32, i32), Refused> {
    read(dialect, "GET", path, [&empty(), &query, &Value::Null], |operation, request| match operation {
        Operation::List { read, .. } => {
            read(request).map(|list| (list.status.to_vec(), list.page_size, list.page_offset))
        }
        _ => unreachable!("it lists"),
    })
}

/// The id or the reference that a request looks up.
pub fn looked_up(dialect: &Dialect, path: &str) -> std::result::Result<String, Refused> {
    read(dialect, "GET", path, [&empty(), &empty(), &Value::Null], |operation, request| match operation {
        Operation::Get { read, .. } => read(request).map(|lookup| match lookup {
            Lookup::Id(id) => id.to_string(),
            Lookup::IdOrReference(text) => text.to_owned(),
        }),
        _ => unreachable!("it looks something up"),
    })
}
