//! `slipstream query slos` and `slipstream slo status`.

use std::process::ExitCode;

use anyhow::Result;
use slipstream_query::Follower;
use slipstream_query::slos::SloStatus;
use slipstream_schemas::visible::visible;

use crate::args::Place;
use crate::{figures, output, parts};

/// Prints the status of the SLOs, worst budget first: from the log, so exact up to the last second that was tallied.
///
/// # Errors
/// When the log cannot be read.
pub async fn run(json: bool, from: &Place) -> Result<ExitCode> {
    let log = parts::log_of(&from.load()?).await?;
    let answer = Follower::open(log, parts::PROCESS).await?.slos()?;
    if json {
        output::print_json(&answer)?;
        return Ok(ExitCode::SUCCESS);
    }
    output::print(&table(&answer.slos))?;
    for slo in answer.slos.iter().filter(|slo| slo.too_late > 0) {
        output::say(too_late(slo));
    }
    if answer.slos.is_empty() {
        output::say("no SLOs yet; next: slipstream run --slos PATH");
    }
    Ok(ExitCode::SUCCESS)
}

/// What would else be seen nowhere but in the store.
fn too_late(slo: &SloStatus) -> String {
    let group: Vec<&str> = slo.group.iter().flat_map(|g| g.values().map(String::as_str)).collect();
    let name = [&[slo.name.as_str(), slo.objective.as_str()], &group[..]].concat().join(" ");
    let were = if slo.too_late == 1 { "was" } else { "were" };
    format!(
        "{}: {} {were} too old for any window and {were} not counted. Check their `time`: numbers are microseconds.",
        visible(&name),
        figures::events(slo.too_late)
    )
}

fn table(slos: &[SloStatus]) -> String {
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
            slo.target.map_or("?".to_owned(), figures::target),
            slo.window.clone().unwrap_or_default(),
            slo.sli.map_or("no traffic".to_owned(), |sli| figures::percent(sli, slo.target.as_slice())),
            evaluated(figures::rough_percent(slo.budget_remaining, &[])),
            evaluated(figures::left_of_budget(slo.unit, slo.budget_remaining, slo.budget_total)),
            figures::amount(slo.unit, slo.good),
            figures::amount(slo.unit, slo.total),
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
