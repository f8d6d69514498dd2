//! `slipstream-bench kafka`: what the roles do on a real Kafka, against references of the same run.
//!
//! Every measurement has its own topics and its own process, so that CPU time and memory are separate.
//! References run in the same run as what they are compared with. Figures only: nothing is asserted.

mod asked;
mod backlog;
mod burn;
mod embedded;
mod fill;
mod gateway;
mod hooks;
mod latency;
mod measured;
mod options;
mod pace;
pub mod place;
pub mod raw;
mod replay;
mod restore;
pub mod role;
mod scaling;
mod sink;
pub mod slos;
mod speed;
mod streams;
mod tally;
pub mod traffic;
pub mod usage;

use std::io::Write;

use anyhow::{Result, bail};
use clap::Parser;

use crate::database::Database;
use crate::questions;
use crate::table::{self, Row};
use options::Options;

/// Name of the subcommand.
pub const COMMAND: &str = "kafka";

const TIMESCALE: &str = "TimescaleDB";

/// Name, what it measures.
type Measurement = (&'static str, fn(&Options) -> Result<Vec<Row>>);

const MEASUREMENTS: [Measurement; 16] = [
    ("speed", speed::rows),
    ("replay", replay::rows),
    ("sink", sink::rows),
    ("hypertable", sink::hypertable),
    ("questions", questions_of_stores),
    ("partitions", scaling::partitions),
    ("definitions", scaling::definitions),
    ("backlog", backlog::rows),
    ("burn", burn::rows),
    ("restore", restore::rows),
    ("gateway", gateway::rows),
    ("latency", latency::healthy),
    ("beside", latency::beside),
    ("asked", asked::rows),
    ("crash", latency::crashed),
    ("embedded", embedded::rows),
];

/// Runs the selected measurements; prints rows as they are finished.
///
/// # Errors
/// When a measurement fails.
pub fn run(arguments: &[String]) -> Result<()> {
    let options = Options::parse_from(std::iter::once(&COMMAND.to_owned()).chain(arguments));
    let names = MEASUREMENTS.map(|(name, _)| name);
    if let Some(unknown) = options.only.iter().find(|name| !names.contains(&name.as_str())) {
        bail!("unknown measurement: {unknown}; measurements are {}", names.join(", "));
    }
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", table::HEAD)?;
    for (name, rows) in MEASUREMENTS {
        if options.only.is_empty() || options.only.iter().any(|only| only == name) {
            out.flush()?;
            for row in rows(&options)? {
                writeln!(out, "{row}")?;
            }
        }
    }
    Ok(())
}

/// Questions of a store that has `--events` of 31 days, in PostgreSQL and in hypertables: as they are written, and compressed as all
/// but the last days are.
fn questions_of_stores(options: &Options) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (n, (server, what)) in [(&options.postgres, "PostgreSQL"), (&options.timescale, TIMESCALE)].iter().enumerate() {
        let Some(server) = server else {
            rows.push(Row::new(format!("{what}: questions"), "no address".to_owned(), ""));
            continue;
        };
        let database = Database::make(server, n)?;
        let mut measure = || {
            rows.extend(questions::of_database(&database.url, what, Some(options.events))?);
            if *what == TIMESCALE {
                database.has_hypertable("rollups")?;
                database.compress()?;
                rows.extend(questions::of_database(&database.url, &format!("{what}, compressed"), None)?);
            }
            anyhow::Ok(())
        };
        let measured = measure();
        database.remove()?;
        measured?;
    }
    Ok(rows)
}
