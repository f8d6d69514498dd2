//! A topic that is deleted and recreated: its offsets are places in another one, and none of its records may be
//! taken for one that was stored before.

mod support;

use std::sync::Arc;

use async_trait::async_trait;
use slipstream_log::{SharedLog, TopicId};
use slipstream_schemas::Topic;
use slipstream_store::SharedStore;
use slipstream_testkit::hooked::{Hooked, Hooks};
use support::*;

/// Gives request-events an id.
struct Named(&'static str);

#[async_trait]
impl Hooks for Named {
    fn named(&self, topic: Topic) -> Option<TopicId> {
        (topic == Topic::RequestEvents).then(|| TopicId::new(self.0))
    }
}

/// A log of its own with events, whose request-events has an id.
async fn log(id: &'static str, range: std::ops::Range<usize>) -> SharedLog {
    let rig = Rig::new(1);
    rig.events(0, &events(range)).await;
    Hooked::over(rig.log.clone(), &Arc::new(Named(id)))
}

async fn stored_to(log: &SharedLog, store: &SharedStore, offset: i64) {
    let sink = Running::start(log.clone(), store.clone());
    reached(store, Topic::RequestEvents, &[offset]).await;
    sink.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_grown_past_the_old_position_is_stored_from_its_first_record() {
    let home = Rig::new(1);
    let store = home.store();
    stored_to(&log("first", 0..200).await, &store, 200).await;
    stored_to(&log("second", 200..700).await, &store, 500).await;
    assert_stored_once(&store, &events(0..700)).await;
    let claimed = store.claimed_topics().await.unwrap();
    assert_eq!((claimed[0].topic, claimed[0].id.as_str()), (Topic::RequestEvents, "second"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_shorter_than_the_old_position_is_stored_too() {
    let home = Rig::new(1);
    let store = home.store();
    stored_to(&log("first", 0..200).await, &store, 200).await;
    stored_to(&log("second", 200..250).await, &store, 50).await;
    assert_stored_once(&store, &events(0..250)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_topic_goes_on_where_it_was() {
    let rig = Rig::new(1);
    let store = rig.store();
    let named: SharedLog = Hooked::over(rig.log.clone(), &Arc::new(Named("first")));
    rig.events(0, &events(0..30)).await;
    stored_to(&named, &store, 30).await;
    rig.events(0, &events(30..60)).await;
    stored_to(&named, &store, 60).await;
    assert_stored_once(&store, &events(0..60)).await;
}
