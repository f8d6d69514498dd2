//! What the definitions say about all events of a tuple at once: for callers that sum by tuple instead of event by event.

use slipstream_schemas::event::EventView;

use super::tuples::{Row, SeriesOf};
use super::{Decision, Matcher, SeriesId, Verdict};
use slipstream_definitions::filter::expression::Comparison;

/// How the events of a tuple (service, environment, endpoint, method, status code) count.
#[derive(Debug, Clone, Default)]
pub struct TupleRows {
    /// Series for which all of them count in the same way.
    pub always: Vec<(SeriesId, Verdict)>,
    /// Series for which their latency decides.
    pub by_latency: Vec<LatencyRow>,
    /// Whether more depends on each event: see [`Matcher::apply_rest`].
    pub rest: bool,
}

/// A series for which an event counts by its latency.
#[derive(Debug, Clone, Copy)]
pub struct LatencyRow {
    /// The series.
    pub series: SeriesId,
    /// What latency_ms is compared with; a number.
    pub bound: f64,
    comparison: Comparison,
    meaning: Verdict,
}

impl LatencyRow {
    /// The verdict on a latency of which only its place among numbers is known, the bound having the place `bound` among
    /// them. `None`: it was not measured.
    pub fn verdict_at(&self, place: Option<u32>, bound: u32) -> Verdict {
        self.meaning.of(place.map(|place| self.comparison.holds(f64::from(place), f64::from(bound))))
    }
}

impl Matcher {
    /// How the events of this event's tuple count.
    pub fn tuple_rows(&mut self, event: &EventView<'_>) -> TupleRows {
        let Matcher { definitions, tuples, series } = self;
        let mut found = TupleRows::default();
        for row in tuples.rows(event, definitions, series) {
            match (by_tuple(row), &row.decision) {
                (Some(id), Decision::Always(verdict)) => found.always.push((id, *verdict)),
                (Some(id), Decision::Latency { comparison, bound, meaning }) => found.by_latency.push(LatencyRow {
                    series: id,
                    bound: *bound,
                    comparison: *comparison,
                    meaning: *meaning,
                }),
                _ => found.rest = true,
            }
        }
        found
    }

    /// Calls `hit` for the series of an event that [`Matcher::tuple_rows`] does not name.
    pub fn apply_rest(&mut self, event: &EventView<'_>, hit: &mut impl FnMut(SeriesId, Verdict)) {
        let Matcher { definitions, tuples, series } = self;
        for row in tuples.rows(event, definitions, series).iter().filter(|row| by_tuple(row).is_none()) {
            let Some(verdict) = row.decision.verdict(event) else { continue };
            let id = match row.series {
                SeriesOf::Tuple(id) => id,
                SeriesOf::Event => series.of(row.definition, &definitions[row.definition as usize].grouping, event),
            };
            hit(id, verdict);
        }
    }
}

/// The series of a row that is decided by the tuple, but for the latency.
fn by_tuple(row: &Row) -> Option<SeriesId> {
    let decided = match row.decision {
        Decision::Always(_) => true,
        // Nothing has a place beside what is not a number.
        Decision::Latency { bound, .. } => !bound.is_nan(),
        Decision::Evaluate { .. } => false,
    };
    match row.series {
        SeriesOf::Tuple(id) if decided => Some(id),
        _ => None,
    }
}
