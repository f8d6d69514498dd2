//! Which rows a question reads: the coarsest that serve, in spans that do not overlap and leave no gap.

use super::{Extent, KpiQuestion};
use crate::aggregates::{DAY_US, HOUR_US};
use crate::error::StoreError;
use crate::rollup::MINUTE_US;
use crate::text;
use slipstream_schemas::EventTime;

/// `[from, to)` of event time, microseconds.
pub type Span = (i64, i64);

/// Kinds of rows that figures come from, finest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Raw events.
    Raw,
    /// Rollups per minute.
    Rollup,
    /// Aggregates per hour.
    Hourly,
    /// Aggregates per day (UTC).
    Daily,
}

impl Level {
    /// Every level, for listing them.
    pub const ALL: [Level; 4] = [Level::Raw, Level::Rollup, Level::Hourly, Level::Daily];

    /// Its name in questions and results.
    pub fn name(self) -> &'static str {
        match self {
            Level::Raw => "raw",
            Level::Rollup => "rollup",
            Level::Hourly => "hourly",
            Level::Daily => "daily",
        }
    }

    /// What one of its rows covers; of raw events, the shortest step.
    pub fn seconds(self) -> i64 {
        match self {
            Level::Raw => 1,
            Level::Rollup => 60,
            Level::Hourly => 3_600,
            Level::Daily => 86_400,
        }
    }
}

impl std::str::FromStr for Level {
    type Err = StoreError;

    fn from_str(text: &str) -> Result<Self, StoreError> {
        Level::ALL.into_iter().find(|level| level.name() == text).ok_or_else(|| {
            let names: Vec<&str> = Level::ALL.iter().map(|level| level.name()).collect();
            StoreError::Refused(format!("`{text}` is not a source; use one of {}", names.join(", ")))
        })
    }
}

/// What a store knows about its rows that decides which of them to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// What is stored.
    pub extent: Extent,
    /// Hours before it are in the aggregates.
    pub closed: i64,
    /// Starts of those among them that are not up to date, in order.
    pub stale: Vec<i64>,
    /// Starts of the days that are not, although their hours may be, in order.
    pub stale_days: Vec<i64>,
    /// The first and the last minute in the range that has lost raw events to retention.
    pub gone: Option<(i64, i64)>,
    /// Of the minutes of the range's two ends, those that have.
    pub gone_at_ends: Vec<i64>,
}

/// Which rows of the store a question reads.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KpiSources {
    /// Whole days.
    pub daily: Vec<Span>,
    /// Whole hours.
    pub hourly: Vec<Span>,
    /// Whole minutes.
    pub rollups: Vec<Span>,
    /// Any.
    pub raw: Vec<Span>,
}

impl KpiSources {
    /// The sources as named in the result, coarsest first: `daily+hourly+rollup+raw`.
    pub fn name(&self) -> String {
        let used = [
            (Level::Daily, &self.daily),
            (Level::Hourly, &self.hourly),
            (Level::Rollup, &self.rollups),
            (Level::Raw, &self.raw),
        ];
        let names: Vec<&str> =
            used.iter().filter(|(_, spans)| !spans.is_empty()).map(|(level, _)| level.name()).collect();
        if names.is_empty() { Level::Rollup.name().to_owned() } else { names.join("+") }
    }

    /// The range it covers; `None` if it covers nothing.
    pub fn range(&self) -> Option<Span> {
        let all = [&self.daily, &self.hourly, &self.rollups, &self.raw].into_iter().flatten();
        all.copied().reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
    }
}

impl KpiQuestion {
    /// The requested range; open ends become those of what is stored, in whole units of the source, or else in minutes.
    pub fn range(&self, extent: Extent) -> Span {
        let unit = self.source.map_or(MINUTE_US, |level| (level.seconds() * 1_000_000).max(MINUTE_US));
        let whole = |time: i64| time - time.rem_euclid(unit);
        let from = self.filter.from.map_or(whole(extent.0), |from| from.0);
        (from, self.filter.to.map_or(whole(extent.1) + unit, |to| to.0))
    }

