//! The topic silences, read to its end and followed: what people say about alerts.

use std::collections::BTreeMap;

use slipstream_log::{Log, Offset, RecordRef, TopicPartition};
use slipstream_schemas::records::{Acknowledgement, Said, Silence};
use slipstream_schemas::{LogTime, Topic};

use crate::reading::{ReadError, Reader, decoded};

/// Name of the reader, where the log asks for one.
const READER: &str = "silences";

/// The silences of a log, expired ones too, by id.
///
/// # Errors
/// See [`SilenceReader::read_on`].
pub async fn silences(log: &dyn Log) -> Result<Vec<Silence>, ReadError> {
    let mut reader = SilenceReader::default();
    reader.read_on(log).await?;
    Ok(reader.silences().cloned().collect())
}

/// Who looks after which alert, by alert id.
///
/// # Errors
/// See [`SilenceReader::read_on`].
pub async fn acknowledgements(log: &dyn Log) -> Result<Vec<Acknowledgement>, ReadError> {
    let mut reader = SilenceReader::default();
    reader.read_on(log).await?;
    Ok(reader.acknowledgements().cloned().collect())
}

/// What was said by the end up to which the topic was read. The default has read nothing.
#[derive(Debug, Default)]
pub struct SilenceReader {
    next: BTreeMap<TopicPartition, Offset>,
    newest: BTreeMap<String, Newest>,
}

/// The last record of a key: its log time, and what it says unless it withdraws the key.
type Newest = (LogTime, Option<Said>);

