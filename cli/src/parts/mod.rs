//! The parts of an installation, opened from their addresses: its log, its store, what is fixed for it, what is in force.

mod log;
mod look;
pub mod store;

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use slipstream_log::definitions::{DefinitionReader, ensure_settings, read_settings};
use slipstream_log::{Log, SharedLog};
use slipstream_processor::current_states;
use slipstream_runtime::config::{Config, LogAddress};
use slipstream_schemas::LogTime;
use slipstream_schemas::records::Settings;
use slipstream_slo::definition::Slo;
use slipstream_slo::openslo::Loaded;
use slipstream_slo::revision::Revisions;
use slipstream_store::SharedStore;
use slipstream_store::slos::{SloStatus, status};

pub use log::{OpenLog, kafka_options};
pub use look::{log_of, store_of};
pub use store::StorePlace;

use crate::definitions;

/// W of the redelivery rule, milliseconds.
pub const REDELIVERY_WINDOW_MS: i64 = 120_000;
/// From a revision's log time to its cut where definitions and events have no common order, milliseconds.
pub const CUT_DELAY_MS: i64 = 5_000;

/// An installation that this process takes part in, or owns.
pub struct Installation {
    /// The log.
    pub log: OpenLog,
    /// The store; none where this process writes none.
    pub store: Option<StorePlace>,
    /// What is fixed for the installation.
    pub settings: Settings,
    /// How many SLOs are in force.
    pub slos: usize,
    /// Time until the definitions that this process published apply; none where it published none.
    pub cut_in: Option<Duration>,
}

/// Whether this process writes the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writes {
    /// It runs the sink.
    LogAndStore,
    /// Another process does, or nobody.
    LogOnly,
}

impl Writes {
    /// For work that is no role: in an embedded installation it digests what it brings, on Kafka others do.
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
    /// When another process owns a directory, the cluster does not answer or is not set up, or a part cannot be used.
    pub async fn open(config: &Config, loaded: &Loaded, writes: Writes) -> Result<Installation> {
        let log = OpenLog::open(config).await?;
        let settings = settings(&log).await?;
        let store = match writes {
            Writes::LogAndStore => Some(StorePlace::prepare(config)?),
            Writes::LogOnly => None,
        };
        let changed = definitions::publish(&log.shared(), loaded).await?;
        let cut_delay = Duration::from_millis(settings.cut_delay_ms.try_into().unwrap_or_default());
        let cut_in = changed.map(|_| cut_delay).filter(|delay| !delay.is_zero());
        let slos = definitions_in_force(log.shared().as_ref()).await?.len();
        Ok(Installation { log, store, settings, slos, cut_in })
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

    /// Opens the store now, for work that looks at it; where it is to be waited for, the sink does that.
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
        OpenLog::Kafka(kafka) => match read_settings(log.shared().as_ref()).await? {
            Some(settings) => Ok(settings),
            None => bail!(
                "{}: the installation has no settings yet; `slipstream topics ensure` writes them",
                kafka.describe()
            ),
        },
    }
}

/// A file where a directory is expected is the commonest slip in `--data`: it is named as that.
fn no_file(data: &Path) -> Result<()> {
    if data.is_file() {
        bail!("{}: a file, not a directory; give --data a directory", data.display());
    }
    Ok(())
}

/// Where the parts are that a process uses, for people: without what may be secret.
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

/// The SLOs in force and where each stands, worst budget first: from the log, so exact up to the last second that was
/// tallied.
///
/// # Errors
/// When the log cannot be read, or holds what this version does not understand.
pub async fn slo_status(log: &SharedLog) -> Result<Vec<SloStatus>> {
    let mut slos = status(&definitions_in_force(log.as_ref()).await?, &current_states(log).await?);
    slos.sort_by(|a, b| a.budget_remaining.total_cmp(&b.budget_remaining));
    Ok(slos)
}

/// The SLOs in force by all revisions there are.
///
/// # Errors
/// When the log cannot be read, or holds a definition that this version does not understand.
pub async fn definitions_in_force(log: &dyn Log) -> Result<Vec<Slo>> {
    let mut revisions = Revisions::new();
    for revision in DefinitionReader::default().read_new(log).await.context("reading the definitions")? {
        revisions.apply(revision.offset, revision.log_time, &revision.definition)?;
    }
    let active = revisions.active_at(LogTime(i64::MAX), revisions.end());
    Ok(active.into_iter().map(|active| Slo::clone(&active.slo)).collect())
}
