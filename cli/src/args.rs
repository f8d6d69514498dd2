//! The command line. Names and machine output are a contract; every command has an example in its help.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Parser, Subcommand, ValueEnum};
use jiff::Timestamp;
use slipstream_schemas::Topic;
use slipstream_schemas::topics::TOPICS;

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
    /// Definitions: check, test, list, and see how they stand
    #[command(subcommand)]
    Slo(Slo),
    /// Ask the store
    #[command(subcommand)]
    Query(Query),
    /// The topics of an installation on Kafka: make them, and see how they are
    #[command(subcommand)]
    Topics(Topics),
    /// Whether an installation is as it must be; each finding with what to do
    Doctor(Doctor),
    /// Shell completions on standard output
    #[command(after_help = "Example:\n  slipstream completions bash > /etc/bash_completion.d/slipstream")]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

/// Where an installation is: what is not given here comes from SLIPSTREAM_* variables and the configuration file.
#[derive(Debug, Clone, Args)]
pub struct Place {
    /// Configuration file (YAML)
    #[arg(long, env = "SLIPSTREAM_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Directory of the embedded log and store [default: slipstream-data]
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// The log: sqlite:DIR or kafka://host:port[,host:port] [default: under --data]
    #[arg(long, value_name = "ADDRESS")]
    pub log: Option<String>,
    /// The store: sqlite:DIR or postgres://user@host:port/database [default: under --data]
    #[arg(long, value_name = "ADDRESS")]
    pub store: Option<String>,
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
    slipstream run --config slipstream.yaml\n  \
    slipstream run --roles gateway,tally --log kafka://127.0.0.1:9092\n  \
    slipstream run --roles sink --log kafka://127.0.0.1:9092 --store postgres://slipstream@127.0.0.1/slipstream\n\nFlags win over SLIPSTREAM_* variables, these over the file."
)]
pub struct Run {
    /// Roles of this process, separated by commas: gateway, tally, burn, sink, alerter, notifier [default: all]
    #[arg(long, value_delimiter = ',', value_name = "ROLE")]
    pub roles: Vec<String>,
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
    /// Where the installation is
    #[command(flatten)]
    pub place: Place,
}

/// `slipstream import`
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  slipstream import --format combined --service web /var/log/nginx/access.log*\n  \
    slipstream import --format json events.ndjson.gz\n  \
    slipstream import --format json --log kafka://127.0.0.1:9092 events.ndjson.gz\n\n\
    Plain, gzip and zstd files are recognised. A file is known by its beginning: a second import adds nothing,\n\
    one that was killed continues, one that has grown adds what is new.\n\
    On Kafka it returns when everything is acknowledged; the roles that run there digest it.")]
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
    pub to: Place,
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
#[command(after_help = "Examples:\n  slipstream simulate --rate 1000 --for 60s --seed 7\n  \
    slipstream simulate --rate 1000 --for 60s --log kafka://127.0.0.1:9092\n\n\
    On Kafka it returns when everything is acknowledged; the roles that run there digest it.")]
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
    pub to: Place,
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
    /// Run the unit tests of definitions: the files NAME.test.yaml beside them
    #[command(after_help = "Examples:\n  slipstream slo test slos/\n  \
        slipstream slo test slos/payment.test.yaml --filter outage\n\n\
        A test gives traffic (`100/s POST /pay for 2h`, `20 % 500 on /pay from 10m to 25m`) and expects SLIs, budgets,\n\
        conditions and alerts at times.")]
    Test {
        /// Test files, and directories that hold some
        #[arg(required = true, value_name = "PATH")]
        paths: Vec<PathBuf>,
        /// Only tests whose name contains this
        #[arg(long, value_name = "NAME")]
        filter: Option<String>,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// List definitions: those in files, or those in force in an installation
    #[command(after_help = "Examples:\n  slipstream slo list slos/\n  slipstream slo list --data slipstream-data")]
    List {
        /// Files and directories; none: the installation
        #[arg(value_name = "PATH")]
        paths: Vec<PathBuf>,
        /// As JSON
        #[arg(long)]
        json: bool,
        /// Where from
        #[command(flatten)]
        from: Place,
    },
    /// How the SLOs stand, worst budget first
    #[command(after_help = "Example:\n  slipstream slo status --data slipstream-data")]
    Status {
        /// As JSON
        #[arg(long)]
        json: bool,
        /// Where from
        #[command(flatten)]
        from: Place,
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
        from: Place,
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
        place: Place,
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
    pub place: Place,
}

/// `slipstream topics ...`
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:\n  slipstream topics ensure --log kafka://127.0.0.1:9092\n  \
    slipstream topics list --log kafka://127.0.0.1:9092")]
pub enum Topics {
    /// Make the topics that are missing, write the installation's settings, and say what differs
    #[command(after_help = "Examples:\n  slipstream topics ensure --log kafka://127.0.0.1:9092\n  \
        slipstream topics ensure --log kafka://127.0.0.1:9092 --partitions request-events=12 --replication 3\n\n\
        A second time it changes nothing. What differs from the table is told, and not changed.\n\
        Exit code 1 where a difference breaks a promise.")]
    Ensure {
        /// Partitions of topics that are made now, TOPIC=N, separated by commas
        #[arg(long, value_delimiter = ',', value_name = "TOPIC=N", value_parser = partitions_of)]
        partitions: Vec<(Topic, u32)>,
        /// Replicas of topics that are made now; from 3 on two must have a record before it is acknowledged
        /// (min.insync.replicas) [default: both as the brokers have it]
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(1..=32))]
        replication: Option<i32>,
        /// As JSON
        #[arg(long)]
        json: bool,
        /// Where the installation is
        #[command(flatten)]
        place: Place,
    },
    /// Topics with their settings, and what differs from the table
    #[command(after_help = "Example:\n  slipstream topics list --log kafka://127.0.0.1:9092 --json")]
    List {
        /// As JSON
        #[arg(long)]
        json: bool,
        /// Where the installation is
        #[command(flatten)]
        place: Place,
    },
}

/// `slipstream doctor`
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  slipstream doctor\n  \
    slipstream doctor --log kafka://127.0.0.1:9092 --store postgres://slipstream@127.0.0.1/slipstream\n  \
    slipstream doctor --config slipstream.yaml --json\n\n\
    Looks and changes nothing, but for one record that asks the broker for its time.\n\
    Exit code 0 without errors (there may be warnings), 1 with errors.")]
pub struct Doctor {
    /// As JSON: {findings: [{check, severity, message, todo}]}
    #[arg(long)]
    pub json: bool,
    /// Where the installation is
    #[command(flatten)]
    pub place: Place,
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

/// A topic and how many partitions it is to have.
fn partitions_of(text: &str) -> Result<(Topic, u32), String> {
    const MOST: u32 = 10_000;
    let (name, n) = text.split_once('=').ok_or("write it as request-events=12")?;
    let names = || TOPICS.iter().map(|spec| spec.name).collect::<Vec<_>>().join(", ");
    let topic = Topic::from_name(name).ok_or_else(|| format!("no topic of this name; there are {}", names()))?;
    let n = n.parse().ok().filter(|n| (1..=MOST).contains(n)).ok_or("give a whole number from 1 to 10000")?;
    match topic {
        Topic::SloDefinitions if n != 1 => Err("definitions need one order: one partition".to_owned()),
        topic => Ok((topic, n)),
    }
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
