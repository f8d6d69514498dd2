//! One answer for all receivers: they are told of the same alert at the same moment, and would all ask the same.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use slipstream_query::history::Evidence;
use slipstream_schemas::records::AlertTransition;
use tokio::sync::OnceCell;
use tokio::time::Instant;

use super::{EvidenceError, EvidenceSource};

/// Answers that are kept, the newest.
const KEPT: usize = 64;

/// A transition: alert, episode, seq.
type Of = (String, i64, i32);
type Cell = Arc<OnceCell<Evidence>>;

/// A source that answers once for each transition. Failures are not kept.
pub struct Shared<S> {
    source: S,
    kept: Mutex<VecDeque<(Of, Cell)>>,
}

impl<S: EvidenceSource> Shared<S> {
    /// Over a source.
    pub fn new(source: S) -> Shared<S> {
        Shared { source, kept: Mutex::default() }
    }

    fn cell(&self, of: Of) -> Cell {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, cell)) = kept.iter().find(|(known, _)| *known == of) {
            return cell.clone();
        }
        if kept.len() == KEPT {
            kept.pop_front();
        }
        let cell = Cell::default();
        kept.push_back((of, cell.clone()));
        cell
    }
}

#[async_trait]
impl<S: EvidenceSource> EvidenceSource for Shared<S> {
    async fn evidence(&self, alert: &AlertTransition, by: Instant) -> Result<Evidence, EvidenceError> {
        let cell = self.cell((alert.alert_id.clone(), alert.episode, alert.seq));
        // Who comes while it is looked up waits for that; if the first one gives up, the next one asks.
        cell.get_or_try_init(|| self.source.evidence(alert, by)).await.cloned()
    }
}