    /// The rows for a range.
    ///
    /// # Errors
    /// `Refused` if only raw events would answer and retention has removed some of them, or if the range is not made of whole
    /// units of the source that was asked for.
    pub fn sources(&self, range: Span, known: &Known) -> Result<KpiSources, StoreError> {
        let step = self.step.unwrap_or(0);
        let serves = |level: Level| step % level.seconds() == 0;
        if range.0 >= range.1 {
            return Ok(KpiSources::default());
        }
        if self.raw_only().is_some() || self.source == Some(Level::Raw) || !serves(Level::Rollup) {
            return self.raw(range, known);
        }
        let edges = Edges::of(range, known);
        if let Some(level) = self.source {
            whole_units(range, level)?;
        }
        let coarsest = self.source.unwrap_or(Level::Daily);
        let mut sources = KpiSources { raw: edges.raw, ..KpiSources::default() };
        let hours = match coarsest >= Level::Hourly && serves(Level::Hourly) {
            true => closed_hours(edges.minutes, known),
            false => Vec::new(),
        };
        sources.rollups = without(edges.minutes, &hours);
        if coarsest >= Level::Daily && serves(Level::Daily) {
            let stale: Vec<Span> = known.stale_days.iter().map(|day| (*day, day + DAY_US)).collect();
            let days = hours.iter().filter_map(|hours| inner(*hours, DAY_US));
            sources.daily = days.flat_map(|days| without(days, &stale)).collect();
        }
        for span in hours {
            sources.hourly.extend(without(span, &sources.daily));
        }
        Ok(sources)
    }

    /// All from raw events. From an open begin, those that retention has left.
    fn raw(&self, (from, to): Span, known: &Known) -> Result<KpiSources, StoreError> {
        let only = |from| {
            Ok(KpiSources { raw: if from < to { vec![(from, to)] } else { Vec::new() }, ..KpiSources::default() })
        };
        let Some((first, last)) = known.gone else { return only(from) };
        if self.filter.from.is_none() && self.as_of().is_none() {
            return only(last + MINUTE_US);
        }
        let what = self.raw_only().unwrap_or(if self.source.is_some() { "raw rows" } else { "steps that cut minutes" });
        Err(raw_is_gone((first, last), what))
    }
}

/// Of the minutes of a range that have lost raw events, the first and the last; and what nothing else knows.
pub(crate) fn raw_is_gone((first, last): (i64, i64), what: &str) -> StoreError {
    let (first, after) = (text::micros(EventTime(first)), text::micros(EventTime(last + MINUTE_US)));
    StoreError::Refused(format!(
        "raw events from {first} on were removed by retention (retention.events), and only they know {what}: begin at {after}"
    ))
}

/// Whole minutes, and what lies before and behind them.
struct Edges {
    minutes: Span,
    raw: Vec<Span>,
}

impl Edges {
    /// A minute whose raw events are gone is taken whole.
    fn of((from, to): Span, known: &Known) -> Edges {
        let start = |time: i64| time - time.rem_euclid(MINUTE_US);
        let gone = |minute: i64| known.gone_at_ends.contains(&minute);
        let (mut first, mut end) = (start(from), start(to));
        let mut raw = Vec::new();
        if first != from && !gone(first) {
            first += MINUTE_US;
            raw.push((from, to.min(first)));
        }
        if end != to && end >= first {
            if gone(end) {
                end += MINUTE_US;
            } else {
                raw.push((from.max(end), to));
            }
        }
        Edges { minutes: (first, end.max(first)), raw }
    }
}

