//! What definitions cost: to load them, to match events against them, and to keep and evaluate their series.
//!
//! `slipstream-bench` runs every part in its own process, so that one does not warm or fill memory for the next, and
//! prints a table. Figures only: nothing is asserted, because a busy machine is not a bug. `slipstream-bench PART` runs
//! one. `slipstream-bench kafka` measures the roles on a real Kafka, `slipstream-bench hostile` a gateway among hostile
//! clients, `slipstream-bench replay` a replay of the embedded log, `slipstream-bench questions` questions of a store,
//! `slipstream-bench api` the API under load.

mod api;
mod database;
mod definitions;
mod hostile;
mod kafka;
mod load;
mod matching;
mod process;
mod questions;
mod replay;
mod series;
mod table;

use std::io::Write;
use std::process::Command;

use anyhow::{Context, bail};
use table::Row;

/// As in `slipstream`: references are not to be slower for their allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Name, what it measures.
type Part = (&'static str, fn() -> anyhow::Result<Vec<Row>>);

const PARTS: [Part; 4] =
    [("load", load::rows), ("matching", matching::rows), ("series", series::rings), ("slices", series::slices)];

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.split_first().map(|(name, rest)| (name.as_str(), rest)) {
        Some((kafka::COMMAND, rest)) => return kafka::run(rest),
        Some((replay::COMMAND, rest)) => return replay::run(rest),
        Some((questions::COMMAND, rest)) => return questions::run(rest),
        Some((hostile::COMMAND, rest)) => return hostile::run(rest),
        Some((api::COMMAND, rest)) => return api::run(rest),
        Some((kafka::raw::COMMAND, rest)) => {
            writeln!(std::io::stdout(), "{}", kafka::raw::run(rest)?)?;
            return Ok(());
        }
        _ => {}
    }
    let mut out = std::io::stdout().lock();
    match std::env::args().nth(1) {
        None => {
            writeln!(out, "{}", table::HEAD)?;
            out.flush()?;
            drop(out);
            PARTS.iter().try_for_each(|(name, _)| alone(name))
        }
        Some(name) => {
            let Some((_, rows)) = PARTS.iter().find(|(part, _)| *part == name) else {
                bail!("unknown part: {name}; parts are {}", PARTS.map(|(part, _)| part).join(", "));
            };
            for row in rows()? {
                writeln!(out, "{row}")?;
            }
            Ok(())
        }
    }
}

/// Runs a part in its own process.
fn alone(part: &str) -> anyhow::Result<()> {
    let program = std::env::current_exe().context("find this program")?;
    let status = Command::new(program).arg(part).status().with_context(|| format!("run the part {part}"))?;
    if !status.success() {
        bail!("the part {part} exited with {status}");
    }
    Ok(())
}
