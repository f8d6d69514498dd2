//! Which of the tables are hypertables of TimescaleDB, and which aggregates are continuous: decided when the tables are made, or
//! by `slipstream store migrate` later, and looked up by everyone who works on them.

use tokio_postgres::{GenericClient, Row};

use super::error;
use crate::port::StoreError;

/// How the tables are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct Layout {
    /// Raw events are in a hypertable; else in native partitions, which the writer makes.
    pub events: bool,
    /// Rollups are in a hypertable; else in a plain table.
    pub rollups: bool,
    /// Burn-rate history is in a hypertable; else in a plain table.
    pub burn_rates: bool,
    /// `hourly` and `daily` are continuous aggregates; else plain tables.
    pub continuous: bool,
}

impl Layout {
    /// What is there, in the first schema of the search path.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn find(asked: &impl GenericClient, doing: &str) -> Result<Layout, StoreError> {
        // A hypertable is a table without native partitions that has the trigger of TimescaleDB, or is known to it; only the
        // catalog of the extension tells, where there is one.
        let catalog = "SELECT to_regclass('_timescaledb_catalog.hypertable') IS NOT NULL,
                       (SELECT relkind::text FROM pg_class WHERE oid = to_regclass('hourly'))";
        let row = asked.query_typed_one(catalog, &[]).await.map_err(error::at(doing))?;
        let continuous = row.get::<_, Option<&str>>(1) == Some("v");
        if !row.get::<_, bool>(0) {
            return Ok(Layout { continuous, ..Layout::default() });
        }
        let sql = "SELECT table_name::text FROM _timescaledb_catalog.hypertable WHERE schema_name = current_schema()";
        let rows = asked.query_typed(sql, &[]).await.map_err(error::at(doing))?;
        let has = |name: &str| rows.iter().any(|row: &Row| row.get::<_, &str>(0) == name);
        Ok(Layout { events: has("events"), rollups: has("rollups"), burn_rates: has("burn_rates"), continuous })
    }

    /// Whether all of it is as a new installation with TimescaleDB would have it.
    pub fn is_all_timescale(self) -> bool {
        self.events && self.rollups && self.burn_rates && self.continuous
    }
}
