//! A statement whose plan is kept for the life of the backend.

use std::borrow::Cow;
use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;

use pgrx::datum::DatumWithOid;
use pgrx::pg_sys::{self, PgOid};
use pgrx::spi::{OwnedPreparedStatement, Spi, SpiHeapTupleData, SpiResult, SpiTupleTable};

use crate::datum::Composite;
use crate::domain::{Error, Result};

pub type Argument<'a> = DatumWithOid<'a>;

/// Whether a statement runs on its caller's snapshot, or on a new one and may write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    Read,
    Write,
}

pub struct Statement {
    sql: Cow<'static, str>,
    access: Access,
    // Never freed: to free a plan when the thread's locals are torn down would call into a server that is gone.
    plan: OnceCell<&'static OwnedPreparedStatement>,
}

/// Declares a statement; it is planned when it is first run.
macro_rules! statement {
    ($name:ident, $access:ident, $sql:expr) => {
        thread_local! {
            static $name: $crate::store::statement::Statement =
                const { $crate::store::statement::Statement::new($crate::store::statement::Access::$access, $sql) };
        }
    };
}
pub(super) use statement;

/// Runs `read` on a snapshot that has everything committed by now, even in a REPEATABLE READ transaction; within a parallel
/// query, on the query's own, for the server allows no other there.
pub(super) fn with_latest_snapshot<R>(read: impl FnOnce() -> R) -> R {
    // SAFETY: reads a variable of this backend.
    if unsafe { pg_sys::IsInParallelMode() } {
        return read();
    }
    // SAFETY: within a transaction; should `read` raise an error, the abort pops it.
    unsafe { pg_sys::PushActiveSnapshot(pg_sys::GetLatestSnapshot()) };
    let result = read();
    // SAFETY: the one that was pushed.
    unsafe { pg_sys::PopActiveSnapshot() };
    result
}

/// A bound for a `LIMIT` within that of a parameter: to the planner, a parameter is a tenth of all rows. Few different ones,
/// for each is a plan of its own.
pub(super) fn at_most(limit: i32) -> i32 {
    [1, 10, 100].into_iter().find(|bound| limit <= *bound).unwrap_or(1_000)
}

impl Statement {
    pub const fn new(access: Access, sql: &'static str) -> Self {
        Self { sql: Cow::Borrowed(sql), access, plan: OnceCell::new() }
    }

    /// A statement whose text was put together at run time, with what it has been planned for before. For texts of which
    /// there are few.
    pub fn composed(access: Access, sql: String) -> &'static Self {
        thread_local! {
            static COMPOSED: RefCell<HashMap<String, &'static Statement>> = RefCell::default();
        }
        COMPOSED.with_borrow_mut(|known| {
            *known.entry(sql).or_insert_with_key(|sql| {
                Box::leak(Box::new(Self { sql: Cow::Owned(sql.clone()), access, plan: OnceCell::new() }))
            })
        })
    }

    /// The first column of every row, which must be of the composite type that `C` stands for.
    pub fn composites<C: Composite>(&self, arguments: &[Argument]) -> Result<Vec<C>> {
        self.run(arguments, |table| {
            let mut rows = Vec::with_capacity(table.len());
            if table.is_empty() {
                return Ok(rows);
            }
            // SAFETY: the statement returned rows, so SPI_tuptable is theirs; a composite value that went through a sort
            // may be packed, and is unpacked; SPI_datumTransfer copies it to the memory context of the caller, where it
            // outlives SPI.
            unsafe {
                let result = &*pg_sys::SPI_tuptable;
                for at in 0..table.len() {
                    let mut is_null = false;
                    let value = pg_sys::SPI_getbinval(*result.vals.add(at), result.tupdesc, 1, &mut is_null);
                    if !is_null {
                        let plain = pg_sys::pg_detoast_datum(value.cast_mut_ptr());
                        let copy = pg_sys::SPI_datumTransfer(pg_sys::Datum::from(plain), false, -1);
                        rows.push(C::from_composite(copy));
                    }
                }
            }
            Ok(rows)
        })
    }

    pub fn composite<C: Composite>(&self, arguments: &[Argument]) -> Result<Option<C>> {
        Ok(self.composites(arguments)?.pop())
    }

    /// The first column of every row, which must be text.
    pub fn texts(&self, arguments: &[Argument]) -> Result<Vec<String>> {
        self.run(arguments, |table| table.filter_map(|row| row.get::<String>(1).transpose()).collect())
    }

    /// The only row, read by `read`.
    pub fn row<R>(
        &self,
        arguments: &[Argument],
        read: impl FnOnce(&SpiHeapTupleData) -> SpiResult<R>,
    ) -> Result<Option<R>> {
        self.run(arguments, |mut table| table.next().map(|row| read(&row)).transpose())
    }

    /// How many rows were changed, or returned.
    pub fn count(&self, arguments: &[Argument]) -> Result<usize> {
        self.run(arguments, |table| Ok(table.len()))
    }

    fn run<R>(&self, arguments: &[Argument], read: impl FnOnce(SpiTupleTable) -> SpiResult<R>) -> Result<R> {
        Spi::connect(|client| {
            let plan = match self.plan.get() {
                Some(plan) => plan,
                None => {
                    let types: Vec<PgOid> = arguments.iter().map(|a| PgOid::from(a.oid())).collect();
                    let plan = match self.access {
                        Access::Read => client.prepare(self.sql.as_ref(), &types)?,
                        Access::Write => client.prepare_mut(self.sql.as_ref(), &types)?,
                    };
                    self.plan.get_or_init(|| Box::leak(Box::new(plan.keep())))
                }
            };
            // `select` with a plan made by prepare_mut writes, without taking a transaction id before it is needed.
            read(client.select(*plan, None, arguments)?)
        })
        .map_err(|error| Error::Internal(format!("statement failed: {error}")))
    }
}
