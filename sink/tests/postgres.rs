//! The sink on a real PostgreSQL, killed again and again while it is behind.
#![allow(clippy::unwrap_used, reason = "a test ends where something fails")]

mod support;

use std::time::{Duration, Instant};

use slipstream_schemas::Topic;
use slipstream_store::{PostgresOptions, PostgresStore, SharedStore};
use slipstream_testkit::services;
use support::{Rig, assert_stored_once, events, reached};
use tokio_postgres::{Client, NoTls};

/// What has been stored when a sink is killed: each time somewhere else in its work.
async fn stored(watching: &Client) -> i64 {
    let sql = "SELECT coalesce(sum(next_offset), 0)::bigint FROM slipstream.positions";
    watching.query_one(sql, &[]).await.unwrap().get(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sink_that_is_killed_again_and_again_stores_each_event_once() {
    let rig = Rig::new(3);
    let url = services::postgres().await.fresh_database().await;
    let open = || async { PostgresStore::connect(PostgresOptions::new(&url)).await.unwrap() };
    let (watching, connection) = tokio_postgres::connect(&url, NoTls).await.unwrap();
    let mut driver = tokio::task::JoinSet::new();
    driver.spawn(connection);
    let all = events(0..30_000);
    for (i, chunk) in all.chunks(1_000).enumerate() {
        rig.events(i as u32 % 3, chunk).await;
    }
    open().await.close().await;
    let (mut kills, mut later) = (0, all.len());
    while kills < 9 {
        let store = open().await;
        let shared: SharedStore = store.clone();
        let sink = rig.sink(shared);
        // It is killed as soon as it stored something, or before: after so many looks.
        let (before, deadline) = (stored(&watching).await, Instant::now() + Duration::from_millis(15 * kills));
        while stored(&watching).await == before && Instant::now() < deadline {
            tokio::task::yield_now().await;
        }
        sink.kill().await;
        store.close().await;
        kills += 1;
        rig.events((kills % 3) as u32, &events(later..later + 500)).await;
        later += 500;
    }
    let store = open().await;
    let shared: SharedStore = store.clone();
    let sink = rig.sink(shared.clone());
    reached(&shared, Topic::RequestEvents, &[11_500; 3]).await;
    sink.stop().await;
    assert_stored_once(&shared, &events(0..later)).await;
    store.close().await;
}
