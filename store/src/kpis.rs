//! The question for hits, errors and latencies, where its answer comes from, and how it reads.
//!
//! Whole minutes come from rollups; ragged edges, steps that cut minutes, and dimensions that rollups lack come from raw
//! events. Both add up in [`Sums`], so hits, errors, average and maximum are exact whichever served, and a quantile is
//! within the sketch's 1.1 % of the nearest rank.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde::Serialize;
use slipstream_schemas::EventTime;

use crate::filter::EventFilter;
use crate::port::StoreError;
use crate::rollup::{MINUTE_US, Sums};
use crate::text;

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KpiQuestion {
    /// Which events; its times bound the answer.
    pub filter: EventFilter,
    /// A row per value of this field.
    pub by: Option<Field>,
    /// A row per step of so many seconds; steps begin at multiples of their length since 1970. Steps without events
    /// have no row.
    pub step: Option<i64>,
}

/// What rows can be asked by.
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
    /// Every field, for a list of what can be asked.
    pub const ALL: [Field; 6] =
        [Field::Service, Field::Environment, Field::Endpoint, Field::Method, Field::StatusCode, Field::StatusClass];

    /// Its name in answers.
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
            StoreError::Refused(format!("`{text}` is no field to ask by: one of {}", names.join(", ")))
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

/// What tells rows apart.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct RowKey {
    /// Start of the step, microseconds.
    pub start: Option<i64>,
    /// Value of the field.
    pub value: Option<FieldValue>,
}

/// Which rows of the store answer a question. `[from, to)` in microseconds; they do not overlap and leave no gap.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// Whole minutes `[from, to)` since 1970 from rollups.
    pub rollups: Option<(i64, i64)>,
    /// Ranges of event time from raw events.
    pub events: Vec<(i64, i64)>,
}

/// Times of the first and the last event there is a trace of, microseconds; where raw events are gone, bounds of their
/// minutes.
pub type Extent = (i64, i64);

impl KpiQuestion {
    /// Refuses what makes no sense.
    pub fn check(&self) -> Result<(), StoreError> {
        if let (Some(from), Some(to)) = (self.filter.from, self.filter.to)
            && from > to
        {
            let (from, to) = (text::micros(from), text::micros(to));
            return Err(StoreError::Refused(format!("the range begins at {from}, after its end {to}: swap them")));
        }
        match self.step {
            Some(step) if !(1..=366 * 86_400).contains(&step) => {
                Err(StoreError::Refused(format!("a step of {step} s: give 1 s to 366 d")))
            }
            _ => Ok(()),
        }
    }

    /// The range `[from, to)` that is asked for, microseconds; open ends become those of what is stored, in whole minutes.
    pub fn range(&self, extent: Extent) -> (i64, i64) {
        let whole = |time: i64| time - time.rem_euclid(MINUTE_US);
        let from = self.filter.from.map_or(whole(extent.0), |from| from.0);
        (from, self.filter.to.map_or(whole(extent.1) + MINUTE_US, |to| to.0))
    }

    /// What the answer says it covers: what was asked, widened to whole minutes where their events are gone; the first or
    /// the last event stored where nothing was asked.
    pub fn reported(&self, plan: &Plan, extent: Extent) -> (Option<EventTime>, Option<EventTime>) {
        let covered = plan.range();
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

    /// Where the answer over `[from, to)` comes from. `raw_gone(minute)` says whether retention removed the raw events
    /// of a minute: the whole minute then comes from its rollup.
    pub fn plan(&self, from: i64, to: i64, raw_gone: impl Fn(i64) -> bool) -> Plan {
        if from >= to {
            return Plan::default();
        }
        let whole_steps = self.step.is_none_or(|step| step % 60 == 0);
        if !self.filter.fits_rollups() || self.by == Some(Field::StatusCode) || !whole_steps {
            return Plan { rollups: None, events: vec![(from, to)] };
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
        Plan { rollups: (first < end).then_some((first, end)), events }
    }

    /// Start of the step that an event time falls into.
    pub fn start_of(&self, time: i64) -> Option<i64> {
        self.step.map(|step| time - time.rem_euclid(step * 1_000_000))
    }
}

impl Plan {
    /// What the answer names as its source.
    pub fn source(&self) -> &'static str {
        match (&self.rollups, self.events.is_empty()) {
            (Some(_), false) => "rollups+events",
            (None, false) => "events",
            _ => "rollups",
        }
    }

    /// The range it covers, microseconds; none when it covers nothing.
    pub fn range(&self) -> Option<(i64, i64)> {
        let rollups = self.rollups.map(|(from, to)| (from * MINUTE_US, to * MINUTE_US));
        self.events.iter().copied().chain(rollups).reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
    }
}

/// Sums per row while an answer is worked out.
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

/// Hits, errors and latencies of a range; serialised as the contract has it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Kpis {
    /// Begin of the range, RFC 3339; without one asked for, the time of the first event stored. Null: nothing stored.
    pub from: Option<String>,
    /// End of the range; without one asked for, the time of the last event stored.
    pub to: Option<String>,
    /// Weight of all events.
    pub hits: u64,
    /// Weight of those with status 500 and above.
    pub errors: u64,
    /// errors / hits; 0 without hits.
    pub error_rate: f64,
    /// Average latency; null where none was measured.
    pub avg_latency_ms: Option<f64>,
    /// Median latency.
    pub p50_latency_ms: Option<f64>,
    /// 95th percentile.
    pub p95_latency_ms: Option<f64>,
    /// 99th percentile.
    pub p99_latency_ms: Option<f64>,
    /// Greatest latency.
    pub max_latency_ms: Option<f64>,
    /// `rollups`, `events` or `rollups+events`.
    pub source: &'static str,
}

