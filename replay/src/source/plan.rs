//! Which offsets of the log a range is, and how far the log is known.

use slipstream_log::{Fetch, Log, LogError, Offset, TopicPartition};
use slipstream_schemas::records::TallyBatch;
use slipstream_schemas::{LogTime, Topic, codec};

use super::Span;
use crate::error::ReplayError;

/// The part of a partition that is read from the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogPart {
    /// The partition.
    pub partition: TopicPartition,
    /// From here on records are remembered, so that copies of them are recognised.
    pub remember_from: Offset,
    /// From here on they count.
    pub count_from: Offset,
    /// First offset that is not read.
    pub to: Offset,
    /// First retained record, if anything before it is gone.
    pub begins: Option<LogTime>,
    /// Records from this log time on can be told from their copies: everything, if nothing is gone; none, if everything is.
    pub countable: LogTime,
}

/// What the log holds of a range: for each partition the offsets to read.
///
/// A record counts if the two generations before it are there, so that its copies are recognised: where retention has removed
/// records, the first two generations are only remembered.
///
/// # Errors
/// When the log cannot be read.
pub async fn plan_log(log: &dyn Log, span: Span, window_ms: i64) -> Result<Vec<LogPart>, ReplayError> {
    let topic = Topic::RequestEvents;
    let mut parts = Vec::new();
    for partition in 0..log.partitions(topic).await? {
        parts.push(plan_part(log, TopicPartition { topic, partition }, span, window_ms).await?);
    }
    Ok(parts)
}

/// The same of one partition.
///
/// # Errors
/// When the log cannot be read.
pub(super) async fn plan_part(
    log: &dyn Log,
    partition: TopicPartition,
    span: Span,
    window_ms: i64,
) -> Result<LogPart, ReplayError> {
    let (first, end) = log.bounds(partition).await?;
    let begins = if first > 0 { time_of_first(log, partition, (first, end)).await? } else { None };
    let generation = |at: i64| at.div_euclid(window_ms);
    let countable = match begins {
        // The rest of the generation that is cut off, and the one after it.
        Some(at) => LogTime((generation(at.0) + 2) * window_ms),
        None if first > 0 => LogTime(i64::MAX),
        None => LogTime(i64::MIN),
    };
    let from = LogTime(span.from.0.max(countable.0).min(span.to.0));
    let at = |time: LogTime| async move {
        if time.0 <= 0 { Ok(first) } else { log.offset_at(partition, time).await.map(|at| at.max(first)) }
    };
    let count_from = at(from).await?;
    let remember_from = at(LogTime((generation(from.0.max(0)) - 1).saturating_mul(window_ms))).await?;
    let to = at(span.to).await?.max(count_from);
    Ok(LogPart { partition, remember_from: remember_from.min(count_from), count_from, to, begins, countable })
}

/// Whether the log still has every record that it ever had.
///
/// # Errors
/// When the log cannot be read.
pub async fn is_whole(log: &dyn Log) -> Result<bool, ReplayError> {
    let topic = Topic::RequestEvents;
    for partition in 0..log.partitions(topic).await? {
        if log.bounds(TopicPartition { topic, partition }).await?.0 > 0 {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Log time of the first retained request of all.
///
/// # Errors
/// When the log cannot be read.
pub async fn first_time(log: &dyn Log) -> Result<Option<LogTime>, ReplayError> {
    let mut found = None;
    for partition in 0..log.partitions(Topic::RequestEvents).await? {
        let place = TopicPartition { topic: Topic::RequestEvents, partition };
        let bounds = log.bounds(place).await?;
        let first = time_of_first(log, place, bounds).await?;
        found = [found, first].into_iter().flatten().min();
    }
    Ok(found)
}

/// Log time of the first retained record; `None` if none is there.
async fn time_of_first(
    log: &dyn Log,
    partition: TopicPartition,
    (first, end): (Offset, Offset),
) -> Result<Option<LogTime>, ReplayError> {
    let mut first = first;
    loop {
        match log.read(partition, first, end, Fetch { records: 1, bytes: 1 }).await {
            Ok(batch) => return Ok(batch.get(0).map(|record| record.log_time())),
            // Retention was faster.
            Err(LogError::OutOfRange { first: now, .. }) if now > first => first = now,
            Err(error) => return Err(error.into()),
        }
    }
}

/// Log time below which everything is known: no record with an earlier one will come. It is that of the last request, or, if
/// later, the one up to which tally told the same of every partition.
///
/// # Errors
/// When the log cannot be read.
pub async fn known_until(log: &dyn Log) -> Result<Option<LogTime>, ReplayError> {
    let mut last = None;
    for partition in 0..log.partitions(Topic::RequestEvents).await? {
        let place = TopicPartition { topic: Topic::RequestEvents, partition };
        last = last.max(last_time(log, place).await?.map(|at| LogTime(at.0 + 1)));
    }
    Ok(last.max(told(log).await?))
}

/// The least stamp of all sources in the last batches of tally.
async fn told(log: &dyn Log) -> Result<Option<LogTime>, ReplayError> {
    let sources = log.partitions(Topic::RequestEvents).await? as usize;
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

/// Log time of the last record.
async fn last_time(log: &dyn Log, place: TopicPartition) -> Result<Option<LogTime>, ReplayError> {
    let (first, end) = log.bounds(place).await?;
    let mut span = 1;
    loop {
        let lower = end.saturating_sub(span).max(first);
        let (mut next, mut last) = (lower, None);
        while next < end {
            let batch = log.read(place, next, end, Fetch::default()).await?;
            let Some(at) = batch.iter().last().map(|record| record.log_time()) else { break };
            (last, next) = (Some(at), batch.next);
        }
        if last.is_some() || lower <= first {
            return Ok(last);
        }
        // A log may have offsets that hold no record.
        span *= 16;
    }
}
