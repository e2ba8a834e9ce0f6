//! The settings of the organizations that this backend served last, kept from one call to the next. Reading them takes
//! a tenth of the time of a create.
//!
//! They are forgotten when the table changes, in the way in which the server forgets cached catalog entries: a trigger
//! on the table sends an invalidation message, and every backend receives it before its next call, once the change is
//! committed.

#![expect(unsafe_code, reason = "receives what says that a table has changed")]

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use pgrx::pg_sys;
use pgrx::prelude::*;
use uuid::Uuid;

use super::organizations;
use crate::gucs;
use crate::role::as_worker_role;
use crate::tenant::{self, Tenant};
use rules::Result;
use rules::checkout::settings::{Page, Settings};

thread_local! {
    /// The last is the newest.
    static KEPT: RefCell<Vec<(Uuid, Rc<Settings>)>> = const { RefCell::new(Vec::new()) };
    /// The number of times that something was forgotten: settings read before must not be kept after.
    static FORGOTTEN: Cell<u64> = const { Cell::new(0) };
    static REGISTERED: Cell<bool> = const { Cell::new(false) };
}

/// The number of organizations whose settings are kept: clients of many may share a pooled connection.
const KEPT_AT_MOST: usize = 16;

/// The settings of the tenant. A tenant without an organization is refused as a missing credential, and so is one that is
/// being deleted.
pub fn of(tenant: Tenant) -> Result<Rc<Settings>> {
    find(tenant)?.filter(|settings| !settings.ended).ok_or(tenant::NO_ORGANIZATION)
}

/// The settings of the tenant for a report of money, which is taken until the tenant's rows are removed. It comes before
/// the locks of rows, because who removes them has locked the organization first.
pub fn for_report(tenant: Tenant) -> Result<Rc<Settings>> {
    let settings = find(tenant)?.ok_or(tenant::NO_ORGANIZATION)?;
    if settings.ended && !as_worker_role(|| organizations::hold_ended(tenant.organization_id))? {
        return Err(tenant::NO_ORGANIZATION);
    }
    Ok(settings)
}

/// The settings of the tenant, if it has an organization whose rows are not being removed.
pub fn find(tenant: Tenant) -> Result<Option<Rc<Settings>>> {
    // SAFETY: within a transaction. A statement in the middle of one may not have received them yet.
    unsafe { pg_sys::AcceptInvalidationMessages() };
    let kept = KEPT.with_borrow(|kept| {
        kept.iter().find(|(id, _)| *id == tenant.organization_id).map(|(_, settings)| Rc::clone(settings))
    });
    if let Some(settings) = kept {
        return Ok(Some(settings));
    }
    if !REGISTERED.replace(true) {
        // SAFETY: the callback has the right signature and lives as long as the library, which is never unloaded.
        unsafe { pg_sys::CacheRegisterRelcacheCallback(Some(forget), pg_sys::Datum::from(0)) };
    }
    let forgotten = FORGOTTEN.get();
    let Some(settings) = organizations::settings(tenant.organization_id)?.map(Rc::new) else { return Ok(None) };
    if FORGOTTEN.get() == forgotten {
        KEPT.with_borrow_mut(|kept| {
            if kept.len() >= KEPT_AT_MOST {
                kept.remove(0);
            }
            kept.push((tenant.organization_id, Rc::clone(&settings)));
        });
    }
    Ok(Some(settings))
}

/// What the buyer of a session gets.
pub fn page(tenant: Tenant, checkout_session_id: Uuid) -> Result<Page> {
    Ok(find(tenant)?.ok_or(tenant::NO_ORGANIZATION)?.page(tenant, checkout_session_id, gucs::base_url()?.as_deref()))
}

/// A table has changed its shape, or organizations its rows. Which one does not matter: reading again is cheap.
#[pg_guard]
unsafe extern "C-unwind" fn forget(_argument: pg_sys::Datum, _relation: pg_sys::Oid) {
    FORGOTTEN.set(FORGOTTEN.get() + 1);
    KEPT.set(Vec::new());
}
