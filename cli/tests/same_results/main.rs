//! P3b on real parts: what tally, burn and alerter make of a log on Kafka they make of the same records in the embedded
//! log. Kafka comes first and gives the log times; then each record is written to an embedded log under the same log
//! time, offset and partition, and the roles work that off in one go.
//!
//! So the two sides have nothing in common but the input: live steps of 100 ms against a backlog, several members
//! against one, a look at the definitions every second against one order for all topics, transactions against a file.
#![allow(clippy::unwrap_used, reason = "a test")]

mod crew;
mod embedded;
mod on_kafka;
mod story;
mod traffic;

use std::sync::Arc;
use std::time::Duration;

use crew::{Crew, Role};
use embedded::Replay;
use on_kafka::OnKafka;
use slipstream_log::SharedLog;
use slipstream_replay::{Asked, Sources, replay};
use slipstream_schemas::Topic;
use slipstream_schemas::records::TransitionKind;
use slipstream_testkit::recount::{Recount, recount};
use slipstream_testkit::replays::{Compared, r1};
use slipstream_testkit::verdict;
use story::Story;
use tokio::time::sleep;
use traffic::Traffic;

/// Partitions of request-events: sources.
const SOURCES: u32 = 4;
/// Partitions of what is keyed by SLO, series or alert.
const TARGETS: u32 = 2;
/// Short, so that a copy outlives it.
const REDELIVERY_WINDOW_MS: i64 = 8_000;
/// As on every installation on Kafka.
const CUT_DELAY_MS: i64 = 5_000;
/// What is sent in a row.
const ROUND: Duration = Duration::from_millis(50);

fn partitions(topic: Topic) -> u32 {
    match topic {
        Topic::RequestEvents => SOURCES,
        Topic::SloDefinitions => 1,
        _ => TARGETS,
    }
}

/// Sends for so many seconds, of which those in `bad` go badly.
async fn send(kafka: &OnKafka, traffic: &mut Traffic, seconds: std::ops::Range<u64>, bad: std::ops::Range<u64>) {
    let rounds = |seconds: u64| seconds * 1_000 / ROUND.as_millis() as u64;
    for round in rounds(seconds.start)..rounds(seconds.end) {
        let going_badly = (rounds(bad.start)..rounds(bad.end)).contains(&round);
        kafka.publish(traffic.round(going_badly)).await;
        sleep(ROUND).await;
    }
}

/// The last tick that has records, and a few after it; everything up to there is processed.
async fn rest(kafka: &OnKafka, crew: &mut Crew) -> i64 {
    let until = kafka.newest().await.tick() + 3;
    crew.worked_off(kafka.log.as_ref(), until).await;
    until
}

/// What must be in the input, or nothing would be shown.
fn worth_comparing(counted: &Recount, sent: &Traffic) {
    assert!(counted.accepted.len() > 2_000, "{} events", counted.accepted.len());
    assert!(counted.redelivered > 50, "{} redelivered", counted.redelivered);
    assert!(counted.redelivered < sent.copies, "a copy behind the window counts again");
    assert!(counted.invalid > 50, "{} invalid", counted.invalid);
    let late = counted.accepted.iter().filter(|a| a.event.time.0 / 1_000 < a.log_time.0 - 10_000).count();
    assert!(late > 100, "{late} late");
}

/// R1: a replay of the log gives what the roles have published there.
async fn replayed(kafka: &OnKafka) -> Compared {
    let log: SharedLog = kafka.log.clone();
    let found = replay(&Sources::of_log(Arc::clone(&log)), &Asked::default(), &Arc::default()).await.unwrap();
    let records = found.told.transitions();
    let compared = r1(log.as_ref(), &records).await.unwrap();
    assert!(compared.same > 0, "{compared}");
    compared
}

