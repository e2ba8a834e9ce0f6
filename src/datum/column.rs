//! Values of columns of stored rows.

#![expect(unsafe_code, reason = "reads values of the types that were compared")]

use pgrx::datum::{Interval, TimestampWithTimeZone};
use pgrx::{AnyNumeric, FromDatum, IntoDatum, pg_sys};
use rules::{Error, Result};

use super::jsonb::Json;
use super::text::{Texts, utf8};

/// A value that can be read from a column. Texts are checked: a superuser may have stored bytes that are not UTF-8, and
/// in Rust such bytes must not become text.
pub trait Column: Sized {
    fn type_oid() -> pg_sys::Oid;

    /// # Safety
    /// The value must have the type and must not be NULL.
    unsafe fn read(datum: pg_sys::Datum) -> Result<Self>;
}

macro_rules! column {
    ($($type:ty),*) => {$(
        impl Column for $type {
            fn type_oid() -> pg_sys::Oid {
                <$type as IntoDatum>::type_oid()
            }

            unsafe fn read(datum: pg_sys::Datum) -> Result<Self> {
                // SAFETY: the caller's.
                unsafe { <$type as FromDatum>::from_datum(datum, false) }
                    .ok_or_else(|| Error::Internal("a column has no value".into()))
            }
        }
    )*};
}
column!(bool, i32, i64, pgrx::Uuid, TimestampWithTimeZone, Interval, AnyNumeric, Vec<u8>);

impl Column for String {
    fn type_oid() -> pg_sys::Oid {
        pg_sys::TEXTOID
    }

    unsafe fn read(datum: pg_sys::Datum) -> Result<Self> {
        // SAFETY: the caller's.
        unsafe { utf8(datum) }.map(str::to_owned).ok_or(Error::StoredTextNotUtf8)
    }
}

impl Column for Vec<String> {
    fn type_oid() -> pg_sys::Oid {
        pg_sys::TEXTARRAYOID
    }

    unsafe fn read(datum: pg_sys::Datum) -> Result<Self> {
        // SAFETY: the caller's.
        let texts = unsafe { Texts::new(datum) }.elements(|_| Error::StoredTextNotUtf8)?;
        Ok(texts.into_iter().flatten().collect())
    }
}

impl Column for Json {
    fn type_oid() -> pg_sys::Oid {
        pg_sys::JSONBOID
    }

    unsafe fn read(datum: pg_sys::Datum) -> Result<Self> {
        // SAFETY: the caller's.
        Ok(unsafe { Self::stored(datum) })
    }
}
