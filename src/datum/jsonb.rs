//! A jsonb argument that is stored unchanged, without being turned into text.

#![expect(unsafe_code, reason = "walks a jsonb in its binary form")]

use std::ffi::{CStr, CString};
use std::panic::AssertUnwindSafe;

use pgrx::pgrx_sql_entity_graph::metadata::{
    ArgumentError, ReturnsError, ReturnsRef, SqlMappingRef, SqlTranslatable, TypeOrigin,
};
use pgrx::prelude::{PgSqlErrorCode, PgTryBuilder};
use pgrx::{IntoDatum, direct_function_call, pg_sys};

use rules::{Error, Result, validate};
use serde_json::{Map, Value};

use super::text::{argument, check_size};

/// An argument of type jsonb, as it came: neither copied nor read.
#[derive(Clone, Copy)]
pub struct Jsonb(pg_sys::Datum);
argument!(Jsonb, "jsonb");

impl Jsonb {
    /// The value, if its binary form has at most `most` bytes and it contains no trap.
    pub fn read(&self, argument: &'static str, most: usize) -> Result<Json> {
        // SAFETY: a jsonb, which lives as long as the call of the function.
        let json = unsafe {
            check_size(self.0, argument, most)?;
            Json(pg_sys::Datum::from(pg_sys::pg_detoast_datum(self.0.cast_mut_ptr())))
        };
        json.check_plain(argument)?;
        Ok(json)
    }
}

/// The metadata of a session: an object of at most 32 kB.
pub fn metadata(value: &Option<Jsonb>) -> Result<Option<Json>> {
    let Some(value) = value else { return Ok(None) };
    value.read("metadata", validate::METADATA_BYTES)?.check_metadata().map(Some)
}

/// A jsonb that was checked, and detoasted.
#[derive(Clone, Copy)]
pub struct Json(pg_sys::Datum);

impl Json {
    /// Refuses a value that cannot be the metadata of a session.
    pub fn check_metadata(self) -> Result<Self> {
        // SAFETY: a varlena with a four-byte header. The next word says which kind of jsonb it is (utils/jsonb.h).
        let header = unsafe {
            let varlena = self.0.cast_mut_ptr::<pg_sys::varlena>();
            pgrx::vardata_4b(varlena).cast::<u32>().read_unaligned()
        };
        if header & pg_sys::JB_FOBJECT == 0 {
            return Err(Error::invalid("metadata", "must be a JSON object"));
        }
        if self.size() > validate::METADATA_BYTES {
            return Err(Error::invalid("metadata", "must have at most 32 kB"));
        }
        Ok(self)
    }

    /// Returns the number of bytes of its binary form.
    pub fn size(self) -> usize {
        // SAFETY: a varlena with a four-byte header.
        unsafe { pgrx::varsize(self.0.cast_mut_ptr::<pg_sys::varlena>()) - pg_sys::VARHDRSZ }
    }

    /// Refuses values that become many times larger as text, or that other programs cannot read: bytes that are not
    /// UTF-8, numbers with huge exponents (12 bytes here, 131,072 digits there), deep nesting, and names that the JSON
    /// library reserves.
    fn check_plain(self, argument: &'static str) -> Result<()> {
        use pg_sys::JsonbIteratorToken::{
            WJB_BEGIN_ARRAY, WJB_BEGIN_OBJECT, WJB_DONE, WJB_ELEM, WJB_END_ARRAY, WJB_END_OBJECT, WJB_KEY, WJB_VALUE,
        };
        let mut depth = 0;
        let mut value = pg_sys::JsonbValue::default();
        // SAFETY: the header of a jsonb is followed by its root container (utils/jsonb.h).
        let mut iterator = unsafe {
            let varlena = self.0.cast_mut_ptr::<pg_sys::varlena>();
            pg_sys::JsonbIteratorInit(pgrx::vardata_4b(varlena).cast_mut().cast())
        };
        loop {
            // SAFETY: the iterator is of this jsonb, which lives as long as the call of the function.
            let token = unsafe { pg_sys::JsonbIteratorNext(&mut iterator, &mut value, false) };
            match token {
                WJB_DONE => return Ok(()),
                WJB_BEGIN_ARRAY | WJB_BEGIN_OBJECT => depth += 1,
                WJB_END_ARRAY | WJB_END_OBJECT => depth -= 1,
                WJB_KEY | WJB_VALUE | WJB_ELEM => {
                    // SAFETY: the type says which member of the union is valid.
                    match value.type_ {
                        pg_sys::jbvType::jbvString => {
                            let bytes = unsafe { bytes_of(&value) };
                            if token == WJB_KEY && bytes.starts_with(RESERVED) {
                                return Err(Error::invalid(argument, "has a name that is reserved"));
                            }
                            if std::str::from_utf8(bytes).is_err() {
                                return Err(Error::not_utf8(argument));
                            }
                        }
                        // SAFETY: as above.
                        pg_sys::jbvType::jbvNumeric if unsafe { !is_plain(value.val.numeric) } => {
                            return Err(Error::invalid(argument, "has a number with too many digits"));
                        }
                        _ => {}
                    }
                }
                _ => {}
            }
            if depth > DEPTH {
                return Err(Error::invalid(argument, "is nested too deeply"));
            }
        }
    }

