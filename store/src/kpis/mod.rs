//! The query for hits, errors and latencies: which rows it reads, and its result.
//!
//! Whole minutes come from rollups; ragged edges, steps that cut minutes, and dimensions that rollups lack come from raw
//! events. Both add up in [`Sums`], so hits, errors, average and maximum are exact whichever served, and a quantile is
//! within the sketch's 1.1 % of the nearest rank.

mod answer;

use std::collections::BTreeMap;

use serde::Serialize;
use slipstream_schemas::EventTime;

pub use answer::{KpiAnswer, KpiRow, Kpis};

use crate::error::StoreError;
use crate::filter::EventFilter;
use crate::rollup::{MINUTE_US, Sums};
use crate::text;

/// The query.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KpiQuestion {
    /// Which events; its times bound the result.
    pub filter: EventFilter,
    /// A row per value of this field.
    pub by: Option<Field>,
    /// A row per step of so many seconds; steps begin at multiples of their length since 1970. Steps without events
    /// have no row.
    pub step: Option<i64>,
}

/// The fields to group by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Field {
    /// `service`
    Service,
    /// `environment`
    Environment,
    /// `endpoint`
    Endpoint,
    /// `method`
    Method,
    /// `status_code`
    StatusCode,
    /// `status_class`
    StatusClass,
}

impl Field {
    /// Every field, for listing them.
    pub const ALL: [Field; 6] =
        [Field::Service, Field::Environment, Field::Endpoint, Field::Method, Field::StatusCode, Field::StatusClass];

    /// Its name in results.
    pub fn name(self) -> &'static str {
        match self {
            Field::Service => "service",
            Field::Environment => "environment",
            Field::Endpoint => "endpoint",
            Field::Method => "method",
            Field::StatusCode => "status_code",
            Field::StatusClass => "status_class",
        }
    }
}

impl std::str::FromStr for Field {
    type Err = StoreError;

    fn from_str(text: &str) -> Result<Self, StoreError> {
        Field::ALL.into_iter().find(|field| field.name() == text).ok_or_else(|| {
            let names: Vec<&str> = Field::ALL.iter().map(|field| field.name()).collect();
            StoreError::Refused(format!("cannot group by `{text}`; use one of {}", names.join(", ")))
        })
    }
}

/// Value of a field, as the key of a row.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(untagged)]
pub enum FieldValue {
    /// Of a status code or class.
    Number(i64),
    /// Of the others.
    Text(String),
}

/// The key of a row.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct RowKey {
    /// Start of the step, microseconds.
    pub start: Option<i64>,
    /// Value of the field.
    pub value: Option<FieldValue>,
}

/// Which rows of the store a query reads. `[from, to)` in microseconds; they do not overlap and leave no gap.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KpiSources {
    /// Whole minutes `[from, to)` since 1970 from rollups.
    pub rollups: Option<(i64, i64)>,
    /// Ranges of event time from raw events.
    pub events: Vec<(i64, i64)>,
}

/// Times of the first and the last event, microseconds; if raw events are gone, bounds of their
/// minutes.
pub type Extent = (i64, i64);

impl KpiQuestion {
    /// Refuses invalid queries.
    pub fn check(&self) -> Result<(), StoreError> {
        if let (Some(from), Some(to)) = (self.filter.from, self.filter.to)
            && from > to
        {
            let (from, to) = (text::micros(from), text::micros(to));
            return Err(StoreError::Refused(format!("the range begins at {from}, after its end {to}: swap them")));
        }
        match self.step {
            Some(step) if !(1..=366 * 86_400).contains(&step) => {
                Err(StoreError::Refused(format!("a step of {step} s: expected 1 s to 366 d")))
            }
            _ => Ok(()),
        }
    }

    /// The requested range `[from, to)`, microseconds; open ends become those of what is stored, in whole minutes.
    pub fn range(&self, extent: Extent) -> (i64, i64) {
        let whole = |time: i64| time - time.rem_euclid(MINUTE_US);
        let from = self.filter.from.map_or(whole(extent.0), |from| from.0);
        (from, self.filter.to.map_or(whole(extent.1) + MINUTE_US, |to| to.0))
    }

    /// The range that the result covers: as requested, widened to whole minutes if their events are gone; the first or
    /// the last event stored if open.
    pub fn reported(&self, sources: &KpiSources, extent: Extent) -> (Option<EventTime>, Option<EventTime>) {
        let covered = sources.range();
        let from = match (self.filter.from, covered) {
            (Some(asked), Some((from, _))) => Some(asked.min(EventTime(from))),
            (Some(asked), None) => Some(asked),
            (None, covered) => covered.map(|_| EventTime(extent.0)),
        };
        let to = match (self.filter.to, covered) {
            (Some(asked), Some((_, to))) => Some(asked.max(EventTime(to))),
            (Some(asked), None) => Some(asked),
            (None, covered) => covered.map(|_| EventTime(extent.1)),
        };
        (from, to)
    }

    /// The rows for `[from, to)`. `raw_gone(minute)` says whether retention removed the raw events
    /// of a minute: the whole minute then comes from its rollup.
    pub fn sources(&self, from: i64, to: i64, raw_gone: impl Fn(i64) -> bool) -> KpiSources {
        if from >= to {
            return KpiSources::default();
        }
        let whole_steps = self.step.is_none_or(|step| step % 60 == 0);
        if !self.filter.fits_rollups() || self.by == Some(Field::StatusCode) || !whole_steps {
            return KpiSources { rollups: None, events: vec![(from, to)] };
        }
        let (mut first, mut end) = (from.div_euclid(MINUTE_US), to.div_euclid(MINUTE_US));
        let mut events = Vec::new();
        if from % MINUTE_US != 0 && !raw_gone(first) {
            first += 1;
            events.push((from, to.min(first * MINUTE_US)));
        }
        if to % MINUTE_US != 0 && end >= first {
            if raw_gone(end) {
                end += 1;
            } else {
                events.push((from.max(end * MINUTE_US), to));
            }
        }
        KpiSources { rollups: (first < end).then_some((first, end)), events }
    }

    /// Start of the step that an event time falls into.
    pub fn start_of(&self, time: i64) -> Option<i64> {
        self.step.map(|step| time - time.rem_euclid(step * 1_000_000))
    }
}

impl KpiSources {
    /// The source named in the result.
    pub fn source(&self) -> &'static str {
        match (&self.rollups, self.events.is_empty()) {
            (Some(_), false) => "rollups+events",
            (None, false) => "events",
            _ => "rollups",
        }
    }

    /// The range it covers, microseconds; `None` if it covers nothing.
    pub fn range(&self) -> Option<(i64, i64)> {
        let rollups = self.rollups.map(|(from, to)| (from * MINUTE_US, to * MINUTE_US));
        self.events.iter().copied().chain(rollups).reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
    }
}

/// Sums per row while a result is computed.
#[derive(Debug, Default)]
pub struct Tally {
    rows: BTreeMap<RowKey, Sums>,
}

impl Tally {
    /// The sums of a row.
    pub fn row(&mut self, key: RowKey) -> &mut Sums {
        self.rows.entry(key).or_default()
    }
}
