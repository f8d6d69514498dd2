//! How burn comes by the state of a partition, one story each.
#![allow(clippy::unwrap_used, reason = "a test")]

mod support;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use slipstream_log::{Fetch, Log, Outgoing, SharedLog, TopicPartition};
use slipstream_role::burn_state::current_states;
use slipstream_schemas::records::{BurnChunk, BurnRates, TallyBatch};
use slipstream_schemas::{Topic, codec};
use slipstream_testkit::hooked::Hooked;
use slipstream_testkit::verdict;
use support::gated::Gates;
use support::watched::Most;
use support::{SOURCES, TARGETS, World, encoded};
use tokio::time::sleep;

/// The embedded topic has one partition: those of sli-tallies share it.
const SNAPSHOTS: TopicPartition = TopicPartition { topic: Topic::BurnSnapshots, partition: 0 };

const fn tallies(partition: u32) -> TopicPartition {
    TopicPartition { topic: Topic::SliTallies, partition }
}

async fn traffic(world: &World, ids: std::ops::Range<u64>) {
    for id in ids {
        let event = world.event(id, ["cart", "pay"][(id % 2) as usize], if id % 5 == 0 { 503 } else { 200 }, 0);
        world.publish(id as u32 % SOURCES, vec![encoded(&event)]).await;
        sleep(Duration::from_millis(20)).await;
    }
}

async fn committed(log: &dyn Log, partition: u32) -> i64 {
    log.committed("burn", tallies(partition)).await.unwrap().unwrap_or_default().offset
}

/// Two SLOs, of which each partition of sli-tallies has one.
async fn one_slo_a_partition() -> World {
    World::new(&[("all", "'true'"), ("by-service", "'true', groupBy: [service]")]).await
}

#[tokio::test(start_paused = true)]
async fn p4_a_partition_whose_restore_takes_long_holds_up_no_other() {
    let mut world = one_slo_a_partition().await;
    let gates = Arc::new(Gates::default());
    world.start_tally();
    world.start_burn();
    traffic(&world, 0..60).await;
    world
        .until("both partitions are worked on", async |log| committed(log, 0).await > 0 && committed(log, 1).await > 0)
        .await;
    world.burn.kill().await;
    gates.shut(tallies(0));
    world.start_burn_on(Hooked::over(world.log.clone(), &gates));
    gates.stopped(1).await;
    let (slow, live) = (committed(world.log.as_ref(), 0).await, committed(world.log.as_ref(), 1).await);
    let published = || async { verdict::all::<BurnRates>(world.log.as_ref(), Topic::BurnRates).await.unwrap().len() };
    let before = published().await;
    traffic(&world, 60..560).await;
    assert_eq!(committed(world.log.as_ref(), 0).await, slow, "nothing is committed of what is not restored");
    assert!(committed(world.log.as_ref(), 1).await > live + 50, "the other partition is folded and committed");
    assert!(published().await > before, "and its rates are published");
    // Lost and gained again before it was ready: what the first restore finds counts for nothing.
    world.log.expel("burn");
    gates.stopped(2).await;
    gates.open();
    world.rest().await;
    assert!(verdict::burn_rates_refold(world.log.as_ref()).await.unwrap() > 0);
}

/// All snapshots are lost, and of the tallies the oldest: so many tenths of them.
async fn lose(world: &mut World, tenths: i64) {
    world.rest().await;
    for partition in 0..TARGETS {
        let end = world.log.bounds(tallies(partition)).await.unwrap().1;
        world.log.trim(tallies(partition), end * tenths / 10);
    }
    let end = world.log.bounds(SNAPSHOTS).await.unwrap().1;
    world.log.trim(SNAPSHOTS, end);
}

/// The sums of an SLO by the tallies that are still there, up to a tick; and from which second on each source is whole.
async fn left(world: &World, slo: &str, until: i64) -> (i64, i64) {
    let (mut total, mut whole_from) = (0, 0);
    for partition in 0..TARGETS {
        let (first, end) = world.log.bounds(tallies(partition)).await.unwrap();
        let mut seen = BTreeSet::new();
        let mut batches = Vec::new();
        let mut next = first;
        while next < end {
            let batch = world.log.read(tallies(partition), next, end, Fetch::default()).await.unwrap();
            batches.extend(batch.iter().map(|r| codec::decode::<TallyBatch>(r.value().unwrap()).unwrap()));
            next = batch.next;
        }
        let entries = batches.iter().flat_map(|b| &b.entries).filter(|e| e.slo == slo);
        let mine: Vec<_> = entries.filter(|e| e.tick <= until).collect();
        if mine.is_empty() {
            continue;
        }
        total += mine.iter().map(|e| e.total).sum::<i64>();
        let firsts = batches.iter().filter(|b| seen.insert(b.source));
        whole_from = firsts.map(|b| b.stamp.tick() + 1).max().unwrap();
    }
    (total, whole_from)
}

