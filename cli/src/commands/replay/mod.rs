//! `slipstream replay`: what happened, and what other definitions would have made of it.

mod progress;
mod show;

use std::process::ExitCode;

use anyhow::{Result, bail};
use jiff::Timestamp;
use slipstream_definitions::definition::Slo;
use slipstream_replay::engine::Progress;
use slipstream_replay::outcome::Clock;
use slipstream_replay::{Asked, ReplayError, Replayed, Sources, replay};
use slipstream_schemas::LogTime;

use crate::args::{ClockName, Replay};
use crate::{definitions, output, parts};

/// Replays, and prints what was found.
///
/// # Errors
/// When nothing is there, or it cannot be read.
pub async fn run(args: Replay) -> Result<ExitCode> {
    let config = args.place.load()?;
    let slos = given(&args)?;
    let log = parts::log_of(&config).await?;
    let (store, no_store) = match parts::store_of(&config).await {
        Ok(store) => (Some(store), None),
        Err(error) => (None, Some(error)),
    };
    let log_time = |at: Timestamp| LogTime(at.as_millisecond());
    let asked = Asked {
        clock: match args.clock {
            ClockName::Log => Clock::Log,
            ClockName::Event => Clock::Event,
        },
        from: args.from.map(log_time),
        to: args.to.map(log_time),
        step: args.step.map(|step| i64::try_from(step.as_secs()).unwrap_or(i64::MAX).max(1)),
        budgets: args.budgets,
        slos,
        threads: args.threads,
    };
    let progress = std::sync::Arc::new(Progress::default());
    let shown = progress::show(std::sync::Arc::clone(&progress));
    let found = replay(&Sources { log, store }, &asked, &progress).await;
    shown.end().await;
    if let Some(error) = no_store.filter(|_| lacks_something(&found)) {
        output::say(format!("without the store, which might have more: {}", output::causes(&error)));
    }
    let found = found?;
    if args.json {
        output::print_json(&found.outcome)?;
    } else {
        output::print(&show::text(&found.outcome))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Whether another source might have had more.
fn lacks_something(found: &Result<Replayed, ReplayError>) -> bool {
    match found {
        Ok(found) => !found.outcome.missing.is_empty(),
        Err(error) => matches!(error, ReplayError::Range(_)),
    }
}

/// The definitions that are given, if they have no errors.
fn given(args: &Replay) -> Result<Option<Vec<Slo>>> {
    if args.slos.is_empty() {
        return Ok(None);
    }
    let definitions::Definitions { loaded, skipped } = definitions::load(&args.slos)?;
    definitions::say_skipped(&skipped);
    if !loaded.is_valid() {
        output::say_as_is(
            slipstream_definitions::diagnostic::render(&loaded.diagnostics, output::colour_on_stderr()).trim_end(),
        );
        bail!("the definitions have errors");
    }
    Ok(Some(loaded.slos))
}
