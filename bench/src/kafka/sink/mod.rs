//! The sink into PostgreSQL, against bare binary COPY of the same rows into the same table: same schema, same index, one
//! connection, one transaction. Into a hypertable also against timescaledb-parallel-copy.

mod again;

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::fill::fill;
use super::options::Options;
use super::place::Place;
use super::role::Role;
use super::usage::Usage;
use crate::database::Database;
use crate::table::Row;
use again::Again;

const PARTITIONS: u32 = 4;
const WITHIN: Duration = Duration::from_secs(600);
const LOOK_EVERY: Duration = Duration::from_millis(20);
const STORED: (&str, &str) = ("slipstream_sink_records_total", "outcome=\"stored\"");
const GOAL: &str = "0.8";
const GOAL_OF_PEER: &str = "1";

/// A sixth of `--events`; the run of which the ratio is the middle one.
pub fn rows(options: &Options) -> Result<Vec<Row>> {
    let Some(server) = &options.postgres else { return Ok(vec![Row::new("sink", "no --postgres".to_owned(), GOAL)]) };
    measured(options, server, "sink into PostgreSQL", None)
}

/// The same into a hypertable of TimescaleDB.
pub fn hypertable(options: &Options) -> Result<Vec<Row>> {
    let what = "sink into a hypertable";
    let Some(server) = &options.timescale else { return Ok(vec![Row::new(what, "no --timescale".to_owned(), GOAL)]) };
    measured(options, server, what, Some(options.parallel_copy.as_deref()))
}

/// One of the runs.
struct Run {
    sink: Duration,
    usage: Usage,
    copy: Duration,
    /// timescaledb-parallel-copy, if there is one: as it comes, and with rows that stay rows.
    peer: Option<[Duration; 2]>,
}

/// `peer`: its program, where there is one; `None` of a table that it is not meant for.
fn measured(options: &Options, server: &str, what: &str, peer: Option<Option<&Path>>) -> Result<Vec<Row>> {
    let events = options.fewer();
    let mut place = Place::new(&options.brokers, &options.program()?, "sink", PARTITIONS)?;
    fill(&place, events)?;
    let mut runs = Vec::new();
    for n in 0..options.runs.max(1) {
        place.forget("sink")?;
        let database = Database::make(server, n)?;
        place.store = Some(database.url.clone());
        let (sink, usage) = stored(&place, events)?;
        if peer.is_some() {
            database.has_hypertable("events")?;
        }
        let again = Again::of(&database.url, events)?;
        let copy = again.copied()?;
        let file = place.home().join("rows.csv");
        let peer = peer.flatten().map(|program| again.copied_by(program, &file)).transpose()?;
        database.remove()?;
        runs.push(Run { sink, usage, copy, peer });
    }
    place.remove()?;
    let ratio = |run: &Run| run.copy.as_secs_f64() / run.sink.as_secs_f64();
    runs.sort_by(|a, b| ratio(a).total_cmp(&ratio(b)));
    let middle = &runs[runs.len() / 2];
    let rate = |took: Duration| events as f64 / took.as_secs_f64();
    let figure = format!(
        "{:.0} rows/s from its first commit, {:.2} CPU s/M, {} MiB",
        rate(middle.sink),
        middle.usage.cpu.as_secs_f64() * 1e6 / events as f64,
        middle.usage.peak >> 20
    );
    let name = format!("{what}, {:.1} M events, with rollups and redelivery", events as f64 / 1e6);
    let reference = format!("COPY BINARY of the same rows: {:.0} rows/s", rate(middle.copy));
    let mut rows = vec![Row::new(name, figure, GOAL).against(reference, ratio(middle))];
    if peer == Some(None) {
        rows.push(Row::new("timescaledb-parallel-copy", "no --parallel-copy".to_owned(), GOAL_OF_PEER));
    }
    for (n, how) in ["as it comes", "without direct compression"].into_iter().enumerate() {
        let mut took: Vec<Duration> = runs.iter().filter_map(|run| Some(run.peer?[n])).collect();
        took.sort_unstable();
        if let Some(took) = took.get(took.len() / 2) {
            let reference =
                format!("timescaledb-parallel-copy of the same rows as CSV, {how}: {:.0} rows/s", rate(*took));
            rows.push(
                Row::new("the same", format!("{:.0} rows/s", rate(middle.sink)), GOAL_OF_PEER)
                    .against(reference, took.as_secs_f64() / middle.sink.as_secs_f64()),
            );
        }
    }
    Ok(rows)
}

/// Lets the sink store all there is. The time is what all of it takes at the rate after the first commit.
fn stored(place: &Place, events: u64) -> Result<(Duration, Usage)> {
    let began = Instant::now();
    let mut role = Role::start(place, "sink", &[])?;
    let (mut first, mut done) = (None, 0);
    while done < events {
        role.runs()?;
        ensure!(began.elapsed() < WITHIN, "the sink stored only {done} of {events} events within {WITHIN:?}");
        std::thread::sleep(LOOK_EVERY);
        done = role.metric(STORED.0, STORED.1).unwrap_or(0.0) as u64;
        if done > 0 {
            first.get_or_insert((Instant::now(), done));
        }
    }
    let (at, before) = first.context("nothing was stored")?;
    let flowed = (events - before).max(1) as f64;
    let took = if before < events { at.elapsed() } else { began.elapsed() };
    let usage = role.usage()?;
    role.end()?;
    Ok((took.mul_f64(events as f64 / flowed.min(events as f64)), usage))
}
