//! Compression of old chunks, by a policy of TimescaleDB; left out where its licence does not include it.

use slipstream_schemas::cause::chain;
use tokio_postgres::types::Type;

use super::error;
use super::layout::Layout;
use super::session::Session;
use crate::port::StoreError;

const DOING: &str = "checking whether old chunks are compressed";

/// A hypertable, and how its chunks are compressed: rows that are read together lie together, in the order of questions.
struct Compressed {
    table: &'static str,
    segment_by: &'static str,
    order_by: &'static str,
    after: &'static str,
}

const EVENTS: Compressed = Compressed {
    table: "events",
    segment_by: "dimensions",
    order_by: "\"time\", partition, \"offset\"",
    after: "2 days",
};
/// Of event time, which may lie behind: what comes late into a compressed chunk is taken, and costs more.
const ROLLUPS: Compressed =
    Compressed { table: "rollups", segment_by: "dimensions", order_by: "minute, status_class", after: "14 days" };
const BURN_RATES: Compressed =
    Compressed { table: "burn_rates", segment_by: "series", order_by: "\"time\", generation", after: "2 days" };

/// Sees to it that old chunks of every hypertable are compressed. The Apache build of TimescaleDB refuses; then they stay as they
/// are.
///
/// # Errors
/// When the database does not answer.
pub async fn ensure(session: &mut Session, layout: Layout) -> Result<(), StoreError> {
    let wanted = [(layout.events, EVENTS), (layout.rollups, ROLLUPS), (layout.burn_rates, BURN_RATES)];
    for (_, table) in wanted.iter().filter(|(is_hypertable, _)| *is_hypertable) {
        if let Some(cause) = table.ensure(session).await? {
            tracing::info!(%cause, "TimescaleDB does not compress here: {} stays uncompressed", table.table);
            return Ok(());
        }
    }
    Ok(())
}

impl Compressed {
    /// The reason why it is not to be had.
    async fn ensure(&self, session: &mut Session) -> Result<Option<String>, StoreError> {
        let transaction = session.begin(DOING).await?;
        let sql = "SELECT bool_or(compression_enabled) FROM timescaledb_information.hypertables
                   WHERE hypertable_schema = current_schema() AND hypertable_name = $1";
        let asked = transaction.query_typed_one(sql, &[(&self.table, Type::TEXT)]).await.map_err(error::at(DOING))?;
        if asked.get::<_, Option<bool>>(0) == Some(true) {
            transaction.commit().await.map_err(error::at(DOING))?;
            return Ok(None);
        }
        let Compressed { table, segment_by, order_by, after } = self;
        let sql = format!(
            "ALTER TABLE {table} SET (timescaledb.compress, timescaledb.compress_segmentby = '{segment_by}',
             timescaledb.compress_orderby = '{order_by}');
             SELECT add_compression_policy('{table}', INTERVAL '{after}', if_not_exists => true);"
        );
        let done = match transaction.batch_execute(&sql).await {
            Ok(()) => transaction.commit().await,
            Err(error) => Err(error),
        };
        Ok(done.err().map(|cause| chain(&cause)))
    }
}
