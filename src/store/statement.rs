//! A statement whose plan is kept for the life of the backend.

#![expect(unsafe_code, reason = "runs statements through SPI")]

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::ffi::{CStr, CString, c_char};
use std::rc::Rc;

use pgrx::datum::DatumWithOid;
use pgrx::pg_sys;
use pgrx::spi::Spi;

use super::row::Row;
use crate::datum::Composite;
use crate::version;
use rules::{Error, Result};

pub type Argument<'a> = DatumWithOid<'a>;

/// The snapshot of a statement, and whether it may change rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Access {
    /// The caller's snapshot. Changes nothing.
    Caller,
    /// A snapshot that sees all that is committed by now, also in a REPEATABLE READ transaction. It is for credentials
    /// and secrets, which end when they are revoked and not when the caller's transaction ends. Changes nothing.
    Latest,
    /// The transaction's snapshot as of now, which also sees the transaction's own changes. Changes nothing.
    Transaction,
    /// As Transaction, and may change or lock rows.
    Write,
}

pub struct Statement {
    sql: Cow<'static, str>,
    access: Access,
    /// Never freed: the thread's locals are torn down after the server is gone.
    plan: Cell<pg_sys::SPIPlanPtr>,
}

/// Declares a statement. It is planned when it first runs.
macro_rules! statement {
    ($name:ident, $access:ident, $sql:expr) => {
        thread_local! {
            static $name: $crate::store::statement::Statement =
                const { $crate::store::statement::Statement::new($crate::store::statement::Access::$access, $sql) };
        }
    };
}
pub(super) use statement;

/// Rounds a `LIMIT` up to a bound for the planner, which takes a parameter of LIMIT for a tenth of all rows. There are
/// few bounds, because each has a plan of its own.
pub(super) fn at_most(limit: i32) -> i32 {
    [1, 10, 100].into_iter().find(|bound| limit <= *bound).unwrap_or(1_000)
}

impl Statement {
    pub const fn new(access: Access, sql: &'static str) -> Self {
        Self { sql: Cow::Borrowed(sql), access, plan: Cell::new(std::ptr::null_mut()) }
    }

    /// A statement whose text is put together when it first runs.
    pub const fn made(access: Access, sql: String) -> Self {
        Self { sql: Cow::Owned(sql), access, plan: Cell::new(std::ptr::null_mut()) }
    }

    /// A statement whose text was put together at run time. It keeps its plan from the last time, unless many others
    /// have run since.
    pub fn composed(access: Access, sql: String) -> Rc<Self> {
        thread_local! {
            static COMPOSED: RefCell<Composed> = RefCell::default();
            static CLOCK: Cell<u64> = const { Cell::new(0) };
        }
        let now = CLOCK.get() + 1;
        CLOCK.set(now);
        COMPOSED.with_borrow_mut(|known| {
            let key = (access, sql);
            if known.len() >= COMPOSED_AT_MOST && !known.contains_key(&key) {
                forget_oldest(known);
            }
            let make = |(access, sql): &(Access, String)| (Rc::new(Self::made(*access, sql.clone())), now);
            let (statement, used) = known.entry(key).or_insert_with_key(make);
            *used = now;
            Rc::clone(statement)
        })
    }

    /// The first column of every row, which must have the composite type of `C`.
    pub fn composites<C: Composite>(&self, arguments: &[Argument]) -> Result<Vec<C>> {
        self.run(arguments, |rows| rows.filter_map(|row| row.composite(1)).collect())
    }

    /// The composite values in the first column; for a row where it is NULL, the texts in the two columns after it.
    pub fn composites_or_texts<C: Composite>(&self, arguments: &[Argument]) -> Result<(Vec<C>, [Vec<String>; 2])> {
        self.run(arguments, |rows| {
            let (mut values, mut texts) = (Vec::with_capacity(rows.len()), [Vec::new(), Vec::new()]);
            for row in rows {
                match row.composite(1) {
                    Some(value) => values.push(value),
                    None => {
                        for (number, texts) in (2..).zip(&mut texts) {
                            texts.push(row.get::<String>(number)?.unwrap_or_default());
                        }
                    }
                }
            }
            Ok((values, texts))
        })?
    }

    pub fn composite<C: Composite>(&self, arguments: &[Argument]) -> Result<Option<C>> {
        Ok(self.composites(arguments)?.pop())
    }

    /// The only row, read by `read`.
    pub fn row<R>(&self, arguments: &[Argument], read: impl FnOnce(&Row) -> Result<R>) -> Result<Option<R>> {
        self.run(arguments, |mut rows| rows.next().map(|row| read(&row)).transpose())?
    }

    /// Every row, read by `read`.
    pub fn rows<R>(&self, arguments: &[Argument], mut read: impl FnMut(&Row) -> Result<R>) -> Result<Vec<R>> {
        self.run(arguments, |rows| rows.map(|row| read(&row)).collect())?
    }

    /// Returns the number of rows changed, or returned.
    pub fn count(&self, arguments: &[Argument]) -> Result<usize> {
        self.run(arguments, |rows| rows.len())
    }

