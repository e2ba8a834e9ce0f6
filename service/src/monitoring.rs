//! Serves `/metrics` and `/healthz` over HTTP.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;

use crate::health::Health;
use crate::metrics::{TEXT_FORMAT, text};
use crate::run_error::RunError;

#[derive(Clone)]
struct Shown {
    registry: Arc<Registry>,
    health: Arc<Health>,
}

/// Serves them at the address of --listen, for as long as the program runs.
pub async fn start(listen: Option<SocketAddr>, registry: Registry, health: Arc<Health>) -> Result<(), RunError> {
    let Some(address) = listen else { return Ok(()) };
    let listener = TcpListener::bind(address).await.map_err(|error| RunError::Usage(format!("--listen: {error}")))?;
    let router = Router::new().route("/metrics", get(show_metrics)).route("/healthz", get(show_health));
    let router = router.with_state(Shown { registry: Arc::new(registry), health });
    tokio::spawn(async { axum::serve(listener, router).await });
    Ok(())
}

async fn show_metrics(State(shown): State<Shown>) -> impl IntoResponse {
    ([(CONTENT_TYPE, TEXT_FORMAT)], text(&shown.registry))
}

async fn show_health(State(shown): State<Shown>) -> impl IntoResponse {
    match shown.health.complaint() {
        None => (StatusCode::OK, "ok\n".into()),
        Some(complaint) => (StatusCode::SERVICE_UNAVAILABLE, format!("{complaint}\n")),
    }
}
