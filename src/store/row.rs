//! A row that a statement has returned.

#![expect(unsafe_code, reason = "reads the columns of a tuple")]

use pgrx::pg_sys;

use crate::datum::{Column, Composite};
use rules::{Error, Result};

pub struct Row {
    tuple: pg_sys::HeapTuple,
    descriptor: pg_sys::TupleDesc,
}

impl Row {
    /// # Safety
    /// The tuple and its description must outlive the row.
    pub(super) unsafe fn new(tuple: pg_sys::HeapTuple, descriptor: pg_sys::TupleDesc) -> Self {
        Self { tuple, descriptor }
    }

    /// The value of a column, counted from 1; `None` if it is NULL.
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

    /// The value of a column that has the composite type of `C`, copied so that it outlives SPI.
    pub fn composite<C: Composite>(&self, number: i32) -> Option<C> {
        let mut is_null = false;
        // SAFETY: see `new`. A composite value that went through a sort may be packed, and is unpacked;
        // SPI_datumTransfer copies it to the memory context of SPI's caller.
        unsafe {
            let datum = pg_sys::SPI_getbinval(self.tuple, self.descriptor, number, &mut is_null);
            (!is_null).then(|| {
                let plain = pg_sys::pg_detoast_datum(datum.cast_mut_ptr());
                C::from_composite(pg_sys::SPI_datumTransfer(pg_sys::Datum::from(plain), false, -1))
            })
        }
    }
}
