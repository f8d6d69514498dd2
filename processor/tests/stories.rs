//! Tally and burn over a log of several partitions, one story each.
#![allow(clippy::unwrap_used, reason = "a test")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use slipstream_log::faults::{CommitFault, CrashPoint};
use slipstream_log::{Fetch, Log, Outgoing, SharedLog, TopicPartition};
use slipstream_role::burn_state::current_states;
use slipstream_schemas::Topic;
use slipstream_schemas::records::{BurnChunk, BurnRates, Origin, TallyBatch};
use slipstream_testkit::recount::recount;
use slipstream_testkit::verdict;
use support::{SOURCES, TARGETS, WINDOW_MS, World, encoded};
use tokio::time::sleep;

const ALL: (&str, &str) = ("all", "'true'");
const BY_SERVICE: (&str, &str) = ("by-service", "'true', groupBy: [service]");

async fn tallies(log: &dyn Log) -> Vec<TallyBatch> {
    verdict::all(log, Topic::SliTallies).await.unwrap()
}

async fn rates(log: &dyn Log) -> Vec<BurnRates> {
    verdict::all(log, Topic::BurnRates).await.unwrap()
}

async fn states(world: &World) -> Vec<BurnRates> {
    let log: SharedLog = world.log.clone();
    current_states(&log).await.unwrap()
}

