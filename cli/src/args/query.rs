//! `slipstream query`

use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use jiff::Timestamp;

use super::place::Place;
use super::values::{duration, limit, status_code, time};

/// `slipstream query ...`
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:\n  slipstream query kpis --by service\n  slipstream query alerts --json")]
pub enum Query {
    /// Show hits, errors and latencies
    #[command(after_help = "Examples:\n  slipstream query kpis --by service\n  \
        slipstream query kpis --service web \\\n      --from 2026-01-31T10:00:00Z --to 2026-01-31T11:00:00Z --step 5m")]
    Kpis {
        /// One row per value
        #[arg(long, value_enum, conflicts_with = "step")]
        by: Option<By>,
        /// One row per time step
        #[arg(long, value_name = "DURATION", value_parser = duration)]
        step: Option<Duration>,
        /// What to look at
        #[command(flatten)]
        what: What,
    },
    /// List stored events, oldest first
    #[command(after_help = "Example:\n  slipstream query events --service payment --status-code 503 --limit 20")]
    Events {
        /// At most this many
        #[arg(long, default_value = "100", value_parser = limit)]
        limit: usize,
        /// Continue after the `next` of the previous page
        #[arg(long, value_name = "CURSOR")]
        after: Option<String>,
        /// What to look at
        #[command(flatten)]
        what: What,
    },
    /// Show the status of every SLO, and the markers of the last day
    #[command(after_help = "Example:\n  slipstream query slos --json")]
    Slos {
        /// Print JSON
        #[arg(long)]
        json: bool,
        /// Where from
        #[command(flatten)]
        from: Place,
    },
    /// List alerts and their states
    #[command(after_help = "Example:\n  slipstream query alerts --from 2026-01-31T00:00:00Z")]
    Alerts {
        /// Changed at or after: RFC 3339, or a date (its midnight in UTC)
        #[arg(long, value_name = "TIME", value_parser = time)]
        from: Option<Timestamp>,
        /// Changed before: RFC 3339, or a date (its midnight in UTC)
        #[arg(long, value_name = "TIME", value_parser = time)]
        to: Option<Timestamp>,
        /// Only this SLO
        #[arg(long)]
        slo: Option<String>,
        /// Print JSON
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
    /// Ended at or after: RFC 3339, or a date (its midnight in UTC)
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub from: Option<Timestamp>,
    /// Ended before: RFC 3339, or a date (its midnight in UTC)
    #[arg(long, value_name = "TIME", value_parser = time)]
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
    #[arg(long, value_parser = status_code)]
    pub status_code: Option<u16>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Where from
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
