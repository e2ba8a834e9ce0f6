//! An HTTP exchange, as a gateway forwards it.

use std::borrow::Cow;

use serde_json::{Map, Value};

use crate::domain::{Error, Result};

pub struct HttpRequest<'a> {
    /// The values of the path's `:names`, in order, decoded.
    pub parameters: Vec<Cow<'a, str>>,
    /// Names in lower case.
    pub headers: &'a Map<String, Value>,
    pub query: &'a Map<String, Value>,
    /// `Null` where there is none.
    pub body: &'a Value,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpResponse {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    /// JSON text.
    pub body: String,
}

impl HttpResponse {
    /// An answer whose fields have the order of the struct that they come from.
    pub fn json(status: u16, body: &impl serde::Serialize) -> Self {
        Self { status, headers: Vec::new(), body: super::write::to_text(body) }
    }
}

impl<'a> HttpRequest<'a> {
    pub fn parameter(&'a self, at: usize) -> &'a str {
        self.parameters.get(at).map_or("", AsRef::as_ref)
    }

    pub fn header(&self, name: &str) -> Option<&'a str> {
        self.headers.get(name).and_then(Value::as_str)
    }

    /// A header whose length has bounds.
    pub fn bounded_header(&self, name: &'static str, least: usize, most: usize) -> Result<Option<&'a str>> {
        match self.header(&name.to_ascii_lowercase()) {
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
