//! What happened, from the store: KPIs, events, alerts, the history of SLOs; as it is now, or as it was known at a time.

mod alerts;
mod as_of;
mod contributors;
mod erasure;
mod events;
mod points;
mod standing;
mod top;

use slipstream_log::SharedLog;
use slipstream_store::SharedStore;

pub use alerts::{AlertAnswer, AlertDetail, NotificationAnswer, NotificationRow, TransitionRow};
pub use contributors::{ContributorAnswer, ContributorQuestion, ContributorRow, Dimension};
pub use erasure::Erasure;
pub use events::{EventAnswer, EventRow};
pub use points::{HistoryAnswer, HistoryPoint, HistoryQuestion};
pub use standing::{StoreStanding, TopicStanding};
pub use top::{TopAnswer, TopQuestion, TopRow, TopSort};

/// What a store holds, for questions.
#[derive(Clone)]
pub struct History {
    store: SharedStore,
    /// For what only the log knows: definitions, and how far the store is behind it.
    log: Option<SharedLog>,
}

impl History {
    /// For a store, which may be open for reading only.
    pub fn of(store: SharedStore) -> History {
        History { store, log: None }
    }

    /// With the log that it is filled from.
    #[must_use]
    pub fn with_log(self, log: SharedLog) -> History {
        History { log: Some(log), ..self }
    }

    fn log(&self) -> Result<&SharedLog, crate::QueryError> {
        self.log.as_ref().ok_or(crate::QueryError::NoLog)
    }
}
