//! Records attempts to deliver events to endpoints.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use rules::Result;
use rules::webhooks::delivery::{self, Attempt, EndpointChange, Outcome};
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
    let failed = attempts.iter().any(|(.., attempt)| !delivery::succeeded(attempt.status_code));
    let (results, now) = if failed { with_failures(attempts)? } else { successes(attempts)? };
    deliveries::record(&results, now)
}

/// Attempts that have all succeeded: what follows does not depend on how their deliveries were before.
fn successes(attempts: Vec<(Key, Uuid, Attempt)>) -> Result<(Vec<Recorded>, DateTime<Utc>)> {
    let now = datum::now();
    let endpoints: HashSet<_> = attempts.iter().map(|(key, ..)| (key.event.tenant, key.receiver_id)).collect();
    for (tenant, endpoint) in endpoints {
        endpoint_health::change(tenant, endpoint, EndpointChange::Recovered, now)?;
    }
    let delivered = |(key, lease_token, attempt)| recorded(key, lease_token, attempt, Outcome::Delivered);
    Ok((attempts.into_iter().map(delivered).collect(), now))
}

fn with_failures(mut attempts: Vec<(Key, Uuid, Attempt)>) -> Result<(Vec<Recorded>, DateTime<Utc>)> {
    let leases: Vec<_> = attempts.iter().map(|(key, lease_token, _)| (*key, *lease_token)).collect();
    let locked = deliveries::lock(&leases)?;
    // Read under the locks: the time spent waiting counts.
    let now = datum::now();
    let mut endpoints: HashMap<(Tenant, Uuid), Health> = HashMap::new();
    let mut results = Vec::with_capacity(locked.len());
    for delivery in locked {
        let Some((key, lease_token, attempt)) = attempts.get_mut(delivery.place) else { continue };
        let endpoint = endpoints.entry((key.event.tenant, key.receiver_id)).or_default();
        endpoint.failing_since = delivery.failing_since;
        endpoint.status_codes.push(attempt.status_code);
        let attempt = std::mem::take(attempt);
        let outcome =
            delivery::outcome(delivery.attempts + 1, attempt.status_code, attempt.retry_after, retry::chance());
        results.push(recorded(*key, *lease_token, attempt, outcome));
    }
    for ((tenant, endpoint), health) in endpoints {
        let change = delivery::endpoint_change(&health.status_codes, health.failing_since, now);
        endpoint_health::change(tenant, endpoint, change, now)?;
    }
    Ok((results, now))
}

fn recorded(key: Key, lease_token: Uuid, attempt: Attempt, outcome: Outcome) -> Recorded {
    let Attempt { status_code, error, duration, response_body, .. } = attempt;
    Recorded { key, lease_token, status_code, error, duration, response_body, outcome }
}
