//! Aggregates are made anew by several at once, beside those who write: what each sequence that may go wrong leaves.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use slipstream_schemas::{EventTime, LogTime, RequestEvent};
use slipstream_store::conformance::made::{self, Dice};
use slipstream_store::kpis::{KpiAnswer, KpiQuestion, Level};
use slipstream_store::{EventFilter, PostgresOptions, PostgresStore, Store, StoreError};
use slipstream_testkit::services;
use tokio::task::JoinSet;

use crate::support::{Beside, blocked, timescale_server, until_blocked};

const DAY_MS: i64 = 86_400_000;
const DAY: i64 = 19_000;
/// When all hours of the day are over.
const NOW: LogTime = LogTime((DAY + 1) * DAY_MS + 2 * 3_600_000);

/// Events of one hour of the day.
fn of_hour(seed: u64, n: usize, hour: i64) -> Vec<RequestEvent> {
    let mut dice = Dice(seed);
    let mut events = made::events(&mut dice, n);
    for event in &mut events {
        let within = dice.below(3_600_000_000) as i64;
        event.time = EventTime((DAY * DAY_MS + hour * 3_600_000) * 1_000 + within);
    }
    events
}

async fn write(store: &PostgresStore, events: &[RequestEvent], from: usize) {
    let batch = made::batch(&events[from..], (from > 0).then_some(from as i64), NOW.0);
    store.write(Arc::new(batch)).await.unwrap();
}

