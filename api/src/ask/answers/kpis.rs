//! Hits, errors, latencies: in total, by fields, by steps of time.

use serde::Serialize;
use slipstream_store::kpis::{self, Field, FieldValue};
use utoipa::ToSchema;

use super::{Example, Rows, at};

/// The figures of some requests.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Kpis {
    /// Start of what is covered; null if nothing is stored.
    pub from: Option<String>,
    /// Its end.
    pub to: Option<String>,
    /// Weight of all requests.
    pub hits: u64,
    /// Weight of those with status 500 and above.
    pub errors: u64,
    /// errors / hits; 0 without hits.
    pub error_rate: f64,
    /// Requests per second over what is covered; null if that has no length.
    pub throughput: Option<f64>,
    /// Mean latency; null if none was measured.
    pub avg_latency_ms: Option<f64>,
    /// Median latency.
    pub p50_latency_ms: Option<f64>,
    /// 95th percentile.
    pub p95_latency_ms: Option<f64>,
    /// 99th percentile.
    pub p99_latency_ms: Option<f64>,
    /// Greatest latency.
    pub max_latency_ms: Option<f64>,
    /// What answered.
    pub source: String,
}

/// One row of an answer by fields or steps.
#[derive(Debug, Clone, PartialEq, Default, Serialize, ToSchema)]
pub struct Key {
    /// Start of the step, hour or day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start: Option<String>,
    /// Where rows are by service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// Where rows are by environment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// Where rows are by endpoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// Where rows are by method.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// Where rows are by status.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status_code: Option<i64>,
    /// Where rows are by class of status: 2 to 5.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status_class: Option<i64>,
}

/// One row.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct KpiRow {
    /// What it is of.
    #[serde(flatten)]
    pub key: Key,
    /// The figures.
    #[serde(flatten)]
    pub kpis: Kpis,
}

/// The figures in total.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct KpiTotal {
    /// The figures.
    #[serde(flatten)]
    pub kpis: Kpis,
    /// Log time up to which the store has everything; null if it has nothing yet.
    pub as_of: Option<String>,
}

/// Rows by fields, most hits first, or by steps.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct KpiRows {
    /// The rows.
    pub rows: Vec<KpiRow>,
    /// Log time up to which the store has everything; null if it has nothing yet.
    pub as_of: Option<String>,
}

/// One total, or rows if fields or steps were asked for.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(untagged)]
pub enum KpiAnswer {
    /// In total.
    Total(KpiTotal),
    /// In rows.
    Rows(KpiRows),
}

impl KpiAnswer {
    /// Up to when it is known.
    pub fn as_of(&self) -> Option<&str> {
        match self {
            KpiAnswer::Total(total) => total.as_of.as_deref(),
            KpiAnswer::Rows(rows) => rows.as_of.as_deref(),
        }
    }
}

impl From<kpis::Kpis> for Kpis {
    fn from(of: kpis::Kpis) -> Self {
        Kpis {
            from: of.from,
            to: of.to,
            hits: of.hits,
            errors: of.errors,
            error_rate: of.error_rate,
            throughput: of.throughput,
            avg_latency_ms: of.avg_latency_ms,
            p50_latency_ms: of.p50_latency_ms,
            p95_latency_ms: of.p95_latency_ms,
            p99_latency_ms: of.p99_latency_ms,
            max_latency_ms: of.max_latency_ms,
            source: of.source,
        }
    }
}

impl From<kpis::KpiRow> for KpiRow {
    fn from(row: kpis::KpiRow) -> Self {
        let mut key = Key::default();
        for (name, value) in row.key {
            match (Field::ALL.into_iter().find(|field| field.name() == name), value) {
                (Some(Field::Service), FieldValue::Text(text)) => key.service = Some(text),
                (Some(Field::Environment), FieldValue::Text(text)) => key.environment = Some(text),
                (Some(Field::Endpoint), FieldValue::Text(text)) => key.endpoint = Some(text),
                (Some(Field::Method), FieldValue::Text(text)) => key.method = Some(text),
                (Some(Field::StatusCode), FieldValue::Number(number)) => key.status_code = Some(number),
                (Some(Field::StatusClass), FieldValue::Number(number)) => key.status_class = Some(number),
                (None, FieldValue::Text(text)) => key.start = Some(text),
                _ => {}
            }
        }
        KpiRow { key, kpis: row.kpis.into() }
    }
}

impl KpiAnswer {
    /// What was answered, and up to when that is known.
    pub fn new(answer: kpis::KpiAnswer, as_of: Option<String>) -> KpiAnswer {
        match answer {
            kpis::KpiAnswer::Total(total) => KpiAnswer::Total(KpiTotal { kpis: total.into(), as_of }),
            kpis::KpiAnswer::Rows { rows } => {
                KpiAnswer::Rows(KpiRows { rows: rows.into_iter().map(KpiRow::from).collect(), as_of })
            }
        }
    }

    /// The total as a row without a key.
    pub fn into_rows(self) -> KpiRows {
        match self {
            KpiAnswer::Rows(rows) => rows,
            KpiAnswer::Total(KpiTotal { kpis, as_of }) => {
                KpiRows { rows: vec![KpiRow { key: Key::default(), kpis }], as_of }
            }
        }
    }
}

impl Rows for KpiRows {
    const COLUMNS: &'static [&'static str] = &[
        "start",
        "service",
        "environment",
        "endpoint",
        "method",
        "status_code",
        "status_class",
        "from",
        "to",
        "hits",
        "errors",
        "error_rate",
        "throughput",
        "avg_latency_ms",
        "p50_latency_ms",
        "p95_latency_ms",
        "p99_latency_ms",
        "max_latency_ms",
        "source",
    ];
    type Row = KpiRow;

    fn rows(&self) -> &[KpiRow] {
        &self.rows
    }

    fn as_of(&self) -> Option<&str> {
        self.as_of.as_deref()
    }
}

impl Example for Kpis {
    fn example() -> Self {
        Kpis {
            from: Some(at("09:00:00.000000")),
            to: Some(at("10:00:00.000000")),
            hits: 36_000,
            errors: 90,
            error_rate: 0.0025,
            throughput: Some(10.0),
            avg_latency_ms: Some(48.2),
            p50_latency_ms: Some(31.7),
            p95_latency_ms: Some(140.9),
            p99_latency_ms: Some(402.1),
            max_latency_ms: Some(1_871.0),
            source: "rollup".to_owned(),
        }
    }
}

impl Example for KpiRows {
    fn example() -> Self {
        let key = Key { start: Some(at("09:00:00.000000")), endpoint: Some("/pay".to_owned()), ..Key::default() };
        KpiRows { rows: vec![KpiRow { key, kpis: Kpis::example() }], as_of: Some(at("10:00:02")) }
    }
}

impl Example for KpiAnswer {
    fn example() -> Self {
        KpiAnswer::Total(KpiTotal { kpis: Kpis::example(), as_of: Some(at("10:00:02")) })
    }
}
