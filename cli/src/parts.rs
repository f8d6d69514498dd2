//! The log and the store of an embedded installation, opened for a process that owns the directory or for a look at it.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use slipstream_log::definitions::{DefinitionReader, ensure_settings};
use slipstream_log::sqlite::{SqliteLog, SqliteOptions};
use slipstream_log::{Log, SharedLog};
use slipstream_processor::current_states;
use slipstream_schemas::LogTime;
use slipstream_schemas::records::Settings;
use slipstream_slo::definition::Slo;
use slipstream_slo::openslo::Loaded;
use slipstream_slo::revision::Revisions;
use slipstream_store::slos::{SloStatus, status};
use slipstream_store::{SharedStore, SqliteStore};

use crate::definitions;

/// W of the redelivery rule, milliseconds.
const REDELIVERY_WINDOW_MS: i64 = 120_000;

/// An installation that this process owns.
pub struct Owned {
    /// The log.
    pub log: Arc<SqliteLog>,
    /// The store.
    pub store: Arc<SqliteStore>,
    /// What is fixed for the installation.
    pub settings: Settings,
}

/// An installation that is looked at.
pub struct ReadOnly {
    log: SharedLog,
    /// The store.
    pub store: Arc<SqliteStore>,
}

/// A file where a directory is expected is the commonest slip in `--data`: it is named as that.
fn no_file(data: &Path) -> Result<()> {
    if data.is_file() {
        bail!("{}: a file, not a directory; give --data a directory", data.display());
    }
    Ok(())
}

/// Opens a directory as its owner, and sets the installation up where there is none.
///
/// # Errors
/// When another process owns it, or it cannot be used.
async fn own(log_dir: &Path, store_dir: &Path, retention: slipstream_store::Retention) -> Result<Owned> {
    no_file(log_dir)?;
    no_file(store_dir)?;
    let log = SqliteLog::open(log_dir, SqliteOptions::default())?;
    let initial = Settings { redelivery_window_ms: REDELIVERY_WINDOW_MS, cut_delay_ms: 0 };
    let settings = ensure_settings(log.as_ref() as &dyn Log, &initial).await?;
    let store = SqliteStore::open(store_dir, retention)?;
    Ok(Owned { log, store, settings })
}

/// Opens a directory as its owner and publishes definitions; answers also how many SLOs are in force then.
///
/// # Errors
/// When another process owns it, or it cannot be used.
pub async fn own_with(
    (log_dir, store_dir): (&Path, &Path),
    retention: slipstream_store::Retention,
    loaded: &Loaded,
) -> Result<(Owned, usize)> {
    let owned = own(log_dir, store_dir, retention).await?;
    definitions::publish(&owned.shared_log(), loaded).await?;
    let slos = definitions_in_force(owned.log.as_ref()).await?.len();
    Ok((owned, slos))
}

impl Owned {
    /// The log as roles take it.
    pub fn shared_log(&self) -> SharedLog {
        self.log.clone()
    }

    /// The store as roles take it.
    pub fn shared_store(&self) -> SharedStore {
        self.store.clone()
    }

    /// Ends the writers in order. Call it when no role is left.
    ///
    /// # Errors
    /// When a writer did not end well.
    pub async fn close(self) -> Result<()> {
        self.store.close().await?;
        self.log.close().await;
        Ok(())
    }
}

/// Opens a directory for a look, also while a process owns it.
///
/// # Errors
/// When there is no installation, or it cannot be read.
pub fn read_only(data: &Path) -> Result<ReadOnly> {
    no_file(data)?;
    if !data.is_dir() {
        bail!(
            "{}: no such data directory; `slipstream run --data DIR` or `slipstream import` makes one",
            data.display()
        );
    }
    let log = SqliteLog::open_read_only(data)?;
    let store = SqliteStore::open_read_only(data)?;
    Ok(ReadOnly { log, store })
}

impl ReadOnly {
    /// The SLOs in force and where each stands, worst budget first: from the log, so exact up to the last second that
    /// was tallied.
    ///
    /// # Errors
    /// When the log cannot be read, or holds what this version does not understand.
    pub async fn slo_status(&self) -> Result<Vec<SloStatus>> {
        slo_status(&self.log).await
    }

    /// The SLOs in force.
    ///
    /// # Errors
    /// When the log cannot be read, or holds a definition that this version does not understand.
    pub async fn slos(&self) -> Result<Vec<Slo>> {
        definitions_in_force(self.log.as_ref() as &dyn Log).await
    }
}

/// The SLOs in force and where each stands, worst budget first.
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
