//! `slipstream slo`

use std::path::PathBuf;

use clap::Subcommand;

use super::place::Place;

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
