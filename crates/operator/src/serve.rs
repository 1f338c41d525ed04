//! The two small HTTP servers of the controller: metrics, and health.
//! They read and never change anything.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::context::Context;

/// What health probes are told.
#[derive(Clone)]
pub struct Health {
    /// Set once every watch has shown its first list.
    pub synced: Arc<std::sync::atomic::AtomicBool>,
    /// Set while the process is alive and holds, or properly waits for, the lease.
    pub alive: Arc<std::sync::atomic::AtomicBool>,
}

impl Default for Health {
    fn default() -> Self {
        Health { synced: Arc::default(), alive: Arc::new(std::sync::atomic::AtomicBool::new(true)) }
    }
}

/// Serves `/metrics` until `stop`.
pub async fn metrics(
    listen: SocketAddr,
    context: Arc<Context>,
    stop: CancellationToken,
) -> std::io::Result<()> {
    let router = Router::new().route("/metrics", get(scrape)).with_state(context);
    serve("metrics", listen, router, stop).await
}

/// Serves `/livez`, `/readyz` and `/healthz` until `stop`.
pub async fn health(listen: SocketAddr, health: Health, stop: CancellationToken) -> std::io::Result<()> {
    let router = Router::new()
        .route("/livez", get(livez))
        .route("/healthz", get(livez))
        .route("/readyz", get(readyz))
        .with_state(health);
    serve("health", listen, router, stop).await
}

async fn serve(
    what: &str,
    listen: SocketAddr,
    router: Router,
    stop: CancellationToken,
) -> std::io::Result<()> {
    let listener = TcpListener::bind(listen).await.map_err(|error| {
        std::io::Error::new(error.kind(), format!("can't listen on {listen} for {what}: {error}"))
    })?;
    info!(what, address = %listener.local_addr()?, "listening");
    axum::serve(listener, router).with_graceful_shutdown(async move { stop.cancelled().await }).await
}

async fn scrape(State(context): State<Arc<Context>>) -> Response {
    match context.metrics.text(&context.world, &context.lanes, &context.clock) {
        Ok(text) => {
            ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
        }
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

async fn livez(State(health): State<Health>) -> Response {
    answer(health.alive.load(std::sync::atomic::Ordering::Relaxed), "not alive: the lease could not be kept")
}

async fn readyz(State(health): State<Health>) -> Response {
    answer(
        health.synced.load(std::sync::atomic::Ordering::Relaxed),
        "not ready: the first lists are not complete",
    )
}

fn answer(good: bool, otherwise: &'static str) -> Response {
    if good {
        (StatusCode::OK, "ok").into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, otherwise).into_response()
    }
}
