//! The endpoints that stand out.

use serde::Serialize;
use slipstream_query::history::{TopAnswer, TopRow};
use utoipa::ToSchema;

use super::{Example, Rows, at};

/// An endpoint, and how it fares.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Endpoint {
    /// Its service.
    pub service: String,
    /// Its environment.
    pub environment: String,
    /// Its name.
    pub endpoint: String,
    /// Its method.
    pub method: String,
    /// Requests.
    pub hits: u64,
    /// Those with status 500 and above.
    pub errors: u64,
    /// errors / hits.
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
    /// The share of the SLO's budget, as it is now, that its bad requests have spent; null unless an SLO was named.
    pub budget_spent: Option<f64>,
    /// Its bad requests by the SLO's measure; null unless an SLO was named.
    pub bad: Option<i64>,
}

/// Endpoints, in the order that was asked for.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Endpoints {
    /// Start of what is covered; null if nothing is stored.
    pub from: Option<String>,
    /// Its end.
    pub to: Option<String>,
    /// The endpoints.
    pub endpoints: Vec<Endpoint>,
    /// How many there are in all.
    pub endpoints_total: usize,
    /// What answered.
    pub source: String,
    /// Log time up to which the store has everything; null if it has nothing yet.
    pub as_of: Option<String>,
}

impl Endpoints {
    /// What was answered, and up to when that is known.
    pub fn new(answer: TopAnswer, as_of: Option<String>) -> Endpoints {
        let TopAnswer { from, to, endpoints, endpoints_total, source } = answer;
        let endpoints = endpoints.into_iter().map(Endpoint::from).collect();
        Endpoints { from, to, endpoints, endpoints_total, source, as_of }
    }
}

impl From<TopRow> for Endpoint {
    fn from(row: TopRow) -> Self {
        Endpoint {
            service: row.service,
            environment: row.environment,
            endpoint: row.endpoint,
            method: row.method,
            hits: row.hits,
            errors: row.errors,
            error_rate: row.error_rate,
            throughput: row.throughput,
            avg_latency_ms: row.avg_latency_ms,
            p50_latency_ms: row.p50_latency_ms,
            p95_latency_ms: row.p95_latency_ms,
            p99_latency_ms: row.p99_latency_ms,
            max_latency_ms: row.max_latency_ms,
            budget_spent: row.budget_spent,
            bad: row.bad,
        }
    }
}

impl Rows for Endpoints {
    const COLUMNS: &'static [&'static str] = &[
        "service",
        "environment",
        "endpoint",
        "method",
        "hits",
        "errors",
        "error_rate",
        "throughput",
        "avg_latency_ms",
        "p50_latency_ms",
        "p95_latency_ms",
        "p99_latency_ms",
        "max_latency_ms",
        "budget_spent",
        "bad",
    ];
    type Row = Endpoint;

    fn rows(&self) -> &[Endpoint] {
        &self.endpoints
    }

    fn as_of(&self) -> Option<&str> {
        self.as_of.as_deref()
    }
}

impl Example for Endpoints {
    fn example() -> Self {
        let endpoint = Endpoint {
            service: "payment".to_owned(),
            environment: "prod".to_owned(),
            endpoint: "/pay".to_owned(),
            method: "POST".to_owned(),
            hits: 36_000,
            errors: 90,
            error_rate: 0.0025,
            throughput: Some(10.0),
            avg_latency_ms: Some(48.2),
            p50_latency_ms: Some(31.7),
            p95_latency_ms: Some(140.9),
            p99_latency_ms: Some(402.1),
            max_latency_ms: Some(1_871.0),
            budget_spent: Some(0.35),
            bad: Some(63),
        };
        Endpoints {
            from: Some(at("09:00:00.000000")),
            to: Some(at("10:00:00.000000")),
            endpoints: vec![endpoint],
            endpoints_total: 5,
            source: "rollup".to_owned(),
            as_of: Some(at("10:00:02")),
        }
    }
}