fn whole_units(range: Span, level: Level) -> Result<(), StoreError> {
    let unit = level.seconds() * 1_000_000;
    let odd = [range.0, range.1].into_iter().find(|time| time.rem_euclid(unit) != 0);
    odd.map_or(Ok(()), |time| {
        let (name, length, begin) = (level.name(), text::length(level.seconds()), time - time.rem_euclid(unit));
        let told = |time| text::micros(EventTime(time));
        Err(StoreError::Refused(format!(
            "{name} rows have whole units of {length} (UTC), and {} is within one: give {} or {}, or no source: KPIs with a step of \
             {length} begin and end anywhere",
            told(time),
            told(begin),
            told(begin.saturating_add(unit)),
        )))
    })
}

/// The part of a span that is made of whole units; `None` if there is none.
fn inner((from, to): Span, unit: i64) -> Option<Span> {
    let (from, to) = (from + (-from).rem_euclid(unit), to - to.rem_euclid(unit));
    (from < to).then_some((from, to))
}

/// The hours of a span that the aggregates have, as few spans as may be.
fn closed_hours(minutes: Span, known: &Known) -> Vec<Span> {
    let end = minutes.1.min(known.closed);
    let hours = if minutes.0 < end { inner((minutes.0, end), HOUR_US) } else { None };
    let Some(hours) = hours else { return Vec::new() };
    let stale: Vec<Span> = known.stale.iter().map(|hour| (*hour, hour + HOUR_US)).collect();
    without(hours, &stale)
}

