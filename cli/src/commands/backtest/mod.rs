//! `slipstream backtest`: how rules would have done, and which would fit.

mod labels;
mod show;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result};
use jiff::Timestamp;
use slipstream_definitions::duration;
use slipstream_definitions::openslo::Loaded;
use slipstream_replay::backtest::run::{Backtested, Backtesting, backtest};
use slipstream_replay::backtest::suggest::Wishes;
use slipstream_replay::engine::Progress;
use slipstream_replay::{Asked, Sources};
use slipstream_schemas::LogTime;

use super::replay::{progress, stopping, store};
use crate::args::Backtest;
use crate::place::both;
use crate::session::Interrupted;
use crate::{definitions, output, parts};

/// Tests definitions over the past, and prints how they did.
///
/// # Errors
/// When a file is wrong, nothing is there, or it cannot be read.
pub async fn run(args: Backtest) -> Result<ExitCode> {
    let config = args.place.load()?;
    // What is wrong with either is said at once.
    let (given, labels) = both(given(&args.slos), labels::labels(&args))?;
    let log = parts::log_of(&config).await?;
    let log_time = |at: Timestamp| LogTime(at.as_millisecond());
    let (slos, documents) = given.map_or((None, Vec::new()), |given| (Some(given.slos), given.documents));
    let asked = Asked {
        clock: args.clock.into(),
        from: args.from.map(log_time),
        to: args.to.map(log_time),
        slos,
        threads: args.threads,
        ..Asked::default()
    };
    let wishes = Wishes { most_false_a_week: args.max_false, keep_target: args.keep_target, ..Wishes::default() };
    let question = Backtesting { asked, documents, labels, suggest: args.suggest.then_some(wishes) };
    let progress = Arc::new(Progress::default());
    let shown = progress::show(Arc::clone(&progress));
    let (store, no_store) = store::open(&config).await;
    let sources = Sources { log, store };
    let found = stopping::on_signal(&progress, backtest(&sources, &question, &progress)).await;
    shown.end().await;
    no_store.say_if_missed(&found, |found| &found.missing);
    let found = found.map_err(stopping::interrupted)?;
    print(&args, &found)?;
    if found.stopped {
        return Err(Interrupted::new("stopped: what is told is of the part that was read").into());
    }
    Ok(ExitCode::SUCCESS)
}

fn print(args: &Backtest, found: &Backtested) -> Result<()> {
    let suggested = show::definitions(&found.backtest.suggestions);
    if let (Some(file), Some(suggested)) = (&args.out, &suggested) {
        write(file, suggested)?;
    }
    if args.json {
        output::print_json(found)?;
    } else {
        output::print(&show::text(found))?;
        if let Some(suggested) = suggested.as_ref().filter(|_| args.out.is_none()) {
            output::print(&format!("\n{suggested}"))?;
        }
    }
    output::say(next(args, suggested.is_some()));
    Ok(())
}

fn write(file: &Path, text: &str) -> Result<()> {
    std::fs::write(file, text).with_context(|| format!("writing {}", file.display()))
}

/// What one would do next.
fn next(args: &Backtest, suggested: bool) -> String {
    let flags = |name: &str, paths: &[PathBuf]| -> String {
        paths.iter().map(|path| format!(" --{name} {}", path.display())).collect()
    };
    let place = args.place.flags();
    match (&args.out, suggested) {
        (Some(file), true) => {
            format!("next: slipstream backtest --slos {}{}{place}", file.display(), held_against(args))
        }
        (_, true) => {
            "next: save the definitions above to a file, and check it with slipstream slo validate FILE".to_owned()
        }
        _ if args.suggest => "nothing is suggested that is not so already".to_owned(),
        _ => {
            let slos = flags("slos", &args.slos);
            let incidents = if args.incidents.is_some() { held_against(args) } else { " --incidents FILE".to_owned() };
            format!("next: slipstream backtest{slos}{incidents} --suggest{place}")
        }
    }
}

/// The flags about incidents, as they were given.
fn held_against(args: &Backtest) -> String {
    let file = |name: &str, path: &Option<PathBuf>| {
        path.iter().map(|path| format!(" --{name} {}", path.display())).collect::<String>()
    };
    let any = if args.any_service { " --any-service" } else { "" };
    let grace = duration::format(i64::try_from(args.grace.as_secs()).unwrap_or(i64::MAX));
    let incidents = file("incidents", &args.incidents) + &file("set-aside", &args.set_aside);
    if incidents.is_empty() { incidents } else { format!("{incidents} --grace {grace}{any}") }
}

/// The definitions that are given, if they have no errors.
fn given(paths: &[PathBuf]) -> Result<Option<Loaded>> {
    if paths.is_empty() { Ok(None) } else { definitions::load_right(paths).map(Some) }
}
