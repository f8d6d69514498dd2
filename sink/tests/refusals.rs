//! Events that the store cannot hold: they become dead letters, everything else is stored once, and nothing waits.

mod support;

use std::collections::BTreeMap;
use std::sync::Arc;

use slipstream_schemas::dead_letter;
use slipstream_schemas::records::TransitionKind;
use slipstream_schemas::{RequestEvent, Topic};
use slipstream_sink::SinkError;
use slipstream_store::conformance::made;
use slipstream_store::{EventRef, PostgresOptions, PostgresStore, SharedStore, StoreError};
use slipstream_testkit::services;
use support::*;

/// Events of which every seventh is one that the store does not want.
fn mixed(range: std::ops::Range<usize>) -> Vec<RequestEvent> {
    let marked = |i: usize| RequestEvent { user_ref: Some("bad".to_owned()), ..event(i) };
    range.map(|i| if i % 7 == 3 { marked(i) } else { event(i) }).collect()
}

fn good(range: std::ops::Range<usize>) -> Vec<RequestEvent> {
    mixed(range).into_iter().filter(|event| event.user_ref.is_none()).collect()
}

fn is_bad(event: EventRef<'_>) -> bool {
    event.user_ref().is_some()
}

fn bad(range: std::ops::Range<usize>, header: &str) -> Vec<(String, String)> {
    let mut bad: Vec<_> = mixed(range)
        .into_iter()
        .filter(|event| event.user_ref.is_some())
        .map(|event| (event.event_id, header.to_owned()))
        .collect();
    bad.sort();
    bad
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_known_to_be_refused_is_not_sent() {
    let rig = Rig::new(2);
    let store = Faulty::picky(rig.store(), |event| event.user_ref.is_some().then_some("no user_ref here"), is_bad);
    let shared: SharedStore = store;
    rig.events(0, &mixed(0..200)).await;
    rig.events(1, &mixed(200..300)).await;
    // A copy of a refused event is a copy like others.
    rig.events(0, &mixed(0..10)).await;
    let sink = rig.sink(shared.clone());
    reached(&shared, Topic::RequestEvents, &[210, 100]).await;
    sink.stop().await;
    assert_stored_once(&shared, &good(0..300)).await;
    assert_eq!(letters(&rig.log, dead_letter::ERROR).await, bad(0..300, "refused-by-store"));
    assert!(letters(&rig.log, dead_letter::MESSAGE).await.iter().all(|(_, message)| message.contains("no user_ref")));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_unexpectedly_is_found_among_the_rest() {
    let rig = Rig::new(2);
    let shared: SharedStore = Faulty::picky(rig.store(), |_| None, is_bad);
    rig.events(0, &mixed(0..200)).await;
    rig.events(1, &mixed(200..300)).await;
    let transition = made::transition("x", 100, 1, TransitionKind::Pending);
    rig.records(Topic::Alerts, std::slice::from_ref(&transition)).await;
    let sink = rig.sink(shared.clone());
    reached(&shared, Topic::RequestEvents, &[200, 100]).await;
    reached(&shared, Topic::Alerts, &[1]).await;
    sink.stop().await;
    assert_stored_once(&shared, &good(0..300)).await;
    assert_eq!(shared.transitions("x").await.unwrap(), [transition]);
    assert_eq!(letters(&rig.log, dead_letter::ERROR).await, bad(0..300, "refused-by-store"));
    let offsets = letters(&rig.log, dead_letter::OFFSET).await;
    assert!(offsets.contains(&("event-3".to_owned(), "3".to_owned())), "{offsets:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_refuses_nearly_everything_stops_the_sink() {
    let rig = Rig::new(1);
    let shared: SharedStore = Faulty::picky(rig.store(), |_| None, |_| true);
    for chunk in events(0..3_000).chunks(1_000) {
        rig.events(0, chunk).await;
    }
    let error = rig.sink(shared.clone()).ended().await.unwrap_err();
    assert!(matches!(&error, SinkError::Store(StoreError::Refused(why)) if why.contains("byte")), "{error}");
    assert_eq!(letters(&rig.log, dead_letter::ERROR).await.len(), 1_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn nul_is_a_dead_letter_of_tally_and_does_not_stop_what_goes_to_postgresql() {
    let options = PostgresOptions::new(services::postgres().await.fresh_database().await);
    let store = PostgresStore::connect(options).await.unwrap();
    let shared: SharedStore = store.clone();
    let rig = Rig::new(1);
    let nul = |i| RequestEvent { attributes: BTreeMap::from([("k".to_owned(), "a\0b".to_owned())]), ..event(i) };
    rig.events(0, &events(0..250)).await;
    rig.events(0, &[nul(1_000), RequestEvent { user_ref: Some("\0".to_owned()), ..event(1_001) }]).await;
    rig.events(0, &events(250..500)).await;
    let sink = rig.sink(shared.clone());
    reached(&shared, Topic::RequestEvents, &[502]).await;
    sink.stop().await;
    assert_stored_once(&shared, &events(0..500)).await;
    assert_eq!(letters(&rig.log, dead_letter::MESSAGE).await, [], "tally counts and reports what cannot be decoded");
    Arc::clone(&store).close().await;
}
