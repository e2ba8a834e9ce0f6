//! Deletes an organization, in pieces.

use chrono::{DateTime, Utc};
use rules::{Error, Result};
use uuid::Uuid;

use crate::store::deletion as store;

/// Ends the organization, or removes its next rows. Returns true if nothing is left.
pub fn delete(organization_id: Uuid, confirm: &str, batch: i32, now: DateTime<Utc>) -> Result<bool> {
    let organization = store::lock(organization_id)?.ok_or(Error::OrganizationNotFound { organization_id })?;
    if organization.name != confirm {
        return Err(Error::invalid("confirm", "must be the name of the organization"));
    }
    if !organization.ended {
        if let Some(what) = store::open_money(organization_id, now)? {
            return Err(Error::OrganizationInUse { what });
        }
        store::end(organization_id)?;
        return Ok(false);
    }
    if store::remove(organization_id, batch, now)? || !organization.settled {
        return Ok(false);
    }
    store::delete(organization_id)?;
    Ok(true)
}
