//! Whether roles and store have reached a place of the log, and what was found to be reached once.
//!
//! An end of a partition moves on while it is looked at, so it is read once, and what is waited for is that place. And where a
//! transaction ends there are offsets without a record, of which no reader's position tells: whoever is at the last record is at
//! the end.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use slipstream_log::{Fetch, Log, LogError, Offset, TopicPartition};
use slipstream_schemas::records::{AlertTransition, BurnRates, Notification};
use slipstream_schemas::{LogTime, Topic, codec};
use slipstream_store::StorePosition;
use tokio::time::{Instant, sleep};

use super::History;
use crate::QueryError;

/// How long a question waits for what it asks about to be read, evaluated and stored. Roles commit a few times a second.
const PATIENCE: Duration = Duration::from_secs(4);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(50);

/// Whether no record lies at or behind an offset, below another one. What retention removed lies nowhere.
///
/// # Errors
/// When the log cannot be read.
pub(super) async fn nothing_between(
    log: &dyn Log,
    partition: TopicPartition,
    from: Offset,
    to: Offset,
) -> Result<bool, LogError> {
    Ok(first_between(log, partition, from, to).await?.is_none())
}

/// A record that was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found {
    /// The begin of the tick that it is of, or when it was told; `None` where a record says no time of its own, or cannot be read.
    pub of: Option<LogTime>,
}

