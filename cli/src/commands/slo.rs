//! `slipstream slo ...`: check, test and list definitions, and show their status.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use serde::Serialize;
use slipstream_definitions::definition::{Budgeting, COMPOSITE, Document, Ratio, Rule, Slo, Window};
use slipstream_definitions::diagnostic::{Diagnostic, render};
use slipstream_definitions::policy::BURN_RULE_SET;
use slipstream_query::definitions::{DefinitionAnswer, in_force, revisions};
use slipstream_slo::rule::Kinds;

use crate::place::flag;
use crate::{args, definitions, figures, output, parts};

#[derive(Serialize)]
struct Verdict {
    valid: bool,
    diagnostics: Vec<Diagnostic>,
    /// Files of directories that are not OpenSLO.
    skipped: Vec<String>,
}

/// Runs a subcommand.
///
/// # Errors
/// When files or the log cannot be read.
pub async fn run(command: args::Slo, log_level: Option<String>) -> Result<ExitCode> {
    match command {
        args::Slo::Validate { paths, json } => validate(&paths, json),
        args::Slo::Test { paths, filter, json } => super::slo_test::run(&paths, filter.as_deref(), json),
        args::Slo::List { paths, json, from } => list(&paths, json, &from).await,
        args::Slo::Status { as_of, form, from } => {
            super::query::heard(&from, log_level)?;
            super::query::slos::run(as_of, form, &from).await
        }
    }
}

fn validate(paths: &[PathBuf], json: bool) -> Result<ExitCode> {
    let definitions::Definitions { loaded, skipped } = definitions::load(paths)?;
    let valid = loaded.is_valid();
    let found = loaded.slos.iter().filter(|slo| slo.document == Document::Slo).count();
    // Those with series of their own, and those of SLOs.
    let sets = loaded.slos.iter().flat_map(|slo| slo.rules().map(move |rule| (&slo.name, &rule.rule_set)));
    let rules = sets.filter(|(_, rule_set)| *rule_set != BURN_RULE_SET).collect::<BTreeSet<_>>().len();
    let errors = loaded.diagnostics.iter().filter(|d| d.is_error()).count();
    let warnings = loaded.diagnostics.len() - errors;
    if json {
        output::enough(output::print_json(&Verdict { valid, diagnostics: loaded.diagnostics, skipped }))?;
    } else {
        output::enough(output::print_as_is(&render(&loaded.diagnostics, output::colour_on_stdout())))?;
        let verdict = if valid {
            let beside = if rules > 0 { format!(", {rules} Rule{}", plural(rules)) } else { String::new() };
            format!("valid: {found} SLO{}{beside}", plural(found))
        } else {
            format!("invalid: {errors} error{}", plural(errors))
        };
        let beside = if warnings > 0 { format!(", {warnings} warning{}", plural(warnings)) } else { String::new() };
        output::enough(output::print(&format!("{verdict}{beside}\n")))?;
        for (rule, inhibits) in loaded.slos.iter().flat_map(definitions::inhibiting).collect::<BTreeSet<_>>() {
            output::enough(output::print(&format!("  {rule} inhibits {inhibits}\n")))?;
        }
        definitions::say_skipped(&skipped);
        if valid && found + rules > 0 {
            let flags: String = paths.iter().map(|path| flag("slos", path)).collect();
            output::say(format_args!("next: slipstream run{flags}"));
        }
    }
    Ok(if valid { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

async fn list(paths: &[PathBuf], json: bool, from: &args::Place) -> Result<ExitCode> {
    let slos = if paths.is_empty() {
        in_force(&revisions(parts::log_of(&from.load()?).await?.as_ref()).await?)
    } else {
        definitions::load_right(paths)?.slos
    };
    if json {
        output::print_json(&DefinitionAnswer { slos })?;
        return Ok(ExitCode::SUCCESS);
    }
    let rows = slos.iter().flat_map(rows);
    let head = ["SLO", "SERVICE", "OBJECTIVE", "TARGET", "OF", "WINDOW", "GROUPED BY", "RULES"];
    output::print(&output::table(&head, &["TARGET"], rows))?;
    if slos.is_empty() {
        output::say("no SLOs yet; next: slipstream run --slos PATH");
    }
    Ok(ExitCode::SUCCESS)
}

/// A row for each objective, and one for a composite as a whole.
fn rows(slo: &Slo) -> Vec<Vec<String>> {
    let mut rows: Vec<_> = slo
        .objectives
        .iter()
        .map(|objective| row(slo, &objective.name, objective.target, counted(&objective.budgeting), &objective.rules))
        .collect();
    rows.extend(
        slo.composite
            .iter()
            .map(|composite| row(slo, COMPOSITE, composite.target, "all objectives".to_owned(), &composite.rules)),
    );
    rows
}

fn row(slo: &Slo, objective: &str, target: Ratio, of: String, rules: &[Rule]) -> Vec<String> {
    let group_by: Vec<&str> = slo.group_by.iter().map(|key| key.label()).collect();
    let rules: Vec<String> = rules.iter().map(describe).collect();
    if slo.document == Document::Rule {
        // It promises nothing.
        let none = || "-".to_owned();
        let (name, service, groups) = (slo.name.clone(), slo.service.clone(), group_by.join(", "));
        return vec![name, service, none(), none(), of, none(), groups, rules.join(", ")];
    }
    vec![
        slo.name.clone(),
        slo.service.clone(),
        objective.to_owned(),
        figures::target(share(target)),
        of,
        window(&slo.window),
        group_by.join(", "),
        rules.join(", "),
    ]
}

/// What a target is a share of.
fn counted(budgeting: &Budgeting) -> String {
    match budgeting {
        Budgeting::Occurrences => "requests".to_owned(),
        Budgeting::Timeslices { seconds, target } => {
            format!("{} slices of {}", figures::span(*seconds), figures::target(share(*target)))
        }
        Budgeting::RatioTimeslices { seconds } => format!("{} slices", figures::span(*seconds)),
    }
}

fn window(window: &Window) -> String {
    match window {
        Window::Rolling(seconds) => figures::span(*seconds),
        Window::Calendar(calendar) => format!("{} {}", calendar.duration(), calendar.zone()),
    }
}

fn describe(rule: &Rule) -> String {
    let inhibits = definitions::inhibits(rule).map_or_else(String::new, |text| format!(" (inhibits {text})"));
    format!("{} {}{inhibits}", rule.severity.name, Kinds::default().of(&rule.condition).words(&rule.condition))
}

fn share(ratio: Ratio) -> f64 {
    ratio.num as f64 / ratio.den as f64
}

fn plural(n: usize) -> &'static str {
    if n == 1 { "" } else { "s" }
}
