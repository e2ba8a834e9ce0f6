//! Lists of deliveries to webhook endpoints, and of attempts.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::statement::statement;
use crate::datum::{self, WebhookAttempt, WebhookDelivery};
use crate::tenant::Tenant;
use rules::Result;
use rules::webhooks::event::EventId;

statement!(
    LIST,
    Caller,
    "SELECT checkout_data.delivery_of(d, o, p.webhook_endpoint_id, NULL, p.disabled_at IS NULL, $4) \
     FROM checkout_data.webhook_deliveries d \
     JOIN checkout_data.webhook_endpoints p \
       ON p.organization_id = d.organization_id AND p.environment = d.environment \
       AND p.webhook_endpoint_id = d.receiver_id \
     LEFT JOIN checkout_data.webhook_outbox o \
       ON o.organization_id = d.organization_id AND o.environment = d.environment \
       AND o.subject_id = d.subject_id AND o.sequence = d.sequence \
     WHERE d.organization_id = $1 AND d.environment = $2 AND d.receiver_id = $3 \
       AND ($5 IS NULL OR $5 = checkout_data.delivery_status(d, p.disabled_at IS NULL, $4)) \
       AND ($6 IS NULL OR (d.subject_id, d.sequence) < ($6, $7)) \
     ORDER BY d.subject_id DESC, d.sequence DESC LIMIT $8"
);

/// The filters of a list of deliveries to an endpoint.
pub struct Filter<'a> {
    pub webhook_endpoint_id: Uuid,
    pub status: Option<&'a str>,
    pub starting_after: Option<EventId>,
    pub page_size: i32,
}

/// Deliveries to an endpoint. Those of events of the newest session come first.
pub fn list(tenant: Tenant, filter: &Filter, now: DateTime<Utc>) -> Result<Vec<WebhookDelivery>> {
    let arguments = [
        datum::uuid(tenant.organization_id).into(),
        tenant.environment.as_str().into(),
        datum::uuid(filter.webhook_endpoint_id).into(),
        datum::timestamp(now).into(),
        filter.status.into(),
        filter.starting_after.as_ref().map(|event| datum::uuid(event.subject_id)).into(),
        filter.starting_after.as_ref().map(|event| event.sequence).into(),
        filter.page_size.into(),
    ];
    LIST.with(|statement| statement.composites(&arguments))
}

statement!(
    LIST_DEAD,
    Caller,
    "SELECT checkout_data.delivery_of(d, o, r.webhook_endpoint_id, r.consumer, r.enabled, d.dead_at) \
     FROM checkout_data.webhook_deliveries d \
     JOIN checkout_data.webhook_receivers r ON r.receiver_id = d.receiver_id \
     LEFT JOIN checkout_data.webhook_outbox o \
       ON o.organization_id = d.organization_id AND o.environment = d.environment \
       AND o.subject_id = d.subject_id AND o.sequence = d.sequence \
     WHERE d.dead_at IS NOT NULL AND ($1 IS NULL OR d.organization_id = $1) \
       AND ($2 IS NULL OR r.webhook_endpoint_id = $2) \
     ORDER BY d.dead_at DESC, d.subject_id, d.sequence, d.receiver_id OFFSET $3 LIMIT $4"
);

/// Dead deliveries of one organization, or of all; to one endpoint, or to all endpoints and consumers.
/// The last to die comes first.
pub fn list_dead(
    organization_id: Option<Uuid>,
    webhook_endpoint_id: Option<Uuid>,
    page_offset: i32,
    page_size: i32,
) -> Result<Vec<WebhookDelivery>> {
    let arguments = [
        organization_id.map(datum::uuid).into(),
        webhook_endpoint_id.map(datum::uuid).into(),
        page_offset.into(),
        page_size.into(),
    ];
    LIST_DEAD.with(|statement| statement.composites(&arguments))
}

statement!(
    ATTEMPTS,
    Caller,
    "SELECT checkout_data.attempt_of(a, d) \
     FROM checkout_data.webhook_endpoints p \
     JOIN checkout_data.webhook_attempts a \
       ON a.organization_id = p.organization_id AND a.environment = p.environment \
       AND a.receiver_id = p.webhook_endpoint_id \
     JOIN checkout_data.webhook_deliveries d \
       ON d.organization_id = a.organization_id AND d.environment = a.environment AND d.receiver_id = a.receiver_id \
       AND d.subject_id = a.subject_id AND d.sequence = a.sequence \
     WHERE p.organization_id = $1 AND p.environment = $2 AND p.deleted_at IS NULL \
       AND ($5 IS NULL OR p.webhook_endpoint_id = $5) AND a.subject_id = $3 AND a.sequence = $4 \
     ORDER BY a.recorded_at, a.receiver_id, a.attempt"
);

/// The attempts to deliver an event, oldest first.
pub fn attempts(event: &EventId, webhook_endpoint_id: Option<Uuid>) -> Result<Vec<WebhookAttempt>> {
    let arguments = [
        datum::uuid(event.tenant.organization_id).into(),
        event.tenant.environment.as_str().into(),
        datum::uuid(event.subject_id).into(),
        event.sequence.into(),
        webhook_endpoint_id.map(datum::uuid).into(),
    ];
    ATTEMPTS.with(|statement| statement.composites(&arguments))
}
