//! L1, reading, and writers' names.

use bytes::Bytes;
use slipstream_schemas::{LogTime, Topic};

use super::{OUTPUT, Subject, Time, input, publish, read_all, read_when, record};
use crate::faults::{CrashPoint, PublishFault};
use crate::port::{CommitError, Fetch, LogError, Outgoing};

/// Key, value and headers of a record.
type Shape = (Option<Bytes>, Option<Bytes>, Vec<(String, Option<Bytes>)>);

pub async fn l1_acknowledged_records_survive_a_crash<S: Subject>() {
    let mut subject = S::open(2, Time::Runs).await;
    let mut acknowledged = Vec::new();
    for i in 0..20 {
        let records = (0..5).map(|j| record(input(j % 2), format!("{i}.{j}"))).collect();
        let appended = subject.log().publish(records).await.expect("publishing");
        acknowledged
            .extend(appended.iter().zip(0..).map(|(a, j)| (a.partition, a.offset, a.log_time, format!("{i}.{j}"))));
    }
    subject.crash().await;
    for partition in 0..2 {
        let mine = acknowledged.iter().filter(|a| a.0 == partition);
        let want: Vec<_> = mine.map(|(_, offset, time, value)| (*offset, *time, value.clone())).collect();
        assert_eq!(read_all(&subject.log(), input(partition)).await, want);
    }
}

pub async fn l1_records_come_back_as_they_were_written<S: Subject>() {
    let subject = S::open(1, Time::Runs).await;
    let log = subject.log();
    let bytes = |b: &'static [u8]| Some(Bytes::from_static(b));
    let headers = vec![
        ("topic".to_owned(), Some(Bytes::from_static(b"x"))),
        ("topic".to_owned(), Some(Bytes::new())),
        ("nothing".to_owned(), None),
    ];
    let shapes = [
        (None, None, vec![]),
        (bytes(b""), bytes(b""), vec![]),
        (bytes(b"key"), None, headers.clone()),
        (None, bytes(&[0, 255, 0xc3, 1]), headers),
        (bytes(b"large"), Some(Bytes::from(vec![7u8; 700_000])), vec![]),
    ];
    let of =
        |(key, value, headers): Shape| Outgoing { topic: Topic::DeadLetters, partition: Some(0), key, value, headers };
    let records: Vec<Outgoing> = shapes.into_iter().map(of).collect();
    let appended = log.publish(records.clone()).await.expect("publishing");
    let place = crate::port::TopicPartition { topic: Topic::DeadLetters, partition: 0 };
    let batch = log.read(place, 0, i64::MAX, Fetch { records: 10, bytes: 4 << 20 }).await.expect("reading");
    assert_eq!(batch.len(), records.len());
    for ((got, want), appended) in batch.iter().zip(&records).zip(&appended) {
        assert_eq!((got.offset(), got.log_time()), (appended.offset, appended.log_time));
        assert_eq!((got.key(), got.value()), (want.key.as_deref(), want.value.as_deref()));
        let headers: Vec<_> = got.headers().map(|(n, v)| (n.to_owned(), v.map(Bytes::copy_from_slice))).collect();
        assert_eq!(headers, want.headers);
    }
}

pub async fn l1_a_publish_that_failed_left_nothing<S: Subject>() {
    let subject = S::open(1, Time::Runs).await;
    let log = subject.log();
    for fault in [PublishFault::Busy, PublishFault::Transient] {
        if !subject.fail_publish(fault) {
            return;
        }
        let refused = log.publish(vec![record(input(0), "lost")]).await.expect_err("the fault");
        match fault {
            PublishFault::Busy => assert!(matches!(refused, LogError::Busy), "{refused}"),
            PublishFault::Transient => assert!(matches!(refused, LogError::Transient { .. }), "{refused}"),
        }
    }
    publish(&log, 1, 1).await;
    let values: Vec<String> = read_all(&log, input(0)).await.into_iter().map(|r| r.2).collect();
    assert_eq!(values, ["v0"]);
}

pub async fn l1_a_crash_within_a_publish_leaves_all_of_it_or_nothing<S: Subject>() {
    for (point, left) in [(CrashPoint::BeforeCommit, 3), (CrashPoint::AfterCommit, 13)] {
        let mut subject = S::open(1, Time::Runs).await;
        publish(&subject.log(), 1, 3).await;
        if !subject.crash_at(point) {
            return;
        }
        let records = (0..10).map(|i| record(input(0), format!("w{i}"))).collect();
        subject.log().publish(records).await.expect_err("nobody acknowledges any more");
        subject.crash().await;
        assert_eq!(read_all(&subject.log(), input(0)).await.len(), left, "{point:?}");
        publish(&subject.log(), 1, 1).await;
        let offsets: Vec<i64> = read_all(&subject.log(), input(0)).await.iter().map(|r| r.0).collect();
        assert_eq!(offsets, (0..=left as i64).collect::<Vec<_>>(), "{point:?}");
    }
}

