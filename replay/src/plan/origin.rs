//! Where the events of a replay are from.

use std::sync::Arc;

use slipstream_log::SharedLog;
use tokio::runtime::Handle;

use crate::assemble::time;
use crate::engine::{Begin, Progress};
use crate::outcome::{Missing, Part};
use crate::source::{Gap, Joined, Limits, LogPart, LogReader, Noted, Reader, Span, StorePart, StoreReader};

/// Where the events of a replay are from, in log times.
pub struct Origin {
    pub(super) log: String,
    pub(super) span: Span,
    pub(super) joined: Joined,
    pub(super) noted: Arc<Noted>,
    pub(super) refused: Vec<Gap>,
}

/// One reader for each part, and how its numbers begin. They note what they find out, and are told when to stop.
pub(super) fn readers(
    joined: &Joined,
    noted: &Arc<Noted>,
    log: &SharedLog,
    (span, window_ms): (Span, i64),
    progress: &Arc<Progress>,
) -> Vec<(Begin, Box<dyn Reader>)> {
    let runtime = Handle::current();
    let told = || (Arc::clone(noted), Arc::clone(progress));
    let mut readers: Vec<(Begin, Box<dyn Reader>)> = Vec::new();
    for (part, begin) in &joined.log {
        let reader = LogReader::new(log.clone(), runtime.clone(), (*part, joined.log.len()), (span, window_ms), told());
        readers.push((*begin, Box::new(reader)));
    }
    if let Some((part, begin)) = &joined.store {
        readers.push((*begin, Box::new(StoreReader::new(part.clone(), runtime, told(), Limits::default()))));
    }
    readers
}

impl Origin {
    /// Each part and where it came from, by partition, once everything was read.
    pub fn parts(&self) -> Vec<Part> {
        let mut parts: Vec<Part> = Vec::new();
        for (part, _) in &self.joined.log {
            if let Some((stored, _)) = &self.joined.store {
                parts.extend(self.stored(part, stored));
            }
            parts.extend((part.count_from < part.to).then(|| Part {
                source: self.log.clone(),
                partition: part.partition.partition,
                from_offset: part.count_from,
                to_offset: part.to,
                from: time(self.span.from.max(part.countable)),
                to: time(self.span.to),
            }));
        }
        parts
    }

    fn stored(&self, part: &LogPart, stored: &StorePart) -> Option<Part> {
        let partition = part.partition.partition;
        let to_offset = *stored.below.get(&partition)?;
        Some(Part {
            source: stored.store.describe(),
            partition,
            from_offset: self.noted.first_stored(partition).unwrap_or(to_offset),
            to_offset,
            from: time(stored.span.from),
            to: time(*stored.until.get(&partition)?),
        })
    }

    /// What no source holds, once everything was read.
    pub fn gaps(&self) -> Vec<Gap> {
        let mut gaps = [&self.joined.missing[..], &self.refused, &self.noted.gaps()].concat();
        gaps.sort_by_key(|gap| (gap.partition, gap.from));
        gaps
    }
}

impl From<&Gap> for Missing {
    fn from(gap: &Gap) -> Missing {
        Missing { partition: gap.partition, from: time(gap.from), to: time(gap.to), reason: gap.reason.clone() }
    }
}
