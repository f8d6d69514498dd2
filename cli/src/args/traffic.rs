//! Events that are brought in by a command: `slipstream import` and `slipstream simulate`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use slipstream_producer::import::LatencyField;

use super::place::Place;
use super::server::Server;
use super::values::{GATEWAY, duration, environment_name, rate, seed, service_name};

/// `slipstream import`
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  slipstream import --format combined --service web /var/log/nginx/access.log*\n  \
    slipstream import --format combined --service web \\\n      --latency-field last:s access.log.zst\n  \
    slipstream import --format json --log kafka://127.0.0.1:9092 events.ndjson\n  \
    kubectl logs web | slipstream import --format combined --service web -\n  \
    slipstream import --format json --to http://gateway:8480 events.ndjson.gz\n\n\
    Plain, gzip, zstd, xz and bzip2 files are recognised, whatever they are called. A file is known by its beginning\n\
    and recognised by what was read of it: importing it again adds nothing, an import that was killed continues, a file\n\
    that has grown adds what is new.\n\
    --latency-field: `last:s` is the last field of a line, in seconds (nginx's $request_time); `last-1:us` the one\n\
    before it, in microseconds (Apache's %D); `rt:ms` the value of rt=..., in milliseconds.\n\
    Where `slipstream run` owns the directory, and with --to, lines go through its gateway.\n\
    On Kafka and through a gateway it returns when everything is acknowledged; the roles running there process it.")]
pub struct Import {
    /// Format of the lines
    #[arg(long, value_enum)]
    pub format: Format,
    /// Service for lines that do not name one; access logs never do
    #[arg(long, required_if_eq_any = [("format", "common"), ("format", "combined")])]
    #[arg(value_parser = service_name)]
    pub service: Option<String>,
    /// Environment for lines that do not name one
    #[arg(long, default_value = "", value_parser = environment_name)]
    pub environment: String,
    /// The field of access-log lines that is the latency, and its unit (s, ms or us)
    #[arg(long, value_name = "FIELD:UNIT")]
    pub latency_field: Option<LatencyField>,
    /// Shift times so that the last event is now
    #[arg(long)]
    pub shift_to_now: bool,
    /// SLO definitions to publish before the events (repeatable)
    #[arg(long, value_name = "PATH")]
    pub slos: Vec<PathBuf>,
    /// Print the summary as JSON
    #[arg(long)]
    pub json: bool,
    /// Files; `-` is standard input
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Through the gateway at this address, which takes them into its installation
    #[arg(long = "to", value_name = "URL", value_parser = GATEWAY)]
    #[arg(conflicts_with_all = ["data", "log", "store", "slos"])]
    pub gateway: Option<String>,
    /// What it may ask for
    #[command(flatten)]
    pub server: Server,
    /// Where to
    #[command(flatten)]
    pub to: Place,
}

/// Formats of `import`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// NCSA common log format
    Common,
    /// NCSA combined log format (nginx, Apache), further fields allowed
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
    #[arg(long, default_value_t = 1, value_parser = seed)]
    pub seed: u64,
    /// Services, latencies and faults (YAML) [default: a shop of five services]
    #[arg(long, value_name = "FILE")]
    pub scenario: Option<PathBuf>,
    /// Generate as fast as possible instead of in real time; the last event is now
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
