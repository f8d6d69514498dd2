//! The result for hits, errors and latencies, in the contract's shape.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde::Serialize;
use slipstream_schemas::EventTime;

use super::{FieldValue, KpiQuestion, RowKey, Tally};
use crate::rollup::Sums;
use crate::text;

/// Hits, errors and latencies of a range; serialised as the contract has it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Kpis {
    /// Start of the range, RFC 3339; by default the time of the first event stored. Null if nothing is stored.
    pub from: Option<String>,
    /// End of the range; by default the time of the last event stored.
    pub to: Option<String>,
    /// Weight of all events.
    pub hits: u64,
    /// Weight of those with status 500 and above.
    pub errors: u64,
    /// errors / hits; 0 without hits.
    pub error_rate: f64,
    /// Average latency; null if none was measured.
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

/// One row of a result by field or step.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct KpiRow {
    /// The field's name and value, and `start` of the step, as requested.
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
    /// The result of an empty store.
    pub fn nothing(question: &KpiQuestion) -> Self {
        KpiAnswer::new(question, Tally::default(), (question.filter.from, question.filter.to), "rollups")
    }

    /// Converts the sums to the contract's shape. `range` is what the result covers.
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
