//! The tables that become hypertables, and the parts in which they are copied: days of their time.

use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Row, Transaction};

use super::super::error;
use super::super::layout::Layout;
use super::super::stamp::Stamp;
use super::{Answer, DOING};

/// A table that may be a hypertable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Table {
    Rollups,
    BurnRates,
    Events,
}

/// A day of a table, and what tells whether it has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    pub begin: Stamp,
    rows: i64,
    /// As the database writes it: it may be greater than any integer.
    sum: String,
}

impl Table {
    /// Raw events, which are most, come last.
    pub const ALL: [Table; 3] = [Table::Rollups, Table::BurnRates, Table::Events];

    pub fn name(self) -> &'static str {
        match self {
            Table::Rollups => "rollups",
            Table::BurnRates => "burn_rates",
            Table::Events => "events",
        }
    }

    pub fn is_hypertable(self, layout: Layout) -> bool {
        match self {
            Table::Rollups => layout.rollups,
            Table::BurnRates => layout.burn_rates,
            Table::Events => layout.events,
        }
    }

    fn column(self) -> &'static str {
        match self {
            Table::Rollups => "minute",
            Table::BurnRates => "\"time\"",
            Table::Events => "log_time",
        }
    }

    /// What is different after each change of a row: of rollups, counts that only grow; of burn rates, all that an update may change.
    fn sum(self) -> &'static str {
        match self {
            Table::Events => "''",
            Table::Rollups => "coalesce(sum(hits::numeric + latency_count), 0)::text",
            Table::BurnRates => "coalesce(sum(hashtextextended(md5(body), retired::integer)::numeric), 0)::text",
        }
    }

    /// Its chunks' length, as a new installation has it (`sql/v1_events_hypertable.sql`, `sql/v5_hypertables.sql`).
    fn chunk(self) -> &'static str {
        match self {
            Table::Rollups => "7 days",
            Table::BurnRates | Table::Events => "1 day",
        }
    }

    /// What makes the empty hypertable beside it, and the list of its parts.
    pub fn beside(self) -> String {
        let (name, column, chunk) = (self.name(), self.column().trim_matches('"'), self.chunk());
        format!(
            "CREATE TABLE IF NOT EXISTS moving (table_name text NOT NULL, part timestamptz NOT NULL, rows bigint NOT NULL,
               sum text NOT NULL, PRIMARY KEY (table_name, part));
             COMMENT ON TABLE moving IS 'What slipstream store migrate has copied already.';
             DO $$ BEGIN
               IF to_regclass('{name}_moving') IS NULL THEN
                 CREATE TABLE {name}_moving (LIKE {name} INCLUDING DEFAULTS INCLUDING INDEXES INCLUDING COMMENTS);
                 EXECUTE format('COMMENT ON TABLE {name}_moving IS %L', obj_description('{name}'::regclass, 'pg_class'));
                 -- Chunks inherit what rows need: room on the page for the next version.
                 EXECUTE (SELECT 'ALTER TABLE {name}_moving SET (' || array_to_string(reloptions, ', ') || ')'
                          FROM pg_class WHERE oid = '{name}'::regclass AND reloptions IS NOT NULL AND relkind = 'r'
                          UNION ALL SELECT 'SELECT' LIMIT 1);
                 PERFORM create_hypertable('{name}_moving', '{column}', chunk_time_interval => INTERVAL '{chunk}', create_default_indexes => false);
               END IF;
             END $$"
        )
    }

    /// Its parts as they are now, in order.
    pub async fn parts(self, transaction: &Transaction<'_>) -> Answer<Vec<Part>> {
        let (name, column) = (self.name(), self.column());
        let sql = match self {
            // Counted by the writer.
            Table::Events => {
                "SELECT day::timestamp AT TIME ZONE 'UTC', sum(events)::bigint, '' FROM days GROUP BY 1 ORDER BY 1"
                    .to_owned()
            }
            Table::Rollups | Table::BurnRates => format!(
                "SELECT date_trunc('day', {column}, 'UTC'), count(*), {} FROM {name} GROUP BY 1 ORDER BY 1",
                self.sum()
            ),
        };
        let found = transaction.query_typed(&sql, &[]).await.map_err(error::at(DOING))?;
        Ok(found.iter().map(part).collect())
    }

    /// Those that were copied, as they were then.
    pub async fn copied(self, transaction: &Transaction<'_>) -> Answer<Vec<Part>> {
        let sql = "SELECT part, rows, sum FROM moving WHERE table_name = $1 ORDER BY 1";
        let found = transaction.query_typed(sql, &[(&self.name(), Type::TEXT)]).await.map_err(error::at(DOING))?;
        Ok(found.iter().map(part).collect())
    }

    /// Copies a part, instead of what was copied of it before.
    pub async fn copy(self, transaction: &Transaction<'_>, begin: Stamp) -> Answer<()> {
        self.remove(transaction, begin).await?;
        let (name, column) = (self.name(), self.column());
        // Its sums of the same snapshot as its rows: a part that changes meanwhile is different in the end.
        let sql = format!(
            "WITH part AS (INSERT INTO {name}_moving SELECT * FROM {name}
                           WHERE {column} >= $1 AND {column} < $1 + interval '1 day' RETURNING *)
             INSERT INTO moving (table_name, part, rows, sum) SELECT '{name}', $1, count(*), {} FROM part",
            self.sum()
        );
        execute(transaction, &sql, &[(&begin, Type::TIMESTAMPTZ)]).await
    }

    /// Removes a part from what was copied.
    pub async fn remove(self, transaction: &Transaction<'_>, begin: Stamp) -> Answer<()> {
        let (name, column) = (self.name(), self.column());
        let values: [(&(dyn ToSql + Sync), Type); 1] = [(&begin, Type::TIMESTAMPTZ)];
        let sql = format!("DELETE FROM {name}_moving WHERE {column} >= $1 AND {column} < $1 + interval '1 day'");
        execute(transaction, &sql, &values).await?;
        execute(transaction, &format!("DELETE FROM moving WHERE table_name = '{name}' AND part = $1"), &values).await
    }
}

fn part(row: &Row) -> Part {
    Part { begin: row.get(0), rows: row.get(1), sum: row.get(2) }
}

async fn execute(transaction: &Transaction<'_>, sql: &str, values: &[(&(dyn ToSql + Sync), Type)]) -> Answer<()> {
    transaction.execute_typed(sql, values).await.map(drop).map_err(error::at(DOING))
}
