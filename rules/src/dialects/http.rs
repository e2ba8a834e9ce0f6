//! An HTTP exchange, as a gateway forwards it.

use std::borrow::Cow;

use serde_json::{Map, Value};

use crate::access::http_credential;
use crate::{Error, Result};

/// The status for an error: PostgREST's for its SQLSTATE, except 401 if there is no credential.
pub(super) fn status(error: &Error) -> u16 {
    match error {
        // A cursor is a parameter of a request for a list, and the list exists.
        Error::CursorNotFound { .. } => return 400,
        Error::Simulated { status } => return *status,
        _ => {}
    }
    match error.sqlstate() {
        "28000" => 401,
        "42501" => 403,
        "PT404" => 404,
        "PT409" | "23505" => 409,
        "PT429" => 429,
        "XX000" | "XX001" | "F0000" => 500,
        _ => 400,
    }
}

/// Reads the body of a request; an empty one counts as absent.
pub fn read_body(text: &str) -> Result<Value> {
    if text.trim().is_empty() {
        return Ok(Value::Null);
    }
    if has_reserved_name(text) {
        return Err(Error::invalid("body", "has a name that is reserved"));
    }
    serde_json::from_str(text).map_err(|error| match error.to_string().starts_with("recursion limit") {
        true => Error::invalid("body", "is nested too deeply"),
        false => Error::invalid("body", "is not valid JSON"),
    })
}

/// The prefix of names that serde_json gives to members which stand for a number.
const RESERVED: &str = "$serde_json::private::";

/// Returns true if a name in a JSON text would make serde_json take the text for a number, or for raw JSON.
fn has_reserved_name(text: &str) -> bool {
    let mut rest = text;
    while let Some(start) = rest.find('"') {
        let string = &rest[start..];
        let mut escaped = false;
        let end = string[1..].find(|c| {
            let ends = c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            ends
        });
        // A string without an end is not JSON.
        let Some(end) = end else { return false };
        let (literal, behind) = string.split_at(end + 2);
        if serde_json::from_str::<String>(literal).is_ok_and(|text| text.starts_with(RESERVED)) {
            return true;
        }
        rest = behind;
    }
    false
}

pub struct HttpRequest<'a> {
    /// The values of the path's `:names`, in order, decoded.
    pub parameters: Vec<Cow<'a, str>>,
    /// Names in lower case.
    pub headers: &'a Map<String, Value>,
    pub query: &'a Map<String, Value>,
    /// `Null` if there is none.
    pub body: &'a Value,
    /// True if the caller's organization has the prices of its products in the catalog.
    pub uses_catalog: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpResponse {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    /// JSON text; empty if there is no body.
    pub body: String,
}

impl HttpResponse {
    /// An answer whose fields have the order of their struct.
    pub fn json(status: u16, body: &impl serde::Serialize) -> Self {
        Self { status, headers: Vec::new(), body: super::write::to_text(body) }
    }
}

impl<'a> HttpRequest<'a> {
    pub fn parameter(&'a self, at: usize) -> &'a str {
        self.parameters.get(at).map_or("", AsRef::as_ref)
    }

    pub fn header(&self, name: &'static str) -> Result<Option<&'a str>> {
        http_credential::header(self.headers, name)
    }

    /// A header with bounds for its length.
    pub fn bounded_header(&self, name: &'static str, least: usize, most: usize) -> Result<Option<&'a str>> {
        match self.header(name)? {
            Some(text) if !(least..=most).contains(&text.chars().count()) => {
                Err(Error::invalid(name, format!("must have between {least} and {most} characters")))
            }
            text => Ok(text),
        }
    }

    /// The body's members.
    pub fn body(&self) -> Result<&'a Map<String, Value>> {
        self.body.as_object().ok_or_else(|| Error::invalid("body", "must be a JSON object"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_json_or_nothing() {
        assert_eq!(read_body(" \n"), Ok(Value::Null));
        assert_eq!(read_body(r#"{"a": "\"b\\"}"#).map(|body| body["a"].clone()), Ok(r#""b\"#.into()));
        let refused = |text: &str| read_body(text).expect_err("refused").to_string();
        for text in ["{", "amount=1", "{\"a\": 1} {}", "\"", "NaN", r#"{"a": "\ud800"}"#] {
            assert_eq!(refused(text), "argument \"body\" is not valid JSON", "{text}");
        }
        assert_eq!(refused(&"[".repeat(1_000)), "argument \"body\" is nested too deeply");
    }

    #[test]
    fn no_object_is_taken_for_a_number() {
        for name in ["$serde_json::private::Number", r"\u0024serde_json::private::RawValue"] {
            let text = format!(r#"{{"a": "\\", "amount": {{"{name}": "10"}}}}"#);
            assert_eq!(read_body(&text), Err(Error::invalid("body", "has a name that is reserved")));
        }
        assert!(read_body(r#"{"a": "about $serde_json::private::Number"}"#).is_ok());
    }
}