pub async fn l1_bounded_reads_bring_every_record_once<S: Subject>() {
    let subject = S::open(1, Time::Runs).await;
    let log = subject.log();
    for _ in 0..4 {
        publish(&log, 1, 25).await;
    }
    let all = read_all(&log, input(0)).await;
    assert_eq!(all.len(), 100);
    for (from, to, records, bytes) in [
        (0, 100, 7, 1 << 20),
        (13, 62, 1, 1 << 20),
        (0, 100, 1_000, 10),
        (99, 100, 5, 1),
        (30, 30, 5, 1_000),
        (0, 5_000, 1_000, 1 << 20),
    ] {
        let (mut at, mut got) = (from, Vec::new());
        while at < to.min(100) {
            let batch = log.read(input(0), at, to, Fetch { records, bytes }).await.expect("reading");
            assert!(!batch.is_empty() && batch.len() <= records, "[{at}, {to}): {} records", batch.len());
            got.extend(batch.iter().map(|r| r.offset()));
            at = batch.next;
        }
        assert_eq!(got, (from..to.min(100)).collect::<Vec<_>>(), "[{from}, {to}) by {records} records, {bytes} bytes");
    }
    let beyond = log.read(input(0), 101, 200, Fetch::default()).await.expect_err("nothing is there");
    assert!(matches!(beyond, LogError::OutOfRange { offset: 101, first: 0, end: 100, .. }), "{beyond}");
    let at_end = log.read(input(0), 100, 200, Fetch::default()).await.expect("the end can be read");
    assert_eq!((at_end.len(), at_end.next), (0, 100));
}

pub async fn l1_offset_at_finds_the_first_record_not_before_a_time<S: Subject>() {
    let subject = S::open(1, Time::Runs).await;
    let log = subject.log();
    assert_eq!(log.offset_at(input(0), LogTime(0)).await.expect("an empty partition"), 0);
    for _ in 0..5 {
        publish(&log, 1, 3).await;
        tokio::time::sleep(std::time::Duration::from_millis(3)).await;
    }
    let all = read_all(&log, input(0)).await;
    let end = all.len() as i64;
    let mut times: Vec<i64> = all.iter().flat_map(|r| [r.1.0 - 1, r.1.0, r.1.0 + 1]).collect();
    times.extend([0, i64::MAX / 2]);
    for time in times {
        let want = all.iter().find(|r| r.1.0 >= time).map_or(end, |r| r.0);
        let got = log.offset_at(input(0), LogTime(time)).await.expect("looking up");
        assert_eq!(got, want, "log time {time}");
    }
}

pub async fn l1_partitions_that_are_asked_together_answer_as_each_alone<S: Subject>() {
    let subject = S::open(3, Time::Runs).await;
    let log = subject.log();
    // The last partition stays empty.
    for _ in 0..5 {
        publish(&log, 2, 4).await;
        tokio::time::sleep(std::time::Duration::from_millis(3)).await;
    }
    let partitions = [2, 0, 1].map(input);
    assert_eq!(log.all_bounds(&partitions).await.expect("bounds"), [(0, 0), (0, 10), (0, 10)]);
    assert!(log.all_bounds(&[]).await.expect("the bounds of nothing").is_empty());
    let times: Vec<i64> = read_all(&log, input(0)).await.iter().map(|r| r.1.0).collect();
    for time in times.into_iter().chain([0, i64::MAX / 2]).map(LogTime) {
        let mut alone = Vec::new();
        for partition in partitions {
            alone.push(log.offset_at(partition, time).await.expect("looking up"));
        }
        let asked = partitions.map(|partition| (partition, time));
        assert_eq!(log.all_offsets_at(&asked).await.expect("looking up"), alone, "log time {time:?}");
    }
    assert!(log.all_offsets_at(&[]).await.expect("offsets of nothing").is_empty());
}

pub async fn l1_ranges_that_are_read_side_by_side_bring_their_own_records<S: Subject>() {
    let subject = S::open(3, Time::Runs).await;
    let log = subject.log();
    publish(&log, 3, 600).await;
    // Of each partition the whole and two parts, in small fetches: each reader finds the others in the middle of theirs.
    let ranges = (0..3).flat_map(|partition| [(0, 200), (0, 90), (70, 200)].map(|range| (input(partition), range)));
    let read = async |(partition, (from, to)): (crate::port::TopicPartition, (i64, i64))| {
        let (mut at, mut got) = (from, Vec::new());
        while at < to {
            let batch = log.read(partition, at, to, Fetch { records: 13, ..Fetch::default() }).await.expect("reading");
            got.extend(batch.iter().map(|r| (r.offset(), super::text(r.value()))));
            at = batch.next;
        }
        let value = |offset: i64| (offset, format!("v{}", offset * 3 + i64::from(partition.partition)));
        assert_eq!(got, (from..to).map(value).collect::<Vec<_>>(), "{partition}: [{from}, {to})");
    };
    futures::future::join_all(ranges.map(read)).await;
}

