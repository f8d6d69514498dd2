//! The command line. Names and machine output are a contract; every command has an example in its help.

mod alert;
mod api;
mod backtest;
mod mark;
mod place;
mod query;
mod replay;
mod run;
mod server;
mod silence;
mod slo;
mod store;
mod token;
mod topics;
mod traffic;
mod values;

use clap::{Args, Parser, Subcommand};

pub use alert::Alert;
pub use api::Api;
pub use backtest::Backtest;
pub use mark::{Mark, Marking};
pub use place::{AskedOf, Place, as_argument, called};
pub use query::{Buckets, By, Form, KindName, OutcomeName, Part, Query, ReasonName, Sort, Source, State, What};
pub use replay::{ClockName, Replay};
pub use run::{Demo, Run};
pub use server::Server;
pub use silence::{Said, Silence, SilenceAdd, SilenceCheck};
pub use slo::Slo;
pub use store::Store;
pub use token::{Through, Token};
pub use topics::Topics;
pub use traffic::{Format, Import, Simulate};

/// SLOs from the requests themselves: exact counts, burn rates and alerts within seconds.
#[derive(Debug, Parser)]
#[command(name = "slipstream", version, propagate_version = true, max_term_width = 100)]
#[command(
    after_help = "Examples:\n  slipstream demo\n  slipstream run --slos slos/ --webhook http://127.0.0.1:9099/alerts\n\n\
    Exit codes: 0 success, 1 failure, 2 wrong usage; 130 or 143 if Ctrl-C (SIGINT) or SIGTERM ended an import or a\n\
    simulation before it was done. What was acknowledged is kept."
)]
pub struct Cli {
    /// The command
    #[command(subcommand)]
    pub command: Command,
    /// How much to log: error, warn, info, debug, trace, or a filter such as info,slipstream_log=debug
    /// [env: SLIPSTREAM_LOG_LEVEL]
    // Not read by clap, which would not say that a wrong level comes from the variable.
    #[arg(long, global = true, value_name = "LEVEL", help_heading = "Global options")]
    pub log_level: Option<String>,
}

/// Commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run everything in one process, with synthetic traffic, a fault, and the alert it causes
    Demo(Demo),
    /// Run the pipeline: gateway, tally, burn, sink, alerter and notifier, and the API
    Run(Run),
    /// Import access logs and event files
    Import(Import),
    /// Generate synthetic traffic, reproducible by its seed
    Simulate(Simulate),
    /// Check, test and list SLO definitions, and show their status
    #[command(subcommand)]
    Slo(Slo),
    /// Query KPIs, endpoints, events, SLOs, alerts and notifications
    #[command(subcommand)]
    Query(Query),
    /// Try a receiver of alerts; say who looks after an alert
    #[command(subcommand)]
    Alert(Alert),
    /// Tell nobody of some alerts for a time; what that would have hidden
    #[command(subcommand)]
    Silence(Silence),
    /// Print what describes the HTTP API
    #[command(subcommand)]
    Api(Api),
    /// Read requests again: what happened, and what other definitions would have made of it
    Replay(Replay),
    /// Test rules on the past: what they would have found, missed and paged for, and which would fit
    Backtest(Backtest),
    /// Record deploys, changes of configuration, incidents and notes, and list them
    #[command(subcommand)]
    Mark(Mark),
    /// Look after the store: aggregates, hypertables, rights, erasing a user
    #[command(subcommand)]
    Store(Store),
    /// Make, list and revoke the tokens that requests need
    #[command(subcommand)]
    Token(Token),
    /// Create and inspect the topics of an installation on Kafka
    #[command(subcommand)]
    Topics(Topics),
    /// Check an installation, and say what to do about each finding
    Doctor(Doctor),
    /// Print shell completions
    #[command(after_help = "Example:\n  slipstream completions bash > /etc/bash_completion.d/slipstream")]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

/// `slipstream doctor`
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  slipstream doctor\n  \
    slipstream doctor --log kafka://127.0.0.1:9092 \\\n      --store postgres://slipstream@127.0.0.1/slipstream\n  \
    slipstream doctor --config slipstream.yaml --json\n\n\
    Changes nothing, except that it writes one record to learn the broker's time.\n\
    Exit code: 0 without errors (warnings are allowed), 1 with errors.")]
pub struct Doctor {
    /// Print JSON: {errors, warnings, findings: [{check, severity, message, todo}]}
    #[arg(long)]
    pub json: bool,
    /// Where the installation is
    #[command(flatten)]
    pub place: Place,
}
