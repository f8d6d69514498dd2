//! What no source holds is told, and a range of which nothing is there is an error.

use std::sync::Arc;

use slipstream_replay::outcome::{Missing, Outcome};
use slipstream_replay::{Asked, ReplayError};
use slipstream_schemas::LogTime;
use slipstream_store::SharedStore;
use slipstream_testkit::hooked::Hooked;

use crate::onlooker::{Onlooker, Trimming};
use crate::world::{APART, BEGIN, EVENTS, WINDOW_MS, World, accepted, event, log_time, place, replayed, shown, told};

fn missing(outcome: &Outcome) -> Vec<(u32, String, String)> {
    outcome.missing.iter().map(|gone| (gone.partition, gone.from.clone(), gone.to.clone())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_store_what_the_log_has_removed_is_missing() {
    let world = World::live().await;
    world.trim(0, 600);
    let asked = Asked { from: log_time(BEGIN + 60_000), ..Asked::default() };
    let outcome = world.replay(None, &asked).await.unwrap();
    // Record 600 of partition 0 is number 1200 of all; copies are told from the second generation after its own on.
    let countable = (BEGIN + 1_200 * APART).div_euclid(WINDOW_MS) * WINDOW_MS + 2 * WINDOW_MS;
    let [gone] = &outcome.missing[..] else { panic!("{:#?}", outcome.missing) };
    assert_eq!((gone.partition, gone.to.as_str()), (0, shown(countable).as_str()));
    assert!(gone.reason.contains("no store has it"), "{gone:?}");
    assert!(outcome.events < accepted() - 500);
}

/// A range that begins before the first request begins with it; what was asked for and is gone is missing all the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_range_begins_with_the_first_request_and_what_is_gone_before_it_is_missing() {
    let month = 30 * 86_400_000;
    let early = Asked { from: log_time(BEGIN - month), ..Asked::default() };
    let world = World::live().await;
    let whole = world.replay(None, &early).await.unwrap();
    assert_eq!((whole.from.as_str(), whole.missing.len()), (shown(BEGIN).as_str(), 0), "{:#?}", whole.missing);
    assert_eq!(told(&whole), told(&world.replay(None, &Asked::default()).await.unwrap()));

    let first = 1_200;
    [0, 1].into_iter().for_each(|partition| world.trim(partition, first / 2));
    let outcome = world.replay(None, &early).await.unwrap();
    assert_eq!(outcome.from, shown(BEGIN + first * APART));
    let countable = (BEGIN + first * APART).div_euclid(WINDOW_MS) * WINDOW_MS + 2 * WINDOW_MS;
    let gone = |partition| (partition, shown(BEGIN - month), shown(countable));
    assert_eq!(missing(&outcome), [gone(0), gone(1)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_behind_the_logs_beginning_leaves_a_gap() {
    let world = World::new(1).await;
    let publish = async |range: std::ops::Range<i64>| {
        for n in range {
            world.publish(BEGIN + n * APART, 0, &event(n)).await;
        }
    };
    publish(0..100).await;
    let store = world.store();
    world.sink(&store).await;
    publish(100..200).await;
    world.trim(0, 150);
    let outcome = world.replay(Some(store), &Asked::default()).await.unwrap();
    let counted = (BEGIN + 150 * APART).div_euclid(WINDOW_MS) * WINDOW_MS + 2 * WINDOW_MS;
    assert_eq!(missing(&outcome), [(0, shown(BEGIN + 99 * APART), shown(counted))]);
    assert!(outcome.missing[0].reason.contains("the store is only at offset 100"), "{:?}", outcome.missing);
    assert_eq!(outcome.events, 100 + (BEGIN + 200 * APART - counted) as u64 / APART as u64);
    let covered = &serde_json::to_value(&outcome.slos[0]).unwrap()["covered_from"];
    assert_eq!(covered, &serde_json::json!(shown(counted)), "numbers are whole behind the gap only");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_came_later_lacks_of_each_partition_what_the_log_had_removed_of_it() {
    let world = World::live().await;
    world.trim(0, 100);
    world.trim(1, 400);
    let store = world.store();
    world.sink(&store).await;
    [0, 1].into_iter().for_each(|partition| world.trim(partition, EVENTS / 2));
    let outcome = world.replay(Some(store), &Asked::default()).await.unwrap();
    let to: Vec<_> = missing(&outcome).into_iter().map(|(partition, _, to)| (partition, to)).collect();
    // Their first records are numbers 200 and 801 of all.
    assert_eq!(to, [(0, shown(BEGIN + 200 * APART)), (1, shown(BEGIN + 801 * APART))], "{:?}", outcome.missing);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_store_refused_is_missing() {
    let world = World::new(1).await;
    for n in 0..100 {
        let user_ref = (n % 30 == 5).then(|| "bad".to_owned());
        let event = slipstream_schemas::RequestEvent { user_ref, ..event(n) };
        world.publish(BEGIN + n * APART, 0, &event).await;
    }
    let refusal = |event: &slipstream_schemas::EventView<'_>| event.user_ref.is_some().then_some("no user_ref here");
    let store: SharedStore = Arc::new(Onlooker { refusal, ..Onlooker::over(world.store()) });
    world.sink(&store).await;
    world.trim(0, 50);
    let outcome = world.replay(Some(store.clone()), &Asked::default()).await.unwrap();
    let [gone] = &outcome.missing[..] else { panic!("{:#?}", outcome.missing) };
    // Numbers 5 and 35 lie in the store's part; 65 and 95 are read from the log.
    assert!(gone.reason.contains("the store refused 2 events") && gone.reason.contains("no user_ref here"), "{gone:?}");
    assert_eq!((gone.partition, outcome.events), (0, 98));
    world.trim(0, 100);
    let outcome = world.replay(Some(store), &Asked::default()).await.unwrap();
    assert!(outcome.missing[0].reason.contains("refused 4 events"), "{:?}", outcome.missing);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_log_removes_while_it_is_read_is_missing() {
    let world = World::live().await;
    world.trim(0, 300);
    let hooks = Arc::new(Trimming { log: world.log.clone(), partition: place(0), first: 500 });
    let log = Hooked::over(world.shared(), &hooks);
    let outcome = replayed(log, None, &Asked::default()).await.unwrap();
    let countable = |first: i64| (BEGIN + first * 2 * APART).div_euclid(WINDOW_MS) * WINDOW_MS + 2 * WINDOW_MS;
    let gone: Vec<_> = missing(&outcome).into_iter().map(|(partition, _, to)| (partition, to)).collect();
    assert_eq!(gone, [(0, shown(countable(300))), (0, shown(countable(500)))]);
    assert!(outcome.missing[1].reason.contains("while it was read"), "{:?}", outcome.missing);
    // What counts is the same as if it had been gone from the beginning.
    let again = world.replay(None, &Asked { from: log_time(BEGIN + 1), ..Asked::default() }).await.unwrap();
    assert_eq!((outcome.events, outcome.duplicates), (again.events, again.duplicates));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_store_removes_while_it_is_read_is_missing() {
    let world = World::live().await;
    let store = world.store();
    world.sink(&store).await;
    [0, 1].into_iter().for_each(|partition| world.trim(partition, 1_200));
    // The first window is a look at the beginning, the second one is read as a whole.
    let trimmed = Some((3, LogTime(BEGIN + 200_000)));
    let onlooker = Arc::new(Onlooker { trimmed, ..Onlooker::over(store) });
    let outcome = world.replay(Some(onlooker.clone()), &Asked::default()).await.unwrap();
    let asked = onlooker.asked.lock().unwrap().clone();
    // What came before was counted, and is gone when alerts are looked into.
    let (counted, lost): (Vec<_>, Vec<_>) = [0, 1]
        .map(|partition| {
            let read = shown(asked[2].0.0);
            ((partition, shown(BEGIN), read.clone()), (partition, read, shown(BEGIN + 200_000)))
        })
        .into_iter()
        .unzip();
    let of = |was_counted: bool| {
        let is_of = |gone: &&Missing| gone.reason.contains("it was counted") == was_counted;
        let gone = outcome.missing.iter().filter(is_of);
        gone.map(|gone| (gone.partition, gone.from.clone(), gone.to.clone())).collect::<Vec<_>>()
    };
    assert_eq!((of(false), of(true)), (lost, counted), "{asked:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_fails_for_a_while_is_asked_again() {
    let world = World::live().await;
    let store = world.store();
    world.sink(&store).await;
    let whole = world.replay(None, &Asked::default()).await.unwrap();
    [0, 1].into_iter().for_each(|partition| world.trim(partition, 700));
    let onlooker = Onlooker { unavailable: [1, 3, 4].into(), ..Onlooker::over(store) };
    let outcome = world.replay(Some(Arc::new(onlooker)), &Asked::default()).await.unwrap();
    assert_eq!(told(&outcome), told(&whole));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_range_with_nothing_in_it_is_an_error() {
    let world = World::new(1).await;
    let store = world.store();
    let error = world.replay(Some(store.clone()), &Asked::default()).await.unwrap_err();
    assert_eq!(error.to_string(), "log and store hold no requests");
    for n in 0..10 {
        world.publish(BEGIN + n * APART, 0, &event(n)).await;
    }
    world.sink(&store).await;
    world.trim(0, 10);
    for (from, to) in [(Some(LogTime(BEGIN + 60_000)), None), (None, Some(LogTime(BEGIN - 60_000)))] {
        let asked = Asked { from, to, ..Asked::default() };
        let error = world.replay(Some(store.clone()), &asked).await.unwrap_err();
        let holds = format!("log and store hold those from {} to {}", shown(BEGIN), shown(BEGIN + 9 * APART + 1));
        assert!(matches!(&error, ReplayError::Range(told) if told.ends_with(&holds)), "{error}");
    }
}
