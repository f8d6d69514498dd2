//! Single requests, read again: those that count, each with all that it has, and how it counts for a series.

use std::sync::Arc;

use slipstream_definitions::definition::Slo;
use slipstream_schemas::decode::{Attributes, decode};
use slipstream_schemas::event::EventView;
use slipstream_schemas::time::slot;
use slipstream_schemas::{EventTime, LogTime};
use slipstream_slo::matcher::{Active, Matcher, SeriesId, SeriesKey, Verdict};
use slipstream_slo::redelivery::{Memory, id_hash};

use crate::engine::{Phase, Progress};
use crate::error::ReplayError;
use crate::source::{Block, Reader, Span};

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

/// Reads all that the readers bring. Returns whether that was all: `false` if it was told to stop.
///
/// # Errors
/// When a source cannot be read.
pub fn each(
    readers: Vec<Box<dyn Reader>>,
    window_ms: i64,
    progress: &Progress,
    mut see: impl FnMut(Seen<'_>),
) -> Result<bool, ReplayError> {
    progress.enter(Phase::Looking, None);
    for mut reader in readers {
        let (mut memory, mut stamp) = (Memory::new(window_ms), LogTime(i64::MIN));
        while let Some(block) = reader.next()? {
            if progress.is_stopped() {
                return Ok(false);
            }
            progress.add(block.len(), LogTime(0));
            match block {
                Block::Records { batch, count_from } => {
                    for record in batch.iter() {
                        let from = batch.partition.provenance(record.offset());
                        let value = record.value().unwrap_or_default();
                        let Ok(event) = decode(value, &from, Attributes::Read) else { continue };
                        stamp = stamp.max(record.log_time());
                        let first = memory.first_of_hash(id_hash(&event.event_id), record.log_time());
                        if first && record.offset() >= count_from {
                            see(Seen { event: &event, log_time: record.log_time(), stamp });
                        }
                    }
                }
                Block::Events { events, .. } => {
                    for event in events.iter() {
                        let log_time = event.log_time();
                        see(Seen { event: &event.view(), log_time, stamp: log_time });
                    }
                }
            }
        }
    }
    // A reader that is told to stop ends as if there was nothing more.
    Ok(!progress.is_stopped())
}

/// Series that a matcher may know: with more it is made anew, for it keeps all that events bring.
const MOST_SERIES: usize = 100_000;

/// How requests count for some sides. What a request costs is a matter of the sides that it counts for, not of how many there are.
pub struct Judges<'s> {
    /// Each with the number of its definition, which is the generation by which the matcher knows it.
    sides: Vec<(&'s Side, i64)>,
    definitions: Vec<Active>,
    matcher: Matcher,
    /// Per series of the matcher: the sides that it is; `None`: not looked up yet.
    of_series: Vec<Option<Box<[usize]>>>,
    hits: Vec<(SeriesId, Verdict)>,
}

impl<'s> Judges<'s> {
    /// For these, by their places.
    pub fn new(sides: impl IntoIterator<Item = &'s Side>) -> Judges<'s> {
        let mut definitions: Vec<Active> = Vec::new();
        let number = |side: &'s Side| {
            let known = definitions.iter().position(|known| *known.slo == side.slo);
            let number = known.unwrap_or_else(|| {
                let generation = definitions.len() as i64;
                definitions.push(Active { slo: Arc::new(side.slo.clone()), generation });
                definitions.len() - 1
            });
            (side, number as i64)
        };
        let sides = sides.into_iter().map(number).collect();
        let matcher = Matcher::new(&definitions);
        Judges { sides, definitions, matcher, of_series: Vec::new(), hits: Vec::new() }
    }

    /// Tells each side that a request counts for how it does.
    pub fn judge(&mut self, event: &EventView<'_>, mut tell: impl FnMut(usize, Verdict)) {
        if self.matcher.series_len() > MOST_SERIES {
            (self.matcher, self.of_series) = (Matcher::new(&self.definitions), Vec::new());
        }
        let Judges { sides, matcher, of_series, hits, .. } = self;
        hits.clear();
        matcher.apply(event, &mut |series, verdict| hits.push((series, verdict)));
        for (series, verdict) in hits {
            let at = series.index();
            if at >= of_series.len() {
                of_series.resize(at + 1, None);
            }
            let of = of_series[at].get_or_insert_with(|| sides_of(sides, matcher.series(*series)));
            of.iter().for_each(|side| tell(*side, *verdict));
        }
    }
}

/// The sides that a series is.
fn sides_of(sides: &[(&Side, i64)], key: &SeriesKey) -> Box<[usize]> {
    let is = |(side, definition): &(&Side, i64)| {
        key.generation == *definition
            && *key.group == *side.group
            && key.objectives().any(|objective| objective.name == side.objective)
    };
    (0..sides.len()).filter(|at| is(&sides[*at])).collect()
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

/// Counts, from the beginning of each span on. `None` if it was told to stop.
///
/// # Errors
/// When a source cannot be read.
pub fn count(
    searches: &[Search],
    readers: Vec<Box<dyn Reader>>,
    window_ms: i64,
    progress: &Progress,
) -> Result<Option<Vec<Seconds>>, ReplayError> {
    let seconds = |span: Span| usize::try_from((span.to.0 + 999).div_euclid(1_000) - span.from.tick()).unwrap_or(0);
    let mut counted: Vec<Seconds> = searches.iter().map(|search| vec![[0; 2]; seconds(search.span)]).collect();
    let mut judges = Judges::new(searches.iter().map(|search| &search.side));
    let whole = each(readers, window_ms, progress, |seen| {
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
    })?;
    Ok(whole.then_some(counted))
}
