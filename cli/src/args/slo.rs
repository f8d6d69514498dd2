//! `slipstream slo`

use std::path::PathBuf;

use clap::Subcommand;
use jiff::Timestamp;

use super::place::{AskedOf, Place};
use super::query::Form;
use super::values::past;

/// `slipstream slo ...`
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:\n  slipstream slo validate slos/\n  slipstream slo status --data slipstream-data")]
pub enum Slo {
    /// Check definitions; reports all errors at once, with file, line and column
    #[command(after_help = "Example:\n  slipstream slo validate slos/\n\n\
        YAML and JSON files in a directory that are not OpenSLO (package.json) are skipped and named.\n\
        A file that you name has to be a definition.")]
    Validate {
        /// Files and directories
        #[arg(required = true, value_name = "PATH")]
        paths: Vec<PathBuf>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Run the unit tests of definitions: files NAME.test.yaml next to them
    #[command(after_help = "Examples:\n  slipstream slo test slos/\n  \
        slipstream slo test slos/payment.test.yaml --filter outage\n\n\
        A test describes traffic (`100/s POST /pay for 2h`, `20 % 500 on /pay from 10m to 25m`) and expects SLIs, budgets,\n\
        conditions and alerts at certain times.")]
    Test {
        /// Test files, and directories that contain them
        #[arg(required = true, value_name = "PATH")]
        paths: Vec<PathBuf>,
        /// Only tests whose name contains this
        #[arg(long, value_name = "NAME")]
        filter: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// List definitions in files, or those in force in an installation
    #[command(after_help = "Examples:\n  slipstream slo list slos/\n  slipstream slo list --data slipstream-data")]
    List {
        /// Files and directories [default: the definitions in force in the installation]
        #[arg(value_name = "PATH")]
        paths: Vec<PathBuf>,
        /// Print JSON
        #[arg(long)]
        json: bool,
        /// Where from
        #[command(flatten)]
        from: Place,
    },
    /// Show the status of every SLO, worst budget first, and the markers of the last day
    #[command(
        after_help = "Examples:\n  slipstream slo status --data slipstream-data\n  slipstream slo status --as-of 2026-01-31T10:00:00Z"
    )]
    Status {
        /// As it was known at this time, from the store
        #[arg(long, value_name = "TIME", value_parser = past)]
        as_of: Option<Timestamp>,
        /// How it is printed
        #[command(flatten)]
        form: Form,
        /// Where from
        #[command(flatten)]
        from: AskedOf,
    },
}
