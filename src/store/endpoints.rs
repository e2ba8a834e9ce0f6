//! Statements on webhook endpoints.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::statement::{Argument, statement};
use crate::datum::{self, WebhookEndpoint};
use crate::shared::wake;
use crate::tenant::Tenant;
use rules::webhooks::endpoint;
use rules::{Error, Result};

pub(super) fn key(tenant: Tenant, id: Uuid) -> [Argument<'static>; 3] {
    [datum::uuid(tenant.organization_id).into(), tenant.environment.as_str().into(), datum::uuid(id).into()]
}

fn unknown(webhook_endpoint_id: Uuid) -> Error {
    Error::EndpointNotFound { webhook_endpoint_id }
}

/// Settings of an endpoint. A setting that is not given stays as it is.
pub struct Changes<'a> {
    pub url: Option<&'a str>,
    pub event_types: Option<Vec<String>>,
    pub body_format: Option<&'a str>,
    pub signature_scheme: Option<&'a str>,
    /// `Some(None)` removes it.
    pub description: Option<Option<&'a str>>,
    pub enabled: Option<bool>,
}

// The lowest free number. Of two calls that register an endpoint at the same moment, the second waits for the first and
// then takes the next number.
statement!(
    INSERT,
    Write,
    "INSERT INTO checkout_data.webhook_endpoints AS p (organization_id, environment, webhook_endpoint_id, url, event_types, \
       body_format, signature_scheme, description, secret, created_at, created_by, updated_at, slot) \
     SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $10, free.slot \
     FROM (SELECT slot FROM generate_series(1, $12) AS slot \
       EXCEPT SELECT o.slot FROM checkout_data.webhook_endpoints o \
       WHERE o.organization_id = $1 AND o.environment = $2 AND o.deleted_at IS NULL \
       ORDER BY slot LIMIT 1) AS free \
     ON CONFLICT (organization_id, environment, slot) WHERE deleted_at IS NULL DO NOTHING \
     RETURNING checkout_data.endpoint_of(p, $9)"
);

/// Stores an endpoint, and returns it with its secret; refuses it if the limit is reached.
pub fn insert(
    tenant: Tenant,
    id: Uuid,
    settings: &Changes,
    secret: &str,
    created_by: &str,
    now: DateTime<Utc>,
) -> Result<WebhookEndpoint> {
    let [organization_id, environment, id] = key(tenant, id);
    let arguments = [
        organization_id,
        environment,
        id,
        settings.url.into(),
        settings.event_types.clone().into(),
        settings.body_format.into(),
        settings.signature_scheme.into(),
        settings.description.flatten().into(),
        secret.into(),
        datum::timestamp(now).into(),
        created_by.into(),
        endpoint::MAXIMUM_ENDPOINTS.into(),
    ];
    // Each call that was faster has taken one of the free numbers.
    for _ in 0..endpoint::MAXIMUM_ENDPOINTS {
        if let Some(stored) = INSERT.with(|statement| statement.composite(&arguments))? {
            return Ok(stored);
        }
    }
    Err(Error::TooManyEndpoints { limit: endpoint::MAXIMUM_ENDPOINTS })
}

statement!(
    UPDATE,
    Write,
    "UPDATE checkout_data.webhook_endpoints p \
     SET url = COALESCE($4, p.url), event_types = COALESCE($5, p.event_types), \
       body_format = COALESCE($6, p.body_format), signature_scheme = COALESCE($7, p.signature_scheme), \
       description = CASE WHEN $8 THEN $9 ELSE p.description END, \
       disabled_at = CASE WHEN $10 THEN NULL WHEN NOT $10 THEN COALESCE(p.disabled_at, $11) ELSE p.disabled_at END, \
       disabled_reason = CASE WHEN $10 THEN NULL WHEN NOT $10 THEN COALESCE(p.disabled_reason, 'requested') \
         ELSE p.disabled_reason END, \
       failing_since = CASE WHEN $10 THEN NULL ELSE p.failing_since END, \
       updated_at = $11 \
     WHERE p.organization_id = $1 AND p.environment = $2 AND p.webhook_endpoint_id = $3 AND p.deleted_at IS NULL \
     RETURNING checkout_data.endpoint_of(p, NULL)"
);
statement!(
    RESUME,
    Write,
    // Locked in the same order as in redeliveries.
    "WITH waiting AS ( \
       SELECT d.organization_id, d.environment, d.subject_id, d.sequence, d.receiver_id \
       FROM checkout_data.webhook_deliveries d \
       WHERE d.organization_id = $1 AND d.environment = $2 AND d.receiver_id = $3 \
         AND d.next_attempt_at > $4 AND d.lease_token IS NULL \
       ORDER BY d.organization_id, d.environment, d.subject_id, d.sequence FOR NO KEY UPDATE) \
     UPDATE checkout_data.webhook_deliveries d SET next_attempt_at = $4 \
     FROM waiting w \
     WHERE d.organization_id = w.organization_id AND d.environment = w.environment \
       AND d.receiver_id = w.receiver_id AND d.subject_id = w.subject_id AND d.sequence = w.sequence"
);

