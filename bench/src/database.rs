//! A database of a measurement's own, on a server of PostgreSQL.

use anyhow::{Context, Result, ensure};
use tokio_postgres::{Client, NoTls};

use crate::kafka::place::wait;

/// See the module.
pub struct Database {
    server: String,
    name: String,
    /// Its address.
    pub url: String,
}

impl Database {
    /// Creates one on a server given by the address of any of its databases.
    ///
    /// # Errors
    /// When the server does not create it.
    pub fn make(server: &str, run: usize) -> Result<Database> {
        let name = format!("bench_{}_{run}", std::process::id());
        let (address, parameters) = server.split_once('?').map_or((server, ""), |(a, p)| (a, p));
        let host = address.rsplit_once('/').map_or(address, |(host, _)| host);
        let url = format!("{host}/{name}{}{parameters}", if parameters.is_empty() { "" } else { "?" });
        on(server, async |client| execute(client, &format!("CREATE DATABASE {name}")).await)?;
        Ok(Database { server: server.to_owned(), name, url })
    }

    /// An error if a table of the store is no hypertable here: then something else was measured.
    ///
    /// # Errors
    /// That, and when the server does not answer.
    pub fn has_hypertable(&self, table: &str) -> Result<()> {
        let sql = "SELECT count(*) FROM timescaledb_information.hypertables WHERE hypertable_name = $1";
        let ask = async |client: &Client| Ok(client.query_one(sql, &[&table]).await?.get(0));
        let found: i64 = on(&self.url, ask).context("looking for hypertables")?;
        ensure!(found == 1, "{table} is no hypertable: may this user create the extension timescaledb?");
        Ok(())
    }

    /// Compresses all there is in hypertables.
    ///
    /// # Errors
    /// When the server does not.
    pub fn compress(&self) -> Result<()> {
        let sql = "SELECT compress_chunk(format('%I.%I', chunk_schema, chunk_name)::regclass, true)
                   FROM timescaledb_information.chunks WHERE hypertable_name IN ('events', 'rollups')";
        on(&self.url, async |client| client.query(sql, &[]).await.map(drop).context("compressing"))
    }

    /// Drops it.
    ///
    /// # Errors
    /// When the server does not.
    pub fn remove(self) -> Result<()> {
        let statement = format!("DROP DATABASE {} WITH (FORCE)", self.name);
        on(&self.server, async |client| execute(client, &statement).await)
    }
}

async fn execute(client: &Client, statement: &str) -> Result<()> {
    client.batch_execute(statement).await.with_context(|| format!("running {statement}"))
}

/// Connects to a database, and does something there.
///
/// # Errors
/// When it cannot connect, or of `work`.
pub fn on<T>(url: &str, work: impl AsyncFnOnce(&Client) -> Result<T>) -> Result<T> {
    wait(async {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await.context("connecting to PostgreSQL")?;
        let work = std::pin::pin!(work(&client));
        tokio::select! {
            done = work => done,
            ended = connection => Err(anyhow::anyhow!("the connection ended: {ended:?}")),
        }
    })?
}
