//! What every role needs: configuration, telemetry, supervision, shutdown, who may ask for what, health and metrics
//! endpoints.

pub mod access;
pub mod backoff;
pub mod config;
pub mod event;
pub mod filter;
pub mod health;
pub mod http;
pub mod loopback;
pub mod metrics;
pub mod ops;
pub mod outcome;
pub mod signal;
pub mod stage;
pub mod supervise;
pub mod telemetry;

pub use config::Config;
pub use health::Health;
pub use outcome::Outcome;
pub use stage::Stage;
pub use supervise::{Bounds, Stop, Supervisor};
pub use tokio_util::sync::CancellationToken as Shutdown;
