//! Writing one decided batch until it is settled, and other work that the store does beside reading.

use std::sync::Arc;
use std::time::{Duration, Instant};

use slipstream_log::TopicPartition;
use slipstream_runtime::Shutdown;
use slipstream_runtime::backoff::{Backoff, Retry};
use slipstream_runtime::event::Event;
use slipstream_runtime::health::{Health, State};
use slipstream_schemas::LogTime;
use slipstream_store::{Settled, SharedStore, StoreError, WriteBatch, settled};

use crate::events::{NotTrimmed, Trimmed, Waiting, Wrote};
use crate::fold::Counted;
use crate::run::ROLE;

const BACKOFF: Backoff = Backoff { first: Duration::from_millis(50), max: Duration::from_secs(5) };
/// Slices of retention that are removed in one go.
const SLICES: usize = 8;

/// How work at the store ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Done {
    /// The batch is in the store.
    Written,
    /// Positions are somebody else's: nothing of it is in the store by us.
    Lost,
    /// Shut down while the store could not be reached: the records are in the log, the next start stores them.
    Abandoned,
    /// Retention was applied; true: there is more to remove.
    Trimmed(bool),
}

/// Waits for a store that may come back.
pub struct Patience {
    health: Health,
    shutdown: Shutdown,
    retry: Retry,
}

impl Patience {
    /// Nothing failed so far.
    pub fn new(health: Health, shutdown: Shutdown) -> Self {
        Patience { health, shutdown, retry: Retry::new(BACKOFF, u64::from(std::process::id())) }
    }

    /// Waits after a failure. False: shut down, give up.
    pub async fn wait(&mut self, cause: String) -> bool {
        let wait = self.retry.failed();
        Waiting { cause: &cause, attempts: self.retry.failures(), wait }.emit();
        self.health.set(ROLE, State::Waiting(cause));
        tokio::select! {
            biased;
            () = self.shutdown.cancelled() => false,
            () = tokio::time::sleep(wait) => true,
        }
    }

    /// It worked.
    pub fn succeeded(&mut self) {
        if self.retry.failures() > 0 {
            self.retry.reset();
            self.health.set(ROLE, State::Ready);
        }
    }
}

/// Sends the same value until the store has it, or somebody else's (exactly once: a batch whose writing ended without an
/// answer is found by its positions).
pub async fn write(
    store: SharedStore,
    batch: Arc<WriteBatch>,
    counted: Counted,
    mut patience: Patience,
) -> Result<Done, StoreError> {
    let began = Instant::now();
    loop {
        match attempt(&store, &batch).await {
            Ok(Settled::Written) => break,
            Ok(Settled::NotWritten | Settled::Lost) => return Ok(Done::Lost),
            Err(StoreError::Unavailable { doing, cause }) => {
                if !patience.wait(format!("{doing}: {cause}")).await {
                    return Ok(Done::Abandoned);
                }
            }
            Err(error) => return Err(error),
        }
    }
    patience.succeeded();
    let place =
        |m: &slipstream_store::PositionMove| (TopicPartition { topic: m.topic, partition: m.partition }, m.log_time.0);
    Wrote { counted, positions: batch.positions.iter().map(place).collect(), took: began.elapsed() }.emit();
    Ok(Done::Written)
}

async fn attempt(store: &SharedStore, batch: &Arc<WriteBatch>) -> Result<Settled, StoreError> {
    match store.write(batch.clone()).await {
        Ok(()) => Ok(Settled::Written),
        Err(StoreError::Moved { .. }) => Ok(settled(batch, &store.positions().await?)),
        Err(error) => Err(error),
    }
}

/// Removes some of what is past retention; a failure can wait.
pub async fn trim(store: SharedStore, now: LogTime) -> Result<Done, StoreError> {
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
            Err(error) => return Err(error),
        }
    }
    Trimmed { rows }.emit();
    Ok(Done::Trimmed(true))
}
