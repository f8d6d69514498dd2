//! `slipstream query contributors`.

use std::process::ExitCode;

use anyhow::Result;
use slipstream_query::history::{ContributorQuestion, ContributorRow};

use crate::args::Place;
use crate::{figures, output};

/// Prints who is behind the bad requests of an SLO.
pub async fn run(question: &ContributorQuestion, json: bool, place: &Place) -> Result<ExitCode> {
    let answer = super::history(place).await?.contributors(question).await?;
    if json {
        output::print_json(&answer)?;
        return Ok(ExitCode::SUCCESS);
    }
    let by = answer.by.to_uppercase();
    let head = [by.as_str(), "BAD", "TOTAL", "SHARE OF BAD"];
    let cells = |value: String, row: &ContributorRow| {
        vec![value, figures::count(row.bad), figures::count(row.total), format!("{:.2} %", row.share * 100.0)]
    };
    let rows = answer.contributors.iter().map(|row| cells(row.value.clone(), row));
    let others = answer.others.iter().map(|row| cells(format!("{} others", row.value), row));
    output::print(&output::table(&head, &head[1..], rows.chain(others)))?;
    output::say(format_args!(
        "{} of {} bad by {} {}, {} undecided; from {} to {}",
        figures::count(answer.bad),
        figures::events(answer.total),
        answer.slo,
        answer.objective,
        figures::count(answer.unknown),
        answer.from,
        answer.to
    ));
    Ok(ExitCode::SUCCESS)
}
