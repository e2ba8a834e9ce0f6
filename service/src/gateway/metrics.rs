//! The gateway's metrics.

use std::sync::atomic::AtomicI64;
use std::time::Duration;

use axum::http::StatusCode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// Seconds.
const BUCKETS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

type Labels = [(&'static str, String); 2];

pub struct Metrics {
    requests: Family<Labels, Counter>,
    request_duration: Histogram,
    pub in_flight: Gauge<i64, AtomicI64>,
    pub connections: Gauge<i64, AtomicI64>,
    pub limited: Counter,
    pub database_errors: Counter,
}

impl Metrics {
    pub fn new(registry: &mut Registry) -> Self {
        let metrics = Self {
            requests: Family::default(),
            request_duration: Histogram::new(BUCKETS),
            in_flight: Gauge::default(),
            connections: Gauge::default(),
            limited: Counter::default(),
            database_errors: Counter::default(),
        };
        registry.register("requests", "Requests answered, by target and status", metrics.requests.clone());
        registry.register("request_duration_seconds", "How long answers took", metrics.request_duration.clone());
        registry.register("in_flight", "Requests that are not answered yet", metrics.in_flight.clone());
        registry.register("connections", "HTTP connections that are open", metrics.connections.clone());
        registry.register("limited", "Requests refused because of a rate limit", metrics.limited.clone());
        registry.register("database_errors", "Times that the database was found away", metrics.database_errors.clone());
        metrics
    }

    pub fn answered(&self, target: &'static str, status: StatusCode, duration: Duration) {
        let labels = [("target", target.to_owned()), ("status", status.as_str().to_owned())];
        self.requests.get_or_create(&labels).inc();
        self.request_duration.observe(duration.as_secs_f64());
        if status == StatusCode::TOO_MANY_REQUESTS {
            self.limited.inc();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::{registry, text};

    #[test]
    fn requests_are_counted_by_target_and_status() {
        let mut registry = registry("gateway");
        let metrics = Metrics::new(&mut registry);
        metrics.answered("lomi", StatusCode::CREATED, Duration::from_millis(3));
        metrics.answered("rpc", StatusCode::TOO_MANY_REQUESTS, Duration::from_millis(1));
        let text = text(&registry);
        for line in [
            "requests_total{target=\"lomi\",status=\"201\"} 1",
            "request_duration_seconds_bucket{le=\"0.005\"} 2",
            "limited_total 1",
            "in_flight 0",
            "connections 0",
            "database_errors_total 0",
        ] {
            assert!(text.contains(&format!("checkout_sessions_gateway_{line}\n")), "{line} in\n{text}");
        }
    }
}
