//! The result for hits, errors and latencies, in the contract's shape.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use slipstream_schemas::EventTime;

use super::{FieldValue, KpiQuestion, KpiSources, Names, RowKey, Tally};
use crate::rollup::Sums;
use crate::text;

/// Hits, errors and latencies of a range; serialised as the contract has it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
    /// Hits per second from `from` to `to`, or to the last event stored where that is earlier; null where that takes no time.
    pub throughput: Option<f64>,
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
    /// Which rows were read, coarsest first: `daily`, `hourly`, `rollup`, `raw`, or several, joined by `+`.
    pub source: String,
}

/// To eleven digits: the others depend on the order in which a database adds up, and the same question gives the same bytes.
fn rounded(value: f64) -> f64 {
    format!("{value:.10e}").parse().unwrap_or(value)
}

/// What a result covers; `None` if nothing is stored.
type Reported = (Option<EventTime>, Option<EventTime>);

impl Kpis {
    /// Reads the figures off the sums.
    pub fn new(sums: &Sums, range: Reported, last: Option<EventTime>, source: &str) -> Self {
        let latency = &sums.latency;
        let end = range.1.map(|to| last.map_or(to, |last| last.min(to)));
        let seconds = range.0.zip(end).map(|(from, to)| to.0.saturating_sub(from.0) as f64 / 1e6);
        let measured = |value: f64| (latency.count > 0).then_some(value);
        // The sketch knows buckets only; the true extremes bound what it reads.
        let quantile = |p| latency.sketch.quantile(p).map(|value: f64| value.max(latency.min).min(latency.max));
        Kpis {
            from: range.0.map(text::micros),
            to: range.1.map(text::micros),
            hits: sums.hits,
            errors: sums.errors,
            error_rate: if sums.hits == 0 { 0.0 } else { sums.errors as f64 / sums.hits as f64 },
            throughput: seconds.filter(|seconds| *seconds > 0.0).map(|seconds| sums.hits as f64 / seconds),
            avg_latency_ms: measured(rounded(latency.sum / latency.count as f64)),
            p50_latency_ms: quantile(0.5),
            p95_latency_ms: quantile(0.95),
            p99_latency_ms: quantile(0.99),
            max_latency_ms: measured(latency.max),
            source: source.to_owned(),
        }
    }
}

/// One row of a result by field or step.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct KpiRow {
    /// The fields' names and values, and `start` of the step, as requested.
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
    /// By fields (most hits first), by step, or both (by start, then values).
    Rows {
        /// The rows.
        rows: Vec<KpiRow>,
    },
}

impl KpiAnswer {
    /// The result of an empty store.
    pub fn nothing(question: &KpiQuestion) -> Self {
        let range = (question.filter.from, question.filter.to);
        KpiAnswer::new(question, Tally::new(question), &Names::new(), range, None, &KpiSources::default())
    }

    /// Converts the sums to the contract's shape. `range` is what the result covers, `last` the time of the last event stored.
    pub fn new(
        question: &KpiQuestion,
        tally: Tally<'_>,
        names: &Names,
        range: Reported,
        last: Option<EventTime>,
        sources: &KpiSources,
    ) -> Self {
        let source = sources.name();
        let mut rows = tally.rows(names);
        if question.by.is_empty() && question.step.is_none() {
            let sums = rows.remove(&RowKey::default()).unwrap_or_default();
            return KpiAnswer::Total(Kpis::new(&sums, range, last, &source));
        }
        let mut rows: Vec<(RowKey, Sums)> = rows.into_iter().filter(|(_, sums)| sums.hits > 0).collect();
        if question.step.is_none() {
            rows.sort_by_key(|(_, sums)| Reverse(sums.hits));
        }
        let rows = rows.into_iter().map(|(key, sums)| row(question, key, &sums, (range, last), &source)).collect();
        KpiAnswer::Rows { rows }
    }
}

fn row(
    question: &KpiQuestion,
    key: RowKey,
    sums: &Sums,
    (range, last): (Reported, Option<EventTime>),
    source: &str,
) -> KpiRow {
    let fields = question.by.iter().map(|field| field.name());
    let mut shown: BTreeMap<&'static str, FieldValue> = fields.zip(key.values).collect();
    let mut covered = range;
    if let (Some(start), Some(step)) = (key.start, question.step) {
        shown.insert("start", FieldValue::Text(text::micros(EventTime(start))));
        let end = EventTime(start + step * 1_000_000);
        covered = (range.0.max(Some(EventTime(start))), range.1.map_or(Some(end), |to| Some(to.min(end))));
    }
    KpiRow { key: shown, kpis: Kpis::new(sums, covered, last, source) }
}
