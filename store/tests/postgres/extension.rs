//! TimescaleDB as servers have it that cannot use it: installed and not preloaded, or in a schema that the user may not use.
//! What stands for it here is an extension of its name.

use std::sync::Arc;

use slipstream_store::conformance::made;
use slipstream_store::postgres::inspect;
use slipstream_store::{PostgresOptions, PostgresStore, Store, StoreError};
use slipstream_testkit::services::Postgres;

use crate::support::{Beside, events};

/// Version 1 ends the session that asks for it, as the real one does where it is not preloaded. Version 2 does nothing.
const FILES: [(&str, &str); 3] = [
    ("timescaledb.control", "default_version = '1'\ntrusted = true\nrelocatable = false\n"),
    ("timescaledb--1.sql", "DO $$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(1); END $$;"),
    ("timescaledb--2.sql", "SELECT 1;"),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_ends_the_session_gets_native_partitions() {
    let server = Postgres::with_extension_files(&FILES).await;
    let options = PostgresOptions::new(server.fresh_database().await);
    let before = inspect(&options).await.unwrap();
    assert_eq!((before.timescaledb, before.timescaledb_available), (None, Some("1".to_owned())));
    assert_eq!((before.timescaledb_preloaded, before.events_in_hypertable), (Some(false), None));
    // What somebody wrote down for it, and no library has taken.
    let beside = Beside::connect(&options.url).await;
    let name: String = beside.one("SELECT quote_ident(current_database())", &[]).await;
    beside.run(&format!("ALTER DATABASE {name} SET timescaledb.max_background_workers = '8'")).await;
    assert_eq!(inspect(&options).await.unwrap().timescaledb_preloaded, Some(false));
    let store = PostgresStore::connect(options.clone()).await.unwrap();
    store.write(Arc::new(made::batch(&events(0..10), None, 1_000))).await.unwrap();
    assert_eq!(store.counts().await.unwrap().events, 10);
    let after = inspect(&options).await.unwrap();
    assert_eq!((after.timescaledb, after.events_in_hypertable), (None, Some(false)));
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_that_the_user_may_not_use_is_named_with_the_right() {
    let server = Postgres::with_extension_files(&FILES).await;
    let url = server.fresh_database().await;
    let beside = Beside::connect(&url).await;
    beside.run("CREATE SCHEMA \"Time series\"; CREATE EXTENSION timescaledb SCHEMA \"Time series\" VERSION '2'").await;
    beside.run("CREATE ROLE \"lim-1\" LOGIN PASSWORD 'lim'; CREATE SCHEMA slipstream AUTHORIZATION \"lim-1\"").await;
    let (_, address) = url.split_once('@').unwrap();
    let options = PostgresOptions::new(format!("postgres://lim-1:lim@{address}"));
    let found = inspect(&options).await.unwrap();
    assert_eq!((found.timescaledb_schema.as_deref(), found.timescaledb_usable), (Some("\"Time series\""), Some(false)));
    match PostgresStore::connect(options.clone()).await.map(drop) {
        Err(StoreError::Fatal { cause, .. }) => {
            assert!(cause.text().contains(r#"GRANT USAGE ON SCHEMA "Time series" TO "lim-1""#), "{cause}");
        }
        other => panic!("{other:?}"),
    }
    let made: i64 = beside.one("SELECT count(*) FROM pg_tables WHERE schemaname = 'slipstream'", &[]).await;
    assert_eq!(made, 0, "nothing was made by halves");
    beside.run("GRANT USAGE ON SCHEMA \"Time series\" TO \"lim-1\"").await;
    assert_eq!(inspect(&options).await.unwrap().timescaledb_usable, Some(true));
    // What is missing now is what stands for TimescaleDB here: a hypertable cannot be made.
    let error = PostgresStore::connect(options).await.map(drop).unwrap_err().to_string();
    assert!(error.contains("create_hypertable") && !error.contains("empty schema"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_is_looked_up_and_nothing_is_advised_that_would_cost_data() {
    let (store, options) = crate::support::fresh_store().await;
    store.write(Arc::new(made::batch(&events(0..10), None, 1_000))).await.unwrap();
    Beside::connect(&options.url).await.run("ALTER TABLE positions RENAME TO positions_of_yesterday").await;
    let error = store.positions().await.unwrap_err().to_string();
    assert!(error.contains("42P01") && error.contains("slipstream doctor"), "{error}");
    for word in ["empty schema", "write anew", "restore them"] {
        assert!(!error.contains(word), "{error}");
    }
    assert_eq!(inspect(&options).await.unwrap().missing_tables, ["positions"]);
    store.close().await;
}
