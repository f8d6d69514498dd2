//! Events that are brought in by a command: `slipstream import` and `slipstream simulate`.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, ValueEnum};

use super::place::Place;
use super::values::{duration, rate};

/// `slipstream import`
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  slipstream import --format combined --service web /var/log/nginx/access.log*\n  \
    slipstream import --format json events.ndjson.gz\n  \
    slipstream import --format json --log kafka://127.0.0.1:9092 events.ndjson.gz\n\n\
    Plain, gzip and zstd files are recognised. A file is known by its beginning: importing it again adds nothing,\n\
    an import that was killed continues, a file that has grown adds what is new.\n\
    On Kafka it returns when everything is acknowledged; the roles running there process it.")]
pub struct Import {
    /// Format of the lines
    #[arg(long, value_enum)]
    pub format: Format,
    /// Service for lines that do not name one; access logs never do
    #[arg(long, required_if_eq_any = [("format", "common"), ("format", "combined")])]
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub service: Option<String>,
    /// Environment for lines that do not name one
    #[arg(long, default_value = "")]
    pub environment: String,
    /// Shift times so that the last event is now
    #[arg(long)]
    pub shift_to_now: bool,
    /// SLO definitions to publish before the events (repeatable)
    #[arg(long, value_name = "PATH")]
    pub slos: Vec<PathBuf>,
    /// Print the summary as JSON
    #[arg(long)]
    pub json: bool,
    /// Files
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Where to
    #[command(flatten)]
    pub to: Place,
}

/// Formats of `import`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// NCSA common log format
    Common,
    /// NCSA combined log format (nginx, Apache), further quoted fields allowed
    Combined,
    /// One JSON event per line
    Json,
}

/// `slipstream simulate`
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  slipstream simulate --rate 1000 --for 60s --seed 7\n  \
    slipstream simulate --rate 1000 --for 60s --log kafka://127.0.0.1:9092\n\n\
    On Kafka it returns when everything is acknowledged; the roles running there process it.")]
pub struct Simulate {
    /// Requests per second
    #[arg(long, value_parser = rate, allow_negative_numbers = true)]
    pub rate: f64,
    /// For how long
    #[arg(long = "for", value_name = "DURATION", value_parser = duration)]
    pub span: Duration,
    /// The same seed gives the same requests
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Services, latencies and faults (YAML) [default: a shop of five services]
    #[arg(long, value_name = "FILE")]
    pub scenario: Option<PathBuf>,
    /// As fast as possible instead of in real time; the last event is now
    #[arg(long)]
    pub fast: bool,
    /// SLO definitions to publish before the events (repeatable)
    #[arg(long, value_name = "PATH")]
    pub slos: Vec<PathBuf>,
    /// Print the summary as JSON
    #[arg(long)]
    pub json: bool,
    /// Where to
    #[command(flatten)]
    pub to: Place,
}
