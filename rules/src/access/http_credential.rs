//! The credential in an HTTP request: in its headers, or in the claims of its token.
//!
//! Source: PostgREST 12, "Transaction-scoped settings": headers and claims are JSON objects; names of headers are in lower
//! case.

use std::str::FromStr;

use serde_json::{Map, Value};
use uuid::Uuid;

use super::api_key;
use super::credential::{Environment, Kind, Tenant};
use crate::validate;
use crate::{Error, Result};

type Object = Map<String, Value>;

/// The API key of a request: `x-api-key`, or a bearer token that is an API key. Other tokens are not read here.
pub fn api_key(headers: &Object) -> Result<Option<&str>> {
    let key = header(headers, "x-api-key")?;
    let bearer = header(headers, "authorization")?
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token.trim())
        .filter(|token| api_key::looks_like(token));
    match (key, bearer) {
        (Some(key), Some(bearer)) if key != bearer => {
            Err(Error::unauthorized("x-api-key and Authorization present different API keys"))
        }
        (key, bearer) => Ok(key.or(bearer)),
    }
}

/// The idempotency key of a request.
pub fn idempotency_key(headers: &Object) -> Result<Option<&str>> {
    match (header(headers, "idempotency-key")?, header(headers, "x-idempotency-key")?) {
        (Some(one), Some(other)) if one != other => {
            Err(Error::invalid("idempotency_key", "differs between Idempotency-Key and X-Idempotency-Key"))
        }
        (one, other) => Ok(one.or(other)),
    }
}

/// The caller's name for the request, to find it again. Proxies add it, so an unsuitable one is ignored.
pub fn trace_id(headers: &Object) -> Option<&str> {
    suitable_id(headers, "x-trace-id")
}

/// The request's own id, which is in its answer and in the log.
pub fn request_id(headers: &Object) -> Option<&str> {
    suitable_id(headers, "x-request-id")
}

fn suitable_id<'a>(headers: &'a Object, name: &str) -> Option<&'a str> {
    let text = headers.get(name).and_then(Value::as_str)?;
    let fits = validate::identifier("trace_id", text).is_ok() && !text.contains(char::is_control);
    fits.then_some(text)
}

/// A header of this name, in any case. One that is no text is a malformed request, and not a bad credential.
pub fn header<'a>(headers: &'a Object, name: &'static str) -> Result<Option<&'a str>> {
    match headers.get(name).or_else(|| headers.get(&name.to_ascii_lowercase())) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(Error::invalid(name, "must be a text")),
    }
}

/// The tenant that a token's claims name, and the rights of the token's holder there. `paths`, separated by commas, say
/// where the organization is: names of members joined by dots, or a JSON Pointer. Several may be present if they agree.
/// `environment` and `kind` are claims of these names beside the organization.
pub fn tenant(claims: &Object, paths: &str, default_environment: Environment) -> Result<Option<(Tenant, Kind)>> {
    let mut found = None;
    for path in paths.split(',').map(str::trim).filter(|path| !path.is_empty()) {
        let mut names = names(path);
        let Some(last) = names.pop() else { continue };
        // In Supabase, users can change it themselves.
        if names.first().is_some_and(|name| name == "user_metadata") {
            return Err(Error::unauthorized(
                "checkout_sessions.jwt_organization_claim names user_metadata, which users can change",
            ));
        }
        let holder = names.iter().try_fold(claims, |object, name| object.get(name)?.as_object());
        let Some(organization) = holder.and_then(|holder| holder.get(&last)) else { continue };
        if organization.is_null() {
            continue;
        }
        let organization_id = organization
            .as_str()
            .and_then(|text| Uuid::try_parse(text).ok())
            .ok_or_else(|| Error::unauthorized("the token's organization is not a UUID"))?;
        let environment = beside(holder, "environment", default_environment)
            .ok_or_else(|| Error::unauthorized("the token's environment is neither live nor test"))?;
        let kind = beside(holder, "kind", Kind::Secret)
            .ok_or_else(|| Error::unauthorized("the token's kind is not secret, restricted or publishable"))?;
        let claimed = (Tenant { organization_id, environment }, kind);
        if found.is_some_and(|before| before != claimed) {
            return Err(Error::unauthorized("the token's claims contradict each other"));
        }
        found = Some(claimed);
    }
    Ok(found)
}

