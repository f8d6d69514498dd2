//! Whether roles and store have reached a place of the log, and what was found to be reached once.
//!
//! An end of a partition moves on while it is looked at, so it is read once, and what is waited for is that place. And where a
//! transaction ends there are offsets without a record, of which no reader's position tells: whoever is at the last record is at
//! the end.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use slipstream_log::{Fetch, Log, LogError, Offset, TopicPartition};
use slipstream_schemas::{LogTime, Topic};
use slipstream_store::StorePosition;
use tokio::time::{Instant, sleep};

use super::History;
use crate::QueryError;

/// How long a question waits for what it asks about to be read, evaluated and stored. Roles commit a few times a second.
const PATIENCE: Duration = Duration::from_secs(2);
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
    let one = Fetch { records: 1, ..Fetch::default() };
    let mut next = from;
    while next < to {
        match log.read(partition, next, to, one).await {
            // Empty only where there is nothing up to `to`.
            Ok(batch) => return Ok(batch.is_empty()),
            Err(LogError::OutOfRange { first, .. }) if first > next => next = first,
            Err(error) => return Err(error),
        }
    }
    Ok(true)
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
