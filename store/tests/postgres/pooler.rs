//! Behind a pooler that gives each transaction whatever session is free, with others who use it too.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use slipstream_store::conformance::made;
use slipstream_store::postgres::inspect;
use slipstream_store::{PostgresOptions, PostgresStore, Store, StoreError};
use slipstream_testkit::services::{self, Pooler};
use tokio::task::JoinSet;
use tokio_postgres::NoTls;

use crate::support::{events, hits};

/// Others, who take sessions in turn for a moment each, until told to stop.
struct Rivals {
    going_on: Arc<AtomicBool>,
    turns: Arc<AtomicUsize>,
    tasks: JoinSet<()>,
}

impl Rivals {
    fn of(url: &str) -> Rivals {
        let (going_on, turns) = (Arc::new(AtomicBool::new(true)), Arc::<AtomicUsize>::default());
        let mut tasks = JoinSet::new();
        for _ in 0..4 {
            let (url, going_on, turns) = (url.to_owned(), Arc::clone(&going_on), Arc::clone(&turns));
            tasks.spawn(async move {
                let (client, connection) = tokio_postgres::connect(&url, NoTls).await.unwrap();
                let ask = async {
                    while going_on.load(Ordering::SeqCst) {
                        let one = "BEGIN; SELECT pg_sleep(0.002); COMMIT";
                        client.batch_execute(one).await.unwrap();
                        turns.fetch_add(1, Ordering::SeqCst);
                    }
                };
                tokio::select! {
                    () = ask => {}
                    ended = connection => panic!("a rival's connection ended: {ended:?}"),
                }
            });
        }
        Rivals { going_on, turns, tasks }
    }

    async fn stop(mut self) -> usize {
        self.going_on.store(false, Ordering::SeqCst);
        while let Some(ended) = self.tasks.join_next().await {
            ended.unwrap();
        }
        self.turns.load(Ordering::SeqCst)
    }
}

/// What any other client of the pool finds set, on each of its sessions.
async fn found_by_others(url: &str) -> Vec<String> {
    let mut found = Vec::new();
    for _ in 0..8 {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
        let asked = async move {
            let sql = "SELECT concat_ws(' | ', current_setting('statement_timeout'), current_setting('lock_timeout'),
                       current_setting('search_path'), current_setting('client_min_messages'))";
            client.query_typed_one(sql, &[]).await.unwrap().get(0)
        };
        let (answer, _ended): (String, _) = tokio::join!(asked, connection);
        found.push(answer);
    }
    found.sort();
    found.dedup();
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn in_transaction_mode_it_stores_and_answers_and_leaves_no_setting_behind() {
    const BATCH: usize = 40;
    const BATCHES: usize = 30;
    let database = services::postgres().await.fresh_database().await;
    let Some(pooler) = Pooler::before(&database, "transaction", 2) else { return };
    let before = found_by_others(&pooler.url()).await;
    let rivals = Rivals::of(&pooler.url());
    let options = PostgresOptions::new(pooler.url());
    let store = PostgresStore::connect(options.clone()).await.unwrap();
    let all = events(0..BATCH * BATCHES);
    for (i, chunk) in all.chunks(BATCH).enumerate() {
        let from = (i > 0).then_some((i * BATCH) as i64);
        store.write(Arc::new(made::batch(chunk, from, 1_000))).await.unwrap();
        assert_eq!(store.counts().await.unwrap().events as usize, (i + 1) * BATCH);
    }
    assert_eq!(hits(&store).await, all.iter().map(|e| e.weight as u64).sum::<u64>());
    assert!(store.trim(slipstream_schemas::LogTime(i64::MAX)).await.unwrap() > 0);
    let found = inspect(&options).await.unwrap();
    assert_eq!((found.missing_tables, found.can_write), (Vec::new(), Some(true)));
    // A second one, as after a restart.
    PostgresStore::connect(options).await.unwrap().close().await;
    let turns = rivals.stop().await;
    assert!(turns > BATCHES, "the rivals had {turns} turns only: nothing was tested");
    store.close().await;
    assert_eq!(found_by_others(&pooler.url()).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn in_statement_mode_it_is_told_what_it_needs() {
    let database = services::postgres().await.fresh_database().await;
    let Some(pooler) = Pooler::before(&database, "statement", 2) else { return };
    let opened = PostgresStore::connect(PostgresOptions::new(pooler.url()));
    let refused = tokio::time::timeout(Duration::from_secs(60), opened).await.expect("an answer");
    match refused.map(drop) {
        Err(StoreError::Fatal { cause, .. }) => assert!(cause.text().contains("pool_mode"), "{cause}"),
        other => panic!("{other:?}"),
    }
}
