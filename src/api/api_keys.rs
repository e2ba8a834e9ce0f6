//! API keys: create, list, revoke and roll.

use chrono::{DateTime, TimeDelta, Utc};
use pgrx::Uuid;
use pgrx::datum::{Interval, TimestampWithTimeZone};
use pgrx::prelude::*;

use crate::datum::{self, ApiKey, Rows, Text, Texts, required_text, text};
use crate::report::or_raise;
use crate::store::api_keys::{self, NewApiKey};
use crate::store::organizations;
use crate::tenant;
use rules::access::api_key;
use rules::access::credential::{Environment, Kind, Tenant};
use rules::validate::{self, required};
use rules::{Error, Result};

/// The longest time for which a rolled key is still accepted.
const MAXIMUM_OVERLAP: TimeDelta = TimeDelta::days(30);

#[pg_extern(sql = false)]
fn create_api_key(
    organization_id: Option<Uuid>,
    kind: Option<Text>,
    environment: Option<Text>,
    name: Option<Text>,
    payment_methods: Option<Texts>,
    expires_at: Option<TimestampWithTimeZone>,
) -> ApiKey {
    or_raise(|| {
        let organization_id = datum::from_uuid(required("organization_id", organization_id)?);
        let kind: Kind = required_text("kind", &kind)?.parse()?;
        let environment: Environment = required_text("environment", &environment)?.parse()?;
        let name = validate::optional_text("name", text("name", &name)?, validate::SHORT_TEXT)?;
        let payment_methods =
            payment_methods.map(|methods| validate::payment_methods(&methods.read("payment_methods")?)).transpose()?;
        let now = datum::now();
        let expires_at = future(expires_at, now)?;
        if !organizations::hold(organization_id)? {
            return Err(Error::OrganizationNotFound { organization_id });
        }
        api_keys::insert(&NewApiKey {
            key: &api_key::generate(kind, environment),
            tenant: Tenant { organization_id, environment },
            kind,
            name,
            payment_methods,
            created_at: now,
            created_by: &tenant::role(),
            expires_at,
        })
    })
}

fn future(expires_at: Option<TimestampWithTimeZone>, now: DateTime<Utc>) -> Result<Option<DateTime<Utc>>> {
    let expires_at = expires_at.map(|at| datum::from_timestamp("expires_at", at)).transpose()?;
    match expires_at {
        Some(at) if at <= now => Err(Error::invalid("expires_at", "must be in the future")),
        expires_at => Ok(expires_at),
    }
}

#[pg_extern(sql = false)]
fn list_api_keys(organization_id: Option<Uuid>) -> Rows<ApiKey> {
    Rows(or_raise(|| api_keys::list(organization_id.map(datum::from_uuid), datum::now())))
}

#[pg_extern(sql = false)]
fn revoke_api_key(api_key_id: Option<Text>) -> ApiKey {
    or_raise(|| {
        let api_key_id = id_of(required_text("api_key_id", &api_key_id)?)?;
        api_keys::revoke(api_key_id, datum::now())?.ok_or_else(|| unknown(api_key_id))
    })
}

#[pg_extern(sql = false)]
fn roll_api_key(
    api_key_id: Option<Text>,
    overlap: Option<Interval>,
    expires_at: Option<TimestampWithTimeZone>,
) -> ApiKey {
    or_raise(|| {
        let api_key_id = id_of(required_text("api_key_id", &api_key_id)?)?;
        let overlap = datum::from_interval("overlap", required("overlap", overlap)?)?;
        if overlap < TimeDelta::zero() || overlap > MAXIMUM_OVERLAP {
            return Err(Error::invalid("overlap", "must be between 0 and 30 days"));
        }
        let old = api_keys::lock(api_key_id)?.ok_or_else(|| unknown(api_key_id))?;
        let now = datum::now();
        if let Some(status) = old.ended_at(now) {
            return Err(Error::ApiKeyNotActive { api_key_id: api_key_id.to_owned(), status });
        }
        // The successor of a key with an end has an end, too. Unless the caller says otherwise, it lives as long.
        let lifetime = old.expires_at.map(|at| at - old.created_at);
        let expires_at = future(expires_at, now)?.or_else(|| now.checked_add_signed(lifetime?).or(old.expires_at));
        let new = api_key::generate(old.kind, old.tenant.environment);
        let successor = api_keys::insert(&NewApiKey {
            key: &new,
            tenant: old.tenant,
            kind: old.kind,
            name: old.name.as_deref(),
            payment_methods: old.payment_methods,
            created_at: now,
            created_by: &tenant::role(),
            expires_at,
        })?;
        let ends_at = old.expires_at.map_or(now + overlap, |at| at.min(now + overlap));
        api_keys::replace(api_key_id, new.api_key_id(), ends_at)?;
        Ok(successor)
    })
}

/// Reads the id of a key. A caller who gives the whole key means the key with that id. Any other text may be a secret,
/// so the error does not repeat it.
fn id_of(text: &str) -> Result<&str> {
    api_key::id_of(text)
        .ok_or_else(|| Error::Malformed { argument: "api_key_id", fault: "is not the id of an API key".into() })
}

fn unknown(api_key_id: &str) -> Error {
    Error::ApiKeyNotFound { api_key_id: api_key_id.to_owned() }
}
