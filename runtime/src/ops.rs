//! What operators and their tools ask a process: /healthz (does it live), /readyz (do its roles work), /metrics.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State as Shared;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;
use tokio::net::TcpListener;

use crate::Shutdown;
use crate::health::{Health, State};
use crate::http::{self, Limits};
use crate::metrics;

/// What answers at once is not waited for any longer at the end.
const FINISH: Duration = Duration::from_secs(2);

fn limits(stage: Duration) -> Limits {
    Limits {
        connections: 64,
        head_timeout: Duration::from_secs(10),
        idle_timeout: Duration::from_secs(60),
        write_timeout: Duration::from_secs(10),
        finish: FINISH.min(http::finish_within(stage)),
    }
}

/// Serves on `listener` until `shutdown`, and ends within `stage` then, whatever its clients do. A client may have connected before: announce all roles on the board first
/// ([`Health::announce`]).
///
/// # Errors
/// Never: it returns a result only to be a supervised task.
pub async fn serve(
    listener: TcpListener,
    health: Health,
    stage: Duration,
    shutdown: Shutdown,
) -> Result<(), Infallible> {
    http::serve("ops", listener, router(health), limits(stage), shutdown).await;
    Ok(())
}

/// The endpoint itself, to be tested or mounted elsewhere.
pub fn router(health: Health) -> Router {
    Router::new()
        .route("/", get(async || "slipstream: /healthz /readyz /metrics\n"))
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(render))
        .with_state(health)
}

/// The answer of /readyz.
#[derive(Debug, Serialize)]
struct Readiness {
    ready: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    stopping: bool,
    roles: BTreeMap<String, Standing>,
}

#[derive(Debug, Serialize)]
struct Standing {
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

impl From<State> for Standing {
    fn from(state: State) -> Self {
        match state {
            State::Starting(detail) => Standing { state: "starting", detail: Some(detail) },
            State::Ready => Standing { state: "ready", detail: None },
            State::Waiting(detail) => Standing { state: "waiting", detail: Some(detail) },
        }
    }
}

/// 200 when every role has started and the process is not about to end ([`Health::ready`]), else 503. A process in which no
/// role was announced yet is not ready.
async fn ready(Shared(health): Shared<Health>) -> Response {
    let roles = health.snapshot();
    let ready = !roles.is_empty() && health.ready();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let roles = roles.into_iter().map(|(name, state)| (name, state.into())).collect();
    (status, Json(Readiness { ready, stopping: health.is_stopping(), roles })).into_response()
}

async fn render() -> Response {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], metrics::render()).into_response()
}
