//! Connections take turns with the one session: by transaction, first come, first served, and nobody leaves anything behind.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_postgres::error::SqlState;

use crate::support::{Connected, DEADLINE, MOMENT, fresh_database, refused};

#[tokio::test]
async fn a_transaction_keeps_others_waiting_until_it_ends() {
    let Some(url) = fresh_database().await else { return };
    let (mut a, b) = (Connected::to(&url).await, Connected::to(&url).await);
    a.run("CREATE TABLE t (n int8)").await;
    let transaction = a.client.transaction().await.unwrap();
    transaction.execute("INSERT INTO t VALUES (1)", &[]).await.unwrap();
    let asked = b.number("SELECT count(*) FROM t");
    tokio::pin!(asked);
    assert!(timeout(MOMENT, &mut asked).await.is_err(), "it saw what nobody has committed");
    transaction.commit().await.unwrap();
    assert_eq!(asked.await, 1);
}

#[tokio::test]
async fn concurrent_transactions_lose_nothing() {
    let Some(url) = fresh_database().await else { return };
    let beside = Connected::to(&url).await;
    beside.run("CREATE TABLE t (n int8); INSERT INTO t VALUES (0)").await;
    let mut writers = JoinSet::new();
    for _ in 0..8 {
        let url = url.clone();
        writers.spawn(async move {
            let mut one = Connected::to(&url).await;
            for _ in 0..25 {
                let transaction = one.client.transaction().await.unwrap();
                let n: i64 = transaction.query_one("SELECT n FROM t", &[]).await.unwrap().get(0);
                transaction.execute("UPDATE t SET n = $1", &[&(n + 1)]).await.unwrap();
                transaction.commit().await.unwrap();
            }
        });
    }
    while let Some(ended) = writers.join_next().await {
        ended.unwrap();
    }
    assert_eq!(beside.number("SELECT n FROM t").await, 200);
}

#[tokio::test]
async fn readers_get_their_turns_while_somebody_writes_all_the_time() {
    let Some(url) = fresh_database().await else { return };
    let reader = Connected::to(&url).await;
    reader.run("CREATE TABLE t (n int8)").await;
    let done = Arc::new(AtomicBool::new(false));
    let mut writers = JoinSet::new();
    for _ in 0..2 {
        let (url, done) = (url.clone(), Arc::clone(&done));
        writers.spawn(async move {
            let (mut writer, mut written) = (Connected::to(&url).await, 0);
            while !done.load(Ordering::SeqCst) {
                let transaction = writer.client.transaction().await.unwrap();
                transaction.execute("INSERT INTO t VALUES (1)", &[]).await.unwrap();
                transaction.commit().await.unwrap();
                written += 1;
            }
            written
        });
    }
    for _ in 0..50 {
        reader.number("SELECT count(*) FROM t").await;
    }
    done.store(true, Ordering::SeqCst);
    let mut written = 0;
    while let Some(ended) = writers.join_next().await {
        written += ended.unwrap();
    }
    assert!(written >= 50, "{written}: nobody wrote meanwhile");
    assert_eq!(reader.number("SELECT count(*) FROM t").await, written);
}

#[tokio::test]
async fn a_client_that_vanishes_in_a_transaction_takes_it_back() {
    let Some(url) = fresh_database().await else { return };
    let (a, b, c) = (Connected::to(&url).await, Connected::to(&url).await, Connected::to(&url).await);
    a.run("CREATE TABLE t (n int8)").await;
    a.run("BEGIN; INSERT INTO t VALUES (1)").await;
    let asked = timeout(DEADLINE, async {
        // One that waits vanishes as well.
        let waits = b.client.batch_execute("BEGIN; INSERT INTO t VALUES (2)");
        assert!(timeout(MOMENT, waits).await.is_err(), "its turn had not come");
        b.vanish();
        a.vanish();
        c.number("SELECT count(*) FROM t").await
    });
    assert_eq!(asked.await.expect("the turn goes on"), 0);
}

#[tokio::test]
async fn after_an_error_a_transaction_only_ends() {
    let Some(url) = fresh_database().await else { return };
    let mut a = Connected::to(&url).await;
    a.run("CREATE TABLE t (n int8 PRIMARY KEY)").await;
    let transaction = a.client.transaction().await.unwrap();
    transaction.execute("INSERT INTO t VALUES (1)", &[]).await.unwrap();
    assert_eq!(refused(transaction.execute("INSERT INTO t VALUES (1)", &[]).await), SqlState::UNIQUE_VIOLATION);
    assert_eq!(refused(transaction.query("SELECT 1", &[]).await), SqlState::IN_FAILED_SQL_TRANSACTION);
    // The turn is still ours: what others see is what was before.
    transaction.rollback().await.unwrap();
    let mut transaction = a.client.transaction().await.unwrap();
    let savepoint = transaction.savepoint("s").await.unwrap();
    assert_eq!(refused(savepoint.query("SELECT 1 / 0", &[]).await), SqlState::DIVISION_BY_ZERO);
    savepoint.rollback().await.unwrap();
    transaction.execute("INSERT INTO t VALUES (2)", &[]).await.unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(Connected::to(&url).await.number("SELECT sum(n)::int8 FROM t").await, 2);
}
