//! `slipstream backtest`

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use jiff::Timestamp;

use super::place::Place;
use super::replay::ClockName;
use super::values::{grace, rate_or_none, time};

/// `slipstream backtest`
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  slipstream backtest --from 2026-01-01 --to 2026-02-01\n  \
    slipstream backtest --slos edited/ --incidents incidents.csv\n  \
    slipstream backtest --slos slos/ --incidents incidents.csv --suggest --out suggested.yaml\n\n\
    Reads the requests once and computes when every rule would have fired: how often, for how long,\n\
    and how much of the budget was gone by then. Against incidents that you noted down it says what\n\
    was found, missed and false, and how soon. It changes nothing and needs no running process.\n\n\
    A file of incidents is CSV with the columns from, to, service, what, or YAML with the same fields.\n\
    Only from is required:\n  \
    from,to,service,what\n  \
    2026-01-05T09:30:00Z,2026-01-05T09:42:00Z,payment,disk full\n\n\
    Exit code: 0 when it was computed, whatever was missed; 1 when it could not be, or a file has errors.")]
pub struct Backtest {
    /// Test these definitions: files and directories [default: those in force then]
    #[arg(long, value_name = "PATH", num_args = 1..)]
    pub slos: Vec<PathBuf>,
    /// What happened, as .csv, .yaml or .json
    #[arg(long, value_name = "FILE")]
    pub incidents: Option<PathBuf>,
    /// Incidents that do not count: what fires in them is neither right nor false
    #[arg(long, value_name = "FILE", requires = "incidents")]
    pub set_aside: Option<PathBuf>,
    /// An alert so long after an incident's end is still about it
    #[arg(long, value_name = "DURATION", value_parser = grace, default_value = "5m", requires = "incidents")]
    pub grace: Duration,
    /// An alert of any service may find an incident: services depend on each other, and an incident names the cause
    #[arg(long, requires = "incidents")]
    pub any_service: bool,
    /// From this time: RFC 3339, or a date (its midnight in UTC) [default, and earliest: the first request]
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub from: Option<Timestamp>,
    /// Up to this time [default: the last request]
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub to: Option<Timestamp>,
    /// Order requests by when the log took them, or by when they happened: for imported logs
    #[arg(long, value_enum, default_value = "log")]
    pub clock: ClockName,
    /// Suggest targets that were kept and rules that find most with fewest pages, as definitions to copy
    #[arg(long)]
    pub suggest: bool,
    /// Suggest no rule with more false alarms a week than this, of all objectives of the SLO
    #[arg(long, value_name = "N", value_parser = rate_or_none, default_value = "1", requires = "suggest")]
    pub max_false: f64,
    /// Suggest rules for the targets as they are
    #[arg(long, requires = "suggest")]
    pub keep_target: bool,
    /// Write the suggested definitions to this file, instead of printing them
    #[arg(long, value_name = "FILE", requires = "suggest")]
    pub out: Option<PathBuf>,
    /// Use so many threads [default: one for each core]
    #[arg(long, value_name = "N", value_parser = super::values::threads)]
    pub threads: Option<usize>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Where from
    #[command(flatten)]
    pub place: Place,
}
