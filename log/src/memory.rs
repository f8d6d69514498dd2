//! The log in memory: for tests, with faults that can be ordered and a clock that can be set.
//!
//! ```
//! use slipstream_log::memory::{MemoryLog, MemoryOptions};
//! use slipstream_log::{Fetch, Log, Outgoing, TopicPartition};
//! use slipstream_schemas::Topic;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), slipstream_log::LogError> {
//! let log = MemoryLog::new(MemoryOptions::default());
//! let record = Outgoing {
//!     topic: Topic::RequestEvents,
//!     partition: None, // by the key, as Kafka's own producers choose it
//!     key: Some("e-1".into()),
//!     value: Some("{}".into()),
//!     headers: Vec::new(),
//! };
//! let appended = log.publish(vec![record]).await?; // durable from here on (L1)
//!
//! let partition = TopicPartition { topic: Topic::RequestEvents, partition: appended[0].partition };
//! let (first, end) = log.bounds(partition).await?;
//! let batch = log.read(partition, first, end, Fetch::default()).await?;
//! let record = batch.get(0).expect("it was published");
//! assert_eq!((record.offset(), record.key()), (0, Some(&b"e-1"[..])));
//! assert_eq!(record.log_time(), appended[0].log_time);
//! # Ok(())
//! # }
//! ```

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use slipstream_schemas::topics::TOPICS;
use slipstream_schemas::{Cause, LogTime, Topic};
use tokio::sync::watch;

use crate::batch::Batch;
use crate::clock::{Clock, Timeline};
use crate::embedded::{Embedded, Engine, Guard, Holders, WriteError, check_moves};
use crate::faults::{CommitFault, CrashPoint, Faults, PublishFault};
use crate::groups::Groups;
use crate::port::{Appended, Fetch, Horizon, LogError, Offset, Outgoing, Position, TopicPartition};
use crate::signal::Signal;

/// A log in memory.
pub type MemoryLog = Embedded<Memory>;

/// How a [`MemoryLog`] is made.
#[derive(Debug, Clone, Default)]
pub struct MemoryOptions {
    /// Where log time comes from.
    pub clock: Clock,
    /// Partitions of topics, where they differ from the table of topics.
    pub partitions: HashMap<Topic, u32>,
}

/// The engine of a [`MemoryLog`]: one process that uses the kept data.
pub struct Memory {
    kept: Arc<Mutex<Kept>>,
    options: MemoryOptions,
    /// Log time rises within a partition only.
    apart: bool,
    groups: Groups,
    signal: Signal,
    faults: Arc<Faults>,
    dead: AtomicBool,
}

/// What outlives a crash.
struct Kept {
    partitions: HashMap<TopicPartition, Partition>,
    positions: HashMap<(String, TopicPartition), Position>,
    holders: Holders,
    timeline: Timeline,
    /// Log time of the first transaction that is written but kept from readers.
    hidden: Option<LogTime>,
    hiding: bool,
}

#[derive(Default)]
struct Partition {
    first: Offset,
    visible: Offset,
    hiding: bool,
    records: Vec<Record>,
}

struct Record {
    log_time: LogTime,
    key: Option<Bytes>,
    value: Option<Bytes>,
    headers: Vec<(String, Option<Bytes>)>,
}

impl MemoryLog {
    /// An empty log.
    pub fn new(options: MemoryOptions) -> Arc<MemoryLog> {
        MemoryLog::make(options, false)
    }

    /// An empty log without a total order, as Kafka is: the log time of a record is the clock's, or that of the record
    /// before it in its partition where the clock was set back. Its horizon knows nothing of this.
    pub fn with_partitions_apart(options: MemoryOptions) -> Arc<MemoryLog> {
        MemoryLog::make(options, true)
    }

    fn make(options: MemoryOptions, apart: bool) -> Arc<MemoryLog> {
        let kept = Kept {
            partitions: HashMap::new(),
            positions: HashMap::new(),
            holders: Holders::default(),
            timeline: Timeline::resume(options.clock.clone(), LogTime(0)),
            hidden: None,
            hiding: false,
        };
        Embedded::over(Arc::new(Memory::start(Arc::new(Mutex::new(kept)), options, apart)))
    }

    /// The process dies and another starts: consumers, groups and ordered faults are gone; records and committed
    /// positions are kept. Users of the old log get fatal errors.
    pub fn crash(&self) -> Arc<MemoryLog> {
        let engine = self.engine();
        engine.dead.store(true, Ordering::SeqCst);
        engine.signal.ring();
        Embedded::over(Arc::new(Memory::start(Arc::clone(&engine.kept), engine.options.clone(), engine.apart)))
    }

    /// Faults to come.
    pub fn faults(&self) -> &Faults {
        &self.engine().faults
    }

