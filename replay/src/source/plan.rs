//! Which offsets of the log a range is.

use futures::future::try_join3;
use slipstream_log::{Log, Offset, TopicPartition};
use slipstream_schemas::LogTime;

use super::Span;
use super::retained::{Retained, RetainedPart};
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
pub async fn plan_log(
    log: &dyn Log,
    retained: &Retained,
    span: Span,
    window_ms: i64,
) -> Result<Vec<LogPart>, ReplayError> {
    plan_parts(log, &retained.partitions, span, window_ms).await
}

/// The same of one partition, as it is now.
///
/// # Errors
/// When the log cannot be read.
pub(super) async fn plan_part(
    log: &dyn Log,
    partition: TopicPartition,
    span: Span,
    window_ms: i64,
) -> Result<Option<LogPart>, ReplayError> {
    let part = RetainedPart::of(log, partition).await?;
    Ok(plan_parts(log, &[part], span, window_ms).await?.pop())
}

async fn plan_parts(
    log: &dyn Log,
    parts: &[RetainedPart],
    span: Span,
    window_ms: i64,
) -> Result<Vec<LogPart>, ReplayError> {
    let times: Vec<Times> = parts.iter().map(|part| Times::of(part, span, window_ms)).collect();
    let at = |time: fn(&Times) -> LogTime| offsets(log, parts.iter().zip(times.iter().map(time)));
    let (count_from, remember_from, to) = try_join3(at(|t| t.count), at(|t| t.remember), at(|t| t.to)).await?;
    let planned = parts.iter().zip(&times).zip(count_from.into_iter().zip(remember_from).zip(to));
    let planned = planned.map(|((part, times), ((count_from, remember_from), to))| LogPart {
        partition: part.partition,
        remember_from: remember_from.min(count_from),
        count_from,
        to: to.max(count_from),
        begins: times.begins,
        countable: times.countable,
    });
    Ok(planned.collect())
}

/// The spans to read for these, in order: those are one that would be read into each other, since each begins with what is only
/// remembered; `None`: nothing is.
pub fn read_as_one(spans: impl Iterator<Item = Span>, window_ms: Option<i64>) -> Vec<Span> {
    let mut spans: Vec<Span> = spans.collect();
    spans.sort_by_key(|span| span.from);
    let mut joined: Vec<Span> = Vec::new();
    for span in spans {
        let from = window_ms.map_or(span.from, |window_ms| remembered_from(span.from, window_ms));
        match joined.last_mut().filter(|last| from <= last.to) {
            Some(last) => last.to = last.to.max(span.to),
            None => joined.push(span),
        }
    }
    joined
}

/// From this log time on records are remembered where those from `count` on count: the generation before its own.
fn remembered_from(count: LogTime, window_ms: i64) -> LogTime {
    LogTime((count.0.max(0).div_euclid(window_ms) - 1).saturating_mul(window_ms))
}

/// The log times at which a partition is looked up.
struct Times {
    begins: Option<LogTime>,
    countable: LogTime,
    count: LogTime,
    remember: LogTime,
    to: LogTime,
}

impl Times {
    fn of(part: &RetainedPart, span: Span, window_ms: i64) -> Times {
        let begins = part.begins.filter(|_| part.first > 0);
        let countable = match begins {
            // The rest of the generation that is cut off, and the one after it.
            Some(at) => LogTime((at.0.div_euclid(window_ms) + 2) * window_ms),
            None if part.first > 0 => LogTime(i64::MAX),
            None => LogTime(i64::MIN),
        };
        let count = LogTime(span.from.0.max(countable.0).min(span.to.0));
        Times { begins, countable, count, remember: remembered_from(count, window_ms), to: span.to }
    }
}

/// The first retained offset of each partition at a log time, or later.
async fn offsets(
    log: &dyn Log,
    asked: impl Iterator<Item = (&RetainedPart, LogTime)>,
) -> Result<Vec<Offset>, ReplayError> {
    let asked: Vec<(&RetainedPart, LogTime)> = asked.collect();
    // Before that there is nothing.
    let is_asked = |time: LogTime| time.0 > 0;
    let places: Vec<_> = asked.iter().filter(|(_, t)| is_asked(*t)).map(|(part, t)| (part.partition, *t)).collect();
    let mut found = log.all_offsets_at(&places).await?.into_iter();
    let offset = |(part, time): (&RetainedPart, LogTime)| match is_asked(time) {
        true => found.next().map_or(part.first, |at| at.max(part.first)),
        false => part.first,
    };
    Ok(asked.into_iter().map(offset).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_one_where_the_second_begins_to_remember_within_the_first() {
        let span = |(from, to)| Span { from: LogTime(from), to: LogTime(to) };
        // Of a window of 100 ms, 350 remembers from 200 on, and 299 from 100 on.
        let rows = [
            (vec![], vec![]),
            (vec![(10, 20), (15, 30)], vec![(10, 30)]),
            (vec![(350, 400), (10, 200)], vec![(10, 400)]),
            (vec![(10, 199), (350, 400)], vec![(10, 199), (350, 400)]),
            (vec![(10, 500), (20, 30), (299, 300)], vec![(10, 500)]),
        ];
        for (spans, joined) in rows {
            let expected: Vec<Span> = joined.into_iter().map(span).collect();
            assert_eq!(read_as_one(spans.clone().into_iter().map(span), Some(100)), expected, "{spans:?}");
        }
        let apart = [(10, 20), (21, 30), (30, 40)].map(span);
        assert_eq!(read_as_one(apart.into_iter(), None), [(10, 20), (21, 40)].map(span));
    }
}
