//! The loop of the sink: read, decide, write; while one batch is being written the next one grows.
//! Gained partitions are prepared in parallel ([`crate::gains`]).
//!
//! Commit point: the store's transaction holds rows and positions, so a crash leaves both or neither, and the next
//! owner continues at the store's positions (L4, upheld by the store).

use std::time::Duration;

use slipstream_log::{Consumer, Fetch, Polled, Share, SharedLog, TopicPartition};
use slipstream_role::names::SINK as ROLE;
use slipstream_role::patience::patient;
use slipstream_runtime::Shutdown;
use slipstream_runtime::event::Event;
use slipstream_runtime::health::{Health, State};
use slipstream_schemas::{LogTime, Topic};
use slipstream_store::SharedStore;
use tokio::time::Instant;

use crate::SinkError;
use crate::aggregates::Aggregates;
use crate::fold::Fold;
use crate::gains::{Begin, Gains};
use crate::telemetry::{Gained, Moved};
use crate::waiting::Waiting;
use crate::write::{Done, Writing};
use crate::writer::Writer;

/// Topics that are stored.
pub const TOPICS: [Topic; 4] = [Topic::RequestEvents, Topic::BurnRates, Topic::Alerts, Topic::Notifications];
/// A batch is written once it has so many records,
const ENOUGH: usize = 10_000;
/// or its first record has waited so long.
const LINGER: Duration = Duration::from_millis(100);
/// How long a poll waits while something else may become due.
const GLANCE: Duration = Duration::from_millis(10);
/// How long a poll waits when nothing is due.
const IDLE: Duration = Duration::from_secs(1);
/// What a poll brings at most: the writer's tasks share our threads and get their turn between polls.
const FETCH: Fetch = Fetch { records: 4_000, bytes: 4 << 20 };
/// How often retention is looked at.
const TRIM_EVERY: Duration = Duration::from_secs(60);

/// Runs until shut down; then writes what it has, if the store takes it.
///
/// # Errors
/// When log or store fail permanently, or an internal record cannot be read.
pub async fn run(
    log: SharedLog,
    store: SharedStore,
    redelivery_window_ms: i64,
    health: Health,
    shutdown: Shutdown,
) -> Result<(), SinkError> {
    let log = patient(log, ROLE);
    work(log, store, redelivery_window_ms, health, &shutdown).await
}

async fn work(
    log: SharedLog,
    store: SharedStore,
    redelivery_window_ms: i64,
    health: Health,
    shutdown: &Shutdown,
) -> Result<(), SinkError> {
    health.set(ROLE, State::Starting("joining the group".to_owned()));
    let consumer = log.subscribe(ROLE, &TOPICS, Share::Divided).await?;
    health.set(ROLE, State::Ready);
    let fold = Fold::new(store.refusal());
    let gains = Gains::new(log.clone(), store.clone(), redelivery_window_ms, health.clone(), shutdown.clone());
    let waiting = Waiting::new(health.clone(), shutdown.clone());
    let writing = Writing { log, store: store.clone(), waiting };
    let mut sink = Sink {
        aggregates: Aggregates::new(store.clone()),
        store,
        consumer,
        health,
        fold,
        since: None,
        gains,
        writer: Writer::start(writing.clone()),
        writing,
        paused: false,
        read: LogTime::default(),
        trim_at: Some(Instant::now() + TRIM_EVERY),
    };
    loop {
        tokio::select! {
            biased;
            () = shutdown.cancelled() => return sink.drain().await,
            turn = sink.turn() => turn?,
        }
    }
}

struct Sink {
    store: SharedStore,
    consumer: Box<dyn Consumer>,
    health: Health,
    fold: Fold,
    /// When the growing batch got its first record.
    since: Option<Instant>,
    /// Partitions that are ours but not read yet.
    gains: Gains,
    /// The store at work.
    writer: Writer,
    /// What a new writer needs.
    writing: Writing,
    paused: bool,
    aggregates: Aggregates,
    /// Greatest log time read.
    read: LogTime,
    /// When retention is due next; `None` while it is being applied.
    trim_at: Option<Instant>,
}

