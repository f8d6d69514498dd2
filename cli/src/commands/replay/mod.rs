//! `slipstream replay`: what happened, and what other definitions would have made of it.

pub(super) mod progress;
mod show;

use std::process::ExitCode;

use anyhow::{Result, bail};
use jiff::Timestamp;
use slipstream_definitions::definition::Slo;
use slipstream_replay::engine::Progress;
use slipstream_replay::{Asked, replay};
use slipstream_schemas::LogTime;

use crate::args::Replay;
use crate::{definitions, output, parts};

/// Replays, and prints what was found.
///
/// # Errors
/// When nothing is there, or it cannot be read.
pub async fn run(args: Replay) -> Result<ExitCode> {
    let config = args.place.load()?;
    let slos = given(&args)?;
    let log = parts::log_of(&config).await?;
    let log_time = |at: Timestamp| LogTime(at.as_millisecond());
    let asked = Asked {
        from: args.from.map(log_time),
        to: args.to.map(log_time),
        step: args.step.map(|step| i64::try_from(step.as_secs()).unwrap_or(i64::MAX).max(1)),
        budgets: args.budgets,
        slos,
        threads: args.threads,
    };
    let progress = std::sync::Arc::new(Progress::default());
    let shown = progress::show(std::sync::Arc::clone(&progress));
    let found = replay(&log, &asked, &progress).await;
    shown.end().await;
    let found = found?;
    if args.json {
        output::print_json(&found.outcome)?;
    } else {
        output::print(&show::text(&found.outcome))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The definitions that are given, if they have no errors.
fn given(args: &Replay) -> Result<Option<Vec<Slo>>> {
    if args.slos.is_empty() {
        return Ok(None);
    }
    let definitions::Definitions { loaded, skipped } = definitions::load(&args.slos)?;
    definitions::say_skipped(&skipped);
    if !loaded.is_valid() {
        output::say_as_is(slipstream_definitions::diagnostic::render(&loaded.diagnostics, output::colour_on_stderr()).trim_end());
        bail!("the definitions have errors");
    }
    Ok(Some(loaded.slos))
}
