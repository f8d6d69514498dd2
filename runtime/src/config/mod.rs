//! The configuration of `slipstream run`: one YAML file, environment over file, flags over both. `slipstream.yaml` in
//! this crate shows every setting with its default.
//!
//! [`Config::load`] is a pure function of its arguments but for reading the files they name (the configuration and its
//! secrets). It finds every mistake before it refuses, each with file and line, variable or flag. A key that is not
//! known is a mistake; a `SLIPSTREAM_` variable that is not known is only a warning, because others make such
//! variables, too. Of those that Kubernetes makes for a service that is called slipstream nothing is said.

mod address;
mod evidence;
mod found;
mod merge;
mod nearest;
mod oddities;
mod parts;
mod problem;
mod receiver;
mod routing;
mod secret;
mod section;
mod serving;
mod settings;
mod tree;
mod units;
mod watchdog;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

pub use address::{LogAddress, StoreAddress};
pub use found::{found, without_secrets};
pub use merge::Overrides;
pub use nearest::nearest;
pub use parts::{Kafka, Postgres, Property};
pub use problem::{ConfigErrors, Place, Problem};
pub use receiver::{
    Auth, Body, ClientTls, Email, Encryption, OAuth2, Receiver, ReceiverFormat, Remediation, Way, is_web_address,
};
pub use routing::{Inhibition, Route, Routing};
pub use secret::Secret;
pub use serving::{RateLimits, Tls};
pub use slipstream_schemas::Retention;
pub use units::duration;
pub use watchdog::Watchdog;

/// The configuration of a process.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Directory of the embedded log and store.
    pub data: PathBuf,
    /// Where the log is.
    pub log: LogAddress,
    /// Where the store is.
    pub store: StoreAddress,
    /// Where its address was given, for mistakes that only the store finds in it; `None` if it is the default.
    pub store_place: Option<Place>,
    /// How to connect to Kafka, if the log is there.
    pub kafka: Kafka,
    /// How to connect to PostgreSQL, if the store is there.
    pub postgres: Postgres,
    /// The roles of this process.
    pub roles: BTreeSet<Role>,
    /// Where the gateway listens.
    pub listen: SocketAddr,
    /// Where health and metrics are served.
    pub ops_listen: SocketAddr,
    /// Certificate and key of the servers for clients; `None`: they speak HTTP without TLS.
    pub tls: Option<Tls>,
    /// How often a client may ask.
    pub rate_limits: RateLimits,
    /// How many series of SLOs, groups among them, the metrics of the role `api` have at most.
    pub slo_series: usize,
    /// Where the API listens.
    pub api_listen: SocketAddr,
    /// Where people reach this installation, for notifications.
    pub external_url: Option<String>,
    /// Where an alert links to, with names of its fields in braces; `None` if that is `external_url`.
    pub alert_url: Option<String>,
    /// Whether notifications say which requests are behind an alert, and what they have in common.
    pub evidence: bool,
    /// Where a trace is shown, with `{trace_id}` for its id; `None`: alerts have no link to one.
    pub trace_url: Option<String>,
    /// Files and directories with SLO definitions to publish at start.
    pub slos: Vec<PathBuf>,
    /// Limits of the gateway.
    pub gateway: Gateway,
    /// Receivers of alerts.
    pub receivers: Vec<Receiver>,
    /// Which alerts go to which receiver, and when not.
    pub routing: Routing,
    /// How long the store keeps data.
    pub retention: Retention,
    /// Logging.
    pub logging: Logging,
    /// How long a process with a gateway serves on after SIGTERM, not ready, before it shuts down.
    pub drain: Duration,
    /// How long each stage of the shutdown may take.
    pub shutdown_timeout: Duration,
    /// Variables that begin like ours and that nothing reads, and what was probably meant: for every command to tell.
    pub ignored: Vec<String>,
    /// Further warnings, for a process that runs roles.
    pub warnings: Vec<String>,
}

/// A role of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Takes events over HTTP.
    Gateway,
    /// Counts events.
    Tally,
    /// Turns counts into burn rates.
    Burn,
    /// Writes events into the store.
    Sink,
    /// Turns burn rates into alerts.
    Alerter,
    /// Sends alerts to receivers.
    Notifier,
    /// Answers questions over HTTP.
    Api,
}

impl Role {
    /// All of them.
    pub const ALL: [Role; 7] =
        [Role::Gateway, Role::Tally, Role::Burn, Role::Sink, Role::Alerter, Role::Notifier, Role::Api];

    /// Its name on the command line and in the file.
    pub const fn name(self) -> &'static str {
        match self {
            Role::Gateway => "gateway",
            Role::Tally => "tally",
            Role::Burn => "burn",
            Role::Sink => "sink",
            Role::Alerter => "alerter",
            Role::Notifier => "notifier",
            Role::Api => "api",
        }
    }
}

impl std::fmt::Display for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// Limits of the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gateway {
    /// Bytes of one request's body, as sent and decompressed.
    pub max_body: usize,
    /// Events of one request.
    pub max_events: usize,
    /// Bytes that all requests together may hold: bodies as sent and decompressed, events on their way to the log,
    /// answers. Beyond it callers are sent away with 503.
    pub max_in_flight: usize,
    /// Connections at a time; further ones are sent away with 503.
    pub max_connections: usize,
    /// Time a client has to send the head of a request, and again its body.
    pub read_timeout: Duration,
    /// Time between two requests of a connection, after which it is closed.
    pub idle_timeout: Duration,
    /// Time a client has to read an answer.
    pub write_timeout: Duration,
    /// Time the log has to take a request's events before the caller is sent away with 503.
    pub publish_timeout: Duration,
    /// Time that requests in progress have at shutdown.
    pub finish: Duration,
}

impl Gateway {
    /// What one request may hold at most, bytes. While it is decompressed: the body as sent, and the decompressed one
    /// in its old and its new place when it grows. Then: the body, the records made of it, in two places likewise, and
    /// for each event what names it in the request, the log and the answer.
    pub const fn one_request(max_body: usize, max_events: usize) -> usize {
        max_body.saturating_mul(4).saturating_add(max_events.saturating_mul(512))
    }

    /// What a small request holds at most, bytes: so much is kept for each connection, however much large ones want.
    pub const SMALL_REQUEST: usize = 8 << 10;

    /// The least bound for all requests under which one of the largest size is taken.
    pub const fn least_in_flight(max_body: usize, max_events: usize, max_connections: usize) -> usize {
        let of_small = max_connections.saturating_mul(Gateway::SMALL_REQUEST);
        Gateway::one_request(max_body, max_events).saturating_add(of_small)
    }
}

impl Default for Gateway {
    fn default() -> Self {
        Gateway {
            max_body: 16 << 20,
            max_events: 50_000,
            max_in_flight: 128 << 20,
            max_connections: 2_048,
            read_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(75),
            write_timeout: Duration::from_secs(10),
            publish_timeout: Duration::from_secs(10),
            finish: Duration::from_secs(8),
        }
    }
}

/// Logging.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Logging {
    /// A level (`info`) or a filter (`info,slipstream_sink=debug`); `None` means `info`.
    pub level: Option<String>,
    /// In what form.
    pub format: LogFormat,
}

/// The form of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// Human on a terminal, JSON otherwise.
    #[default]
    Auto,
    /// For people.
    Human,
    /// One JSON object a line.
    Json,
}
