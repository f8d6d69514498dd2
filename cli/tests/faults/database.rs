//! The tables, asked in SQL as anybody may.

use std::collections::{BTreeMap, HashMap};

use anyhow::{Context, Result};
use tokio::task::JoinSet;
use tokio_postgres::{Client, NoTls};

/// A connection of the test. It ends with the value.
pub struct Database {
    client: Client,
    _connection: JoinSet<()>,
}

impl Database {
    /// Connects.
    pub async fn connect(url: &str) -> Result<Database> {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await.context("connecting to the database")?;
        let mut served = JoinSet::new();
        served.spawn(async move {
            // It ends with the client; what breaks it, the next query says.
            let _ = connection.await;
        });
        client.batch_execute("SET search_path TO slipstream").await.context("choosing the schema")?;
        Ok(Database { client, _connection: served })
    }

    /// How many rows there are of each event.
    pub async fn rows_per_event(&self) -> Result<HashMap<String, i64>> {
        let sql = "SELECT event_id, count(*) FROM request_events GROUP BY event_id";
        let rows = self.client.query(sql, &[]).await.context(sql)?;
        Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
    }

    /// Requests by the rollups.
    pub async fn hits(&self) -> Result<i64> {
        let sql = "SELECT coalesce(sum(hits), 0)::bigint FROM http_requests_1m";
        Ok(self.client.query_one(sql, &[]).await.context(sql)?.get(0))
    }

    /// How many rows there are of each transition.
    pub async fn transitions(&self) -> Result<BTreeMap<(String, i64, i32), i64>> {
        let sql = "SELECT alert_id, episode, seq, count(*) FROM alert_transitions GROUP BY alert_id, episode, seq";
        let rows = self.client.query(sql, &[]).await.context(sql)?;
        Ok(rows.iter().map(|row| ((row.get(0), row.get(1), row.get(2)), row.get(3))).collect())
    }

    /// Rows of a table.
    pub async fn count(&self, table: &str) -> Result<usize> {
        let sql = format!("SELECT count(*) FROM {table}");
        let rows: i64 = self.client.query_one(&sql, &[]).await.context(sql)?.get(0);
        Ok(usize::try_from(rows)?)
    }
}
