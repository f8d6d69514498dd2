//! The conformance suite on SQLite, and what only files can have: damage, newer versions, other owners.

use std::sync::Arc;

use async_trait::async_trait;
use slipstream_schemas::codec::{self, Wire};
use slipstream_schemas::records::{BurnRates, Notification, NotificationReason, Outcome};
use slipstream_schemas::{Retention, Topic};
use tempfile::TempDir;

use super::{FILE, SqliteStore};
use crate::conformance::made::{self, Dice};
use crate::conformance::{self, Fixture};
use crate::notifications::NotificationQuestion;
use crate::port::{SharedStore, Store, StoreError, StoredBurnRates, WriteBatch};
use crate::{Cursor, EventFilter, EventQuestion};

fn page(limit: usize, after: Option<Cursor>) -> EventQuestion {
    EventQuestion::oldest(EventFilter::default(), limit, after)
}

struct Files {
    dir: TempDir,
}

impl Files {
    fn new() -> Self {
        Files { dir: TempDir::new().unwrap() }
    }

    fn open(&self) -> Arc<SqliteStore> {
        SqliteStore::open(self.dir.path(), Retention::default()).unwrap()
    }
}

#[async_trait]
impl Fixture for Files {
    async fn empty(&self) -> SharedStore {
        for file in std::fs::read_dir(self.dir.path()).unwrap() {
            std::fs::remove_file(file.unwrap().path()).unwrap();
        }
        self.open()
    }

    async fn reopened(&self) -> SharedStore {
        self.open()
    }
}

#[tokio::test]
async fn writing_conforms() {
    conformance::writing::all(&Files::new()).await;
}

#[tokio::test]
async fn answers_conform() {
    conformance::questions::all(&Files::new()).await;
}

