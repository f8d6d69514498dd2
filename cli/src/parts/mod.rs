//! The parts of an installation, opened from their addresses: its log, its store, what is fixed for it, what is in
//! force.

mod data;
pub mod doors;
mod log;
mod look;
pub mod open_files;
pub mod store;
mod way;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, bail};
use slipstream_alerter::{Links, ReceiverConfig};
use slipstream_definitions::definition::Document;
use slipstream_definitions::openslo::Loaded;
use slipstream_log::Log;
use slipstream_query::definitions::{in_force, revisions};
use slipstream_role::definitions::{ensure_settings, read_settings};
use slipstream_runtime::config::{Config, LogAddress, Place, Problem};
use slipstream_schemas::LogTime;
use slipstream_schemas::records::Settings;
use slipstream_slo::revision::Revisions;
use slipstream_store::SharedStore;

pub use log::{OpenLog, PROCESS, gateway_of_owner, kafka_options, named_as_certified, without_gateway};
pub use look::{existing, log_of, store_of};
pub use store::{ReadPlace, StorePlace};
pub use way::{Gateway, Way, way};

use crate::definitions;

/// W of the redelivery rule, milliseconds.
pub const REDELIVERY_WINDOW_MS: i64 = 120_000;
/// From a revision's log time to its cut if definitions and events have no common order, milliseconds.
pub const CUT_DELAY_MS: i64 = 5_000;

/// Mistakes in a configuration that only the users of its settings can find.
pub fn mistakes(config: &Config) -> Vec<Problem> {
    // Whatever the log is: an address that is wrong looks like none here.
    let mut problems = log::wrong_properties(config);
    problems.extend(store::wrong_address(config));
    problems.extend(config.receivers.iter().filter_map(|receiver| {
        let message = ReceiverConfig::from(receiver.clone()).check().err()?.to_string();
        let place = receiver.place.clone().unwrap_or_else(|| Place::Setting("receivers".to_owned()));
        Some(Problem { place, message })
    }));
    problems
}

/// What notifications link to; empty where the configuration names nothing.
/// The receivers of a configuration, with its routes.
pub fn receivers(config: &Config) -> Vec<ReceiverConfig> {
    let routing = Arc::new(config.routing.clone());
    let receivers = config.receivers.iter().cloned().map(ReceiverConfig::from);
    receivers.map(|receiver| receiver.routed(Arc::clone(&routing))).collect()
}

pub fn links(config: &Config) -> Links {
    Links {
        external: config.external_url.clone().unwrap_or_default(),
        alert: config.alert_url.clone().unwrap_or_default(),
    }
}

/// An installation that this process takes part in, or owns.
pub struct Installation {
    /// The log.
    pub log: OpenLog,
    /// The store; `None` if this process does not write to one.
    pub store: Option<StorePlace>,
    /// What is fixed for the installation.
    pub settings: Settings,
    /// How many SLOs are in force.
    pub slos: usize,
    /// Rules in force that count for themselves.
    pub rules: usize,
    /// Names of the rules in force whose alerts hold back those of services that depend on theirs.
    pub holding_dependants: BTreeSet<String>,
    /// Time until this process's definitions apply, no matter which process published them; `None` if they do, or it
    /// has none.
    pub cut_in: Option<Duration>,
}

/// Whether this process writes the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writes {
    /// It runs the sink.
    LogAndStore,
    /// Another process does, or none.
    LogOnly,
}

impl Writes {
    /// For work that is not a role: in an embedded installation it processes what it brings in, on Kafka other
    /// processes do.
    pub fn beside(config: &Config) -> Writes {
        match config.log {
            LogAddress::Sqlite(_) => Writes::LogAndStore,
            LogAddress::Kafka(_) => Writes::LogOnly,
        }
    }
}

impl Installation {
    /// Opens what the configuration names and publishes definitions. An embedded installation is set up where there is
    /// none; on Kafka `topics ensure` does that.
    ///
    /// # Errors
    /// When another process owns a directory, the cluster does not respond or is not set up, or a part cannot be used.
    pub async fn open(config: &Config, loaded: &Loaded, writes: Writes) -> Result<Installation> {
        let (installation, ()) = Installation::open_if(config, loaded, writes, async |_| Ok(())).await?;
        Ok(installation)
    }

    /// The same if `check` has nothing against it, which sees the log before definitions are published; and what it returns.
    ///
    /// # Errors
    /// As [`Installation::open`], and those of `check`.
    pub async fn open_if<T>(
        config: &Config,
        loaded: &Loaded,
        writes: Writes,
        check: impl AsyncFnOnce(&OpenLog) -> Result<T>,
    ) -> Result<(Installation, T)> {
        let log = OpenLog::open(config).await?;
        let settings = settings(&log).await?;
        let checked = match check(&log).await {
            Ok(checked) => checked,
            Err(error) => {
                log.close().await;
                return Err(error);
            }
        };
        let store = match writes {
            Writes::LogAndStore => Some(StorePlace::prepare(config)?),
            Writes::LogOnly => None,
        };
        let changed = definitions::publish(&log.patient(), loaded).await?;
        let revisions = revisions(log.patient().as_ref()).await?;
        let cut_in = match (changed, loaded.documents.is_empty()) {
            (Some(_), _) => Some(Duration::from_millis(settings.cut_delay_ms.try_into().unwrap_or_default())),
            (None, false) => still_to_come(&revisions, wall_clock(), settings.cut_delay_ms),
            (None, true) => None,
        };
        let cut_in = cut_in.filter(|delay| !delay.is_zero());
        let found = in_force(&revisions);
        let rules = found.iter().filter(|slo| slo.document == Document::Rule).count();
        let slos = found.len() - rules;
        let holding_dependants = definitions::holding_dependants(&found);
        Ok((Installation { log, store, settings, slos, rules, holding_dependants, cut_in }, checked))
    }

