//! Texts and arrays from SQL: neither copied nor read at first.
//!
//! The server does not promise that a text is valid: it does not check the settings that a client gives at its start,
//! and `current_setting()` returns them. Rust, on the other hand, relies on every `&str` being UTF-8, and allocates
//! whatever size it is asked for. So functions take these types, and must name the argument to read the text. Reading
//! checks both.

#![expect(unsafe_code, reason = "reads varlenas without copying them")]

use pgrx::pgrx_sql_entity_graph::metadata::{
    ArgumentError, ReturnsError, ReturnsRef, SqlMappingRef, SqlTranslatable, TypeOrigin,
};
use pgrx::{pg_sys, varlena_to_byte_slice};
use uuid::Uuid;

use rules::{Error, Result};

/// More than the length of any stored text.
const TEXT_BYTES: usize = 64 * 1024;
/// More than the length of any array that a function takes.
const ARRAY_BYTES: usize = 1024 * 1024;
const ARRAY_ELEMENTS: usize = 10_000;

/// Returns the uncompressed size of a value in bytes, without reading it.
///
/// # Safety
/// The datum must be a varlena.
pub(super) unsafe fn size(datum: pg_sys::Datum) -> usize {
    // SAFETY: the caller's.
    unsafe { pg_sys::toast_raw_datum_size(datum) }
}

/// Refuses a value that is too large, before it is copied.
///
/// # Safety
/// The datum must be a varlena.
pub(super) unsafe fn check_size(datum: pg_sys::Datum, argument: &'static str, most: usize) -> Result<()> {
    // SAFETY: the caller's.
    if unsafe { size(datum) } <= most + pg_sys::VARHDRSZ {
        return Ok(());
    }
    let most = if most >= 1024 * 1024 { format!("{} MB", most >> 20) } else { format!("{} kB", most >> 10) };
    Err(Error::invalid(argument, format!("must have at most {most}")))
}

/// The text, if it is valid.
///
/// # Safety
/// The datum must be a text that outlives the result.
pub unsafe fn utf8<'a>(datum: pg_sys::Datum) -> Option<&'a str> {
    // SAFETY: the caller's.
    let bytes = unsafe { varlena_to_byte_slice(pg_sys::pg_detoast_datum_packed(datum.cast_mut_ptr())) };
    std::str::from_utf8(bytes).ok()
}

/// An argument of type text.
#[derive(Clone, Copy)]
pub struct Text(pg_sys::Datum);

impl Text {
    /// The text, if it is valid UTF-8 and of at most 64 kB.
    pub fn read(&self, argument: &'static str) -> Result<&str> {
        self.read_up_to(argument, TEXT_BYTES)
    }

    /// The text, if it is valid UTF-8 and has at most `most` bytes.
    pub fn read_up_to(&self, argument: &'static str, most: usize) -> Result<&str> {
        // SAFETY: a text, which lives as long as the call of the function.
        unsafe {
            check_size(self.0, argument, most)?;
            utf8(self.0).ok_or(Error::not_utf8(argument))
        }
    }

    /// At least its first characters, whatever it consists of and however long it is.
    pub fn label(&self, characters: usize) -> String {
        String::from_utf8_lossy(self.slice(characters.max(1_000))).into_owned()
    }

    /// The bytes of at least its first characters: a character has at most four.
    fn slice(&self, characters: usize) -> &[u8] {
        let most = i32::try_from(characters.saturating_mul(4)).unwrap_or(i32::MAX);
        // SAFETY: a text, which lives as long as the call of the function.
        unsafe { varlena_to_byte_slice(pg_sys::pg_detoast_datum_slice(self.0.cast_mut_ptr(), 0, most)) }
    }

    /// Its first characters, however long it is.
    pub fn beginning(&self, argument: &'static str, characters: usize) -> Result<String> {
        let bytes = self.slice(characters);
        let text = match std::str::from_utf8(bytes) {
            Ok(text) => text,
            // The cut is within a character, which is not among the first ones.
            Err(error) if error.error_len().is_none() && bytes.len() == characters.saturating_mul(4) => {
                std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default()
            }
            Err(_) => return Err(Error::not_utf8(argument)),
        };
        Ok(text.chars().take(characters).collect())
    }
}

/// The text of an optional argument.
pub fn text<'a>(argument: &'static str, value: &'a Option<Text>) -> Result<Option<&'a str>> {
    value.as_ref().map(|text| text.read(argument)).transpose()
}

/// The text of a required argument.
pub fn required_text<'a>(argument: &'static str, value: &'a Option<Text>) -> Result<&'a str> {
    text(argument, value)?.ok_or(Error::NullArgument { argument })
}

/// An argument of type text[].
#[derive(Clone, Copy)]
pub struct Texts(pg_sys::Datum);

impl Texts {
    /// # Safety
    /// The datum must be a text[] that outlives the result.
    pub unsafe fn new(datum: pg_sys::Datum) -> Self {
        Self(datum)
    }

    /// The texts, if they are valid UTF-8 and not far more than any function takes.
    pub fn read(&self, argument: &'static str) -> Result<Vec<Option<String>>> {
        // SAFETY: an array, which lives as long as the call of the function.
        unsafe { check_size(self.0, argument, ARRAY_BYTES)? };
        self.elements(|fault| match fault {
            Fault::Count => too_many(argument),
            Fault::Encoding => Error::not_utf8(argument),
        })
    }

