//! `/metrics` and `/healthz`.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::net::TcpListener;

use crate::health::Health;
use crate::metrics::Metrics;

const TEXT_FORMAT: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

#[derive(Clone)]
struct Shown {
    metrics: Arc<Metrics>,
    health: Arc<Health>,
}

pub async fn serve(listener: TcpListener, metrics: Arc<Metrics>, health: Arc<Health>) -> std::io::Result<()> {
    let router = Router::new().route("/metrics", get(show_metrics)).route("/healthz", get(show_health));
    axum::serve(listener, router.with_state(Shown { metrics, health })).await
}

async fn show_metrics(State(shown): State<Shown>) -> impl IntoResponse {
    ([(CONTENT_TYPE, TEXT_FORMAT)], shown.metrics.text())
}

async fn show_health(State(shown): State<Shown>) -> impl IntoResponse {
    match shown.health.complaint() {
        None => (StatusCode::OK, "ok\n".into()),
        Some(what) => (StatusCode::SERVICE_UNAVAILABLE, format!("{what}\n")),
    }
}
