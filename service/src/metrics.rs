//! The metrics of a subcommand, in the text format of Prometheus.

use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;

pub const TEXT_FORMAT: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Where a subcommand registers its metrics: as `checkout_sessions_SUBCOMMAND_...`.
pub fn registry(subcommand: &str) -> Registry {
    Registry::with_prefix(format!("checkout_sessions_{subcommand}"))
}

pub fn text(registry: &Registry) -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = encode(&mut text, registry);
    text
}
