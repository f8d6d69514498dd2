//! The embedded pipeline: JSON lines into a fresh directory until every event is stored, tallied and evaluated.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use slipstream_schemas::codec;
use slipstream_schemas::event::RequestEvent;

use super::options::Options;
use super::slos;
use super::traffic::{Traffic, now};
use crate::table::Row;

const EVENTS: u64 = 1_000_000;
const GOAL: f64 = 200_000.0;
/// The events ended within this hour.
const SPREAD_US: i64 = 3_600_000_000;

/// A million events, or `--events` if that is fewer.
pub fn rows(options: &Options) -> Result<Vec<Row>> {
    let events = EVENTS.min(options.events);
    let home = tempfile::tempdir().context("creating a directory")?;
    let (lines, definitions) = (home.path().join("events.ndjson"), home.path().join("slos.yaml"));
    write(&lines, events)?;
    std::fs::write(&definitions, slos::documents(0)).context("writing definitions")?;
    let mut import = Command::new(options.program()?);
    import.args(["import", "--format", "json", "--json", "--data"]).arg(home.path().join("data"));
    import.arg("--slos").arg(&definitions).arg(&lines).stdin(Stdio::null());
    let began = Instant::now();
    let output = import.output().context("running slipstream import")?;
    let whole = began.elapsed().as_secs_f64();
    ensure!(output.status.success(), "slipstream import: {}", String::from_utf8_lossy(&output.stderr));
    let summary: Value = serde_json::from_slice(&output.stdout).context("the summary of slipstream import")?;
    let digested = summary["seconds"].as_f64().context("no seconds in the summary")?;
    let (rate, whole_rate) = (events as f64 / digested, events as f64 / whole);
    let what = format!("embedded: import of {:.1} M JSON lines until stored and tallied", events as f64 / 1e6);
    let figure = format!("{rate:.0} events/s (whole command, with the wait for evaluation: {whole_rate:.0})");
    Ok(vec![Row::new(what, figure, "200,000").against(format!("goal: {GOAL:.0} events/s"), rate / GOAL)])
}

fn write(path: &std::path::Path, events: u64) -> Result<()> {
    let mut out = BufWriter::new(File::create(path).context("creating a file of events")?);
    let (mut traffic, end) = (Traffic::new(7), now());
    for n in 0..events {
        let ended = end - SPREAD_US + (SPREAD_US as i128 * i128::from(n) / i128::from(events)) as i64;
        let (_, value) = traffic.next(ended);
        let event: RequestEvent = codec::decode(value).context("encoding an event")?;
        serde_json::to_writer(&mut out, &event).context("writing an event")?;
        out.write_all(b"\n").context("writing an event")?;
    }
    out.flush().context("writing events")
}