/// Checks the setting that has such paths.
pub fn check_claim_paths(setting: &'static str, paths: &str) -> Result<()> {
    let users = |path: &str| names(path.trim()).first().is_some_and(|name| name == "user_metadata");
    match paths.split(',').any(users) {
        true => {
            Err(Error::InvalidSetting { setting, fault: "must not name user_metadata, which users can change".into() })
        }
        false => Ok(()),
    }
}

/// The names in a path: joined by dots, or a JSON Pointer (RFC 6901) for names that contain dots.
fn names(path: &str) -> Vec<String> {
    match path.strip_prefix('/') {
        Some(pointer) => pointer.split('/').map(|name| name.replace("~1", "/").replace("~0", "~")).collect(),
        None => path.split('.').map(str::to_owned).collect(),
    }
}

/// An optional claim beside the organization; `None` if it is not one of the known words.
fn beside<T: FromStr>(holder: Option<&Object>, name: &str, default: T) -> Option<T> {
    match holder?.get(name) {
        None | Some(Value::Null) => Some(default),
        Some(value) => value.as_str()?.parse().ok(),
    }
}

/// The subject of a token.
pub fn subject(claims: &Object) -> Option<&str> {
    claims.get("sub").and_then(Value::as_str).filter(|subject| !subject.is_empty())
}

