//! `slipstream silence`

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use jiff::Timestamp;

use super::place::Place;
use super::server::Server;
use super::values::{GATEWAY, duration, time};

/// `slipstream silence ...`
#[derive(Debug, Subcommand)]
#[command(
    after_help = "Examples:\n  slipstream silence add --matcher service=payment --for 2h --reason \"moving the database\"\n  \
    slipstream silence add --matcher 'severity=~\"ticket|info\"' --every '0 2 * * SUN' --zone Europe/Berlin --for 2h\n  \
    slipstream silence list\n  slipstream silence expire 0198c1de-7a10-7c63-b1d9-5a1f3a3f1b2c\n  \
    slipstream silence check --matcher service=payment --from 2026-01-31T09:00:00Z --to 2026-01-31T12:00:00Z\n\n\
    What a silence holds back is told once it ends and still fires; an end of what was told before is told at any time.\n\
    `slipstream query notifications --outcome held_back` shows what was held back, and by what."
)]
pub enum Silence {
    /// Tell nobody of some alerts for a time
    Add(SilenceAdd),
    /// List silences, and when each applies
    #[command(
        after_help = "Examples:\n  slipstream silence list --all\n  slipstream silence list --gateway http://gateway:8480\n\n\
        One that recurs is active while one of its times lasts, and pending before and between them. A directory that a process\n\
        owns is read beside it; --gateway asks a process elsewhere."
    )]
    List {
        /// Those that are over as well
        #[arg(long)]
        all: bool,
        /// Print JSON: {silences: [{id, matchers, from, to, recurrence, author, reason, state, next, until}]}
        #[arg(long)]
        json: bool,
        /// Through what
        #[command(flatten)]
        through: Said,
    },
    /// End a silence now: what it holds back and still fires is told
    #[command(after_help = "Example:\n  slipstream silence expire 0198c1de-7a10-7c63-b1d9-5a1f3a3f1b2c")]
    Expire {
        /// Its id
        id: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
        /// Through what
        #[command(flatten)]
        through: Said,
    },
    /// What a silence would have hidden of a time that is past
    Check(SilenceCheck),
}

/// What to silence.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  slipstream silence add --matcher service=payment --for 2h --reason \"moving the database\"\n  \
    slipstream silence add --matcher slo=checkout --matcher severity=ticket --to 2026-02-01T06:00:00Z\n  \
    slipstream silence add --matcher team=search --every '0 2 * * SUN' --zone Europe/Berlin --for 2h\n\n\
    A matcher is LABEL=VALUE, LABEL!=VALUE, LABEL=~REGEX or LABEL!~REGEX; all of them have to match. A regular expression\n\
    matches all of a value; an alert without the label is matched by the empty text. Labels: docs/receivers.md."
)]
pub struct SilenceAdd {
    /// Which alerts; several have to match all
    #[arg(long = "matcher", short = 'm', value_name = "MATCHER", required = true)]
    pub matchers: Vec<String>,
    /// From this time on: RFC 3339, or a date (its midnight in UTC) [default: now]
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub from: Option<Timestamp>,
    /// Until this time [default: until it is expired]
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub to: Option<Timestamp>,
    /// For so long: instead of --to; with --every, how long each lasts
    #[arg(long = "for", value_name = "DURATION", value_parser = duration)]
    pub length: Option<Duration>,
    /// Again and again: minute, hour, day of month, month, day of week, as in crontab(5)
    #[arg(long, value_name = "CRON", requires = "length")]
    pub every: Option<String>,
    /// By the clock of this zone
    #[arg(long, value_name = "ZONE", requires = "every", default_value = "UTC")]
    pub zone: String,
    /// Why
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub reason: String,
    /// Who silences it [default: $USER]
    #[arg(long)]
    pub author: Option<String>,
    /// Its id: one that there is already is replaced [default: a new one]
    #[arg(long)]
    pub id: Option<String>,
    /// Print the silence as JSON
    #[arg(long)]
    pub json: bool,
    /// Through what
    #[command(flatten)]
    pub through: Said,
}

/// What to check.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  slipstream silence check --matcher service=payment --from 2026-01-31T09:00:00Z --to 2026-01-31T12:00:00Z\n  \
    slipstream silence check --matcher team=search --every '0 2 * * SUN' --for 2h --from 2026-01-01 --to 2026-02-01\n  \
    slipstream silence check --id 0198c1de-7a10-7c63-b1d9-5a1f3a3f1b2c --from 2026-01-31 --to 2026-02-01\n\n\
    Replays the range, as `slipstream replay` does, and asks what of its alerts the silence would have held back. The silence\n\
    applies from --from to --to; one that is there, or with --every, at its own times within. A gateway cannot replay: run it where\n\
    log and store are, or name them with --log and --store."
)]
pub struct SilenceCheck {
    /// Which alerts; several have to match all
    #[arg(long = "matcher", short = 'm', value_name = "MATCHER", required_unless_present = "id")]
    pub matchers: Vec<String>,
    /// A silence that is there, instead
    #[arg(long, conflicts_with_all = ["matchers", "every"])]
    pub id: Option<String>,
    /// From this time: RFC 3339, or a date (its midnight in UTC) [default: the first request]
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub from: Option<Timestamp>,
    /// Up to this time [default: the last request]
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub to: Option<Timestamp>,
    /// Again and again, as in `silence add`
    #[arg(long, value_name = "CRON", requires = "length")]
    pub every: Option<String>,
    /// By the clock of this zone
    #[arg(long, value_name = "ZONE", requires = "every", default_value = "UTC")]
    pub zone: String,
    /// How long each lasts
    #[arg(long = "for", value_name = "DURATION", value_parser = duration, requires = "every")]
    pub length: Option<Duration>,
    /// By these definitions instead of those that were in force
    #[arg(long, value_name = "PATH")]
    pub slos: Vec<PathBuf>,
    /// Use so many threads [default: one for each core]
    #[arg(long, value_name = "N", value_parser = super::values::threads)]
    pub threads: Option<usize>,
    /// Print JSON: {from, to, matchers, alerts, hidden: [{id, episode, slo, severity, at, told_at, ...}]}
    #[arg(long)]
    pub json: bool,
    /// Where from
    #[command(flatten)]
    pub place: Place,
}

/// The installation, or its gateway.
#[derive(Debug, Args)]
pub struct Said {
    /// Through the gateway at this address
    #[arg(long, value_name = "URL", value_parser = GATEWAY)]
    #[arg(conflicts_with_all = ["data", "log", "store"])]
    pub gateway: Option<String>,
    /// What it may ask for
    #[command(flatten)]
    pub server: Server,
    /// Where the installation is
    #[command(flatten)]
    pub place: Place,
}
