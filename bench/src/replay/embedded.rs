//! A data directory with definitions and events, and a replay of it.

use std::ffi::OsString;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use futures::stream::{FuturesUnordered, StreamExt};
use serde::Deserialize;
use slipstream_log::clock::{Clock, ManualClock};
use slipstream_log::sqlite::{LOG_FILE, SqliteLog, SqliteOptions};
use slipstream_log::{Log, LogError, Outgoing};
use slipstream_schemas::Topic;

use super::ensure_all;
use crate::kafka::place::wait;
use crate::kafka::role::Role;
use crate::kafka::traffic::{Traffic, now};
use crate::process::{Spent, spend};

const PATIENCE: Duration = Duration::from_secs(20);
/// Events that are published together, and how many such batches are under way.
const TOGETHER: u64 = 5_000;
const UNDER_WAY: usize = 4;
/// Seed of the events: the same ones in the log and as JSON lines.
pub const SEED: u64 = 7;
/// Where the events are complete: their number.
const FILLED: &str = "filled";

/// A data directory.
pub struct Embedded {
    program: PathBuf,
    home: PathBuf,
}

/// What a replay prints: by one set of definitions, or by two.
#[derive(Deserialize)]
#[serde(untagged)]
enum Printed {
    One { events: u64 },
    Both { before: Side },
}

#[derive(Deserialize)]
struct Side {
    events: u64,
}

impl Embedded {
    /// In a directory, which may have been filled before.
    ///
    /// # Errors
    /// When there is none and none can be made.
    pub fn at(program: &Path, home: &Path) -> Result<Embedded> {
        std::fs::create_dir_all(home).context("creating a directory")?;
        Ok(Embedded { program: program.to_owned(), home: home.to_owned() })
    }

    /// Whether its events are there.
    pub fn is_filled(&self) -> bool {
        self.home.join(FILLED).exists() && self.data().join(LOG_FILE).exists()
    }

    /// Its data directory.
    pub fn data(&self) -> PathBuf {
        self.home.join("data")
    }

    /// Publishes definitions and waits until they are in force.
    ///
    /// # Errors
    /// When the definitions are refused.
    pub fn define(&self, documents: &str) -> Result<()> {
        let file = self.home.join("slos.yaml");
        std::fs::write(&file, documents).context("writing definitions")?;
        let mut command = Command::new(&self.program);
        command.args(["run", "--roles", "notifier", "--data"]).arg(self.data()).arg("--slos").arg(file);
        let mut publisher = Role::launch(command, &self.home)?;
        publisher.ready(PATIENCE)?;
        publisher.end()
    }

    /// Publishes so many events, `rate` a second of log time, beginning now.
    ///
    /// # Errors
    /// When one of them is not published.
    pub fn fill(&self, events: u64, rate: u64) -> Result<()> {
        let begin = now();
        let mut traffic = Traffic::new(SEED);
        let batches = (0..events).step_by(TOGETHER as usize).map(|first| {
            let at = begin + (first * 1_000_000 / rate) as i64;
            let record = |_| {
                let (key, value) = traffic.next(at);
                (Bytes::copy_from_slice(key.as_bytes()), Bytes::copy_from_slice(value))
            };
            (at / 1_000, (first..events.min(first + TOGETHER)).map(record).collect())
        });
        wait(self.publish(batches))??;
        std::fs::write(self.home.join(FILLED), events.to_string()).context("noting the events")
    }

    /// Publishes batches of keys and values, each at a log time in milliseconds.
    ///
    /// # Errors
    /// When one of them is not published.
    pub async fn publish(&self, batches: impl Iterator<Item = (i64, Vec<(Bytes, Bytes)>)>) -> Result<()> {
        let clock = ManualClock::at(now() / 1_000);
        let options = SqliteOptions { clock: Clock::Manual(clock.clone()), ..SqliteOptions::default() };
        let log = SqliteLog::open(&self.data(), options)?;
        let mut under_way = FuturesUnordered::new();
        for (at, batch) in batches {
            clock.set(at);
            under_way.push(log.publish(batch.into_iter().map(outgoing).collect()));
            if under_way.len() >= UNDER_WAY {
                published(under_way.next().await)?;
            }
        }
        while let Some(done) = under_way.next().await {
            published(Some(done))?;
        }
        drop(under_way);
        log.close().await;
        Ok(())
    }

    /// Replays all of it in its own process.
    ///
    /// # Errors
    /// When that fails, or it sees another number of events.
    pub fn replay(&self, events: u64, arguments: &[OsString]) -> Result<Spent> {
        let mut command = Command::new(&self.program);
        command.args(["replay", "--json", "--data"]).arg(self.data()).args(arguments);
        replay(&mut command, &self.home, events)
    }
}

/// Runs a replay; what it prints is put into a directory.
///
/// # Errors
/// When it fails, or sees another number of events.
pub fn replay(command: &mut Command, home: &Path, events: u64) -> Result<Spent> {
    let printed = home.join("replay.json");
    command.stdout(File::create(&printed).context("creating a file for what a replay prints")?);
    let spent = spend(command)?;
    let printed = BufReader::new(File::open(&printed)?);
    let there = match serde_json::from_reader(printed).context("reading what a replay printed")? {
        Printed::One { events } | Printed::Both { before: Side { events } } => events,
    };
    ensure_all(there, events)?;
    Ok(spent)
}

fn outgoing((key, value): (Bytes, Bytes)) -> Outgoing {
    Outgoing { topic: Topic::RequestEvents, partition: None, key: Some(key), value: Some(value), headers: Vec::new() }
}

fn published<T>(done: Option<Result<T, LogError>>) -> Result<()> {
    let done = done.context("nothing was under way")?;
    ensure!(done.is_ok(), "publishing: {}", done.err().map_or_else(String::new, |error| error.to_string()));
    Ok(())
}
