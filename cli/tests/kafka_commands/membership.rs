//! Processes that keep their names (`kafka.instance`) are restarted one after the other, and nobody else's partitions move.

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use slipstream_log::Log;
use slipstream_testkit::process::{PATIENCE, Slipstream};
use tokio::time::{Instant, sleep};

use crate::place::Place;
use crate::stream::{self, Stream, each_counts_once, log_of, metric};

/// Partitions of request-events and of sli-tallies: each of two processes has half of them.
const SOURCES: u32 = 4;
const TARGETS: u32 = 2;
/// Threads of tally in a process, each a member of the group.
const THREADS: usize = 2;

/// Waits until a group has so many members and no partition of its topic is on the way from one to another. A member that
/// comes later than the rest would still take one from someone.
async fn until_settled(place: &Place, group: &str, members: usize, partitions: u32) {
    let name = format!("{}{group}", place.prefix);
    let asker: BaseConsumer = ClientConfig::new().set("bootstrap.servers", &place.bootstrap).create().unwrap();
    let deadline = Instant::now() + PATIENCE;
    loop {
        let listed = asker.fetch_group_list(Some(&name), PATIENCE).unwrap();
        let group = listed.groups().first().expect("the group that was asked for");
        let owned: Vec<usize> = group.members().iter().map(|m| m.assignment().map_or(0, assigned)).collect();
        if group.state() == "Stable" && owned == vec![partitions as usize / members; members] {
            return;
        }
        assert!(Instant::now() < deadline, "{name} is {}: {owned:?}", group.state());
        sleep(Duration::from_millis(50)).await;
    }
}

/// Partitions in an assignment of Kafka's consumer protocol, of one topic: its version (2 bytes), how many topics (4), the
/// topic (2 and its name), how many partitions (4), the partitions.
fn assigned(assignment: &[u8]) -> usize {
    let Some((&[_, _, 0, 0, 0, 1, long, short], rest)) = assignment.split_first_chunk() else { return 0 };
    let after = &rest[usize::from(u16::from_be_bytes([long, short]))..];
    after.first_chunk().map_or(0, |count| u32::from_be_bytes(*count) as usize)
}

/// How far tally is in each partition of which a process has done something.
async fn stamps(process: &Slipstream) -> Vec<f64> {
    let mut stamps = Vec::new();
    for partition in 0..SOURCES {
        stamps.push(metric(process, "slipstream_tally_stamp_seconds{", &format!("partition=\"{partition}\"")).await);
    }
    stamps
}

/// Waits until tally of a process goes on in so many partitions: what it was given is known, rebuilt, and worked on.
async fn until_working(process: &Slipstream, partitions: u32) {
    let (before, deadline) = (stamps(process).await, Instant::now() + PATIENCE);
    loop {
        let now = stamps(process).await;
        if before.iter().zip(&now).filter(|(before, now)| now > before).count() == partitions as usize {
            return;
        }
        assert!(Instant::now() < deadline, "not in {partitions}: {before:?}, {now:?}: {}", process.stderr());
        sleep(Duration::from_millis(50)).await;
    }
}

/// Partitions that a process has gained in this life: by tally, and by burn.
async fn gained(process: &Slipstream) -> (u32, u32) {
    let of = async |role: &str| metric(process, "slipstream_partitions_gained_total{", role).await as u32;
    (of("\"tally\"").await, of("\"burn\"").await)
}

/// Waits until a process has gained so much.
async fn until_gained(process: &Slipstream, expected: (u32, u32)) {
    let deadline = Instant::now() + PATIENCE;
    while gained(process).await != expected {
        assert!(Instant::now() < deadline, "{:?}, not {expected:?}: {}", gained(process).await, process.stderr());
        sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_rolling_restart_moves_no_partition_of_those_that_stay() {
    let place = Place::new().await;
    let partitions = format!("request-events={SOURCES},sli-tallies={TARGETS},burn-snapshots={TARGETS},burn-rates=2");
    place.json(&["topics", "ensure", "--partitions", &partitions], 0).await;
    let slos = place.file("slos.yaml", &stream::slo());
    let mut gateway = place.process("gateway,sink").with(["--slos".into(), slos.into_os_string()]);
    gateway.start().await.unwrap();
    let mut all = Vec::new();
    for name in ["one", "two"] {
        let config = place.named(name, THREADS);
        let mut process = place.process_of(&config, "tally,burn");
        process.start().await.unwrap();
        all.push(process);
    }
    let half = (SOURCES / 2, TARGETS / 2);
    until_settled(&place, "tally", 2 * THREADS, SOURCES).await;
    until_settled(&place, "burn", 2, TARGETS).await;
    for process in &all {
        until_working(process, half.0).await;
    }
    let stream = Stream::start(&gateway);
    for (restarted, other) in [(1, 0), (0, 1)] {
        let before = gained(&all[other]).await;
        let ended = all[restarted].stop().await.unwrap();
        assert!(ended.success(), "{}", all[restarted].stderr());
        all[restarted].start().await.unwrap();
        // It has its own again, and only those.
        until_gained(&all[restarted], half).await;
        assert_eq!(gained(&all[other]).await, before, "partitions moved: {}", all[other].stderr());
    }
    let acknowledged = stream.end().await;
    let log = log_of(&place);
    let log: &dyn Log = log.as_ref();
    place.tallied(log).await;
    let (events, _) = each_counts_once(log, &acknowledged).await;
    place.stored(events).await;
    for process in all.iter_mut().chain([&mut gateway]) {
        assert!(process.stop().await.unwrap().success(), "{}", process.stderr());
    }
}
