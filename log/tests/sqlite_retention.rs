//! What goes when: retention, compaction, tombstones.

use std::time::Duration;

use bytes::Bytes;
use slipstream_log::clock::{Clock, ManualClock};
use slipstream_log::sqlite::{SqliteLog, SqliteOptions};
use slipstream_log::{Fetch, LogError, Outgoing, SharedLog, TopicPartition};
use slipstream_schemas::Topic;
use tempfile::{TempDir, tempdir};
use tokio::time::Instant;

const HOUR: i64 = 3_600_000;

fn place(topic: Topic) -> TopicPartition {
    TopicPartition { topic, partition: 0 }
}

fn keyed(topic: Topic, key: &str, value: Option<&str>) -> Outgoing {
    let bytes = |s: &str| Bytes::copy_from_slice(s.as_bytes());
    Outgoing { topic, partition: Some(0), key: Some(bytes(key)), value: value.map(bytes), headers: Vec::new() }
}

fn open(dir: &TempDir, clock: &ManualClock) -> SharedLog {
    let (clock, housekeeping_every) = (Clock::Manual(clock.clone()), Duration::from_millis(20));
    let options = SqliteOptions { clock, housekeeping_every, ..SqliteOptions::default() };
    SqliteLog::open(dir.path(), options).expect("opening")
}

/// Offsets that are there. Retention may pass by between two reads: then again from where it begins now.
async fn offsets(log: &SharedLog, topic: Topic) -> Vec<i64> {
    let (mut at, end) = log.bounds(place(topic)).await.expect("bounds");
    let mut all = Vec::new();
    while at < end {
        match log.read(place(topic), at, end, Fetch { records: 2, bytes: 1 << 20 }).await {
            Ok(batch) => {
                all.extend(batch.iter().map(|r| r.offset()));
                at = batch.next;
            }
            Err(LogError::OutOfRange { first, .. }) if first > at => (at, all) = (first, Vec::new()),
            Err(other) => panic!("{other}"),
        }
    }
    all
}

async fn until(log: &SharedLog, topic: Topic, want: &[i64]) {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let got = offsets(log, topic).await;
        if got == want {
            return;
        }
        assert!(Instant::now() < deadline, "{topic}: {got:?} is left, not {want:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn compaction_keeps_the_newest_of_each_key_and_every_offset_in_its_place() {
    let (dir, clock) = (tempdir().unwrap(), ManualClock::at(1_000 * HOUR));
    let log = open(&dir, &clock);
    let topic = Topic::BurnSnapshots;
    for round in ["1", "2", "3"] {
        log.publish(["a", "b", "c"].iter().map(|k| keyed(topic, k, Some(round))).collect()).await.unwrap();
    }
    log.publish(vec![keyed(topic, "b", None), keyed(topic, "d", Some("1"))]).await.unwrap();
    until(&log, topic, &[6, 8, 9, 10]).await;
    assert_eq!(log.bounds(place(topic)).await.unwrap(), (0, 11), "compaction moves no bound");
    let batch = log.read(place(topic), 2, 8, Fetch::default()).await.unwrap();
    assert_eq!((batch.len(), batch.next), (1, 8), "a range with gaps ends where it was to end");
    clock.advance(25 * HOUR);
    until(&log, topic, &[6, 8, 10]).await;
    let appended = log.publish(vec![keyed(topic, "a", Some("4"))]).await.unwrap();
    assert_eq!(appended[0].offset, 11);
    until(&log, topic, &[8, 10, 11]).await;
    let unkeyed = Outgoing { key: None, ..keyed(topic, "", Some("x")) };
    assert!(log.publish(vec![unkeyed]).await.unwrap_err().to_string().contains("needs a key"));
}

#[tokio::test]
async fn burn_rates_stay_whole_for_a_day() {
    let (dir, clock) = (tempdir().unwrap(), ManualClock::at(1_000 * HOUR));
    let log = open(&dir, &clock);
    for hour in 0..4 {
        log.publish(vec![keyed(Topic::BurnRates, "s", Some("r")), keyed(Topic::BurnSnapshots, "s", Some("r"))])
            .await
            .unwrap();
        clock.set((1_000 + 8 * (hour + 1)) * HOUR);
    }
    // By the time that snapshots, which nothing protects, are compacted, burn-rates had its turn too.
    until(&log, Topic::BurnSnapshots, &[3]).await;
    until(&log, Topic::BurnRates, &[1, 2, 3]).await;
}

#[tokio::test]
async fn l1_retention_removes_what_is_older_and_its_space_is_used_again() {
    let (dir, clock) = (tempdir().unwrap(), ManualClock::at(1_000 * HOUR));
    let log = open(&dir, &clock);
    let incompressible = |n: u64| {
        let mut x = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let next = move || {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            x as u8
        };
        Bytes::from(std::iter::repeat_with(next).take(100_000).collect::<Vec<u8>>())
    };
    let size = || std::fs::metadata(dir.path().join("log.db")).unwrap().len();
    let mut sizes = Vec::new();
    for day in 0..24u64 {
        let records = (0..20)
            .map(|i| Outgoing { value: Some(incompressible(day * 100 + i)), ..keyed(Topic::RequestEvents, "k", None) });
        log.publish(records.collect()).await.unwrap();
        let first = 20 * day.saturating_sub(6) as i64;
        let kept: Vec<i64> = (first..20 * (day as i64 + 1)).collect();
        until(&log, Topic::RequestEvents, &kept).await;
        assert_eq!(log.bounds(place(Topic::RequestEvents)).await.unwrap().0, first, "day {day}");
        clock.advance(24 * HOUR + 1);
        sizes.push(size());
    }
    drop(log);
    let (high, last) = (sizes[15], size());
    assert!(last <= high + high / 2, "the file grew from {high} to {last} though as much was removed as added");
    let log = open(&dir, &clock);
    assert!(
        log.bounds(place(Topic::RequestEvents)).await.unwrap().0 >= 20 * 17,
        "the first offset is kept over reopening"
    );
}
