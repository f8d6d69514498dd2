//! `slipstream query contributors`.

use std::process::ExitCode;

use anyhow::Result;
use slipstream_definitions::definition::OF_RULE;
use slipstream_query::History;
use slipstream_query::history::{ContributorQuestion, ContributorRow};

use super::answered;
use super::remote::{self, Params, given};
use crate::args::{AskedOf, Form};
use crate::{figures, output};

/// Prints who is behind the bad requests of an SLO.
///
/// # Errors
/// When whoever is asked has no answer.
pub async fn run(question: &ContributorQuestion, by: &str, form: Form, asked: &AskedOf) -> Result<ExitCode> {
    let here = async |history: History| Ok(history.contributors(question).await?);
    let path = format!("/slos/{}/contributors", remote::segment(&question.slo));
    let Some(answer) = answered(asked, form, (&path, params(question, by)), here).await? else {
        return Ok(ExitCode::SUCCESS);
    };
    let by = answer.by.to_uppercase();
    let head = [by.as_str(), "BAD", "TOTAL", "SHARE OF BAD"];
    let cells = |value: String, row: &ContributorRow| {
        vec![value, figures::count(row.bad), figures::count(row.total), format!("{:.2} %", row.share * 100.0)]
    };
    let rows = answer.contributors.iter().map(|row| cells(row.value.clone(), row));
    let others = answer.others.iter().map(|row| cells(format!("{} others", row.value), row));
    output::print(&output::table(&head, &head[1..], rows.chain(others)))?;
    output::say(format_args!(
        "{} of {} bad by {}, {} undecided; from {} to {}",
        figures::count(answer.bad),
        figures::events(answer.total),
        of(&answer.slo, &answer.objective),
        figures::count(answer.unknown),
        answer.from,
        answer.to
    ));
    Ok(ExitCode::SUCCESS)
}

/// An objective, or a Rule that counts for itself.
fn of(slo: &str, objective: &str) -> String {
    if objective == OF_RULE { format!("the Rule {slo}") } else { format!("{slo} {objective}") }
}

fn params(question: &ContributorQuestion, by: &str) -> Params {
    let mut params = Params::new();
    given(&mut params, "by", Some(by));
    given(&mut params, "objective", question.objective.as_ref());
    given(&mut params, "from", question.from.map(remote::time));
    given(&mut params, "to", question.to.map(remote::time));
    given(&mut params, "limit", Some(question.limit));
    params
}
