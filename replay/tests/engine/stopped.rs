//! A replay that is stopped tells what it has read of all partitions, and no more.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use slipstream_log::{Fetch, TopicPartition};
use slipstream_replay::engine::Progress;
use slipstream_replay::{Asked, Sources, replay};
use slipstream_schemas::{LogTime, Topic};
use slipstream_testkit::hooked::{Hooked, Hooks};

use crate::world::{SECONDS, What, World, second};

/// Bytes that make a block of the engine full after some seconds of them.
const PADDING: usize = 200_000;

/// Somebody stops the replay when a block of the first partition is about to be read.
struct Stopping {
    progress: Arc<Progress>,
    /// How many blocks were read before.
    blocks: usize,
    read: AtomicUsize,
}

#[async_trait]
impl Hooks for Stopping {
    async fn reading(&self, partition: TopicPartition, fetch: Fetch) {
        // Planning reads single records, or as many as others do.
        let is_block = partition.topic == Topic::RequestEvents && fetch.records > Fetch::default().records;
        if is_block && partition.partition == 0 && self.read.fetch_add(1, Ordering::SeqCst) == self.blocks {
            self.progress.stop();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_of_a_stopped_replay_agree_with_where_it_ends() {
    let mut world = World::empty(2).await;
    for at in 0..SECONDS {
        world.go_on(at..at + 1).await;
        world.publish(LogTime(second(at).0 + 500), vec![(at, What::Padding(PADDING))]).await;
    }
    let progress = Arc::new(Progress::default());
    let hooks = Arc::new(Stopping { progress: Arc::clone(&progress), blocks: 4, read: AtomicUsize::new(0) });
    let sources = Sources::of_log(Hooked::over(world.shared().log, &hooks));
    let asked = Asked { step: Some(10), threads: Some(2), ..Asked::default() };
    let found = replay(&sources, &asked, &progress).await.unwrap();
    let outcome = found.told.outcome();
    assert!(outcome.stopped, "{} blocks", hooks.read.load(Ordering::SeqCst));
    let to: jiff::Timestamp = outcome.to.parse().unwrap();
    let to = LogTime(to.as_millisecond());
    assert!(to > second(60) && to < second(SECONDS - 60) && to.0 % 1_000 == 0, "{}", outcome.to);
    assert_eq!((outcome.events, outcome.duplicates, outcome.invalid), world.counted(second(0), to));
    let services = world.by_service(second(0), to);
    for slo in outcome.slos.iter().filter(|slo| slo.status.name == "each-service") {
        let service = &slo.status.group.as_ref().unwrap()["service"];
        assert_eq!((slo.range.good, slo.range.total), services[service]);
        assert_eq!(slo.status.as_of.as_deref(), Some(outcome.to.as_str()));
        assert_eq!(slo.timeline.len() as i64, (to.0 - second(0).0 + 9_999) / 10_000);
    }
    let ends = |at: &str| at.parse::<jiff::Timestamp>().unwrap().as_millisecond() >= to.0;
    assert!(!outcome.traffic.is_empty());
    for service in &outcome.traffic {
        assert!(!service.steps.iter().any(|step| ends(&step.at)), "{} has steps after {}", service.service, outcome.to);
        assert!(service.steps.iter().all(|step| step.requests > 0), "nothing was read of a step that is told");
    }
}