/// The first record at or behind an offset, below another one.
///
/// # Errors
/// When the log cannot be read.
pub(super) async fn first_between(
    log: &dyn Log,
    partition: TopicPartition,
    from: Offset,
    to: Offset,
) -> Result<Option<Found>, LogError> {
    let one = Fetch { records: 1, ..Fetch::default() };
    let mut next = from;
    while next < to {
        match log.read(partition, next, to, one).await {
            // Empty only where there is nothing up to `to`.
            Ok(batch) => {
                let found = batch.iter().next();
                return Ok(
                    found.map(|record| Found { of: record.value().and_then(|value| time_of(partition.topic, value)) })
                );
            }
            Err(LogError::OutOfRange { first, .. }) if first > next => next = first,
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

/// Of which time a record is that was made of requests.
fn time_of(topic: Topic, value: &[u8]) -> Option<LogTime> {
    let tick = |tick: i64| LogTime(tick.saturating_mul(1_000));
    match topic {
        Topic::BurnRates => codec::decode::<BurnRates>(value).ok().map(|rates| tick(rates.tick)),
        Topic::Alerts => codec::decode::<AlertTransition>(value).ok().map(|transition| tick(transition.tick)),
        Topic::Notifications => codec::decode::<Notification>(value).ok().map(|told| LogTime(told.at)),
        _ => None,
    }
}

/// The partitions of a topic.
///
/// # Errors
/// When the log cannot be read.
pub(super) async fn partitions(log: &dyn Log, topic: Topic) -> Result<Vec<TopicPartition>, LogError> {
    Ok((0..log.partitions(topic).await?).map(|partition| TopicPartition { topic, partition }).collect())
}

/// Where every partition of a topic ends at the moment.
///
/// # Errors
/// When the log cannot be read.
pub(super) async fn ends(log: &dyn Log, topic: Topic) -> Result<Vec<(TopicPartition, Offset)>, LogError> {
    let partitions = partitions(log, topic).await?;
    let bounds = log.all_bounds(&partitions).await?;
    Ok(partitions.into_iter().zip(bounds.into_iter().map(|(_, end)| end)).collect())
}

/// The position of a partition.
pub(super) fn position(stored: &[StorePosition], partition: TopicPartition) -> Option<&StorePosition> {
    stored.iter().find(|stored| stored.topic == partition.topic && stored.partition == partition.partition)
}

/// Who is to reach a place.
#[derive(Debug, Clone, Copy)]
pub(super) enum Reader {
    /// A role, by the name of its group.
    Role(&'static str),
    /// The store.
    Store,
}

impl History {
    /// Waits until places are reached: whether they were in time.
    ///
    /// # Errors
    /// When log or store cannot be read.
    pub(super) async fn reach(
        &self,
        reader: Reader,
        mut places: Vec<(TopicPartition, Offset)>,
        deadline: Instant,
    ) -> Result<bool, QueryError> {
        let log = self.log()?;
        loop {
            let stored = match reader {
                Reader::Store => self.store.positions().await?,
                Reader::Role(_) => Vec::new(),
            };
            let mut missing = Vec::new();
            for (partition, end) in places {
                let at = match reader {
                    Reader::Store => position(&stored, partition).map(|stored| stored.offset),
                    Reader::Role(group) => log.committed(group, partition).await?.map(|position| position.offset),
                };
                if !nothing_between(log.as_ref(), partition, at.unwrap_or(0), end).await? {
                    missing.push((partition, end));
                }
            }
            if missing.is_empty() || Instant::now() >= deadline {
                return Ok(missing.is_empty());
            }
            places = missing;
            sleep(LOOK).await;
        }
    }

    /// Waits until a role has read all partitions of a topic beyond a time, if it is about to: the time that it has read them to, or
    /// `None`.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub(super) async fn read_beyond(
        &self,
        group: &'static str,
        partitions: &[TopicPartition],
        at: LogTime,
        deadline: Instant,
    ) -> Result<Option<LogTime>, QueryError> {
        let log = self.log()?;
        loop {
            let mut read = LogTime(i64::MAX);
            for partition in partitions {
                let committed = log.committed(group, *partition).await?;
                read = read.min(committed.map_or(LogTime(i64::MIN), |position| position.log_time));
            }
            if read > at {
                return Ok(Some(read));
            }
            // Further away than this it does not come in time.
            let is_far = read.0.saturating_add(PATIENCE.as_millis() as i64) < at.0;
            if is_far || Instant::now() >= deadline {
                return Ok(None);
            }
            sleep(LOOK).await;
        }
    }
}

/// Until when a question waits that is asked now.
pub(super) fn deadline() -> Instant {
    Instant::now() + PATIENCE
}

/// Times of which everything was found to be there. It stays, so an earlier time needs no look.
#[derive(Debug)]
pub(super) struct Reached {
    /// Every request is stored.
    pub stored: Mark,
    /// Every tick is evaluated and stored.
    pub evaluated: Mark,
    /// Every transition is stored.
    pub alerted: Mark,
}

impl Default for Reached {
    fn default() -> Self {
        let [stored, evaluated, alerted] = [(); 3].map(|()| Mark(AtomicI64::new(i64::MIN)));
        Reached { stored, evaluated, alerted }
    }
}

/// A time that only moves forward.
#[derive(Debug)]
pub(super) struct Mark(AtomicI64);

impl Mark {
    pub fn has(&self, at: LogTime) -> bool {
        at.0 <= self.0.load(Ordering::Relaxed)
    }

    pub fn note(&self, at: LogTime) {
        self.0.fetch_max(at.0, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use slipstream_log::Outgoing;
    use slipstream_log::memory::{MemoryLog, MemoryOptions};
    use slipstream_schemas::Cause;
    use slipstream_store::{SharedStore, SqliteStore};

    use super::*;

    const REQUESTS: TopicPartition = TopicPartition { topic: Topic::RequestEvents, partition: 0 };

    async fn publish(log: &MemoryLog, count: usize) {
        let record = Outgoing {
            topic: Topic::RequestEvents,
            partition: Some(0),
            key: None,
            value: Some("x".into()),
            headers: Vec::new(),
        };
        log.publish(vec![record; count]).await.unwrap();
    }

    #[tokio::test]
    async fn nothing_lies_between_the_last_record_and_the_end() {
        let log = MemoryLog::new(MemoryOptions::default());
        publish(&log, 3).await;
        for (from, to, expected) in [(0, 3, false), (2, 3, false), (3, 3, true), (5, 3, true), (0, 0, true)] {
            let found = nothing_between(log.as_ref(), REQUESTS, from, to).await.unwrap();
            assert_eq!(found, expected, "{from} to {to}");
        }
    }

    #[test]
    fn a_mark_only_moves_forward() {
        let Reached { stored, .. } = Reached::default();
        assert!(!stored.has(LogTime(i64::MIN + 1)));
        stored.note(LogTime(20));
        stored.note(LogTime(10));
        assert!(stored.has(LogTime(20)) && !stored.has(LogTime(21)));
    }

    #[tokio::test]
    async fn who_named_a_log_that_cannot_be_opened_is_told_why() {
        let folder = tempfile::tempdir().unwrap();
        let store: SharedStore = SqliteStore::open(folder.path(), Default::default()).unwrap();
        let history = History::of(store).without_log(Cause::from("kafka://down:9092 does not answer"));
        let said = history.slos_as_of(LogTime(0)).await.unwrap_err().to_string();
        assert_eq!(said, "this takes the log, too, which cannot be opened: kafka://down:9092 does not answer");
    }
}
