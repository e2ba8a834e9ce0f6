//! Statements on what attempts tell of an endpoint: it fails, works again, or is disabled.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::admin_log;
use super::endpoints::key;
use super::fan_out::{fan_out, notified};
use super::statement::statement;
use crate::datum;
use crate::tenant::Tenant;
use rules::Result;
use rules::webhooks::delivery::EndpointChange;
use serde_json::json;

// Each passes over an endpoint that another transaction is changing. Otherwise two relays that each record for the same
// two endpoints would wait for one another. The next attempt does the work that this one left.
macro_rules! endpoint_unless_locked {
    ($condition:literal) => {
        concat!(
            " WHERE p.ctid = ANY (ARRAY(SELECT x.ctid FROM checkout_data.webhook_endpoints x \
               WHERE x.organization_id = $1 AND x.environment = $2 AND x.webhook_endpoint_id = $3 AND ",
            $condition,
            " FOR NO KEY UPDATE SKIP LOCKED)) "
        )
    };
}
statement!(
    FAILING,
    Write,
    concat!(
        "UPDATE checkout_data.webhook_endpoints p SET failing_since = $4 ",
        endpoint_unless_locked!("x.failing_since IS NULL")
    )
);
statement!(
    RECOVERED,
    Write,
    concat!(
        "UPDATE checkout_data.webhook_endpoints p SET failing_since = NULL ",
        endpoint_unless_locked!("x.failing_since <= $4")
    )
);
statement!(
    DISABLE,
    Write,
    concat!(
        "WITH disabled AS ( \
           UPDATE checkout_data.webhook_endpoints p \
           SET disabled_at = $4, disabled_reason = $5, failing_since = COALESCE(p.failing_since, $4), updated_at = $4, \
             event_count = p.event_count + 1 ",
        // The endpoint's row may miss a success: see above. The search for one takes long, but is rare.
        endpoint_unless_locked!(
            "x.disabled_at IS NULL AND x.deleted_at IS NULL AND ($5 = 'gone' OR NOT EXISTS ( \
               SELECT FROM checkout_data.webhook_deliveries d \
               WHERE d.organization_id = $1 AND d.environment = $2 AND d.receiver_id = $3 \
                 AND d.delivered_at > x.failing_since))"
        ),
        "  RETURNING p AS endpoint), \
         event AS ( \
           INSERT INTO checkout_data.webhook_outbox (organization_id, environment, subject_type, subject_id, sequence, \
             event_type, created_at, snapshot) \
           SELECT $1, $2, 'webhook_endpoint', $3, (d.endpoint).event_count, 'webhook_endpoint.disabled', $4, \
             jsonb_build_object('webhook_endpoint', to_jsonb(checkout_data.endpoint_of(d.endpoint, NULL)) - 'secret') \
           FROM disabled d",
        fan_out!(),
        "SELECT ",
        notified!(),
        " FROM event"
    )
);

/// Writes the effect of attempts on their endpoint. If this disables the endpoint, writes an event about it, too.
pub fn change(tenant: Tenant, endpoint: Uuid, change: EndpointChange, now: DateTime<Utc>) -> Result<()> {
    let mut arguments = Vec::from(key(tenant, endpoint));
    arguments.push(datum::timestamp(now).into());
    let statement = match change {
        EndpointChange::None => return Ok(()),
        EndpointChange::Failing => &FAILING,
        EndpointChange::Recovered => &RECOVERED,
        EndpointChange::Disabled(reason) => {
            arguments.push(reason.into());
            &DISABLE
        }
    };
    let changed = statement.with(|statement| statement.count(&arguments))?;
    if let (EndpointChange::Disabled(reason), true) = (change, changed > 0) {
        let changes = json!({
            "enabled": { "from": true, "to": false },
            "disabled_reason": { "from": null, "to": reason },
        });
        admin_log::write("webhook_endpoint.disabled", tenant, &endpoint.to_string(), &changes)?;
    }
    Ok(())
}
