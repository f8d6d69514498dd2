//! The tables are made once, by one, as far as rights go; what cannot be used says why and what to do.

use slipstream_store::postgres::inspect;
use slipstream_store::{PostgresOptions, PostgresStore, Store, StoreError};
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
    assert_eq!(beside.one::<i64>("SELECT count(*) FROM schema_versions", &[]).await, 3);
    let again = PostgresStore::connect(options.clone()).await.unwrap();
    assert_eq!(again.counts().await.unwrap(), Default::default());
    assert_eq!(PostgresStore::connect_read_only(options).await.unwrap().counts().await.unwrap(), Default::default());
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