async fn state(world: &World, slo: &str) -> BurnRates {
    let log: SharedLog = world.log.clone();
    current_states(&log).await.unwrap().into_iter().find(|s| s.slo == slo).unwrap()
}

#[tokio::test(start_paused = true)]
async fn p4_without_snapshots_burn_begins_with_what_the_tallies_reach_and_says_so() {
    let mut world = one_slo_a_partition().await;
    world.start_tally();
    world.start_burn();
    traffic(&world, 0..400).await;
    let known = state(&world, "all").await.covered_from;
    lose(&mut world, 5).await;
    let published = verdict::all::<BurnRates>(world.log.as_ref(), Topic::BurnRates).await.unwrap().len();
    // P1 holds from the first batch that is there: burn does not stop.
    world.start_tally();
    world.start_burn();
    traffic(&world, 400..500).await;
    world.rest().await;
    let rates = verdict::all::<BurnRates>(world.log.as_ref(), Topic::BurnRates).await.unwrap();
    for slo in ["all", "by-service"] {
        let last = state(&world, slo).await;
        let (total, whole_from) = left(&world, slo, last.tick).await;
        assert!(last.covered_from > known && last.covered_from == whole_from, "{slo}: {last:?}, {whole_from}");
        let period = last.windows.last().unwrap();
        assert!(last.covered_from > last.tick + 1 - period.seconds, "the budget does not cover its window");
        if slo == "all" {
            assert_eq!(period.total, total, "what is left of the tallies is counted, all of it");
        }
    }
    // Every rate since then says it, and nothing from before is published again.
    let mut seen = BTreeSet::new();
    assert!(rates.iter().all(|r| seen.insert((&r.slo, &r.group, r.tick))), "published twice");
    assert!(rates.len() > published);
}

#[tokio::test(start_paused = true)]
async fn p4_where_some_chunks_are_missing_only_their_slos_begin_anew() {
    let mut world = one_slo_a_partition().await;
    world.start_tally();
    world.start_burn();
    traffic(&world, 0..400).await;
    world.rest().await;
    let before = [state(&world, "all").await, state(&world, "by-service").await];
    // Compaction has kept the newest of each key; the records of one SLO's chunk are damaged, and a person removes them.
    let log = world.log.clone();
    let mut records = Vec::new();
    let end = log.bounds(SNAPSHOTS).await.unwrap().1;
    for record in log.read(SNAPSHOTS, 0, end, Fetch { records: usize::MAX, bytes: usize::MAX }).await.unwrap().iter() {
        let chunk: BurnChunk = codec::decode(record.value().unwrap()).unwrap();
        if !chunk.slos.iter().any(|slo| slo.slo == "all") {
            records.push(Outgoing {
                topic: Topic::BurnSnapshots,
                partition: Some(SNAPSHOTS.partition),
                key: record.key().map(Bytes::copy_from_slice),
                value: record.value().map(Bytes::copy_from_slice),
                headers: Vec::new(),
            });
        }
    }
    lose(&mut world, 7).await;
    world.log.publish(records).await.unwrap();
    world.start_tally();
    world.start_burn();
    traffic(&world, 400..420).await;
    world.rest().await;
    let again = state(&world, "all").await;
    assert!(again.covered_from > before[0].covered_from, "{} is lost and says so", again.slo);
    let whole = state(&world, "by-service").await;
    assert_eq!(whole.covered_from, before[1].covered_from, "{} was in a chunk that is there", whole.slo);
    assert!(whole.windows.last().unwrap().total >= before[1].windows.last().unwrap().total);
}

#[tokio::test(start_paused = true)]
async fn a_backlog_is_folded_in_pieces_of_bounded_size() {
    let names: Vec<String> = (0..60).map(|n| format!("slo-{n}")).collect();
    let slos: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "'true'")).collect();
    let mut world = World::new(&slos).await;
    world.start_tally();
    traffic(&world, 0..30).await;
    // Hours in which every SLO is published once a minute, and nobody to do it.
    world.clock.advance(2 * 3_600_000);
    traffic(&world, 30..60).await;
    sleep(Duration::from_secs(5)).await;
    let seen = Arc::new(Most::default());
    world.start_burn_on(Hooked::over(world.log.clone(), &seen));
    world.rest().await;
    let published = verdict::all::<BurnRates>(world.log.as_ref(), Topic::BurnRates).await.unwrap().len();
    assert!(published > 6_000, "{published}");
    let most = |seen: &std::sync::atomic::AtomicUsize| seen.load(Ordering::Relaxed);
    let (records, bytes, outputs) = (most(&seen.records), most(&seen.bytes), most(&seen.outputs));
    assert!(records <= 10_000 && bytes <= 4 << 20, "a fetch of {records} records, {bytes} bytes");
    // A step of each of two partitions ends with 5,000 rates, or with those of the tally that brought it there.
    assert!(outputs <= 2 * 5_400 + 128, "a step of {outputs} outputs");
}
