//! The command line. Names and machine output are a contract; every command has an example in its help.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Parser, Subcommand, ValueEnum};
use jiff::Timestamp;

/// SLOs from the requests themselves: exact counts, burn rates and alerts, seconds after they happened.
#[derive(Debug, Parser)]
#[command(name = "slipstream", version, propagate_version = true, max_term_width = 100)]
#[command(
    after_help = "Examples:\n  slipstream demo\n  slipstream run --slos slos/ --webhook http://127.0.0.1:9093/hook\n\n\
    Exit codes: 0 done, 1 failed, 2 wrong use."
)]
pub struct Cli {
    /// What to do
    #[command(subcommand)]
    pub command: Command,
    /// How much to log: error, warn, info, debug, trace, or a filter such as info,slipstream_log=debug
    #[arg(long, global = true, env = "SLIPSTREAM_LOG_LEVEL", value_name = "LEVEL", help_heading = "Global options")]
    pub log_level: Option<String>,
}

/// Commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Everything in one process, with synthetic traffic, a fault, and the alert it causes
    Demo(Demo),
    /// The pipeline: gateway, tally, burn, sink, alerter and notifier
    Run(Run),
    /// Access logs and event files into events
    Import(Import),
    /// Seeded synthetic traffic
    Simulate(Simulate),
    /// Definitions: check, list, and see how they stand
    #[command(subcommand)]
    Slo(Slo),
    /// Ask the store
    #[command(subcommand)]
    Query(Query),
    /// Shell completions on standard output
    #[command(after_help = "Example:\n  slipstream completions bash > /etc/bash_completion.d/slipstream")]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

/// Where data lives.
#[derive(Debug, Clone, Args)]
pub struct Data {
    /// Directory of the embedded log and store
    #[arg(long, env = "SLIPSTREAM_DATA_DIR", default_value = "slipstream-data", value_name = "DIR")]
    pub data: PathBuf,
}

/// `slipstream demo`
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  slipstream demo\n  slipstream demo --headless --for 150s --json\n\n\
    On a terminal: Enter starts or ends the fault, Ctrl-C ends the demo.")]
pub struct Demo {
    /// End after this time [default: until Ctrl-C; headless: 150s]
    #[arg(long = "for", value_name = "DURATION", value_parser = duration)]
    pub span: Option<Duration>,
    /// No keys, no screen: for scripts
    #[arg(long)]
    pub headless: bool,
    /// A summary as JSON on standard output at the end
    #[arg(long)]
    pub json: bool,
    /// Keep the data here instead of in a temporary directory
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Requests per second
    #[arg(long, default_value_t = 100.0, value_parser = rate, allow_negative_numbers = true)]
    pub rate: f64,
    /// Seed of the traffic
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

/// `slipstream run`
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  slipstream run\n  slipstream run --slos slos/ --webhook http://127.0.0.1:9093/hook\n  \
    slipstream run --config slipstream.yaml\n\nFlags win over SLIPSTREAM_* variables, these over the file."
)]
pub struct Run {
    /// Configuration file (YAML)
    #[arg(long, env = "SLIPSTREAM_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Roles of this process, separated by commas: gateway, tally, burn, sink, alerter, notifier [default: all]
    #[arg(long, value_delimiter = ',', value_name = "ROLE")]
    pub roles: Vec<String>,
    /// Directory of the embedded log and store [default: slipstream-data]
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// The log: sqlite:DIR [default: under --data]
    #[arg(long, value_name = "ADDRESS")]
    pub log: Option<String>,
    /// The store: sqlite:DIR [default: under --data]
    #[arg(long, value_name = "ADDRESS")]
    pub store: Option<String>,
    /// Address of the gateway [default: 127.0.0.1:8480]
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<String>,
    /// Address of health and metrics [default: 127.0.0.1:8490]
    #[arg(long, value_name = "ADDR")]
    pub ops_listen: Option<String>,
    /// Definitions to publish at start: a file or a directory (repeatable)
    #[arg(long, value_name = "PATH")]
    pub slos: Vec<PathBuf>,
    /// Receiver of alerts in Alertmanager's webhook format (repeatable)
    #[arg(long, value_name = "URL")]
    pub webhook: Vec<String>,
}

