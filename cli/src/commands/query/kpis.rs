//! `slipstream query kpis`.

use std::process::ExitCode;

use anyhow::Result;
use serde_json::Value;
use slipstream_query::History;
use slipstream_store::kpis::{FieldValue, KpiAnswer, KpiQuestion, KpiRow, Kpis, Level};

use super::answered_as;
use super::remote::{self, Answer, Params, given};
use crate::args::{AskedOf, Form, What};
use crate::{figures, output};

/// Prints hits, errors and latencies.
pub async fn run(question: &KpiQuestion, what: &What) -> Result<ExitCode> {
    asked(question, ("/kpis", params(question)), what.form, &what.place).await
}

/// Prints the same hour by hour, or day by day, from aggregates of such.
pub async fn buckets(level: Level, question: KpiQuestion, form: Form, place: &AskedOf) -> Result<ExitCode> {
    // The path says step and source.
    let there = (format!("/{}", level.name()), params(&question));
    let question = KpiQuestion { step: Some(level.seconds()), source: Some(level), ..question };
    asked(&question, (&there.0, there.1), form, place).await
}

async fn asked(question: &KpiQuestion, there: (&str, Params), form: Form, place: &AskedOf) -> Result<ExitCode> {
    let here = async |history: History| Ok(history.kpis(question).await?);
    let answer = answered_as(place, form, there, here, |answer| read(question, answer)).await?;
    let Some(answer) = answer else { return Ok(ExitCode::SUCCESS) };
    let (keys, rows) = match answer {
        KpiAnswer::Total(total) => (Vec::new(), vec![(Vec::new(), total)]),
        KpiAnswer::Rows { rows } => {
            let keys: Vec<&str> = keys(question).collect();
            let values = |row: &KpiRow| keys.iter().map(|key| label(row.key.get(key))).collect();
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

/// What tells rows apart.
fn keys(question: &KpiQuestion) -> impl Iterator<Item = &'static str> {
    question.step.map(|_| "start").into_iter().chain(question.by.iter().map(|field| field.name()))
}

fn params(question: &KpiQuestion) -> Params {
    let mut params = remote::of_filter(&question.filter);
    for field in &question.by {
        given(&mut params, "by", Some(field.name()));
    }
    given(&mut params, "step", question.step.map(|seconds| format!("{seconds}s")));
    given(&mut params, "source", question.source.map(Level::name));
    params
}

/// A server's answer: rows have their keys beside their figures.
fn read(question: &KpiQuestion, answer: &Answer) -> Result<KpiAnswer> {
    let mut answer = answer.value()?;
    let Some(rows) = answer.get_mut("rows") else { return Ok(KpiAnswer::Total(serde_json::from_value(answer)?)) };
    let row = |row: Value| {
        let named = |name| Ok((name, serde_json::from_value(row[name].clone())?));
        let key = keys(question).map(named).collect::<Result<_>>()?;
        Ok(KpiRow { key, kpis: serde_json::from_value(row)? })
    };
    let rows: Vec<Value> = serde_json::from_value(rows.take())?;
    Ok(KpiAnswer::Rows { rows: rows.into_iter().map(row).collect::<Result<_>>()? })
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
