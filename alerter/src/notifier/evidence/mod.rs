//! Evidence in a notification: what the person who was paged would look up first. It is gathered when a firing is sent, within a
//! moment, and is part of the notification only: an AlertTransition stays a function of burn-rates (A1).
//!
//! [`EvidenceSource`] is where it comes from, [`stored`] the one on the store; [`explained`] puts it into what a receiver gets,
//! [`annotations`] as what. [`hint`] and [`standouts`] decide what the facts mean, [`words`] how it is said.

pub mod annotations;
pub mod explained;
pub mod hint;
mod memory;
pub mod shared;
pub mod standouts;
pub mod stored;
pub mod words;

use std::time::Duration;

use async_trait::async_trait;
use slipstream_query::QueryError;
use slipstream_query::history::Evidence;
use slipstream_schemas::records::AlertTransition;
use tokio::time::Instant;

pub use explained::Explained;
pub use shared::Shared;
pub use stored::Stored;

/// How long a notification waits for evidence, of all its alerts together.
pub const PATIENCE: Duration = Duration::from_millis(250);

/// Alerts of a notification that evidence is gathered for: the worst. Somebody who gets more at once looks at something else.
pub const MOST_ALERTS: usize = 8;

/// Where evidence comes from.
#[async_trait]
pub trait EvidenceSource: Send + Sync + 'static {
    /// What is known by `by` about the requests behind an alert that fires as of this transition. What takes longer is left out;
    /// later nobody waits for the answer.
    async fn evidence(&self, alert: &AlertTransition, by: Instant) -> Result<Evidence, EvidenceError>;
}

/// Why there is no evidence.
#[derive(Debug, Clone, thiserror::Error)]
pub enum EvidenceError {
    /// The database is not up yet, or does not let us in.
    #[error("the store is not open yet")]
    NotOpen,
    /// Log or store failed.
    #[error("{0}")]
    Failed(String),
}

impl From<QueryError> for EvidenceError {
    fn from(error: QueryError) -> Self {
        EvidenceError::Failed(error.to_string())
    }
}
