//! `slipstream query ...`: ask the store, also while a process owns the directory.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use jiff::Timestamp;
use serde::Serialize;
use slipstream_query::slos::SloStatus;
use slipstream_schemas::{EventTime, RequestEvent};
use slipstream_store::alerts::{AlertEpisode, AlertFilter};
use slipstream_store::kpis::{Field, FieldValue, KpiAnswer, KpiQuestion, Kpis};
use slipstream_store::{Cursor, EventFilter, text};

use crate::args::{By, Place, Query, What};
use crate::{output, parts};

#[derive(Serialize)]
struct SloAnswer {
    slos: Vec<SloStatus>,
}

#[derive(Serialize)]
struct AlertAnswer {
    alerts: Vec<AlertEpisode>,
}

/// An event by the names of the schema, time in RFC 3339.
#[derive(Serialize)]
struct EventRow {
    time: String,
    #[serde(flatten)]
    event: EventFields,
}

#[derive(Serialize)]
struct EventFields {
    event_id: String,
    service: String,
    environment: String,
    endpoint: String,
    method: String,
    status_code: i32,
    latency_ms: Option<f64>,
    weight: i32,
    trace_id: Option<String>,
    user_ref: Option<String>,
    attributes: std::collections::BTreeMap<String, String>,
}

#[derive(Serialize)]
struct EventAnswer {
    events: Vec<EventRow>,
    next: Option<String>,
}

/// Runs a subcommand.
///
/// # Errors
/// When log or store cannot be read, or the question makes no sense.
pub async fn run(query: Query) -> Result<ExitCode> {
    match query {
        Query::Kpis { by, step, what } => kpis(by, step, &what).await,
        Query::Events { limit, after, what } => events(limit, after.as_deref(), &what).await,
        Query::Slos { json, from } => slos(json, &from).await,
        Query::Alerts { from, to, slo, json, place } => {
            let filter = AlertFilter {
                slo,
                from: from.map(Timestamp::as_second),
                to: to.map(Timestamp::as_second),
                ..AlertFilter::default()
            };
            alerts(&filter, json, &place).await
        }
    }
}

fn filter(what: &What) -> EventFilter {
    let micros = |t: Timestamp| EventTime(t.as_microsecond());
    EventFilter {
        service: what.service.clone(),
        environment: what.environment.clone(),
        endpoint: what.endpoint.clone(),
        method: what.method.clone(),
        status_code: what.status_code,
        from: what.from.map(micros),
        to: what.to.map(micros),
        ..EventFilter::default()
    }
}

