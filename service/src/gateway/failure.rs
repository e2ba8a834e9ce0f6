//! Why a request has no other answer. The words are for the caller; what only the operator may know is logged.

use axum::body::Body;
use axum::http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, Response, StatusCode};
use serde_json::json;

use crate::gateway::target::Target;

pub const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");

#[derive(Debug)]
pub struct Failure {
    pub status: StatusCode,
    /// As PostgREST has it: an SQLSTATE, or a code of its own.
    pub code: Box<str>,
    pub message: Box<str>,
    pub details: Option<Box<str>>,
    pub hint: Option<Box<str>>,
    /// In seconds.
    pub retry_after: Option<u32>,
    pub allow: Option<&'static str>,
    /// What the log says about it. It may have secrets, which are masked there.
    pub cause: Option<Box<str>>,
}

impl Failure {
    pub fn new(status: StatusCode, code: &str, message: impl Into<Box<str>>) -> Self {
        Self {
            status,
            code: code.into(),
            message: message.into(),
            details: None,
            hint: None,
            retry_after: None,
            allow: None,
            cause: None,
        }
    }

    pub fn bad_request(message: impl Into<Box<str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "PGRST100", message)
    }

    pub fn not_found(method: &str, path: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "PT404", format!("Cannot {method} {path}"))
    }

    pub fn method_not_allowed(allow: &'static str) -> Self {
        let failure = Self::new(StatusCode::METHOD_NOT_ALLOWED, "PGRST117", "Method not allowed");
        Self { allow: Some(allow), ..failure }
    }

    /// The database is not there, or too busy: later it may be.
    pub fn unavailable(cause: impl Into<Box<str>>) -> Self {
        Self {
            retry_after: Some(1),
            cause: Some(cause.into()),
            ..Self::new(StatusCode::SERVICE_UNAVAILABLE, "PT503", "The service is not available now: try again")
        }
    }

    pub fn too_slow(cause: impl Into<Box<str>>) -> Self {
        let message = "The request took too long, and was cancelled";
        Self { cause: Some(cause.into()), ..Self::new(StatusCode::GATEWAY_TIMEOUT, "PT504", message) }
    }

    /// Without details: they may quote what another caller sent.
    pub fn internal(code: &str, cause: impl Into<Box<str>>) -> Self {
        let failure = Self::new(StatusCode::INTERNAL_SERVER_ERROR, code, "Internal server error");
        Self { cause: Some(cause.into()), ..failure }
    }

    /// Functions and views have PostgREST's errors, dialects their own. All other targets have a message alone.
    pub fn response(&self, target: Target) -> Response<Body> {
        let Self { code, message, details, hint, .. } = self;
        let body = match target {
            Target::Function(_) | Target::View(_) => {
                json!({ "code": code, "details": details, "hint": hint, "message": message }).to_string()
            }
            Target::Dialect(dialect, _) => (dialect.error)(self.status.as_u16(), message),
            _ => json!({ "message": message }).to_string(),
        };
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, JSON);
        if let Some(seconds) = self.retry_after {
            headers.insert(RETRY_AFTER, seconds.into());
        }
        if let Some(methods) = self.allow {
            headers.insert(ALLOW, HeaderValue::from_static(methods));
        }
        response
    }
}
