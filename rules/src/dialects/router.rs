//! Finds the dialect and the route of a request, and writes the errors of both.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

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

/// The route of a request and the values of its path's parameters; or the answer if there is none.
pub fn route<'p>(
    dialect: &Dialect,
    method: &str,
    path: &'p str,
) -> std::result::Result<(&'static Route, Vec<Cow<'p, str>>), HttpResponse> {
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let mut allowed = Vec::new();
    for route in dialect.routes {
        let Some(parameters) = parameters(route.path, path) else { continue };
        if route.method.eq_ignore_ascii_case(method) {
            return Ok((route, parameters));
        }
        allowed.push(route.method);
    }
    if allowed.is_empty() {
        return Err(dialect.refuse(404, &format!("Cannot {} {path}", method.to_ascii_uppercase())));
    }
    let mut response = dialect.refuse(405, "Method not allowed");
    response.headers.push(("Allow", allowed.join(", ")));
    Err(response)
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
            Error::NotAllowed => "A publishable API key may not do this".to_owned(),
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
        assert_eq!(answer("DELETE", "/checkout-sessions/1"), Err(405));
        assert_eq!(answer("PATCH", "/checkout-sessions/1"), Err(405));
        assert_eq!(answer("GET", "/nothing"), Err(404));
        let refused = route(&lomi::DIALECT, "PUT", "/checkout-sessions").map(|_| ()).expect_err("no such method");
        assert_eq!(refused.headers, [("Allow", "POST, GET".to_owned())]);
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
