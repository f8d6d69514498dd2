//! The peer: DuckDB evaluating the same filters over the same events as JSON lines, in its own process
//! (bench/peers/duckdb).

use std::fs::File;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use super::{ensure_all, lines};
use crate::process::{Spent, spend};

/// The program, as it was when this one was built.
const SUMS: &str = include_str!("../../peers/duckdb/sums.py");

/// Whether copies are dropped, as a replay does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Copies {
    /// All events count.
    Count,
    /// Of events with the same event_id one counts.
    Dropped,
}

/// Sums the events, which are written first if they are not there. `python` has the module duckdb.
///
/// # Errors
/// When it fails, or sees another number of events.
pub fn measure(python: &Path, home: &Path, (events, rate): (u64, u64), copies: Copies) -> Result<Spent> {
    let (file, script, printed) = (home.join("events.ndjson"), home.join("sums.py"), home.join("sums.txt"));
    if !file.exists() {
        lines::write(&file, (events, rate))?;
    }
    std::fs::write(&script, SUMS).context("writing the peer")?;
    let mut command = Command::new(python);
    command.arg(script).arg(file).args((copies == Copies::Dropped).then_some("once"));
    command.stdout(File::create(&printed).context("creating a file for the peer's sums")?);
    let spent = spend(&mut command)?;
    let seen = std::fs::read_to_string(&printed).context("reading the peer's sums")?;
    ensure_all(seen.trim().parse().with_context(|| format!("the peer said: {seen}"))?, events)?;
    Ok(spent)
}
