//! Databases for the tests, and a connection that asks them directly.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use slipstream_store::conformance::Fixture;
use slipstream_store::conformance::made;
use slipstream_store::kpis::{KpiAnswer, KpiQuestion, Kpis};
use slipstream_store::{
    BatchFate, EventFilter, EventQuestion, PostgresOptions, PostgresStore, SharedStore, Store, StoreError, WriteBatch,
    settled,
};
use slipstream_testkit::services::{self, Postgres};
use tokio::task::JoinSet;
use tokio_postgres::types::{FromSqlOwned, ToSql};
use tokio_postgres::{Client, NoTls};

/// How long anything may take here.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// A store in its own database on the shared server.
pub async fn fresh_store() -> (Arc<PostgresStore>, PostgresOptions) {
    let options = fresh_options().await;
    (PostgresStore::connect(options.clone()).await.unwrap(), options)
}

/// An empty database on the shared server.
pub async fn fresh_options() -> PostgresOptions {
    PostgresOptions::new(services::postgres().await.fresh_database().await)
}

/// Stores for a suite, each in the next schema of one database: schemas cost a tenth of what databases cost, and a suite
/// wants dozens.
pub struct Schemas {
    options: Mutex<PostgresOptions>,
    made: AtomicUsize,
    /// Closed when the next schema begins: connections of a server are few.
    open: Mutex<Vec<Arc<PostgresStore>>>,
    has_timers: bool,
}

impl Schemas {
    /// In a new database of the shared server.
    pub async fn new() -> Self {
        let server = services::postgres().await;
        Self::on(&server).await
    }

    /// In a new database of a server.
    pub async fn on(server: &Postgres) -> Self {
        let has_timers = !server.describe().contains("WASM");
        Schemas { has_timers, ..Self::at(server.fresh_database().await) }
    }

    /// In the database of a URL.
    pub fn at(url: String) -> Self {
        let (options, open) = (Mutex::new(PostgresOptions::new(url)), Mutex::default());
        Schemas { options, made: AtomicUsize::new(0), open, has_timers: true }
    }
}

#[async_trait]
impl Fixture for Schemas {
    async fn empty(&self) -> SharedStore {
        let before = std::mem::take(&mut *self.open.lock().unwrap());
        for store in before {
            store.close().await;
        }
        let schema = format!("suite_{}", self.made.fetch_add(1, Ordering::SeqCst));
        self.options.lock().unwrap().schema = schema;
        self.reopened().await
    }

    async fn reopened(&self) -> SharedStore {
        let options = self.options.lock().unwrap().clone();
        let store = PostgresStore::connect(options).await.unwrap();
        self.open.lock().unwrap().push(store.clone());
        store
    }

    fn breaks_off(&self) -> bool {
        self.has_timers
    }
}

/// A TimescaleDB that has several sessions at once, where there is one.
pub async fn timescale_server() -> Option<Arc<Postgres>> {
    services::timescale().await.filter(|server| !server.describe().contains("WASM"))
}

/// How many sessions of this database wait for a lock.
pub async fn blocked(sql: &Beside) -> i64 {
    let waiting =
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    sql.one(waiting, &[]).await
}

/// Until so many sessions of this database wait for a lock.
pub async fn until_blocked(sql: &Beside, sessions: i64) {
    let begin = Instant::now();
    while blocked(sql).await < sessions {
        assert!(begin.elapsed() < DEADLINE, "nobody waits");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// A connection beside the store's.
pub struct Beside {
    pub client: Client,
    _driver: JoinSet<()>,
}

impl Beside {
    pub async fn connect(url: &str) -> Self {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
        let mut driver = JoinSet::new();
        driver.spawn(async move { drop(connection.await) });
        client.batch_execute("SET search_path TO slipstream, public").await.unwrap();
        Beside { client, _driver: driver }
    }

    pub async fn run(&self, sql: &str) {
        self.client.batch_execute(sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    }

    /// The first column of the only row.
    pub async fn one<T: FromSqlOwned>(&self, sql: &str, values: &[&(dyn ToSql + Sync)]) -> T {
        let row = self.client.query_one(sql, values).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
        row.get(0)
    }
}

/// Every event that is stored, page by page.
pub async fn all_events(store: &PostgresStore) -> Vec<slipstream_schemas::RequestEvent> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = store.events(&EventQuestion::oldest(EventFilter::default(), 5_000, after)).await.unwrap();
        all.extend(page.events.into_iter().map(|stored| stored.event));
        after = page.next;
        if after.is_none() {
            return all;
        }
    }
}

/// Hits of everything.
pub async fn hits(store: &PostgresStore) -> u64 {
    total(store).await.hits
}

pub async fn total(store: &PostgresStore) -> Kpis {
    match store.kpis(&KpiQuestion::default()).await.unwrap() {
        KpiAnswer::Total(kpis) => kpis,
        KpiAnswer::Rows { .. } => panic!("no rows were asked for"),
    }
}

/// Sends the same batch until it is settled, as the sink does; answers how often it was sent.
pub async fn write_until_settled(store: &PostgresStore, batch: WriteBatch) -> usize {
    let batch = Arc::new(batch);
    let begin = Instant::now();
    for sent in 1.. {
        match store.write(batch.clone()).await {
            Ok(()) => return sent,
            Err(StoreError::Moved { .. }) => match store.positions().await.map(|stored| settled(&batch, &stored)) {
                Ok(BatchFate::Written) => return sent,
                Ok(other) => panic!("{other:?}"),
                Err(StoreError::Unavailable { .. }) => {}
                Err(error) => panic!("{error}"),
            },
            Err(StoreError::Unavailable { .. }) => {}
            Err(error) => panic!("{error}"),
        }
        assert!(begin.elapsed() < DEADLINE, "the database does not come back");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    unreachable!("a write ends")
}

/// Events that all differ, of partition 0.
pub fn events(range: std::ops::Range<usize>) -> Vec<slipstream_schemas::RequestEvent> {
    made::events(&mut made::Dice(7), range.end).split_off(range.start)
}
