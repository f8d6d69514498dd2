//! Where a range of request-events is read: partition by partition, in the order of log time.

mod asking;
mod held;
mod join;
mod log;
mod noted;
mod plan;
mod refused;
mod retained;
mod sorted;
mod store;

use std::sync::Arc;

use slipstream_log::{Batch, Offset, SharedLog};
use slipstream_schemas::LogTime;
use slipstream_store::{Events, SharedStore};

use crate::engine::Progress;
use crate::error::ReplayError;
use asking::PATIENCE;
pub use held::Held;
pub use join::{Joined, StorePart, join};
pub use log::LogReader;
pub use noted::{Gap, Noted, unknown};
pub use plan::{LogPart, plan_log, read_as_one};
pub use refused::refused;
pub use retained::{Retained, RetainedPart};
pub use sorted::{Sorted, SortedReader};
pub use store::{Limits, StoreReader};

/// Where history is. Each part is read from the first of them that still has it.
#[derive(Clone)]
pub struct Sources {
    /// The log; definitions and alerts of then are always from here.
    pub log: SharedLog,
    /// The store that its sink writes, if there is one.
    pub store: Option<SharedStore>,
}

impl Sources {
    /// The log alone.
    pub fn of_log(log: SharedLog) -> Sources {
        Sources { log, store: None }
    }

    /// The same with a log that is asked again while it may come back, until the replay is stopped.
    pub(crate) fn asked_again(&self, progress: &Arc<Progress>) -> Sources {
        Sources { log: asking::asked_again(&self.log, progress, PATIENCE), store: self.store.clone() }
    }
}

/// Times `[from, to)` of the log, milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Beginning.
    pub from: LogTime,
    /// End, exclusive.
    pub to: LogTime,
}

/// What a reader brings next.
#[derive(Debug)]
pub enum Block {
    /// Records of request-events as the log has them. Those below `count_from` are only remembered, to recognise copies.
    Records {
        /// The records.
        batch: Batch,
        /// First offset that counts.
        count_from: Offset,
    },
    /// Events that are known to count, in any order.
    Events {
        /// They, with a log time each.
        events: Events,
        /// None with an earlier log time will come; those of the block are before it, or at it.
        until: LogTime,
    },
}

impl Block {
    /// Log time that the source is read up to with it; `None` if it is empty.
    pub fn reach(&self) -> Option<LogTime> {
        match self {
            Block::Records { batch, .. } => {
                batch.len().checked_sub(1).and_then(|last| batch.get(last)).map(|record| record.log_time())
            }
            Block::Events { until, .. } => Some(*until),
        }
    }

    /// How many records or events it has.
    pub fn len(&self) -> usize {
        match self {
            Block::Records { batch, .. } => batch.len(),
            Block::Events { events, .. } => events.len(),
        }
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Reads one source: a partition of the log, or the store. Called from a thread of its own; blocks.
pub trait Reader: Send {
    /// The next block; `None` at the end of the range.
    ///
    /// # Errors
    /// When the source cannot be read.
    fn next(&mut self) -> Result<Option<Block>, ReplayError>;
}
