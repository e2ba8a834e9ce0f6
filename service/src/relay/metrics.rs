//! The relay's metrics.

use std::sync::atomic::AtomicI64;
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::relay::attempt::Outcome;

/// Seconds: fast receivers, slow ones, and those at the end of usual timeouts.
const BUCKETS: [f64; 13] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 60.0];

pub struct Metrics {
    attempts: Family<[(&'static str, &'static str); 1], Counter>,
    attempt_duration: Histogram,
    recorded: Family<[(&'static str, String); 1], Counter>,
    pub in_flight: Gauge<i64, AtomicI64>,
    pub in_trouble: Gauge<i64, AtomicI64>,
    pub claims: Counter,
    pub claimed: Counter,
    pub lost: Counter,
    pub released: Counter,
    pub database_errors: Counter,
    pub notifications: Counter,
}

impl Metrics {
    pub fn new(registry: &mut Registry) -> Self {
        let metrics = Self {
            attempts: Family::default(),
            attempt_duration: Histogram::new(BUCKETS),
            recorded: Family::default(),
            in_flight: Gauge::default(),
            in_trouble: Gauge::default(),
            claims: Counter::default(),
            claimed: Counter::default(),
            lost: Counter::default(),
            released: Counter::default(),
            database_errors: Counter::default(),
            notifications: Counter::default(),
        };
        // All from the start, because a rate needs a first value.
        for outcome in Outcome::ALL {
            drop(metrics.attempts.get_or_create(&[("outcome", outcome.name())]));
        }
        for status in ["delivered", "pending", "dead", "paused"] {
            drop(metrics.recorded.get_or_create(&[("status", status.to_owned())]));
        }
        metrics.register(registry);
        metrics
    }

    fn register(&self, registry: &mut Registry) {
        registry.register("attempts", "Requests sent, by what came back", self.attempts.clone());
        registry.register("attempt_duration_seconds", "How long requests took", self.attempt_duration.clone());
        registry.register("recorded", "Attempts recorded, by what became of the delivery", self.recorded.clone());
        registry.register("in_flight", "Deliveries claimed and not recorded yet", self.in_flight.clone());
        registry.register(
            "in_trouble",
            "1 while nothing can be sent for a reason of this machine's own",
            self.in_trouble.clone(),
        );
        registry.register("claims", "Times that deliveries were asked for", self.claims.clone());
        registry.register("claimed", "Deliveries that were got so", self.claimed.clone());
        registry.register(
            "lost",
            "Attempts not recorded: the lease was lost, the endpoint deleted, or the row locked for too long",
            self.lost.clone(),
        );
        registry.register("released", "Deliveries given back: not sent, or not to the end", self.released.clone());
        registry.register("database_errors", "Statements and connections that failed", self.database_errors.clone());
        registry.register("notifications", "Notifications of new deliveries", self.notifications.clone());
    }

    pub fn attempted(&self, outcome: Outcome, duration: Duration) {
        self.attempts.get_or_create(&[("outcome", outcome.name())]).inc();
        self.attempt_duration.observe(duration.as_secs_f64());
    }

    pub fn recorded(&self, status: &str) {
        self.recorded.get_or_create(&[("status", status.to_owned())]).inc();
    }
}

/// For tests, which do not publish them.
#[cfg(test)]
impl Default for Metrics {
    fn default() -> Self {
        Self::new(&mut Registry::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::{registry, text};

    #[test]
    fn every_metric_is_there_from_the_start() {
        let mut registry = registry("relay");
        let metrics = Metrics::new(&mut registry);
        metrics.attempted(Outcome::Timeout, Duration::from_millis(300));
        metrics.recorded("dead");
        metrics.in_flight.set(3);
        let text = text(&registry);
        for line in [
            "attempts_total{outcome=\"2xx\"} 0",
            "attempts_total{outcome=\"timeout\"} 1",
            "attempts_total{outcome=\"local\"} 0",
            "attempt_duration_seconds_bucket{le=\"0.25\"} 0",
            "attempt_duration_seconds_bucket{le=\"0.5\"} 1",
            "recorded_total{status=\"dead\"} 1",
            "in_flight 3",
            "in_trouble 0",
            "claims_total 0",
            "claimed_total 0",
            "lost_total 0",
            "released_total 0",
            "database_errors_total 0",
            "notifications_total 0",
        ] {
            assert!(text.contains(&format!("checkout_sessions_relay_{line}\n")), "{line} in\n{text}");
        }
    }
}
