//! Deletes an organization, in pieces.

use chrono::{DateTime, Utc};
use rules::{Error, Result};
use serde_json::json;
use uuid::Uuid;

use crate::store::admin_log;
use crate::store::deletion as store;

/// Ends the organization, or removes its next rows. Returns true if nothing is left.
pub fn delete(organization_id: Uuid, confirm: &str, batch: i32, now: DateTime<Utc>) -> Result<bool> {
    let organization = store::lock(organization_id)?.ok_or(Error::OrganizationNotFound { organization_id })?;
    let subject = organization_id.to_string();
    let log = |action| admin_log::write(action, organization_id, &subject, &json!({ "name": confirm }));
    if organization.name != confirm {
        return Err(Error::invalid("confirm", "must be the name of the organization"));
    }
    if !organization.ended {
        if let Some(what) = store::open_money(organization_id, now)? {
            return Err(Error::OrganizationInUse { what });
        }
        store::end(organization_id)?;
        log("organization.ended")?;
        return Ok(false);
    }
    if store::remove(organization_id, batch)? || !organization.settled {
        return Ok(false);
    }
    store::delete(organization_id)?;
    log("organization.deleted")?;
    Ok(true)
}
