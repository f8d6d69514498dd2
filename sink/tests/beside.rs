//! What goes on beside what: gained partitions beside others, reading beside a store that does not take anything.
#![allow(clippy::unwrap_used, reason = "a test ends where something fails")]

mod support;

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use slipstream_log::TopicPartition;
use slipstream_schemas::{RequestEvent, Topic};
use slipstream_sink::fold::MOST_BYTES;
use slipstream_store::SharedStore;
use slipstream_testkit::hooked::Hooked;
use support::watched::Watched;
use support::{Fault, Faulty, Rig, Running, assert_stored_once, event, events, reached};

const FIRST: TopicPartition = TopicPartition { topic: Topic::RequestEvents, partition: 0 };

/// Waits until something holds.
async fn until(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !holds() {
        assert!(Instant::now() < deadline, "not within 30 s: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Two partitions of ten stored events each; then five more each, and in the first also copies of those ten.
async fn two_partitions() -> Rig {
    let rig = Rig::new(2);
    let store = rig.store();
    let sink = rig.sink(store.clone());
    rig.events(0, &events(0..10)).await;
    rig.events(1, &events(10..20)).await;
    reached(&store, Topic::RequestEvents, &[10, 10]).await;
    sink.stop().await;
    rig.events(0, &events(0..10)).await;
    rig.events(0, &events(20..25)).await;
    rig.events(1, &events(25..30)).await;
    rig
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_memory_of_one_partition_is_rebuilt_the_others_are_stored() {
    let rig = two_partitions().await;
    let store = rig.store();
    let seen = Watched::holding(FIRST);
    let sink = Running::start(Hooked::over(rig.log.clone(), &seen), store.clone());
    reached(&store, Topic::RequestEvents, &[10, 15]).await;
    rig.events(1, &events(30..35)).await;
    reached(&store, Topic::RequestEvents, &[10, 20]).await;
    seen.let_go();
    reached(&store, Topic::RequestEvents, &[25, 20]).await;
    sink.stop().await;
    assert_stored_once(&store, &events(0..35)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_memory_that_was_rebuilt_for_an_assignment_that_ended_is_forgotten() {
    let rig = two_partitions().await;
    let store = rig.store();
    let seen = Watched::holding(FIRST);
    let sink = Running::start(Hooked::over(rig.log.clone(), &seen), store.clone());
    until("the memory is being rebuilt", || seen.asked.load(Ordering::SeqCst) == 1).await;
    rig.log.expel("sink");
    until("it is begun again", || seen.asked.load(Ordering::SeqCst) == 2).await;
    seen.let_go();
    reached(&store, Topic::RequestEvents, &[25, 15]).await;
    sink.stop().await;
    assert_stored_once(&store, &events(0..30)).await;
}

/// An event of some 8 KiB.
fn large(i: usize) -> RequestEvent {
    let attributes: BTreeMap<String, String> = (0..32).map(|k| (format!("key-{k}"), "x".repeat(250))).collect();
    RequestEvent { attributes, ..event(i) }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_store_takes_nothing_reading_is_held_back_and_then_goes_on() {
    let rig = Rig::new(1);
    let (batches, chunk) = (5, 500);
    let mut total = 0;
    while total * 8_000 < batches * MOST_BYTES {
        rig.events(0, &(total..total + chunk).map(large).collect::<Vec<_>>()).await;
        total += chunk;
    }
    let store = Faulty::new(rig.store(), [Fault::Before; 10_000]);
    let shared: SharedStore = store.clone();
    let seen = Watched::holding(TopicPartition { partition: 9, ..FIRST });
    let sink = Running::start(Hooked::over(rig.log.clone(), &seen), shared.clone());
    until("reading is held back", || seen.held_back.load(Ordering::SeqCst)).await;
    // One batch that is tried, one that follows, one that grows, and what a fetch may bring at once for each.
    let most = 3 * (MOST_BYTES + (5 << 20));
    let read = seen.bytes.load(Ordering::SeqCst);
    assert!((MOST_BYTES..most).contains(&read), "{read} bytes were read");
    store.plan.lock().unwrap().clear();
    reached(&shared, Topic::RequestEvents, &[total as i64]).await;
    assert!(seen.resumed.load(Ordering::SeqCst) > 0);
    sink.stop().await;
    assert_eq!(shared.counts().await.unwrap().events, total as u64);
}
