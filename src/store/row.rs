//! A row that a statement has returned.

use pgrx::datum::{Interval, TimestampWithTimeZone};
use pgrx::{AnyNumeric, FromDatum, IntoDatum, pg_sys};

use crate::datum::{Composite, Texts, utf8};
use crate::domain::{Error, Result};

pub struct Row {
    tuple: pg_sys::HeapTuple,
    descriptor: pg_sys::TupleDesc,
}

/// What can be read from a column. Texts are checked: a superuser, or a client before there was such a check, may have stored
/// bytes that are no UTF-8, and to Rust these must not be text.
pub trait Column: Sized {
    fn type_oid() -> pg_sys::Oid;

    /// # Safety
    /// A value of the type, which is not NULL.
    unsafe fn read(datum: pg_sys::Datum) -> Result<Self>;
}

impl Row {
    /// # Safety
    /// A tuple and its description, which outlive the row.
    pub(super) unsafe fn new(tuple: pg_sys::HeapTuple, descriptor: pg_sys::TupleDesc) -> Self {
        Self { tuple, descriptor }
    }

    /// The value of a column, counted from 1; `None` where it is NULL.
    pub fn get<T: Column>(&self, number: i32) -> Result<Option<T>> {
        let mut is_null = false;
        // SAFETY: see `new`; the type is compared before the value is read.
        unsafe {
            let datum = pg_sys::SPI_getbinval(self.tuple, self.descriptor, number, &mut is_null);
            let found = pg_sys::SPI_gettypeid(self.descriptor, number);
            if found != T::type_oid() {
                return Err(Error::Internal(format!("column {number} of a statement is of type {found:?}")));
            }
            if is_null { Ok(None) } else { T::read(datum).map(Some) }
        }
    }

    /// The value of a column that is of the composite type that `C` stands for, where it outlives SPI.
    pub fn composite<C: Composite>(&self, number: i32) -> Option<C> {
        let mut is_null = false;
        // SAFETY: see `new`. A composite value that went through a sort may be packed, and is unpacked; SPI_datumTransfer
        // copies it to the memory context of SPI's caller.
        unsafe {
            let datum = pg_sys::SPI_getbinval(self.tuple, self.descriptor, number, &mut is_null);
            (!is_null).then(|| {
                let plain = pg_sys::pg_detoast_datum(datum.cast_mut_ptr());
                C::from_composite(pg_sys::SPI_datumTransfer(pg_sys::Datum::from(plain), false, -1))
            })
        }
    }
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
