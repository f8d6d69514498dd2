//! Processes that keep their names (`kafka.instance`) are restarted one after the other, and nobody else's partitions move.

use std::time::Duration;

use slipstream_log::Log;
use slipstream_testkit::process::{PATIENCE, Slipstream};
use tokio::time::{Instant, sleep};

use crate::place::Place;
use crate::stream::{self, Stream, each_counts_once, log_of, metric};

/// Partitions of request-events and of sli-tallies: each of two processes has half of them.
const SOURCES: u32 = 4;
const TARGETS: u32 = 2;

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
        let config = place.named(name);
        let mut process = place.process_of(&config, "tally,burn");
        process.start().await.unwrap();
        all.push(process);
    }
    let half = (SOURCES / 2, TARGETS / 2);
    until_gained(&all[1], half).await;
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
