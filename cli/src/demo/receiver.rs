//! The demo's receiver of alerts: a real HTTP server on loopback that reports what it receives.

use std::net::SocketAddr;

use anyhow::{Context, Result};
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use serde::{Deserialize, Serialize};
use slipstream_runtime::Shutdown;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

/// An alert as the webhook body had it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Received {
    /// `firing` or `resolved`.
    pub status: String,
    /// Labels.
    pub labels: std::collections::BTreeMap<String, String>,
    /// Annotations.
    pub annotations: std::collections::BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Body {
    alerts: Vec<Received>,
}

/// A receiver that listens.
pub struct Receiver {
    listener: TcpListener,
    address: SocketAddr,
}

impl Receiver {
    /// Listens on a free port of the loopback address.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn bind() -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("listening for the demo's alerts")?;
        let address = listener.local_addr().context("listening for the demo's alerts")?;
        Ok(Receiver { listener, address })
    }

    /// Where to send alerts.
    pub fn url(&self) -> String {
        format!("http://{}/alerts", self.address)
    }

    /// Serves until shut down; what is received goes to `got`.
    ///
    /// # Errors
    /// When the socket fails.
    pub async fn serve(self, got: mpsc::UnboundedSender<Received>, shutdown: Shutdown) -> Result<()> {
        let app = Router::new().route("/alerts", post(take)).with_state(got);
        let stop = async move { shutdown.cancelled().await };
        axum::serve(self.listener, app).with_graceful_shutdown(stop).await.context("receiving the demo's alerts")
    }
}

async fn take(State(got): State<mpsc::UnboundedSender<Received>>, body: axum::body::Bytes) -> StatusCode {
    let Ok(body) = serde_json::from_slice::<Body>(&body) else { return StatusCode::BAD_REQUEST };
    for alert in body.alerts {
        if got.send(alert).is_err() {
            return StatusCode::SERVICE_UNAVAILABLE;
        }
    }
    StatusCode::OK
}
