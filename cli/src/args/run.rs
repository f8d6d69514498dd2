//! The pipeline in this process: `slipstream run` and `slipstream demo`.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{PossibleValue, StringValueParser, TypedValueParser};
use clap::error::Error;
use clap::{Arg, Args, Command};
use slipstream_runtime::config::Role;

use super::place::Place;
use super::values::{duration, rate, seed};

/// `slipstream demo`
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  slipstream demo\n  slipstream demo --headless --for 150s --json\n\n\
    On a terminal: Enter starts or ends the fault, Ctrl-C ends the demo.")]
pub struct Demo {
    /// End after this time [default: until Ctrl-C; headless: 150s]
    #[arg(long = "for", value_name = "DURATION", value_parser = duration)]
    pub span: Option<Duration>,
    /// Do not read the keyboard: for scripts
    #[arg(long)]
    pub headless: bool,
    /// Print a summary as JSON at the end
    #[arg(long)]
    pub json: bool,
    /// Keep the data in this directory instead of a temporary one
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Requests per second
    #[arg(long, default_value_t = 100.0, value_parser = rate, allow_negative_numbers = true)]
    pub rate: f64,
    /// Seed of the traffic
    #[arg(long, default_value_t = 1, value_parser = seed)]
    pub seed: u64,
}

/// `slipstream run`
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  slipstream run\n  slipstream run --slos slos/ --webhook http://127.0.0.1:9099/alerts\n  \
    slipstream run --config slipstream.yaml\n  \
    slipstream run --roles gateway,tally --log kafka://127.0.0.1:9092\n  \
    slipstream run --roles sink --log kafka://127.0.0.1:9092 \\\n      --store postgres://slipstream@127.0.0.1/slipstream\n\nFlags override SLIPSTREAM_* variables, which override the file."
)]
pub struct Run {
    /// Roles to run, separated by commas [default: all]
    #[arg(long, value_delimiter = ',', value_name = "ROLE", value_parser = RoleName)]
    pub roles: Vec<String>,
    /// Address of the gateway [default: 127.0.0.1:8480]
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<String>,
    /// Address of health and metrics [default: 127.0.0.1:8490]
    #[arg(long, value_name = "ADDR")]
    pub ops_listen: Option<String>,
    /// Address of the API [default: 127.0.0.1:8470]
    #[arg(long, value_name = "ADDR")]
    pub api_listen: Option<String>,
    /// SLO definitions to publish at start: a file or a directory (repeatable)
    #[arg(long, value_name = "PATH")]
    pub slos: Vec<PathBuf>,
    /// Send alerts to this URL in Alertmanager's webhook format (repeatable)
    #[arg(long, value_name = "URL")]
    pub webhook: Vec<String>,
    /// After SIGTERM, keep serving this long with /readyz at 503, so that load balancers notice [default: 5s with a
    /// gateway]
    #[arg(long, value_name = "DURATION")]
    pub drain: Option<String>,
    /// Where the installation is
    #[command(flatten)]
    pub place: Place,
}

/// Any text, with the roles for completion and help: what is none of them is reported with the other mistakes of the
/// configuration.
#[derive(Debug, Clone)]
struct RoleName;

impl TypedValueParser for RoleName {
    type Value = String;

    fn parse_ref(&self, command: &Command, arg: Option<&Arg>, value: &OsStr) -> Result<String, Error> {
        StringValueParser::new().parse_ref(command, arg, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(Role::ALL.into_iter().map(|role| PossibleValue::new(role.name()))))
    }
}
