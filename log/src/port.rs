//! What a role may do with a log, and nothing else.
//!
//! - L1 An acknowledged record is in the log until retention.
//! - L2 Outputs of a committed step are visible exactly once; of an aborted one never, to committed readers.
//! - L3 Within an assignment each offset of a partition is delivered once, in order.
//! - L4 After a crash at any point a new owner continues from the committed positions.
//! - L5 A fenced or revoked owner commits nothing more.
//! - L6 A decided step is a value and is never decided again (see [`settle`]).
//! - L7 No record that becomes visible later in a partition undercuts its horizon (see [`Horizon`]).

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::future::try_join_all;
use slipstream_schemas::topics::Kept;
use slipstream_schemas::{LogTime, Topic};

use crate::batch::Batch;
pub use crate::error::{CommitError, LogError};
pub use crate::place::{Offset, Position, TopicId, TopicPartition};

/// A record to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// Where to.
    pub topic: Topic,
    /// Which partition; `None` for murmur2 of the key, as Kafka's default partitioner does it, or any if there is no key.
    pub partition: Option<u32>,
    /// Its key.
    pub key: Option<Bytes>,
    /// Its value; `None` for a tombstone.
    pub value: Option<Bytes>,
    /// Name and value, in order; `None` for a header without a value, which on Kafka is not the same as an empty one.
    pub headers: Vec<(String, Option<Bytes>)>,
}

/// Bytes of key, value and headers that one record may have.
pub const RECORD_LIMIT: usize = 8 << 20;

impl Outgoing {
    /// Refuses what no log can ever take.
    ///
    /// # Errors
    /// When it is too large, or has no key though its topic is compacted.
    pub fn check(&self) -> Result<(), LogError> {
        let size = |part: &Option<Bytes>| part.as_ref().map_or(0, Bytes::len);
        let headers: usize = self.headers.iter().map(|(name, value)| name.len() + size(value)).sum();
        let bytes = size(&self.key) + size(&self.value) + headers;
        if bytes > RECORD_LIMIT {
            return Err(LogError::TooLarge { topic: self.topic, bytes, limit: RECORD_LIMIT });
        }
        if self.key.is_none() && matches!(self.topic.spec().kept, Kept::Compacted { .. }) {
            return Err(LogError::Fatal {
                doing: format!("publishing to {}", self.topic),
                cause: "the topic is compacted, so every record needs a key".into(),
            });
        }
        Ok(())
    }
}

/// Where a published record went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    /// The partition.
    pub partition: u32,
    /// Its offset.
    pub offset: Offset,
    /// The log time it was given.
    pub log_time: LogTime,
}

/// A decided step: outputs and the positions they cover. A value: it is made once and sent until it is settled (L6).
/// Every step moves at least one position, in offset or in log time, or a commit in doubt could not be settled.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Step {
    /// Records to publish.
    pub outputs: Vec<Outgoing>,
    /// Positions, before and after.
    pub positions: Vec<Advance>,
}

/// A move of one position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Advance {
    /// Of which partition.
    pub partition: TopicPartition,
    /// Where the step began.
    pub from: Position,
    /// Where it ends.
    pub to: Position,
}

/// A step in doubt can be settled only if it moved something, and forward.
pub(crate) fn well_formed(advances: impl Iterator<Item = Advance> + Clone) -> Result<(), String> {
    if advances.clone().all(|a| a.from == a.to) {
        return Err("a step must move a position, in offset or in log time".to_owned());
    }
    let backward = |a: &Advance| a.to.offset < a.from.offset || a.to.log_time < a.from.log_time;
    match advances.clone().find(backward) {
        Some(a) => Err(format!("{}: a step moves back, from {:?} to {:?}", a.partition, a.from, a.to)),
        None => Ok(()),
    }
}

/// L7: every record at offset `end` or later that becomes visible has a log time of at least `time`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Horizon {
    /// First offset not yet visible.
    pub end: Offset,
    /// Lower bound of what comes.
    pub time: LogTime,
}

/// How much one fetch may bring.
#[derive(Debug, Clone, Copy)]
pub struct Fetch {
    /// Records at most.
    pub records: usize,
    /// Bytes of keys and values, about; one record is delivered however large.
    pub bytes: usize,
}