    fn run<R>(&self, arguments: &[Argument], read: impl FnOnce(Rows) -> R) -> Result<R> {
        // SAFETY: within a transaction. If the statement raises an error, the abort pops the snapshot.
        let pushed = self.access == Access::Latest && unsafe { push_latest_snapshot() };
        if self.plan.get().is_null() {
            version::look();
        }
        let result = version::with_hint(|| {
            Spi::connect(|_| {
                let mut values = Vec::with_capacity(arguments.len());
                let mut nulls: Vec<c_char> = Vec::with_capacity(arguments.len());
                for argument in arguments {
                    let value = argument.datum();
                    nulls.push(if value.is_some() { b' ' } else { b'n' } as c_char);
                    values.push(value.map_or(pg_sys::Datum::null(), |value| value.sans_lifetime()));
                }
                let plan = self.plan(arguments)?;
                // SAFETY: the plan has been kept, and was made for arguments of these types. A statement that does not
                // write runs as read only: otherwise SPI would take a new snapshot instead of the requested one, and start
                // a command, which a parallel query forbids.
                let code = unsafe {
                    pg_sys::SPI_tuptable = std::ptr::null_mut();
                    let read_only = matches!(self.access, Access::Caller | Access::Latest);
                    pg_sys::SPI_execute_plan(plan, values.as_mut_ptr(), nulls.as_ptr(), read_only, 0)
                };
                check(code)?;
                // SAFETY: the statement has just run.
                Ok(read(unsafe { Rows::of_statement() }))
            })
        });
        if pushed {
            // SAFETY: the snapshot that was pushed above.
            unsafe { pg_sys::PopActiveSnapshot() };
        }
        result
    }

    fn plan(&self, arguments: &[Argument]) -> Result<pg_sys::SPIPlanPtr> {
        if self.plan.get().is_null() {
            let sql = CString::new(self.sql.as_bytes())
                .map_err(|_| Error::Internal("the text of a statement has a NUL character".into()))?;
            let mut types: Vec<pg_sys::Oid> = arguments.iter().map(Argument::oid).collect();
            let count = i32::try_from(types.len()).unwrap_or(i32::MAX);
            // SAFETY: connected to SPI; a NUL-terminated text, and as many types as it says.
            unsafe {
                let plan = pg_sys::SPI_prepare(sql.as_ptr(), count, types.as_mut_ptr());
                if plan.is_null() {
                    check(pg_sys::SPI_result)?;
                }
                check(pg_sys::SPI_keepplan(plan))?;
                self.plan.set(plan);
            }
        }
        Ok(self.plan.get())
    }
}

/// Statements by their access and text, and when each was last used.
type Composed = HashMap<(Access, String), (Rc<Statement>, u64)>;

/// The number of statements kept. Each has a plan of some 50 kB.
const COMPOSED_AT_MOST: usize = 100;

fn forget_oldest(known: &mut Composed) {
    // A statement that is running must not lose its plan.
    let idle = known.iter().filter(|(_, (statement, _))| Rc::strong_count(statement) == 1);
    let Some(oldest) = idle.min_by_key(|(_, (_, used))| *used).map(|(key, _)| key.clone()) else { return };
    if let Some((statement, _)) = known.remove(&oldest)
        && !statement.plan.get().is_null()
    {
        // SAFETY: a plan that was kept, and that has no other user.
        unsafe { pg_sys::SPI_freeplan(statement.plan.get()) };
    }
}

fn check(code: i32) -> Result<()> {
    if code >= 0 {
        return Ok(());
    }
    // SAFETY: returns a NUL-terminated text for any code.
    let name = unsafe { CStr::from_ptr(pg_sys::SPI_result_code_string(code)) };
    Err(Error::Internal(format!("statement failed: {}", name.to_string_lossy())))
}

/// Lets the next statement see all that is committed by now.
///
/// # Safety
/// Must be called within a transaction. The snapshot must be popped, or the transaction aborted.
unsafe fn push_latest_snapshot() -> bool {
    // SAFETY: the caller's. Within a parallel query the server gives no new snapshot of the transaction, because its
    // workers have the one from its beginning. It does give a catalog snapshot, which each process takes for itself.
    // Taken for no table in particular, it is as of now.
    unsafe {
        let snapshot = if pg_sys::IsInParallelMode() {
            pg_sys::GetCatalogSnapshot(pg_sys::InvalidOid)
        } else {
            pg_sys::GetLatestSnapshot()
        };
        pg_sys::PushActiveSnapshot(snapshot);
    }
    true
}

/// The rows that a statement has returned, while SPI keeps them.
struct Rows {
    table: *mut pg_sys::SPITupleTable,
    at: usize,
    end: usize,
}

impl Rows {
    /// # Safety
    /// Must be called after a statement has run, and used before SPI is left or runs another.
    unsafe fn of_statement() -> Self {
        // SAFETY: the caller's.
        unsafe {
            Self {
                table: pg_sys::SPI_tuptable,
                at: 0,
                end: usize::try_from(pg_sys::SPI_processed).unwrap_or(usize::MAX),
            }
        }
    }
}

impl Iterator for Rows {
    type Item = Row;

    fn next(&mut self) -> Option<Row> {
        if self.table.is_null() || self.at >= self.end {
            return None;
        }
        // SAFETY: the table has as many rows as the statement has processed.
        let row = unsafe { Row::new(*(*self.table).vals.add(self.at), (*self.table).tupdesc) };
        self.at += 1;
        Some(row)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.end - self.at;
        (left, Some(left))
    }
}

impl ExactSizeIterator for Rows {}
