//! Who looks after alerts: it is in the log, and not in the store.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use slipstream_log::Log;
use slipstream_role::reading::ReadError;
use slipstream_role::silences::SilenceReader;
use slipstream_schemas::EventTime;
use slipstream_schemas::records::Acknowledgement;
use slipstream_store::text;
use tokio::time::timeout;

use crate::QueryError;

/// How long the log may take. While it is away, alerts are told with what is known.
const PATIENCE: Duration = Duration::from_secs(1);

/// Who looks after an alert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acknowledged {
    /// Who it is.
    pub owner: String,
    /// Since when, RFC 3339.
    pub at: String,
    /// What there is to say.
    pub reason: String,
}

impl From<&Acknowledgement> for Acknowledged {
    fn from(found: &Acknowledgement) -> Self {
        Acknowledged {
            owner: found.owner.clone(),
            at: text::micros(EventTime(found.at.saturating_mul(1_000))),
            reason: found.reason.clone(),
        }
    }
}

/// Acknowledgements, as far as the log was read.
#[derive(Default)]
pub(super) struct Acknowledgements {
    reader: tokio::sync::Mutex<SilenceReader>,
    last: Mutex<Arc<Known>>,
}

/// Of the newest episode of each alert that somebody looks after.
#[derive(Debug, Default)]
pub(super) struct Known(Vec<Acknowledgement>);

impl Known {
    /// Who looks after an episode of an alert.
    pub fn of(&self, alert_id: &str, episode: i64) -> Option<Acknowledged> {
        // As the reader tells them: by alert id.
        let place = self.0.binary_search_by(|found| found.alert_id.as_str().cmp(alert_id)).ok()?;
        Some(&self.0[place]).filter(|found| found.episode == episode).map(Acknowledged::from)
    }
}

impl Acknowledgements {
    /// What the log says now. Where it cannot be read, what it said when it could: the alerts matter more.
    ///
    /// # Errors
    /// When a record was written by a newer version.
    pub async fn read(&self, log: &dyn Log) -> Result<Arc<Known>, QueryError> {
        match timeout(PATIENCE, self.look(log)).await {
            Ok(Err(error @ ReadError::Record { .. })) => return Err(error.into()),
            Ok(Ok(()) | Err(ReadError::Log { .. })) | Err(_) => {}
        }
        Ok(self.last.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }

    async fn look(&self, log: &dyn Log) -> Result<(), ReadError> {
        let mut reader = self.reader.lock().await;
        if reader.read_on(log).await? {
            let known = Arc::new(Known(reader.acknowledgements().cloned().collect()));
            *self.last.lock().unwrap_or_else(PoisonError::into_inner) = known;
        }
        Ok(())
    }
}