async fn refreshed(store: &PostgresStore) {
    loop {
        match store.refresh(NOW).await {
            Ok(done) if done.stale == 0 => return,
            Ok(_) | Err(StoreError::Unavailable { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

/// Hits of the day by each kind of aggregates: those of the events.
async fn count(store: &PostgresStore, events: &[RequestEvent]) {
    let expected: i64 = events.iter().map(|event| i64::from(event.weight)).sum();
    for source in [Level::Rollup, Level::Hourly, Level::Daily] {
        let at = |day: i64| Some(EventTime(day * DAY_MS * 1_000));
        let filter = EventFilter { from: at(DAY), to: at(DAY + 1), ..EventFilter::default() };
        let question = KpiQuestion { filter, source: Some(source), ..KpiQuestion::default() };
        let KpiAnswer::Total(kpis) = store.kpis(&question).await.unwrap() else { panic!("no rows were asked for") };
        assert_eq!((kpis.hits as i64, kpis.source.as_str()), (expected, source.name()));
    }
}

/// A store, and where it is.
struct Site {
    store: Arc<PostgresStore>,
    options: PostgresOptions,
}

impl Site {
    async fn beside(&self) -> Beside {
        Beside::connect(&self.options.url).await
    }

    /// Something of the store, until it waits for a lock.
    async fn start<F>(&self, work: F) -> JoinSet<F::Output>
    where
        F: Future<Output: Send + 'static> + Send + 'static,
    {
        let sql = self.beside().await;
        let before = blocked(&sql).await;
        let mut started = JoinSet::new();
        started.spawn(work);
        until_blocked(&sql, before + 1).await;
        started
    }
}

/// On plain tables, and on hypertables where there is a server with several sessions.
async fn sites() -> Vec<Site> {
    let mut urls = vec![services::postgres().await.fresh_database().await];
    if let Some(server) = timescale_server().await {
        urls.push(server.fresh_database().await);
    }
    let mut sites = Vec::new();
    for url in urls {
        let options = PostgresOptions::new(url);
        sites.push(Site { store: PostgresStore::connect(options.clone()).await.unwrap(), options });
    }
    sites
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mark_that_a_later_batch_made_stays_when_an_earlier_one_is_settled() {
    for site in sites().await {
        let store = &site.store;
        let mut events = of_hour(1, 200, 7);
        write(store, &events, 0).await;
        // A refresh has added the hour up, and is about to settle it.
        let held = site.beside().await;
        held.run(
            "CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS
               'BEGIN PERFORM pg_advisory_xact_lock_shared(4711); RETURN NULL; END';
             CREATE TRIGGER hold BEFORE DELETE ON stale_hours EXECUTE FUNCTION hold()",
        )
        .await;
        held.run("BEGIN; SELECT pg_advisory_xact_lock(4711)").await;
        let settling = store.clone();
        let mut refresh = site.start(async move { settling.refresh(NOW).await }).await;
        // Meanwhile another one settles it, and a late event comes.
        site.beside().await.run("SET session_replication_role = replica; DELETE FROM stale_hours").await;
        let before = events.len();
        events.extend(of_hour(2, 20, 7));
        write(store, &events, before).await;
        held.run("COMMIT").await;
        refresh.join_next().await.unwrap().unwrap().unwrap();
        refreshed(store).await;
        count(store, &events).await;
        store.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hours_that_are_closed_while_a_batch_is_in_progress_are_added_up_with_it() {
    for site in sites().await {
        let store = &site.store;
        let first = of_hour(3, 50, 5);
        write(store, &first, 0).await;
        let mut events = first.clone();
        events.extend(of_hour(4, 50, 9));
        // A batch has stored its minutes, and waits.
        let (rollups, days) = (site.beside().await, site.beside().await);
        rollups.run("BEGIN; LOCK TABLE rollups IN SHARE MODE").await;
        let batch = Arc::new(made::batch(&events[50..], Some(50), NOW.0));
        let (writer, done) = (store.clone(), Arc::new(AtomicBool::new(false)));
        let is_done = done.clone();
        let write = async move {
            writer.write(batch).await.unwrap();
            is_done.store(true, Ordering::SeqCst);
        };
        let mut writing = site.start(write).await;
        // The first refresh of all has looked for what it closes, and waits.
        days.run("BEGIN; LOCK TABLE stale_days IN SHARE MODE").await;
        let other = store.clone();
        let mut closing = site.start(async move { other.refresh(NOW).await }).await;
        rollups.run("COMMIT").await;
        // It waits for those who close, as it must, or is done.
        while !done.load(Ordering::SeqCst) && blocked(&days).await < 2 {
            tokio::task::yield_now().await;
        }
        days.run("COMMIT").await;
        closing.join_next().await.unwrap().unwrap().unwrap();
        writing.join_next().await.unwrap().unwrap();
        refreshed(store).await;
        count(store, &events).await;
        store.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn views_have_every_hour_and_day_whatever_is_made_of_them() {
    for site in sites().await {
        let (store, sql) = (&site.store, site.beside().await);
        let is_continuous: bool =
            sql.one("SELECT relkind = 'v' FROM pg_class WHERE oid = 'hourly'::regclass", &[]).await;
        let mut events = of_hour(5, 100, 3);
        events.extend(of_hour(6, 100, 23));
        events.extend(of_hour(7, 100, 30));
        let check = async |events: &[RequestEvent], what: &str| {
            let expected: i64 = events.iter().map(|event| i64::from(event.weight)).sum();
            for (view, length) in [("1m", 60), ("1h", 3_600), ("1d", 86_400)] {
                let hits = format!("SELECT sum(hits)::bigint FROM http_requests_{view}");
                assert_eq!(sql.one::<i64>(&hits, &[]).await, expected, "{view}, {what}");
                let rows = format!(
                    "SELECT count(*) FROM (SELECT FROM http_requests_{view}
                     GROUP BY \"time\", service, environment, endpoint, method, status_class HAVING count(*) > 1) twice"
                );
                assert_eq!(sql.one::<i64>(&rows, &[]).await, 0, "{view}, {what}");
                let whole = format!(
                    "SELECT bool_and(extract(epoch FROM \"time\")::bigint % {length} = 0) FROM http_requests_{view}"
                );
                assert!(sql.one::<bool>(&whole, &[]).await, "{view}, {what}");
            }
        };
        write(store, &events, 0).await;
        check(&events, "nothing is closed").await;
        // The day is over, the next one is not.
        refreshed(store).await;
        check(&events, "all is up to date").await;
        let before = events.len();
        events.extend(of_hour(8, 30, 3));
        events.extend(of_hour(9, 30, 12));
        write(store, &events, before).await;
        if !is_continuous {
            check(&events, "hours are stale").await;
            // Hours are up to date, and their day is not yet.
            store.refresh(NOW).await.unwrap();
            check(&events, "a day is stale").await;
            // Nothing reads all rollups.
            sql.run("ANALYZE; SET enable_seqscan = off").await;
            for view in ["http_requests_1h", "http_requests_1d"] {
                let plan = sql.client.query(&format!("EXPLAIN SELECT * FROM {view}"), &[]).await.unwrap();
                let plan: Vec<String> = plan.iter().map(|row| row.get(0)).collect();
                assert!(!plan.iter().any(|line| line.contains("Seq Scan on rollups")), "{}", plan.join("\n"));
            }
        }
        refreshed(store).await;
        check(&events, "all is up to date again").await;
        store.close().await;
    }
}
