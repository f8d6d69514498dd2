//! The same suite where TimescaleDB is: a server that was given, its image, or WASM. The report of the run says which.

use slipstream_store::conformance;
use slipstream_store::postgres::inspect;
use slipstream_store::{PostgresOptions, PostgresStore};
use slipstream_testkit::services;

use crate::support::{Beside, Schemas};

#[tokio::test(flavor = "multi_thread")]
async fn the_suite_conforms_on_hypertables() {
    let Some(server) = services::timescale().await else { return };
    conformance::all(&Schemas::on(&server).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_a_hypertable_with_a_chunk_a_day() {
    let Some(server) = services::timescale().await else { return };
    let options = PostgresOptions::new(server.fresh_database().await);
    let store = PostgresStore::connect(options.clone()).await.unwrap();
    assert!(inspect(&options).await.unwrap().timescaledb.is_some());
    let sql = Beside::connect(&options.url).await;
    let days: i64 = sql
        .one(
            "SELECT count(*) FROM timescaledb_information.dimensions
             WHERE hypertable_name = 'events' AND time_interval = INTERVAL '1 day'",
            &[],
        )
        .await;
    assert_eq!(days, 1);
    store.close().await;
}