impl Default for Fetch {
    fn default() -> Self {
        Fetch { records: 10_000, bytes: 4 << 20 }
    }
}

/// What a poll brought.
#[derive(Debug)]
pub enum Polled {
    /// Nothing within the wait.
    Nothing,
    /// Partitions gained, each with its committed position (`None` if never committed). They are delivered from there, or
    /// from the partition's first offset.
    Assigned(Vec<(TopicPartition, Option<Position>)>),
    /// Partitions lost: drop the state kept for them (L6).
    Revoked(Vec<TopicPartition>),
    /// Records of one partition, in order (L3).
    Records(Batch),
}

/// A log.
#[async_trait]
pub trait Log: Send + Sync + 'static {
    /// Name and place, for people: `sqlite:DIR`.
    fn describe(&self) -> String;

    /// True where all topics are written in one order with strictly increasing log times, so that a reader of a record
    /// can also read everything written before it (the embedded logs). False: only within a partition (Kafka).
    fn total_order(&self) -> bool;

    /// The id of a topic: positions belong to it, not to the topic's name. `None` where the log does not tell.
    async fn topic_id(&self, topic: Topic) -> Result<Option<TopicId>, LogError> {
        let _ = topic;
        Ok(None)
    }

    /// How many partitions a topic has.
    async fn partitions(&self, topic: Topic) -> Result<u32, LogError>;

    /// Appends; resolves only when the log has every record durably (L1). Not atomic over partitions.
    async fn publish(&self, records: Vec<Outgoing>) -> Result<Vec<Appended>, LogError>;

    /// Appends all or nothing. `writer` names the writer; the newest holder of a name fences older ones (L5).
    /// Returns what a commit does; if it is in doubt, the caller reads its own last record. `Lost`: somebody newer holds the
    /// name, and it stays lost until [`take_writer`](Log::take_writer). A caller that goes away leaves the step to the log:
    /// it is done or not, and the name can be used again.
    async fn publish_atomically(&self, writer: &str, records: Vec<Outgoing>) -> Result<Vec<Appended>, CommitError>;

    /// Makes this handle the newest holder of a writer's name, also if it was fenced before. From here on nobody else writes
    /// under the name, nor does what this handle has still under way (L5). It has forgotten what it knew: the caller reads
    /// again what the others wrote. In doubt is as good as aborted: take it again.
    async fn take_writer(&self, writer: &str) -> Result<(), CommitError>;

    /// First retained offset and end offset, as a committed reader sees them.
    async fn bounds(&self, partition: TopicPartition) -> Result<(Offset, Offset), LogError>;

    /// [`bounds`](Log::bounds) of several partitions, in their order. They are asked together: where the log is elsewhere, many
    /// take hardly longer than one.
    async fn all_bounds(&self, partitions: &[TopicPartition]) -> Result<Vec<(Offset, Offset)>, LogError> {
        try_join_all(partitions.iter().map(|partition| self.bounds(*partition))).await
    }

    /// The bounds of a partition, once every step that was under way when this was asked is decided: what a former owner has committed is
    /// below the end, and what is not there never will be. An adapter that shows steps at once answers at once.
    async fn settled_bounds(&self, partition: TopicPartition) -> Result<(Offset, Offset), LogError> {
        self.bounds(partition).await
    }

    /// Committed records from `from` on and below `to`, as many as `fetch` allows; empty only at the end. Reading below
    /// the first retained offset is `OutOfRange`.
    async fn read(&self, partition: TopicPartition, from: Offset, to: Offset, fetch: Fetch) -> Result<Batch, LogError>;

    /// The first offset whose log time is at least `time`; the end offset when there is none.
    async fn offset_at(&self, partition: TopicPartition, time: LogTime) -> Result<Offset, LogError>;

    /// [`offset_at`](Log::offset_at) of several partitions, each of them once, in their order; together, as
    /// [`all_bounds`](Log::all_bounds).
    async fn all_offsets_at(&self, asked: &[(TopicPartition, LogTime)]) -> Result<Vec<Offset>, LogError> {
        try_join_all(asked.iter().map(|(partition, time)| self.offset_at(*partition, *time))).await
    }

    /// The committed position of a group, asked from outside of it; `None` if never committed.
    async fn committed(&self, group: &str, partition: TopicPartition) -> Result<Option<Position>, LogError>;

    /// Joins a group. Partitions come as [`Polled::Assigned`]. All members of a group say the same.
    async fn subscribe(&self, group: &str, topics: &[Topic], share: Share) -> Result<Box<dyn Consumer>, LogError>;
}

