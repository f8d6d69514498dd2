//! The command line. Names and machine output are a contract; every command has an example in its help.

mod place;
mod query;
mod run;
mod slo;
mod topics;
mod traffic;
mod values;

use clap::{Args, Parser, Subcommand};

pub use place::Place;
pub use query::{By, Query, What};
pub use run::{Demo, Run};
pub use slo::Slo;
pub use topics::Topics;
pub use traffic::{Format, Import, Simulate};

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