/// What is left of a span without others, which are in order and do not overlap.
fn without((from, to): Span, others: &[Span]) -> Vec<Span> {
    let (mut left, mut at) = (Vec::new(), from);
    for (begin, end) in others.iter().filter(|(begin, end)| *end > from && *begin < to) {
        if at < *begin {
            left.push((at, *begin));
        }
        at = *end;
    }
    if at < to {
        left.push((at, to));
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::EventFilter;
    use crate::kpis::Field;

    const M: i64 = MINUTE_US;
    const H: i64 = HOUR_US;
    const D: i64 = DAY_US;

    fn known(closed: i64, stale: &[i64]) -> Known {
        let (stale, stale_days) = (stale.to_vec(), Vec::new());
        Known { extent: (0, 9 * D), closed, stale, stale_days, gone: None, gone_at_ends: Vec::new() }
    }

    fn between(from: i64, to: i64) -> KpiQuestion {
        let filter = EventFilter { from: Some(EventTime(from)), to: Some(EventTime(to)), ..EventFilter::default() };
        KpiQuestion { filter, ..KpiQuestion::default() }
    }

    fn planned(question: &KpiQuestion, known: &Known) -> KpiSources {
        let range = question.range(known.extent);
        let sources = question.sources(range, known).unwrap();
        let mut all: Vec<Span> =
            [&sources.daily, &sources.hourly, &sources.rollups, &sources.raw].into_iter().flatten().copied().collect();
        all.sort_unstable();
        assert!(all.windows(2).all(|w| w[0].1 == w[1].0), "gap or overlap: {all:?}");
        assert_eq!((all.first().map(|s| s.0), all.last().map(|s| s.1)), (Some(range.0), Some(range.1)));
        sources
    }

    #[test]
    fn a_ragged_range_is_read_from_the_coarsest_rows_that_fit() {
        let question = between(D - 2 * H - 90_000_000, 3 * D + H + M + 1);
        let expected = KpiSources {
            daily: vec![(D, 3 * D)],
            hourly: vec![(D - 2 * H, D), (3 * D, 3 * D + H)],
            rollups: vec![(D - 2 * H - M, D - 2 * H), (3 * D + H, 3 * D + H + M)],
            raw: vec![(D - 2 * H - 90_000_000, D - 2 * H - M), (3 * D + H + M, 3 * D + H + M + 1)],
        };
        let sources = planned(&question, &known(9 * D, &[]));
        assert_eq!(sources, expected);
        assert_eq!(sources.name(), "daily+hourly+rollup+raw");
    }

    #[test]
    fn hours_that_are_open_or_not_up_to_date_come_from_rollups() {
        let sources = planned(&between(0, 3 * D), &known(2 * D + H, &[5 * H, D + 23 * H]));
        assert_eq!(sources.rollups, [(5 * H, 6 * H), (D + 23 * H, 2 * D), (2 * D + H, 3 * D)]);
        assert_eq!(sources.daily, []);
        assert_eq!(sources.hourly, [(0, 5 * H), (6 * H, D + 23 * H), (2 * D, 2 * D + H)]);
        let sources = planned(&between(0, 3 * D), &known(2 * D, &[5 * H]));
        assert_eq!((sources.daily, sources.hourly), (vec![(D, 2 * D)], vec![(0, 5 * H), (6 * H, D)]));
        // A day whose hours are up to date may itself not be.
        let known = Known { stale_days: vec![D], ..known(3 * D, &[]) };
        let sources = planned(&between(0, 3 * D), &known);
        assert_eq!((sources.daily, sources.hourly), (vec![(0, D), (2 * D, 3 * D)], vec![(D, 2 * D)]));
    }

    #[test]
    fn what_is_asked_decides_how_coarse_rows_may_be() {
        let whole = || between(0, 2 * D);
        let by_code = KpiQuestion { by: vec![Field::StatusCode], ..whole() };
        let step = |step| KpiQuestion { step: Some(step), ..whole() };
        let from = |level| KpiQuestion { source: Some(level), ..whole() };
        let traced = EventFilter { trace_id: Some("x".into()), ..whole().filter };
        let table = [
            (whole(), "daily"),
            (step(86_400), "daily"),
            (step(7_200), "hourly"),
            (step(300), "rollup"),
            (step(7), "raw"),
            (by_code, "raw"),
            (KpiQuestion { filter: traced, ..KpiQuestion::default() }, "raw"),
            (from(Level::Daily), "daily"),
            (from(Level::Hourly), "hourly"),
            (from(Level::Rollup), "rollup"),
            (from(Level::Raw), "raw"),
        ];
        for (question, expected) in table {
            assert_eq!(planned(&question, &known(9 * D, &[])).name(), expected, "{question:?}");
        }
    }

    #[test]
    fn a_source_that_does_not_fit_the_range_is_refused() {
        let question = KpiQuestion { source: Some(Level::Hourly), ..between(M, D) };
        match question.sources((M, D), &known(D, &[])) {
            Err(StoreError::Refused(why)) => {
                assert_eq!(
                    why,
                    "hourly rows have whole units of 1h (UTC), and 1970-01-01T00:01:00.000000Z is within one: give \
                     1970-01-01T00:00:00.000000Z or 1970-01-01T01:00:00.000000Z, or no source: KPIs with a step of 1h begin and end \
                     anywhere"
                );
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn raw_events_that_are_gone_are_told_and_a_minute_of_them_is_taken_whole() {
        let gone = Known { gone: Some((0, 4 * M)), gone_at_ends: vec![2 * M], ..known(0, &[]) };
        let sources = between(2 * M + 1, 6 * M).sources((2 * M + 1, 6 * M), &gone).unwrap();
        assert_eq!((sources.raw, sources.rollups), (vec![], vec![(2 * M, 6 * M)]));
        let by_code = KpiQuestion { by: vec![Field::StatusCode], ..between(0, 6 * M) };
        match by_code.sources((0, 6 * M), &gone) {
            Err(StoreError::Refused(why)) => {
                assert!(
                    why.contains("only they know the status code")
                        && why.ends_with("begin at 1970-01-01T00:05:00.000000Z"),
                    "{why}"
                );
            }
            other => panic!("{other:?}"),
        }
        let open = KpiQuestion { by: vec![Field::StatusCode], ..KpiQuestion::default() };
        assert_eq!(open.sources((0, 6 * M), &gone).unwrap().raw, [(5 * M, 6 * M)]);
    }
}
