//! The sink from log to store: what goes in is there once, whatever fails in between.

mod support;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use slipstream_log::TopicPartition;
use slipstream_runtime::health::State;
use slipstream_schemas::records::TransitionKind;
use slipstream_schemas::{RequestEvent, Topic};
use slipstream_sink::SinkError;
use slipstream_store::conformance::made;
use slipstream_store::{SharedStore, WriteBatch};
use support::*;

#[tokio::test(flavor = "multi_thread")]
async fn every_record_becomes_its_row() {
    let rig = Rig::new(2);
    let store = rig.store();
    rig.events(0, &events(0..300)).await;
    let sink = rig.sink(store.clone());
    rig.events(1, &events(300..500)).await;
    let rates = [made::burn_rates("a", &[], 1, 100), made::burn_rates("a", &[], 1, 110)];
    rig.records(Topic::BurnRates, &rates).await;
    rig.publish(Topic::BurnRates, 0, vec![None]).await;
    let transitions =
        [made::transition("x", 100, 1, TransitionKind::Pending), made::transition("x", 100, 2, TransitionKind::Firing)];
    rig.records(Topic::Alerts, &transitions).await;
    rig.records(Topic::Notifications, &[made::notification("x", 2)]).await;
    reached(&store, Topic::RequestEvents, &[300, 200]).await;
    reached(&store, Topic::BurnRates, &[3]).await;
    reached(&store, Topic::Notifications, &[1]).await;
    reached(&store, Topic::Alerts, &[2]).await;
    sink.stop().await;
    assert_stored_once(&store, &events(0..500)).await;
    assert_eq!(store.slo_states(None).await.unwrap(), rates[1..]);
    assert_eq!(store.transitions("x").await.unwrap(), transitions);
    assert_eq!(store.counts().await.unwrap().notifications, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_read_before_the_end_is_written_at_the_end() {
    let rig = Rig::new(1);
    let store = rig.store();
    let sink = rig.sink(store.clone());
    rig.events(0, &events(0..50)).await;
    reached(&store, Topic::RequestEvents, &[50]).await;
    sink.stop().await;
    assert_stored_once(&rig.store(), &events(0..50)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_is_recognised_across_a_restart_and_counts_again_after_two_windows() {
    let rig = Rig::new(1);
    let store = rig.store();
    let sink = rig.sink(store.clone());
    rig.events(0, &events(0..20)).await;
    rig.publish(Topic::RequestEvents, 0, vec![Some(b"no event".to_vec())]).await;
    reached(&store, Topic::RequestEvents, &[21]).await;
    sink.kill().await;
    let store = rig.store();
    let sink = rig.sink(store.clone());
    rig.clock.advance(WINDOW_MS);
    rig.events(0, &events(10..30)).await;
    reached(&store, Topic::RequestEvents, &[41]).await;
    assert_stored_once(&store, &events(0..30)).await;
    rig.clock.advance(2 * WINDOW_MS);
    rig.events(0, &events(0..1)).await;
    reached(&store, Topic::RequestEvents, &[42]).await;
    sink.stop().await;
    assert_eq!(stored(&store).await["event-0"], [event(0), event(0)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_moment_each_record_is_there_once() {
    let mut rig = Rig::new(3);
    let all = events(0..9_000);
    for (i, chunk) in all.chunks(500).enumerate() {
        rig.events(i as u32 % 3, chunk).await;
        // Every producer sends its last records again.
        rig.events(i as u32 % 3, &chunk[400..]).await;
    }
    for round in 0..12u64 {
        let sink = rig.sink(rig.store());
        tokio::time::sleep(Duration::from_millis(3 + 11 * round % 40)).await;
        sink.kill().await;
        rig.log = rig.log.crash();
    }
    let store = rig.store();
    let sink = rig.sink(store.clone());
    reached(&store, Topic::RequestEvents, &[3_600; 3]).await;
    sink.stop().await;
    assert_stored_once(&store, &all).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_write_is_sent_again_and_one_in_doubt_is_found() {
    let rig = Rig::new(1);
    let store = Faulty::new(rig.store(), []);
    let shared: SharedStore = store.clone();
    let sink = rig.sink(shared.clone());
    let plans = [vec![Fault::Before], vec![Fault::After], vec![Fault::Before, Fault::Before, Fault::After]];
    for (i, plan) in plans.into_iter().enumerate() {
        *store.plan.lock().unwrap() = plan.into();
        rig.events(0, &events(100 * i..100 * (i + 1))).await;
        reached(&shared, Topic::RequestEvents, &[100 * (i as i64 + 1)]).await;
        assert!(store.plan.lock().unwrap().is_empty());
    }
    sink.stop().await;
    assert_stored_once(&shared, &events(0..300)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_store_is_down_health_says_so() {
    let rig = Rig::new(1);
    let store = Faulty::new(rig.store(), [Fault::Before; 1_000]);
    let shared: SharedStore = store.clone();
    let sink = rig.sink(shared.clone());
    let total = 20_000;
    rig.events(0, &events(0..total)).await;
    let deadline = Instant::now() + Duration::from_secs(20);
    while !matches!(sink.health.snapshot().get("sink"), Some(State::Waiting(why)) if why.contains("planned")) {
        assert!(Instant::now() < deadline, "{:?}", sink.health.snapshot());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    store.plan.lock().unwrap().clear();
    reached(&shared, Topic::RequestEvents, &[total as i64]).await;
    assert!(sink.health.ready());
    sink.stop().await;
    assert_eq!(shared.counts().await.unwrap().events, total as u64);
}

#[tokio::test(flavor = "multi_thread")]
async fn shut_down_while_the_store_is_down_it_ends_and_the_next_start_stores_the_rest() {
    let rig = Rig::new(1);
    let store = Faulty::new(rig.store(), [Fault::Before; 1_000]);
    let sink = rig.sink(store.clone());
    rig.events(0, &events(0..100)).await;
    let deadline = Instant::now() + Duration::from_secs(20);
    while store.attempts.load(Ordering::SeqCst) == 0 {
        assert!(Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    sink.stop().await;
    let store = rig.store();
    assert_eq!(store.counts().await.unwrap().events, 0);
    let sink = rig.sink(store.clone());
    reached(&store, Topic::RequestEvents, &[100]).await;
    sink.stop().await;
    assert_stored_once(&store, &events(0..100)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn when_another_sink_was_faster_reading_starts_again_at_the_stores_positions() {
    let rig = Rig::new(1);
    let store = rig.store();
    rig.events(0, &events(0..10)).await;
    let sink = rig.sink(store.clone());
    reached(&store, Topic::RequestEvents, &[10]).await;
    // A rival stores the next records while ours is not looking: ours is told so by the store, not by the group.
    let rival: Vec<RequestEvent> = events(10..15);
    let mut batch: WriteBatch = made::batch(&rival, Some(10), 1_700_000_000_050);
    batch.positions[0].to = 15;
    store.write(Arc::new(batch)).await.unwrap();
    rig.events(0, &events(10..30)).await;
    reached(&store, Topic::RequestEvents, &[30]).await;
    sink.stop().await;
    assert_stored_once(&store, &events(0..30)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_sinks_and_rebalances_store_each_record_once() {
    let rig = Rig::new(4);
    let store = rig.store();
    let (one, other) = (rig.sink(store.clone()), rig.sink(rig.store()));
    let all = events(0..8_000);
    for (i, chunk) in all.chunks(200).enumerate() {
        rig.events(i as u32 % 4, chunk).await;
        if i % 7 == 3 {
            rig.log.expel("sink");
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    reached(&store, Topic::RequestEvents, &[2_000; 4]).await;
    one.kill().await;
    rig.events(0, &events(8_000..8_100)).await;
    reached(&store, Topic::RequestEvents, &[2_100, 2_000, 2_000, 2_000]).await;
    other.stop().await;
    assert_stored_once(&store, &events(0..8_100)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_belongs_to_another_log_is_refused() {
    let rig = Rig::new(1);
    let store = rig.store();
    store.write(Arc::new(made::batch(&events(0..10), None, 1))).await.unwrap();
    rig.events(0, &events(0..5)).await;
    let error = rig.sink(store).ended().await.unwrap_err();
    assert!(matches!(error, SinkError::StoreAhead { stored: 10, end: 5, .. }), "{error}");
    assert!(error.to_string().contains("belongs to another log"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_logs_retention_removed_does_not_stop_the_rest() {
    let rig = Rig::new(1);
    let store = rig.store();
    rig.events(0, &events(0..30)).await;
    store.write(Arc::new(made::batch(&events(0..10), None, 1))).await.unwrap();
    rig.log.trim(TopicPartition { topic: Topic::RequestEvents, partition: 0 }, 20);
    let sink = rig.sink(store.clone());
    reached(&store, Topic::RequestEvents, &[30]).await;
    sink.stop().await;
    let expected: VecDeque<RequestEvent> = events(0..10).into_iter().chain(events(20..30)).collect();
    assert_stored_once(&store, &Vec::from(expected)).await;
}

#[tokio::test(start_paused = true)]
async fn hours_that_are_over_are_added_up_beside_the_writing() {
    let rig = Rig::new(1);
    let store = rig.store();
    let sink = rig.sink(store.clone());
    rig.events(0, &events(0..50)).await;
    reached(&store, Topic::RequestEvents, &[50]).await;
    // Time passes by itself while there is nothing to do.
    for second in 0.. {
        let state = store.aggregates().await.unwrap();
        if state.closed.is_some() && state.stale == 0 {
            break;
        }
        assert!(second < 300, "{state:?}");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    sink.stop().await;
}
