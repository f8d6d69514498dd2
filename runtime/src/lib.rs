//! What every role needs: configuration, telemetry, supervision, shutdown, health and metrics endpoints.

pub mod event;
pub mod health;
pub mod metrics;

pub use tokio_util::sync::CancellationToken as Shutdown;