/// Two members of each role, nobody disturbs them.
async fn undisturbed() -> (OnKafka, Story, Traffic) {
    let kafka = OnKafka::open().await;
    let mut crew = Crew::default();
    for role in [Role::Tally, Role::Burn, Role::Alerter, Role::Tally, Role::Burn] {
        crew.start(role, kafka.process());
    }
    crew.stamps_flow(kafka.log.as_ref()).await;
    kafka.define(&traffic::slos()).await;
    let mut traffic = Traffic::new(1);
    send(&kafka, &mut traffic, 0..16, 12..20).await;
    kafka.define(&traffic::slos_of_another_meaning()).await;
    send(&kafka, &mut traffic, 16..32, 12..20).await;
    let until = rest(&kafka, &mut crew).await;
    crew.stop().await;
    let story = Story::told(kafka.log.as_ref(), until).await;
    (kafka, story, traffic)
}

/// Where a busy machine held a source back for three seconds, its ticks are incomplete, and more than values may differ:
/// then it is told again.
const TRIES: u32 = 4;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn p3b_kafka_and_the_embedded_log_tell_the_same_story() {
    for tried in 1..=TRIES {
        let (kafka, on_kafka, traffic) = undisturbed().await;
        let counted = recount(kafka.log.as_ref(), REDELIVERY_WINDOW_MS).await.unwrap();
        worth_comparing(&counted, &traffic);
        let embedded = Replay::of(kafka.log.as_ref()).await.story(on_kafka.until).await;
        let (compared, of) = on_kafka.complete_ticks_equal(&embedded);
        println!("{compared} of {of} burn rates compared, {} transitions", on_kafka.transitions.len());
        if !on_kafka.is_complete() {
            assert!(tried < TRIES, "no try of {TRIES} was without an incomplete tick");
            continue;
        }
        assert_eq!(compared, of);
        on_kafka.same(&embedded);
        for kind in
            [TransitionKind::Firing, TransitionKind::Severity, TransitionKind::Keeping, TransitionKind::Resolved]
        {
            assert!(on_kafka.transitions.iter().any(|t| t.kind == kind), "no {kind:?}");
        }
        verdict::tallies_join(kafka.log.as_ref()).await.unwrap();
        assert!(verdict::burn_rates_refold(kafka.log.as_ref()).await.unwrap() > 100);
        verdict::transitions_replay(kafka.log.as_ref()).await.unwrap();
        assert_eq!(replayed(&kafka).await.exempted(), 0);
        return;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn p3b_values_at_complete_ticks_are_the_same_whoever_owned_the_partitions() {
    let kafka = OnKafka::open().await;
    let mut crew = Crew::default();
    for role in [Role::Tally, Role::Burn, Role::Alerter] {
        crew.start(role, kafka.process());
    }
    crew.stamps_flow(kafka.log.as_ref()).await;
    kafka.define(&traffic::slos()).await;
    let mut traffic = Traffic::new(2);
    let bad = 14..22;
    send(&kafka, &mut traffic, 0..10, bad.clone()).await;
    crew.start(Role::Tally, kafka.process());
    send(&kafka, &mut traffic, 10..15, bad.clone()).await;
    crew.kill_oldest(Role::Tally).await;
    crew.start(Role::Burn, kafka.process());
    send(&kafka, &mut traffic, 15..20, bad.clone()).await;
    crew.kill_oldest(Role::Burn).await;
    crew.start(Role::Tally, kafka.process());
    send(&kafka, &mut traffic, 20..25, bad.clone()).await;
    crew.stop_oldest(Role::Tally).await;
    crew.kill_oldest(Role::Alerter).await;
    crew.start(Role::Alerter, kafka.process());
    send(&kafka, &mut traffic, 25..35, bad).await;
    let until = rest(&kafka, &mut crew).await;
    crew.stop().await;
    let on_kafka = Story::told(kafka.log.as_ref(), until).await;
    worth_comparing(&recount(kafka.log.as_ref(), REDELIVERY_WINDOW_MS).await.unwrap(), &traffic);
    let embedded = Replay::of(kafka.log.as_ref()).await.story(until).await;
    let (compared, of) = on_kafka.complete_ticks_equal(&embedded);
    println!("{compared} of {of} burn rates compared");
    assert!(compared * 2 > of, "only {compared} of {of} burn rates on Kafka could be compared");
    verdict::tallies_join(kafka.log.as_ref()).await.unwrap();
    assert!(verdict::burn_rates_refold(kafka.log.as_ref()).await.unwrap() > 100);
    verdict::transitions_replay(kafka.log.as_ref()).await.unwrap();
    replayed(&kafka).await;
}
