//! The store of the process that runs the sink.

use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use anyhow::Result;
use slipstream_role::patience::Patience;
use slipstream_runtime::Shutdown;
use slipstream_runtime::backoff::Backoff;
use slipstream_runtime::config::{Config, Place, Problem, Secret, StoreAddress};
use slipstream_runtime::health::{Health, State};
use slipstream_store::{PostgresOptions, PostgresStore, SharedStore, SqliteStore, StoreError};

use super::data::no_file;

/// A store that is open for writing.
#[derive(Clone)]
pub enum OpenStore {
    /// In a directory.
    Sqlite(Arc<SqliteStore>),
    /// In a database.
    Postgres(Arc<PostgresStore>),
}

/// A store that is open, or that its user opens.
#[derive(Clone)]
pub enum StorePlace {
    /// Open.
    Open(OpenStore),
    /// A database, which may not be up yet.
    Postgres(PostgresOptions),
}

impl StorePlace {
    /// Opens a store in a directory, so that problems are reported at once. A database is reached by the sink,
    /// which can wait for it.
    ///
    /// # Errors
    /// When the directory cannot be used.
    pub fn prepare(config: &Config) -> Result<StorePlace> {
        match &config.store {
            StoreAddress::Sqlite(dir) => {
                no_file(dir)?;
                Ok(StorePlace::Open(OpenStore::Sqlite(SqliteStore::open(dir, config.retention)?)))
            }
            StoreAddress::Postgres(url) => Ok(StorePlace::Postgres(postgres_options(config, url))),
        }
    }

    /// The store, opened without patience.
    ///
    /// # Errors
    /// When it cannot be reached, or does not let us in.
    pub async fn open(self) -> Result<OpenStore, StoreError> {
        match self {
            StorePlace::Open(store) => Ok(store),
            StorePlace::Postgres(options) => Ok(OpenStore::Postgres(PostgresStore::connect(options).await?)),
        }
    }

    /// Opens the store, waiting until it is available; `None` on shutdown. `role` reports on the board that it waits.
    ///
    /// # Errors
    /// When it does not let us in, or cannot be used: waiting would not help.
    pub async fn await_open(
        &self,
        role: &str,
        health: &Health,
        shutdown: &Shutdown,
    ) -> Result<Option<OpenStore>, StoreError> {
        let mut patience = Patience::new(Backoff::PEER, u64::from(std::process::id()), shutdown.clone());
        loop {
            match self.clone().open().await {
                Ok(store) => return Ok(Some(store)),
                Err(StoreError::Unavailable { doing, cause }) => {
                    tracing::warn!(role, "{doing}: {cause}; retrying");
                    health.set(role, State::Waiting(format!("{doing}: {cause}")));
                }
                Err(error) => return Err(error),
            }
            if !patience.wait(|_, _| ()).await {
                return Ok(None);
            }
        }
    }
}

/// A store that is asked questions: that of this process, or one that has to be reached.
#[derive(Clone)]
pub enum ReadPlace {
    /// Open.
    Open(SharedStore),
    /// A file that another process may write, or none yet.
    Sqlite(PathBuf),
    /// A database, which may not be up yet.
    Postgres(PostgresOptions),
}

impl ReadPlace {
    /// Where this process reads: `own` is what it writes.
    pub fn of(config: &Config, own: Option<&StorePlace>) -> ReadPlace {
        match (own, &config.store) {
            (Some(StorePlace::Open(store)), _) => ReadPlace::Open(store.shared()),
            (_, StoreAddress::Sqlite(dir)) => ReadPlace::Sqlite(dir.clone()),
            (_, StoreAddress::Postgres(url)) => ReadPlace::Postgres(postgres_options(config, url)),
        }
    }

    async fn open(&self) -> Result<SharedStore, StoreError> {
        Ok(match self {
            ReadPlace::Open(store) => store.clone(),
            ReadPlace::Sqlite(dir) => SqliteStore::open_read_only(dir)?,
            ReadPlace::Postgres(options) => PostgresStore::connect_read_only(options.clone()).await?,
        })
    }

    /// Puts the store into its cell once it can be opened, or ends on shutdown. What does not let us in, or has no tables yet, may
    /// do so later: whoever asks meanwhile is told that the store was not reached.
    ///
    /// # Errors
    /// Never: it returns a result only to be a supervised job.
    pub async fn await_open(
        &self,
        role: &str,
        cell: &OnceLock<SharedStore>,
        shutdown: &Shutdown,
    ) -> Result<(), Infallible> {
        let mut patience = Patience::new(Backoff::PEER, u64::from(std::process::id()), shutdown.clone());
        loop {
            match self.open().await {
                Ok(store) => {
                    let _ = cell.set(store);
                    return Ok(());
                }
                Err(error) => {
                    let say = |failures, _| {
                        if failures == 1 {
                            tracing::warn!(role, "{error}; retrying");
                        }
                    };
                    if !patience.wait(say).await {
                        return Ok(());
                    }
                }
            }
        }
    }
}

impl OpenStore {
    /// The store as roles take it.
    pub fn shared(&self) -> SharedStore {
        match self {
            OpenStore::Sqlite(store) => store.clone(),
            OpenStore::Postgres(store) => store.clone(),
        }
    }

    /// Ends its writer. Call it when no role is left.
    ///
    /// # Errors
    /// When it did not end well.
    pub async fn close(self) -> Result<(), StoreError> {
        match self {
            OpenStore::Sqlite(store) => store.close().await,
            OpenStore::Postgres(store) => {
                store.close().await;
                Ok(())
            }
        }
    }
}

/// How to reach the database, as the configuration says.
pub fn postgres_options(config: &Config, url: &Secret) -> PostgresOptions {
    PostgresOptions {
        password: config.postgres.password.as_ref().map(|password| password.reveal().to_owned()),
        root_cert: config.postgres.root_cert.clone(),
        retention: config.retention,
        ..PostgresOptions::new(url.reveal())
    }
}

/// What is wrong with the address of a database, but for hosts and ports, which are checked with the configuration.
pub fn wrong_address(config: &Config) -> Option<Problem> {
    let StoreAddress::Postgres(url) = &config.store else { return None };
    let error = postgres_options(config, url).check().err()?;
    let place = config.store_place.clone().unwrap_or_else(|| Place::Setting("store".to_owned()));
    Some(Problem { place, message: error.to_string() })
}

/// The address of the store, for people: without secrets.
pub fn place(config: &Config) -> String {
    match &config.store {
        StoreAddress::Sqlite(dir) => format!("sqlite:{}", dir.display()),
        StoreAddress::Postgres(url) => without_secrets(url.reveal()),
    }
}

/// A URL without user, password and parameters.
fn without_secrets(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("postgres", url));
    // A password may contain an unescaped @, ? or #: the last @ ends it.
    let rest = rest.rsplit_once('@').map_or(rest, |(_, place)| place);
    let place = rest.split(['?', '#']).next().unwrap_or_default();
    format!("{scheme}://{place}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_holds_no_secret() {
        for (url, shown) in [
            ("postgres://db/shop", "postgres://db/shop"),
            ("postgresql://me@db:5432/shop?sslmode=require", "postgresql://db:5432/shop"),
            ("postgres://me:s3cret@db/shop?password=s3cret", "postgres://db/shop"),
            ("postgres://me:s3@cret@db/shop", "postgres://db/shop"),
            ("postgres://me:s3?cret@db/shop", "postgres://db/shop"),
        ] {
            assert_eq!(without_secrets(url), shown);
        }
    }
}
