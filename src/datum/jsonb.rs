//! A jsonb argument that is stored as it came, without a detour through text.

use std::ffi::{CStr, CString};

use pgrx::callconv::{Arg, ArgAbi};
use pgrx::nullable::Nullable;
use pgrx::pgrx_sql_entity_graph::metadata::{
    ArgumentError, ReturnsError, ReturnsRef, SqlMappingRef, SqlTranslatable, TypeOrigin,
};
use pgrx::{FromDatum, IntoDatum, direct_function_call, pg_sys};

use crate::domain::{Error, Result, validate};

/// A detoasted jsonb.
#[derive(Clone, Copy)]
pub struct Jsonb(pg_sys::Datum);

impl Jsonb {
    /// Checks that it may be the metadata of a session: an object of at most 32 kB.
    pub fn check_metadata(self) -> Result<()> {
        // SAFETY: a varlena with a four-byte header; the word after it tells what the jsonb is (utils/jsonb.h).
        let (size, header) = unsafe {
            let varlena = self.0.cast_mut_ptr::<pg_sys::varlena>();
            (pgrx::varsize(varlena), pgrx::vardata_4b(varlena).cast::<u32>().read_unaligned())
        };
        if header & pg_sys::JB_FOBJECT == 0 {
            return Err(Error::invalid("metadata", "must be a JSON object"));
        }
        if size > validate::METADATA_BYTES {
            return Err(Error::invalid("metadata", "must have at most 32 kB"));
        }
        self.check_plain("metadata")
    }

    /// Checks that it has nothing that makes it many times larger as text, or that others cannot read: numbers with huge
    /// exponents (12 bytes here, 131,072 digits there), deep nesting, and names that the JSON library keeps for itself.
    pub fn check_plain(self, argument: &'static str) -> Result<()> {
        use pg_sys::JsonbIteratorToken::{
            WJB_BEGIN_ARRAY, WJB_BEGIN_OBJECT, WJB_DONE, WJB_ELEM, WJB_END_ARRAY, WJB_END_OBJECT, WJB_KEY, WJB_VALUE,
        };
        let mut depth = 0;
        let mut value = pg_sys::JsonbValue::default();
        // SAFETY: what follows the header of a jsonb is its root container (utils/jsonb.h).
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
                // SAFETY: keys are strings.
                WJB_KEY if unsafe { text_of(&value) }.starts_with(RESERVED) => {
                    return Err(Error::invalid(argument, "has a name that is reserved"));
                }
                // SAFETY: the type says which member of the union is there.
                WJB_VALUE | WJB_ELEM
                    if value.type_ == pg_sys::jbvType::jbvNumeric && unsafe { !is_plain(value.val.numeric) } =>
                {
                    return Err(Error::invalid(argument, "has a number with too many digits"));
                }
                _ => {}
            }
            if depth > DEPTH {
                return Err(Error::invalid(argument, "is nested too deeply"));
            }
        }
    }

    /// Reads JSON text.
    pub fn from_text(text: &str) -> Result<Self> {
        let text = CString::new(text).map_err(|_| Error::invalid("metadata", "must not contain NUL characters"))?;
        // SAFETY: jsonb_in takes a NUL-terminated string and returns a jsonb; what is no JSON is an ordinary error.
        let datum =
            unsafe { direct_function_call::<Self>(pg_sys::jsonb_in, &[Some(pg_sys::Datum::from(text.as_ptr()))]) };
        datum.ok_or_else(|| Error::Internal("a JSON text has no value".into()))
    }

    /// Its JSON text. Keys are in the order that jsonb keeps them, so equal objects have equal text.
    pub fn text(self) -> String {
        // SAFETY: jsonb_out takes a jsonb and returns a NUL-terminated string.
        let text = unsafe { direct_function_call::<&CStr>(pg_sys::jsonb_out, &[Some(self.0)]) };
        text.map(|text| text.to_string_lossy().into_owned()).unwrap_or_default()
    }
}

/// How deep a JSON value may be.
const DEPTH: usize = 64;
/// How many digits a number may have before the point, and behind it.
const DIGITS: i32 = 40;
/// What serde_json calls members that are not what they seem.
const RESERVED: &[u8] = b"$serde_json::private::";

/// # Safety
/// The value must be a string.
unsafe fn text_of(value: &pg_sys::JsonbValue) -> &[u8] {
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
        // The logarithm would take as long as to print it; its sign and size are compared with a power of ten instead.
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

impl FromDatum for Jsonb {
    unsafe fn from_polymorphic_datum(datum: pg_sys::Datum, is_null: bool, _: pg_sys::Oid) -> Option<Self> {
        if is_null {
            return None;
        }
        // SAFETY: the caller's datum is a jsonb.
        let plain = unsafe { pg_sys::pg_detoast_datum(datum.cast_mut_ptr()) };
        Some(Self(pg_sys::Datum::from(plain)))
    }
}

impl IntoDatum for Jsonb {
    fn into_datum(self) -> Option<pg_sys::Datum> {
        Some(self.0)
    }

    fn type_oid() -> pg_sys::Oid {
        pg_sys::JSONBOID
    }
}

// SAFETY: unboxed by FromDatum, which tells NULL apart.
unsafe impl<'fcx> ArgAbi<'fcx> for Jsonb {
    unsafe fn unbox_arg_unchecked(arg: Arg<'_, 'fcx>) -> Self {
        // SAFETY: the caller's: a jsonb that is not NULL.
        match unsafe { arg.unbox_arg_using_from_datum() } {
            Some(metadata) => metadata,
            None => unreachable!("NULL is unboxed by unbox_nullable_arg"),
        }
    }

    unsafe fn unbox_nullable_arg(arg: Arg<'_, 'fcx>) -> Nullable<Self> {
        // SAFETY: the caller's: a jsonb.
        unsafe { arg.unbox_arg_using_from_datum() }.into()
    }
}

// SAFETY: it is jsonb in SQL, and nothing else.
unsafe impl SqlTranslatable for Jsonb {
    const TYPE_IDENT: &'static str = pgrx::pgrx_resolved_type!(Jsonb);
    const TYPE_ORIGIN: TypeOrigin = TypeOrigin::External;
    const ARGUMENT_SQL: std::result::Result<SqlMappingRef, ArgumentError> = Ok(SqlMappingRef::literal("jsonb"));
    const RETURN_SQL: std::result::Result<ReturnsRef, ReturnsError> =
        Ok(ReturnsRef::One(SqlMappingRef::literal("jsonb")));
}
