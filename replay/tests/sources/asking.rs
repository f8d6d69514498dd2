//! How sources are asked: all partitions at once, and again while they may come back.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use slipstream_log::{Fetch, LogError, TopicPartition};
use slipstream_replay::engine::Progress;
use slipstream_replay::{Asked, Sources, replay};
use slipstream_schemas::{Topic, cause};
use slipstream_testkit::hooked::{Hooked, Hooks};

use crate::onlooker::Onlooker;
use crate::world::{APART, BEGIN, World, event, log_time, replayed, told};

/// Turns that a read of a single record gives to others before it goes on.
const TURNS: usize = 100;

/// Counts what the log is asked.
#[derive(Default)]
struct Counting {
    questions: Mutex<BTreeMap<&'static str, usize>>,
    looking: AtomicUsize,
    at_once: AtomicUsize,
}

#[async_trait]
impl Hooks for Counting {
    fn asking(&self, question: &'static str) -> Result<(), LogError> {
        *self.questions.lock().unwrap().entry(question).or_default() += 1;
        Ok(())
    }

    async fn reading(&self, partition: TopicPartition, fetch: Fetch) {
        if partition.topic != Topic::RequestEvents || fetch.records > 1 {
            return;
        }
        self.at_once.fetch_max(1 + self.looking.fetch_add(1, Ordering::SeqCst), Ordering::SeqCst);
        for _ in 0..TURNS {
            tokio::task::yield_now().await;
        }
        self.looking.fetch_sub(1, Ordering::SeqCst);
    }
}

/// What a replay of a log with so many partitions asks, but for reads; and how many first records it looks at at once.
async fn asked_of(partitions: u32) -> (BTreeMap<&'static str, usize>, usize) {
    let world = World::new(partitions).await;
    for n in 0..i64::from(partitions) * 4 {
        world.publish(BEGIN + n * APART, (n % i64::from(partitions)) as u32, &event(n)).await;
    }
    let hooks = Arc::new(Counting::default());
    let asked = Asked { from: log_time(BEGIN + 1_000), ..Asked::default() };
    let outcome = replayed(Hooked::over(world.shared(), &hooks), None, &asked).await.unwrap();
    assert_eq!(outcome.parts.len(), partitions as usize);
    let mut questions = hooks.questions.lock().unwrap().clone();
    questions.remove("read");
    (questions, hooks.at_once.load(Ordering::SeqCst))
}

#[tokio::test]
async fn a_plan_asks_as_often_whatever_the_number_of_partitions_and_all_at_once() {
    let (few, many) = (asked_of(2).await, asked_of(24).await);
    assert_eq!(few.0, many.0);
    assert!(few.0.contains_key("all_bounds") && few.0.contains_key("all_offsets_at"), "{few:?}");
    assert_eq!((few.1, many.1), (2, 24));
}

/// A log of which so many questions fail for now.
struct Failing(AtomicUsize);

impl Hooks for Failing {
    fn asking(&self, _: &'static str) -> Result<(), LogError> {
        match self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)) {
            Ok(_) => Err(LogError::Transient { doing: "asking".to_owned(), cause: "the broker restarts".into() }),
            Err(_) => Ok(()),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_fails_for_a_while_is_asked_again() {
    let world = World::live().await;
    let whole = world.replay(None, &Asked::default()).await.unwrap();
    let failing = Arc::new(Failing(AtomicUsize::new(7)));
    let outcome = replayed(Hooked::over(world.shared(), &failing), None, &Asked::default()).await.unwrap();
    assert_eq!((told(&outcome), failing.0.load(Ordering::SeqCst)), (told(&whole), 0));
}

#[tokio::test(start_paused = true)]
async fn a_log_that_does_not_come_back_is_told_with_how_long_it_was_asked() {
    let world = World::new(2).await;
    let failing = Arc::new(Failing(AtomicUsize::new(usize::MAX)));
    let error = replayed(Hooked::over(world.shared(), &failing), None, &Asked::default()).await.unwrap_err();
    let told = cause::chain(&error);
    assert!(told.ends_with("asking: the broker restarts; it was tried again for 60 s"), "{told}");
}

#[tokio::test(start_paused = true)]
async fn a_replay_that_is_stopped_waits_for_no_log() {
    let world = World::new(2).await;
    let failing = Arc::new(Failing(AtomicUsize::new(usize::MAX)));
    let sources = Sources::of_log(Hooked::over(world.shared(), &failing));
    let progress: Arc<Progress> = Arc::default();
    progress.stop();
    let error = replay(&sources, &Asked::default(), &progress).await.unwrap_err();
    let told = cause::chain(&error);
    assert!(told.ends_with("asking: the broker restarts"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_fails_while_a_replay_is_planned_is_asked_again() {
    let world = World::live().await;
    let store = world.store();
    world.sink(&store).await;
    let whole = world.replay(None, &Asked::default()).await.unwrap();
    [0, 1].into_iter().for_each(|partition| world.trim(partition, 700));
    let onlooker = Onlooker { no_bounds: AtomicUsize::new(2), ..Onlooker::over(store) };
    let outcome = world.replay(Some(Arc::new(onlooker)), &Asked::default()).await.unwrap();
    assert_eq!(told(&outcome), told(&whole));
}
