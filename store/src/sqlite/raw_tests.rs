//! Raw events by log time, where it matters that they are in a file: former versions, other owners, retention by minutes.

use std::path::Path;
use std::sync::Arc;

use rusqlite::Connection;
use slipstream_schemas::{EventTime, LogTime, RequestEvent, Retention};
use tempfile::TempDir;

use super::{FILE, SqliteStore, VERSION};
use crate::conformance::made::{self, Dice};
use crate::port::{RawBounds, RawWindow, Store};

const DAY_MS: i64 = 86_400_000;

/// Tables as a former version made them: a minute that retention has emptied, two that have an event, one of them logged an
/// hour late.
fn of_version(folder: &Path, version: usize) {
    let file = Connection::open(folder.join(FILE)).unwrap();
    for tables in &[include_str!("schema_v1.sql"), include_str!("schema_v2.sql")][..version] {
        file.execute_batch(tables).unwrap();
    }
    let rows = "INSERT INTO dimensions (id, service, environment, endpoint, method) VALUES (1, 's', '', '/e', 'GET');
                INSERT INTO events (time, partition, \"offset\", log_time, dimensions, status_code, weight, event_id)
                VALUES (60000000, 3, 8, 61000, 1, 200, 1, 'a'), (120000000, 3, 9, 3720000, 1, 200, 1, 'b');
                INSERT INTO minutes (minute, events, newest_log, raw_gone) VALUES (0, 5, 59000, 1), (1, 1, 61000, 0), (2, 1, 3720000, 0);
                INSERT INTO positions VALUES ('request-events', 3, 10, 3720000);";
    file.execute_batch(rows).unwrap();
    let mode =
        format!("PRAGMA journal_mode = WAL; PRAGMA application_id = 0x534C5354; PRAGMA user_version = {version}");
    file.execute_batch(&mode).unwrap();
}

/// Ids of the events of a window.
async fn ids(store: &SqliteStore, from: i64, to: i64) -> Vec<String> {
    let page = store.raw_events(&RawWindow::new(0, LogTime(from), LogTime(to)), 100, None).await.unwrap();
    page.events.iter().map(|event| event.event_id().to_owned()).collect()
}

async fn answers(store: &SqliteStore) {
    let (log_time, kept_from) = (LogTime(3_720_000), Some(LogTime(59_001)));
    let bounds = [RawBounds { epoch: 0, partition: 3, offset: 10, log_time, kept_from }];
    assert_eq!(store.raw_bounds().await.unwrap(), bounds);
    let windows: [(i64, i64, &[&str]); 4] =
        [(0, i64::MAX, &["a", "b"]), (0, 3_720_000, &["a"]), (61_001, 3_720_001, &["b"]), (61_001, 3_720_000, &[])];
    for (from, to, expected) in windows {
        assert_eq!(ids(store, from, to).await, expected, "{from} {to}");
    }
}

/// Minute, and when its oldest event was logged.
fn minutes(folder: &Path) -> Vec<(i64, Option<i64>)> {
    let file = super::open::for_reading(folder).unwrap();
    let mut asked = file.prepare("SELECT minute, oldest_log FROM minutes ORDER BY minute").unwrap();
    asked.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().collect::<Result<_, _>>().unwrap()
}

#[tokio::test]
async fn tables_of_former_versions_are_read_and_upgraded() {
    for version in [1, 2] {
        let folder = TempDir::new().unwrap();
        of_version(folder.path(), version);
        let reader = SqliteStore::open_read_only(folder.path()).unwrap();
        answers(&reader).await;
        let writer = SqliteStore::open(folder.path(), Retention::default()).unwrap();
        assert_eq!(writer.version().unwrap(), VERSION);
        for store in [&writer, &reader] {
            answers(store).await;
        }
        assert_eq!(minutes(folder.path()), [(0, None), (1, Some(-1)), (2, Some(-1))]);
        assert_eq!(writer.trim(LogTime(0)).await.unwrap(), 2, "what is unknown is found out");
        assert_eq!(minutes(folder.path()), [(0, None), (1, Some(61_000)), (2, Some(3_720_000))]);
        assert_eq!(writer.trim(LogTime(0)).await.unwrap(), 0);
        answers(&reader).await;
    }
}

#[tokio::test]
async fn windows_are_read_while_another_owns_the_directory() {
    let folder = TempDir::new().unwrap();
    let owner = SqliteStore::open(folder.path(), Retention::default()).unwrap();
    let events = made::events(&mut Dice(1), 20);
    owner.write(Arc::new(made::batch(&events[..10], None, 1_000))).await.unwrap();
    let reader = SqliteStore::open_read_only(folder.path()).unwrap();
    assert_eq!(ids(&reader, 1_000, 1_001).await.len(), 10);
    owner.write(Arc::new(made::batch(&events[10..], Some(10), 2_000))).await.unwrap();
    assert_eq!((ids(&reader, 0, 1_001).await.len(), ids(&reader, 0, 2_001).await.len()), (10, 20));
    assert_eq!(reader.raw_bounds().await.unwrap(), owner.raw_bounds().await.unwrap());
}

#[tokio::test]
async fn events_that_come_into_an_emptied_minute_go_in_their_turn() {
    let folder = TempDir::new().unwrap();
    let store = SqliteStore::open(folder.path(), Retention::default()).unwrap();
    let at_once = |event: RequestEvent| RequestEvent { time: EventTime(5), ..event };
    let events: Vec<RequestEvent> = made::events(&mut Dice(1), 20).into_iter().map(at_once).collect();
    let drain = async |now: i64| while store.trim(LogTime(now)).await.unwrap() > 0 {};
    store.write(Arc::new(made::batch(&events[..10], None, 7))).await.unwrap();
    drain(40 * DAY_MS).await;
    assert_eq!((ids(&store, 0, i64::MAX).await.len(), minutes(folder.path())), (0, vec![(0, None)]));
    let late = 40 * DAY_MS;
    store.write(Arc::new(made::batch(&events[10..], Some(10), late))).await.unwrap();
    let kept = async || store.raw_bounds().await.unwrap()[0].kept_from;
    assert_eq!(kept().await, Some(LogTime(8)));
    drain(late + 35 * DAY_MS).await;
    assert_eq!((ids(&store, 8, i64::MAX).await.len(), kept().await), (10, Some(LogTime(8))));
    drain(late + 36 * DAY_MS).await;
    assert_eq!((ids(&store, 0, i64::MAX).await.len(), kept().await), (0, Some(LogTime(late + 1))));
    drain(late + 401 * DAY_MS).await;
    assert_eq!((minutes(folder.path()), kept().await), (vec![], Some(LogTime(late + 1))));
}
