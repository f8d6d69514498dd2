//! `slipstream mark`

use clap::{Args, Subcommand};
use jiff::Timestamp;

use super::place::Place;
use super::server::Server;
use super::values::{GATEWAY, environment_name, service_name, time};

/// `slipstream mark ...`
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:\n  slipstream mark deploy --service payment --version 1.4.2\n  \
    slipstream mark incident \"card payments failed\" --service payment \\\n      \
    --time 2026-01-31T09:30:00Z --until 2026-01-31T09:55:00Z\n  \
    slipstream mark list --service payment\n\n\
    Where `slipstream run` owns the directory, and with --to, markers go through its gateway.\n\
    A marker that is sent again with the same --id replaces the one before it.")]
pub enum Mark {
    /// Record that a version went into service
    // Its own --version, not the program's.
    #[command(disable_version_flag = true)]
    #[command(after_help = "Examples:\n  slipstream mark deploy --service payment --version 1.4.2\n  \
        slipstream mark deploy --service payment --version \"$TAG\" --id \"deploy-$RUN\" \\\n      \
        --link \"$URL\" --to http://gateway:8480")]
    Deploy {
        /// What was deployed
        #[arg(long, value_name = "VERSION")]
        version: Option<String>,
        /// What to record
        #[command(flatten)]
        what: Marking,
    },
    /// Record a change of configuration
    #[command(after_help = "Example:\n  slipstream mark config \"pool size 20 to 40\" --service payment")]
    Config(Marking),
    /// Record an incident, while it lasts or afterwards
    #[command(
        after_help = "Examples:\n  slipstream mark incident \"card payments fail\" --service payment --id inc-7\n  \
        slipstream mark incident \"card payments failed\" --service payment --id inc-7 \\\n      \
        --time 2026-01-31T09:30:00Z --until 2026-01-31T09:55:00Z"
    )]
    Incident {
        /// When it ended [default: it goes on]
        #[arg(long, value_name = "TIME", value_parser = time)]
        until: Option<Timestamp>,
        /// What to record
        #[command(flatten)]
        what: Marking,
    },
    /// Record anything else
    #[command(after_help = "Example:\n  slipstream mark note \"load test from 14:00 to 15:00\"")]
    Note(Marking),
    /// List markers, oldest first
    #[command(after_help = "Example:\n  slipstream mark list --service payment --from 2026-01-31")]
    List {
        /// At or after: RFC 3339, or a date (its midnight in UTC)
        #[arg(long, value_name = "TIME", value_parser = time)]
        from: Option<Timestamp>,
        /// Before: RFC 3339, or a date (its midnight in UTC)
        #[arg(long, value_name = "TIME", value_parser = time)]
        to: Option<Timestamp>,
        /// Only those of this service, and of every service
        #[arg(long, value_parser = service_name)]
        service: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
        /// Where from
        #[command(flatten)]
        place: Place,
    },
}

/// What all markers may have.
#[derive(Debug, Args)]
pub struct Marking {
    /// What there is to say
    #[arg(value_name = "TEXT")]
    pub text: Option<String>,
    /// Its service [default: every service]
    #[arg(long, value_parser = service_name)]
    pub service: Option<String>,
    /// Its environment [default: every environment]
    #[arg(long, default_value = "", hide_default_value = true, value_parser = environment_name)]
    pub environment: String,
    /// When it happened or began: RFC 3339, or a date (its midnight in UTC) [default: now]
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub time: Option<Timestamp>,
    /// Where to read more: http or https
    #[arg(long, value_name = "URL")]
    pub link: Option<String>,
    /// Its id, by which it is the same when it is sent again [default: a new one]
    #[arg(long)]
    pub id: Option<String>,
    /// Who records it [default: $USER]
    #[arg(long)]
    pub author: Option<String>,
    /// Print the marker as JSON
    #[arg(long)]
    pub json: bool,
    /// Through the gateway at this address, which takes it into its installation
    #[arg(long = "to", value_name = "URL", value_parser = GATEWAY)]
    #[arg(conflicts_with_all = ["data", "log", "store"])]
    pub gateway: Option<String>,
    /// What it may ask for
    #[command(flatten)]
    pub server: Server,
    /// Where to
    #[command(flatten)]
    pub place: Place,
}