/// Changes an endpoint. If it becomes enabled, its waiting deliveries are due at once.
pub fn update(tenant: Tenant, id: Uuid, changes: &Changes, now: DateTime<Utc>) -> Result<WebhookEndpoint> {
    let [organization_id, environment, endpoint] = key(tenant, id);
    let arguments = [
        organization_id,
        environment,
        endpoint,
        changes.url.into(),
        changes.event_types.clone().into(),
        changes.body_format.into(),
        changes.signature_scheme.into(),
        changes.description.is_some().into(),
        changes.description.flatten().into(),
        changes.enabled.into(),
        datum::timestamp(now).into(),
    ];
    let endpoint = UPDATE.with(|statement| statement.composite(&arguments))?.ok_or_else(|| unknown(id))?;
    if changes.enabled == Some(true) {
        let [organization_id, environment, id] = key(tenant, id);
        let arguments = [organization_id, environment, id, datum::timestamp(now).into()];
        RESUME.with(|statement| statement.count(&arguments))?;
        wake::tell_relays_at_commit();
    }
    Ok(endpoint)
}

statement!(
    DELETE,
    Write,
    "UPDATE checkout_data.webhook_endpoints p SET deleted_at = $4 \
     WHERE p.organization_id = $1 AND p.environment = $2 AND p.webhook_endpoint_id = $3 AND p.deleted_at IS NULL \
     RETURNING checkout_data.endpoint_of(p, NULL)"
);

statement!(
    UNDELIVERED,
    Latest,
    "SELECT count(*) FROM checkout_data.webhook_deliveries d \
     WHERE d.organization_id = $1 AND d.environment = $2 AND d.receiver_id = $3 AND d.delivered_at IS NULL"
);

/// Marks an endpoint as deleted. From then on only the worker sees it, which removes it. While events wait for the
/// endpoint, the call is refused, unless it is told to discard them.
pub fn delete(tenant: Tenant, id: Uuid, discard: bool, now: DateTime<Utc>) -> Result<WebhookEndpoint> {
    let [organization_id, environment, endpoint] = key(tenant, id);
    let arguments = [organization_id, environment, endpoint, datum::timestamp(now).into()];
    let deleted = DELETE.with(|statement| statement.composite(&arguments))?.ok_or_else(|| unknown(id))?;
    if !discard {
        let undelivered = UNDELIVERED.with(|statement| statement.row(&key(tenant, id), |row| row.get::<i64>(1)))?;
        if let Some(undelivered) = undelivered.flatten().filter(|count| *count > 0) {
            return Err(Error::EndpointHasUndelivered { webhook_endpoint_id: id, undelivered });
        }
    }
    Ok(deleted)
}

statement!(
    ROLL,
    Write,
    "UPDATE checkout_data.webhook_endpoints p \
     SET secret = $4, updated_at = $5, \
       previous_secret = CASE WHEN $6 > $5 THEN p.secret END, previous_secret_expires_at = CASE WHEN $6 > $5 THEN $6 END \
     WHERE p.organization_id = $1 AND p.environment = $2 AND p.webhook_endpoint_id = $3 AND p.deleted_at IS NULL \
     RETURNING checkout_data.endpoint_of(p, $4)"
);

/// Gives an endpoint a new secret, and returns both. The old secret signs, too, for `overlap`.
pub fn roll(tenant: Tenant, id: Uuid, secret: &str, overlap: TimeDelta, now: DateTime<Utc>) -> Result<WebhookEndpoint> {
    let [organization_id, environment, endpoint] = key(tenant, id);
    let arguments = [
        organization_id,
        environment,
        endpoint,
        secret.into(),
        datum::timestamp(now).into(),
        datum::timestamp(now + overlap).into(),
    ];
    ROLL.with(|statement| statement.composite(&arguments))?.ok_or_else(|| unknown(id))
}

statement!(
    LIST,
    Caller,
    "SELECT checkout_data.endpoint_of(p, NULL) FROM checkout_data.webhook_endpoints p \
     WHERE p.organization_id = $1 AND p.environment = $2 AND p.deleted_at IS NULL \
     ORDER BY p.created_at, p.webhook_endpoint_id"
);

/// The endpoints of a tenant, oldest first.
pub fn list(tenant: Tenant) -> Result<Vec<WebhookEndpoint>> {
    let arguments = [datum::uuid(tenant.organization_id).into(), tenant.environment.as_str().into()];
    LIST.with(|statement| statement.composites(&arguments))
}

statement!(
    EXISTS,
    Caller,
    "SELECT FROM checkout_data.webhook_endpoints p \
     WHERE p.organization_id = $1 AND p.environment = $2 AND p.webhook_endpoint_id = $3 AND p.deleted_at IS NULL"
);

/// Refuses an endpoint that is not the tenant's.
pub fn check(tenant: Tenant, id: Uuid) -> Result<()> {
    if EXISTS.with(|statement| statement.count(&key(tenant, id)))? == 0 { Err(unknown(id)) } else { Ok(()) }
}
