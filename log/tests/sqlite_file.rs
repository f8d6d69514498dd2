//! The file and its directory: one owner, readers beside it, files that are not ours, partitions that are kept.

use std::collections::HashMap;
use std::sync::Arc;

use slipstream_log::conformance::{input, publish, read_all, record};
use slipstream_log::sqlite::{LOCK_FILE, LOG_FILE, OpenError, SqliteLog, SqliteOptions};
use slipstream_log::{Fetch, Log, LogError, Outgoing, Share, SharedLog, TopicPartition};
use slipstream_schemas::Topic;
use tempfile::{TempDir, tempdir};
use tokio::task::JoinSet;

fn open(dir: &TempDir) -> Result<Arc<SqliteLog>, OpenError> {
    SqliteLog::open(dir.path(), SqliteOptions::default())
}

#[tokio::test]
async fn a_second_owner_is_told_who_holds_the_directory_until_it_is_given_back() {
    let dir = tempdir().unwrap();
    let first = open(&dir).unwrap();
    let message = open(&dir).err().expect("one owner").to_string();
    assert!(message.contains(&format!("process {}", std::process::id())), "{message}");
    assert!(message.contains("since 20") && message.contains("--data DIR"), "{message}");
    first.close().await;
    let again = open(&dir).unwrap();
    let closed = first.publish(vec![record(input(0), "x")]).await.expect_err("closed");
    assert!(matches!(closed, LogError::Fatal { .. }), "{closed}");
    drop(again);
    open(&dir).expect("dropping gives it back too");
    std::fs::write(dir.path().join(LOCK_FILE), "").unwrap();
    open(&dir).expect("what is written in the lock file does not matter");
}

#[tokio::test]
async fn reading_goes_on_beside_the_owner_and_writes_nothing() {
    let dir = tempdir().unwrap();
    let missing = SqliteLog::open_read_only(dir.path()).expect_err("there is no log yet");
    assert!(matches!(missing, OpenError::Missing { .. }), "{missing}");
    let owner = open(&dir).unwrap();
    publish(&(owner.clone() as SharedLog), 1, 10).await;
    let reader = SqliteLog::open_read_only(dir.path()).unwrap();
    let shared: SharedLog = reader.clone();
    assert_eq!(read_all(&shared, input(0)).await.len(), 10);
    publish(&(owner.clone() as SharedLog), 1, 5).await;
    assert_eq!(read_all(&shared, input(0)).await.len(), 15, "it sees what the owner committed since");
    assert_eq!(reader.partitions(Topic::RequestEvents).await.unwrap(), 1);
    let times: Vec<_> = read_all(&shared, input(0)).await.iter().map(|r| r.1).collect();
    assert_eq!(reader.offset_at(input(0), times[12]).await.unwrap(), 10);
    assert!(reader.publish(vec![record(input(0), "x")]).await.is_err());
    assert!(reader.subscribe("g", &[Topic::RequestEvents], Share::Divided).await.is_err());
    owner.close().await;
    assert_eq!(read_all(&shared, input(0)).await.len(), 15, "and goes on when the owner is gone");
}

/// SQLite's locks are the process's: closing the file by any other way than SQLite's ends them, and the next program that opens and
/// closes the file takes the write-ahead log away that the owner still appends to.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn l1_reading_ends_no_lock_of_the_owner() {
    use slipstream_testkit::locks;

    let dir = tempdir().unwrap();
    let owner: SharedLog = open(&dir).unwrap();
    publish(&owner, 1, 10).await;
    let file = dir.path().join(LOG_FILE);
    assert!(locks::on(&file).unwrap() > 0, "the owner holds the file");
    let reader: SharedLog = SqliteLog::open_read_only(dir.path()).unwrap();
    assert_eq!(read_all(&reader, input(0)).await.len(), 10);
    assert!(locks::on(&file).unwrap() > 0, "and still does");
}

