//! Reading a partition of the log.

use std::sync::Arc;

use slipstream_log::{Batch, Fetch, LogError, Offset, SharedLog};
use slipstream_role::patience::passes;
use slipstream_schemas::{Cause, LogTime};
use tokio::runtime::Handle;

use super::noted::{Gap, Noted};
use super::plan::{LogPart, plan_part};
use super::{Block, Reader, Span};
use crate::assemble::time;
use crate::engine::Progress;
use crate::error::ReplayError;

/// Records and bytes of a block: many share their tuple, tick and slot, and a few blocks are little memory.
const BLOCK: Fetch = Fetch { records: 32_768, bytes: 6 << 20 };
/// Partitions that are read in such blocks. Of each, two or three are in memory: of more partitions they are smaller,
const WHOLE: usize = 2;
/// but not smaller than the part of one that costs more than what is in it.
const LEAST: usize = 16;

/// Reads a part of the log in order.
pub struct LogReader {
    log: SharedLog,
    runtime: Handle,
    part: LogPart,
    block: Fetch,
    next: Offset,
    /// What is counted next is at this log time, or later.
    reached: LogTime,
    to: LogTime,
    window_ms: i64,
    noted: Arc<Noted>,
    progress: Arc<Progress>,
}

impl LogReader {
    /// A reader of a part of a span, one of so many, that waits for the log on this runtime. Redeliveries are recognised for
    /// `window_ms`.
    pub fn new(
        log: SharedLog,
        runtime: Handle,
        (part, readers): (LogPart, usize),
        (span, window_ms): (Span, i64),
        (noted, progress): (Arc<Noted>, Arc<Progress>),
    ) -> LogReader {
        let share = readers.div_ceil(WHOLE).clamp(1, LEAST);
        let block = Fetch { records: BLOCK.records / share, bytes: BLOCK.bytes / share };
        let reached = span.from.max(part.countable).min(span.to);
        LogReader {
            log,
            runtime,
            next: part.remember_from,
            part,
            block,
            reached,
            to: span.to,
            window_ms,
            noted,
            progress,
        }
    }

    /// Retention removed what was about to be read. What is left counts from where copies are recognised again; what is
    /// before that is told as missing.
    fn lose(&mut self) -> Result<(), ReplayError> {
        let span = Span { from: self.reached, to: self.to };
        let left = plan_part(self.log.as_ref(), self.part.partition, span, self.window_ms);
        let Some(left) = self.runtime.block_on(left)? else { return Ok(()) };
        if left.count_from > self.next.max(self.part.count_from) {
            self.noted.gap(Gap {
                partition: self.part.partition.partition,
                from: self.reached,
                to: left.countable.min(self.to),
                reason: "the log removed it while it was read".to_owned(),
            });
            self.part.count_from = left.count_from;
            self.reached = left.countable.min(self.to);
        }
        self.next = self.next.max(left.remember_from);
        Ok(())
    }

    fn take(&mut self, batch: Batch) -> Block {
        self.next = batch.next;
        let last = batch.iter().last().map_or(self.reached, |record| record.log_time());
        self.reached = self.reached.max(last);
        Block::Records { batch, count_from: self.part.count_from }
    }
}

impl Reader for LogReader {
    fn next(&mut self) -> Result<Option<Block>, ReplayError> {
        while self.next < self.part.to {
            let read = self.log.read(self.part.partition, self.next, self.part.to, self.block);
            match self.runtime.block_on(read) {
                Ok(batch) if batch.is_empty() => return Ok(None),
                Ok(batch) => return Ok(Some(self.take(batch))),
                Err(LogError::OutOfRange { first, .. }) if first > self.next => {
                    self.lose()?;
                    self.next = self.next.max(first);
                }
                Err(error) if passes(&error) && self.progress.is_stopped() => return Ok(None),
                Err(error) if passes(&error) => {
                    let (who, reached) = ("the log", time(self.reached));
                    return Err(ReplayError::Unanswered { who, reached, cause: Cause::of(error) });
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(None)
    }
}
