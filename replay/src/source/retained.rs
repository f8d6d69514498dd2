//! What the log still has of request-events, and how far it is known. All partitions are asked at once, so that the answer
//! takes a few round trips, however many there are.

use futures::future::{try_join, try_join_all};
use slipstream_log::{Fetch, Log, LogError, Offset, TopicPartition};
use slipstream_schemas::records::TallyBatch;
use slipstream_schemas::{LogTime, Topic, codec};

use crate::error::ReplayError;

/// A look at all partitions of request-events.
#[derive(Debug, Clone)]
pub struct Retained {
    /// In their order.
    pub partitions: Vec<RetainedPart>,
    known_until: Option<LogTime>,
}

/// What the log has of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetainedPart {
    /// The partition.
    pub partition: TopicPartition,
    /// First retained offset.
    pub first: Offset,
    /// Offset after the last record.
    pub end: Offset,
    /// Log time of the first retained record; `None` if there is none.
    pub begins: Option<LogTime>,
}

impl Retained {
    /// Looks at a log.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn of(log: &dyn Log) -> Result<Retained, ReplayError> {
        let topic = Topic::RequestEvents;
        let places: Vec<_> =
            (0..log.partitions(topic).await?).map(|partition| TopicPartition { topic, partition }).collect();
        let bounds = log.all_bounds(&places).await?;
        let look =
            |(partition, (first, end)): (&TopicPartition, &(Offset, Offset))| look(log, *partition, (*first, *end));
        let looks = try_join_all(places.iter().zip(&bounds).map(look));
        let (looks, told) = try_join(looks, told(log, places.len())).await?;
        let (partitions, last): (Vec<_>, Vec<_>) = looks.into_iter().unzip();
        let after = |at: LogTime| LogTime(at.0 + 1);
        let known_until = last.into_iter().flatten().max().map(after).max(told);
        Ok(Retained { partitions, known_until })
    }

    /// Whether the log still has every record that it ever had.
    pub fn is_whole(&self) -> bool {
        self.partitions.iter().all(|part| part.first == 0)
    }

    /// Log time of the first retained request of all.
    pub fn first_time(&self) -> Option<LogTime> {
        self.partitions.iter().filter_map(|part| part.begins).min()
    }

    /// Log time below which everything is known: no record with an earlier one will come. It is that of the last request, or,
    /// if later, the one up to which tally told the same of every partition.
    pub fn known_until(&self) -> Option<LogTime> {
        self.known_until
    }
}

impl RetainedPart {
    /// Looks at a partition of a log.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn of(log: &dyn Log, partition: TopicPartition) -> Result<RetainedPart, ReplayError> {
        let bounds = log.bounds(partition).await?;
        Ok(RetainedPart::within(log, partition, bounds).await?)
    }

    async fn within(
        log: &dyn Log,
        partition: TopicPartition,
        (first, end): (Offset, Offset),
    ) -> Result<RetainedPart, LogError> {
        let mut part = RetainedPart { partition, first, end, begins: None };
        loop {
            match log.read(partition, part.first, end, Fetch { records: 1, bytes: 1 }).await {
                Ok(batch) => {
                    part.begins = batch.get(0).map(|record| record.log_time());
                    return Ok(part);
                }
                // Retention was faster.
                Err(LogError::OutOfRange { first: now, .. }) if now > part.first => part.first = now,
                Err(error) => return Err(error),
            }
        }
    }
}

/// What a partition has, and the log time of its last record.
async fn look(
    log: &dyn Log,
    partition: TopicPartition,
    bounds: (Offset, Offset),
) -> Result<(RetainedPart, Option<LogTime>), ReplayError> {
    let part = RetainedPart::within(log, partition, bounds).await?;
    let last = last_time(log, &part).await?;
    Ok((part, last))
}

/// Log time of the last record.
async fn last_time(log: &dyn Log, part: &RetainedPart) -> Result<Option<LogTime>, ReplayError> {
    let mut span = 1;
    loop {
        let lower = part.end.saturating_sub(span).max(part.first);
        let (mut next, mut last) = (lower, None);
        while next < part.end {
            let batch = log.read(part.partition, next, part.end, Fetch::default()).await?;
            let Some(at) = batch.iter().last().map(|record| record.log_time()) else { break };
            (last, next) = (Some(at), batch.next);
        }
        if last.is_some() || lower <= part.first {
            return Ok(last);
        }
        // A log may have offsets that hold no record.
        span *= 16;
    }
}

/// The least stamp of all sources in the last batches of tally.
async fn told(log: &dyn Log, sources: usize) -> Result<Option<LogTime>, ReplayError> {
    let place = TopicPartition { topic: Topic::SliTallies, partition: 0 };
    let (first, end) = log.bounds(place).await?;
    let mut stamps: Vec<Option<LogTime>> = vec![None; sources];
    let mut upper = end;
    while upper > first && stamps.iter().any(Option::is_none) {
        let lower = (upper - RECENT).max(first);
        let mut next = lower;
        while next < upper {
            let batch = log.read(place, next, upper, Fetch::default()).await?;
            for record in batch.iter() {
                let Ok(tally) = codec::decode::<TallyBatch>(record.value().unwrap_or_default()) else { continue };
                if let Some(stamp) = usize::try_from(tally.source).ok().and_then(|at| stamps.get_mut(at)) {
                    *stamp = (*stamp).max(Some(tally.stamp));
                }
            }
            if batch.is_empty() {
                break;
            }
            next = batch.next;
        }
        upper = lower;
        if end - upper > 100 * RECENT {
            break;
        }
    }
    Ok(stamps.into_iter().min().flatten())
}

/// Batches of tally that are looked at together.
const RECENT: i64 = 500;