/// `slipstream import`
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  slipstream import --format combined --service web /var/log/nginx/access.log*\n  \
    slipstream import --format json events.ndjson.gz\n\n\
    Plain, gzip and zstd files are recognised. A file is known by its beginning: a second import adds nothing,\n\
    one that was killed continues, one that has grown adds what is new.")]
pub struct Import {
    /// What the lines are
    #[arg(long, value_enum)]
    pub format: Format,
    /// Service of lines that do not name one; access logs never do
    #[arg(long, required_if_eq_any = [("format", "common"), ("format", "combined")])]
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub service: Option<String>,
    /// Environment of lines that do not name one
    #[arg(long, default_value = "")]
    pub environment: String,
    /// Move times so that the last event is now
    #[arg(long)]
    pub shift_to_now: bool,
    /// Definitions to publish before the events (repeatable)
    #[arg(long, value_name = "PATH")]
    pub slos: Vec<PathBuf>,
    /// The summary as JSON
    #[arg(long)]
    pub json: bool,
    /// Files
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Where to
    #[command(flatten)]
    pub to: Data,
}

/// Formats of `import`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// NCSA common log format
    Common,
    /// NCSA combined log format (nginx, Apache), further quoted fields allowed
    Combined,
    /// One event as JSON a line
    Json,
}

/// `slipstream simulate`
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  slipstream simulate --rate 1000 --for 60s --seed 7")]
pub struct Simulate {
    /// Requests per second
    #[arg(long, value_parser = rate, allow_negative_numbers = true)]
    pub rate: f64,
    /// For how long
    #[arg(long = "for", value_name = "DURATION", value_parser = duration)]
    pub span: Duration,
    /// The same seed makes the same requests
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Services, latencies and faults (YAML) [default: a shop of five services]
    #[arg(long, value_name = "FILE")]
    pub scenario: Option<PathBuf>,
    /// As fast as possible instead of in real time; the last event is now
    #[arg(long)]
    pub fast: bool,
    /// Definitions to publish before the events (repeatable)
    #[arg(long, value_name = "PATH")]
    pub slos: Vec<PathBuf>,
    /// The summary as JSON
    #[arg(long)]
    pub json: bool,
    /// Where to
    #[command(flatten)]
    pub to: Data,
}

