//! Records attempts to deliver events to endpoints.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use rules::Result;
use rules::webhooks::delivery::{self, Attempt};
use rules::webhooks::retry;
use uuid::Uuid;

use crate::datum::{self, WebhookDelivery};
use crate::store::deliveries::{self, Key, Recorded};
use crate::store::endpoint_health;
use crate::tenant::Tenant;

/// What the attempts at one endpoint tell of it.
#[derive(Default)]
struct Health {
    failing_since: Option<DateTime<Utc>>,
    status_codes: Vec<Option<i32>>,
}

/// Records the results of attempts, each with the lease under which it was made, and returns their deliveries. A
/// delivery that is not leased under its token does not change. Of several reports of one lease the first counts.
pub fn record(mut attempts: Vec<(Key, Uuid, Attempt)>) -> Result<Vec<WebhookDelivery>> {
    let mut seen = HashSet::new();
    attempts.retain(|(key, lease_token, _)| seen.insert((*key, *lease_token)));
    let leases: Vec<_> = attempts.iter().map(|(key, lease_token, _)| (*key, *lease_token)).collect();
    let locked = deliveries::lock(&leases)?;
    let now = datum::now();
    let mut endpoints: HashMap<(Tenant, Uuid), Health> = HashMap::new();
    let mut results = Vec::with_capacity(locked.len());
    for delivery in locked {
        let Some((key, _, attempt)) = attempts.get_mut(delivery.place) else { continue };
        let endpoint = endpoints.entry((key.event.tenant, key.receiver_id)).or_default();
        endpoint.failing_since = delivery.failing_since;
        endpoint.status_codes.push(attempt.status_code);
        let attempt = std::mem::take(attempt);
        results.push(Recorded {
            key: *key,
            outcome: delivery::outcome(
                delivery.attempts + 1,
                attempt.status_code,
                attempt.retry_after,
                retry::chance(),
            ),
            status_code: attempt.status_code,
            error: attempt.error,
            duration: attempt.duration,
            response_body: attempt.response_body,
        });
    }
    for ((tenant, endpoint), health) in endpoints {
        let change = delivery::endpoint_change(&health.status_codes, health.failing_since, now);
        endpoint_health::change(tenant, endpoint, change, now)?;
    }
    deliveries::record(&results, now)
}