    /// Ends the writers in order. Call it when no role is left.
    ///
    /// # Errors
    /// When a writer did not end well.
    pub async fn close(self) -> Result<()> {
        if let Some(StorePlace::Open(store)) = self.store {
            store.close().await?;
        }
        self.log.close().await;
        Ok(())
    }

    /// Opens the store now, for work that reads it; if it has to be waited for, the sink does that.
    ///
    /// # Errors
    /// When this process writes none, or it cannot be reached.
    pub async fn open_store(&mut self) -> Result<SharedStore> {
        let Some(place) = self.store.take() else { bail!("this process has no store") };
        let store = place.open().await?;
        let shared = store.shared();
        self.store = Some(StorePlace::Open(store));
        Ok(shared)
    }
}

async fn settings(log: &OpenLog) -> Result<Settings> {
    match log {
        OpenLog::Sqlite(log) => {
            let initial = Settings { redelivery_window_ms: REDELIVERY_WINDOW_MS, cut_delay_ms: 0 };
            Ok(ensure_settings(log.as_ref() as &dyn Log, &initial).await?)
        }
        OpenLog::Kafka(kafka) => match read_settings(log.patient().as_ref()).await? {
            Some(settings) => Ok(settings),
            None => bail!("{}: the installation has no settings yet; run `slipstream topics ensure`", kafka.describe()),
        },
    }
}

/// The addresses of log and store, for people: without secrets.
pub fn describe(config: &Config, writes: Writes) -> String {
    let log = match &config.log {
        LogAddress::Sqlite(dir) => format!("sqlite:{}", dir.display()),
        LogAddress::Kafka(brokers) => format!("kafka://{brokers}"),
    };
    match writes {
        Writes::LogAndStore => format!("log {log}, store {}", store::place(config)),
        Writes::LogOnly => format!("log {log}"),
    }
}

/// How long until the last cut: another process may have published the same a moment ago. By our own clock, which has
/// nothing to decide here but how long to wait; where it is far off, the delay bounds it.
fn still_to_come(revisions: &Revisions, now: LogTime, cut_delay_ms: i64) -> Option<Duration> {
    let next = |at: LogTime| revisions.next_cut_after(at, revisions.end());
    let last = std::iter::successors(next(now), |cut| next(*cut)).last()?;
    let wait = last.0.saturating_sub(now.0).clamp(0, cut_delay_ms.max(0));
    wait.try_into().ok().map(Duration::from_millis)
}

fn wall_clock() -> LogTime {
    LogTime(jiff::Timestamp::now().as_millisecond())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test")]

    use slipstream_runtime::config::{Overrides, Receiver};

    use super::*;

    #[test]
    fn a_receivers_mistake_is_told_where_it_stands() {
        let mut config = Config::load(None, [], Overrides::default()).unwrap();
        let place = Place::File { file: "slipstream.yaml".to_owned(), line: 3, column: 5 };
        config.receivers = vec![Receiver { place: Some(place), ..Receiver::webhook("a", "http://[::") }];
        let found = mistakes(&config);
        assert!(found[0].to_string().starts_with("slipstream.yaml:3:5: receiver a: url: "), "{found:?}");
    }

    #[test]
    fn an_address_of_a_database_is_checked_before_anything_is_touched() {
        let store = |url: &str| Overrides { store: Some(url.to_owned()), ..Overrides::default() };
        let found = |url: &str| mistakes(&Config::load(None, [], store(url)).unwrap());
        assert_eq!(found("postgres://me@host/db?sslmode=require"), []);
        let wrong = found("postgres://me:t0ps3cret@host/db?sslmod=require");
        let [problem] = &wrong[..] else { panic!("{wrong:?}") };
        let said = problem.to_string();
        assert!(said.starts_with("--store: reading the store's URL: ") && said.contains("`sslmod`"), "{said}");
        assert!(!said.contains("t0ps3cret"), "{said}");

        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("slipstream.yaml");
        std::fs::write(&file, "store: postgres://me@host/db?sslmod=require\n").unwrap();
        let wrong = mistakes(&Config::load(Some(&file), [], Overrides::default()).unwrap());
        assert!(wrong[0].to_string().contains("slipstream.yaml:1:8: reading the store's URL: "), "{wrong:?}");
    }

    #[test]
    fn a_cut_is_waited_for_whoever_published_it() {
        let mut revisions = Revisions::new();
        revisions.apply_settings(0, Settings { redelivery_window_ms: 120_000, cut_delay_ms: 5_000 }).unwrap();
        for (offset, log_time) in [(1, 10_000), (2, 11_000)] {
            revisions.apply_slo(offset, LogTime(log_time), "shop", None).unwrap();
        }
        for (now, waits_ms) in [
            (11_000, Some(5_000)),
            (12_500, Some(3_500)),
            (15_500, Some(500)),
            (16_000, None),
            (99_000, None),
            (0, Some(5_000)), // our clock is behind
        ] {
            let waits = still_to_come(&revisions, LogTime(now), 5_000);
            assert_eq!(waits, waits_ms.map(Duration::from_millis), "at {now}");
        }
        assert_eq!(still_to_come(&Revisions::new(), LogTime(0), 5_000), None);
    }
}