impl Kpis {
    /// Reads the figures off the sums.
    pub fn new(sums: &Sums, range: (Option<EventTime>, Option<EventTime>), source: &'static str) -> Self {
        let latency = &sums.latency;
        let measured = |value: f64| (latency.count > 0).then_some(value);
        // The sketch knows buckets only; the true extremes bound what it reads.
        let quantile = |p| latency.sketch.quantile(p).map(|value: f64| value.max(latency.min).min(latency.max));
        Kpis {
            from: range.0.map(text::micros),
            to: range.1.map(text::micros),
            hits: sums.hits,
            errors: sums.errors,
            error_rate: if sums.hits == 0 { 0.0 } else { sums.errors as f64 / sums.hits as f64 },
            avg_latency_ms: measured(latency.sum / latency.count as f64),
            p50_latency_ms: quantile(0.5),
            p95_latency_ms: quantile(0.95),
            p99_latency_ms: quantile(0.99),
            max_latency_ms: measured(latency.max),
            source,
        }
    }
}

/// One row of an answer by field or step.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct KpiRow {
    /// The field's name and value, and `start` of the step: those that were asked for.
    #[serde(flatten)]
    pub key: BTreeMap<&'static str, FieldValue>,
    /// The figures.
    #[serde(flatten)]
    pub kpis: Kpis,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum KpiAnswer {
    /// In total.
    Total(Kpis),
    /// By field (most hits first), by step, or both (by start, then value).
    Rows {
        /// The rows.
        rows: Vec<KpiRow>,
    },
}

impl KpiAnswer {
    /// The answer of an empty store.
    pub fn nothing(question: &KpiQuestion) -> Self {
        KpiAnswer::new(question, Tally::default(), (question.filter.from, question.filter.to), "rollups")
    }

    /// Puts the sums in the contract's shape. `range` is what the answer covers.
    pub fn new(
        question: &KpiQuestion,
        mut tally: Tally,
        range: (Option<EventTime>, Option<EventTime>),
        source: &'static str,
    ) -> Self {
        if question.by.is_none() && question.step.is_none() {
            let sums = tally.rows.remove(&RowKey::default()).unwrap_or_default();
            return KpiAnswer::Total(Kpis::new(&sums, range, source));
        }
        let mut rows: Vec<(RowKey, Sums)> = tally.rows.into_iter().filter(|(_, sums)| sums.hits > 0).collect();
        if question.step.is_none() {
            rows.sort_by_key(|(_, sums)| Reverse(sums.hits));
        }
        let rows = rows.into_iter().map(|(key, sums)| row(question, key, &sums, range, source)).collect();
        KpiAnswer::Rows { rows }
    }
}

fn row(
    question: &KpiQuestion,
    key: RowKey,
    sums: &Sums,
    range: (Option<EventTime>, Option<EventTime>),
    source: &'static str,
) -> KpiRow {
    let mut shown = BTreeMap::new();
    if let (Some(field), Some(value)) = (question.by, key.value) {
        shown.insert(field.name(), value);
    }
    let mut covered = range;
    if let (Some(start), Some(step)) = (key.start, question.step) {
        shown.insert("start", FieldValue::Text(text::micros(EventTime(start))));
        let end = EventTime(start + step * 1_000_000);
        covered = (range.0.max(Some(EventTime(start))), range.1.map_or(Some(end), |to| Some(to.min(end))));
    }
    KpiRow { key: shown, kpis: Kpis::new(sums, covered, source) }
}
