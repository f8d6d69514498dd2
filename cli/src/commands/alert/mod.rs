//! `slipstream alert ...`: what alerts come to.

mod acknowledge;

use std::process::ExitCode;

use anyhow::Result;
use jiff::Timestamp;
use serde::Serialize;
use slipstream_alerter::ReceiverConfig;
use slipstream_alerter::notifier::payload::Status;
use slipstream_alerter::notifier::sample::{self, Told};
use slipstream_runtime::config::Config;

use crate::args::{Alert, Place};
use crate::wrong_use::WrongUse;
use crate::{logging, output, parts};

/// What a receiver made of a sample.
#[derive(Serialize)]
struct Verdict<'a> {
    receiver: &'a str,
    accepted: bool,
    answers: &'a [Told],
}

/// Runs a subcommand.
///
/// # Errors
/// When there is no such receiver, or it is configured wrongly.
pub async fn run(command: Alert, log_level: Option<String>) -> Result<ExitCode> {
    match command {
        Alert::Test { receiver, webhook, severity, json, place } => {
            test(receiver.as_deref(), webhook, &severity, json, &place).await
        }
        Alert::Ack { alert, owner, reason, withdraw, json, through } => {
            logging::init(log_level)?;
            let told = match withdraw {
                true => acknowledge::withdraw(&alert, &through).await?,
                false => acknowledge::acknowledge(&alert, owner, reason, &through).await?,
            };
            acknowledge::show(&told, withdraw, json)
        }
    }
}

async fn test(
    name: Option<&str>,
    webhook: Option<String>,
    severity: &str,
    json: bool,
    place: &Place,
) -> Result<ExitCode> {
    let config = place.load()?;
    let receiver = match webhook {
        Some(url) => ReceiverConfig::webhook("webhook", url),
        None => chosen(&config, name)?,
    };
    let links = parts::links(&config);
    let answers = sample::send(&receiver, &links, severity, Timestamp::now().as_second()).await?;
    let accepted = answers.iter().all(|told| told.accepted);
    if json {
        output::print_json(&Verdict { receiver: &receiver.name, accepted, answers: &answers })?;
    } else {
        output::print(&answers.iter().map(line).collect::<String>())?;
        let verdict = if accepted { "takes alerts" } else { "did not take it: see docs/receivers.md" };
        output::say(format_args!("receiver {} {verdict}", receiver.name));
    }
    Ok(if accepted { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// The receiver of that name, or the only one.
fn chosen(config: &Config, name: Option<&str>) -> Result<ReceiverConfig, WrongUse> {
    let names: Vec<&str> = config.receivers.iter().map(|receiver| receiver.name.as_str()).collect();
    let known = || format!("the configuration has {}", names.join(", "));
    let found = match (name, config.receivers.as_slice()) {
        (_, []) => {
            return Err(WrongUse("the configuration has no receivers: see --config, or use --webhook URL".to_owned()));
        }
        (None, [only]) => only,
        (None, _) => return Err(WrongUse(format!("which receiver? {}", known()))),
        (Some(name), all) => {
            let found = all.iter().find(|receiver| receiver.name == name);
            found.ok_or_else(|| WrongUse(format!("no receiver is named `{name}`: {}", known())))?
        }
    };
    Ok(found.clone().into())
}

/// `firing    200 in 12 ms: ok`.
fn line(told: &Told) -> String {
    let what = if told.what == Status::Firing { "firing" } else { "resolved" };
    let status = told.status.map_or("no answer".to_owned(), |status| status.to_string());
    let said = if told.said.is_empty() { String::new() } else { format!(": {}", told.said) };
    format!("{what:<9} {status} in {} ms{said}\n", told.latency_ms)
}
