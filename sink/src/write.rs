//! Writing one decided batch until it is settled, and other work of the store.

use std::sync::Arc;
use std::time::Instant;

use slipstream_log::{Fetch, LogError, Outgoing, SharedLog, TopicPartition};
use slipstream_role::dead_letters::dead_letter;
use slipstream_role::patience::passes;
use slipstream_runtime::event::Event;
use slipstream_schemas::dead_letter::MESSAGE;
use slipstream_schemas::decode::{ErrorClass, EventError};
use slipstream_schemas::{LogTime, Topic};
use slipstream_store::{BatchFate, PositionMove, SharedStore, StoreError, WriteBatch, settled};

use crate::SinkError;
use crate::fold::Decided;
use crate::split::split;
use crate::telemetry::{NotTrimmed, Refused, Trimmed, Vanished, Wrote};
use crate::waiting::Waiting;

/// Maximum number of events of a batch that go to dead-letters because the store refused them. A store that refuses
/// more has a problem of its own; the log keeps its records until someone has looked.
const MOST_BURIED: u64 = 1_000;
/// Slices of retention that are removed in one go.
const SLICES: usize = 8;

/// How work at the store ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Done {
    /// The batch is in the store.
    Written,
    /// Another writer owns the positions: we stored nothing of it.
    Lost,
    /// Shut down while the store could not be reached: the records are in the log, the next start stores them.
    Abandoned,
    /// Retention was applied; true: there is more to remove.
    Trimmed(bool),
}

/// What is needed to write batches.
#[derive(Clone)]
pub struct Writing {
    /// Where dead letters go.
    pub log: SharedLog,
    /// Where the rest goes.
    pub store: SharedStore,
    /// For both.
    pub waiting: Waiting,
}

/// How a piece of a batch ended.
enum Sent {
    Written,
    Lost,
    Abandoned,
    /// The store will never take it as it is.
    Refused(String),
}

impl Writing {
    /// Writes a decided batch until it is settled.
    ///
    /// Letters and rows share no transaction. Letters are written first: a crash in between leaves a letter twice, but
    /// never an event that is neither stored nor a letter.
    ///
    /// # Errors
    /// When log or store fail permanently.
    pub async fn write(&mut self, decided: Decided) -> Result<Done, SinkError> {
        let began = Instant::now();
        let Decided { batch, dead, mut counted } = decided;
        if let Some(first) = dead.first() {
            Refused { events: dead.len(), cause: message(first) }.emit();
        }
        if !self.publish(dead).await? {
            return Ok(Done::Abandoned);
        }
        let positions = batch.positions.iter().map(|m| (partition(m), m.log_time.0)).collect();
        let mut pieces = vec![Arc::new(batch)];
        let mut buried = 0;
        while let Some(piece) = pieces.pop() {
            match self.send(&piece).await? {
                Sent::Written => {}
                Sent::Lost => return Ok(Done::Lost),
                Sent::Abandoned => return Ok(Done::Abandoned),
                Sent::Refused(cause) => match split(&piece) {
                    // A stack: the first half is written first, and leaves the position where the second begins.
                    Some((first, second)) => pieces.extend([Arc::new(second), Arc::new(first)]),
                    None if piece.events.is_empty() || buried == MOST_BURIED => {
                        return Err(StoreError::Refused(cause).into());
                    }
                    None if !self.bury(&piece, cause).await? => return Ok(Done::Abandoned),
                    None => {
                        buried += 1;
                        // The position has to pass the buried event.
                        let positions = piece.positions.clone();
                        pieces.push(Arc::new(WriteBatch { positions, ..WriteBatch::default() }));
                    }
                },
            }
        }
        (counted.events, counted.refused) = (counted.events - buried, counted.refused + buried);
        Wrote { counted, positions, took: began.elapsed() }.emit();
        Ok(Done::Written)
    }

