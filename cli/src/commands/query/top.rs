//! `slipstream query top`.

use std::process::ExitCode;

use anyhow::Result;
use slipstream_query::History;
use slipstream_query::history::TopQuestion;

use super::answered;
use super::remote::{self, Params, given};
use crate::args::What;
use crate::{figures, output};

/// Prints the endpoints that stand out.
pub async fn run(question: &TopQuestion, what: &What) -> Result<ExitCode> {
    let here = async |history: History| Ok(history.top(question).await?);
    let answer = answered(&what.place, what.form, ("/endpoints/top", params(question)), here).await?;
    let Some(answer) = answer else { return Ok(ExitCode::SUCCESS) };
    let figures_of = ["HITS", "ERRORS", "ERROR RATE", "P50 MS", "P95 MS", "P99 MS"];
    let mut head = vec!["SERVICE", "METHOD", "ENDPOINT"];
    // Where there is but one environment, nobody asks for it.
    let of_several = answer.endpoints.iter().any(|row| row.environment != answer.endpoints[0].environment);
    head.extend(of_several.then_some("ENVIRONMENT"));
    let keys = head.len();
    head.extend(figures_of);
    // A Rule has no budget, and one that allows nothing cannot be spent.
    let of_budget = answer.endpoints.iter().any(|row| row.budget_spent.is_some());
    head.extend(question.slo.as_ref().map(|_| "BAD"));
    head.extend(of_budget.then_some("BUDGET SPENT"));
    let millis = |value: Option<f64>| value.map_or("-".to_owned(), |v| format!("{v:.1}"));
    let rows = answer.endpoints.iter().map(|row| {
        let mut cells = vec![row.service.clone(), row.method.clone(), row.endpoint.clone()];
        cells.extend(of_several.then(|| row.environment.clone()));
        cells.extend([
            figures::count(i64::try_from(row.hits).unwrap_or(i64::MAX)),
            figures::count(i64::try_from(row.errors).unwrap_or(i64::MAX)),
            figures::percent(row.error_rate, &[]),
            millis(row.p50_latency_ms),
            millis(row.p95_latency_ms),
            millis(row.p99_latency_ms),
        ]);
        if question.slo.is_some() {
            cells.push(row.bad.map_or("-".to_owned(), figures::count));
        }
        if of_budget {
            cells.push(row.budget_spent.map_or("-".to_owned(), |spent| figures::rough_percent(spent, &[])));
        }
        cells
    });
    output::print(&output::table(&head, &head[keys..], rows))?;
    if answer.endpoints_total > answer.endpoints.len() {
        let more = answer.endpoints_total - answer.endpoints.len();
        output::say(format_args!("{} more: --limit", figures::count(more as i64)));
    }
    Ok(ExitCode::SUCCESS)
}

fn params(question: &TopQuestion) -> Params {
    let mut params = remote::of_filter(&question.filter);
    given(&mut params, "sort", Some(question.sort.name()));
    given(&mut params, "limit", Some(question.limit));
    if let Some((slo, objective)) = &question.slo {
        given(&mut params, "slo", Some(slo));
        given(&mut params, "objective", objective.as_ref());
    }
    params
}
