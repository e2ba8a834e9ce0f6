//! Logs, on standard error.

use tracing::Level;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, registry};

use crate::options::{LogFormat, SharedOptions};

pub fn start(options: &SharedOptions) {
    let level = options.log_level;
    // Only warnings of libraries: HTTP clients log headers and URLs at lower levels.
    let others = level.min(LevelFilter::from_level(Level::WARN));
    let filter = Targets::new().with_target(env!("CARGO_CRATE_NAME"), level).with_default(others);
    let layer = fmt::layer().with_writer(std::io::stderr).with_target(false);
    match options.log_format {
        LogFormat::Text => registry().with(layer.with_ansi(false).with_filter(filter)).init(),
        LogFormat::Json => registry().with(layer.json().flatten_event(true).with_filter(filter)).init(),
    }
}
