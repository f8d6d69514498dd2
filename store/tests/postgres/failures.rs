//! A server of the test's own that is killed, restarted and held in the middle of writes.

use std::sync::Arc;
use std::time::Duration;

use slipstream_store::conformance::made;
use slipstream_store::{BatchFate, PostgresOptions, PostgresStore, Store, StoreError, settled};
use slipstream_testkit::services::Postgres;
use tokio::task::JoinSet;

use crate::between::{Between, Lost};
use crate::support::{
    Beside, all_events, events, fresh_options, fresh_store, hits, until_blocked, write_until_settled,
};

#[tokio::test(flavor = "multi_thread")]
async fn killed_in_the_middle_of_writes_it_loses_and_repeats_nothing() {
    const BATCH: usize = 200;
    const BATCHES: usize = 120;
    let server = Arc::new(Postgres::dedicated().await);
    let store = PostgresStore::connect(PostgresOptions::new(server.fresh_database().await)).await.unwrap();
    let all = events(0..BATCH * BATCHES);
    let mut writing = JoinSet::new();
    writing.spawn({
        let (store, all) = (store.clone(), all.clone());
        async move {
            let mut sent = 0;
            for (i, chunk) in all.chunks(BATCH).enumerate() {
                let from = (i > 0).then_some((i * BATCH) as i64);
                sent += write_until_settled(&store, made::batch(chunk, from, 1_000)).await;
            }
            sent
        }
    });
    let mut kills = 0;
    let sent = loop {
        let moment = Duration::from_millis(60 + 97 * kills % 200);
        tokio::select! {
            sent = writing.join_next() => break sent.unwrap().unwrap(),
            () = tokio::time::sleep(moment) => {}
        }
        if kills < 4 {
            server.kill().await.unwrap();
            server.start().await.unwrap();
            kills += 1;
        }
    };
    assert!(kills > 0 && sent > BATCHES, "{kills} kills, {sent} writes: nothing failed, so nothing was tested");
    assert_eq!(store.counts().await.unwrap().events, all.len() as u64);
    assert_eq!(hits(&store).await, all.iter().map(|e| e.weight as u64).sum::<u64>());
    let mut stored = all_events(&store).await;
    let mut expected = all;
    stored.sort_by(|a, b| a.event_id.cmp(&b.event_id));
    expected.sort_by(|a, b| a.event_id.cmp(&b.event_id));
    assert!(stored == expected, "each event is there once");
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_whose_answer_is_lost_is_found_by_its_positions() {
    let url = fresh_options().await.url;
    let between = Between::start(&url).await;
    let store = PostgresStore::connect(PostgresOptions::new(between.url.clone())).await.unwrap();
    let all = events(0..30);
    store.write(Arc::new(made::batch(&all[..10], None, 1))).await.unwrap();
    for (lost, from) in [(Lost::Answer, 10), (Lost::Commit, 20)] {
        let batch = made::batch(&all[from..from + 10], Some(from as i64), 1);
        between.lose(lost);
        let doubt = store.write(Arc::new(batch.clone())).await;
        assert!(matches!(doubt, Err(StoreError::Unavailable { .. })), "{lost:?}: {doubt:?}");
        assert!(!between.armed(), "{lost:?}: no commit came by");
        let expected = if lost == Lost::Answer { BatchFate::Written } else { BatchFate::NotWritten };
        assert_eq!(settled(&batch, &store.positions().await.unwrap()), expected, "{lost:?}");
        write_until_settled(&store, batch).await;
        assert_eq!(store.counts().await.unwrap().events, from as u64 + 10, "{lost:?}");
    }
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn down_it_is_unavailable_and_back_it_goes_on() {
    let server = Postgres::dedicated().await;
    let options = PostgresOptions::new(server.fresh_database().await);
    let store = PostgresStore::connect(options.clone()).await.unwrap();
    let all = events(0..20);
    store.write(Arc::new(made::batch(&all[..10], None, 1))).await.unwrap();
    server.kill().await.unwrap();
    for error in [
        store.write(Arc::new(made::batch(&all[10..], Some(10), 1))).await.err(),
        store.positions().await.err(),
        PostgresStore::connect(options).await.err(),
    ] {
        assert!(matches!(error, Some(StoreError::Unavailable { .. })), "{error:?}");
    }
    server.start().await.unwrap();
    // The idle connections of before are gone; nobody is told.
    assert_eq!(store.counts().await.unwrap().events, 10);
    store.write(Arc::new(made::batch(&all[10..], Some(10), 1))).await.unwrap();
    assert_eq!(store.counts().await.unwrap().events, 20);
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn held_for_a_while_it_answers_when_it_goes_on() {
    let server = Postgres::dedicated().await;
    let store = PostgresStore::connect(PostgresOptions::new(server.fresh_database().await)).await.unwrap();
    server.stop().await.unwrap();
    let batch = Arc::new(made::batch(&events(0..10), None, 1));
    let mut write = std::pin::pin!(store.write(batch));
    assert!(
        tokio::time::timeout(Duration::from_millis(300), &mut write).await.is_err(),
        "a held server answers nothing"
    );
    server.cont().await.unwrap();
    write.await.unwrap();
    assert_eq!(store.counts().await.unwrap().events, 10);
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_that_others_break_off_is_answered() {
    let (store, options) = fresh_store().await;
    let all = events(0..10);
    store.write(Arc::new(made::batch(&all, None, 1))).await.unwrap();
    let (holder, breaker) = (Beside::connect(&options.url).await, Beside::connect(&options.url).await);
    holder.run("BEGIN; LOCK TABLE events IN ACCESS EXCLUSIVE MODE").await;
    let mut asked = JoinSet::new();
    asked.spawn({
        let store = store.clone();
        let id = all[3].event_id.clone();
        async move { store.event(&id, None).await }
    });
    let end = "SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity
               WHERE datname = current_database() AND wait_event_type = 'Lock'";
    for _ in 0..3 {
        until_blocked(&breaker, 1).await;
        breaker.one::<i64>(end, &[]).await;
    }
    until_blocked(&breaker, 1).await;
    holder.run("COMMIT").await;
    assert_eq!(asked.join_next().await.unwrap().unwrap().unwrap().len(), 1);
    store.close().await;
}