    /// As if every partition of the group had been with someone else for a moment: owners are told Revoked, then
    /// Assigned, and a step decided before is lost (L5).
    pub fn expel(&self, group: &str) {
        self.engine().groups.expel(group);
    }

    /// As if the owner of a partition had not been heard of for too long: what it owns goes to the group's other members,
    /// and it is a member again at its next poll.
    pub fn time_out(&self, group: &str, partition: TopicPartition) {
        self.engine().groups.time_out(group, partition);
    }

    /// From now on records of a partition are written but stay invisible until `reveal_up_to`.
    pub fn hide_partition(&self, partition: TopicPartition) {
        self.engine().lock().partitions.entry(partition).or_default().hiding = true;
    }

    /// The end of a partition with what is not visible yet.
    pub fn written(&self, partition: TopicPartition) -> Offset {
        self.engine().lock().partition(partition).map_or(0, |p| p.records.len() as Offset)
    }

    /// Makes visible what lies below `end` in a partition.
    pub fn reveal_up_to(&self, partition: TopicPartition, end: Offset) {
        let mut kept = self.engine().lock();
        let partition = kept.partitions.entry(partition).or_default();
        partition.visible = partition.visible.max(end).min(partition.records.len() as Offset);
        drop(kept);
        self.engine().signal.ring();
    }

    /// From now on records are written but stay invisible, as in a transaction left open, until `reveal`.
    pub fn hide(&self) {
        self.engine().lock().hiding = true;
    }

    /// Makes visible what was hidden.
    pub fn reveal(&self) {
        let mut kept = self.engine().lock();
        kept.hiding = false;
        kept.hidden = None;
        for partition in kept.partitions.values_mut() {
            partition.visible = partition.records.len() as Offset;
        }
        drop(kept);
        self.engine().signal.ring();
    }

    /// As if retention had removed everything below `first`.
    pub fn trim(&self, partition: TopicPartition, first: Offset) {
        self.engine().lock().partitions.entry(partition).or_default().first = first;
    }

    /// As if a topic had been deleted and created again: its records and positions are gone.
    pub fn recreate(&self, topic: Topic) {
        let mut kept = self.engine().lock();
        kept.partitions.retain(|place, _| place.topic != topic);
        kept.positions.retain(|(_, place), _| place.topic != topic);
    }
}

