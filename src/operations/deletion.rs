//! Deletes an organization, in pieces.

use chrono::{DateTime, Utc};
use rules::{Error, Result};
use serde_json::json;
use uuid::Uuid;

use crate::store::admin_log;
use crate::store::deletion as store;

/// What a call has done.
pub enum Done {
    /// There is more to do.
    Part,
    /// The organization lives again, because of this money.
    Resumed(String),
    /// Nothing is left.
    All,
}

/// Ends the organization, or removes its next rows.
pub fn delete(organization_id: Uuid, confirm: &str, batch: i32, now: DateTime<Utc>) -> Result<Done> {
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
        return Ok(Done::Part);
    }
    if !organization.removes {
        if !organization.settled {
            return Ok(Done::Part);
        }
        // What was being committed when it ended may be money, and reports were taken since.
        if let Some(what) = store::open_money(organization_id, now)? {
            store::resume(organization_id)?;
            log("organization.resumed")?;
            return Ok(Done::Resumed(what));
        }
        store::begin_removal(organization_id)?;
    }
    if store::remove(organization_id, batch)? {
        return Ok(Done::Part);
    }
    store::delete(organization_id)?;
    log("organization.deleted")?;
    Ok(Done::All)
}
