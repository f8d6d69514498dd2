//! `slipstream replay`: what happened, and what other definitions would have made of it.

mod csv;
pub(super) mod progress;
mod show;
pub(super) mod stopping;
pub(super) mod store;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result};
use jiff::Timestamp;
use slipstream_definitions::definition::Slo;
use slipstream_log::SharedLog;
use slipstream_replay::engine::Progress;
use slipstream_replay::outcome::{AlertHistory, Clock, Outcome};
use slipstream_replay::report::{self, html};
use slipstream_replay::{Asked, Episode, ReplayError, Replayed, Sources, Told, episode, episode_by_event_time, replay};
use slipstream_schemas::LogTime;

use crate::args::{ClockName, Replay, as_argument};
use crate::session::Interrupted;
use crate::wrong_use::WrongUse;
use crate::{figures, output, parts};

/// Replays, and prints what was found.
///
/// # Errors
/// When nothing is there, it cannot be read, or a signal ended it early.
pub async fn run(args: Replay) -> Result<ExitCode> {
    let named = args.alert.as_deref().map(named_episode).transpose();
    let named = named.map_err(|wrong| WrongUse(format!("--alert {wrong}")))?;
    if named.is_some() && args.clock == ClockName::Log && (args.from.is_some() || args.to.is_some()) {
        let what = "--alert is around one alert: leave out --from and --to. With --clock event they say where it is looked for";
        return Err(WrongUse(what.to_owned()).into());
    }
    if let Some(folder) = args.report.as_deref().and_then(Path::parent).filter(|folder| !folder.as_os_str().is_empty())
    {
        std::fs::metadata(folder)
            .with_context(|| format!("--report: {} is no folder to write to", folder.display()))?;
    }
    let (config, loaded) = args.place.load_with(&args.slos)?;
    let slos = (!args.slos.is_empty()).then_some(loaded.slos);
    let log = parts::log_of(&config).await?;
    let (store, no_store) = store::open(&config).await;
    let sources = Sources { log, store };
    let progress = Arc::new(Progress::default());
    let shown = progress::show(Arc::clone(&progress));
    let work = async {
        let (mut asked, mut around) = (asked(&args, slos), None);
        if let Some(named) = named {
            let episode = find(&sources, &asked, named, &progress).await?;
            (asked, around) = (within(&args, asked, &episode), Some(episode));
        }
        Ok((replay(&sources, &asked, &progress).await?, around))
    };
    let done = stopping::on_signal(&progress, work).await;
    shown.end().await;
    no_store.say_if_missed(&done, |(found, _)| &found.told.outcome().missing);
    let (found, around) = done.map_err(stopping::interrupted)?;
    tell(&args, &found, around.as_ref(), &sources.log).await?;
    let Outcome { stopped, to, .. } = found.told.outcome();
    if *stopped || found.unlooked {
        let rest = match (stopped, found.unlooked) {
            (_, true) => "; whom alerts hit was not looked into",
            (true, false) => "; contributors, and the traffic of the last step, may have requests after it",
            (false, false) => "",
        };
        let said = format!("stopped: what is told ends at {to}{rest}");
        return Err(Interrupted::new(said).into());
    }
    Ok(ExitCode::SUCCESS)
}

fn asked(args: &Replay, slos: Option<Vec<Slo>>) -> Asked {
    let log_time = |at: Timestamp| LogTime(at.as_millisecond());
    Asked {
        clock: args.clock.into(),
        from: args.from.map(log_time),
        to: args.to.map(log_time),
        step: args.step.map(|step| i64::try_from(step.as_secs()).unwrap_or(i64::MAX).max(1)),
        budgets: args.budgets,
        slos,
        threads: args.threads,
    }
}

/// What was around an episode.
fn within(args: &Replay, asked: Asked, episode: &Episode) -> Asked {
    let second = |at: i64| LogTime(at.saturating_mul(1_000).max(0));
    let more = i64::try_from(args.around.as_secs()).unwrap_or(i64::MAX / 2_000);
    let (from, to) = (second(episode.episode - more), episode.end.map(|end| second(end + 1 + more)));
    Asked { from: Some(from), to: to.or(asked.to), ..asked }
}

