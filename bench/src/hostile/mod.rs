//! A gateway among hostile clients: what its process takes at most, and how long a good request waits meanwhile.
//!
//! `slipstream-bench hostile [PART...] [--program PATH] [--for SECONDS]` starts a `slipstream run` with all roles for each
//! kind of hostile client, lets that kind loose on it, and sends good requests one after the other: of a few events, and of a batch. On Linux only: resident
//! memory is what /proc says.

mod attack;
mod good;
mod kinds;
mod process;

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use clap::Parser;

use attack::Attack;
use good::{BATCHES, FEW, Good, Waited};
use kinds::Kind;
use process::Process;

/// The name of this part.
pub const COMMAND: &str = "hostile";

const HEAD: &str = "| hostile clients | what they do | peak memory | 10 good events: p50 | p99 | max | not 200 | \
5,000 good events: p50 | p99 | max | not 200 | their requests: taken, refused, cut off |\n\
|---|---|---|---|---|---|---|---|---|---|---|---|";

/// None of them may make the process larger, or a good request of a few events slower, than this.
const MEMORY_GOAL: u64 = 256 << 20;
const P99_GOAL: Duration = Duration::from_millis(100);

#[derive(Debug, Parser)]
#[command(name = COMMAND)]
struct Options {
    /// Kinds of clients; all, unless some are named
    kinds: Vec<String>,
    /// The program [default: slipstream next to this one]
    #[arg(long)]
    program: Option<PathBuf>,
    /// Seconds of each kind
    #[arg(long = "for", default_value_t = 12)]
    seconds: u64,
}

/// Runs the kinds and prints a row for each.
///
/// # Errors
/// When the program cannot be started, or ends.
pub fn run(arguments: &[String]) -> Result<()> {
    let options = Options::parse_from([COMMAND.to_owned()].iter().chain(arguments));
    let program = match &options.program {
        Some(program) => program.clone(),
        None => std::env::current_exe().context("finding this program")?.with_file_name("slipstream"),
    };
    ensure!(program.is_file(), "no {}: build it, or name it with --program", program.display());
    let all = kinds::all();
    if let Some(unknown) = options.kinds.iter().find(|name| all.iter().all(|kind| kind.name != **name)) {
        bail!("unknown kind: {unknown}; kinds are {}", all.map(|kind| kind.name).join(", "));
    }
    let mut out = std::io::stdout().lock();
    writeln!(out, "{HEAD}")?;
    let mut missed = Vec::new();
    for kind in all.iter().filter(|kind| options.kinds.is_empty() || options.kinds.iter().any(|n| n == kind.name)) {
        let row = measure(&program, kind, Duration::from_secs(options.seconds))?;
        writeln!(out, "{}", row.text)?;
        out.flush()?;
        if row.missed {
            missed.push(kind.name);
        }
    }
    writeln!(out)?;
    match missed.as_slice() {
        [] => writeln!(out, "within 256 MiB, and every p99 within 100 ms")?,
        missed => writeln!(out, "not within 256 MiB and 100 ms: {}", missed.join(", "))?,
    }
    Ok(())
}

struct Row {
    text: String,
    missed: bool,
}

fn measure(program: &std::path::Path, kind: &Kind, span: Duration) -> Result<Row> {
    let process = Process::start(program)?;
    let (few, batches) = (Good::begin(process.gateway(), FEW)?, Good::begin(process.gateway(), BATCHES)?);
    let attack = Attack::begin(kind, process.gateway())?;
    std::thread::sleep(span);
    let done = attack.end();
    let (few, batches) = (few.end()?, batches.end()?);
    let peak = process.peak()?;
    let text = format!(
        "| {} {} | {} | {} MiB | {} | {} | {}, {}, {} |",
        kind.clients,
        kind.name,
        kind.what,
        peak >> 20,
        waits(&few),
        waits(&batches),
        done.taken,
        done.refused,
        done.cut_off,
    );
    process.end()?;
    let is_slow = few.quantile(0.99) >= P99_GOAL || few.failed > 0;
    Ok(Row { text, missed: peak >= MEMORY_GOAL || is_slow })
}

fn waits(good: &Waited) -> String {
    let [p50, p99, max] = [0.5, 0.99, 1.0].map(|quantile| ms(good.quantile(quantile)));
    format!("{p50:.1} ms | {p99:.1} ms | {max:.0} ms | {} of {}", good.failed, good.requests())
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
