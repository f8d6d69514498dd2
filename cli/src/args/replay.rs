//! `slipstream replay`

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use jiff::Timestamp;
use slipstream_replay::outcome::Clock;

use super::place::Place;
use super::values::{duration, time};

/// `slipstream replay`
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  slipstream replay --from 2026-01-31T10:00:00Z --to 2026-01-31T11:00:00Z\n  \
    slipstream replay --alert 3f9c0a1b2c3d4e5f --around 30m --report incident.html\n  \
    slipstream replay --from 2026-01-31 --slos edited/ --json\n\n\
    Reads the requests again and computes SLIs, budgets, burn rates and alerts from them, exactly as the roles did. It\n\
    changes nothing and needs no running process. Times are log times: when the log took the requests. What the log has\n\
    removed is read from the store.\n\n\
    With --clock event it is as if an imported log had been live: requests are ordered by when they happened, times are those\n\
    times, and the newest definitions are in force from the start. Its alerts have other episodes than those that were published; give\n\
    --clock event with --alert to replay around one of them, which is looked for from --from to --to.")]
pub struct Replay {
    /// From this time: RFC 3339, or a date (its midnight in UTC) [default: the first request]
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub from: Option<Timestamp>,
    /// Up to this time [default: the last request]
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub to: Option<Timestamp>,
    /// Order requests by when the log took them, or by when they happened
    #[arg(long, value_enum, default_value = "log")]
    pub clock: ClockName,
    /// Around this alert: its id, or ID/EPISODE [default episode: the last one]
    #[arg(long, value_name = "ID[/EPISODE]")]
    pub alert: Option<String>,
    /// So much before the alert and after it
    #[arg(long, value_name = "DURATION", value_parser = duration, requires = "alert", default_value = "30m")]
    pub around: Duration,
    /// What if these definitions had been in force: files and directories, beside those of then
    #[arg(long, value_name = "PATH")]
    pub slos: Vec<PathBuf>,
    /// Show the timeline of each SLO, a row per this much time, and 10,000 at most [default: none as text, else about 120 rows]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub step: Option<Duration>,
    /// Read as far back as budgets reach, not only as far as the rules do
    #[arg(long)]
    pub budgets: bool,
    /// Write a report: one HTML file
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// Use so many threads [default: one for each core]
    #[arg(long, value_name = "N", value_parser = super::values::threads)]
    pub threads: Option<usize>,
    /// Print JSON
    #[arg(long, conflicts_with = "csv")]
    pub json: bool,
    /// Print the timeline as CSV
    #[arg(long)]
    pub csv: bool,
    /// Where from
    #[command(flatten)]
    pub place: Place,
}

/// Clocks of `replay --clock`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ClockName {
    /// When the log took it
    Log,
    /// When it happened
    Event,
}

impl From<ClockName> for Clock {
    fn from(name: ClockName) -> Clock {
        match name {
            ClockName::Log => Clock::Log,
            ClockName::Event => Clock::Event,
        }
    }
}
