//! Raw events by log time: a window reads what it is about, and readers only read.

use slipstream_schemas::LogTime;
use slipstream_store::conformance::made;
use slipstream_store::{PostgresStore, RawWindow, Store, StoreError};

use crate::support::{Beside, events, fresh_store};

const SQL: &str = include_str!("../../src/postgres/raw_events.sql");

#[tokio::test]
async fn a_window_reads_its_day_by_an_index() {
    let (store, options) = fresh_store().await;
    let day = 86_400_000;
    for (n, from) in [(0, None), (1, Some(10)), (2, Some(20))] {
        store.write(made::batch(&events(0..10), from, n * day).into()).await.unwrap();
    }
    let beside = Beside::connect(&options.url).await;
    let many = "INSERT INTO events (\"time\", log_time, \"offset\", partition, dimensions, weight, status_code, event_id)
                SELECT t, t, n, 0, 1, 1, 200, n FROM (SELECT n, timestamptz '1970-01-02 00:00Z' + n * interval '1 second' AS t
                FROM generate_series(100, 80000) n) made";
    beside.run(many).await;
    beside.run("ANALYZE").await;
    let stamp = |seconds: u64| std::time::UNIX_EPOCH + std::time::Duration::from_secs(86_400 + seconds);
    let none: Option<Vec<i64>> = None;
    let values: [&(dyn tokio_postgres::types::ToSql + Sync); 7] =
        [&stamp(40_000), &stamp(40_100), &-1i32, &-1i64, &0i32, &none, &1_000i64];
    let plan = beside.client.query(&format!("EXPLAIN {SQL}"), &values).await.unwrap();
    let plan: Vec<String> = plan.iter().map(|row| row.get(0)).collect();
    let plan = plan.join("\n");
    assert!(plan.contains("events_19700102_log_time_idx"), "{plan}");
    assert!(!plan.contains("events_19700101") && !plan.contains("events_19700103"), "{plan}");
}

#[tokio::test]
async fn readers_read_them_and_write_nothing() {
    let (store, options) = fresh_store().await;
    store.write(made::batch(&events(0..10), None, 5).into()).await.unwrap();
    let reader = PostgresStore::connect_read_only(options).await.unwrap();
    assert_eq!(reader.raw_bounds().await.unwrap(), store.raw_bounds().await.unwrap());
    let window = RawWindow::new(0, LogTime(5), LogTime(6));
    let page = reader.raw_events(&window, 100, None).await.unwrap();
    assert_eq!((page.events.len(), page.next), (10, None));
    let read: Vec<_> = page.events.iter().map(|e| e.to_event()).collect();
    assert_eq!(read, events(0..10));
    let refused = reader.trim(LogTime(0)).await;
    assert!(matches!(refused, Err(StoreError::Fatal { .. })), "{refused:?}");
}
