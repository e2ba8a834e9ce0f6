//! The log of administration: who has made, changed, rolled or revoked what. A row is written by the call that does it.

use rules::checkout::hook::HookEvent;
use rules::checkout::ids;
use rules::{Error, Result};
use serde_json::Value;
use uuid::Uuid;

use super::statement::{Argument, Statement, statement};
use crate::datum;
use crate::tenant::{self, Tenant};

/// What a change belongs to.
#[derive(Clone, Copy)]
pub enum Place {
    Database,
    Organization(Uuid),
    Tenant(Tenant),
}

impl From<Uuid> for Place {
    fn from(organization_id: Uuid) -> Self {
        Self::Organization(organization_id)
    }
}

impl From<Tenant> for Place {
    fn from(tenant: Tenant) -> Self {
        Self::Tenant(tenant)
    }
}

/// Without a tenant: what is for all of them.
impl From<Option<Tenant>> for Place {
    fn from(tenant: Option<Tenant>) -> Self {
        tenant.map_or(Self::Database, Self::Tenant)
    }
}

statement!(
    INSERT,
    Write,
    "INSERT INTO checkout_data.admin_log (admin_log_id, organization_id, environment, created_at, session_role, role, \
       credential, action, subject, changes) \
     VALUES ($1, $2, $3, $4, session_user, $5, $6, $7, $8, $9::text::jsonb)"
);

/// Writes that the caller has done `action`, such as `api_key.revoked`, to the subject. `changes` is an object, without
/// secrets: see `rules::access::changes`.
pub fn write(action: &str, place: impl Into<Place>, subject: &str, changes: &Value) -> Result<()> {
    let (organization_id, environment) = match place.into() {
        Place::Database => (None, None),
        Place::Organization(id) => (Some(id), None),
        Place::Tenant(tenant) => (Some(tenant.organization_id), Some(tenant.environment.as_str())),
    };
    let now = datum::now();
    let arguments = [
        datum::uuid(ids::session_id(now)).into(),
        organization_id.map(datum::uuid).into(),
        environment.into(),
        datum::timestamp(now).into(),
        tenant::role().into(),
        tenant::credential_name()?.into(),
        action.into(),
        subject.into(),
        changes.to_string().into(),
    ];
    INSERT.with(|statement| statement.count(&arguments)).map(|_| ())
}

/// As `write`, unless nothing has changed.
pub fn write_if_changed(action: &str, place: impl Into<Place>, subject: &str, changes: &Value) -> Result<()> {
    match changes.as_object() {
        Some(none) if none.is_empty() => Ok(()),
        _ => write(action, place, subject, changes),
    }
}

// What is logged of a row. The row is locked, so that what was before a change is what the change has found.
statement!(
    ORGANIZATION,
    Write,
    "SELECT to_jsonb(checkout_data.organization_of(o))::text FROM checkout_data.organizations o \
     WHERE o.organization_id = $1 FOR NO KEY UPDATE"
);
statement!(
    API_KEY,
    Write,
    "SELECT (to_jsonb(checkout_data.api_key_of(k, $2, NULL)) - 'status')::text FROM checkout_data.api_keys k \
     WHERE k.api_key_id = $1 FOR NO KEY UPDATE"
);
statement!(
    ENDPOINT,
    Write,
    "SELECT to_jsonb(checkout_data.endpoint_of(p, NULL))::text FROM checkout_data.webhook_endpoints p \
     WHERE p.organization_id = $1 AND p.environment = $2 AND p.webhook_endpoint_id = $3 AND p.deleted_at IS NULL \
     FOR NO KEY UPDATE"
);
statement!(
    CONSUMER,
    Write,
    "SELECT to_jsonb(checkout_data.consumer_of(c))::text FROM checkout_data.webhook_consumers c \
     WHERE (c.organization_id = $1 AND c.environment = $2 OR $1 IS NULL AND c.organization_id IS NULL) \
       AND c.name = $3 AND c.deleted_at IS NULL FOR NO KEY UPDATE"
);
statement!(
    HOOK,
    Write,
    "SELECT to_jsonb(h)::text FROM checkout_data.hooks h WHERE h.organization_id = $1 AND h.event = $2 \
     FOR NO KEY UPDATE"
);

/// An organization as it is now; `Null` if there is none.
pub fn organization(organization_id: Uuid) -> Result<Value> {
    ORGANIZATION.with(|statement| read(statement, &[datum::uuid(organization_id).into()]))
}

pub fn api_key(api_key_id: &str) -> Result<Value> {
    API_KEY.with(|statement| read(statement, &[api_key_id.into(), datum::timestamp(datum::now()).into()]))
}

pub fn endpoint(tenant: Tenant, id: Uuid) -> Result<Value> {
    ENDPOINT.with(|statement| read(statement, &super::endpoints::key(tenant, id)))
}

pub fn consumer(tenant: Option<Tenant>, name: &str) -> Result<Value> {
    let arguments = [
        tenant.map(|tenant| datum::uuid(tenant.organization_id)).into(),
        tenant.map(|tenant| tenant.environment.as_str()).into(),
        name.into(),
    ];
    CONSUMER.with(|statement| read(statement, &arguments))
}

pub fn hook(organization_id: Uuid, event: HookEvent) -> Result<Value> {
    HOOK.with(|statement| read(statement, &[datum::uuid(organization_id).into(), event.as_str().into()]))
}

fn read(statement: &Statement, arguments: &[Argument]) -> Result<Value> {
    let Some(text) = statement.row(arguments, |row| row.get::<String>(1))?.flatten() else { return Ok(Value::Null) };
    serde_json::from_str(&text).map_err(|error| Error::Internal(format!("a row is not JSON: {error}")))
}
