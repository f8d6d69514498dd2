//! `slipstream query alert`.

use std::process::ExitCode;

use anyhow::Result;
use slipstream_query::History;
use slipstream_query::history::{AlertDetail, TransitionRow};
use slipstream_slo::rule::Kinds;

use super::remote::{self, Answer, Params};
use super::{alerts, notifications, told};
use crate::args::AskedOf;
use crate::output;

/// Prints one alert with what happened to it.
///
/// # Errors
/// When whoever is asked has no answer.
pub async fn run(id: &str, json: bool, asked: &AskedOf) -> Result<ExitCode> {
    let here = async |history: History| Ok(history.alert(id).await?);
    let path = format!("/alerts/{}", remote::segment(id));
    let Some(alert) = told(asked, json, (&path, Params::new()), here, Answer::read).await? else {
        return Ok(ExitCode::SUCCESS);
    };
    let AlertDetail { episodes, transitions, notifications: sent } = alert;
    output::print(&alerts::table(&episodes))?;
    output::print(&format!("\n{}", steps(&transitions)))?;
    match sent.is_empty() {
        true => output::say("no notifications"),
        false => output::print(&format!("\n{}", notifications::table(&sent)))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn steps(transitions: &[TransitionRow]) -> String {
    let head = ["AT", "SEQ", "BECAME", "SEVERITY", "RULE", "VALUES", "COMPLETE"];
    let rows = transitions.iter().map(|step| {
        let kind = Kinds::default().named(&step.rule_kind);
        let values: Vec<String> =
            step.values.iter().map(|(name, value)| format!("{name} {}", kind.figure(*value, None))).collect();
        let or_dash = |text: &str| if text.is_empty() { "-".to_owned() } else { text.to_owned() };
        vec![
            step.at.clone(),
            step.seq.to_string(),
            format!("{:?}", step.kind).to_lowercase(),
            or_dash(&step.severity),
            or_dash(&step.rule),
            or_dash(&values.join(", ")),
            if step.complete { "yes" } else { "no" }.to_owned(),
        ]
    });
    output::table(&head, &["SEQ"], rows)
}
