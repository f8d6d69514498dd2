//! Reading a partition of the log.

use slipstream_log::{Fetch, LogError, Offset, SharedLog};
use tokio::runtime::Handle;

use super::plan::LogPart;
use super::{Block, Reader};
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
}

impl LogReader {
    /// A reader that waits for the log on this runtime; one of so many.
    pub fn new(log: SharedLog, runtime: Handle, part: LogPart, readers: usize) -> LogReader {
        let share = readers.div_ceil(WHOLE).clamp(1, LEAST);
        let block = Fetch { records: BLOCK.records / share, bytes: BLOCK.bytes / share };
        LogReader { log, runtime, next: part.remember_from, part, block }
    }
}

impl Reader for LogReader {
    fn next(&mut self) -> Result<Option<Block>, ReplayError> {
        while self.next < self.part.to {
            let read = self.log.read(self.part.partition, self.next, self.part.to, self.block);
            let batch = match self.runtime.block_on(read) {
                Ok(batch) => batch,
                // Retention removed what was about to be read; what counted of it is told as missing.
                Err(LogError::OutOfRange { first, .. }) if first > self.next => {
                    self.next = first;
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            if batch.is_empty() {
                return Ok(None);
            }
            self.next = batch.next;
            return Ok(Some(Block::Records { batch, count_from: self.part.count_from }));
        }
        Ok(None)
    }
}
