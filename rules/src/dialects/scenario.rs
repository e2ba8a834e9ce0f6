//! `X-Scenario-Key`: in the test environment, ends a session as its creator asks.
//!
//! Source: Flutterwave, `POST /checkout/sessions`: 1 to 1000 characters, "to simulate specific behaviors". The keys are ours.

use super::HttpRequest;
use crate::{Error, Result};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scenario {
    /// The session is paid.
    Complete,
    /// Its payments fail until the session has failed.
    Fail,
    Expire,
    /// The request is answered with this status, and nothing happens.
    Error(u16),
}

pub const HEADER: &str = "X-Scenario-Key";

impl Scenario {
    /// The scenario of a request.
    pub fn of(request: &HttpRequest) -> Result<Option<Self>> {
        let Some(key) = request.bounded_header(HEADER, 1, 1_000)? else { return Ok(None) };
        let unknown = || Error::invalid(HEADER, "must be complete, fail, expire or error:<status>");
        match key {
            "complete" => Ok(Some(Self::Complete)),
            "fail" => Ok(Some(Self::Fail)),
            "expire" => Ok(Some(Self::Expire)),
            key => {
                let digits =
                    key.strip_prefix("error:").filter(|digits| digits.starts_with(['4', '5']) && digits.len() == 3);
                digits
                    .and_then(|digits| digits.parse().ok())
                    .map(|status| Some(Self::Error(status)))
                    .ok_or_else(unknown)
            }
        }
    }
}
