//! `slipstream-bench replay`: a replay of the embedded log, what a second set of definitions adds to it, and DuckDB that
//! evaluates the same filters over the same events as JSON lines.
//!
//! Each is a process of its own, from its start to its end; they take turns, and the middle run of each is shown.

mod duckdb;
pub mod embedded;
mod lines;
mod options;

use std::io::Write;
use std::path::Path;

use anyhow::{Result, ensure};
use clap::Parser;

use crate::kafka::slos;
use crate::process::Spent;
use crate::table::{self, Row};
use duckdb::Copies;
use embedded::Embedded;
use options::Options;

/// Name of the subcommand.
pub const COMMAND: &str = "replay";

/// Runs it; prints rows.
///
/// # Errors
/// When a part fails.
pub fn run(arguments: &[String]) -> Result<()> {
    let options = Options::parse_from(std::iter::once(&COMMAND.to_owned()).chain(arguments));
    let home = tempfile::tempdir()?;
    let home = options.home.as_deref().unwrap_or(home.path());
    let embedded = Embedded::at(&options.program()?, home)?;
    if !embedded.is_filled() {
        embedded.define(&slos::documents(0))?;
        embedded.fill(options.events, options.rate)?;
    }
    let runs = (0..options.runs.max(1)).map(|_| once(&options, &embedded, home)).collect::<Result<Vec<Run>>>()?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", table::HEAD)?;
    for row in rows(&options, &runs) {
        writeln!(out, "{row}")?;
    }
    Ok(())
}

/// Each of them once.
struct Run {
    alone: Spent,
    what_if: Spent,
    /// One in which alerts fire all the time, so that all is read again to look into them.
    looking: Spent,
    /// With copies, and without.
    duckdb: Option<[Spent; 2]>,
}

fn once(options: &Options, embedded: &Embedded, home: &Path) -> Result<Run> {
    let events = options.events;
    let alone = embedded.replay(events, &options.threads())?;
    let what_if = |name: &str, documents: String| {
        let file = home.join(name);
        std::fs::write(&file, documents)?;
        embedded.replay(events, &[options.threads(), vec!["--slos".into(), file.into_os_string()]].concat())
    };
    let looking = what_if("strict.yaml", slos::strict())?;
    let what_if = what_if("edited.yaml", slos::edited())?;
    let duckdb = |python, copies| duckdb::measure(python, home, (events, options.rate), copies);
    let duckdb = match &options.duckdb {
        Some(python) => Some([duckdb(python, Copies::Count)?, duckdb(python, Copies::Dropped)?]),
        None => None,
    };
    Ok(Run { alone, what_if, looking, duckdb })
}

fn rows(options: &Options, runs: &[Run]) -> Vec<Row> {
    let events = options.events;
    let (alone, what_if) = (middle(runs.iter().map(|run| run.alone)), middle(runs.iter().map(|run| run.what_if)));
    let looking = middle(runs.iter().map(|run| run.looking));
    let times_alone =
        |of: fn(&Run) -> Spent| ratio(runs.iter().map(|run| of(run).took.as_secs_f64() / run.alone.took.as_secs_f64()));
    let what = format!("replay, embedded log, {} SLOs, {:.1} M events", slos::MATCHING, events as f64 / 1e6);
    let against = format!("alone: {:.2} s", alone.took.as_secs_f64());
    let mut rows = vec![
        Row::new(what, alone.shown(events), ""),
        Row::new("what-if, all definitions edited: time", what_if.shown(events), "1.3")
            .against(against.clone(), times_alone(|run| run.what_if)),
        Row::new("likewise, with alerts that fire all the time, each looked into: time", looking.shown(events), "")
            .against(against, times_alone(|run| run.looking)),
    ];
    let peers = [(0, "5", "the same filters over the events as JSON lines"), (1, "", "likewise, copies dropped")];
    for (n, goal, what) in peers {
        let times: Vec<(Spent, Spent)> = runs.iter().filter_map(|run| Some((run.duckdb?[n], run.alone))).collect();
        if times.is_empty() {
            continue;
        }
        let peer = middle(times.iter().map(|(peer, _)| *peer)).shown(events);
        let ratio = ratio(times.iter().map(|(peer, alone)| peer.took.as_secs_f64() / alone.took.as_secs_f64()));
        let what = format!("replay against DuckDB, {what}");
        rows.push(Row::new(what, alone.shown(events), goal).against(peer, ratio));
    }
    rows
}

/// The run with the middle time.
pub fn middle(runs: impl Iterator<Item = Spent>) -> Spent {
    let mut runs: Vec<Spent> = runs.collect();
    runs.sort_by_key(|spent| spent.took);
    runs[runs.len() / 2]
}

/// The middle one of the ratios of each run.
pub fn ratio(runs: impl Iterator<Item = f64>) -> f64 {
    let mut runs: Vec<f64> = runs.collect();
    runs.sort_by(f64::total_cmp);
    runs[runs.len() / 2]
}

/// An error if a run saw another number of events.
pub fn ensure_all(seen: u64, events: u64) -> Result<()> {
    ensure!(seen == events, "{seen} events were seen, not {events}");
    Ok(())
}
