//! R3: the same range from the log, from the store, and from both.

use slipstream_replay::Asked;
use slipstream_replay::outcome::Part;
use slipstream_store::{PostgresOptions, PostgresStore, SharedStore};
use slipstream_testkit::services;

use crate::world::{APART, BEGIN, EVENTS, WINDOW_MS, World, accepted, event, log_time, records, told};

/// First offsets that the log still has of both partitions; 0: of all, and the end: of nothing.
const SEAMS: [[i64; 2]; 6] = [[1, 0], [300, 310], [480, 0], [600, 900], [1_150, 1_200], [1_200, 1_200]];

async fn same_from_all(world: &World, store: SharedStore) {
    world.sink(&store).await;
    let asked = [
        Asked::default(),
        Asked { from: log_time(BEGIN + 7 * 60_000), to: log_time(BEGIN + 15 * 60_000 + 250), ..Asked::default() },
    ];
    let mut of_log = Vec::new();
    for asked in &asked {
        of_log.push(world.replay(Some(store.clone()), asked).await.unwrap());
    }
    assert_eq!((of_log[0].events, of_log[0].missing.len()), (accepted(), 0));
    assert!(of_log[0].parts.iter().all(|part| part.source == of_log[0].parts[0].source), "{:?}", of_log[0].parts);
    assert!(records(&of_log[0]).len() > 8, "{:#?}", records(&of_log[0]));
    for seam in SEAMS {
        world.trim(0, seam[0]);
        world.trim(1, seam[1]);
        for (asked, of_log) in asked.iter().zip(&of_log) {
            let joined = world.replay(Some(store.clone()), asked).await.unwrap();
            assert_eq!(records(&joined), records(of_log), "{seam:?}");
            assert_eq!(told(&joined), told(of_log), "{seam:?}");
            assert_eq!(joined.missing, [], "{seam:?}");
        }
        let whole = world.replay(Some(store.clone()), &Asked::default()).await.unwrap();
        [0, 1].into_iter().for_each(|partition| without_gap(&whole.parts, partition, EVENTS / 2));
    }
}

fn without_gap(parts: &[Part], partition: u32, end: i64) {
    let mut next = 0;
    for part in parts.iter().filter(|part| part.partition == partition) {
        assert_eq!(part.from_offset, next, "{parts:#?}");
        next = part.to_offset;
    }
    assert_eq!(next, end, "{parts:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn r3_log_store_and_both_joined_give_the_same_timeline() {
    let world = World::live().await;
    let store = world.store();
    same_from_all(&world, store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r3_so_does_a_store_in_postgresql() {
    let options = PostgresOptions::new(services::postgres().await.fresh_database().await);
    let store = PostgresStore::connect(options).await.unwrap();
    same_from_all(&World::live().await, store.clone()).await;
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_third_copy_just_across_the_seam_is_a_copy() {
    let world = World::new(1).await;
    // The copies are in three generations that follow each other. What is retained begins in the first of them.
    let seam = BEGIN + 10 * WINDOW_MS;
    let copies = [seam - 2 * WINDOW_MS + 100, seam - WINDOW_MS + 100, seam + 100];
    let mut others = Vec::new();
    for n in 0..60 {
        others.push((BEGIN + n * APART, n));
    }
    let mut all: Vec<(i64, i64)> = copies.map(|at| (at, 1_000)).into_iter().chain(others).collect();
    all.sort_unstable();
    for (at, id) in &all {
        world.publish(*at, 0, &event(*id)).await;
    }
    let store = world.store();
    world.sink(&store).await;
    let whole = world.replay(None, &Asked::default()).await.unwrap();
    assert_eq!((whole.events, whole.duplicates), (61, 2));
    let second = all.iter().position(|(at, _)| *at == copies[0]).unwrap() as i64 + 1;
    world.trim(0, second);
    let joined = world.replay(Some(store), &Asked::default()).await.unwrap();
    assert_eq!((joined.events, joined.duplicates), (61, 1), "the third");
    assert_eq!(told(&joined), told(&whole));
    let seams: Vec<_> = joined.parts.iter().map(|part| (part.from_offset, part.to_offset)).collect();
    let counted = all.iter().position(|(at, _)| *at >= seam).unwrap() as i64;
    assert_eq!(seams, [(0, counted), (counted, 63)]);
}