/// Who in a group has which partitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Share {
    /// The members divide them.
    Divided,
    /// One member has all, whoever has the first partition of the first topic; the others wait. It goes to another one when that leaves or
    /// is lost, and on Kafka also when the group balances its partitions because a member came.
    Whole,
}

/// A shared log.
pub type SharedLog = Arc<dyn Log>;

/// A member of a group. Dropping it leaves the group without committing anything.
///
/// ```
/// use std::time::Duration;
///
/// use slipstream_log::memory::{MemoryLog, MemoryOptions};
/// use slipstream_log::{Advance, Fetch, Log, Outgoing, Polled, Position, Share, Step};
/// use slipstream_schemas::Topic;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let log = MemoryLog::new(MemoryOptions::default());
/// let to = |topic, value: &'static str| Outgoing {
///     topic,
///     partition: Some(0),
///     key: Some("k".into()),
///     value: Some(value.into()),
///     headers: Vec::new(),
/// };
/// log.publish(vec![to(Topic::RequestEvents, "a request")]).await?;
///
/// let mut consumer = log.subscribe("my-group", &[Topic::RequestEvents], Share::Divided).await?;
/// let batch = loop {
///     match consumer.poll(Fetch::default(), Duration::from_secs(5)).await? {
///         Polled::Records(batch) => break batch,
///         Polled::Assigned(_) | Polled::Revoked(_) | Polled::Nothing => {}
///     }
/// };
/// // What was decided from the batch, and how far that has read, become visible together or not at all (L2).
/// let last = batch.get(batch.len() - 1).expect("a batch has records");
/// let partition = batch.partition;
/// let read = Position { offset: last.offset() + 1, log_time: last.log_time() };
/// let step = Step {
///     outputs: vec![to(Topic::DeadLetters, "what became of it")],
///     positions: vec![Advance { partition, from: Position::default(), to: read }],
/// };
/// consumer.commit(&step).await?;
/// assert_eq!(log.committed("my-group", partition).await?, Some(read));
/// # Ok(())
/// # }
/// ```
#[async_trait]
pub trait Consumer: Send {
    /// What happened next, within `wait`.
    async fn poll(&mut self, fetch: Fetch, wait: Duration) -> Result<Polled, LogError>;

    /// Delivers an assigned partition from another offset on. Nothing happens to one that was lost since the last poll.
    async fn seek(&mut self, partition: TopicPartition, offset: Offset) -> Result<(), LogError>;

    /// Delivers nothing of these until resumed. A rebalance keeps it for partitions that stay.
    fn pause(&mut self, partitions: &[TopicPartition]);

    /// Undoes `pause`.
    fn resume(&mut self, partitions: &[TopicPartition]);

    /// Makes outputs visible and moves positions, atomically (L2). On error nothing is forgotten: see [`CommitError`].
    async fn commit(&mut self, step: &Step) -> Result<(), CommitError>;

    /// The group's committed position; `None` if never committed.
    async fn committed(&mut self, partition: TopicPartition) -> Result<Option<Position>, LogError>;

    /// See [`Horizon`]. `None` if it is not known at the moment.
    async fn horizon(&mut self, partition: TopicPartition) -> Result<Option<Horizon>, LogError>;
}

/// What became of a decided step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StepFate {
    /// It is in the log, once.
    Done,
    /// Some of its partitions have another owner now: drop their part of the step.
    Lost {
        /// These.
        partitions: Vec<TopicPartition>,
        /// Whether the rest of the step is in the log; if not, it has to be sent again without these.
        others_done: bool,
    },
}