pub async fn l1_below_retention_is_out_of_range<S: Subject>() {
    let subject = S::open(1, Time::Stands).await;
    let log = subject.log();
    publish(&log, 1, 10).await;
    let Some(clock) = subject.clock() else { return };
    clock.advance(1_000);
    publish(&log, 1, 10).await;
    if !subject.expire(input(0), 10).await {
        return;
    }
    let below = log.read(input(0), 9, 20, Fetch::default()).await.expect_err("it is gone");
    assert!(matches!(below, LogError::OutOfRange { offset: 9, first: 10, end: 20, .. }), "{below}");
    assert_eq!(log.bounds(input(0)).await.expect("bounds"), (10, 20));
    assert_eq!(log.offset_at(input(0), LogTime(0)).await.expect("looking up"), 10);
    let mut member = super::Copier::join(&log, "late").await;
    let step = member.decide(100).await;
    assert_eq!(step.outputs.len(), 10, "who never committed begins at the first offset there is");
    member.consumer.seek(input(0), 5).await.expect("seeking");
    let below = member.consumer.poll(Fetch::default(), super::PATIENCE).await.expect_err("it is gone");
    assert!(matches!(below, LogError::OutOfRange { offset: 5, .. }), "{below}");
}

pub async fn l5_the_newest_holder_of_a_writer_name_fences_the_older<S: Subject>() {
    let subject = S::open(1, Time::Runs).await;
    let (old, new) = (subject.log(), subject.sibling().await);
    let both = |v: &str| vec![record(input(0), v), record(OUTPUT, v)];
    old.publish_atomically("import", both("a")).await.expect("the only holder");
    new.publish_atomically("import", both("b")).await.expect("the newest holder");
    for _ in 0..2 {
        let refused = old.publish_atomically("import", both("c")).await.expect_err("fenced");
        assert!(matches!(refused, CommitError::Lost(_)), "{refused}");
    }
    new.publish_atomically("import", both("d")).await.expect("still the newest holder");
    old.publish_atomically("another", both("e")).await.expect("another name");
    for place in [input(0), OUTPUT] {
        let values: Vec<String> = read_when(&new, place, 4).await.into_iter().map(|r| r.2).collect();
        assert_eq!(values, ["a", "b", "d", "e"], "{place}");
    }
}

pub async fn l5_a_fenced_writer_takes_its_name_back_and_fences_in_turn<S: Subject>() {
    let subject = S::open(1, Time::Runs).await;
    let (first, second) = (subject.log(), subject.sibling().await);
    let one = |v: &str| vec![record(input(0), v)];
    first.publish_atomically("import", one("a")).await.expect("the only holder");
    for (round, (from, to)) in [(&first, &second), (&second, &first), (&first, &second)].into_iter().enumerate() {
        to.take_writer("import").await.expect("whoever asks is the newest");
        let refused = from.publish_atomically("import", one("fenced")).await.expect_err("taken over");
        assert!(matches!(refused, CommitError::Lost(_)), "{refused}");
        to.publish_atomically("import", one(&format!("{round}"))).await.expect("the newest holder");
    }
    second.take_writer("import").await.expect("taking what one has");
    second.publish_atomically("import", one("z")).await.expect("still the newest holder");
    let values: Vec<String> = read_when(&second, input(0), 5).await.into_iter().map(|r| r.2).collect();
    assert_eq!(values, ["a", "0", "1", "2", "z"]);
}

pub async fn l6_a_caller_that_goes_away_leaves_its_writer_usable<S: Subject>() {
    let subject = S::open(1, Time::Runs).await;
    let log = subject.log();
    let one = |v: &str| vec![record(input(0), v)];
    log.publish_atomically("import", one("a")).await.expect("the only holder");
    for pause in [0, 1, 5, 50] {
        // Somewhere in the middle, where it is not done by then.
        let write = log.publish_atomically("import", one("dropped"));
        let _ = tokio::time::timeout(std::time::Duration::from_millis(pause), write).await;
        log.publish_atomically("import", one("next")).await.expect("the writer goes on");
    }
    let values: Vec<String> = read_when(&log, input(0), 5).await.into_iter().map(|r| r.2).collect();
    assert_eq!(values.iter().filter(|value| *value == "next").count(), 4, "{values:?}");
}
