//! `slipstream query`

use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use jiff::Timestamp;

use super::place::AskedOf;
use super::values::{latency, limit, pair, past, status_class, status_code, step, time};

/// `slipstream query ...`
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:\n  slipstream query kpis --by service\n  slipstream query alerts --json\n  \
    slipstream query slos --server http://slo.example.org:8470")]
pub enum Query {
    /// Show hits, errors and latencies
    #[command(after_help = "Examples:\n  slipstream query kpis --by service\n  \
        slipstream query kpis --by endpoint --by status_code --step 5m\n  \
        slipstream query kpis --service web \\\n      --from 2026-01-31T10:00:00Z --to 2026-01-31T11:00:00Z --step 5m\n\n\
        Whole days and hours come from aggregates, minutes from rollups, the rest from raw events: `source` says from which.")]
    Kpis {
        /// One row per value; up to 4 fields, each with its own --by
        #[arg(long, value_enum)]
        by: Vec<By>,
        /// One row per time step
        #[arg(long, value_name = "DURATION", value_parser = step)]
        step: Option<Duration>,
        /// Read these rows only, to compare [default: the coarsest that serve]
        #[arg(long, value_enum)]
        source: Option<Source>,
        /// What to look at
        #[command(flatten)]
        what: What,
    },
    /// Show hits, errors and latencies hour by hour, from hourly aggregates
    #[command(after_help = "Example:\n  slipstream query hourly --by service --from 2026-01-31 --to 2026-02-01 --csv")]
    Hourly(Buckets),
    /// Show hits, errors and latencies day by day (UTC), from daily aggregates
    #[command(after_help = "Example:\n  slipstream query daily --by endpoint --from 2026-01-01 --to 2026-02-01 --csv")]
    Daily(Buckets),
    /// Show the endpoints with the most requests, errors or latency, or that spent most of an SLO's budget
    #[command(after_help = "Examples:\n  slipstream query top\n  slipstream query top --sort p95 --limit 5\n  \
        slipstream query top --sort budget_spent --slo payment-availability")]
    Top {
        /// What comes first
        #[arg(long, value_enum, default_value = "hits")]
        sort: Sort,
        /// Whose budget, or the Rule whose bad requests: each request is judged; without --from those of the last hour
        #[arg(long, value_name = "NAME", required_if_eq("sort", "budget_spent"))]
        slo: Option<String>,
        /// Which of its objectives [default: its only one]
        #[arg(long, value_name = "NAME", requires = "slo")]
        objective: Option<String>,
        /// At most this many
        #[arg(long, default_value = "20", value_parser = limit)]
        limit: usize,
        /// What to look at
        #[command(flatten)]
        what: What,
    },
    /// List stored events, oldest first
    #[command(after_help = "Examples:\n  slipstream query events --service payment --status-code 503 --limit 20\n  \
        slipstream query events --newest --min-latency 500 --attribute region=eu")]
    Events {
        /// At most this many
        #[arg(long, default_value = "100", value_parser = limit)]
        limit: usize,
        /// Newest first
        #[arg(long)]
        newest: bool,
        /// Continue after the `next` of the previous page
        #[arg(long, value_name = "CURSOR")]
        after: Option<String>,
        /// What to look at
        #[command(flatten)]
        what: What,
    },
    /// Show all that is stored of one request
    #[command(
        after_help = "Example:\n  slipstream query event 0193b6b2-6f0c-7a31-9d1e-1c2b3a4d5e6f --time 2026-01-31T10:00:00Z"
    )]
    Event {
        /// Its event_id
        #[arg(value_name = "ID")]
        id: String,
        /// About when it ended, within a minute: makes it fast
        #[arg(long, value_name = "TIME", value_parser = time)]
        time: Option<Timestamp>,
        /// Print JSON
        #[arg(long)]
        json: bool,
        /// Where from
        #[command(flatten)]
        place: AskedOf,
    },
    /// Show the status of every SLO, and the markers of the last day
    #[command(
        after_help = "Examples:\n  slipstream query slos --json\n  slipstream query slos --as-of 2026-01-31T10:00:00Z"
    )]
    Slos {
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
    /// Show how an SLO stood over time
    #[command(
        after_help = "Example:\n  slipstream query history payment-availability --from 2026-01-31 --to 2026-02-01 --step 1h"
    )]
    History {
        /// The SLO
        slo: String,
        /// Ticks at or after [default: a day before --to]
        #[arg(long, value_name = "TIME", value_parser = time)]
        from: Option<Timestamp>,
        /// Ticks before [default: now]
        #[arg(long, value_name = "TIME", value_parser = time)]
        to: Option<Timestamp>,
        /// A point per step [default: as many as make 500 points]
        #[arg(long, value_name = "DURATION", value_parser = step)]
        step: Option<Duration>,
        /// Only this objective
        #[arg(long, value_name = "NAME")]
        objective: Option<String>,
        /// Only groups with this value: LABEL=VALUE
        #[arg(long, value_name = "LABEL=VALUE", value_parser = pair)]
        group: Vec<(String, String)>,
        /// How it is printed
        #[command(flatten)]
        form: Form,
        /// Where from
        #[command(flatten)]
        place: AskedOf,
    },
    /// Show who is behind the bad requests of an SLO
    #[command(after_help = "Examples:\n  slipstream query contributors payment-availability\n  \
        slipstream query contributors payment-availability --by attribute.region \\\n      \
        --from 2026-01-31T10:00:00Z")]
    Contributors {
        /// The SLO
        slo: String,
        /// A field (service, environment, endpoint, method, status_code, user_ref), or attribute.NAME
        #[arg(long, default_value = "endpoint")]
        by: String,
        /// Which objective [default: its only one]
        #[arg(long, value_name = "NAME")]
        objective: Option<String>,
        /// Requests that ended at or after [default: an hour before --to]
        #[arg(long, value_name = "TIME", value_parser = time)]
        from: Option<Timestamp>,
        /// Requests that ended before [default: all]
        #[arg(long, value_name = "TIME", value_parser = time)]
        to: Option<Timestamp>,
        /// At most this many values; the others are one line
        #[arg(long, default_value = "20", value_parser = limit)]
        limit: usize,
        /// How it is printed
        #[command(flatten)]
        form: Form,
        /// Where from
        #[command(flatten)]
        place: AskedOf,
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
        /// Only this severity
        #[arg(long)]
        severity: Option<String>,
        /// Only this state; repeat it for several
        #[arg(long, value_enum)]
        state: Vec<State>,
        /// As they were at this time
        #[arg(long, value_name = "TIME", value_parser = past)]
        as_of: Option<Timestamp>,
        /// At most this many
        #[arg(long, value_parser = limit)]
        limit: Option<usize>,
        /// How it is printed
        #[command(flatten)]
        form: Form,
        /// Where from
        #[command(flatten)]
        place: AskedOf,
    },
    /// Show one alert: its episodes, its transitions, and what became of its notifications
    #[command(after_help = "Example:\n  slipstream query alert 5a2f9c01d3b7e846")]
    Alert {
        /// Its id, as `slipstream query alerts` tells it
        #[arg(value_name = "ID")]
        id: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
        /// Where from
        #[command(flatten)]
        place: AskedOf,
    },
    /// List what became of notifications, newest first
    #[command(after_help = "Examples:\n  slipstream query notifications --alert 5a2f9c01d3b7e846\n  \
        slipstream query notifications --from 2026-01-31 --outcome held_back\n  \
        slipstream query notifications --outcome refused --receiver on-call")]
    Notifications {
        /// Ended at or after
        #[arg(long, value_name = "TIME", value_parser = time)]
        from: Option<Timestamp>,
        /// Ended before
        #[arg(long, value_name = "TIME", value_parser = time)]
        to: Option<Timestamp>,
        /// Only of this alert
        #[arg(long, value_name = "ID")]
        alert: Option<String>,
        /// Only to this receiver
        #[arg(long, value_name = "NAME")]
        receiver: Option<String>,
        /// Only with this outcome
        #[arg(long, value_enum)]
        outcome: Option<OutcomeName>,
        /// Only those that were not sent for this reason
        #[arg(long, value_enum)]
        reason: Option<ReasonName>,
        /// Only of this SLO
        #[arg(long, value_name = "NAME")]
        slo: Option<String>,
        /// Only of this severity
        #[arg(long)]
        severity: Option<String>,
        /// Only of this kind
        #[arg(long, value_enum)]
        kind: Option<KindName>,
        /// At most this many
        #[arg(long, default_value = "100", value_parser = limit)]
        limit: usize,
        /// Continue after the `next` of the previous page
        #[arg(long, value_name = "CURSOR")]
        after: Option<String>,
        /// How it is printed
        #[command(flatten)]
        form: Form,
        /// Where from
        #[command(flatten)]
        place: AskedOf,
    },
}