impl SilenceReader {
    /// Reads from where it stopped to the present end. Returns whether there was a record. After an error it can be called
    /// again, and nothing is missed. A log of an earlier version, which has no such topic, has no silences.
    ///
    /// # Errors
    /// When the log fails, or a record was written by a newer version: what is missed may hold an alert back.
    pub async fn read_on(&mut self, log: &dyn Log) -> Result<bool, ReadError> {
        let reader = Reader { log, role: READER };
        let mut bounds = Vec::new();
        for partition in reader.partitions(Topic::Silences).await? {
            bounds.push((partition, reader.bounds(partition).await?));
        }
        // The topic was made again: what it said before is no longer there for others either.
        let forgets = bounds.iter().any(|(partition, (_, end))| self.next.get(partition) > Some(end));
        if forgets {
            *self = Self::default();
        }
        let mut changed = forgets;
        for (partition, (first, end)) in bounds {
            let from = self.next.get(&partition).map_or(first, |next| first.max(*next));
            let take = |record: RecordRef<'_>| {
                changed = true;
                self.take(partition, record)
            };
            let next = reader.each(partition, from, end, take).await?;
            self.next.insert(partition, next);
        }
        Ok(changed)
    }

    /// The silences, expired ones too, by id.
    pub fn silences(&self) -> impl Iterator<Item = &Silence> {
        self.said().filter_map(|said| match said {
            Said::Silence(silence) => Some(silence),
            Said::Acknowledgement(_) => None,
        })
    }

    /// The acknowledgements, those of former episodes too, by alert id.
    pub fn acknowledgements(&self) -> impl Iterator<Item = &Acknowledgement> {
        self.said().filter_map(|said| match said {
            Said::Acknowledgement(acknowledgement) => Some(acknowledgement),
            Said::Silence(_) => None,
        })
    }

    /// Who looks after an episode of an alert.
    pub fn acknowledged(&self, alert_id: &str, episode: i64) -> Option<&Acknowledgement> {
        match self.newest.get(&format!("{}{alert_id}/{episode}", Said::ACKNOWLEDGED)) {
            Some((_, Some(Said::Acknowledgement(found)))) => Some(found),
            _ => None,
        }
    }

    /// The acknowledgement that a withdrawal means: that of an episode, or without one that of the newest which somebody looks after.
    pub fn withdrawn_by(&self, alert_id: &str, episode: Option<i64>) -> Option<&Acknowledgement> {
        match episode {
            Some(episode) => self.acknowledged(alert_id, episode),
            None => {
                self.acknowledgements().filter(|known| known.alert_id == alert_id).max_by_key(|known| known.episode)
            }
        }
    }

    fn said(&self) -> impl Iterator<Item = &Said> {
        self.newest.values().filter_map(|(_, said)| said.as_ref())
    }

    fn take(&mut self, partition: TopicPartition, record: RecordRef<'_>) -> Result<(), ReadError> {
        let said = record.value().map(|_| decoded(partition, record, Said::decode)).transpose()?;
        let key = match &said {
            Some(said) => said.key(),
            None => String::from_utf8_lossy(record.key().unwrap_or_default()).into_owned(),
        };
        // Records of a key are in one partition, in order, unless the topic was given more of them.
        let log_time = record.log_time();
        if self.newest.get(&key).is_none_or(|(known, _)| *known <= log_time) {
            self.newest.insert(key, (log_time, said));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use slipstream_log::Outgoing;
    use slipstream_log::memory::{MemoryLog, MemoryOptions};
    use slipstream_schemas::codec;
    use slipstream_schemas::records::{LabelMatcher, MatchOp};

    use super::*;

    fn silence(id: &str, reason: &str) -> Said {
        let matchers = vec![LabelMatcher { label: "slo".to_owned(), op: MatchOp::Eq, value: "checkout".to_owned() }];
        let (id, reason) = (id.to_owned(), reason.to_owned());
        let (recurrence, author) = (None, String::new());
        Said::Silence(Silence { id, matchers, from: 1, to: None, recurrence, author, reason, created_at: 1 })
    }

    fn acknowledgement(alert_id: &str, episode: i64, owner: &str) -> Said {
        let (alert_id, owner) = (alert_id.to_owned(), owner.to_owned());
        Said::Acknowledgement(Acknowledgement { alert_id, episode, owner, reason: String::new(), at: 1 })
    }

    fn record(partition: u32, key: &str, value: Option<Vec<u8>>) -> Outgoing {
        Outgoing {
            topic: Topic::Silences,
            partition: Some(partition),
            key: Some(Bytes::copy_from_slice(key.as_bytes())),
            value: value.map(Bytes::from),
            headers: Vec::new(),
        }
    }

    fn of(partition: u32, said: &Said) -> Outgoing {
        let value = match said {
            Said::Silence(silence) => codec::encode(silence),
            Said::Acknowledgement(acknowledgement) => codec::encode(acknowledgement),
        };
        record(partition, &said.key(), Some(value))
    }

    fn log() -> std::sync::Arc<MemoryLog> {
        MemoryLog::new(MemoryOptions { partitions: [(Topic::Silences, 2)].into(), ..MemoryOptions::default() })
    }

    async fn publish(log: &MemoryLog, records: impl IntoIterator<Item = Outgoing>) {
        for record in records {
            log.publish(vec![record]).await.unwrap();
        }
    }

    fn told(reader: &SilenceReader) -> (Vec<&str>, Vec<&str>) {
        let reasons = reader.silences().map(|silence| silence.reason.as_str()).collect();
        (reasons, reader.acknowledgements().map(|found| found.owner.as_str()).collect())
    }

    #[tokio::test]
    async fn the_last_record_of_a_key_counts() {
        let log = log();
        assert_eq!(silences(log.as_ref()).await.unwrap(), []);
        publish(
            &log,
            [
                of(0, &silence("b", "b, first")),
                of(1, &silence("a", "a")),
                of(0, &silence("gone", "gone")),
                of(0, &acknowledgement("x", 1, "ada")),
                of(0, &acknowledgement("y", 1, "bob")),
                of(0, &silence("b", "b, extended")),
                of(1, &silence("b", "b, after the topic grew")),
                record(0, "gone", None),
                record(0, "ack/y/1", None),
            ],
        )
        .await;
        let reasons: Vec<String> = silences(log.as_ref()).await.unwrap().into_iter().map(|s| s.reason).collect();
        assert_eq!(reasons, ["a", "b, after the topic grew"]);
        let owners: Vec<String> = acknowledgements(log.as_ref()).await.unwrap().into_iter().map(|a| a.owner).collect();
        assert_eq!(owners, ["ada"]);
    }

    #[tokio::test]
    async fn a_reader_goes_on_where_it_stopped() {
        let (log, mut reader) = (log(), SilenceReader::default());
        assert!(!reader.read_on(log.as_ref()).await.unwrap());
        publish(&log, [of(0, &silence("a", "a")), of(1, &acknowledgement("x", 5, "ada"))]).await;
        assert!(reader.read_on(log.as_ref()).await.unwrap());
        assert_eq!(told(&reader), (vec!["a"], vec!["ada"]));
        assert!(!reader.read_on(log.as_ref()).await.unwrap(), "nothing is new");
        publish(&log, [record(0, "a", None), of(0, &silence("b", "b")), of(1, &acknowledgement("x", 6, "bob"))]).await;
        assert!(reader.read_on(log.as_ref()).await.unwrap());
        assert_eq!(told(&reader), (vec!["b"], vec!["ada", "bob"]));
        assert_eq!(reader.acknowledged("x", 5).unwrap().owner, "ada", "an acknowledgement is of one episode");
        assert_eq!(reader.acknowledged("x", 6).unwrap().owner, "bob");
        assert_eq!(reader.acknowledged("y", 6), None);
        let withdrawn = |alert, episode| reader.withdrawn_by(alert, episode).map(|found| found.owner.as_str());
        assert_eq!(
            (withdrawn("x", None), withdrawn("x", Some(5)), withdrawn("x", Some(7))),
            (Some("bob"), Some("ada"), None)
        );
    }

    #[tokio::test]
    async fn a_topic_that_was_made_again_is_read_from_its_beginning() {
        let (before, mut reader) = (log(), SilenceReader::default());
        publish(&before, [of(0, &silence("a", "a")), of(0, &silence("b", "b"))]).await;
        reader.read_on(before.as_ref()).await.unwrap();
        let again = log();
        publish(&again, [of(0, &silence("c", "c"))]).await;
        assert!(reader.read_on(again.as_ref()).await.unwrap());
        assert_eq!(told(&reader).0, ["c"]);
    }

    #[tokio::test]
    async fn a_record_of_a_newer_version_is_an_error_each_time() {
        let (log, mut reader) = (log(), SilenceReader::default());
        let mut newer = of(1, &silence("a", ""));
        newer.value = newer.value.map(|value| {
            let mut value = value.to_vec();
            value[3] ^= 1;
            value.into()
        });
        publish(&log, [newer]).await;
        for _ in 0..2 {
            let error = reader.read_on(log.as_ref()).await.unwrap_err().to_string();
            assert!(error.contains("offset 0") && error.ends_with("upgrade the readers first"), "{error}");
        }
    }
}
