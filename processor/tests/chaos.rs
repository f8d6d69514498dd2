//! Tally and burn through everything at once: histories by seed, with faults, lost partitions, members that come and go,
//! and crashes at any moment. Then what must hold is checked against a recount and a fold in one go.
#![allow(clippy::unwrap_used, reason = "a test")]

mod support;

use std::collections::BTreeSet;
use std::time::Duration;

use slipstream_log::faults::{CommitFault, CrashPoint};
use slipstream_log::{Fetch, Log, SharedLog, TopicPartition};
use slipstream_role::burn_state::current_states;
use slipstream_schemas::{RequestEvent, Topic};
use slipstream_testkit::recount::recount;
use slipstream_testkit::verdict;
use support::{Dice, SOURCES, WINDOW_MS, World, encoded};
use tokio::time::sleep;

const SEEDS: u64 = 30;
const MOVES: u64 = 60;

/// A few records for a partition: events good and bad, on time and late, copies of former ones, and what is no event.
async fn publish(world: &World, dice: &mut Dice, sent: &mut Vec<(u32, Vec<u8>)>) {
    let partition = dice.roll(u64::from(SOURCES)) as u32;
    let mut values = Vec::new();
    for _ in 0..dice.roll(40) {
        match dice.roll(10) {
            0 => values.push(format!("no event {}", dice.roll(1_000)).into_bytes()),
            1 | 2 => values.extend(sent.iter().rev().find(|(p, _)| *p == partition).map(|(_, value)| value.clone())),
            _ => {
                let service = ["cart", "pay", "ship"][dice.roll(3) as usize];
                let status = [200, 200, 404, 503][dice.roll(4) as usize];
                let ago = [0, 300, 4_000, 40_000, -5_000][dice.roll(5) as usize];
                let value = encoded(&world.event(sent.len() as u64, service, status, ago));
                sent.push((partition, value.clone()));
                values.push(value);
            }
        }
    }
    if !values.is_empty() {
        world.publish(partition, values).await;
    }
}

fn faults(dice: &mut Dice) -> Vec<CommitFault> {
    let kinds = [CommitFault::Aborted, CommitFault::InDoubtDone, CommitFault::InDoubtNot];
    (0..=dice.roll(4)).map(|_| kinds[dice.roll(3) as usize]).collect()
}

async fn reopen(world: &mut World, dice: &mut Dice) {
    world.crash().await;
    for _ in 0..=dice.roll(2) {
        world.start_tally();
    }
    for _ in 0..=dice.roll(2) {
        world.start_burn();
    }
}

async fn play(world: &mut World, dice: &mut Dice) {
    let mut sent = Vec::new();
    world.start_tally();
    world.start_burn();
    for _ in 0..MOVES {
        match dice.roll(20) {
            0 => world.log.faults().fail_commits("tally", faults(dice)),
            1 => world.log.faults().fail_commits("burn", faults(dice)),
            2 => world.log.expel("tally"),
            3 => world.log.expel("burn"),
            4 => world.start_tally(),
            5 => world.start_burn(),
            6 => {
                world.tally.kill().await;
                world.start_tally();
            }
            7 => {
                world.burn.stop().await;
                world.start_burn();
            }
            8 => reopen(world, dice).await,
            9 => {
                let point = [CrashPoint::BeforeCommit, CrashPoint::AfterCommit][dice.roll(2) as usize];
                world.log.faults().crash_at(point);
                sleep(Duration::from_secs(2)).await;
                reopen(world, dice).await;
            }
            10 => sleep(Duration::from_millis(6_000 + dice.roll(6_000))).await,
            _ => {
                publish(world, dice, &mut sent).await;
                sleep(Duration::from_millis(dice.roll(500))).await;
            }
        }
    }
}

/// Every dead letter by where it came from, with its bytes; none is there twice.
async fn dead_letters(log: &dyn Log) -> BTreeSet<(u32, i64)> {
    let mut letters = BTreeSet::new();
    for partition in 0..log.partitions(Topic::DeadLetters).await.unwrap() {
        let place = TopicPartition { topic: Topic::DeadLetters, partition };
        for record in log.read(place, 0, i64::MAX, Fetch::default()).await.unwrap().iter() {
            let number =
                |name: &str| -> i64 { std::str::from_utf8(record.header(name).unwrap()).unwrap().parse().unwrap() };
            let (source, offset) = (number("slipstream-partition") as u32, number("slipstream-offset"));
            assert!(letters.insert((source, offset)), "L2: the dead letter of {source}/{offset} is there twice");
            let from = TopicPartition { topic: Topic::RequestEvents, partition: source };
            let original = log.read(from, offset, offset + 1, Fetch::default()).await.unwrap();
            assert_eq!(original.get(0).unwrap().value(), record.value());
        }
    }
    letters
}

async fn check(world: &World) {
    let log: SharedLog = world.log.clone();
    let counted = recount(log.as_ref(), WINDOW_MS).await.unwrap();
    assert!(counted.accepted.len() > 100 && counted.redelivered > 5 && counted.invalid > 5);
    verdict::tallies_join(log.as_ref()).await.unwrap();
    let good = |e: &RequestEvent| e.status_code < 500;
    verdict::tallies_equal(log.as_ref(), &counted, ("all", &[]), |_| true, good).await.unwrap();
    for service in ["cart", "pay", "ship"] {
        let group = ("by-service", &[service][..]);
        verdict::tallies_equal(log.as_ref(), &counted, group, |e| e.service == service, good).await.unwrap();
    }
    assert_eq!(dead_letters(log.as_ref()).await.len(), counted.invalid);
    assert!(verdict::burn_rates_refold(log.as_ref()).await.unwrap() > 0);
    let before = current_states(&log).await.unwrap();
    for partition in 0..log.partitions(Topic::SliTallies).await.unwrap() {
        let place = TopicPartition { topic: Topic::SliTallies, partition };
        world.log.trim(place, log.bounds(place).await.unwrap().1);
    }
    assert_eq!(current_states(&log).await.unwrap(), before, "P4: the snapshots alone are the state");
}

#[tokio::test(start_paused = true)]
async fn p1_p2_p3a_p4_l2_l4_l5_l6_hold_whatever_happens() {
    for seed in 0..SEEDS {
        println!("seed {seed}");
        let mut dice = Dice(seed);
        let slos = [("all", "'true'"), ("by-service", "'true', groupBy: [service]")];
        let mut world = World::new(&slos).await;
        play(&mut world, &mut dice).await;
        reopen(&mut world, &mut dice).await;
        world.rest().await;
        check(&world).await;
    }
}