/// Events of two services to all partitions, one in five bad.
async fn traffic(world: &World, ids: std::ops::Range<u64>) {
    for id in ids {
        let status = if id % 5 == 0 { 503 } else { 200 };
        let event = world.event(id, ["cart", "pay"][(id % 2) as usize], status, (id % 7) as i64 * 900);
        world.publish(id as u32 % SOURCES, vec![encoded(&event)]).await;
        sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn idle_stamps_flow_and_ticks_pass_when_nothing_is_published() {
    let mut world = World::new(&[ALL]).await;
    world.start_tally();
    world.start_burn();
    let until = world.clock.now() + 70_000;
    let stamped = async |log: &dyn Log| {
        let batches = tallies(log).await;
        (0..SOURCES as i32).all(|s| batches.iter().filter(|b| b.source == s && b.stamp.0 >= until).count() >= 2)
    };
    world.until("every source says that it is idle", async |log| stamped(log).await).await;
    let batches = tallies(world.log.as_ref()).await;
    assert!(batches.iter().all(|b| b.origin == Origin::Idle && b.from == b.to));
    let most = 70_000 / 250 * (SOURCES * TARGETS) as usize;
    assert!((most / 2..=most + 20).contains(&batches.len()), "about every 250 ms, not {} in 70 s", batches.len());
    world.until("the SLO without traffic is published in its turn", async |log| !rates(log).await.is_empty()).await;
    assert!(rates(world.log.as_ref()).await.iter().all(|r| r.complete && r.slo == "all"));
}

#[tokio::test(start_paused = true)]
async fn l2_an_invalid_record_becomes_one_dead_letter_with_its_bytes_and_where_it_came_from() {
    let mut world = World::new(&[ALL]).await;
    let bad = |n: u32| format!(r#"{{"event_id": "bad-{n}", "status_code": 7}}"#).into_bytes();
    for partition in 0..SOURCES {
        let good = encoded(&world.event(u64::from(partition), "cart", 200, 0));
        world.publish(partition, vec![good.clone(), bad(partition), good]).await;
    }
    let faults = [CommitFault::Aborted, CommitFault::InDoubtDone, CommitFault::InDoubtNot, CommitFault::InDoubtDone];
    world.log.faults().fail_commits("tally", faults);
    world.start_tally();
    world.start_burn();
    world.rest().await;
    let mut letters = BTreeSet::new();
    for partition in 0..world.log.partitions(Topic::DeadLetters).await.unwrap() {
        let place = TopicPartition { topic: Topic::DeadLetters, partition };
        for record in world.log.read(place, 0, i64::MAX, Fetch::default()).await.unwrap().iter() {
            let header = |name: &str| {
                let found = record.header(name);
                String::from_utf8(found.unwrap_or_else(|| panic!("no header {name}")).to_vec()).unwrap()
            };
            let source: u32 = header("slipstream-partition").parse().unwrap();
            assert_eq!(header("slipstream-topic"), "request-events");
            assert_eq!((header("slipstream-offset").as_str(), header("own").as_str()), ("1", "header"));
            assert!(!header("slipstream-error").is_empty() && !header("slipstream-message").is_empty());
            assert_eq!((record.key(), record.value()), (Some(&b"key"[..]), Some(&bad(source)[..])));
            assert!(letters.insert(source), "the dead letter of partition {source} is there twice");
        }
    }
    assert_eq!(letters.len(), SOURCES as usize);
    let counted = recount(world.log.as_ref(), WINDOW_MS).await.unwrap();
    assert_eq!((counted.accepted.len(), counted.redelivered, counted.invalid), (3, 3, 3));
    verdict::tallies_equal(world.log.as_ref(), &counted, ("all", &[]), |_| true, |e| e.status_code < 500)
        .await
        .unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_definition_that_comes_while_running_counts_from_its_cut_on() {
    let mut world = World::new(&[ALL]).await;
    world.start_tally();
    world.start_burn();
    traffic(&world, 0..60).await;
    let cut = world.define(BY_SERVICE.0, BY_SERVICE.1).await;
    traffic(&world, 60..120).await;
    let again = world.define(BY_SERVICE.0, "'service == \"pay\"', groupBy: [service]").await;
    traffic(&world, 120..180).await;
    world.rest().await;
    let counted = recount(world.log.as_ref(), WINDOW_MS).await.unwrap();
    let mut sums = [0, 0];
    for entry in tallies(world.log.as_ref()).await.into_iter().flat_map(|b| b.entries).filter(|e| e.slo != "all") {
        let generation = [cut.0, again.0].iter().position(|g| *g == entry.generation).unwrap();
        sums[generation] += entry.total;
    }
    let weight = |from: i64, to: i64, service: Option<&str>| {
        let of = |a: &&slipstream_testkit::recount::Accepted| {
            (from..to).contains(&a.log_time.0) && service.is_none_or(|s| a.event.service == s)
        };
        counted.accepted.iter().filter(of).map(|a| i64::from(a.event.weight)).sum::<i64>()
    };
    assert_eq!(sums, [weight(cut.0, again.0, None), weight(again.0, i64::MAX, Some("pay"))]);
    assert!(sums.iter().all(|sum| *sum > 0));
    assert!(verdict::burn_rates_refold(world.log.as_ref()).await.unwrap() > 0);
    let groups: Vec<Vec<String>> =
        states(&world).await.into_iter().filter(|s| s.slo != "all").map(|s| s.group).collect();
    assert_eq!(groups, [["pay"]], "a new meaning begins again");
}

#[tokio::test(start_paused = true)]
async fn p3b_catching_up_in_one_process_leaves_no_source_out() {
    let mut world = World::new(&[ALL, BY_SERVICE]).await;
    // The partitions differ in how dense they are: what one fetch brings is a second of one, and all of another.
    for second in 0..60u64 {
        for partition in 0..SOURCES {
            let many = [700, 40, 1][partition as usize];
            let id = |n: u64| (second * 1_000 + n) * u64::from(SOURCES) + u64::from(partition);
            let events = (0..many).map(|n| encoded(&world.event(id(n), "cart", 200, 0))).collect();
            world.publish(partition, events).await;
        }
        sleep(Duration::from_secs(1)).await;
    }
    world.start_tally();
    world.start_burn();
    world.rest().await;
    let published = rates(world.log.as_ref()).await;
    assert!(published.len() > 5);
    let incomplete: Vec<_> = published.iter().filter(|r| !r.complete).map(|r| (&r.slo, r.tick)).collect();
    assert!(incomplete.is_empty(), "{incomplete:?}");
    let counted = recount(world.log.as_ref(), WINDOW_MS).await.unwrap();
    for group in [("all", &[][..]), ("by-service", &["cart"][..])] {
        verdict::tallies_equal(world.log.as_ref(), &counted, group, |_| true, |e| e.status_code < 500).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn l6_a_partition_that_is_lost_with_records_waiting_is_worked_off_by_its_next_owner() {
    let mut world = World::new(&[ALL]).await;
    world.start_tally();
    world.start_burn();
    for round in 0..12 {
        traffic(&world, round * 20..round * 20 + 20).await;
        // Settling takes its time meanwhile: tally learns of the loss by its commit, or by its next poll.
        world.log.faults().fail_commits("tally", [CommitFault::Aborted; 3]);
        sleep(Duration::from_millis(round * 9)).await;
        world.log.expel("tally");
        world.log.expel("burn");
    }
    world.rest().await;
    verdict::tallies_join(world.log.as_ref()).await.unwrap();
    let counted = recount(world.log.as_ref(), WINDOW_MS).await.unwrap();
    verdict::tallies_equal(world.log.as_ref(), &counted, ("all", &[]), |_| true, |e| e.status_code < 500)
        .await
        .unwrap();
    assert!(verdict::burn_rates_refold(world.log.as_ref()).await.unwrap() > 0);
}

#[tokio::test(start_paused = true)]
async fn l4_a_crash_around_a_commit_leaves_all_of_the_step_or_nothing() {
    for point in [CrashPoint::BeforeCommit, CrashPoint::AfterCommit] {
        let mut world = World::new(&[ALL, BY_SERVICE]).await;
        world.start_tally();
        world.start_burn();
        traffic(&world, 0..40).await;
        let batch = (40..50).map(|id| encoded(&world.event(id, "cart", 200, 0))).chain([b"broken".to_vec()]).collect();
        world.publish(1, batch).await;
        world.log.faults().crash_at(point);
        // Nobody can do anything with this log any more once the next step was tried.
        sleep(Duration::from_secs(2)).await;
        assert!(world.log.bounds(TopicPartition { topic: Topic::SliTallies, partition: 0 }).await.is_err());
        world.crash().await;
        world.start_tally();
        world.start_burn();
        traffic(&world, 50..80).await;
        world.rest().await;
        verdict::tallies_join(world.log.as_ref()).await.unwrap();
        let counted = recount(world.log.as_ref(), WINDOW_MS).await.unwrap();
        for group in [("all", &[][..]), ("by-service", &["cart"][..])] {
            let good = |e: &slipstream_schemas::RequestEvent| e.status_code < 500;
            let service = group.1.first().copied();
            let mine = |e: &slipstream_schemas::RequestEvent| service.is_none_or(|s| e.service == s);
            verdict::tallies_equal(world.log.as_ref(), &counted, group, mine, good).await.unwrap();
        }
        assert!(verdict::burn_rates_refold(world.log.as_ref()).await.unwrap() > 0);
    }
}

#[tokio::test(start_paused = true)]
async fn after_hours_of_standstill_time_comes_in_pieces() {
    let mut world = World::new(&[ALL, BY_SERVICE]).await;
    world.start_tally();
    world.start_burn();
    traffic(&world, 0..40).await;
    world.rest().await;
    let before = world.clock.now();
    world.clock.advance(3 * 3_600_000);
    world.start_tally();
    world.start_burn();
    traffic(&world, 40..50).await;
    world.rest().await;
    let batches = tallies(world.log.as_ref()).await;
    for source in 0..SOURCES as i32 {
        let mut stamps: Vec<i64> = batches.iter().filter(|b| b.source == source).map(|b| b.stamp.0).collect();
        stamps.sort_unstable();
        stamps.retain(|stamp| *stamp >= before - 10_000);
        let longest = stamps.windows(2).map(|w| w[1] - w[0]).max().unwrap();
        assert!(longest <= 300_000, "source {source} leaps {longest} ms");
    }
    verdict::tallies_join(world.log.as_ref()).await.unwrap();
    assert!(verdict::burn_rates_refold(world.log.as_ref()).await.unwrap() > 2 * 180, "every minute was evaluated");
}

/// Stops burn in order; answers where it stands, and that its snapshots are of there.
async fn stop_burn(world: &mut World) -> Vec<(TopicPartition, i64)> {
    world.burn.stop().await;
    let chunks: Vec<BurnChunk> = verdict::all(world.log.as_ref(), Topic::BurnSnapshots).await.unwrap();
    let mut stands = Vec::new();
    for partition in 0..TARGETS {
        let place = TopicPartition { topic: Topic::SliTallies, partition };
        let at = world.log.committed("burn", place).await.unwrap().unwrap().offset;
        let mine = chunks.iter().filter(|c| c.partition as u32 == partition && c.at == at);
        assert_eq!(mine.map(|c| c.chunk).collect::<BTreeSet<_>>().len(), 64, "{place}: chunks at {at}");
        stands.push((place, at));
    }
    stands
}

#[tokio::test(start_paused = true)]
async fn p4_burn_goes_on_from_what_it_left_behind_and_folds_nothing_again() {
    let mut world = World::new(&[ALL, BY_SERVICE]).await;
    world.start_tally();
    world.start_burn();
    traffic(&world, 0..200).await;
    // Burn stops while tally goes on: whenever that is, it leaves a whole snapshot where it stands.
    let mut stood = stop_burn(&mut world).await;
    for moment in 0..100 {
        world.start_burn();
        sleep(Duration::from_millis(1_000 + moment * 13)).await;
        stood = stop_burn(&mut world).await;
    }
    world.start_burn();
    traffic(&world, 200..260).await;
    world.rest().await;
    assert!(verdict::burn_rates_refold(world.log.as_ref()).await.unwrap() > 0);
    let before = states(&world).await;
    assert_eq!(before.iter().map(|s| s.slo.as_str()).collect::<BTreeSet<_>>(), BTreeSet::from(["all", "by-service"]));
    for (place, at) in stood {
        let end = world.log.bounds(place).await.unwrap().1;
        assert!(end > at);
        world.log.trim(place, end);
    }
    assert_eq!(states(&world).await, before, "the tallies are gone, the state is not");
    world.crash().await;
    world.start_tally();
    world.start_burn();
    traffic(&world, 260..300).await;
    world.rest().await;
    let counted = recount(world.log.as_ref(), WINDOW_MS).await.unwrap();
    let all = states(&world).await.into_iter().find(|s| s.slo == "all").unwrap();
    let last = all.windows.last().unwrap();
    // What lies beyond the last tick is still held back.
    let until = all.tick;
    let due = |a: &&slipstream_testkit::recount::Accepted| a.log_time.tick() <= until;
    let total: i64 = counted.accepted.iter().filter(due).map(|a| i64::from(a.event.weight)).sum();
    assert_eq!(last.total, total, "what was counted before the restart and after it");
}

#[tokio::test(start_paused = true)]
async fn p4_a_look_from_outside_sees_every_slo_at_any_moment() {
    let mut world = World::new(&[ALL, BY_SERVICE]).await;
    world.start_tally();
    world.start_burn();
    traffic(&world, 0..150).await;
    // Over several rounds of snapshots, before and after each.
    for round in 0..800 {
        sleep(Duration::from_millis(17)).await;
        let found: Vec<String> = states(&world).await.into_iter().map(|s| s.slo).collect();
        assert_eq!(found, ["all", "by-service", "by-service"], "look {round}");
    }
}

#[tokio::test(start_paused = true)]
async fn p4_chunks_that_are_lost_are_made_up_for_by_the_tallies() {
    let mut world = World::new(&[ALL, BY_SERVICE]).await;
    world.start_tally();
    world.start_burn();
    traffic(&world, 0..150).await;
    world.rest().await;
    let before = states(&world).await;
    assert_eq!(before.len(), 3);
    // The last snapshots lie at the very end of the tallies. One chunk after the other goes, until none is left.
    let snapshots = TopicPartition { topic: Topic::BurnSnapshots, partition: 0 };
    let (first, end) = world.log.bounds(snapshots).await.unwrap();
    for gone in first..=end {
        world.log.trim(snapshots, gone);
        assert_eq!(states(&world).await, before, "without the snapshots below {gone} of {end}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_says_which_header_names_a_schema() {
    let mut world = World::new(&[ALL]).await;
    let named = ["__value_schema_id", "traceparent", "apicurio.value.globalId"];
    let bare = named.map(|name| Outgoing {
        topic: Topic::RequestEvents,
        partition: Some(0),
        key: None,
        value: Some(bytes::Bytes::from_static(b"\x0eorder-7\x02")),
        headers: vec![(name.to_owned(), Some(bytes::Bytes::from_static(&[0, 0, 0, 9])))],
    });
    world.log.publish(bare.into()).await.unwrap();
    world.start_tally();
    world.start_burn();
    world.rest().await;
    let mut told = BTreeMap::new();
    for partition in 0..world.log.partitions(Topic::DeadLetters).await.unwrap() {
        let place = TopicPartition { topic: Topic::DeadLetters, partition };
        for record in world.log.read(place, 0, i64::MAX, Fetch::default()).await.unwrap().iter() {
            let header = |name: &str| String::from_utf8(record.header(name).unwrap().to_vec()).unwrap();
            let offset: usize = header("slipstream-offset").parse().unwrap();
            told.insert(offset, (header("slipstream-error"), header("slipstream-message")));
        }
    }
    assert_eq!(told.len(), named.len(), "{told:?}");
    for (offset, (class, message)) in told {
        let (want, is_named) = if offset == 1 { ("not-an-event", false) } else { ("confluent-framing", true) };
        assert_eq!((class.as_str(), message.contains(named[offset])), (want, is_named), "{message}");
    }
}
