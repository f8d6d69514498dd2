//! `slipstream query kpis`.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use slipstream_store::kpis::{Field, FieldValue, KpiAnswer, KpiQuestion, Kpis};

use super::{filter, history};
use crate::args::{By, What};
use crate::{figures, output};

/// Prints hits, errors and latencies.
pub async fn run(by: Option<By>, step: Option<Duration>, what: &What) -> Result<ExitCode> {
    let field = by.map(|by| match by {
        By::Service => Field::Service,
        By::Endpoint => Field::Endpoint,
        By::Method => Field::Method,
        By::StatusCode => Field::StatusCode,
    });
    let step = step.map(|s| i64::try_from(s.as_secs())).transpose().context("the step is too long")?;
    let question = KpiQuestion { filter: filter(what), by: field.into_iter().collect(), step, source: None };
    let answer = history(&what.place).await?.kpis(&question).await?;
    if what.json {
        output::print_json(&answer)?;
        return Ok(ExitCode::SUCCESS);
    }
    let (key, rows) = match answer {
        KpiAnswer::Total(total) => ("", vec![(String::new(), total)]),
        KpiAnswer::Rows { rows } => {
            let label = |value: &FieldValue| match value {
                FieldValue::Number(n) => n.to_string(),
                FieldValue::Text(text) => text.clone(),
            };
            let name = field.map_or("start", Field::name);
            (name, rows.into_iter().map(|row| (row.key.values().map(label).collect(), row.kpis)).collect())
        }
    };
    print_kpis(key, rows)?;
    Ok(ExitCode::SUCCESS)
}

fn print_kpis(key: &str, rows: Vec<(String, Kpis)>) -> Result<()> {
    let key = key.to_uppercase();
    let head = [key.as_str(), "HITS", "ERRORS", "ERROR RATE", "AVG MS", "P50 MS", "P95 MS", "P99 MS", "MAX MS"];
    let millis = |value: Option<f64>| value.map_or("-".to_owned(), |v| format!("{v:.1}"));
    let lines = rows.into_iter().map(|(key, kpis)| {
        vec![
            key,
            figures::count(i64::try_from(kpis.hits).unwrap_or(i64::MAX)),
            figures::count(i64::try_from(kpis.errors).unwrap_or(i64::MAX)),
            figures::percent(kpis.error_rate, &[]),
            millis(kpis.avg_latency_ms),
            millis(kpis.p50_latency_ms),
            millis(kpis.p95_latency_ms),
            millis(kpis.p99_latency_ms),
            millis(kpis.max_latency_ms),
        ]
    });
    output::print(&output::table(&head, &head[1..], lines))?;
    Ok(())
}
