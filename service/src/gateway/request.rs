//! A request: its id, its headers as the database reads them, and its body.

use std::time::Duration;

use axum::body::Body;
use axum::http::header::CONTENT_LENGTH;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode};
use http_body_util::BodyExt;
use percent_encoding::percent_decode_str;
use rules::access::http_credential;
use serde_json::{Map, Value};
use tokio::time::timeout;
use uuid::Uuid;

use crate::gateway::failure::Failure;

/// The database takes 64 kB, with the names and quotes of JSON.
const LARGEST_HEADERS: usize = 48 * 1024;
const LARGEST_BODY: usize = 1024 * 1024;
const DRAINED: usize = 16 * 1024 * 1024;
const DRAIN_TIMEOUT: Duration = Duration::from_secs(2);

pub struct Head {
    pub id: String,
    pub method: Method,
    /// As it was sent, still encoded.
    pub path: String,
    pub query: String,
    /// Names in lower case; the values of a name that occurs several times are joined.
    pub headers: Map<String, Value>,
}

impl Head {
    pub fn new(parts: Parts) -> Self {
        let mut headers = map_of(&parts.headers);
        let id = http_credential::request_id(&headers).map_or_else(|| Uuid::now_v7().to_string(), str::to_owned);
        headers.insert("x-request-id".into(), id.clone().into());
        Self {
            id,
            method: parts.method,
            path: parts.uri.path().to_owned(),
            query: parts.uri.query().unwrap_or_default().to_owned(),
            headers,
        }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(Value::as_str)
    }

    /// True for a method that only reads.
    pub fn reads(&self) -> bool {
        self.method == Method::GET || self.method == Method::HEAD
    }

    pub fn check_size(&self) -> Result<(), Failure> {
        let size: usize =
            self.headers.iter().map(|(name, value)| name.len() + value.as_str().map_or(0, str::len)).sum();
        if size <= LARGEST_HEADERS {
            return Ok(());
        }
        let status = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
        Err(Failure::new(status, "PT431", "Request headers are too large"))
    }

    /// Refuses a path whose encoding is wrong.
    pub fn check_path(&self) -> Result<(), Failure> {
        let bytes = self.path.as_bytes();
        let is_hexadecimal = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_hexdigit);
        let encoded = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'%').map(|(at, _)| at);
        let text = percent_decode_str(&self.path).decode_utf8();
        if text.is_ok() && encoded.into_iter().all(|at| is_hexadecimal(at + 1) && is_hexadecimal(at + 2)) {
            return Ok(());
        }
        Err(Failure::bad_request("The path is not a valid URL component"))
    }
}

fn map_of(headers: &HeaderMap) -> Map<String, Value> {
    let names = headers.keys();
    names
        .map(|name| {
            let values: Vec<_> =
                headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
            (name.as_str().to_owned(), Value::from(values.join(", ")))
        })
        .collect()
}

/// Reads the body within its limits of size and time.
pub async fn read_body(headers: &HeaderMap, mut body: Body, patience: Duration) -> Result<Vec<u8>, Failure> {
    let announced = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > LARGEST_BODY as u64) {
        return Err(too_large(body));
    }
    let mut read = Vec::new();
    let fits = timeout(patience, async {
        while let Some(frame) = body.frame().await {
            if let Ok(data) = frame?.into_data() {
                read.extend_from_slice(&data);
            }
            if read.len() > LARGEST_BODY {
                return Ok(false);
            }
        }
        Ok::<_, axum::Error>(true)
    });
    match fits.await {
        Ok(Ok(true)) => Ok(read),
        Ok(Ok(false)) => Err(too_large(body)),
        Ok(Err(_)) => Err(Failure::bad_request("The request body ended early")),
        Err(_) => Err(Failure::new(StatusCode::REQUEST_TIMEOUT, "PT408", "The request body came too slowly")),
    }
}

/// Reads some of what is left, beside the answer: a client that is still sending would not see it.
fn too_large(mut rest: Body) -> Failure {
    tokio::spawn(timeout(DRAIN_TIMEOUT, async move {
        let mut left = DRAINED;
        while let Some(Ok(frame)) = rest.frame().await {
            left = left.saturating_sub(frame.data_ref().map_or(0, |data| data.len()));
            if left == 0 {
                return;
            }
        }
    }));
    Failure::new(StatusCode::PAYLOAD_TOO_LARGE, "PT413", "Request body is too large")
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    fn head(request: axum::http::request::Builder) -> Head {
        Head::new(request.body(()).expect("a request").into_parts().0)
    }

    #[test]
    fn a_request_keeps_its_id_or_gets_one() {
        let own = head(Request::builder().header("X-Request-Id", "mine-1"));
        assert_eq!((own.id.as_str(), own.header("x-request-id")), ("mine-1", Some("mine-1")));
        for unsuitable in ["", "a\tb", &"x".repeat(300)] {
            let made = head(Request::builder().header("X-Request-Id", unsuitable));
            assert_eq!(Uuid::parse_str(&made.id).map(|id| id.get_version_num()), Ok(7), "{unsuitable}");
            assert_eq!(made.header("x-request-id"), Some(made.id.as_str()));
        }
    }

    #[test]
    fn a_header_twice_is_one_value_that_is_no_key() {
        let twice = head(Request::builder().header("X-Api-Key", "a").header("x-api-key", "b"));
        assert_eq!(twice.header("x-api-key"), Some("a, b"));
    }

    #[test]
    fn a_path_is_encoded_well_or_refused() {
        for (path, good) in
            [("/a%20b/%C3%A9", true), ("/%zz", false), ("/%", false), ("/%4", false), ("/%ff", false), ("/", true)]
        {
            let head = head(Request::builder().uri(path));
            assert_eq!(head.check_path().is_ok(), good, "{path}");
        }
    }
}
