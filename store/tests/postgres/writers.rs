//! Several writers, several readers, and what happens to the tables beside them.

use std::sync::Arc;
use std::time::Duration;

use slipstream_schemas::{LogTime, Topic};
use slipstream_store::conformance::made;
use slipstream_store::{PositionMove, PostgresStore, Store, StoreError, WriteBatch, rollup};
use tokio::task::JoinSet;

use crate::support::{
    Beside, all_events, blocked, events, fresh_store, hits, total, until_blocked, write_until_settled,
};

/// Events at consecutive offsets of a partition.
fn batch_of(partition: u32, from: i64, events: &[slipstream_schemas::RequestEvent]) -> WriteBatch {
    let mut packed = slipstream_store::Events::new();
    for (i, event) in events.iter().enumerate() {
        packed.push(partition, from + i as i64, LogTime(1_000), &made::view(event));
    }
    let to = from + events.len() as i64;
    let positions = vec![PositionMove {
        topic: Topic::RequestEvents,
        partition,
        from: (from > 0).then_some(from),
        to,
        log_time: LogTime(1_000),
    }];
    WriteBatch { rollups: rollup::fold(&packed), events: packed, positions, ..WriteBatch::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn sinks_that_share_minutes_add_up() {
    let (store, options) = fresh_store().await;
    let mut sinks = JoinSet::new();
    let all = events(0..2_000);
    for partition in 0..4u32 {
        let (options, events) = (options.clone(), all[partition as usize * 500..][..500].to_vec());
        sinks.spawn(async move {
            let sink = PostgresStore::connect(options).await.unwrap();
            for (i, chunk) in events.chunks(25).enumerate() {
                write_until_settled(&sink, batch_of(partition, 25 * i as i64, chunk)).await;
            }
            sink.close().await;
        });
    }
    sinks.join_all().await;
    assert_eq!(store.counts().await.unwrap().events, 2_000);
    assert_eq!(hits(&store).await, all.iter().map(|e| e.weight as u64).sum::<u64>());
    let mut stored: Vec<String> = all_events(&store).await.into_iter().map(|e| e.event_id).collect();
    stored.sort();
    stored.dedup();
    assert_eq!(stored.len(), 2_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partition_that_somebody_dropped_is_made_again() {
    let (store, options) = fresh_store().await;
    let all = events(0..20);
    store.write(Arc::new(made::batch(&all[..10], None, 1))).await.unwrap();
    Beside::connect(&options.url).await.run("DROP TABLE events_19700101").await;
    let batch = made::batch(&all[10..], Some(10), 1);
    assert_eq!(write_until_settled(&store, batch).await, 2);
    assert_eq!(all_events(&store).await.len(), 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn retention_waits_for_readers_only_so_long() {
    let (store, options) = fresh_store().await;
    let batch = made::batch(&events(0..10), None, 0);
    store.write(Arc::new(batch)).await.unwrap();
    let reader = Beside::connect(&options.url).await;
    reader.run("BEGIN; SELECT count(*) FROM events").await;
    let now = LogTime(40 * 86_400_000);
    let refused = store.trim(now).await;
    assert!(matches!(refused, Err(StoreError::Unavailable { .. })), "{refused:?}");
    assert_eq!(store.counts().await.unwrap().events, 10);
    reader.run("COMMIT").await;
    assert_eq!(store.trim(now).await.unwrap(), 10);
    let kpis = total(&store).await;
    assert_eq!((store.counts().await.unwrap().events, kpis.source.as_str()), (0, "rollup"));
    assert!(kpis.hits > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_questions_share_a_few_connections() {
    let (store, options) = fresh_store().await;
    store.write(Arc::new(made::batch(&events(0..500), None, 1))).await.unwrap();
    let mut questions = JoinSet::new();
    for _ in 0..40 {
        let store = store.clone();
        questions.spawn(async move { (hits(&store).await, all_events(&store).await.len()) });
    }
    let answers = questions.join_all().await;
    assert!(answers.iter().all(|answer| *answer == answers[0]));
    let sql =
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'slipstream'";
    let open: i64 = Beside::connect(&options.url).await.one(sql, &[]).await;
    assert!(open <= 5, "{open} connections");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_is_dropped_half_way_leaves_nothing() {
    let (store, options) = fresh_store().await;
    let all = events(0..3_000);
    let beside = Beside::connect(&options.url).await;
    // Someone holds what the write needs at its end.
    store.write(Arc::new(made::batch(&all[..1_000], None, 1))).await.unwrap();
    beside.run("BEGIN; LOCK TABLE rollups IN SHARE MODE").await;
    let write = store.write(Arc::new(made::batch(&all[1_000..], Some(1_000), 1)));
    assert!(tokio::time::timeout(Duration::from_millis(500), write).await.is_err());
    beside.run("COMMIT").await;
    assert_eq!(store.counts().await.unwrap().events, 1_000);
    write_until_settled(&store, made::batch(&all[1_000..], Some(1_000), 1)).await;
    assert_eq!(store.counts().await.unwrap().events, 3_000);
    assert_eq!(hits(&store).await, all.iter().map(|e| e.weight as u64).sum::<u64>());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_waits_for_is_ended_by_the_server() {
    let (store, options) = fresh_store().await;
    store.write(Arc::new(made::batch(&events(0..100), None, 1))).await.unwrap();
    let (held, looking) = (Beside::connect(&options.url).await, Beside::connect(&options.url).await);
    held.run("BEGIN; LOCK TABLE events IN ACCESS EXCLUSIVE MODE").await;
    let mut given_up = JoinSet::new();
    for _ in 0..12 {
        let store = store.clone();
        given_up.spawn(async move { store.event("nobody", None).await });
    }
    until_blocked(&looking, 4).await;
    given_up.shutdown().await;
    let begin = std::time::Instant::now();
    while blocked(&looking).await > 0 {
        assert!(begin.elapsed() < Duration::from_secs(10), "they go on");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    held.run("COMMIT").await;
    assert_eq!(store.event("nobody", None).await.unwrap(), []);
}
