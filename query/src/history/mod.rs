//! What happened, from the store: KPIs, events, alerts, the history of SLOs; as it is now, or as it was known at a time.

mod acknowledged;
mod alerts;
mod as_of;
mod contributors;
mod erasure;
mod events;
mod evidence;
mod judge;
mod known;
mod notifications;
mod points;
mod reached;
mod standing;
mod top;

use std::sync::Arc;

use acknowledged::Acknowledgements;
use reached::Reached;
use slipstream_log::SharedLog;
use slipstream_role::markers::FollowedMarkers;
use slipstream_schemas::Cause;
use slipstream_slo::revision::Revisions;
use slipstream_store::SharedStore;
use tokio::sync::Mutex;

use crate::definitions::KnownRevisions;

pub use acknowledged::Acknowledged;
pub use alerts::{AlertAnswer, AlertDetail, AlertRow, TransitionRow};
pub use contributors::{ContributorAnswer, ContributorQuestion, ContributorRow, Dimension};
pub use erasure::Erasure;
pub use events::{EventAnswer, EventRow};
pub use evidence::{
    BadRequest, Breakdown, Evidence, EvidenceQuestion, Latencies, MARKERS_BEFORE, RequestTold, Sample, ValueCounts,
};
pub use notifications::{NotificationAnswer, NotificationRow};
pub use points::{HistoryAnswer, HistoryPoint, HistoryQuestion};
pub use standing::{StoreStanding, TopicStanding};
pub use top::{TopAnswer, TopQuestion, TopRow, TopSort};

/// What a store holds, for questions.
#[derive(Clone)]
pub struct History {
    store: SharedStore,
    /// For what only the log knows: definitions, and how far the store is behind it; or why there is none.
    log: Result<SharedLog, Option<Cause>>,
    /// What was found to be there, by this one and those that were cloned from it.
    reached: Arc<Reached>,
    /// Likewise the definitions that were read.
    known: Arc<Mutex<KnownRevisions>>,
    /// Likewise who looks after alerts.
    acknowledged: Arc<Acknowledgements>,
    /// Likewise what was done to services.
    markers: FollowedMarkers,
}

impl History {
    /// For a store, which may be open for reading only.
    pub fn of(store: SharedStore) -> History {
        History {
            store,
            log: Err(None),
            reached: Arc::default(),
            known: Arc::default(),
            acknowledged: Arc::default(),
            markers: FollowedMarkers::default(),
        }
    }

    /// With the log that it is filled from.
    #[must_use]
    pub fn with_log(self, log: SharedLog) -> History {
        History { log: Ok(log), ..self }
    }

    /// With markers that others follow, too.
    #[must_use]
    pub fn with_markers(self, markers: FollowedMarkers) -> History {
        History { markers, ..self }
    }

    /// Without the log, which cannot be opened: questions that take it say why.
    #[must_use]
    pub fn without_log(self, why: Cause) -> History {
        History { log: Err(Some(why)), ..self }
    }

    /// Every revision of the definitions: what is new is read.
    ///
    /// # Errors
    /// When the log cannot be read, or holds a definition that this version does not support.
    async fn revisions(&self) -> Result<Arc<Revisions>, crate::QueryError> {
        let log = self.log()?;
        Ok(self.known.lock().await.read_on(log.as_ref()).await?)
    }

    fn log(&self) -> Result<&SharedLog, crate::QueryError> {
        self.log.as_ref().map_err(|why| crate::QueryError::no_log(why.clone()))
    }
}