#[tokio::test]
async fn looking_conforms() {
    conformance::looking::all(&Files::new()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bounds_conform() {
    conformance::bounds::all(&Files::new()).await;
}

#[tokio::test]
async fn aggregates_conform() {
    conformance::aggregates::all(&Files::new()).await;
}

#[tokio::test]
async fn raw_events_conform() {
    conformance::raw::all(&Files::new()).await;
}

/// What a former version stored: the fields that came since are the last ones, a byte each where there is nothing.
#[tokio::test]
async fn rates_that_a_former_version_stored_are_read() {
    let files = Files::new();
    let rates = made::burn_rates("a", &[], 1, 100);
    let written = codec::encode(&rates);
    let fingerprint = BurnRates::former()[0].rabin_fingerprint();
    let former = [&codec::MARKER, fingerprint.as_slice(), &written[codec::HEADER_BYTES..written.len() - 4]].concat();
    let stored = StoredBurnRates { partition: 0, offset: 0, rates: rates.clone() };
    let positions = vec![made::moved(Topic::BurnRates, None, 1, 1)];
    let batch = WriteBatch { burn_rates: vec![stored], positions, ..WriteBatch::default() };
    files.open().write(Arc::new(batch)).await.unwrap();
    let beside = rusqlite::Connection::open(files.dir.path().join(FILE)).unwrap();
    assert_eq!(beside.execute("UPDATE burn_rates SET body = ?1", [former]).unwrap(), 1);
    drop(beside);
    assert_eq!(files.open().slo_states(None).await.unwrap(), [rates]);
}

#[tokio::test]
async fn a_crash_in_the_middle_leaves_the_batch_before_it() {
    let files = Files::new();
    let events = made::events(&mut Dice(1), 30);
    files.open().write(Arc::new(made::batch(&events[..10], None, 1))).await.unwrap();
    // A copy of the files in the middle of a transaction is what a kill leaves.
    let writer = rusqlite::Connection::open(files.dir.path().join(FILE)).unwrap();
    writer
        .execute_batch("PRAGMA cache_size = 2; PRAGMA cache_spill = 2; BEGIN IMMEDIATE; DELETE FROM events;")
        .unwrap();
    writer.execute_batch("DELETE FROM rollups; UPDATE positions SET next_offset = 99;").unwrap();
    let left = TempDir::new().unwrap();
    for name in [FILE.to_owned(), format!("{FILE}-wal")] {
        std::fs::copy(files.dir.path().join(&name), left.path().join(&name)).unwrap();
    }
    let store = SqliteStore::open(left.path(), Retention::default()).unwrap();
    assert_eq!(store.counts().await.unwrap().events, 10);
    assert_eq!(store.positions().await.unwrap()[0].offset, 10);
    store.write(Arc::new(made::batch(&events[10..], Some(10), 1))).await.unwrap();
    assert_eq!(store.counts().await.unwrap().events, 30);
}

#[tokio::test]
async fn questions_are_answered_while_another_owns_the_directory() {
    let files = Files::new();
    let owner = files.open();
    let events = made::events(&mut Dice(1), 20);
    owner.write(Arc::new(made::batch(&events[..10], None, 1))).await.unwrap();
    let reader = SqliteStore::open_read_only(files.dir.path()).unwrap();
    assert_eq!(reader.counts().await.unwrap().events, 10);
    owner.write(Arc::new(made::batch(&events[10..], Some(10), 1))).await.unwrap();
    assert_eq!(reader.counts().await.unwrap().events, 20);
    let refused = reader.write(Arc::new(made::batch(&events, Some(20), 1))).await.unwrap_err();
    assert!(refused.to_string().contains("reading only"), "{refused}");
    owner.close().await.unwrap();
    let refused = owner.write(Arc::new(made::batch(&events, Some(20), 1))).await.unwrap_err();
    assert!(refused.to_string().contains("is closed"), "{refused}");
    drop((owner, reader));
    assert_eq!(SqliteStore::open_read_only(files.dir.path()).unwrap().counts().await.unwrap().events, 20);
}

#[test]
fn what_cannot_be_opened_says_why_and_what_to_do() {
    type Prepare = fn(&std::path::Path);
    let rows: [(Prepare, &str); 3] = [
        (|path| std::fs::write(path, vec![0x55; 20_000]).unwrap(), "damaged or no store"),
        (|path| sql(path, "CREATE TABLE other (x)"), "not a store of Slipstream"),
        (
            |path| {
                sql(path, "CREATE TABLE positions (x); PRAGMA application_id = 0x534C5354; PRAGMA user_version = 99")
            },
            "upgrade",
        ),
    ];
    for (prepare, expected) in rows {
        let files = Files::new();
        prepare(&files.dir.path().join(FILE));
        for opened in
            [SqliteStore::open(files.dir.path(), Retention::default()), SqliteStore::open_read_only(files.dir.path())]
        {
            let error = opened.err().expect("refused").to_string();
            assert!(error.contains(expected) && error.contains(FILE), "{error}");
        }
    }
    let nothing = SqliteStore::open_read_only(Files::new().dir.path()).err().expect("refused");
    assert!(nothing.to_string().contains("does not exist"), "{nothing}");
    let folder = Files::new();
    std::fs::create_dir(folder.dir.path().join(FILE)).unwrap();
    let odd = SqliteStore::open_read_only(folder.dir.path()).err().expect("refused");
    assert!(odd.to_string().contains("it is not a file"), "{odd}");
}

/// SQLite's locks are the process's: closing the file by any other way than SQLite's ends them, and the next program that opens and
/// closes the file takes the write-ahead log away that the writer still appends to.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn l1_asking_ends_no_lock_of_the_writer() {
    use slipstream_testkit::locks;

    let files = Files::new();
    let owner = files.open();
    owner.write(Arc::new(made::batch(&made::events(&mut Dice(1), 10), None, 1))).await.unwrap();
    let file = files.dir.path().join(FILE);
    assert!(locks::on(&file).unwrap() > 0, "the writer holds the file");
    assert_eq!(owner.counts().await.unwrap().events, 10);
    let reader = SqliteStore::open_read_only(files.dir.path()).unwrap();
    assert_eq!(reader.counts().await.unwrap().events, 10);
    assert!(locks::on(&file).unwrap() > 0, "and still does");
}

/// Tables as the first version made them.
fn of_version_1(files: &Files) {
    let tables = include_str!("schema_v1.sql");
    let file = files.dir.path().join(FILE);
    sql(
        &file,
        &format!("PRAGMA journal_mode = WAL; {tables} PRAGMA application_id = 0x534C5354; PRAGMA user_version = 1"),
    );
    sql(&file, "INSERT INTO dimensions (id, service, environment, endpoint, method) VALUES (1, 's', '', '/e', 'GET')");
    sql(
        &file,
        "INSERT INTO events (time, partition, \"offset\", log_time, dimensions, status_code, weight, event_id)
         VALUES (1000000, 3, 7, 1000, 1, 200, 1, 'old')",
    );
    sql(&file, "INSERT INTO positions VALUES ('request-events', 3, 8, 1000)");
}

#[tokio::test]
async fn what_a_former_version_made_is_read_as_it_is_and_upgraded_by_a_writer() {
    let files = Files::new();
    of_version_1(&files);
    let reader = SqliteStore::open_read_only(files.dir.path()).unwrap();
    assert_eq!(reader.version().unwrap(), 1);
    assert_eq!(reader.events(&page(10, None)).await.unwrap().events[0].event.event_id, "old");
    assert_eq!(reader.positions().await.unwrap()[0].offset, 8);
    assert_eq!(reader.claimed_topics().await.unwrap(), []);
    let writer = files.open();
    assert_eq!((writer.version().unwrap(), reader.version().unwrap()), (super::VERSION, super::VERSION));
    for store in [writer, reader] {
        assert_eq!(store.events(&page(10, None)).await.unwrap().events[0].event.event_id, "old");
    }
}

#[tokio::test]
async fn notifications_of_version_4_are_read_as_they_are_and_stay() {
    let files = Files::new();
    of_version_1(&files);
    let file = files.dir.path().join(FILE);
    for part in [include_str!("schema_v2.sql"), include_str!("schema_v3.sql"), include_str!("schema_v4.sql")] {
        sql(&file, part);
    }
    sql(
        &file,
        "INSERT INTO notifications (alert_id, episode, seq, receiver, outcome, status, attempts, detail, at)
         VALUES ('x', 100, 2, 'ops', 'delivered', 200, 1, 'OK', 111000), ('x', 100, 3, 'ops', 'not_due', NULL, 0, 'why', 222000);
         PRAGMA user_version = 4",
    );
    let former = Notification { outcome: Outcome::NotDue, status: None, attempts: 0, ..made::notification("x", 3) };
    let mut expected = vec![Notification { detail: "why".into(), at: 222_000, ..former }, made::notification("x", 2)];
    let all = NotificationQuestion { limit: 10, ..NotificationQuestion::default() };
    let silenced = NotificationQuestion { reason: Some(NotificationReason::Silenced), ..all.clone() };
    let reader = SqliteStore::open_read_only(files.dir.path()).unwrap();
    assert_eq!(reader.version().unwrap(), 4);
    assert_eq!(reader.notifications(&all).await.unwrap().notifications, expected);
    assert_eq!(reader.notifications(&silenced).await.unwrap().notifications, []);
    let writer = files.open();
    assert_eq!(reader.notifications(&all).await.unwrap().notifications, expected, "a reader that was open before");
    let told = Notification { at: 333_000, repeated: true, kind: "firing".into(), ..made::notification("x", 2) };
    let positions = vec![made::moved(Topic::Notifications, None, 1, 1)];
    let batch = WriteBatch { notifications: vec![told.clone()], positions, ..WriteBatch::default() };
    writer.write(Arc::new(batch)).await.unwrap();
    expected.insert(0, told);
    for store in [writer, reader] {
        assert_eq!(store.notifications(&all).await.unwrap().notifications, expected);
    }
}

/// What the view shows of each event.
fn places(files: &Files) -> Vec<(i64, i64)> {
    let reader = super::open::for_reading(files.dir.path()).unwrap();
    let mut asked =
        reader.prepare("SELECT partition, \"offset\" FROM request_events ORDER BY \"offset\", log_time").unwrap();
    asked.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().collect::<Result<_, _>>().unwrap()
}

#[tokio::test]
async fn events_of_a_recreated_topic_are_in_the_partition_that_they_came_from() {
    let files = Files::new();
    let store = files.open();
    let events = made::events(&mut Dice(1), 2);
    for id in ["first", "second"] {
        store.claim_topic(Topic::RequestEvents, id).await.unwrap();
        store.write(Arc::new(made::batch(&events, None, 1))).await.unwrap();
    }
    assert_eq!(places(&files), [(0, 0), (0, 0), (0, 1), (0, 1)]);
    let (mut seen, mut after) = (0, None);
    loop {
        let page = store.events(&page(1, after)).await.unwrap();
        seen += page.events.len();
        let Some(next) = page.next else { break };
        after = Some(next.to_string().parse().unwrap());
    }
    assert_eq!(seen, 4, "pages skip none of two at one place");
}

fn sql(path: &std::path::Path, sql: &str) {
    rusqlite::Connection::open(path).unwrap().execute_batch(sql).unwrap();
}

#[tokio::test]
async fn damage_behind_the_header_is_fatal_not_waited_for() {
    let files = Files::new();
    let store = files.open();
    store.write(Arc::new(made::batch(&made::events(&mut Dice(1), 2_000), None, 1))).await.unwrap();
    drop(store);
    let path = files.dir.path().join(FILE);
    let mut bytes = std::fs::read(&path).unwrap();
    let len = bytes.len();
    assert!(len > 100_000, "the events are in the file, not in its log");
    bytes[16_384..len].fill(0x55);
    std::fs::write(&path, bytes).unwrap();
    let found = match SqliteStore::open(files.dir.path(), Retention::default()) {
        Ok(store) => store.events(&page(10_000, None)).await.unwrap_err(),
        Err(error) => error,
    };
    assert!(matches!(found, StoreError::Fatal { .. }), "{found:?}");
}

#[tokio::test]
async fn sql_reads_quantiles_and_events_by_name() {
    let files = Files::new();
    let store = files.open();
    let events = made::events(&mut Dice(8), 500);
    store.write(Arc::new(made::batch(&events, None, 1))).await.unwrap();
    let reader = super::open::for_reading(files.dir.path()).unwrap();
    let (p95, p100): (f64, f64) = reader
        .query_row(
            "SELECT sketch_quantile(sketch_merge(sketch), 0.95), sketch_quantile(sketch_merge(sketch), 1) FROM rollups",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .unwrap();
    let max = events.iter().filter_map(|e| e.latency_ms).fold(0.0, f64::max);
    assert!(p95 < p100 && (p100 - max).abs() < 0.02 * max, "{p95} {p100} {max}");
    let none: Option<f64> = reader.query_row("SELECT sketch_quantile(NULL, 0.5)", [], |row| row.get(0)).unwrap();
    assert_eq!(none, None);
    let traced: i64 = reader
        .query_row("SELECT count(*) FROM request_events WHERE trace_id = ?1", [format!("{:032x}", 3)], |row| row.get(0))
        .unwrap();
    assert_eq!(traced as usize, events.iter().filter(|e| e.trace_id == Some(format!("{:032x}", 3))).count());
    let wrong = reader.query_row("SELECT sketch_quantile(x'07', 0.5)", [], |_| Ok(())).unwrap_err();
    assert!(wrong.to_string().contains("version 7"), "{wrong}");
}

#[tokio::test]
async fn an_erasure_that_readers_keep_from_the_write_ahead_log_is_not_done() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path(), Retention::default()).unwrap();
    let mut events = made::events(&mut Dice(3), 20);
    events.iter_mut().for_each(|event| event.user_ref = Some("alice-in-the-log".into()));
    store.write(Arc::new(made::batch(&events, None, 1_000))).await.unwrap();
    let reading = rusqlite::Connection::open(folder.path().join("store.db")).unwrap();
    reading.execute_batch("BEGIN").unwrap();
    assert_eq!(reading.query_row("SELECT count(*) FROM events", [], |row| row.get::<_, i64>(0)).unwrap(), 20);
    let erased = store.erase_user("alice-in-the-log").await;
    assert!(
        matches!(&erased, Err(StoreError::Unavailable { cause, .. }) if cause.text().contains("erase again")),
        "{erased:?}"
    );
    reading.execute_batch("COMMIT").unwrap();
    assert_eq!(store.erase_user("alice-in-the-log").await.unwrap(), 0);
    for file in ["store.db", "store.db-wal"] {
        let bytes = std::fs::read(folder.path().join(file)).unwrap();
        assert!(!bytes.windows(16).any(|window| window == b"alice-in-the-log"), "{file}");
    }
}