#[tokio::test]
async fn what_a_killed_owner_left_can_be_read_before_anybody_owns_it_again() {
    let dir = tempdir().unwrap();
    let owner = open(&dir).unwrap();
    publish(&(owner.clone() as SharedLog), 1, 10).await;
    let left = owner.crash().await;
    let reader: SharedLog = SqliteLog::open_read_only(&left).unwrap();
    assert_eq!(read_all(&reader, input(0)).await.len(), 10);
    let next = SqliteLog::open(&left, SqliteOptions::default()).unwrap();
    publish(&(next.clone() as SharedLog), 1, 1).await;
    assert_eq!(read_all(&reader, input(0)).await.len(), 11);
}

#[tokio::test]
async fn files_that_are_not_ours_are_named_and_left_alone() {
    type Spoil = fn(&std::path::Path);
    let foreign: Spoil = |file| {
        rusqlite::Connection::open(file).unwrap().execute_batch("CREATE TABLE cats (name TEXT)").unwrap();
    };
    let text: Spoil =
        |file| std::fs::write(file, "not a database at all, but long enough to be looked at".repeat(20)).unwrap();
    let newer: Spoil = |file| {
        drop(SqliteLog::open(file.parent().unwrap(), SqliteOptions::default()).unwrap());
        rusqlite::Connection::open(file).unwrap().pragma_update(None, "user_version", 99).unwrap();
    };
    let damaged: Spoil = |file| {
        drop(SqliteLog::open(file.parent().unwrap(), SqliteOptions::default()).unwrap());
        let mut bytes = std::fs::read(file).unwrap();
        bytes[100..].fill(0x5a);
        std::fs::write(file, bytes).unwrap();
    };
    for (name, spoil, says) in [
        ("another program's", foreign, "is not a log of Slipstream"),
        ("no database", text, "is not a log of Slipstream"),
        ("a later version's", newer, "newer Slipstream (layout 99"),
        ("broken", damaged, "is damaged"),
    ] {
        let dir = tempdir().unwrap();
        let file = dir.path().join(LOG_FILE);
        spoil(&file);
        let before = std::fs::read(&file).unwrap();
        for error in [open(&dir).err(), SqliteLog::open_read_only(dir.path()).err()] {
            let message = error.unwrap_or_else(|| panic!("{name}: opened")).to_string();
            assert!(message.contains(says) && message.contains(LOG_FILE), "{name}: {message}");
        }
        assert_eq!(std::fs::read(&file).unwrap(), before, "{name}");
    }
}

#[tokio::test]
async fn partition_counts_are_kept_and_only_request_events_grows() {
    let dir = tempdir().unwrap();
    let with = |topic, n| {
        let partitions = HashMap::from([(topic, n)]);
        SqliteLog::open(dir.path(), SqliteOptions { partitions, ..SqliteOptions::default() })
    };
    let log = with(Topic::RequestEvents, 3).unwrap();
    publish(&(log.clone() as SharedLog), 3, 9).await;
    log.close().await;
    let log = open(&dir).unwrap();
    assert_eq!(log.partitions(Topic::RequestEvents).await.unwrap(), 3, "kept where nothing is asked for");
    log.close().await;
    for (topic, n) in [(Topic::RequestEvents, 2), (Topic::SliTallies, 2), (Topic::Alerts, 0)] {
        let error = with(topic, n).err().expect("refused");
        assert!(matches!(error, OpenError::Partitions { .. }), "{topic} {n}: {error}");
    }
    let log = with(Topic::RequestEvents, 4).unwrap();
    assert_eq!(log.partitions(Topic::RequestEvents).await.unwrap(), 4);
    assert_eq!(log.bounds(input(2)).await.unwrap(), (0, 3));
    assert_eq!(log.bounds(input(3)).await.unwrap(), (0, 0));
    assert!(log.bounds(input(4)).await.is_err());
}

