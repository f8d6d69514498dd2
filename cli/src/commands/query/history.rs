//! `slipstream query history`.

use std::process::ExitCode;

use anyhow::Result;
use slipstream_query::History;
use slipstream_query::history::HistoryQuestion;

use super::answered;
use super::remote::{self, Params, given};
use crate::args::{AskedOf, Form};
use crate::{figures, output};

/// Prints how an SLO stood over time.
pub async fn run(question: &HistoryQuestion, form: Form, asked: &AskedOf) -> Result<ExitCode> {
    let here = async |history: History| Ok(history.points(question).await?);
    let path = format!("/slos/{}/history", remote::segment(&question.slo));
    let Some(answer) = answered(asked, form, (&path, params(question)), here).await? else {
        return Ok(ExitCode::SUCCESS);
    };
    let head = ["AT", "OBJECTIVE", "GROUP", "SLI", "BUDGET LEFT", "GOOD", "TOTAL", "BURN RATES", "COMPLETE"];
    let rows = answer.points.iter().map(|point| {
        let group: Vec<&str> = point.group.iter().flat_map(|group| group.values().map(String::as_str)).collect();
        let burn: Vec<String> = point.burn_rates.iter().map(|(window, burn)| format!("{window} {burn:.2}")).collect();
        vec![
            point.at.clone(),
            point.objective.clone(),
            group.join(", "),
            point.sli.map_or("no traffic".to_owned(), |sli| figures::percent(sli, &[])),
            figures::rough_percent(point.budget_remaining, &[]),
            figures::count(point.good),
            figures::count(point.total),
            burn.join(", "),
            if point.complete { "yes" } else { "no" }.to_owned(),
        ]
    });
    output::print(&output::table(&head, &["SLI", "BUDGET LEFT", "GOOD", "TOTAL"], rows))?;
    output::say(format_args!("{} points, a step of {}", answer.points.len(), answer.step));
    Ok(ExitCode::SUCCESS)
}

fn params(question: &HistoryQuestion) -> Params {
    let mut params = Params::new();
    given(&mut params, "from", Some(remote::second(question.from)));
    given(&mut params, "to", Some(remote::second(question.to)));
    given(&mut params, "step", question.step.map(|seconds| format!("{seconds}s")));
    given(&mut params, "objective", question.objective.as_ref());
    for (label, value) in &question.group {
        given(&mut params, &format!("group.{label}"), Some(value));
    }
    params
}
