//! Ids of dimensions and series: looked up once, created if they are missing.

use hashbrown::HashMap;
use sha2::{Digest, Sha256};
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Row, Transaction};

use super::error;
use super::session::Session;
use super::write_history::plain;
use crate::events::Dimensions;
use crate::port::{StoreError, StoredBurnRates};

/// Tuples to remember at most; beyond, they are looked up again.
const REMEMBERED: usize = 50_000;

/// The key of a series, of fixed length however long names are.
type SeriesKey = [u8; 32];

/// Ids that are committed.
#[derive(Default)]
pub struct Ids {
    dimensions: HashMap<Dimensions, i32>,
    series: HashMap<SeriesKey, i32>,
}

type Values<'a> = &'a [(&'a (dyn ToSql + Sync), Type)];

impl Ids {
    /// Forgets them all: the tables may not be the ones they were.
    pub fn forget(&mut self) {
        *self = Ids::default();
    }

    /// The id of each tuple, in their order.
    pub async fn dimensions(&mut self, session: &mut Session, tuples: &[Dimensions]) -> Result<Vec<i32>, StoreError> {
        if self.dimensions.len() > REMEMBERED {
            self.dimensions.clear();
        }
        let unknown: Vec<&Dimensions> = tuples.iter().filter(|tuple| !self.dimensions.contains_key(*tuple)).collect();
        if !unknown.is_empty() {
            let doing = "storing dimensions";
            let transaction = session.begin(doing).await?;
            let found = dimensions(&transaction, doing, &unknown).await?;
            transaction.commit().await.map_err(error::at(doing))?;
            self.dimensions.extend(found);
        }
        let missing = || error::unreadable("dimensions", "a tuple that was stored is not there");
        tuples.iter().map(|tuple| self.dimensions.get(tuple).copied().ok_or_else(missing)).collect()
    }

    /// The id of each row's series, in their order.
    pub async fn series(&mut self, session: &mut Session, rows: &[StoredBurnRates]) -> Result<Vec<i32>, StoreError> {
        if self.series.len() > REMEMBERED {
            self.series.clear();
        }
        let keys: Vec<SeriesKey> = rows.iter().map(key).collect();
        let mut unknown: Vec<(&SeriesKey, &StoredBurnRates)> =
            keys.iter().zip(rows).filter(|(key, _)| !self.series.contains_key(*key)).collect();
        unknown.sort_unstable_by_key(|(key, _)| *key);
        unknown.dedup_by_key(|(key, _)| *key);
        if !unknown.is_empty() {
            let doing = "storing series";
            let transaction = session.begin(doing).await?;
            let found = series(&transaction, doing, &unknown).await?;
            transaction.commit().await.map_err(error::at(doing))?;
            self.series.extend(found);
        }
        let missing = || error::unreadable("series", "one that was stored is not there");
        keys.iter().map(|key| self.series.get(key).copied().ok_or_else(missing)).collect()
    }
}

/// Each part ended by a byte that UTF-8 does not have.
fn key(row: &StoredBurnRates) -> SeriesKey {
    let mut hash = Sha256::new();
    for part in [&row.rates.slo, &row.rates.objective].into_iter().chain(&row.rates.group) {
        hash.update(part.as_bytes());
        hash.update([0xFF]);
    }
    hash.finalize().into()
}

async fn dimensions(
    transaction: &Transaction<'_>,
    doing: &str,
    tuples: &[&Dimensions],
) -> Result<Vec<(Dimensions, i32)>, StoreError> {
    let column = |field: fn(&Dimensions) -> &str| -> Vec<&str> { tuples.iter().map(|tuple| field(tuple)).collect() };
    let columns = [column(|d| &d.service), column(|d| &d.environment), column(|d| &d.endpoint), column(|d| &d.method)];
    let values: Vec<(&(dyn ToSql + Sync), Type)> =
        columns.iter().map(|column| (column as &(dyn ToSql + Sync), Type::TEXT_ARRAY)).collect();
    // Existing rows are excluded first: every attempted insert uses up an id.
    let make = "INSERT INTO dimensions (service, environment, endpoint, method)
                SELECT * FROM unnest($1, $2, $3, $4) AS w (service, environment, endpoint, method)
                WHERE NOT EXISTS (SELECT 1 FROM dimensions d WHERE d.service = w.service
                  AND d.environment = w.environment AND d.endpoint = w.endpoint AND d.method = w.method)
                ORDER BY 1, 2, 3, 4 ON CONFLICT DO NOTHING";
    let find = "SELECT id, d.service, d.environment, d.endpoint, d.method FROM dimensions d
                JOIN unnest($1, $2, $3, $4) AS w (service, environment, endpoint, method)
                ON d.service = w.service AND d.environment = w.environment AND d.endpoint = w.endpoint
                AND d.method = w.method";
    let found = make_and_find(transaction, doing, (make, &values), (find, &values)).await?;
    let tuple = |row: &Row| Dimensions {
        service: row.get(1),
        environment: row.get(2),
        endpoint: row.get(3),
        method: row.get(4),
    };
    Ok(found.iter().map(|row| (tuple(row), row.get(0))).collect())
}

async fn series(
    transaction: &Transaction<'_>,
    doing: &str,
    wanted: &[(&SeriesKey, &StoredBurnRates)],
) -> Result<Vec<(SeriesKey, i32)>, StoreError> {
    let keys: Vec<&[u8]> = wanted.iter().map(|(key, _)| key.as_slice()).collect();
    let slos: Vec<String> = wanted.iter().map(|(_, row)| plain(&row.rates.slo)).collect();
    let objectives: Vec<String> = wanted.iter().map(|(_, row)| plain(&row.rates.objective)).collect();
    // As JSON even NUL has a form that the database takes.
    let values: Vec<String> = wanted.iter().map(|(_, row)| serde_json::json!(row.rates.group).to_string()).collect();
    let names: Vec<String> = wanted.iter().map(|(_, row)| plain(&row.rates.group.join(", "))).collect();
    let make = "INSERT INTO series (key, slo, objective, group_values, group_name)
                SELECT * FROM unnest($1, $2, $3, $4, $5) AS w (key, slo, objective, group_values, group_name)
                WHERE NOT EXISTS (SELECT 1 FROM series s WHERE s.key = w.key) ORDER BY 1 ON CONFLICT DO NOTHING";
    let find = "SELECT id, key FROM series WHERE key = ANY ($1)";
    let all: [(&(dyn ToSql + Sync), Type); 5] = [
        (&keys, Type::BYTEA_ARRAY),
        (&slos, Type::TEXT_ARRAY),
        (&objectives, Type::TEXT_ARRAY),
        (&values, Type::TEXT_ARRAY),
        (&names, Type::TEXT_ARRAY),
    ];
    let found = make_and_find(transaction, doing, (make, &all), (find, &all[..1])).await?;
    let key = |row: &Row| SeriesKey::try_from(row.get::<_, &[u8]>(1)).ok();
    Ok(found.iter().filter_map(|row| Some((key(row)?, row.get(0)))).collect())
}

/// Waits for rows that another writer is just creating, and then finds them.
async fn make_and_find(
    transaction: &Transaction<'_>,
    doing: &str,
    (make, made): (&str, Values<'_>),
    (find, wanted): (&str, Values<'_>),
) -> Result<Vec<Row>, StoreError> {
    transaction.execute_typed(make, made).await.map_err(error::at(doing))?;
    transaction.query_typed(find, wanted).await.map_err(error::at(doing))
}