/// Adds a header to the response headers, in PostgREST's form: a list of objects with one member each.
pub fn with_header(headers: &str, name: &str, value: &str) -> String {
    let mut list: Vec<Value> = serde_json::from_str(headers).unwrap_or_default();
    list.push(Value::Object(Map::from_iter([(name.to_owned(), Value::from(value))])));
    Value::from(list).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const A: &str = "018f0000-0000-7000-8000-00000000000a";
    const B: &str = "018f0000-0000-7000-8000-00000000000b";
    const PATHS: &str = "organization_id, app_metadata.organization_id";

    fn object(value: Value) -> Object {
        value.as_object().cloned().expect("an object")
    }

    #[test]
    fn an_api_key_is_found_in_either_header() {
        let found = |headers| api_key(&object(headers)).map(|key| key.map(str::to_owned));
        assert_eq!(found(json!({})), Ok(None));
        assert_eq!(found(json!({"x-api-key": "sk_live_1"})), Ok(Some("sk_live_1".into())));
        assert_eq!(found(json!({"x-api-key": ""})), Ok(Some("".into())), "presented, and bad");
        assert_eq!(found(json!({"x-api-key": "anything"})), Ok(Some("anything".into())));
        assert_eq!(found(json!({"authorization": "Bearer sk_live_1"})), Ok(Some("sk_live_1".into())));
        assert_eq!(found(json!({"authorization": "bearer  pk_test_1 "})), Ok(Some("pk_test_1".into())));
        assert_eq!(found(json!({"authorization": "Bearer eyJhbGciOi"})), Ok(None));
        assert_eq!(found(json!({"authorization": "Basic sk_live_1"})), Ok(None));
        assert_eq!(
            found(json!({"x-api-key": "sk_live_1", "authorization": "Bearer sk_live_1"})),
            Ok(Some("sk_live_1".into()))
        );
        let contradiction = json!({"x-api-key": "sk_live_1", "authorization": "Bearer sk_live_2"});
        assert_eq!(found(contradiction).map_err(|e| e.sqlstate()), Err("28000"));
    }

    #[test]
    fn a_header_that_is_no_text_is_malformed() {
        for value in [json!(["sk_live_1"]), json!(7), json!({"a": 1}), json!(true)] {
            let refused = |name: &str| {
                let headers = object(json!({name: value}));
                (api_key(&headers).and(idempotency_key(&headers))).map(|_| ())
            };
            for name in ["x-api-key", "authorization", "idempotency-key", "x-idempotency-key"] {
                assert_eq!(refused(name).map_err(|e| e.sqlstate()), Err("22023"), "{name} {value}");
            }
        }
        assert_eq!(header(&object(json!({"x-api-key": null})), "X-Api-Key"), Ok(None));
    }

    #[test]
    fn an_idempotency_key_has_two_names() {
        let found = |headers| idempotency_key(&object(headers)).map(|key| key.map(str::to_owned));
        assert_eq!(found(json!({"idempotency-key": "k"})), Ok(Some("k".into())));
        assert_eq!(found(json!({"x-idempotency-key": "k"})), Ok(Some("k".into())));
        assert_eq!(found(json!({"x-idempotency-key": "k", "idempotency-key": "k"})), Ok(Some("k".into())));
        assert!(found(json!({"x-idempotency-key": "k", "idempotency-key": "l"})).is_err());
    }

    #[test]
    fn claims_name_a_tenant_where_the_setting_says() {
        let found = |claims| tenant(&object(claims), PATHS, Environment::Live);
        let live = |id: &str| {
            Some((
                Tenant { organization_id: id.parse().expect("a UUID"), environment: Environment::Live },
                Kind::Secret,
            ))
        };
        assert_eq!(found(json!({"role": "anon"})), Ok(None));
        assert_eq!(found(json!({"organization_id": null, "app_metadata": {}})), Ok(None));
        assert_eq!(found(json!({"organization_id": A})), Ok(live(A)));
        assert_eq!(found(json!({"app_metadata": {"organization_id": A}})), Ok(live(A)));
        assert_eq!(found(json!({"organization_id": A, "app_metadata": {"organization_id": A}})), Ok(live(A)));
        assert_eq!(found(json!({"user_metadata": {"organization_id": A}})), Ok(None));
        let test = found(json!({"app_metadata": {"organization_id": A, "environment": "test"}}));
        assert_eq!(test.map(|claimed| claimed.map(|(tenant, _)| tenant.environment)), Ok(Some(Environment::Test)));
        let browser = found(json!({"organization_id": A, "kind": "publishable"}));
        assert_eq!(browser.map(|claimed| claimed.map(|(_, kind)| kind)), Ok(Some(Kind::Publishable)));
    }

    #[test]
    fn claims_that_are_wrong_are_refused_and_not_passed_over() {
        for claims in [
            json!({"organization_id": ""}),
            json!({"organization_id": 7}),
            json!({"organization_id": [A]}),
            json!({"organization_id": {"organization_id": A}}),
            json!({"organization_id": format!("{A}' OR true --")}),
            json!({"organization_id": A, "app_metadata": {"organization_id": B}}),
            json!({"organization_id": A, "environment": "production"}),
            json!({"organization_id": A, "kind": "admin"}),
            json!({"organization_id": A, "kind": "publishable", "app_metadata": {"organization_id": A}}),
            json!({"organization_id": A, "environment": "test", "app_metadata": {"organization_id": A}}),
        ] {
            let answer = tenant(&object(claims.clone()), PATHS, Environment::Live);
            assert_eq!(answer.map_err(|e| e.sqlstate()), Err("28000"), "{claims}");
        }
        let pointer =
            tenant(&object(json!({"https://x.example/org": A})), "/https:~1~1x.example~1org", Environment::Live);
        assert!(pointer.is_ok_and(|claimed| claimed.is_some()));
        let own = tenant(&object(json!({})), "user_metadata.organization_id", Environment::Live);
        assert_eq!(own.map_err(|e| e.sqlstate()), Err("28000"));
    }

    #[test]
    fn response_headers_add_up() {
        let one = with_header("", "Idempotent-Replayed", "true");
        assert_eq!(one, r#"[{"Idempotent-Replayed":"true"}]"#);
        assert_eq!(
            with_header(&one, "X-Trace-Id", "a\"b"),
            r#"[{"Idempotent-Replayed":"true"},{"X-Trace-Id":"a\"b"}]"#
        );
        assert_eq!(with_header("nonsense", "A", "b"), r#"[{"A":"b"}]"#);
    }
}