/// The episode that is named: as the alerter published it, or as it would have been by event time.
async fn find(
    sources: &Sources,
    asked: &Asked,
    named: (&str, Option<i64>),
    progress: &Arc<Progress>,
) -> Result<Episode, ReplayError> {
    match asked.clock {
        Clock::Log => episode(sources.log.as_ref(), named).await,
        Clock::Event => episode_by_event_time(sources, asked, named, progress).await,
    }
}

/// What `ID` or `ID/EPISODE` names, or what was expected instead.
pub(super) fn named_episode(named: &str) -> Result<(&str, Option<i64>), String> {
    let Some((id, number)) = named.split_once('/') else { return Ok((named, None)) };
    let wrong = |_| format!("{named}: expected ID or ID/EPISODE, such as {id}/1769851800");
    Ok((id, Some(number.parse::<i64>().map_err(wrong)?)))
}

async fn tell(args: &Replay, found: &Replayed, around: Option<&Episode>, log: &SharedLog) -> Result<()> {
    // First: a reader of the text may have seen enough and close the pipe. If it cannot be written, the text is there all the same.
    let written = args.report.as_deref().map_or(Ok(()), |file| write_report(file, &found.told, around));
    if args.json {
        match &found.told {
            Told::One(outcome) => output::print_json(outcome)?,
            Told::Both(what_if) => output::print_json(what_if)?,
        }
    } else if args.csv {
        output::print(&csv::timelines(&found.told))?;
    } else {
        output::print(&show::text(&found.told, args.step.is_some(), around))?;
    }
    written?;
    let steps = found.told.outcome().step_seconds;
    if args.step.is_some_and(|step| step.as_secs() < steps.unsigned_abs()) {
        output::say(format_args!("steps are of {}: there would be too many shorter ones", figures::span(steps)));
    }
    match &args.report {
        Some(file) => output::say(format_args!("report: {}", file.display())),
        None => next(found.told.outcome(), args, log).await,
    }
    Ok(())
}

/// What one would do next: look into the first alert that fired. One that was not published then cannot be asked for, only the
/// range again.
async fn next(outcome: &Outcome, args: &Replay, log: &SharedLog) {
    let Some(alert) = outcome.alerts.iter().find(|alert| alert.episode.fired_at.is_some()) else { return };
    let (id, number) = (&alert.episode.id, alert.episode.episode);
    let is_whole = args.from.is_none() && args.to.is_none() && args.alert.is_none();
    match args.clock {
        ClockName::Log if episode(log.as_ref(), (id, Some(number))).await.is_ok() => {
            let place = args.place.flags();
            output::say(format_args!("next: slipstream replay --alert {id}/{number} --report incident.html{place}"));
        }
        ClockName::Event if is_whole => {
            output::say(format_args!("next: {} --alert {id}/{number} --report incident.html", command()));
        }
        ClockName::Log | ClockName::Event => output::say(format_args!("next: {} --report incident.html", command())),
    }
}

fn write_report(file: &Path, told: &Told, around: Option<&Episode>) -> Result<()> {
    let what_if = match told {
        Told::One(_) => None,
        Told::Both(what_if) => Some(what_if.as_ref()),
    };
    let focus = around.map(|found| format!("{}/{}", found.id, found.episode));
    let is_meant = |alert: &&AlertHistory| around.is_some_and(|found| found.is_of(&alert.episode));
    let of_focus = told.outcome().alerts.iter().find(is_meant);
    let title = of_focus.map_or("Replay".to_owned(), |alert| format!("Incident: {}", alert.episode.slo));
    let page = html(&report::Told {
        title: &title,
        outcome: told.outcome(),
        what_if,
        focus: focus.as_deref(),
        generated_by: concat!("slipstream ", env!("CARGO_PKG_VERSION")),
        command: &command(),
    });
    std::fs::write(file, page).with_context(|| format!("writing the report to {}", file.display()))
}

/// The command as it was given, to be given again.
fn command() -> String {
    let arguments = std::env::args_os().skip(1).map(|argument| as_argument(&argument.to_string_lossy()));
    std::iter::once("slipstream".to_owned()).chain(arguments).collect::<Vec<_>>().join(" ")
}
