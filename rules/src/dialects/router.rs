//! Finds the dialect and the route of a request, and writes the errors of both.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;
use uuid::Uuid;

use super::{Dialect, HttpResponse, Route, flutterwave, http, kobo, lomi, paygate, yuno};
use crate::{Error, Result};

const DIALECTS: [&Dialect; 5] =
    [&kobo::DIALECT, &lomi::DIALECT, &paygate::DIALECT, &flutterwave::DIALECT, &yuno::DIALECT];

pub fn find(name: &str) -> Result<&'static Dialect> {
    DIALECTS
        .into_iter()
        .find(|dialect| dialect.name == name)
        .ok_or_else(|| Error::invalid("api", "must be kobo, lomi, paygate, flutterwave or yuno"))
}

/// The id of a session as SQL has it, from the id of any dialect.
pub fn session_id(argument: &'static str, text: &str) -> Result<Uuid> {
    let prefixes = DIALECTS.iter().filter_map(|dialect| dialect.policy.id_prefix);
    let bare = prefixes.filter_map(|prefix| text.strip_prefix(prefix)).next().unwrap_or(text);
    let fault = || Error::Malformed { argument, fault: "is not the id of a checkout session".to_owned() };
    Uuid::try_parse(bare).map_err(|_| fault())
}

/// The route of a request and the values of its path's parameters; or the answer if there is none.
pub fn route<'p>(
    dialect: &Dialect,
    method: &str,
    path: &'p str,
) -> std::result::Result<(&'static Route, Vec<Cow<'p, str>>), HttpResponse> {
    let path = without_query(path);
    // The answer to HEAD is that to GET, without its body.
    let wanted = if method.eq_ignore_ascii_case("HEAD") { "GET" } else { method };
    let routes: Vec<&Route> = routes_of(dialect, path).collect();
    if let Some(route) = routes.iter().find(|route| route.method.eq_ignore_ascii_case(wanted)) {
        return Ok((route, parameters(route.path, path).unwrap_or_default()));
    }
    let Some(allowed) = allowed(&routes) else {
        return Err(dialect.refuse(404, &format!("Cannot {} {path}", method.to_ascii_uppercase())));
    };
    let mut response = dialect.refuse(405, "Method not allowed");
    response.headers.push(("Allow", allowed));
    Err(response)
}

fn without_query(path: &str) -> &str {
    path.split(['?', '#']).next().unwrap_or_default()
}

/// The routes of a path, one for each method.
pub(super) fn routes_of(dialect: &Dialect, path: &str) -> impl Iterator<Item = &'static Route> {
    let path = without_query(path);
    dialect.routes.iter().filter(move |route| parameters(route.path, path).is_some())
}

/// The methods of a path as `Allow` has them; `None` without a route.
pub(super) fn allowed(routes: &[&Route]) -> Option<String> {
    let head = routes.iter().any(|route| route.method == "GET").then_some("HEAD");
    let methods: Vec<_> = routes.iter().map(|route| route.method).chain(head).chain(["OPTIONS"]).collect();
    (!routes.is_empty()).then(|| methods.join(", "))
}

/// The values of a pattern's `:names`, if the path matches the pattern. A slash at the end is ignored.
fn parameters<'p>(pattern: &str, path: &'p str) -> Option<Vec<Cow<'p, str>>> {
    let mut values = Vec::new();
    let mut names = pattern.split('/');
    let mut parts = path.strip_suffix('/').unwrap_or(path).split('/');
    loop {
        match (names.next(), parts.next()) {
            (None, None) => return Some(values),
            (Some(name), Some(part)) if name.starts_with(':') && !part.is_empty() => {
                let decoded = percent_decode_str(part).decode_utf8_lossy();
                // A value that no id and no reference can have stays as it came.
                values.push(if decoded.contains(char::is_control) { part.into() } else { decoded });
            }
            (Some(name), Some(part)) if name == part => {}
            _ => return None,
        }
    }
}

impl Dialect {
    /// An error in the dialect's shape.
    pub fn refuse(&self, status: u16, message: &str) -> HttpResponse {
        HttpResponse { status, headers: Vec::new(), body: (self.error)(status, message) }
    }

    /// An error found while reading the request: it already has the dialect's words.
    pub fn refuse_reading(&self, error: &Error) -> HttpResponse {
        self.refuse(http::status(error), &self.message(error, |argument| argument))
    }

