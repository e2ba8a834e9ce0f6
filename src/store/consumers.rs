//! Statements on webhook consumers: those of a tenant or, without one, those of all tenants' events.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::statement::{Argument, statement};
use crate::datum::{self, WebhookConsumer};
use crate::tenant::Tenant;
use rules::webhooks::consumer::MAXIMUM_CONSUMERS;
use rules::{Error, Result};

fn owner(tenant: Option<Tenant>) -> [Argument<'static>; 2] {
    [
        tenant.map(|tenant| datum::uuid(tenant.organization_id)).into(),
        tenant.map(|tenant| tenant.environment.as_str()).into(),
    ]
}

fn unknown(name: &str) -> Error {
    Error::ConsumerNotFound { name: name.to_owned() }
}

macro_rules! of_owner {
    () => {
        " (c.organization_id = $1 AND c.environment = $2 OR $1 IS NULL AND c.organization_id IS NULL) \
           AND c.deleted_at IS NULL "
    };
}
// The lowest free number. Of two calls that register a consumer at the same moment, the second waits for the first. It
// then finds the name taken, or takes the next number.
statement!(
    REGISTER,
    Write,
    concat!(
        "WITH changed AS ( \
           UPDATE checkout_data.webhook_consumers c SET event_types = $4, updated_at = $6 \
           WHERE c.name = $3 AND",
        of_owner!(),
        "  RETURNING c AS consumer), \
         created AS ( \
           INSERT INTO checkout_data.webhook_consumers AS c (organization_id, environment, name, event_types, \
             webhook_consumer_id, created_at, updated_at, created_by, slot) \
           SELECT $1, $2, $3, $4, $5, $6, $6, $7, free.slot \
           FROM (SELECT slot FROM generate_series(1, $8) AS slot \
             EXCEPT SELECT c.slot FROM checkout_data.webhook_consumers c WHERE",
        of_owner!(),
        "    ORDER BY slot LIMIT 1) AS free \
           WHERE NOT EXISTS (SELECT FROM changed) \
           ON CONFLICT DO NOTHING RETURNING c AS consumer) \
         SELECT checkout_data.consumer_of(x.consumer) FROM (TABLE changed UNION ALL TABLE created) AS x"
    )
);

/// Stores a consumer, or changes the event types of the one that has its name.
pub fn register(
    tenant: Option<Tenant>,
    name: &str,
    event_types: Vec<String>,
    created_by: &str,
    now: DateTime<Utc>,
) -> Result<WebhookConsumer> {
    let [organization_id, environment] = owner(tenant);
    let arguments = [
        organization_id,
        environment,
        name.into(),
        event_types.into(),
        datum::uuid(Uuid::now_v7()).into(),
        datum::timestamp(now).into(),
        created_by.into(),
        MAXIMUM_CONSUMERS.into(),
    ];
    // Each call that was faster has taken the name, or one of the free numbers.
    for _ in 0..=MAXIMUM_CONSUMERS {
        if let Some(registered) = REGISTER.with(|statement| statement.composite(&arguments))? {
            return Ok(registered);
        }
    }
    Err(Error::TooManyConsumers { limit: MAXIMUM_CONSUMERS })
}

statement!(
    FIND,
    Transaction,
    concat!("SELECT c.webhook_consumer_id FROM checkout_data.webhook_consumers c WHERE c.name = $3 AND", of_owner!())
);

/// The id of a consumer.
pub fn find(tenant: Option<Tenant>, name: &str) -> Result<Uuid> {
    let [organization_id, environment] = owner(tenant);
    let arguments = [organization_id, environment, name.into()];
    let found = FIND.with(|statement| statement.row(&arguments, |row| row.get::<pgrx::Uuid>(1)))?;
    found.flatten().map(datum::from_uuid).ok_or_else(|| unknown(name))
}

statement!(
    LIST,
    Caller,
    concat!(
        "SELECT checkout_data.consumer_of(c) FROM checkout_data.webhook_consumers c WHERE",
        of_owner!(),
        "ORDER BY c.created_at, c.webhook_consumer_id"
    )
);

/// The consumers, oldest first.
pub fn list(tenant: Option<Tenant>) -> Result<Vec<WebhookConsumer>> {
    LIST.with(|statement| statement.composites(&owner(tenant)))
}

statement!(
    DELETE,
    Write,
    concat!(
        "UPDATE checkout_data.webhook_consumers c SET deleted_at = $4 WHERE c.name = $3 AND",
        of_owner!(),
        "RETURNING checkout_data.consumer_of(c)"
    )
);
statement!(
    UNDELIVERED,
    Latest,
    "SELECT count(*) FROM checkout_data.webhook_deliveries d WHERE d.receiver_id = $1 AND d.next_attempt_at IS NOT NULL"
);

/// Marks a consumer as deleted; the worker removes it. While events wait for it, the call is refused, unless it is told
/// to discard them.
pub fn delete(tenant: Option<Tenant>, name: &str, discard: bool, now: DateTime<Utc>) -> Result<WebhookConsumer> {
    let id = find(tenant, name)?;
    let [organization_id, environment] = owner(tenant);
    let arguments = [organization_id, environment, name.into(), datum::timestamp(now).into()];
    let deleted = DELETE.with(|statement| statement.composite(&arguments))?.ok_or_else(|| unknown(name))?;
    if !discard {
        let id = [datum::uuid(id).into()];
        let undelivered = UNDELIVERED.with(|statement| statement.row(&id, |row| row.get::<i64>(1)))?;
        if let Some(undelivered) = undelivered.flatten().filter(|count| *count > 0) {
            return Err(Error::ConsumerHasUndelivered { name: name.to_owned(), undelivered });
        }
    }
    Ok(deleted)
}
