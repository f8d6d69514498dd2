//! Adding to rollups: one statement a batch. Sketches travel as one long list of cells, cut up in the database.

use tokio_postgres::Transaction;
use tokio_postgres::types::Type;

use super::stamp::Stamp;
use super::{error, sketch};
use crate::port::StoreError;
use crate::rollup::{MINUTE_US, Rollup};

const SQL: &str =
    "INSERT INTO rollups AS r (minute, dimensions, status_class, hits, errors, latency_count, latency_sum, latency_min,
     latency_max, sketch)
     SELECT n.minute, n.dimensions, n.status_class, n.hits, n.errors, n.latency_count, n.latency_sum, n.latency_min,
            n.latency_max, CASE WHEN n.latency_count > 0 THEN ($12::bigint[])[n.first:n.last] END
     FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) AS n (minute, dimensions, status_class, hits, errors,
          latency_count, latency_sum, latency_min, latency_max, first, last)
     ORDER BY 1, 2, 3
     ON CONFLICT (minute, dimensions, status_class) DO UPDATE SET
     hits = r.hits + excluded.hits, errors = r.errors + excluded.errors,
     latency_count = r.latency_count + excluded.latency_count, latency_sum = r.latency_sum + excluded.latency_sum,
     latency_min = least(r.latency_min, excluded.latency_min),
     latency_max = greatest(r.latency_max, excluded.latency_max), sketch = sketch_add(r.sketch, excluded.sketch)";

/// Adds rollups to what is there; `ids` by [`Rollup::dimensions`]. In one order, so that writers wait for each other and
/// never in a circle.
pub async fn add_rollups(transaction: &Transaction<'_>, rollups: &[Rollup], ids: &[i32]) -> Result<(), StoreError> {
    if rollups.is_empty() {
        return Ok(());
    }
    let minutes: Vec<Stamp> = rollups.iter().map(|r| Stamp(r.minute * MINUTE_US)).collect();
    let dimensions: Vec<i32> = rollups.iter().map(|r| ids[r.dimensions]).collect();
    let classes: Vec<i16> = rollups.iter().map(|r| r.status_class.into()).collect();
    let hits: Vec<i64> = rollups.iter().map(|r| r.sums.hits as i64).collect();
    let errors: Vec<i64> = rollups.iter().map(|r| r.sums.errors as i64).collect();
    let measured: Vec<i64> = rollups.iter().map(|r| r.sums.latency.count as i64).collect();
    let sums: Vec<f64> = rollups.iter().map(|r| r.sums.latency.sum).collect();
    let bound = |r: &Rollup, bound: f64| (r.sums.latency.count > 0).then_some(bound);
    let least: Vec<Option<f64>> = rollups.iter().map(|r| bound(r, r.sums.latency.min)).collect();
    let greatest: Vec<Option<f64>> = rollups.iter().map(|r| bound(r, r.sums.latency.max)).collect();
    let (mut cells, mut first, mut last) = (Vec::new(), Vec::new(), Vec::new());
    for rollup in rollups {
        first.push(cells.len() as i32 + 1);
        cells.extend(sketch::cells(&rollup.sums.latency.sketch));
        last.push(cells.len() as i32);
    }
    let values: [(&(dyn tokio_postgres::types::ToSql + Sync), Type); 12] = [
        (&minutes, Type::TIMESTAMPTZ_ARRAY),
        (&dimensions, Type::INT4_ARRAY),
        (&classes, Type::INT2_ARRAY),
        (&hits, Type::INT8_ARRAY),
        (&errors, Type::INT8_ARRAY),
        (&measured, Type::INT8_ARRAY),
        (&sums, Type::FLOAT8_ARRAY),
        (&least, Type::FLOAT8_ARRAY),
        (&greatest, Type::FLOAT8_ARRAY),
        (&first, Type::INT4_ARRAY),
        (&last, Type::INT4_ARRAY),
        (&cells, Type::INT8_ARRAY),
    ];
    transaction.execute_typed(SQL, &values).await.map(drop).map_err(error::at("adding to rollups"))
}
