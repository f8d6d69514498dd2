//! The tables are made once, by one, as far as rights go; what cannot be used says why and what to do.

use slipstream_schemas::records::Notification;
use slipstream_schemas::{LogTime, Topic};
use slipstream_store::conformance::made;
use slipstream_store::notifications::NotificationQuestion;
use slipstream_store::postgres::inspect;
use slipstream_store::{PostgresOptions, PostgresStore, RawBounds, RawWindow, Store, StoreError, WriteBatch};
use slipstream_testkit::services;

use crate::support::{Beside, fresh_options, fresh_store};

fn fatal<T>(answer: Result<T, StoreError>) -> String {
    match answer {
        Err(error @ StoreError::Fatal { .. }) => error.to_string(),
        Err(error) => panic!("not fatal: {error:?}"),
        Ok(_) => panic!("it was taken"),
    }
}

#[tokio::test]
async fn of_many_that_start_together_one_makes_the_tables() {
    let options = fresh_options().await;
    let opened = futures::future::join_all((0..8).map(|_| PostgresStore::connect(options.clone()))).await;
    for store in opened {
        store.unwrap().close().await;
    }
    let beside = Beside::connect(&options.url).await;
    assert_eq!(beside.one::<i64>("SELECT count(*) FROM schema_versions", &[]).await, 6);
    let again = PostgresStore::connect(options.clone()).await.unwrap();
    assert_eq!(again.counts().await.unwrap(), Default::default());
    assert_eq!(PostgresStore::connect_read_only(options).await.unwrap().counts().await.unwrap(), Default::default());
}