#[tokio::test]
async fn a_directory_of_an_earlier_version_gets_the_topics_that_came_since() {
    let dir = tempdir().unwrap();
    let log = open(&dir).unwrap();
    publish(&(log.clone() as SharedLog), 1, 3).await;
    log.close().await;
    drop(log);
    let earlier = rusqlite::Connection::open(dir.path().join(LOG_FILE)).unwrap();
    assert_eq!(earlier.execute("DELETE FROM partitions WHERE topic IN ('markers', 'tokens')", []).unwrap(), 2);
    drop(earlier);
    let reader = SqliteLog::open_read_only(dir.path()).unwrap();
    for topic in [Topic::Markers, Topic::Tokens] {
        assert_eq!(reader.partitions(topic).await.unwrap(), 0, "reading makes nothing");
    }
    let log: SharedLog = open(&dir).unwrap();
    for topic in [Topic::Markers, Topic::Tokens] {
        assert_eq!(log.partitions(topic).await.unwrap(), 1);
        let record = record(TopicPartition { topic, partition: 0 }, "m");
        log.publish(vec![Outgoing { key: Some("k".into()), ..record }]).await.unwrap();
    }
    assert_eq!(read_all(&log, input(0)).await.len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn l1_under_pressure_what_is_acknowledged_is_there_and_what_is_refused_is_not() {
    let dir = tempdir().unwrap();
    let options = SqliteOptions { queue_requests: 2, ..SqliteOptions::default() };
    let log = SqliteLog::open(dir.path(), options).unwrap();
    let mut publishers = JoinSet::new();
    for i in 0..200 {
        let log = log.clone();
        publishers.spawn(async move { (format!("v{i}"), log.publish(vec![record(input(0), format!("v{i}"))]).await) });
    }
    let (mut there, mut refused) = (Vec::new(), 0);
    for (value, result) in publishers.join_all().await {
        match result {
            Ok(_) => there.push(value),
            Err(LogError::Busy) => refused += 1,
            Err(other) => panic!("{other}"),
        }
    }
    assert!(refused > 0, "a queue of two took two hundred at once");
    let mut stored: Vec<String> = read_all(&(log as SharedLog), input(0)).await.into_iter().map(|r| r.2).collect();
    stored.sort();
    there.sort();
    assert_eq!(stored, there);
}

#[tokio::test]
async fn l1_records_from_many_writes_are_packed_and_read_back_in_order() {
    let dir = tempdir().unwrap();
    let log = open(&dir).unwrap();
    for round in 0..30 {
        let value = |i: u32| format!("{round}-{i}-{}", "x".repeat((i % 97) as usize));
        log.publish((0..1_000).map(|i| record(input(0), value(i))).collect()).await.unwrap();
    }
    log.close().await;
    let log: SharedLog = open(&dir).unwrap();
    let all = read_all(&log, input(0)).await;
    assert_eq!(all.len(), 30_000);
    for (i, (offset, _, value)) in all.iter().enumerate() {
        assert_eq!(*offset, i as i64);
        assert!(value.starts_with(&format!("{}-{}-", i / 1_000, i % 1_000)), "{value}");
    }
    let batch = log.read(input(0), 12_345, 12_350, Fetch::default()).await.unwrap();
    assert_eq!(batch.iter().map(|r| r.offset()).collect::<Vec<_>>(), [12_345, 12_346, 12_347, 12_348, 12_349]);
}

#[tokio::test]
async fn another_file_in_its_place_has_other_topics() {
    let dir = tempdir().unwrap();
    let id = |log: Arc<SqliteLog>| async move {
        let id = log.topic_id(Topic::RequestEvents).await.unwrap().expect("an id");
        log.close().await;
        id
    };
    let first = id(open(&dir).unwrap()).await;
    assert_eq!(id(open(&dir).unwrap()).await, first);
    let reader = SqliteLog::open_read_only(dir.path()).unwrap();
    assert_eq!(reader.topic_id(Topic::Alerts).await.unwrap(), Some(first.clone()));
    drop(reader);
    // As a version made it that gave no ids: it gets one, and keeps it.
    let file = dir.path().join(LOG_FILE);
    rusqlite::Connection::open(&file).unwrap().execute_batch("DROP TABLE identity").unwrap();
    assert_eq!(SqliteLog::open_read_only(dir.path()).unwrap().topic_id(Topic::Alerts).await.unwrap(), None);
    let given = id(open(&dir).unwrap()).await;
    assert_eq!(id(open(&dir).unwrap()).await, given);
    std::fs::remove_file(&file).unwrap();
    assert_ne!(id(open(&dir).unwrap()).await, given);
}