impl Query {
    /// Whom it is asked of.
    pub fn asked(&self) -> &AskedOf {
        match self {
            Query::Kpis { what, .. } | Query::Top { what, .. } | Query::Events { what, .. } => &what.place,
            Query::Hourly(buckets) | Query::Daily(buckets) => &buckets.place,
            Query::Event { place, .. }
            | Query::Slos { from: place, .. }
            | Query::History { place, .. }
            | Query::Contributors { place, .. }
            | Query::Alerts { place, .. }
            | Query::Alert { place, .. }
            | Query::Notifications { place, .. } => place,
        }
    }
}

/// Hours, or days.
#[derive(Debug, Args)]
pub struct Buckets {
    /// A row for each of them and each value; up to 4 fields, each with its own --by
    #[arg(long, value_enum)]
    pub by: Vec<By>,
    /// What to look at
    #[command(flatten)]
    pub part: Part,
    /// How it is printed
    #[command(flatten)]
    pub form: Form,
    /// Where from
    #[command(flatten)]
    pub place: AskedOf,
}

/// Filters of events that aggregates know, too.
#[derive(Debug, Clone, Args)]
pub struct Part {
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
    /// Only this class of status: 5 or 5xx
    #[arg(long, value_name = "CLASS", value_parser = status_class)]
    pub status_class: Option<u8>,
    /// Only status 500 and above
    #[arg(long)]
    pub errors: bool,
}