/// A database as version 3 of the tables was, with native partitions: a day of raw events was removed, two are left, and
/// request-events were recreated within the second.
async fn of_version_3(beside: &Beside) {
    beside.run("CREATE SCHEMA slipstream").await;
    for part in [
        include_str!("../../src/postgres/sql/v1_tables.sql"),
        include_str!("../../src/postgres/sql/v1_sketch.sql"),
        include_str!("../../src/postgres/sql/v1_events_partitions.sql"),
        include_str!("../../src/postgres/sql/v1_views.sql"),
        include_str!("../../src/postgres/sql/v2_tables.sql"),
        include_str!("../../src/postgres/sql/v2_views.sql"),
        include_str!("../../src/postgres/sql/v3_tables.sql"),
        "CREATE TABLE schema_versions (version integer PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now());
         INSERT INTO schema_versions (version) VALUES (1), (2), (3);
         INSERT INTO dimensions (service, environment, endpoint, method) VALUES ('s', '', '/e', 'GET')",
    ] {
        beside.run(part).await;
    }
    for day in [2, 3] {
        let (digits, begin) = (format!("1970010{day}"), format!("1970-01-0{day} 00:00Z"));
        beside
            .run(&format!(
                "CREATE TABLE events_{digits} (LIKE events INCLUDING INDEXES);
                 ALTER TABLE events ATTACH PARTITION events_{digits} FOR VALUES FROM ('{begin}') TO (timestamptz '{begin}' + interval '1 day');
                 INSERT INTO days VALUES ('{begin}'::timestamptz, 0, 10);
                 INSERT INTO events (\"time\", log_time, \"offset\", partition, dimensions, weight, status_code, event_id)
                 SELECT t, t, n, 0, 1, 1, 200, 'former-' || n FROM generate_series(0, 9) n, LATERAL (SELECT '{begin}'::timestamptz + n * interval '1 hour') w (t)"
            ))
            .await;
    }
    let rest = "INSERT INTO minutes VALUES ('1970-01-01 00:00Z', '1970-01-01 00:00Z', '1970-01-01 00:00Z', true);
                INSERT INTO positions VALUES ('request-events', 0, 10, '1970-01-03 09:00Z')";
    beside.run(rest).await;
}

#[tokio::test]
async fn raw_events_of_version_3_are_found_by_log_time() {
    const DAY: i64 = 86_400_000;
    let options = fresh_options().await;
    let beside = Beside::connect(&options.url).await;
    of_version_3(&beside).await;
    let store = PostgresStore::connect(options.clone()).await.unwrap();
    let bounds = RawBounds {
        epoch: 0,
        partition: 0,
        offset: 10,
        log_time: LogTime(2 * DAY + 9 * 3_600_000),
        kept_from: Some(LogTime(DAY)),
    };
    assert_eq!(store.raw_bounds().await.unwrap(), [bounds]);
    store.write(made::batch(&crate::support::events(0..5), Some(10), 3 * DAY).into()).await.unwrap();
    let read = |from, to| {
        let store = store.clone();
        async move { store.raw_events(&RawWindow::new(0, LogTime(from), LogTime(to)), 100, None).await.unwrap().events }
    };
    assert_eq!(read(2 * DAY, 2 * DAY + 1).await.iter().next().unwrap().event_id(), "former-0");
    assert_eq!((read(DAY, 3 * DAY).await.len(), read(0, 4 * DAY).await.len()), (20, 25));
    let indexes =
        "SELECT count(*) FROM pg_indexes WHERE tablename LIKE 'events%' AND indexdef LIKE '%USING brin (log_time)%'";
    assert_eq!(beside.one::<i64>(indexes, &[]).await, 4, "of the table and three days");
}

#[tokio::test]
async fn what_version_3_stored_of_a_recreated_topic_is_not_taken_for_complete() {
    const DAY: i64 = 86_400_000;
    let options = fresh_options().await;
    let beside = Beside::connect(&options.url).await;
    of_version_3(&beside).await;
    beside.run("INSERT INTO topics VALUES ('request-events', 'first', 0), ('request-events', 'second', 1)").await;
    let store = PostgresStore::connect(options.clone()).await.unwrap();
    let last = 2 * DAY + 9 * 3_600_000;
    let found = store.raw_bounds().await.unwrap();
    assert_eq!((found[0].epoch, found[0].kept_from), (1, Some(LogTime(last + 1))));
    store.write(made::batch(&crate::support::events(0..5), Some(10), last).into()).await.unwrap();
    let window = RawWindow::new(1, LogTime(0), LogTime(9 * DAY));
    assert_eq!(store.raw_events(&window, 100, None).await.unwrap().events.len(), 5);
    store.claim_topic(Topic::RequestEvents, "third").await.unwrap();
    store.write(made::batch(&crate::support::events(0..5), None, last).into()).await.unwrap();
    let found = store.raw_bounds().await.unwrap();
    assert_eq!((found[0].epoch, found[0].kept_from), (2, Some(LogTime(DAY))), "of the next one all is known");
}

#[tokio::test]
async fn notifications_of_a_former_version_stay_and_others_come_beside_them() {
    let options = fresh_options().await;
    let beside = Beside::connect(&options.url).await;
    of_version_3(&beside).await;
    beside
        .run(
            "INSERT INTO notifications (alert_id, episode, seq, receiver, outcome, status, attempts, detail, \"at\")
             VALUES ('x', 100, 2, 'ops', 'delivered', 200, 1, 'OK', '1970-01-01 00:01:51Z')",
        )
        .await;
    let store = PostgresStore::connect(options.clone()).await.unwrap();
    let all = NotificationQuestion { limit: 10, ..NotificationQuestion::default() };
    let former = made::notification("x", 2);
    assert_eq!(store.notifications(&all).await.unwrap().notifications, std::slice::from_ref(&former));
    let told = Notification { at: 333_000, repeated: true, ..former.clone() };
    let positions = vec![made::moved(Topic::Notifications, None, 1, 1)];
    let batch = WriteBatch { notifications: vec![told.clone()], positions, ..WriteBatch::default() };
    store.write(batch.into()).await.unwrap();
    assert_eq!(store.notifications(&all).await.unwrap().notifications, [told, former]);
    let undocumented =
        "SELECT count(*) FROM pg_attribute WHERE attrelid = 'slipstream.notifications'::regclass AND attnum > 0
                        AND NOT attisdropped AND col_description(attrelid, attnum) IS NULL";
    assert_eq!(beside.one::<i64>(undocumented, &[]).await, 0);
}

#[tokio::test]
async fn a_newer_schema_is_refused() {
    let (store, options) = fresh_store().await;
    store.close().await;
    Beside::connect(&options.url).await.run("INSERT INTO schema_versions (version) VALUES (99)").await;
    for error in [
        fatal(PostgresStore::connect(options.clone()).await),
        fatal(PostgresStore::connect_read_only(options.clone()).await),
    ] {
        assert!(error.contains("version 99") && error.contains("upgrade"), "{error}");
    }
    assert_eq!(inspect(&options).await.unwrap().schema_version, Some(99));
}

#[tokio::test]
async fn reading_makes_nothing() {
    let options = fresh_options().await;
    let error = fatal(PostgresStore::connect_read_only(options.clone()).await);
    assert!(error.contains("no tables of Slipstream"), "{error}");
    let found = inspect(&options).await.unwrap();
    assert_eq!((found.schema_exists, found.schema_version, found.can_create_schema), (false, None, true));
}

#[tokio::test]
async fn two_schemas_of_a_database_know_nothing_of_each_other() {
    let options = fresh_options().await;
    let other = PostgresOptions { schema: "another".into(), ..options.clone() };
    let (a, b) = (PostgresStore::connect(options).await.unwrap(), PostgresStore::connect(other).await.unwrap());
    a.write(slipstream_store::conformance::made::batch(&crate::support::events(0..5), None, 1).into()).await.unwrap();
    assert_eq!((a.counts().await.unwrap().events, b.counts().await.unwrap().events), (5, 0));
}

#[tokio::test]
async fn a_user_without_rights_is_told_which_to_get() {
    let server = services::postgres().await;
    let url = server.fresh_database().await;
    let beside = Beside::connect(&url).await;
    let user = format!("poor_{}", url.rsplit('_').next().unwrap().split('?').next().unwrap());
    beside.run(&format!("CREATE ROLE {user} LOGIN PASSWORD 'poor'")).await;
    let (_, address) = url.split_once("://").unwrap();
    let address = address.rsplit_once('@').map_or(address, |(_, host)| host);
    let options = PostgresOptions {
        password: Some("poor".into()),
        ..PostgresOptions::new(format!("postgres://{user}@{address}"))
    };
    let error = fatal(PostgresStore::connect(options.clone()).await);
    assert!(error.contains("GRANT CREATE ON DATABASE") && error.contains("42501"), "{error}");
    assert!(!inspect(&options).await.unwrap().can_create_schema);
    // A schema that was made for it is enough.
    beside.run(&format!("CREATE SCHEMA slipstream AUTHORIZATION {user}")).await;
    let store = PostgresStore::connect(options.clone()).await.unwrap();
    store
        .write(slipstream_store::conformance::made::batch(&crate::support::events(0..5), None, 1).into())
        .await
        .unwrap();
    let found = inspect(&options).await.unwrap();
    assert_eq!((found.can_create_schema, found.can_write, found.user), (true, Some(true), user.clone()));
    store.close().await;
    beside.run(&format!("DROP OWNED BY {user} CASCADE; DROP ROLE {user}")).await;
}

#[tokio::test]
async fn wrong_places_are_fatal_and_say_what_to_do() {
    let url = fresh_options().await.url;
    let base = url.rsplit_once('/').unwrap().0;
    let error = fatal(PostgresStore::connect(PostgresOptions::new(format!("{base}/no_such_database"))).await);
    assert!(error.contains("CREATE DATABASE"), "{error}");
    assert!(!error.contains("postgres:postgres"), "a password is shown: {error}");
    let nobody = base.split_once("://").unwrap().1;
    let nobody = nobody.rsplit_once('@').map_or(nobody, |(_, host)| host);
    let error = fatal(
        PostgresStore::connect(PostgresOptions::new(format!("postgres://nobody_here:x@{nobody}/postgres"))).await,
    );
    assert!(error.contains("check user and password"), "{error}");
    let closed = PostgresStore::connect(PostgresOptions::new("postgres://postgres@127.0.0.1:1/postgres")).await;
    assert!(matches!(closed, Err(StoreError::Unavailable { .. })), "{:?}", closed.err());
}

#[tokio::test]
async fn a_look_changes_nothing_and_tells_the_essentials() {
    let (store, options) = fresh_store().await;
    let found = inspect(&options).await.unwrap();
    assert!(found.server_version_number >= 140_000 && found.server_new_enough, "{found:?}");
    assert_eq!((found.encoding.as_str(), found.read_only, found.encrypted), ("UTF8", false, false));
    assert_eq!((found.schema.as_str(), found.schema_exists, found.can_write), ("slipstream", true, Some(true)));
    assert_eq!(found.schema_version, Some(found.known_schema_version));
    assert!(found.clock_difference_ms.abs() < 1_000, "{found:?}");
    assert!(found.connections >= 1 && i64::from(found.max_connections) >= found.connections, "{found:?}");
    store.close().await;
    let refused = store.counts().await.unwrap_err().to_string();
    assert!(refused.contains("closed"), "{refused}");
}
