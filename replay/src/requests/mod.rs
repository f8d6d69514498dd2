//! Single requests, read again: those that count, each with all that it has, and how it counts for a series.

mod judges;
mod pass;

use std::sync::atomic::{AtomicI64, Ordering};

use slipstream_definitions::definition::Slo;
use slipstream_schemas::event::EventView;
use slipstream_schemas::time::slot;
use slipstream_schemas::{EventTime, LogTime};
use slipstream_slo::matcher::Verdict;

use crate::engine::Progress;
use crate::error::ReplayError;
use crate::source::Span;
pub use judges::Judges;
pub use pass::{Again, Firsts, Looker, pass};

/// A definition, and which of its series.
#[derive(Debug, Clone)]
pub struct Side {
    /// The definition.
    pub slo: Slo,
    /// Its objective.
    pub objective: String,
    /// Values of groupBy.
    pub group: Vec<String>,
}

/// A request that counts.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'e> {
    /// What it has.
    pub event: &'e EventView<'e>,
    /// When the log took it.
    pub log_time: LogTime,
    /// Up to here its source was read.
    pub stamp: LogTime,
}

impl Seen<'_> {
    /// SLI time: a clock that is fast harms nobody.
    pub fn sli_time(&self) -> EventTime {
        if self.event.time.millis() <= self.log_time.0 {
            self.event.time
        } else {
            EventTime(self.log_time.0.saturating_mul(1_000))
        }
    }

    /// Its second by SLI time.
    pub fn second(&self) -> i64 {
        slot(self.event.time, self.log_time)
    }

    /// Whether the log took it in a span, and it did not happen before it. Windows are of SLI time: what came then, but happened
    /// long before, is in none of them.
    pub fn is_within(&self, span: Span) -> bool {
        self.stamp >= span.from && self.stamp < span.to && self.second() >= span.from.tick()
    }
}

/// A series, and which of its requests are counted.
#[derive(Debug, Clone)]
pub struct Search {
    /// See [`Seen::is_within`].
    pub span: Span,
    /// By this definition.
    pub side: Side,
}

/// Bad requests, and good or bad, of each second by SLI time.
pub type Seconds = Vec<[i64; 2]>;

/// Sums that all threads add to, per search and second.
type Sums = Vec<Vec<[AtomicI64; 2]>>;

/// Counts the requests of searches.
struct Counting<'s> {
    searches: &'s [Search],
    judges: Judges<'s>,
    sums: &'s Sums,
}

impl Looker for Counting<'_> {
    fn reads_attributes(&self) -> bool {
        self.judges.read_attributes()
    }

    fn see(&mut self, seen: Seen<'_>) {
        let Counting { searches, judges, sums } = self;
        let (second, weight) = (seen.second(), i64::from(seen.event.weight));
        judges.judge(seen.event, |side, verdict| {
            let span = searches[side].span;
            if !seen.is_within(span) {
                return;
            }
            let at = usize::try_from(second - span.from.tick()).ok();
            let Some([bad, total]) = at.and_then(|at| sums[side].get(at)) else { return };
            if verdict == Verdict::Bad {
                bad.fetch_add(weight, Ordering::Relaxed);
            }
            if verdict != Verdict::Unknown {
                total.fetch_add(weight, Ordering::Relaxed);
            }
        });
    }
}

/// Counts, from the beginning of each span on. `None` if it was told to stop.
///
/// # Errors
/// When a source cannot be read.
pub fn count(
    searches: &[Search],
    again: Again,
    threads: usize,
    progress: &Progress,
) -> Result<Option<Vec<Seconds>>, ReplayError> {
    let seconds = |span: Span| usize::try_from((span.to.0 + 999).div_euclid(1_000) - span.from.tick()).unwrap_or(0);
    let of_search = |search: &Search| (0..seconds(search.span)).map(|_| Default::default()).collect();
    let sums: Sums = searches.iter().map(of_search).collect();
    let judges = || Judges::new(searches.iter().map(|search| &search.side));
    let done = pass(again, threads, || Counting { searches, judges: judges(), sums: &sums }, progress)?.is_some();
    let counted = |sums: Vec<[AtomicI64; 2]>| sums.into_iter().map(|sum| sum.map(AtomicI64::into_inner)).collect();
    Ok(done.then(|| sums.into_iter().map(counted).collect()))
}