/// Filters of events.
#[derive(Debug, Clone, Args)]
pub struct What {
    /// What aggregates know, too
    #[command(flatten)]
    pub part: Part,
    /// Only this status
    #[arg(long, value_parser = status_code)]
    pub status_code: Option<u16>,
    /// Only this latency or more, milliseconds
    #[arg(long, value_name = "MS", value_parser = latency)]
    pub min_latency: Option<f64>,
    /// Only this latency or less, milliseconds
    #[arg(long, value_name = "MS", value_parser = latency)]
    pub max_latency: Option<f64>,
    /// Only this event
    #[arg(long, value_name = "ID")]
    pub event_id: Option<String>,
    /// Only this trace
    #[arg(long, value_name = "ID")]
    pub trace_id: Option<String>,
    /// Only this user
    #[arg(long, value_name = "REF")]
    pub user_ref: Option<String>,
    /// Only with this value of an attribute: NAME=VALUE
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    pub attribute: Vec<(String, String)>,
    /// As it was known at this time: of what the log had taken by then
    #[arg(long, value_name = "TIME", value_parser = past)]
    pub as_of: Option<Timestamp>,
    /// How it is printed
    #[command(flatten)]
    pub form: Form,
    /// Where from
    #[command(flatten)]
    pub place: AskedOf,
}

/// How an answer is printed; as a table for people, unless a flag says otherwise.
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct Form {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Print CSV
    #[arg(long, conflicts_with = "json")]
    pub csv: bool,
}

/// Dimensions of `query kpis --by`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum By {
    /// The service
    Service,
    /// The environment
    Environment,
    /// The endpoint
    Endpoint,
    /// The method
    Method,
    /// The status code
    StatusCode,
    /// The status code divided by 100
    StatusClass,
}

/// What figures are read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Source {
    /// Raw events
    Raw,
    /// Rollups per minute
    Rollup,
    /// Aggregates per hour
    Hourly,
    /// Aggregates per day
    Daily,
}

/// What endpoints are sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum Sort {
    /// Requests
    Hits,
    /// Requests with status 500 and above
    Errors,
    /// Their share
    ErrorRate,
    /// 95th percentile of the latency
    P95,
    /// Share of the SLO's budget that their bad requests have spent
    BudgetSpent,
}

/// States of alerts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum State {
    /// A condition holds, `for` runs
    Pending,
    /// It ended before it was due
    Inactive,
    /// It fires
    Firing,
    /// It fired and is over
    Resolved,
}

/// Outcomes of notifications.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum OutcomeName {
    /// The receiver took it
    Delivered,
    /// The receiver refused it
    Refused,
    /// It is not for this receiver, or came to nothing
    NotDue,
    /// It was not sent for now: silenced, inhibited, or at a mute time
    HeldBack,
    /// No answer, or one that says later: it is tried again
    Failed,
}

/// Reasons of notifications that were not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum ReasonName {
    /// A silence holds it back
    Silenced,
    /// Another alert holds it back
    Inhibited,
    /// Its route is mute at this time
    Muted,
    /// No route leads it to the receiver
    NoRoute,
    /// It is an end, and its beginning was not sent
    Untold,
    /// The receiver wants no ends
    Unwanted,
    /// A later state was sent instead
    Superseded,
    /// The episode began and ended before it could be sent
    Missed,
    /// Somebody looks after it, and nobody is reminded
    Acknowledged,
    /// A remediation that only says what it would ask
    DryRun,
    /// A remediation that was asked as often as it may be
    RateLimited,
    /// The attempt failed, and the receiver may have it all the same
    InDoubt,
}

/// What notifications are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum KindName {
    /// An alert began to fire
    Firing,
    /// Its severity changed
    Severity,
    /// It is over
    Resolved,
}

impl KindName {
    /// Its name in records.
    pub fn name(self) -> &'static str {
        match self {
            KindName::Firing => "firing",
            KindName::Severity => "severity",
            KindName::Resolved => "resolved",
        }
    }
}