impl Memory {
    fn start(kept: Arc<Mutex<Kept>>, options: MemoryOptions, apart: bool) -> Self {
        let signal = Signal::new();
        Memory {
            kept,
            options,
            apart,
            groups: Groups::new(signal.clone()),
            signal,
            faults: Arc::default(),
            dead: AtomicBool::new(false),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn alive(&self) -> Result<(), LogError> {
        if !self.dead.load(Ordering::SeqCst) {
            return Ok(());
        }
        Err(LogError::Fatal { doing: "using the log".to_owned(), cause: "its process has crashed".into() })
    }

    /// The process is gone in the middle of a write; a caller that waits for it cannot know more.
    fn die(&self) -> WriteError {
        self.dead.store(true, Ordering::SeqCst);
        WriteError::InDoubt("the log's process has crashed".into())
    }

    fn fault(&self, guard: &Guard) -> Result<Option<CommitFault>, WriteError> {
        let fault = match guard {
            Guard::None => match self.faults.next_publish() {
                Some(PublishFault::Busy) => return Err(WriteError::Busy),
                Some(PublishFault::Transient) => return Err(WriteError::Aborted("injected".into())),
                None => None,
            },
            Guard::Name { writer, .. } => self.faults.next_atomic_publish(writer),
            Guard::Positions { group, .. } => self.faults.next_commit(group),
        };
        Ok(fault)
    }
}

impl Kept {
    fn partition(&self, partition: TopicPartition) -> Option<&Partition> {
        self.partitions.get(&partition)
    }

    fn admit(&mut self, groups: &Groups, guard: &Guard, records: &[Outgoing]) -> Result<(), WriteError> {
        match guard {
            Guard::None => Ok(()),
            Guard::Name { writer, session } if self.holders.admit(writer, *session) => Ok(()),
            Guard::Name { .. } => Err(WriteError::Lost(records.iter().map(target).collect())),
            Guard::Positions { group, moves } => {
                check_moves(groups, group, moves, |p| self.positions.get(&(group.clone(), p)).copied())
            }
        }
    }

    /// The commit point: records and positions together (L2).
    fn apply(&mut self, guard: &Guard, records: Vec<Outgoing>, apart: Option<LogTime>) -> Vec<Appended> {
        let log_time = self.timeline.begin();
        let appended = records.into_iter().map(|record| self.append(record, log_time, apart)).collect();
        if let Guard::Positions { group, moves } = guard {
            for advance in moves.iter().map(|m| m.advance) {
                self.positions.insert((group.clone(), advance.partition), advance.to);
            }
        }
        if self.hiding {
            self.hidden = self.hidden.or(Some(log_time));
        }
        self.timeline.end();
        appended
    }

    fn append(&mut self, record: Outgoing, log_time: LogTime, apart: Option<LogTime>) -> Appended {
        let place = target(&record);
        let partition = self.partitions.entry(place).or_default();
        let last = partition.records.last().map_or(LogTime(0), |record| record.log_time);
        let log_time = apart.map_or(log_time, |clock| clock.max(last));
        let offset = partition.records.len() as Offset;
        let Outgoing { key, value, headers, .. } = record;
        partition.records.push(Record { log_time, key, value, headers });
        if !self.hiding && !partition.hiding {
            partition.visible = offset + 1;
        }
        Appended { partition: place.partition, offset, log_time }
    }
}

fn target(record: &Outgoing) -> TopicPartition {
    TopicPartition { topic: record.topic, partition: record.partition.unwrap_or(0) }
}

#[async_trait]
impl Engine for Memory {
    fn describe(&self) -> String {
        "memory".to_owned()
    }

    fn total_order(&self) -> bool {
        !self.apart
    }

    fn partitions(&self, topic: Topic) -> u32 {
        self.options.partitions.get(&topic).copied().unwrap_or(TOPICS[topic as usize].embedded_partitions)
    }

    fn groups(&self) -> &Groups {
        &self.groups
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.signal.listen()
    }

    fn bounds(&self, partition: TopicPartition) -> Result<(Offset, Offset), LogError> {
        self.alive()?;
        Ok(self.lock().partition(partition).map_or((0, 0), |p| (p.first, p.visible)))
    }

    fn horizon(&self, partition: TopicPartition) -> Result<Horizon, LogError> {
        self.alive()?;
        let mut kept = self.lock();
        let end = kept.partition(partition).map_or(0, |p| p.visible);
        let time = kept.timeline.horizon();
        Ok(Horizon { end, time: kept.hidden.map_or(time, |hidden| hidden.min(time)) })
    }

    async fn write(&self, records: Vec<Outgoing>, guard: Guard) -> Result<Vec<Appended>, WriteError> {
        self.alive().map_err(|e| WriteError::Fatal(Cause::of(e)))?;
        let fault = self.fault(&guard)?;
        let mut kept = self.lock();
        kept.admit(&self.groups, &guard, &records)?;
        match fault {
            Some(CommitFault::Aborted) => return Err(WriteError::Aborted("injected".into())),
            Some(CommitFault::InDoubtNot) => return Err(WriteError::InDoubt("injected".into())),
            Some(CommitFault::InDoubtDone) | None => {}
        }
        if self.faults.crashes(CrashPoint::BeforeCommit) {
            return Err(self.die());
        }
        let appended = kept.apply(&guard, records, self.apart.then(|| LogTime(self.options.clock.now())));
        drop(kept);
        if self.faults.crashes(CrashPoint::AfterCommit) {
            return Err(self.die());
        }
        self.signal.ring();
        match fault {
            Some(_) => Err(WriteError::InDoubt("injected".into())),
            None => Ok(appended),
        }
    }

    async fn committed(&self, group: &str, partition: TopicPartition) -> Result<Option<Position>, LogError> {
        self.alive()?;
        Ok(self.lock().positions.get(&(group.to_owned(), partition)).copied())
    }

    async fn read(&self, partition: TopicPartition, from: Offset, to: Offset, fetch: Fetch) -> Result<Batch, LogError> {
        self.alive()?;
        let kept = self.lock();
        let mut batch = Batch::new(partition, from);
        let records = kept.partition(partition).map_or(&[][..], |p| &p.records[from as usize..to as usize]);
        for (offset, record) in (from..).zip(records) {
            if batch.len() >= fetch.records.max(1) || (!batch.is_empty() && batch.bytes() >= fetch.bytes) {
                break;
            }
            let headers = record.headers.iter().map(|(name, value)| (name.as_str(), value.as_deref()));
            batch.push(offset, record.log_time, record.key.as_deref(), record.value.as_deref(), headers);
        }
        Ok(batch)
    }

    async fn offset_at(&self, partition: TopicPartition, time: LogTime) -> Result<Offset, LogError> {
        self.alive()?;
        let kept = self.lock();
        let Some(kept) = kept.partition(partition) else { return Ok(0) };
        let visible = &kept.records[..kept.visible as usize];
        Ok((visible.partition_point(|r| r.log_time < time) as Offset).max(kept.first))
    }
}
