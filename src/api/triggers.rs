//! Triggers, declared in `sql/`.

#![expect(unsafe_code, reason = "calls the server's cache invalidation")]

use pgrx::pg_sys;
use pgrx::prelude::*;

/// Makes every backend forget the settings that it keeps, as soon as the change is committed.
#[pg_trigger(sql = false)]
fn organizations_changed<'a>(
    trigger: &'a pgrx::PgTrigger<'a>,
) -> Result<Option<PgHeapTuple<'a, AllocatedByPostgres>>, pgrx::PgTriggerError> {
    let table = trigger.relid()?;
    // SAFETY: the trigger's table exists and is locked.
    unsafe { pg_sys::CacheInvalidateRelcacheByRelid(table) };
    Ok(None)
}
