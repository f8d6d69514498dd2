//! Who looks after alerts: it is in the log, and not in the store.

use std::collections::BTreeMap;
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

/// By alert and episode.
#[derive(Debug, Default)]
pub(super) struct Known(BTreeMap<(String, i64), Acknowledgement>);

impl Known {
    /// Who looks after an episode of an alert.
    pub fn of(&self, alert_id: &str, episode: i64) -> Option<Acknowledged> {
        self.0.get(&(alert_id.to_owned(), episode)).map(Acknowledged::from)
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
            let of_episode = |said: &Acknowledgement| ((said.alert_id.clone(), said.episode), said.clone());
            let known = Arc::new(Known(reader.acknowledgements().map(of_episode).collect()));
            *self.last.lock().unwrap_or_else(PoisonError::into_inner) = known;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use slipstream_log::Outgoing;
    use slipstream_log::memory::{MemoryLog, MemoryOptions};
    use slipstream_schemas::records::Said;
    use slipstream_schemas::{Topic, codec};

    use super::*;

    /// Somebody looks after an episode; the value can be spoiled.
    async fn say(log: &MemoryLog, episode: i64, owner: &str, spoil: impl FnOnce(&mut Vec<u8>)) {
        let (alert_id, owner) = ("x".to_owned(), owner.to_owned());
        let said = Acknowledgement { alert_id, episode, owner, reason: String::new(), at: 1 };
        let mut value = codec::encode(&said);
        spoil(&mut value);
        let record = Outgoing {
            topic: Topic::Silences,
            partition: None,
            key: Some(Bytes::from(Said::Acknowledgement(said).key())),
            value: Some(Bytes::from(value)),
            headers: Vec::new(),
        };
        log.publish(vec![record]).await.unwrap();
    }

    async fn owner(read: &Acknowledgements, log: &MemoryLog, episode: i64) -> Option<String> {
        read.read(log).await.unwrap().of("x", episode).map(|found| found.owner)
    }

    #[tokio::test]
    async fn while_the_log_is_away_the_last_word_stays() {
        let (log, read) = (MemoryLog::new(MemoryOptions::default()), Acknowledgements::default());
        assert_eq!(owner(&read, &log, 5).await, None);
        say(&log, 5, "ada", |_| ()).await;
        assert_eq!((owner(&read, &log, 5).await, owner(&read, &log, 4).await), (Some("ada".to_owned()), None));
        let again = log.crash();
        say(&again, 6, "bob", |_| ()).await;
        assert_eq!(owner(&read, &log, 5).await.as_deref(), Some("ada"), "whoever has the old log is refused");
        assert_eq!(owner(&read, &again, 6).await.as_deref(), Some("bob"));
        assert_eq!(owner(&read, &again, 5).await.as_deref(), Some("ada"), "each episode has its own");
    }

    #[tokio::test]
    async fn what_a_newer_version_says_is_not_passed_over() {
        let (log, read) = (MemoryLog::new(MemoryOptions::default()), Acknowledgements::default());
        say(&log, 5, "ada", |value| value[3] ^= 1).await;
        let error = read.read(log.as_ref()).await.unwrap_err();
        assert!(error.to_string().ends_with("upgrade the readers first") && !error.may_pass(), "{error}");
    }
}
