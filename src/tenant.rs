//! Who is calling: the organization and its environment.
//!
//! Both come from settings that an ordinary role cannot change. Policies and functions read them through here and nowhere
//! else: calling one of these functions loads the library, and loading it discards values that were smuggled in before.

use pgrx::pg_sys;
use pgrx::prelude::*;
use uuid::Uuid;

use crate::domain::{Error, Result};
use crate::gucs::{ENVIRONMENT, Environment, ORGANIZATION_ID};
use crate::{datum, report};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tenant {
    pub organization_id: Uuid,
    pub environment: Environment,
}

/// The tenant of this call, or 28000.
pub fn current() -> Result<Tenant> {
    let unset = Error::NotAuthenticated { reason: "no organization is set" };
    let value = ORGANIZATION_ID.get().ok_or(unset.clone())?;
    let text = value.to_str().unwrap_or_default();
    if text.is_empty() {
        return Err(unset);
    }
    let organization_id = Uuid::try_parse(text)
        .map_err(|_| Error::NotAuthenticated { reason: "checkout_sessions.organization_id is not a UUID" })?;
    Ok(Tenant { organization_id, environment: ENVIRONMENT.get() })
}

/// The role that makes the call, as `SET ROLE` left it: what a new session is marked with.
pub fn caller() -> String {
    // SAFETY: the outer user always exists; with noerr a dropped one gives NULL, which is handled.
    unsafe {
        let name = pg_sys::GetUserNameFromId(pg_sys::GetOuterUserId(), true);
        if name.is_null() {
            return String::new();
        }
        std::ffi::CStr::from_ptr(name).to_string_lossy().into_owned()
    }
}

// No search path of their own: they look nothing up, and policies call them in every statement.
#[pg_extern(schema = "checkout", stable, parallel_safe)]
fn current_organization_id() -> pgrx::Uuid {
    datum::uuid(report::or_raise(current()).organization_id)
}

#[pg_extern(schema = "checkout", stable, parallel_safe)]
fn current_environment() -> &'static str {
    report::or_raise(current()).environment.as_str()
}