impl Sink {
    async fn turn(&mut self) -> Result<(), SinkError> {
        while let Some(done) = self.writer.try_done()? {
            self.finished(done);
        }
        self.gains.start(|partition| self.writer.has(partition) || self.fold.touches(partition));
        while let Some((partition, begin)) = self.gains.ready()? {
            self.begin(partition, begin).await?;
        }
        self.start_work();
        self.aggregates.turn(self.read);
        self.hold_back();
        let due = self.since.map_or(IDLE, |since| LINGER.saturating_sub(since.elapsed()));
        let wait = if self.writer.is_idle() && self.gains.is_empty() { due } else { GLANCE };
        match self.consumer.poll(FETCH, wait).await? {
            Polled::Nothing => {}
            Polled::Assigned(partitions) => {
                let partitions: Vec<TopicPartition> = partitions.into_iter().map(|(partition, _)| partition).collect();
                self.gain(&partitions);
            }
            Polled::Revoked(partitions) => {
                self.fold.lose(&partitions);
                self.gains.forget(&partitions);
            }
            Polled::Records(records) => {
                self.since.get_or_insert_with(Instant::now);
                self.fold.take(&records)?;
                let last = records.len().checked_sub(1).and_then(|i| records.get(i));
                self.read = self.read.max(last.map_or(self.read, |last| last.log_time()));
                // A log that always has more never lets us wait.
                tokio::task::yield_now().await;
            }
        }
        Ok(())
    }

    /// Gives the store something to do when it has nothing, and what follows when the growing batch can take no more: the
    /// longer it is busy, the larger the batches.
    fn start_work(&mut self) {
        if !self.writer.has_room() {
            return;
        }
        let waited = self.since.is_some_and(|since| since.elapsed() >= LINGER);
        let due = self.writer.is_idle() && (waited || self.fold.records() >= ENOUGH);
        // Reading again starts after what was read before.
        let awaited = self.gains.wait_for(|partition| self.fold.touches(partition));
        if due || awaited || self.fold.is_full() {
            self.start_write();
        } else if self.trim_at.is_some_and(|at| Instant::now() >= at) {
            self.trim_at = None;
            self.writer.trim(self.store.clone(), self.read);
        }
    }

    fn start_write(&mut self) {
        self.since = None;
        if let Some(decided) = self.fold.decide() {
            self.writer.write(decided);
        }
    }

    /// Bounded memory: while the growing batch is full nothing more is delivered, but the group is kept.
    fn hold_back(&mut self) {
        let full = self.fold.is_full();
        if full {
            self.consumer.pause(&self.fold.partitions());
        } else if self.paused {
            self.consumer.resume(&self.fold.partitions());
        }
        self.paused = full;
    }

    fn finished(&mut self, done: Done) {
        match done {
            Done::Written => {}
            // The end is near, and what follows an unwritten batch cannot be written either.
            Done::Abandoned => drop(self.start_over()),
            Done::Trimmed(more) => self.trim_at = Some(Instant::now() + if more { LINGER } else { TRIM_EVERY }),
            // What was read no longer starts at the store's positions, so every partition is begun again there.
            Done::Lost => {
                Moved.emit();
                let partitions = self.start_over();
                self.gain(&partitions);
            }
        }
    }

    /// Drops what was not written, and returns which partitions were read.
    fn start_over(&mut self) -> Vec<TopicPartition> {
        self.since = None;
        self.trim_at.get_or_insert_with(|| Instant::now() + TRIM_EVERY);
        // The old writer ends with the first batch that is not written, and drops those queued behind it.
        self.writer = Writer::start(self.writing.clone());
        self.fold.reset()
    }

    /// Partitions were assigned. They are paused until their position is known; the others are not.
    fn gain(&mut self, partitions: &[TopicPartition]) {
        self.consumer.pause(partitions);
        self.gains.add(partitions);
    }

    /// Reads a partition from the store's position on.
    async fn begin(&mut self, partition: TopicPartition, begin: Begin) -> Result<(), SinkError> {
        let Begin { stored, next, memory } = begin;
        self.consumer.seek(partition, next).await?;
        Gained { partition, stored, next }.emit();
        self.fold.gain(partition, stored, next, memory);
        self.consumer.resume(&[partition]);
        Ok(())
    }

    /// Writes everything that is decided or growing, or drops it because the store cannot be reached.
    async fn drain(&mut self) -> Result<(), SinkError> {
        self.health.set(ROLE, State::Waiting("writing what was read before the shutdown".to_owned()));
        loop {
            while !self.writer.is_idle() {
                let done = self.writer.done().await?;
                self.finished(done);
            }
            if self.fold.is_empty() {
                return Ok(());
            }
            self.start_write();
        }
    }
}
