//! Evidence from the store, and from the log: definitions and markers are there.

use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use slipstream_log::SharedLog;
use slipstream_query::History;
use slipstream_query::history::{Evidence, EvidenceQuestion};
use slipstream_role::markers::FollowedMarkers;
use slipstream_schemas::records::AlertTransition;
use slipstream_store::SharedStore;
use tokio::time::Instant;

use super::{EvidenceError, EvidenceSource};

/// Evidence from a store that may not be open yet.
pub struct Stored {
    log: SharedLog,
    store: Arc<OnceLock<SharedStore>>,
    markers: FollowedMarkers,
    history: OnceLock<History>,
}

impl Stored {
    /// From the store that will be in this cell.
    pub fn new(log: SharedLog, store: Arc<OnceLock<SharedStore>>, markers: FollowedMarkers) -> Stored {
        Stored { log, store, markers, history: OnceLock::new() }
    }
}

#[async_trait]
impl EvidenceSource for Stored {
    async fn evidence(&self, alert: &AlertTransition, by: Instant) -> Result<Evidence, EvidenceError> {
        let store = self.store.get().ok_or(EvidenceError::NotOpen)?;
        // Kept: it knows the definitions that it has read.
        let open = || History::of(store.clone()).with_log(self.log.clone()).with_markers(self.markers.clone());
        let history = self.history.get_or_init(open);
        Ok(history.evidence(&EvidenceQuestion::about(alert), by).await?)
    }
}
