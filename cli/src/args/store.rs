//! `slipstream store`

use clap::Subcommand;

use super::place::Place;

/// `slipstream store ...`
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:\n  slipstream store status\n  \
    slipstream store migrate --store postgres://slipstream@127.0.0.1/slipstream")]
pub enum Store {
    /// Show how far the store is behind the log, and how far its aggregates are
    #[command(after_help = "Example:\n  slipstream store status --json")]
    Status {
        /// Print JSON
        #[arg(long)]
        json: bool,
        /// Which store
        #[command(flatten)]
        place: Place,
    },
    /// Make the aggregates of hours and days up to date now; the sink does so by itself
    #[command(
        after_help = "Example:\n  slipstream store refresh --store postgres://slipstream@127.0.0.1/slipstream\n\n\
        Answers are right without it: what is not up to date is read from rollups, which takes longer."
    )]
    Refresh {
        /// Print JSON
        #[arg(long)]
        json: bool,
        /// Which store
        #[command(flatten)]
        place: Place,
    },
    /// Bring the tables up to date, and turn plain ones into hypertables where TimescaleDB is enabled
    #[command(
        after_help = "Example:\n  slipstream store migrate --store postgres://slipstream@127.0.0.1/slipstream\n\n\
        Sinks may run meanwhile; they wait while tables are exchanged. A table takes its room twice until then.\n\
        What breaks off continues where it was. Run it as the owner of the tables."
    )]
    Migrate {
        /// Print JSON
        #[arg(long)]
        json: bool,
        /// Which store
        #[command(flatten)]
        place: Place,
    },
    /// Let other users of the database write as a sink does, or read as dashboards do, and no more
    #[command(after_help = "Example:\n  slipstream store grant --reader grafana --writer sink \\\n      \
        --store postgres://slipstream@127.0.0.1/slipstream\n\n\
        The users exist already (CREATE ROLE grafana LOGIN ...). Run it as the owner of the tables, and again after an upgrade.")]
    Grant {
        /// A user that may read
        #[arg(long, value_name = "USER", required_unless_present = "writer")]
        reader: Vec<String>,
        /// A user that may write as a sink does
        #[arg(long, value_name = "USER")]
        writer: Vec<String>,
        /// Which store
        #[command(flatten)]
        place: Place,
    },
    /// Erase a user: overwrite this user_ref in every stored event. Counts do not change
    #[command(after_help = "Example:\n  slipstream store erase-user u-1234\n\n\
        The log is not changed: the answer says until when it may hold requests of this user.")]
    EraseUser {
        /// The user_ref, exactly
        user_ref: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
        /// Which store
        #[command(flatten)]
        place: Place,
    },
}
