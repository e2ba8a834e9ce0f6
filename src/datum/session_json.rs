//! A session as JSON, as the bodies of events have it: byte for byte what json_build_object() would write. That looks up
//! for each value how its type is written, which took a fifth of the time of a claim.

#![expect(unsafe_code, reason = "writes times as the server does")]

use std::ffi::{CStr, c_char};
use std::fmt::Display;

use pgrx::datum::TimestampWithTimeZone;
use pgrx::{AnyNumeric, IntoDatum, pg_sys};
use rules::{Error, Result};

use super::composite::Session;
use super::session_view::{ATTRIBUTES, Attributes};
use super::{Column, Json};

/// The attributes that belong to a call, and not to the session.
const OF_A_CALL: [&str; 3] = ["url", "client_secret", "idempotent_replay"];

impl Session {
    pub fn json(&self) -> Result<String> {
        let attributes = Attributes::of(self)?;
        let mut json = String::with_capacity(2048);
        for (at, name) in ATTRIBUTES.iter().enumerate() {
            if !OF_A_CALL.contains(name) {
                json += if json.is_empty() { "{\"" } else { ", \"" };
                json += name;
                json += "\" : ";
                attributes.write(at, &mut json)?;
            }
        }
        json.push('}');
        Ok(json)
    }
}

impl Attributes {
    fn write(&self, at: usize, json: &mut String) -> Result<()> {
        match self.types[at] {
            pg_sys::TEXTOID => self.put(at, json, |text: String| quoted(&text)),
            pg_sys::UUIDOID => self.put(at, json, |id: pgrx::Uuid| Ok(format!("\"{}\"", super::from_uuid(id)))),
            pg_sys::BOOLOID => self.put(at, json, plain::<bool>),
            pg_sys::INT4OID => self.put(at, json, plain::<i32>),
            pg_sys::NUMERICOID => self.put(at, json, plain::<AnyNumeric>),
            pg_sys::TIMESTAMPTZOID => self.put(at, json, time),
            pg_sys::JSONBOID => self.put(at, json, Json::valid_text),
            pg_sys::TEXTARRAYOID => self.put(at, json, |texts: Vec<String>| {
                let texts: Result<Vec<_>> = texts.iter().map(|text| quoted(text)).collect();
                Ok(format!("[{}]", texts?.join(",")))
            }),
            _ => Err(Error::Internal(format!("attribute {} of a session has a type without JSON", ATTRIBUTES[at]))),
        }
    }

    fn put<T: Column>(&self, at: usize, json: &mut String, text: impl Fn(T) -> Result<String>) -> Result<()> {
        match self.get(at)? {
            Some(value) => *json += &text(value)?,
            None => *json += "null",
        }
        Ok(())
    }
}

fn plain<T: Display>(value: T) -> Result<String> {
    Ok(value.to_string())
}

fn quoted(text: &str) -> Result<String> {
    serde_json::to_string(text).map_err(|error| Error::Internal(format!("a text was not written as JSON: {error}")))
}

fn time(at: TimestampWithTimeZone) -> Result<String> {
    let mut text: [c_char; pg_sys::MAXDATELEN as usize + 1] = [0; _];
    let at = at.into_datum().unwrap_or(pg_sys::Datum::null());
    // SAFETY: a timestamptz, and a buffer of the size that its text may have.
    let text = unsafe {
        pg_sys::JsonEncodeDateTime(text.as_mut_ptr(), at, pg_sys::TIMESTAMPTZOID, std::ptr::null());
        CStr::from_ptr(text.as_ptr())
    };
    Ok(format!("\"{}\"", text.to_string_lossy()))
}