async fn kpis(by: Option<By>, step: Option<Duration>, what: &What) -> Result<ExitCode> {
    let field = by.map(|by| match by {
        By::Service => Field::Service,
        By::Endpoint => Field::Endpoint,
        By::Method => Field::Method,
        By::StatusCode => Field::StatusCode,
    });
    let step = step.map(|s| i64::try_from(s.as_secs())).transpose().context("the step is too long")?;
    let question = KpiQuestion { filter: filter(what), by: field, step };
    let answer = parts::store_of(&what.place.load()?).await?.kpis(&question).await?;
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
            output::count(i64::try_from(kpis.hits).unwrap_or(i64::MAX)),
            output::count(i64::try_from(kpis.errors).unwrap_or(i64::MAX)),
            output::percent(kpis.error_rate),
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

async fn events(limit: usize, after: Option<&str>, what: &What) -> Result<ExitCode> {
    let after = after.map(str::parse::<Cursor>).transpose()?;
    let page = parts::store_of(&what.place.load()?).await?.events(&filter(what), limit, after).await?;
    let next = page.next.map(|cursor| cursor.to_string());
    if what.json {
        let events = page.events.into_iter().map(event_row).collect();
        output::print_json(&EventAnswer { events, next })?;
        return Ok(ExitCode::SUCCESS);
    }
    let rows = page.events.into_iter().map(|e| {
        let latency = e.latency_ms.map_or("-".to_owned(), |ms| format!("{ms:.1}"));
        vec![text::micros(e.time), e.service, e.method, e.endpoint, e.status_code.to_string(), latency, e.event_id]
    });
    let head = ["TIME", "SERVICE", "METHOD", "ENDPOINT", "STATUS", "LATENCY MS", "EVENT ID"];
    output::print(&output::table(&head, &["STATUS", "LATENCY MS"], rows))?;
    if let Some(next) = next {
        output::say(format_args!("next: the same with --after {next}"));
    }
    Ok(ExitCode::SUCCESS)
}

fn event_row(e: RequestEvent) -> EventRow {
    EventRow {
        time: text::micros(e.time),
        event: EventFields {
            event_id: e.event_id,
            service: e.service,
            environment: e.environment,
            endpoint: e.endpoint,
            method: e.method,
            status_code: e.status_code,
            latency_ms: e.latency_ms,
            weight: e.weight,
            trace_id: e.trace_id,
            user_ref: e.user_ref,
            attributes: e.attributes,
        },
    }
}

/// `query slos` and `slo status`: worst budget first.
///
/// # Errors
/// When the log cannot be read.
pub async fn slos(json: bool, from: &Place) -> Result<ExitCode> {
    let slos = parts::slo_status(&parts::log_of(&from.load()?).await?).await?;
    if json {
        output::print_json(&SloAnswer { slos })?;
        return Ok(ExitCode::SUCCESS);
    }
    output::print(&slo_table(&slos))?;
    if slos.is_empty() {
        output::say("no SLOs yet; next: slipstream run --slos PATH");
    }
    Ok(ExitCode::SUCCESS)
}

/// SLOs as a table.
pub fn slo_table(slos: &[SloStatus]) -> String {
    let head = [
        "SLO",
        "OBJECTIVE",
        "GROUP",
        "TARGET",
        "WINDOW",
        "SLI",
        "BUDGET LEFT",
        "OF BUDGET",
        "GOOD",
        "TOTAL",
        "AS OF",
        "COVERED",
        "COMPLETE",
    ];
    let right = ["TARGET", "WINDOW", "SLI", "BUDGET LEFT", "OF BUDGET", "GOOD", "TOTAL"];
    let rows = slos.iter().map(|slo| {
        let group: Vec<&str> = slo.group.iter().flat_map(|g| g.values().map(String::as_str)).collect();
        let evaluated = |text: String| if slo.total == 0 { "-".to_owned() } else { text };
        vec![
            slo.name.clone(),
            slo.objective.clone(),
            group.join(", "),
            slo.target.map_or("?".to_owned(), output::percent),
            slo.window.clone().unwrap_or_default(),
            slo.sli.map_or("no traffic".to_owned(), output::percent),
            evaluated(format!("{:.1} %", slo.budget_remaining * 100.0)),
            evaluated(output::left_of_budget(slo.unit, slo.budget_remaining, slo.budget_total)),
            output::amount(slo.unit, slo.good),
            output::amount(slo.unit, slo.total),
            slo.as_of.clone().unwrap_or("not yet".to_owned()),
            match &slo.covered_from {
                Some(from) if !slo.covers_period => format!("from {from}"),
                Some(_) => "whole".to_owned(),
                None => "-".to_owned(),
            },
            if slo.complete { "yes" } else { "no" }.to_owned(),
        ]
    });
    output::table(&head, &right, rows)
}

async fn alerts(filter: &AlertFilter, json: bool, place: &Place) -> Result<ExitCode> {
    let alerts = parts::store_of(&place.load()?).await?.alerts(filter).await?;
    if json {
        output::print_json(&AlertAnswer { alerts })?;
        return Ok(ExitCode::SUCCESS);
    }
    output::print(&alert_table(&alerts))?;
    if alerts.is_empty() {
        output::say("no alerts");
    }
    Ok(ExitCode::SUCCESS)
}

/// Alerts as a table.
pub fn alert_table(alerts: &[AlertEpisode]) -> String {
    let head = ["SLO", "OBJECTIVE", "GROUP", "SEVERITY", "STATE", "FIRED", "RESOLVED", "RULE", "BURN RATE", "ID"];
    let rows = alerts.iter().map(|alert| {
        let group: Vec<&str> = alert.group.values().map(String::as_str).collect();
        let time = |time: &Option<String>| time.clone().unwrap_or("-".to_owned());
        vec![
            alert.slo.clone(),
            alert.objective.clone(),
            group.join(", "),
            alert.severity.clone(),
            format!("{:?}", alert.state).to_lowercase(),
            time(&alert.fired_at),
            time(&alert.resolved_at),
            alert.rule.clone(),
            alert.value.map_or("-".to_owned(), |v| format!("{v:.1}")),
            alert.id.clone(),
        ]
    });
    output::table(&head, &["BURN RATE"], rows)
}
