//! Stopped while a source is waited for, or while events are sorted.

use std::sync::Arc;

use slipstream_replay::engine::Progress;
use slipstream_replay::outcome::Clock;
use slipstream_replay::{Asked, ReplayError, Sources, replay};
use slipstream_schemas::RequestEvent;
use slipstream_schemas::records::TransitionKind;

use crate::onlooker::Onlooker;
use crate::world::{APART, BEGIN, World, event, records};

/// From second 20 on everything fails, to the end.
async fn failing() -> World {
    let world = World::new(2).await;
    for n in 0..1_600 {
        let status_code = if n * APART >= 20_000 { 503 } else { 200 };
        world.publish(BEGIN + n * APART, (n % 2) as u32, &RequestEvent { status_code, ..event(n) }).await;
    }
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_does_not_answer_when_somebody_stops_has_not_ended() {
    let world = failing().await;
    let store = world.store();
    world.sink(&store).await;
    let whole = records(&world.replay(None, &Asked::default()).await.unwrap());
    [0, 1].into_iter().for_each(|partition| world.trim(partition, 700));
    let progress = Arc::new(Progress::default());
    // The first window is a look at the beginning, the next one has a minute.
    let (unavailable, stops) = ((2..1_000).collect(), Some(Arc::clone(&progress)));
    let store = Arc::new(Onlooker { unavailable, stops, ..Onlooker::over(store) });
    let sources = Sources { log: world.shared(), store: Some(store) };
    let found = replay(&sources, &Asked::default(), &progress).await.unwrap();
    let outcome = found.told.outcome();
    let reached = jiff::Timestamp::from_millisecond(BEGIN + 60_000).unwrap();
    assert_eq!((outcome.stopped, outcome.to.as_str()), (true, reached.to_string().as_str()));
    let before: Vec<_> = whole.into_iter().filter(|t| t.tick < reached.as_second()).collect();
    assert_eq!(records(outcome), before);
    assert!(before.iter().any(|t| t.kind == TransitionKind::Firing));
    assert!(before.iter().all(|t| t.kind != TransitionKind::Resolved));
    assert_eq!(outcome.events, 60_000 / APART as u64);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_stopped_while_events_are_sorted_says_so() {
    let world = World::live().await;
    let progress = Arc::new(Progress::default());
    progress.stop();
    let asked = Asked { clock: Clock::Event, ..Asked::default() };
    let error = replay(&Sources::of_log(world.shared()), &asked, &progress).await.unwrap_err();
    assert!(matches!(error, ReplayError::Stopped), "{error}");
}
