//! Starts the parts of the gateway, and stops them in the right order.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::database_error::DatabaseError;
use crate::database_url::connect_options;
use crate::gateway::connections::Connections;
use crate::gateway::gateway::Gateway;
use crate::gateway::limits::Limits;
use crate::gateway::metrics::Metrics;
use crate::gateway::options::Options;
use crate::gateway::organizations::Organizations;
use crate::gateway::page_policy::PagePolicies;
use crate::gateway::pages::Pages;
use crate::gateway::server::Server;
use crate::gateway::token::{Tokens, VARIABLE};
use crate::gateway::watcher::Watcher;
use crate::health::Health;
use crate::run_error::RunError;
use crate::shutdown::stop_at_signal;
use crate::{logs, metrics, monitoring, runtime};

/// Look-ups of names, and files that are read.
const BLOCKING_THREADS: usize = 16;
/// The database is looked at once a second.
const PATIENCE: Duration = Duration::from_secs(15);
const CLOSING: Duration = Duration::from_secs(1);

/// Runs until a signal comes.
pub fn start(options: Options) -> Result<(), RunError> {
    options.check().map_err(RunError::Usage)?;
    logs::start(&options.shared);
    runtime::run(BLOCKING_THREADS, run(options))
}

async fn run(options: Options) -> Result<(), RunError> {
    let url = options.shared.database.database_url.as_deref();
    let servers = connect_options(url, "checkout-sessions-gateway").map_err(|error| RunError::Usage(error.into()))?;
    let tokens = Tokens::new(std::env::var(VARIABLE).ok()).map_err(RunError::Usage)?;
    let pages = options.pages().map_err(RunError::Usage)?;
    let listener = TcpListener::bind(options.address).await;
    let listener = listener.map_err(|error| RunError::Usage(format!("--address: {error}")))?;

    let mut registry = metrics::registry("gateway");
    let metrics = Arc::new(Metrics::new(&mut registry));
    let health = Arc::new(Health::new(PATIENCE, Box::new(|| None)));
    monitoring::start(options.shared.listen, registry, health.clone()).await?;
    let stop = CancellationToken::new();
    stop_at_signal(stop.clone(), "open requests")?;

    let connections = Arc::new(Connections::new(options.connections, options.timeout));
    let watcher =
        Watcher { servers, connections: connections.clone(), health: health.clone(), metrics: metrics.clone() };
    tokio::spawn(watcher.run());
    connections.looked().await;
    let limits = Arc::new(Limits::new(options.requests_per_second, options.requests_per_second_address));
    let housekeeping = limits.clone();
    tokio::spawn(async move { housekeeping.keep_house().await });

    let address = listener.local_addr().map_err(|error| RunError::Failed(error.to_string()))?;
    let pages_folder = pages.as_ref().map(|folder| folder.display().to_string());
    info!(
        version = env!("CARGO_PKG_VERSION"),
        address = format!("http://{address}"),
        pages = pages_folder,
        "listening"
    );
    let gateway = Gateway {
        alone: options.dialect(),
        timeout: options.timeout,
        trusted_proxies: options.trusted_proxies,
        connections: connections.clone(),
        limits,
        tokens,
        pages: Pages::new(pages),
        page_policies: PagePolicies::new(),
        organizations: Organizations::new(),
        health: health.clone(),
        metrics,
    };
    let server = Server { listener, gateway: Arc::new(gateway), clients: options.clients, stop: stop.clone() };
    let mut serving = Box::pin(server.run());
    let result = tokio::select! {
        () = &mut serving => Ok(()),
        // Behind a pooler it would stay so.
        () = health.behind_pooler() => {
            stop.cancel();
            serving.await;
            Err(DatabaseError::Pooler.into())
        }
    };
    let _ = tokio::time::timeout(CLOSING, connections.close()).await;
    info!("stopped");
    result
}
