//! The question for hits, errors and latencies: which rows it reads, and its result.
//!
//! Whole days come from daily aggregates, whole hours from hourly ones, whole minutes from rollups ([`plan`]); ragged edges, steps
//! that cut minutes, and fields that aggregates lack come from raw events. All add up in [`Sums`](crate::rollup::Sums), so hits,
//! errors, average and maximum are exact whichever served, and a quantile is within the sketch's 1.1 % of the nearest rank.

mod answer;
mod field;
mod plan;
mod tally;

pub use answer::{KpiAnswer, KpiRow, Kpis};
pub use field::{Field, FieldValue};
pub(crate) use plan::raw_is_gone;
pub use plan::{Known, KpiSources, Level, Span};
pub use tally::{Cell, Names, RowKey, Tally};

use slipstream_schemas::{EventTime, LogTime};

use crate::error::StoreError;
use crate::filter::EventFilter;
use crate::text;

/// The most fields to group by at once.
pub const MOST_FIELDS: usize = 4;

/// The question.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KpiQuestion {
    /// Which events; its times bound the result.
    pub filter: EventFilter,
    /// A row per value of these fields, at most [`MOST_FIELDS`].
    pub by: Vec<Field>,
    /// A row per step of so many seconds; steps begin at multiples of their length since 1970. Steps without events
    /// have no row.
    pub step: Option<i64>,
    /// Read no coarser and no finer rows than these, but for the hours that no aggregate has yet. Without it the coarsest
    /// that serve.
    pub source: Option<Level>,
}

/// Times of the first and the last event, microseconds; if raw events are gone, bounds of their
/// minutes.
pub type Extent = (i64, i64);

impl KpiQuestion {
    /// Refuses invalid questions.
    ///
    /// # Errors
    /// `Refused`, with what is wrong.
    pub fn check(&self) -> Result<(), StoreError> {
        self.filter.check()?;
        if self.by.len() > MOST_FIELDS {
            return refused(format!("{} fields to group by: at most {MOST_FIELDS} at once", self.by.len()));
        }
        if let Some((_, twice)) = self.by.iter().enumerate().find(|(i, field)| self.by[..*i].contains(field)) {
            return refused(format!("grouped by `{}` twice: name it once", twice.name()));
        }
        if let Some(step) = self.step.filter(|step| !(1..=366 * 86_400).contains(step)) {
            return refused(format!("a step of {step} s: expected 1 s to 366 d"));
        }
        match (self.source, self.raw_only()) {
            (Some(level), Some(why)) if level != Level::Raw => {
                refused(format!("{} rows do not know {why}; only raw events do", level.name()))
            }
            (Some(level), None) if self.step.is_some_and(|step| step % level.seconds() != 0) => {
                let (step, unit) = (text::length(self.step.unwrap_or_default()), text::length(level.seconds()));
                refused(format!("{} rows cannot be cut into steps of {step}: use a multiple of {unit}", level.name()))
            }
            _ => Ok(()),
        }
    }

    /// What only raw events know of that which is asked.
    pub fn raw_only(&self) -> Option<&'static str> {
        let by_code = self.by.contains(&Field::StatusCode).then_some("the status code");
        self.filter.raw_only().or(by_code)
    }

    /// Start of the step that an event time falls into.
    pub fn start_of(&self, time: i64) -> Option<i64> {
        self.step.map(|step| time - time.rem_euclid(step * 1_000_000))
    }

    /// The range that the result covers: as requested, or from the first to the last event stored.
    pub fn reported(&self, sources: &KpiSources, extent: Extent) -> (Option<EventTime>, Option<EventTime>) {
        let covered = sources.range();
        let from = match (self.filter.from, covered) {
            (Some(asked), Some((from, _))) => Some(asked.min(EventTime(from))),
            (Some(asked), None) => Some(asked),
            (None, covered) => covered.map(|(from, _)| EventTime(extent.0.max(from))),
        };
        let to = match (self.filter.to, covered) {
            (Some(asked), Some((_, to))) => Some(asked.max(EventTime(to))),
            (Some(asked), None) => Some(asked),
            (None, covered) => covered.map(|_| EventTime(extent.1)),
        };
        (from, to)
    }

    /// The range that no raw event may be missing in: what is as of a time never changes, and what is left of it would.
    pub(crate) fn must_be_whole(&self) -> Option<Span> {
        let end = |end: Option<EventTime>, open| end.map_or(open, |end| end.0);
        self.as_of().map(|_| (end(self.filter.from, i64::MIN), end(self.filter.to, i64::MAX)))
    }

    /// Refuses it if some minutes of that range have lost raw events.
    pub(crate) fn refuse_gone(&self, gone: Option<(i64, i64)>) -> Result<(), StoreError> {
        gone.map_or(Ok(()), |gone| Err(raw_is_gone(gone, self.raw_only().unwrap_or("raw rows"))))
    }

    /// Whether, and by when, everything that it counts must have been logged.
    pub fn as_of(&self) -> Option<LogTime> {
        self.filter.logged_by
    }
}

fn refused<T>(why: String) -> Result<T, StoreError> {
    Err(StoreError::Refused(why))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_answered_is_refused_with_the_reason() {
        let by = |by: &[Field]| KpiQuestion { by: by.to_vec(), ..KpiQuestion::default() };
        let from = |level| KpiQuestion { source: Some(level), ..KpiQuestion::default() };
        let table = [
            (by(&Field::ALL), "6 fields to group by: at most 4 at once"),
            (by(&[Field::Service, Field::Service]), "grouped by `service` twice: name it once"),
            (KpiQuestion { step: Some(0), ..from(Level::Raw) }, "a step of 0 s: expected 1 s to 366 d"),
            (
                KpiQuestion { by: vec![Field::StatusCode], ..from(Level::Daily) },
                "daily rows do not know the status code; only raw events do",
            ),
            (
                KpiQuestion { step: Some(300), ..from(Level::Hourly) },
                "hourly rows cannot be cut into steps of 5m: use a multiple of 1h",
            ),
        ];
        for (question, expected) in table {
            match question.check() {
                Err(StoreError::Refused(why)) => assert_eq!(why, expected),
                other => panic!("{question:?}: {other:?}"),
            }
        }
        assert!(by(&[Field::Endpoint, Field::StatusCode]).check().is_ok());
    }
}
