//! Single requests, read again: those that count, each with all that it has, and how it counts for a series.

mod judges;
mod pass;

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

/// Counts the requests of searches.
struct Counting<'s> {
    searches: &'s [Search],
    judges: Judges<'s>,
    counted: Vec<Seconds>,
}

impl<'s> Counting<'s> {
    fn new(searches: &'s [Search]) -> Counting<'s> {
        let seconds = |span: Span| usize::try_from((span.to.0 + 999).div_euclid(1_000) - span.from.tick()).unwrap_or(0);
        Counting {
            searches,
            judges: Judges::new(searches.iter().map(|search| &search.side)),
            counted: searches.iter().map(|search| vec![[0; 2]; seconds(search.span)]).collect(),
        }
    }

    fn merge(&mut self, other: Counting<'_>) {
        for (sums, counts) in self.counted.iter_mut().flatten().zip(other.counted.into_iter().flatten()) {
            (sums[0], sums[1]) = (sums[0] + counts[0], sums[1] + counts[1]);
        }
    }
}

impl Looker for Counting<'_> {
    fn reads_attributes(&self) -> bool {
        self.judges.read_attributes()
    }

    fn see(&mut self, seen: Seen<'_>) {
        let Counting { searches, judges, counted } = self;
        let (second, weight) = (seen.second(), i64::from(seen.event.weight));
        judges.judge(seen.event, |side, verdict| {
            let span = searches[side].span;
            if !seen.is_within(span) {
                return;
            }
            let at = usize::try_from(second - span.from.tick()).ok();
            let Some(count) = at.and_then(|at| counted[side].get_mut(at)) else { return };
            match verdict {
                Verdict::Bad => (count[0], count[1]) = (count[0] + weight, count[1] + weight),
                Verdict::Good => count[1] += weight,
                Verdict::Unknown => {}
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
    let lookers = (0..threads.max(1)).map(|_| Counting::new(searches)).collect();
    let counted = pass(again, lookers, progress)?.and_then(|lookers| {
        lookers.into_iter().reduce(|mut sums, other| {
            sums.merge(other);
            sums
        })
    });
    Ok(counted.map(|counting| counting.counted))
}
