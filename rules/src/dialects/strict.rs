//! Finds parameters that a route does not know, for organizations that do not want them ignored.

use serde_json::{Map, Value};

use super::{HttpRequest, Route};
use crate::{Error, Result};

/// A name is repeated in an error up to this length.
const LONGEST_NAME: usize = 64;
/// Names that are less alike are not taken for each other: 1 is the same name.
const ALIKE: f64 = 0.5;

/// Refuses a request with a parameter that its route does not read. `null` counts as absent.
pub fn unknown_parameter(route: &Route, request: &HttpRequest) -> Result<()> {
    only_known(request.query, "", route.query)?;
    request.body.as_object().map_or(Ok(()), |body| only_known(body, "", route.body))
}

/// `path` is the name of the member that the object is, and a dot.
fn only_known(object: &Map<String, Value>, path: &str, known: &[&'static str]) -> Result<()> {
    for (name, value) in object.iter().filter(|(_, value)| !value.is_null()) {
        let name = format!("{path}{name}");
        if !known.contains(&name.as_str()) {
            return Err(Error::UnknownParameter { nearest: nearest(&name, known), name: shown(&name) });
        }
        let path = format!("{name}.");
        if !known.iter().any(|known| known.starts_with(&path)) {
            continue;
        }
        let of_list = value.as_array().map(Vec::as_slice).unwrap_or_default().iter();
        for members in value.as_object().into_iter().chain(of_list.filter_map(Value::as_object)) {
            only_known(members, &path, known)?;
        }
    }
    Ok(())
}

fn shown(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(LONGEST_NAME).collect()
}

fn nearest(name: &str, known: &[&'static str]) -> Option<&'static str> {
    // The time grows with the product of the lengths.
    if name.len() > LONGEST_NAME {
        return None;
    }
    let alike = |known: &str| strsim::normalized_damerau_levenshtein(&name.to_lowercase(), known);
    let (nearest, alike) =
        known.iter().map(|known| (*known, alike(known))).max_by(|one, other| one.1.total_cmp(&other.1))?;
    (alike >= ALIKE).then_some(nearest)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::dialects::{find, route};

    fn refusal(dialect: &str, method: &str, path: &str, query: Value, body: Value) -> Option<String> {
        let (route, _) = route(find(dialect).expect("a dialect"), method, path).map_err(|r| r.status).expect("a route");
        let (headers, query) = (Map::new(), query.as_object().cloned().expect("an object"));
        let request =
            HttpRequest { parameters: Vec::new(), headers: &headers, query: &query, body: &body, uses_catalog: false };
        unknown_parameter(route, &request).err().map(|error| error.to_string())
    }

    #[test]
    fn the_nearest_known_name_is_said() {
        let says = |name: &str, nearest: &str| Some(format!("{name} is not a parameter; did you mean {nearest}?"));
        let create = |body| refusal("lomi", "POST", "/checkout-sessions", json!({}), body);
        for (name, nearest) in [
            ("sucess_url", "success_url"),
            ("successUrl", "success_url"),
            ("currency", "currency_code"),
            ("Amount", "amount"),
            ("custumer_emial", "customer_email"),
        ] {
            assert_eq!(create(json!({"amount": 1, name: "x"})), says(name, nearest));
        }
        let list = |query| refusal("lomi", "GET", "/checkout-sessions", query, Value::Null);
        assert_eq!(list(json!({"limt": "1"})), says("limt", "limit"));
        assert_eq!(list(json!({"limit": "1", "offset": "0", "status": "open"})), None);
        let yuno = |body| refusal("yuno", "POST", "/v1/checkout/sessions", json!({}), body);
        assert_eq!(yuno(json!({"amount": {"curency": "USD"}})), says("amount.curency", "amount.currency"));
        assert_eq!(yuno(json!({"metadata": [{"key": "a", "val": "b"}]})), says("metadata.val", "metadata.value"));
        assert_eq!(yuno(json!({"metadata": [{"key": "a", "value": "b"}]})), None);
    }

    #[test]
    fn what_resembles_nothing_is_only_named_and_never_at_length() {
        let create = |body| refusal("kobo", "POST", "/v1/checkout/session/initialize", json!({}), body);
        assert_eq!(create(json!({"xyz": 1})), Some("xyz is not a parameter".to_owned()));
        let long = "a\u{7}".repeat(1_000);
        assert_eq!(create(json!({long: 1})), Some(format!("{} is not a parameter", "a".repeat(64))));
        assert_eq!(create(json!({"sucess_url": null})), None);
        assert_eq!(create(json!({"metadata": {"sucess_url": 1}})), None);
        assert_eq!(create(json!([])), None, "refused by whoever reads it");
    }

    #[test]
    fn a_name_is_known_where_it_is_read() {
        let in_query = refusal("lomi", "POST", "/checkout-sessions", json!({"amount": "1"}), json!({}));
        assert_eq!(in_query, Some("amount is not a parameter".to_owned()));
        let in_body =
            refusal("paygate", "POST", "/v1/checkout/sessions/cs_1/expire", json!({}), json!({"reason": "x"}));
        assert_eq!(in_body, Some("reason is not a parameter".to_owned()));
    }
}
