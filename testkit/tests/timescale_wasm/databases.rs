//! Databases by name: each is its own, and can be created and dropped as on a server.

use tokio_postgres::NoTls;
use tokio_postgres::error::SqlState;

use crate::support::{Connected, fresh_database, refused};

fn named(url: &str, name: &str) -> String {
    format!("{}/{name}", url.rsplit_once('/').unwrap().0)
}

#[tokio::test]
async fn each_database_is_its_own() {
    let (Some(one), Some(other)) = (fresh_database().await, fresh_database().await) else { return };
    let (a, b) = (Connected::to(&one).await, Connected::to(&other).await);
    a.run("CREATE TABLE t (n int8); INSERT INTO t VALUES (1)").await;
    assert_eq!(refused(b.client.query("SELECT FROM t", &[]).await), SqlState::UNDEFINED_TABLE);
    // A transaction here keeps nobody there waiting.
    a.run("BEGIN; INSERT INTO t VALUES (2)").await;
    b.run("CREATE TABLE t (n int8)").await;
    a.run("COMMIT").await;
    assert_eq!((a.number("SELECT count(*) FROM t").await, b.number("SELECT count(*) FROM t").await), (2, 0));
}

#[tokio::test]
async fn they_are_created_and_dropped() {
    let Some(url) = fresh_database().await else { return };
    let mut a = Connected::to(&url).await;
    a.run("CREATE DATABASE \"By Name\"").await;
    assert_eq!(refused(a.client.batch_execute("create database \"By Name\"").await), SqlState::DUPLICATE_DATABASE);
    let b = Connected::to(&named(&url, "By%20Name")).await;
    b.run("CREATE TABLE t ()").await;
    let in_use = a.client.batch_execute("DROP DATABASE \"By Name\"").await;
    assert_eq!(refused(in_use), SqlState::OBJECT_IN_USE);
    a.run("DROP DATABASE \"By Name\" WITH (FORCE)").await;
    assert!(b.client.query("SELECT 1", &[]).await.is_err(), "it was ended");
    let gone = tokio_postgres::connect(&named(&url, "By%20Name"), NoTls).await.map(drop);
    assert_eq!(refused(gone), SqlState::INVALID_CATALOG_NAME);
    // Also prepared, as some clients do.
    a.client.execute("CREATE DATABASE by_name", &[]).await.unwrap();
    drop(Connected::to(&named(&url, "by_name")).await);
    a.client.execute("DROP DATABASE IF EXISTS by_another", &[]).await.unwrap();
    assert_eq!(refused(a.client.execute("DROP DATABASE by_another", &[]).await), SqlState::INVALID_CATALOG_NAME);
    assert_eq!(a.number("SELECT 1::int8").await, 1);
    let transaction = a.client.transaction().await.unwrap();
    let inside = transaction.batch_execute("CREATE DATABASE inside").await;
    assert_eq!(refused(inside), SqlState::ACTIVE_SQL_TRANSACTION);
}