    /// Reads the JSON text of an argument. Postgres may refuse valid JSON: jsonb has no NUL characters, and limits the
    /// digits of a number. It is read in a subtransaction, which is rolled back then.
    pub fn from_text(argument: &'static str, text: &str) -> Result<Self> {
        let text = CString::new(text).map_err(|_| Error::invalid(argument, "must not contain NUL characters"))?;
        let json = PgTryBuilder::new(AssertUnwindSafe(|| {
            // SAFETY: jsonb_in takes a NUL-terminated string and returns a jsonb.
            Ok(Self(unsafe {
                direct_function_call::<pg_sys::Datum>(pg_sys::jsonb_in, &[Some(pg_sys::Datum::from(text.as_ptr()))])
                    .ok_or_else(|| Error::Internal("a JSON text has no value".into()))?
            }))
        }))
        .catch_when(PgSqlErrorCode::ERRCODE_UNTRANSLATABLE_CHARACTER, |_| {
            Err(Error::invalid(argument, "must not contain NUL characters"))
        })
        .catch_when(PgSqlErrorCode::ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE, |_| {
            Err(Error::invalid(argument, "has a number with too many digits"))
        })
        .catch_when(PgSqlErrorCode::ERRCODE_INVALID_TEXT_REPRESENTATION, |_| {
            Err(Error::invalid(argument, "is not valid JSON"))
        })
        .execute()?;
        json.check_plain(argument)?;
        Ok(json)
    }

    /// # Safety
    /// The datum must be a jsonb that outlives the result.
    pub(super) unsafe fn stored(datum: pg_sys::Datum) -> Self {
        // SAFETY: the caller's.
        Self(pg_sys::Datum::from(unsafe { pg_sys::pg_detoast_datum(datum.cast_mut_ptr()) }))
    }

    /// The value.
    pub fn value(self, argument: &'static str) -> Result<Value> {
        serde_json::from_str(&self.text()).map_err(|_| Error::invalid(argument, "is nested too deeply"))
    }

    /// The members of an object.
    pub fn object(self) -> Result<Map<String, Value>> {
        serde_json::from_str(&self.text())
            .map_err(|error| Error::Internal(format!("a stored object is not what it was: {error}")))
    }

    /// Its JSON text, if it is valid UTF-8.
    pub fn valid_text(self) -> Result<String> {
        String::from_utf8(self.bytes()).map_err(|_| Error::StoredTextNotUtf8)
    }

    /// Its JSON text. Keys have the order that jsonb gives them, so equal objects have equal text.
    pub fn text(self) -> String {
        String::from_utf8_lossy(&self.bytes()).into_owned()
    }

    fn bytes(self) -> Vec<u8> {
        // SAFETY: jsonb_out takes a jsonb and returns a NUL-terminated string.
        let text = unsafe { direct_function_call::<&CStr>(pg_sys::jsonb_out, &[Some(self.0)]) };
        text.map(|text| text.to_bytes().to_owned()).unwrap_or_default()
    }
}

/// The greatest depth of a JSON value.
const DEPTH: usize = 64;
/// The most digits of a number before the point, and after it.
const DIGITS: i32 = 40;
/// The prefix of names with which serde_json marks members that stand for something else.
const RESERVED: &[u8] = b"$serde_json::private::";

/// # Safety
/// The value must be a string.
unsafe fn bytes_of(value: &pg_sys::JsonbValue) -> &[u8] {
    // SAFETY: the caller's; a pointer into the jsonb, and a length.
    unsafe {
        let string = value.val.string;
        std::slice::from_raw_parts(string.val.cast(), usize::try_from(string.len).unwrap_or(0))
    }
}

/// # Safety
/// The pointer must be to a numeric.
unsafe fn is_plain(number: pg_sys::Numeric) -> bool {
    let number = pg_sys::Datum::from(number);
    // SAFETY: the caller's; functions of the server on numerics. A jsonb has neither NaN nor infinity.
    unsafe {
        let scale: Option<i32> = direct_function_call(pg_sys::numeric_scale, &[Some(number)]);
        // The logarithm would take as long as printing the number; a comparison with a power of ten tells its sign and
        // size.
        let size = pgrx::direct_function_call_as_datum(pg_sys::numeric_abs, &[Some(number)]);
        let limit = pgrx::direct_function_call_as_datum(
            pg_sys::numeric_in,
            &[
                Some(pg_sys::Datum::from(c"1e40".as_ptr())),
                Some(pg_sys::InvalidOid.into()),
                Some(pg_sys::Datum::from(-1_i32)),
            ],
        );
        let larger: Option<bool> = direct_function_call(pg_sys::numeric_ge, &[size, limit]);
        scale.is_some_and(|scale| scale <= DIGITS) && larger == Some(false)
    }
}

impl IntoDatum for Json {
    fn into_datum(self) -> Option<pg_sys::Datum> {
        Some(self.0)
    }

    fn type_oid() -> pg_sys::Oid {
        pg_sys::JSONBOID
    }
}
