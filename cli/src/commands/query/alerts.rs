//! `slipstream query alerts`.

use std::process::ExitCode;

use anyhow::Result;
use jiff::Timestamp;
use slipstream_schemas::LogTime;
use slipstream_slo::rule::words::figure;
use slipstream_store::alerts::{AlertEpisode, AlertFilter};

use super::history;
use crate::args::Place;
use crate::output;

/// Prints alerts and their states.
pub async fn run(filter: &AlertFilter, as_of: Option<Timestamp>, json: bool, place: &Place) -> Result<ExitCode> {
    let as_of = as_of.map(|at| LogTime(at.as_millisecond()));
    let answer = history(place).await?.alerts(filter, as_of).await?;
    if json {
        output::print_json(&answer)?;
        return Ok(ExitCode::SUCCESS);
    }
    output::print(&table(&answer.alerts))?;
    if answer.alerts.is_empty() {
        output::say("no alerts");
    }
    Ok(ExitCode::SUCCESS)
}

fn table(alerts: &[AlertEpisode]) -> String {
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
            alert.value.map_or("-".to_owned(), |burn| figure(burn, alert.threshold.as_slice())),
            alert.id.clone(),
        ]
    });
    output::table(&head, &["BURN RATE"], rows)
}
