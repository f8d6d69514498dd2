//! `slipstream query alerts`.

use std::process::ExitCode;

use anyhow::Result;
use jiff::Timestamp;
use slipstream_query::History;
use slipstream_query::history::AlertRow;
use slipstream_schemas::LogTime;
use slipstream_slo::rule::Kinds;
use slipstream_store::alerts::{AlertFilter, AlertState};

use super::answered;
use super::remote::{self, Params, given};
use crate::args::{AskedOf, Form};
use crate::{figures, output};

/// As many as a server tells at once.
const MOST: usize = 10_000;

/// Prints alerts and their states.
pub async fn run(filter: &AlertFilter, as_of: Option<Timestamp>, form: Form, asked: &AskedOf) -> Result<ExitCode> {
    let then = as_of.map(|at| LogTime(at.as_millisecond()));
    let here = async |history: History| Ok(history.alerts(filter, then).await?);
    let answer = answered(asked, form, ("/alerts", params(filter, as_of)), here).await?;
    let Some(answer) = answer else { return Ok(ExitCode::SUCCESS) };
    output::print(&table(&answer.alerts))?;
    match answer.alerts.len() {
        0 => output::say("no alerts"),
        n if Some(n) == filter.limit || filter.limit.is_none() && asked.server.is_some() && n == MOST => {
            output::say(format_args!("the newest {}; for others --limit, --from or --to", figures::count(n as i64)));
        }
        _ => {}
    }
    Ok(ExitCode::SUCCESS)
}

/// A line for each episode.
pub fn table(alerts: &[AlertRow]) -> String {
    let head = ["SLO", "OBJECTIVE", "GROUP", "SEVERITY", "STATE", "FIRED", "RESOLVED", "RULE", "VALUE", "OWNER", "ID"];
    let rows = alerts.iter().map(|AlertRow { episode: alert, acknowledged }| {
        let group: Vec<&str> = alert.group.values().map(String::as_str).collect();
        let time = |time: &Option<String>| time.clone().unwrap_or("-".to_owned());
        vec![
            alert.slo.clone(),
            alert.objective.clone(),
            group.join(", "),
            alert.severity.clone(),
            name(alert.state),
            time(&alert.fired_at),
            time(&alert.resolved_at),
            alert.rule.clone(),
            alert.value.map_or("-".to_owned(), |value| {
                Kinds::default().named(&alert.rule_kind).figure(value, alert.threshold)
            }),
            acknowledged.as_ref().map_or("-".to_owned(), |by| by.owner.clone()),
            alert.id.clone(),
        ]
    });
    output::table(&head, &["VALUE"], rows)
}

fn name(state: AlertState) -> String {
    format!("{state:?}").to_lowercase()
}

fn params(filter: &AlertFilter, as_of: Option<Timestamp>) -> Params {
    let mut params = Params::new();
    given(&mut params, "from", filter.from.map(remote::second));
    given(&mut params, "to", filter.to.map(remote::second));
    given(&mut params, "slo", filter.slo.as_ref());
    given(&mut params, "severity", filter.severity.as_ref());
    for state in &filter.states {
        given(&mut params, "state", Some(name(*state)));
    }
    given(&mut params, "as_of", as_of.map(remote::moment));
    given(&mut params, "limit", Some(filter.limit.unwrap_or(MOST)));
    params
}