    /// An error of the rules in the dialect's shape and words.
    pub fn refuse_error(&self, error: &Error) -> HttpResponse {
        self.refuse(http::status(error), &self.message(error, |argument| self.argument(argument)))
    }

    fn message<'n>(&self, error: &'n Error, called: impl Fn(&'n str) -> &'n str) -> String {
        if let Some(sentence) = (self.sentence)(error) {
            return sentence;
        }
        match error {
            Error::NullArgument { argument } => format!("{} is required", called(argument)),
            Error::InvalidArgument { argument, fault }
            | Error::OutOfRange { argument, fault }
            | Error::Malformed { argument, fault } => format!("{} {fault}", called(argument)),
            Error::NotUtf8 { name, .. } => format!("{} is not valid UTF-8", called(name)),
            Error::CursorNotFound { argument, what } => format!("{} does not name a {what}", called(argument)),
            Error::SessionNotFound { checkout_session_id } => {
                Error::NoSuchSession { id: (self.id)(*checkout_session_id) }.to_string()
            }
            Error::InvalidApiKey | Error::NotAuthenticated { .. } | Error::Unauthorized { .. } => {
                "Invalid API key".to_owned()
            }
            Error::NotAllowed { kind } => format!("A {kind} API key may not do this"),
            error => error.to_string(),
        }
    }

    fn argument<'n>(&self, name: &'n str) -> &'n str {
        self.arguments.iter().find(|(ours, _)| *ours == name).map_or(name, |(_, theirs)| theirs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_have_parameters() {
        assert_eq!(parameters("/checkout-sessions", "/checkout-sessions"), Some(vec![]));
        assert_eq!(parameters("/checkout-sessions", "/checkout-sessions/"), Some(vec![]));
        assert_eq!(parameters("/a/:id/expire", "/a/cs_1/expire"), Some(vec!["cs_1".into()]));
        assert_eq!(parameters("/a/:reference", "/a/ORD%2F45%20%C3%A9"), Some(vec!["ORD/45 é".into()]));
        for path in ["/a//expire", "/a/cs_1", "/a/cs_1/expire/now", "a/cs_1/expire", "", "/A/cs_1/expire"] {
            assert_eq!(parameters("/a/:id/expire", path), None, "{path}");
        }
    }

    #[test]
    fn a_known_path_with_another_method_names_those_that_are_allowed() {
        let answer = |method, path| route(&lomi::DIALECT, method, path).map(|_| ()).map_err(|response| response.status);
        assert_eq!(answer("GET", "/checkout-sessions?limit=20"), Ok(()));
        assert_eq!(answer("get", "/checkout-sessions"), Ok(()));
        assert_eq!(answer("HEAD", "/checkout-sessions/1"), Ok(()));
        assert_eq!(answer("DELETE", "/checkout-sessions/1"), Err(405));
        assert_eq!(answer("PATCH", "/checkout-sessions/1"), Err(405));
        assert_eq!(answer("GET", "/nothing"), Err(404));
        let refused = route(&lomi::DIALECT, "PUT", "/checkout-sessions").map(|_| ()).expect_err("no such method");
        assert_eq!(refused.headers, [("Allow", "POST, GET, HEAD, OPTIONS".to_owned())]);
    }

    #[test]
    fn the_id_of_every_dialect_is_the_id_of_the_session() {
        let id = Uuid::from_u128(0x0189_0000_0000_7000_8000_0000_0000_00ff);
        for dialect in DIALECTS {
            assert_eq!(session_id("id", &(dialect.id)(id)), Ok(id), "{}", dialect.name);
        }
        assert_eq!(session_id("id", &id.to_string().to_uppercase()), Ok(id));
        assert_eq!(session_id("id", &format!("cs_{id}")), Ok(id));
        for wrong in ["", "cs_", "cs_1", "cs_secret_1", "cs_cs_01890000000070008000000000000000", "ORD-1"] {
            assert_eq!(session_id("id", wrong).map_err(|error| error.sqlstate()), Err("22P02"), "{wrong}");
        }
    }

    #[test]
    fn every_route_is_reached_by_its_own_pattern() {
        for dialect in DIALECTS {
            for wanted in dialect.routes {
                let (found, _) = route(dialect, wanted.method, wanted.path).map_err(|r| r.status).expect(wanted.path);
                assert_eq!((found.method, found.path), (wanted.method, wanted.path));
            }
        }
    }
}
