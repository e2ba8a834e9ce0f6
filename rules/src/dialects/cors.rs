//! What browsers ask before a page of another origin may use a route (CORS), and what they are told.
//!
//! Source: the Fetch standard, "CORS protocol". A browser asks without a credential (a preflight), so it is not known which
//! organization the request will be for. The answer is the same for every origin, and lets the request come: it allows
//! nothing that a program other than a browser could not do. The answer to the request itself says whether the page may
//! read it, and there the organization decides.

use serde_json::{Map, Value};

use super::{Dialect, HttpResponse, Route, router};

/// The headers that pages may send.
const REQUEST_HEADERS: &str = "authorization, content-type, idempotency-key, x-api-key, x-idempotency-key, x-request-id, x-scenario-key, x-trace-id";
/// The headers of answers that pages may read.
const RESPONSE_HEADERS: &str = "Idempotent-Replayed, X-Request-Id, X-Trace-Id";
/// In seconds: an organization's origins are not in the answer, so it is out of date only with another version of this.
const MAXIMUM_AGE: &str = "7200";

/// The answer to an OPTIONS request: the methods of the path, and for a preflight, those that browsers may use.
pub fn options(dialect: &Dialect, path: &str, headers: &Map<String, Value>) -> Option<HttpResponse> {
    let routes: Vec<&Route> = router::routes_of(dialect, path).collect();
    let mut response = HttpResponse { status: 204, headers: Vec::new(), body: String::new() };
    response.headers.push(("Allow", router::allowed(&routes)?));
    let for_browsers: Vec<_> = routes.iter().filter(|route| route.publishable).map(|route| route.method).collect();
    if headers.contains_key("origin") && !for_browsers.is_empty() {
        response.headers.extend([
            ("Access-Control-Allow-Origin", "*".to_owned()),
            ("Access-Control-Allow-Methods", for_browsers.join(", ")),
            ("Access-Control-Allow-Headers", REQUEST_HEADERS.to_owned()),
            ("Access-Control-Max-Age", MAXIMUM_AGE.to_owned()),
        ]);
    }
    Some(response)
}

/// The headers with which a browser lets a page of an allowed origin read the answer.
pub fn headers(route: &Route, request: &Map<String, Value>, allowed: &[String]) -> Vec<(&'static str, String)> {
    if !route.publishable {
        return Vec::new();
    }
    let mut headers = vec![("Vary", "Origin".to_owned())];
    let origin = request.get("origin").and_then(Value::as_str);
    if let Some(origin) = origin.filter(|origin| allowed.iter().any(|allowed| allowed == origin)) {
        headers.push(("Access-Control-Allow-Origin", origin.to_owned()));
        headers.push(("Access-Control-Expose-Headers", RESPONSE_HEADERS.to_owned()));
    }
    headers
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::dialects::{find, route};

    fn object(value: Value) -> Map<String, Value> {
        value.as_object().cloned().expect("an object")
    }

    fn asked(dialect: &str, path: &str, headers: Value) -> Option<(u16, Vec<(&'static str, String)>)> {
        let dialect = find(dialect).expect("a dialect");
        options(dialect, path, &object(headers)).map(|response| (response.status, response.headers))
    }

    #[test]
    fn a_preflight_of_a_route_for_browsers_lets_the_request_come() {
        let origin = json!({"origin": "https://shop.example", "access-control-request-method": "POST"});
        let (status, headers) = asked("kobo", "/v1/checkout/session/initialize", origin.clone()).expect("a path");
        assert_eq!(status, 204);
        assert_eq!(headers[0], ("Allow", "POST, OPTIONS".to_owned()));
        assert_eq!(headers[1], ("Access-Control-Allow-Origin", "*".to_owned()));
        assert_eq!(headers[2], ("Access-Control-Allow-Methods", "POST".to_owned()));
        // Not where publishable keys are refused, not without an origin, not for an unknown path.
        for (dialect, path, headers) in [
            ("kobo", "/v1/checkout/session/verify/r", &origin),
            ("lomi", "/checkout-sessions", &origin),
            ("kobo", "/v1/checkout/session/initialize", &json!({})),
        ] {
            let (status, headers) = asked(dialect, path, headers.clone()).expect("a path");
            assert_eq!((status, headers.len()), (204, 1), "{path}");
        }
        assert_eq!(asked("kobo", "/nothing", origin), None);
    }

    #[test]
    fn an_answer_can_be_read_by_pages_of_the_organization_s_origins() {
        let kobo = find("kobo").expect("a dialect");
        let allowed = ["https://shop.example".to_owned()];
        let told = |method, path, request| {
            let (route, _) = route(kobo, method, path).map_err(|response| response.status).expect("a route");
            let told = headers(route, &object(request), &allowed);
            told.into_iter().map(|(name, value)| format!("{name}: {value}")).collect::<Vec<_>>()
        };
        let initialize = |request| told("POST", "/v1/checkout/session/initialize", request);
        assert_eq!(
            initialize(json!({"origin": "https://shop.example"}))[..2],
            ["Vary: Origin", "Access-Control-Allow-Origin: https://shop.example"]
        );
        for origin in ["https://evil.example", "null", "https://shop.example.evil.example", "https://shop.example/"] {
            assert_eq!(initialize(json!({"origin": origin})), ["Vary: Origin"], "{origin}");
        }
        assert_eq!(initialize(json!({})), ["Vary: Origin"]);
        let verify = told("GET", "/v1/checkout/session/verify/r", json!({"origin": "https://shop.example"}));
        assert!(verify.is_empty(), "no publishable key may call it");
    }
}
