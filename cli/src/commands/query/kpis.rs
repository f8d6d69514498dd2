//! `slipstream query kpis`.

use std::process::ExitCode;

use anyhow::Result;
use slipstream_store::kpis::{FieldValue, KpiAnswer, KpiQuestion, Kpis};

use super::history;
use crate::args::What;
use crate::{figures, output};

/// Prints hits, errors and latencies.
pub async fn run(question: &KpiQuestion, what: &What) -> Result<ExitCode> {
    let answer = history(&what.place).await?.kpis(question).await?;
    if what.json {
        output::print_json(&answer)?;
        return Ok(ExitCode::SUCCESS);
    }
    let (keys, rows) = match answer {
        KpiAnswer::Total(total) => (Vec::new(), vec![(Vec::new(), total)]),
        KpiAnswer::Rows { rows } => {
            let start = question.step.map(|_| "start");
            let keys: Vec<&str> = start.into_iter().chain(question.by.iter().map(|field| field.name())).collect();
            let values =
                |row: &slipstream_store::kpis::KpiRow| keys.iter().map(|key| label(row.key.get(key))).collect();
            let rows = rows.iter().map(|row| (values(row), row.kpis.clone())).collect();
            (keys, rows)
        }
    };
    let source = rows.first().map(|(_, kpis): &(Vec<String>, Kpis)| kpis.source.clone());
    print_kpis(&keys, rows)?;
    match source {
        Some(source) => output::say(format_args!("from {source} rows")),
        None => output::say("nothing fits"),
    }
    Ok(ExitCode::SUCCESS)
}

fn label(value: Option<&FieldValue>) -> String {
    match value {
        Some(FieldValue::Number(n)) => n.to_string(),
        Some(FieldValue::Text(text)) => text.clone(),
        None => String::new(),
    }
}

fn print_kpis(keys: &[&str], rows: Vec<(Vec<String>, Kpis)>) -> Result<()> {
    const FIGURES: [&str; 9] =
        ["HITS", "ERRORS", "ERROR RATE", "PER SECOND", "AVG MS", "P50 MS", "P95 MS", "P99 MS", "MAX MS"];
    let names: Vec<String> = keys.iter().map(|key| key.to_uppercase().replace('_', " ")).collect();
    let head: Vec<&str> = names.iter().map(String::as_str).chain(FIGURES).collect();
    let one_digit = |value: Option<f64>| value.map_or("-".to_owned(), |v| format!("{v:.1}"));
    let lines = rows.into_iter().map(|(keys, kpis)| {
        let figures = [
            figures::count(i64::try_from(kpis.hits).unwrap_or(i64::MAX)),
            figures::count(i64::try_from(kpis.errors).unwrap_or(i64::MAX)),
            figures::percent(kpis.error_rate, &[]),
            one_digit(kpis.throughput),
            one_digit(kpis.avg_latency_ms),
            one_digit(kpis.p50_latency_ms),
            one_digit(kpis.p95_latency_ms),
            one_digit(kpis.p99_latency_ms),
            one_digit(kpis.max_latency_ms),
        ];
        keys.into_iter().chain(figures).collect()
    });
    output::print(&output::table(&head, &FIGURES, lines))?;
    Ok(())
}
