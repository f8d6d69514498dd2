//! The loop of the sink: read, decide, write; while one batch is being written the next one grows.
//!
//! Commit point: the store's transaction holds rows and positions, so a crash leaves both or neither, and whoever comes
//! next goes on at the store's positions (L4 as the store upholds it).

use std::time::Duration;

use slipstream_log::{Consumer, Fetch, LogError, Polled, Position, SharedLog, TopicPartition, redelivered};
use slipstream_runtime::Shutdown;
use slipstream_runtime::event::Event;
use slipstream_runtime::health::{Health, State};
use slipstream_schemas::{LogTime, Topic};
use slipstream_store::{SharedStore, StoreError, StorePosition};
use tokio::task::{JoinError, JoinSet};
use tokio::time::Instant;

use crate::SinkError;
use crate::events::{Gained, Moved};
use crate::fold::Fold;
use crate::write::{self, Done, Patience, Writing};

/// Name of the role, and of its group.
pub const ROLE: &str = "sink";
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
/// How often retention is looked at.
const TRIM_EVERY: Duration = Duration::from_secs(60);

/// Runs until shut down; then writes what it has, if the store takes it.
///
/// # Errors
/// When log or store fail for good, or an internal record cannot be read.
pub async fn run(
    log: SharedLog,
    store: SharedStore,
    redelivery_window_ms: i64,
    health: Health,
    shutdown: Shutdown,
) -> Result<(), SinkError> {
    health.set(ROLE, State::Starting("joining the group".to_owned()));
    let consumer = log.subscribe(ROLE, &TOPICS).await?;
    health.set(ROLE, State::Ready);
    let fold = Fold::new(store.refusal());
    let mut sink = Sink {
        log,
        store,
        consumer,
        window_ms: redelivery_window_ms,
        for_log: Patience::new(health.clone(), shutdown.clone()),
        health,
        shutdown: shutdown.clone(),
        fold,
        since: None,
        busy: JoinSet::new(),
        written: Vec::new(),
        paused: false,
        read: LogTime::default(),
        trim_at: Instant::now() + TRIM_EVERY,
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
    log: SharedLog,
    store: SharedStore,
    consumer: Box<dyn Consumer>,
    window_ms: i64,
    health: Health,
    shutdown: Shutdown,
    fold: Fold,
    /// When the growing batch got its first record.
    since: Option<Instant>,
    /// The store at work: one batch, or retention.
    busy: JoinSet<Result<Done, SinkError>>,
    /// Partitions of the batch that is being written.
    written: Vec<TopicPartition>,
    paused: bool,
    /// Greatest log time read.
    read: LogTime,
    trim_at: Instant,
    /// Waits when the log fails.
    for_log: Patience,
}

impl Sink {
    async fn turn(&mut self) -> Result<(), SinkError> {
        while let Some(done) = self.busy.try_join_next() {
            self.finished(done).await?;
        }
        self.start_work();
        self.hold_back();
        let due = self.since.map_or(IDLE, |since| LINGER.saturating_sub(since.elapsed()));
        let wait = if self.busy.is_empty() { due } else { GLANCE };
        let polled = self.consumer.poll(Fetch::default(), wait).await;
        if polled.is_ok() {
            self.for_log.succeeded();
        }
        match polled {
            Ok(Polled::Nothing) => {}
            Ok(Polled::Assigned(partitions)) => {
                let partitions: Vec<TopicPartition> = partitions.into_iter().map(|(partition, _)| partition).collect();
                self.gain(&partitions).await?;
            }
            Ok(Polled::Revoked(partitions)) => self.fold.lose(&partitions),
            Ok(Polled::Records(records)) => {
                self.since.get_or_insert_with(Instant::now);
                self.fold.take(&records)?;
                let last = records.len().checked_sub(1).and_then(|i| records.get(i));
                self.read = self.read.max(last.map_or(self.read, |last| last.log_time()));
            }
            Err(error) => self.patient(error).await?,
        }
        Ok(())
    }

    /// Gives the store something to do when it has nothing.
    fn start_work(&mut self) {
        if !self.busy.is_empty() {
            return;
        }
        let waited = self.since.is_some_and(|since| since.elapsed() >= LINGER);
        if waited || self.fold.records() >= ENOUGH || self.fold.is_full() {
            self.start_write();
        } else if Instant::now() >= self.trim_at {
            self.busy.spawn(write::trim(self.store.clone(), self.read));
        }
    }

    fn start_write(&mut self) {
        self.since = None;
        let Some(decided) = self.fold.decide() else { return };
        self.written =
            decided.batch.positions.iter().map(|m| TopicPartition { topic: m.topic, partition: m.partition }).collect();
        let writing = Writing { log: self.log.clone(), store: self.store.clone(), patience: self.patience() };
        self.busy.spawn(writing.write(decided));
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

    async fn finished(&mut self, done: Result<Result<Done, SinkError>, JoinError>) -> Result<(), SinkError> {
        self.written.clear();
        match done.map_err(|cause| SinkError::BrokeOff(cause.to_string()))?? {
            Done::Written => Ok(()),
            // The end is near, and what follows an unwritten batch cannot be written either.
            Done::Abandoned => {
                self.fold.reset();
                Ok(())
            }
            Done::Trimmed(more) => {
                self.trim_at = Instant::now() + if more { LINGER } else { TRIM_EVERY };
                Ok(())
            }
            Done::Lost => {
                Moved.emit();
                let partitions = self.fold.reset();
                self.since = None;
                if self.shutdown.is_cancelled() { Ok(()) } else { self.begin(&partitions).await }
            }
        }
    }

    /// New partitions. What is still being written of them comes first, or it would be read twice.
    async fn gain(&mut self, partitions: &[TopicPartition]) -> Result<(), SinkError> {
        if partitions.iter().any(|p| self.written.contains(p) || self.fold.touches(*p)) {
            self.settle().await?;
        }
        self.begin(partitions).await
    }

    /// Reads partitions from the store's positions on.
    async fn begin(&mut self, partitions: &[TopicPartition]) -> Result<(), SinkError> {
        let mut patience = self.patience();
        let positions = loop {
            match self.store.positions().await {
                Ok(positions) => break positions,
                Err(cause @ StoreError::Unavailable { .. }) => {
                    if !patience.wait(cause.to_string()).await {
                        return Ok(());
                    }
                }
                Err(error) => return Err(error.into()),
            }
        };
        patience.succeeded();
        for partition in partitions {
            let stored =
                positions.iter().find(|p| p.topic == partition.topic && p.partition == partition.partition).copied();
            while let Err(error) = self.begin_one(*partition, stored).await {
                match error {
                    SinkError::Log(error) => self.patient(error).await?,
                    error => return Err(error),
                }
            }
        }
        Ok(())
    }

    async fn begin_one(&mut self, partition: TopicPartition, stored: Option<StorePosition>) -> Result<(), SinkError> {
        let (first, end) = self.log.bounds(partition).await?;
        let (offset, log_time) = stored.map_or((first, LogTime(0)), |s| (s.offset, s.log_time));
        if offset > end {
            return Err(SinkError::StoreAhead { partition, stored: offset, end });
        }
        let next = offset.max(first);
        let memory = match partition.topic {
            Topic::RequestEvents => {
                let position = Position { offset: next, log_time };
                Some(redelivered::rebuild(self.log.as_ref(), partition, position, self.window_ms).await?)
            }
            _ => None,
        };
        self.consumer.seek(partition, next).await?;
        Gained { partition, stored: stored.map(|s| s.offset), next }.emit();
        self.fold.gain(partition, stored.map(|s| s.offset), next, memory);
        Ok(())
    }

    /// Everything decided or growing is written, or given up at shutdown.
    async fn settle(&mut self) -> Result<(), SinkError> {
        loop {
            while let Some(done) = self.busy.join_next().await {
                // Boxed: what was lost begins anew, and beginning may settle.
                Box::pin(self.finished(done)).await?;
            }
            if self.fold.is_empty() {
                return Ok(());
            }
            self.start_write();
        }
    }

    async fn drain(&mut self) -> Result<(), SinkError> {
        self.health.set(ROLE, State::Waiting("writing what was read before the end".to_owned()));
        self.settle().await
    }

    /// Waits where the log may come back.
    async fn patient(&mut self, error: LogError) -> Result<(), SinkError> {
        match error {
            LogError::Busy | LogError::Transient { .. } => {
                self.for_log.wait(error.to_string()).await;
                Ok(())
            }
            error => Err(error.into()),
        }
    }

    fn patience(&self) -> Patience {
        Patience::new(self.health.clone(), self.shutdown.clone())
    }
}