    /// Sends the same value until the store has it, or another writer's (exactly once: a batch whose writing ended without
    /// a result is found by its positions).
    async fn send(&mut self, batch: &Arc<WriteBatch>) -> Result<Sent, StoreError> {
        let sent = loop {
            match attempt(&self.store, batch).await {
                Ok(BatchFate::Written) => break Sent::Written,
                Ok(BatchFate::NotWritten | BatchFate::Lost) => return Ok(Sent::Lost),
                Err(StoreError::Refused(cause)) => break Sent::Refused(cause),
                Err(StoreError::Unavailable { doing, cause }) => {
                    if !self.waiting.wait(format!("{doing}: {cause}")).await {
                        return Ok(Sent::Abandoned);
                    }
                }
                Err(error) => return Err(error),
            }
        };
        self.waiting.succeeded();
        Ok(sent)
    }

    /// Puts the single event of a batch into dead-letters, unchanged. Returns false on shutdown.
    async fn bury(&mut self, batch: &WriteBatch, cause: String) -> Result<bool, SinkError> {
        let Some(event) = batch.events.iter().next() else { return Ok(true) };
        let partition = TopicPartition { topic: Topic::RequestEvents, partition: event.partition() };
        let offset = event.offset();
        match self.log.read(partition, offset, offset + 1, Fetch::default()).await {
            Ok(records) => {
                let error = EventError::whole(ErrorClass::RefusedByStore, cause.as_str());
                let letters = records.iter().map(|record| dead_letter(&record, partition, &error)).collect();
                Refused { events: 1, cause }.emit();
                self.publish(letters).await
            }
            Err(LogError::OutOfRange { .. }) => {
                Vanished { partition, offset }.emit();
                Ok(true)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Publishes letters until the log has them. False: shut down.
    async fn publish(&mut self, letters: Vec<Outgoing>) -> Result<bool, SinkError> {
        if letters.is_empty() {
            return Ok(true);
        }
        while let Err(error) = self.log.publish(letters.clone()).await {
            if !self.patient(error).await? {
                return Ok(false);
            }
        }
        self.waiting.succeeded();
        Ok(true)
    }

    /// Waits if the log may recover. Returns false on shutdown.
    async fn patient(&mut self, error: LogError) -> Result<bool, SinkError> {
        if !passes(&error) {
            return Err(error.into());
        }
        Ok(self.waiting.wait(error.to_string()).await)
    }
}

fn partition(m: &PositionMove) -> TopicPartition {
    TopicPartition { topic: m.topic, partition: m.partition }
}

/// The reason in a dead letter.
fn message(letter: &Outgoing) -> String {
    let said = letter.headers.iter().rev().find(|(name, _)| name == MESSAGE);
    let said = said.and_then(|(_, value)| value.as_deref());
    said.map(|value| String::from_utf8_lossy(value).into_owned()).unwrap_or_default()
}

async fn attempt(store: &SharedStore, batch: &Arc<WriteBatch>) -> Result<BatchFate, StoreError> {
    match store.write(batch.clone()).await {
        Ok(()) => Ok(BatchFate::Written),
        // If they moved to the end of this batch, an earlier attempt in doubt had succeeded.
        Err(StoreError::Moved { .. }) => Ok(settled(batch, &store.positions().await?)),
        Err(error) => Err(error),
    }
}

/// Removes some of the rows past retention; a failure is retried later.
pub async fn trim(store: SharedStore, now: LogTime) -> Result<Done, SinkError> {
    let mut rows = 0;
    for _ in 0..SLICES {
        match store.trim(now).await {
            Ok(0) => {
                Trimmed { rows }.emit();
                return Ok(Done::Trimmed(false));
            }
            Ok(removed) => rows += removed,
            Err(cause @ StoreError::Unavailable { .. }) => {
                NotTrimmed { cause: &cause }.emit();
                return Ok(Done::Trimmed(false));
            }
            Err(error) => return Err(error.into()),
        }
    }
    Trimmed { rows }.emit();
    Ok(Done::Trimmed(true))
}
