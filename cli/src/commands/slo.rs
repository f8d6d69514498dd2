//! `slipstream slo ...`: check, test, list, and see how definitions stand.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};
use serde::Serialize;
use slipstream_slo::definition::{Condition, Objective, Ratio, Slo};
use slipstream_slo::diagnostic::{Diagnostic, render};
use slipstream_slo::openslo::load;

use crate::output;
use crate::{args, definitions, parts};

#[derive(Serialize)]
struct Verdict {
    valid: bool,
    diagnostics: Vec<Diagnostic>,
}

#[derive(Serialize)]
struct Listing {
    slos: Vec<Slo>,
}

/// Runs a subcommand.
///
/// # Errors
/// When files or the log cannot be read.
pub async fn run(command: args::Slo) -> Result<ExitCode> {
    match command {
        args::Slo::Validate { paths, json } => validate(&paths, json),
        args::Slo::Test { paths, filter, json } => super::slo_test::run(&paths, filter.as_deref(), json),
        args::Slo::List { paths, json, from } => list(&paths, json, &from).await,
        args::Slo::Status { json, from } => super::query::slos(json, &from).await,
    }
}

fn validate(paths: &[PathBuf], json: bool) -> Result<ExitCode> {
    let loaded = load(&definitions::read(paths)?);
    let valid = loaded.is_valid();
    let found = loaded.slos.len();
    let problems = loaded.diagnostics.iter().filter(|d| d.is_error()).count();
    if json {
        output::print_json(&Verdict { valid, diagnostics: loaded.diagnostics })?;
    } else {
        output::print(&render(&loaded.diagnostics, output::colour_on_stdout()))?;
        let verdict = match (valid, problems) {
            (true, _) => format!("valid: {found} SLO{}", plural(found)),
            (false, n) => format!("invalid: {n} error{}", plural(n)),
        };
        output::print(&format!("{verdict}\n"))?;
        if valid {
            let flags: Vec<String> = paths.iter().map(|path| format!(" --slos {}", path.display())).collect();
            output::say(format_args!("next: slipstream run{}", flags.concat()));
        }
    }
    Ok(if valid { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

async fn list(paths: &[PathBuf], json: bool, from: &args::Place) -> Result<ExitCode> {
    let slos = if paths.is_empty() {
        parts::definitions_in_force(parts::log_of(&from.load()?).await?.as_ref()).await?
    } else {
        let loaded = load(&definitions::read(paths)?);
        if !loaded.is_valid() {
            output::say(render(&loaded.diagnostics, output::colour_on_stderr()).trim_end());
            bail!("the definitions have errors");
        }
        loaded.slos
    };
    if json {
        output::print_json(&Listing { slos })?;
        return Ok(ExitCode::SUCCESS);
    }
    let rows = slos.iter().flat_map(|slo| slo.objectives.iter().map(move |objective| row(slo, objective)));
    let head = ["SLO", "SERVICE", "OBJECTIVE", "TARGET", "WINDOW", "GROUPED BY", "RULES"];
    output::print(&output::table(&head, &["TARGET", "WINDOW"], rows))?;
    if slos.is_empty() {
        output::say("no SLOs yet; next: slipstream run --slos PATH");
    }
    Ok(ExitCode::SUCCESS)
}

fn row(slo: &Slo, objective: &Objective) -> Vec<String> {
    let group_by: Vec<&str> = slo.group_by.iter().map(|key| key.label()).collect();
    let rules: Vec<String> =
        objective.rules.iter().map(|rule| describe(&rule.condition, &rule.severity.name)).collect();
    vec![
        slo.name.clone(),
        slo.service.clone(),
        objective.name.clone(),
        output::percent(share(objective.target)),
        output::span(slo.window.nominal_seconds()),
        group_by.join(", "),
        rules.join(", "),
    ]
}

fn describe(condition: &Condition, severity: &str) -> String {
    match condition {
        Condition::Burn { long, short, factor, .. } => {
            format!(
                "{severity} >{}x {}/{}",
                (share(*factor) * 1e4).round() / 1e4,
                output::span(*long),
                output::span(*short)
            )
        }
    }
}

fn share(ratio: Ratio) -> f64 {
    ratio.num as f64 / ratio.den as f64
}

fn plural(n: usize) -> &'static str {
    if n == 1 { "" } else { "s" }
}