    /// The texts, or the error that `refusal` makes of their fault.
    pub fn elements(&self, refusal: impl Fn(Fault) -> Error) -> Result<Vec<Option<String>>> {
        // SAFETY: a text[], which lives as long as the call of the function.
        unsafe {
            elements(self.0, pg_sys::TEXTOID, -1, pg_sys::TYPALIGN_INT, |datum| {
                utf8(datum).map(str::to_owned).ok_or(Fault::Encoding)
            })
        }
        .map_err(refusal)
    }
}

/// An argument of type uuid[].
#[derive(Clone, Copy)]
pub struct Uuids(pg_sys::Datum);

impl Uuids {
    /// The ids, if none is NULL and there are not far more than any function takes.
    pub fn read(&self, argument: &'static str) -> Result<Vec<Uuid>> {
        // SAFETY: a uuid[], which lives as long as the call of the function.
        let ids = unsafe {
            check_size(self.0, argument, ARRAY_BYTES)?;
            elements(self.0, pg_sys::UUIDOID, 16, pg_sys::TYPALIGN_CHAR, |datum| {
                Ok(Uuid::from_bytes(*datum.cast_mut_ptr::<[u8; 16]>()))
            })
        }
        .map_err(|_| too_many(argument))?;
        ids.into_iter().map(|id| id.ok_or_else(|| Error::invalid(argument, "must not have null elements"))).collect()
    }
}

/// The possible faults of an array.
pub enum Fault {
    Count,
    Encoding,
}

fn too_many(argument: &'static str) -> Error {
    Error::invalid(argument, format!("must have at most {ARRAY_ELEMENTS} elements"))
}

/// # Safety
/// The datum must be an array with elements of this type.
unsafe fn elements<T>(
    array: pg_sys::Datum,
    oid: pg_sys::Oid,
    length: i32,
    align: u8,
    read: impl Fn(pg_sys::Datum) -> std::result::Result<T, Fault>,
) -> std::result::Result<Vec<Option<T>>, Fault> {
    // SAFETY: the caller's. The dimensions follow the header of an array (utils/array.h).
    unsafe {
        let array = pg_sys::pg_detoast_datum(array.cast_mut_ptr()).cast::<pg_sys::ArrayType>();
        let dimensions = array.cast::<u8>().add(size_of::<pg_sys::ArrayType>()).cast::<i32>();
        let count = pg_sys::ArrayGetNItems((*array).ndim, dimensions);
        if usize::try_from(count).unwrap_or(usize::MAX) > ARRAY_ELEMENTS {
            return Err(Fault::Count);
        }
        let (mut values, mut nulls, mut count) = (std::ptr::null_mut(), std::ptr::null_mut(), 0);
        let by_value = false;
        pg_sys::deconstruct_array(
            array,
            oid,
            length,
            by_value,
            align as std::ffi::c_char,
            &mut values,
            &mut nulls,
            &mut count,
        );
        let at = |at: usize| if *nulls.add(at) { Ok(None) } else { read(*values.add(at)).map(Some) };
        (0..usize::try_from(count).unwrap_or(0)).map(at).collect()
    }
}

/// Lets a function take a value of the server as it is: a type with only a datum in it.
macro_rules! from_datum {
    ($type:ident) => {
        impl pgrx::FromDatum for $type {
            unsafe fn from_polymorphic_datum(
                datum: pgrx::pg_sys::Datum,
                is_null: bool,
                _: pgrx::pg_sys::Oid,
            ) -> Option<Self> {
                (!is_null).then_some(Self(datum))
            }
        }

        // SAFETY: unboxed by FromDatum, which tells NULL apart.
        unsafe impl<'fcx> pgrx::callconv::ArgAbi<'fcx> for $type {
            unsafe fn unbox_arg_unchecked(arg: pgrx::callconv::Arg<'_, 'fcx>) -> Self {
                // SAFETY: the caller's: of this type, and not NULL.
                match unsafe { arg.unbox_arg_using_from_datum() } {
                    Some(value) => value,
                    None => unreachable!("NULL is unboxed by unbox_nullable_arg"),
                }
            }

            unsafe fn unbox_nullable_arg(arg: pgrx::callconv::Arg<'_, 'fcx>) -> pgrx::nullable::Nullable<Self> {
                // SAFETY: the caller's: of this type.
                unsafe { arg.unbox_arg_using_from_datum() }.into()
            }
        }
    };
}
pub(super) use from_datum;

macro_rules! argument {
    ($type:ident, $sql:literal) => {
        $crate::datum::text::from_datum!($type);

        // SAFETY: it is this type in SQL, and nothing else.
        unsafe impl SqlTranslatable for $type {
            const TYPE_IDENT: &'static str = pgrx::pgrx_resolved_type!($type);
            const TYPE_ORIGIN: TypeOrigin = TypeOrigin::External;
            const ARGUMENT_SQL: std::result::Result<SqlMappingRef, ArgumentError> = Ok(SqlMappingRef::literal($sql));
            const RETURN_SQL: std::result::Result<ReturnsRef, ReturnsError> =
                Ok(ReturnsRef::One(SqlMappingRef::literal($sql)));
        }
    };
}
pub(super) use argument;

argument!(Text, "text");
argument!(Texts, "text[]");
argument!(Uuids, "uuid[]");
