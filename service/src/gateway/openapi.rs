//! An OpenAPI document of the served dialects: their routes, as the rules have them.

use rules::dialects::{self, Dialect, Operation, Route};
use serde_json::{Map, Value, json};

use crate::gateway::target::DIALECTS;

/// The document of one dialect at the root, or of all below their names.
pub fn document(alone: Option<&'static Dialect>) -> String {
    let served: Vec<(String, &Dialect)> = match alone {
        Some(dialect) => vec![(String::new(), dialect)],
        None => DIALECTS.iter().filter_map(|name| Some((format!("/{name}"), dialects::find(name).ok()?))).collect(),
    };
    let mut paths: Map<String, Value> = Map::new();
    for (prefix, dialect) in served {
        for route in dialect.routes {
            let path = paths.entry(format!("{prefix}{}", template(route.path))).or_insert_with(|| json!({}));
            path[route.method.to_ascii_lowercase()] = operation(dialect, route);
        }
    }
    let document = json!({
        "openapi": "3.0.3",
        "info": { "title": "Checkout sessions", "version": env!("CARGO_PKG_VERSION") },
        "security": [{ "header": [] }, { "bearer": [] }],
        "paths": paths,
        "components": { "securitySchemes": {
            "header": { "type": "apiKey", "in": "header", "name": "x-api-key" },
            "bearer": { "type": "http", "scheme": "bearer" },
        } },
    });
    document.to_string()
}

/// `/:id` as `/{id}`.
fn template(path: &str) -> String {
    let segments = path.split('/').map(|segment| match segment.strip_prefix(':') {
        Some(name) => format!("{{{name}}}"),
        None => segment.to_owned(),
    });
    segments.collect::<Vec<_>>().join("/")
}

fn operation(dialect: &Dialect, route: &Route) -> Value {
    let parameter = |name: &str, place: &str| json!({ "name": name, "in": place, "required": place == "path", "schema": { "type": "string" } });
    let in_path = route.path.split('/').filter_map(|segment| segment.strip_prefix(':'));
    let mut parameters: Vec<Value> = in_path.map(|name| parameter(name, "path")).collect();
    parameters.extend(route.query.iter().map(|name| parameter(name, "query")));
    let creates = matches!(route.operation, Operation::Create { .. });
    if creates {
        parameters.extend(["Idempotency-Key", "X-Scenario-Key"].map(|name| parameter(name, "header")));
    }
    let word = match route.operation {
        Operation::Create { .. } => "create",
        Operation::Get { .. } => "get",
        Operation::List { .. } => "list",
        Operation::Expire { .. } => "expire",
    };
    let path = route.path.replace(['/', ':', '-'], "_");
    let mut operation = json!({
        "operationId": format!("{}_{word}{path}", dialect.name),
        "tags": [dialect.name],
        "parameters": parameters,
        "responses": { "default": { "description": "An answer of the dialect", "content": { "application/json": {} } } },
    });
    if creates {
        // Members of members are named with a dot.
        let members = route.body.iter().filter(|name| !name.contains('.'));
        let members: Map<String, Value> = members.map(|name| ((*name).to_owned(), json!({}))).collect();
        let schema = json!({ "type": "object", "properties": members });
        operation["requestBody"] = json!({ "required": true, "content": { "application/json": { "schema": schema } } });
    }
    operation
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_of_a_served_dialect_is_there() {
        let read = |alone| serde_json::from_str::<Value>(&document(alone)).expect("JSON");
        let paths = read(None)["paths"].as_object().map(Map::len);
        assert_eq!(paths, Some(11));
        let alone = read(dialects::find("paygate").ok());
        let get = &alone["paths"]["/v1/checkout/sessions/{id}"]["get"];
        assert_eq!(get["parameters"][0]["name"], "id");
        let create = &alone["paths"]["/v1/checkout/sessions"]["post"];
        let schema = &create["requestBody"]["content"]["application/json"]["schema"];
        assert!(schema["properties"].get("amount").is_some());
    }
}
