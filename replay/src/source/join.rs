//! Which source has which part of a range: the log what it can count, the store what lies before that, without gap or overlap
//! by partition and offset.

use std::collections::BTreeMap;

use futures::future::try_join_all;
use slipstream_log::{Fetch, Log, LogError, Offset};
use slipstream_schemas::LogTime;
use slipstream_store::SharedStore;

use super::Span;
use super::held::Held;
use super::noted::Gap;
use super::plan::LogPart;
use crate::engine::Begin;
use crate::error::ReplayError;

/// The parts of a range.
pub struct Joined {
    /// Of each partition of the log, and how its numbers begin.
    pub log: Vec<(LogPart, Begin)>,
    /// What lies before; `None` if nothing of it is needed, or there.
    pub store: Option<(StorePart, Begin)>,
    /// What neither has.
    pub missing: Vec<Gap>,
}

/// The part that is read from the store.
#[derive(Clone)]
pub struct StorePart {
    /// The store.
    pub store: SharedStore,
    /// See [`slipstream_store::RawBounds::epoch`].
    pub epoch: u32,
    /// Log times.
    pub span: Span,
    /// By partition: the first offset that is not read.
    pub below: BTreeMap<u32, Offset>,
    /// By partition: the log time from which on the log has it.
    pub until: BTreeMap<u32, LogTime>,
}

/// What one partition needs of the store, and gets.
enum Share {
    /// Nothing: the log has it all.
    None,
    /// All that lies before the log's part, or the part of it that the store has.
    Some {
        /// First offset that is not read.
        below: Offset,
        /// Whether the log's part follows without a gap.
        joined: bool,
    },
}

/// Joins the log's parts of a span with what the store holds. What is missing is told from `wanted` on, which may lie before
/// the span.
///
/// # Errors
/// When the log cannot be read.
pub async fn join(
    log: &dyn Log,
    held: Option<&Held>,
    parts: Vec<LogPart>,
    span: Span,
    wanted: LogTime,
) -> Result<Joined, ReplayError> {
    let (mut joined, mut below, mut until) = (Vec::new(), BTreeMap::new(), BTreeMap::new());
    let shares = try_join_all(parts.iter().map(|part| share(log, held, part, (wanted, span)))).await?;
    let mut missing = Vec::new();
    for (part, (share, gaps)) in parts.into_iter().zip(shares) {
        missing.extend(gaps);
        let number = part.partition.partition;
        let begins = span.from.max(part.countable).min(span.to);
        let begin = match share {
            _ if part.count_from == 0 => Begin::First,
            Share::Some { joined: true, .. } => Begin::After(begins),
            _ => Begin::At(begins),
        };
        if let Share::Some { below: end, .. } = share {
            below.insert(number, end);
            until.insert(number, begins);
        }
        joined.push((part, begin));
    }
    let store = held.filter(|_| !below.is_empty()).map(|held| store_part(held, span, below, until));
    Ok(Joined { log: joined, store, missing })
}

fn store_part(
    held: &Held,
    span: Span,
    below: BTreeMap<u32, Offset>,
    until: BTreeMap<u32, LogTime>,
) -> (StorePart, Begin) {
    let kept_from = held.bounds.values().filter_map(|bounds| bounds.kept_from).max();
    let from = kept_from.map_or(span.from, |kept| kept.max(span.from));
    let to = until.values().copied().max().unwrap_or(span.to);
    let whole =
        below.keys().all(|partition| held.whole.contains(partition)) && held.first.is_none_or(|first| from <= first);
    let begin = if whole { Begin::First } else { Begin::At(from) };
    let part = StorePart { store: held.store.clone(), epoch: held.epoch, span: Span { from, to }, below, until };
    (part, begin)
}

/// With what neither source has.
async fn share(
    log: &dyn Log,
    held: Option<&Held>,
    part: &LogPart,
    (wanted, span): (LogTime, Span),
) -> Result<(Share, Vec<Gap>), ReplayError> {
    let (until, mut missing) = (part.countable.min(span.to), Vec::new());
    if until <= wanted {
        return Ok((Share::None, missing));
    }
    let gap = |from: LogTime, to: LogTime, reason: String| {
        (from < to).then_some(Gap { partition: part.partition.partition, from, to, reason })
    };
    let Some((held, bounds)) = held.and_then(|held| Some((held, held.bounds.get(&part.partition.partition)?))) else {
        missing.extend(gap(wanted, until, format!("{}, and no store has it", removed(part))));
        return Ok((Share::None, missing));
    };
    let kept = held.kept_from(bounds.partition).unwrap_or(wanted).max(wanted).min(until);
    let reason =
        format!("{}, and the store has everything only from {} on", removed(part), crate::assemble::time(kept));
    missing.extend(gap(wanted, kept, reason));
    if kept >= until || until <= span.from {
        return Ok((Share::None, missing));
    }
    let joined = bounds.offset >= part.count_from || is_empty(log, part, bounds.offset).await?;
    if !joined {
        let reason = format!("{}, and the store is only at offset {}", removed(part), bounds.offset);
        missing.extend(gap(bounds.log_time.max(kept).min(until), until, reason));
    }
    Ok((Share::Some { below: bounds.offset.min(part.count_from), joined }, missing))
}

fn removed(part: &LogPart) -> String {
    match part.begins {
        Some(begins) => {
            let told = [begins, part.countable].map(crate::assemble::time);
            format!("the log has removed what is older than {}, and copies are told from {} on", told[0], told[1])
        }
        None => "the log has removed everything".to_owned(),
    }
}

/// Whether the log has no record from an offset on, below those that it counts: a log may have offsets that hold no record.
async fn is_empty(log: &dyn Log, part: &LogPart, from: Offset) -> Result<bool, ReplayError> {
    match log.read(part.partition, from, part.count_from, Fetch { records: 1, bytes: 1 }).await {
        Ok(batch) => Ok(batch.is_empty()),
        Err(LogError::OutOfRange { .. }) => Ok(false),
        Err(error) => Err(error.into()),
    }
}
