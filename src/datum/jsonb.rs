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
        Ok(())
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
