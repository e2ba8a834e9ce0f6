//! The HTTP request of a call, which PostgREST puts into settings of the transaction.

#![expect(unsafe_code, reason = "reads settings by name")]

use std::ffi::{CStr, CString};

use pgrx::pg_sys;
use serde_json::{Map, Value};

use rules::access::http_credential;
use rules::{Error, Result};

use crate::backend;

/// The headers of the request; `None` if there is no request.
pub fn headers() -> Result<Option<Map<String, Value>>> {
    // Not a bad credential: who sent the request is not known.
    let malformed = Error::InvalidSetting { setting: "request.headers", fault: "must be a JSON object".into() };
    object(c"request.headers", malformed)
}

/// The claims of the request's token, which PostgREST has verified.
pub fn claims() -> Result<Option<Map<String, Value>>> {
    object(c"request.jwt.claims", Error::unauthorized("the token's claims are not a JSON object"))
}

/// Adds a header to the response, if there is a request.
pub fn respond(name: &str, value: &str) -> Result<()> {
    if setting(c"request.headers")?.is_none() {
        return Ok(());
    }
    let before = setting(c"response.headers")?.unwrap_or_default();
    let Ok(headers) = CString::new(http_credential::with_header(&before, name, value)) else { return Ok(()) };
    // As the caller could do it.
    let (context, action) = (pg_sys::GucContext::PGC_USERSET, pg_sys::GucAction::GUC_ACTION_LOCAL);
    backend::set(c"response.headers", &headers, context, action);
    Ok(())
}

/// What PostgREST, or who does as it does, tells of a request. Headers and cookies have keys in them.
const REQUEST: [&CStr; 5] =
    [c"request.headers", c"request.cookies", c"request.jwt.claims", c"request.method", c"request.path"];

/// Empties these settings: what runs from now on is not called by the request.
pub fn hide_request(action: pg_sys::GucAction::Type) {
    for name in REQUEST {
        // SAFETY: a NUL-terminated name; missing_ok.
        let is_set = unsafe {
            let value = pg_sys::GetConfigOption(name.as_ptr(), true, false);
            !value.is_null() && *value != 0
        };
        if is_set {
            backend::set(name, c"", pg_sys::GucContext::PGC_USERSET, action);
        }
    }
}

/// More than any server in front of PostgREST lets through.
const BYTES: usize = 64 * 1024;

/// The value of a setting that the client may have set itself, to any value. Where a setting had a value before,
/// PostgREST leaves an empty text on its connections.
fn setting(name: &'static CStr) -> Result<Option<String>> {
    // SAFETY: a NUL-terminated name; missing_ok. The value is copied before it can change.
    let value = unsafe {
        let value = pg_sys::GetConfigOption(name.as_ptr(), true, false);
        if value.is_null() { &[] } else { CStr::from_ptr(value).to_bytes() }
    };
    let known = name.to_str().unwrap_or_default();
    if value.len() > BYTES {
        return Err(Error::SettingTooLong { setting: known, most: "64 kB" });
    }
    match std::str::from_utf8(value) {
        Ok(text) => Ok(Some(text.to_owned()).filter(|text| !text.is_empty())),
        Err(_) => Err(Error::NotUtf8 { what: "setting", name: known }),
    }
}

fn object(name: &'static CStr, refusal: Error) -> Result<Option<Map<String, Value>>> {
    match setting(name)?.map(|text| serde_json::from_str(&text)) {
        None => Ok(None),
        Some(Ok(object)) => Ok(Some(object)),
        Some(Err(_)) => Err(refusal),
    }
}