/// `slipstream slo ...`
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:\n  slipstream slo validate slos/\n  slipstream slo status --data slipstream-data")]
pub enum Slo {
    /// Check definitions; every error at once, with its place
    #[command(after_help = "Example:\n  slipstream slo validate slos/")]
    Validate {
        /// Files and directories
        #[arg(required = true, value_name = "PATH")]
        paths: Vec<PathBuf>,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// List definitions: those in files, or those in force in a data directory
    #[command(after_help = "Examples:\n  slipstream slo list slos/\n  slipstream slo list --data slipstream-data")]
    List {
        /// Files and directories; none: the data directory
        #[arg(value_name = "PATH")]
        paths: Vec<PathBuf>,
        /// As JSON
        #[arg(long)]
        json: bool,
        /// Where from
        #[command(flatten)]
        from: Data,
    },
    /// How the SLOs stand, worst budget first
    #[command(after_help = "Example:\n  slipstream slo status --data slipstream-data")]
    Status {
        /// As JSON
        #[arg(long)]
        json: bool,
        /// Where from
        #[command(flatten)]
        from: Data,
    },
}

/// `slipstream query ...`
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:\n  slipstream query kpis --by service\n  slipstream query alerts --json")]
pub enum Query {
    /// Hits, errors and latencies
    #[command(after_help = "Examples:\n  slipstream query kpis --by service\n  \
        slipstream query kpis --service web --from 2026-01-31T10:00:00Z --to 2026-01-31T11:00:00Z --step 5m")]
    Kpis {
        /// One row for each value
        #[arg(long, value_enum, conflicts_with = "step")]
        by: Option<By>,
        /// One row for each step of time
        #[arg(long, value_name = "DURATION", value_parser = duration)]
        step: Option<Duration>,
        /// What to look at
        #[command(flatten)]
        what: What,
    },
    /// Stored events, oldest first
    #[command(after_help = "Example:\n  slipstream query events --service payment --status-code 503 --limit 20")]
    Events {
        /// How many at most
        #[arg(long, default_value = "100", value_parser = at_least_one)]
        limit: usize,
        /// Continue behind the `next` of an earlier answer
        #[arg(long, value_name = "CURSOR")]
        after: Option<String>,
        /// What to look at
        #[command(flatten)]
        what: What,
    },
    /// Where every SLO stands
    #[command(after_help = "Example:\n  slipstream query slos --json")]
    Slos {
        /// As JSON
        #[arg(long)]
        json: bool,
        /// Where from
        #[command(flatten)]
        from: Data,
    },
    /// Alerts and their states
    #[command(after_help = "Example:\n  slipstream query alerts --from 2026-01-31T00:00:00Z")]
    Alerts {
        /// Changed at or after
        #[arg(long, value_name = "TIME")]
        from: Option<Timestamp>,
        /// Changed before
        #[arg(long, value_name = "TIME")]
        to: Option<Timestamp>,
        /// Of this SLO
        #[arg(long)]
        slo: Option<String>,
        /// As JSON
        #[arg(long)]
        json: bool,
        /// Where from
        #[command(flatten)]
        data: Data,
    },
}

/// Filters of events.
#[derive(Debug, Clone, Args)]
pub struct What {
    /// Ended at or after (RFC 3339)
    #[arg(long, value_name = "TIME")]
    pub from: Option<Timestamp>,
    /// Ended before (RFC 3339)
    #[arg(long, value_name = "TIME")]
    pub to: Option<Timestamp>,
    /// Only this service
    #[arg(long)]
    pub service: Option<String>,
    /// Only this environment
    #[arg(long)]
    pub environment: Option<String>,
    /// Only this endpoint
    #[arg(long)]
    pub endpoint: Option<String>,
    /// Only this method
    #[arg(long)]
    pub method: Option<String>,
    /// Only this status
    #[arg(long)]
    pub status_code: Option<u16>,
    /// As JSON
    #[arg(long)]
    pub json: bool,
    /// Where from
    #[command(flatten)]
    pub data: Data,
}

/// Dimensions of `query kpis --by`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum By {
    /// The service
    Service,
    /// The endpoint
    Endpoint,
    /// The method
    Method,
    /// The status code
    StatusCode,
}

/// More than one process can make, so more than anybody means.
const MOST_PER_SECOND: f64 = 1_000_000.0;

/// Ten years: further back, times are no times of events.
const LONGEST: Duration = Duration::from_secs(3_660 * 86_400);

/// Requests per second.
fn rate(text: &str) -> Result<f64, String> {
    let rate = text.parse::<f64>().ok().filter(|rate| *rate > 0.0 && *rate <= MOST_PER_SECOND);
    rate.ok_or_else(|| "give a number above 0 and up to 1000000".to_owned())
}

/// A count that is not 0.
fn at_least_one(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|n| *n > 0).ok_or_else(|| "must be a whole number from 1 on".to_owned())
}

/// A duration as people write it: `90s`, `5m`, `2h`, `1h30m`.
fn duration(text: &str) -> Result<Duration, String> {
    let span: jiff::SignedDuration = text.parse().map_err(|e| format!("{e}; write it as 90s, 5m or 2h"))?;
    let sensible = |d: &Duration| !d.is_zero() && *d <= LONGEST;
    Duration::try_from(span).ok().filter(sensible).ok_or_else(|| "give more than 0 and up to ten years".to_owned())
}
