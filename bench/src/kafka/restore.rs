//! A new owner of 25,000 series of burn: processor/examples/restore.rs, on this cluster.

use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use super::options::Options;
use crate::table::Row;

const SERIES: &str = "25000";
/// How long burn works on them before it dies.
const SECONDS: &str = "60";
const GOAL: &str = "10 s";

/// The example's result, or that it is not built.
pub fn rows(options: &Options) -> Result<Vec<Row>> {
    let what =
        "burn: a new owner of 25,000 series with 30 d of data, all four partitions at once, until it has their state";
    let program = options.program()?.with_file_name("examples").join("restore");
    if !program.exists() {
        return Ok(vec![Row::new(what, "not built: cargo build --release --example restore".to_owned(), GOAL)]);
    }
    // It creates its own topics.
    let mut restore = Command::new(program);
    restore.args([SERIES, SECONDS, &format!("kafka://{}", options.brokers)]);
    let output = restore.stdin(Stdio::null()).output().context("running the example")?;
    let said = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "the example failed: {said}{}", String::from_utf8_lossy(&output.stderr));
    let line = said.lines().find_map(|line| line.strip_prefix("all 4 partitions at once: "));
    Ok(vec![Row::new(what, line.context("no time in the example's output")?.to_owned(), GOAL)])
}
