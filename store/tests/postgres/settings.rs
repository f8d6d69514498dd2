//! What an administrator may have set for a role, and how a database may be encoded: the store does the same whatever it finds,
//! waits, or says what is wrong.

use std::sync::Arc;
use std::time::{Duration, Instant};

use slipstream_store::conformance::{self, made};
use slipstream_store::kpis::{Field, KpiQuestion};
use slipstream_store::postgres::inspect;
use slipstream_store::{PostgresOptions, PostgresStore, Store, StoreError};
use slipstream_testkit::services::{self, Postgres};

use crate::support::{Beside, DEADLINE, Schemas, events, fresh_options, write_until_settled};

/// Settings of a role that have broken programs.
const AWKWARD: [(&str, &str); 14] = [
    ("", ""),
    ("default_transaction_isolation", "serializable"),
    ("statement_timeout", "'2s'"),
    ("TimeZone", "'Asia/Kolkata'"),
    ("standard_conforming_strings", "off"),
    ("search_path", "other"),
    ("synchronous_commit", "off"),
    ("DateStyle", "German"),
    ("IntervalStyle", "sql_standard"),
    ("extra_float_digits", "-15"),
    ("bytea_output", "escape"),
    ("client_encoding", "LATIN1"),
    ("jit_above_cost", "0"),
    ("idle_session_timeout", "'3s'"),
];

/// A role with a setting.
struct Role {
    server: Arc<Postgres>,
    name: String,
}

impl Role {
    async fn new(setting: &str, value: &str) -> Role {
        let server = services::postgres().await;
        let name = format!("awkward_{:016x}", rand::random::<u64>());
        let beside = Beside::connect(&server.url()).await;
        beside.run(&format!("CREATE ROLE {name} LOGIN PASSWORD 'awkward'")).await;
        if !setting.is_empty() {
            beside.run(&format!("ALTER ROLE {name} SET {setting} = {value}")).await;
        }
        Role { server, name }
    }

    /// Its URL for a new database that it owns, created with `options`.
    async fn database(&self, options: &str) -> String {
        let url = self.server.url();
        let name = format!("test_{:016x}", rand::random::<u64>());
        Beside::connect(&url).await.run(&format!("CREATE DATABASE {name} OWNER {} {options}", self.name)).await;
        let (_, address) = url.rsplit_once('@').unwrap();
        let (address, _) = address.split_once('/').unwrap();
        format!("postgres://{}:awkward@{address}/{name}", self.name)
    }
}

/// What is answered about the same events.
async fn answers(store: &PostgresStore) -> String {
    let mut all = String::new();
    for by in [vec![], vec![Field::Endpoint], vec![Field::StatusCode]] {
        for step in [None, Some(60), Some(7)] {
            let question = KpiQuestion { by: by.clone(), step, ..KpiQuestion::default() };
            all += &format!("{:?}\n", store.kpis(&question).await.unwrap());
        }
    }
    all
}

/// What is answered about events that it stores.
async fn stored_and_asked(options: &PostgresOptions) -> String {
    let store = PostgresStore::connect(options.clone()).await.unwrap();
    let all = events(0..400);
    write_until_settled(&store, made::batch(&all[..300], None, 1_000)).await;
    write_until_settled(&store, made::batch(&all[300..], Some(300), 1_000)).await;
    let told = answers(&store).await;
    store.close().await;
    told
}

async fn until_no_session_is_left(role: &Role) {
    let beside = Beside::connect(&role.server.url()).await;
    let begin = Instant::now();
    let sessions = "SELECT count(*) FROM pg_stat_activity WHERE usename = $1";
    while beside.one::<i64>(sessions, &[&role.name]).await > 0 {
        assert!(begin.elapsed() < DEADLINE, "the server ends no session that is idle");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_a_role_has_set_the_store_does_the_same() {
    let mut expected = None;
    for (setting, value) in AWKWARD {
        let role = Role::new(setting, value).await;
        let url = role.database("").await;
        conformance::writing::all(&Schemas::at(url.clone())).await;
        let told = stored_and_asked(&PostgresOptions::new(url)).await;
        let expected = expected.get_or_insert_with(|| told.clone());
        assert_eq!(&told, expected, "{setting} = {value}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_that_the_server_ends_when_they_are_idle_are_opened_again() {
    let role = Role::new("idle_session_timeout", "'1s'").await;
    let store = PostgresStore::connect(PostgresOptions::new(role.database("").await)).await.unwrap();
    let all = events(0..400);
    for (from, to) in [(0, 300), (300, 400)] {
        let position = (from > 0).then_some(from as i64);
        write_until_settled(&store, made::batch(&all[from..to], position, 1_000)).await;
        assert_eq!(store.counts().await.unwrap().events, to as u64);
        until_no_session_is_left(&role).await;
    }
    assert!(!answers(&store).await.is_empty());
    store.close().await;
}

#[tokio::test]
async fn a_role_that_only_reads_waits_and_is_told_so() {
    let role = Role::new("default_transaction_read_only", "on").await;
    let waits = PostgresStore::connect(PostgresOptions::new(role.database("").await)).await.map(drop);
    match waits {
        Err(StoreError::Unavailable { cause, .. }) => {
            assert!(cause.text().contains("this server is read-only"), "{cause}");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_database_of_another_encoding_is_refused_by_name() {
    let role = Role::new("", "").await;
    for encoding in ["SQL_ASCII", "LATIN1"] {
        let made = format!("ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0");
        let options = PostgresOptions::new(role.database(&made).await);
        match PostgresStore::connect(options.clone()).await.map(drop) {
            Err(StoreError::Fatal { cause, .. }) => {
                let told = cause.text().to_owned();
                assert!(told.contains(&format!("encoding {encoding}")) && told.contains("ENCODING 'UTF8'"), "{told}");
            }
            other => panic!("{encoding}: {other:?}"),
        }
        assert_eq!(inspect(&options).await.unwrap().encoding, encoding);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn timescaledb_may_be_in_a_schema_of_its_own() {
    let Some(server) = services::timescale().await else { return };
    let url = server.fresh_database().await;
    // Its image has it in every new database. A session that has used it cannot create it.
    Beside::connect(&url).await.run("DROP EXTENSION IF EXISTS timescaledb").await;
    let beside = Beside::connect(&url).await;
    beside.run("CREATE SCHEMA \"Time series\"; CREATE EXTENSION timescaledb SCHEMA \"Time series\"").await;
    let and = if url.contains('?') { '&' } else { '?' };
    let url = format!("{url}{and}options=-c%20search_path%3Dother");
    conformance::writing::all(&Schemas::at(url.clone())).await;
    let (apart, plain) = (PostgresOptions::new(url), fresh_options().await);
    assert_eq!(stored_and_asked(&apart).await, stored_and_asked(&plain).await);
    let found = inspect(&apart).await.unwrap();
    assert_eq!(found.timescaledb_schema.as_deref(), Some("\"Time series\""));
    assert_eq!((found.timescaledb_usable, found.events_in_hypertable), (Some(true), Some(true)));
}
