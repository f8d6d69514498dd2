//! Where TimescaleDB is: the same suite, and what hypertables, compression, continuous aggregates and retention make of it. The
//! report of the run says which TimescaleDB it was.

use std::sync::Arc;

use slipstream_schemas::{EventTime, LogTime, RequestEvent, Topic};
use slipstream_store::conformance;
use slipstream_store::conformance::made::{self, Dice};
use slipstream_store::kpis::{KpiAnswer, KpiQuestion, Kpis, Level};
use slipstream_store::postgres::{Layout, Progress, inspect, to_hypertables};
use slipstream_store::{EventFilter, PostgresOptions, PostgresStore, Store, StoreError, StoredBurnRates, WriteBatch};
use slipstream_testkit::services;

use crate::support::{Beside, Schemas, all_events, timescale_server};

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;
const ALL: Layout = Layout { events: true, rollups: true, burn_rates: true, continuous: true };

#[tokio::test(flavor = "multi_thread")]
async fn the_suite_conforms_on_hypertables() {
    let Some(server) = services::timescale().await else { return };
    conformance::all(&Schemas::on(&server).await).await;
}

async fn fresh() -> Option<(Arc<PostgresStore>, Beside, PostgresOptions)> {
    let server = services::timescale().await?;
    let options = PostgresOptions::new(server.fresh_database().await);
    let store = PostgresStore::connect(options.clone()).await.unwrap();
    Some((store, Beside::connect(&options.url).await, options))
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_are_hypertables_and_aggregates_are_continuous() {
    let Some((store, sql, options)) = fresh().await else { return };
    let found = inspect(&options).await.unwrap();
    assert_eq!((found.timescaledb.is_some(), found.layout), (true, Some(ALL)));
    let chunks: String = sql
        .one(
            "SELECT string_agg(format('%s %s', hypertable_name, time_interval), ', ' ORDER BY hypertable_name)
             FROM timescaledb_information.dimensions WHERE hypertable_schema = 'slipstream'",
            &[],
        )
        .await;
    assert_eq!(chunks, "burn_rates 1 day, events 1 day, rollups 7 days");
    let jobs: String = sql
        .one(
            "SELECT string_agg(format('%s %s', proc_name, hypertable_name), ', ' ORDER BY 1) FROM
             (SELECT proc_name, coalesce((SELECT view_name FROM timescaledb_information.continuous_aggregates c
                WHERE c.materialization_hypertable_name = j.hypertable_name), j.hypertable_name)::text AS hypertable_name
              FROM timescaledb_information.jobs j WHERE hypertable_name IS NOT NULL ORDER BY 1, 2) jobs",
            &[],
        )
        .await;
    for job in [
        "refresh_continuous_aggregate hourly",
        "refresh_continuous_aggregate daily",
        "compression events",
        "compression rollups",
        "compression burn_rates",
    ] {
        assert!(jobs.contains(job), "{job}: {jobs}");
    }
    store.close().await;
}

/// Hits and the 95th percentile of some days.
async fn kpis(store: &PostgresStore, days: (i64, i64), source: Option<Level>) -> Kpis {
    let at = |day: i64| Some(EventTime(day * DAY_MS * 1_000));
    let filter = EventFilter { from: at(days.0), to: at(days.1), ..EventFilter::default() };
    match store.kpis(&KpiQuestion { filter, source, ..KpiQuestion::default() }).await.unwrap() {
        KpiAnswer::Total(kpis) => kpis,
        KpiAnswer::Rows { .. } => panic!("no rows were asked for"),
    }
}

fn over_days(seed: u64, n: usize, from: i64, days: i64) -> Vec<RequestEvent> {
    let mut dice = Dice(seed);
    let mut events = made::events(&mut dice, n);
    for event in &mut events {
        event.time = EventTime((from * DAY_MS + dice.below((days * DAY_MS) as u64) as i64) * 1_000);
    }
    events
}

async fn refreshed(store: &PostgresStore, now: i64) {
    loop {
        match store.refresh(LogTime(now)).await {
            Ok(done) if done.stale == 0 => return,
            Ok(_) | Err(StoreError::Unavailable { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_come_late_into_compressed_chunks_are_counted() {
    let Some((store, sql, _)) = fresh().await else { return };
    let (first, now) = (19_000, 19_010 * DAY_MS);
    let events = over_days(1, 600, first, 3);
    store.write(Arc::new(made::batch(&events, None, (first + 3) * DAY_MS))).await.unwrap();
    refreshed(&store, now).await;
    for table in ["events", "rollups"] {
        let compressed: i64 =
            sql.one(&format!("SELECT count(compress_chunk(c)) FROM show_chunks('{table}') c"), &[]).await;
        assert!(compressed >= 1, "{table}");
    }
    let before = kpis(&store, (first, first + 3), Some(Level::Daily)).await;
    let late = over_days(2, 40, first, 3);
    store.write(Arc::new(made::batch(&late, Some(600), (first + 3) * DAY_MS + 1))).await.unwrap();
    let weight: i32 = late.iter().map(|event| event.weight).sum();
    let expected = before.hits + weight as u64;
    assert_eq!(kpis(&store, (first, first + 3), None).await.hits, expected, "before the aggregates are made anew");
    refreshed(&store, now).await;
    let exact = kpis(&store, (first, first + 3), Some(Level::Raw)).await;
    for level in Level::ALL {
        let found = kpis(&store, (first, first + 3), Some(level)).await;
        assert_eq!((found.hits, found.errors), (expected, exact.errors), "{level:?}");
        assert_eq!(found.max_latency_ms, exact.max_latency_ms, "{level:?}");
        let (p95, raw) = (found.p95_latency_ms.unwrap(), exact.p95_latency_ms.unwrap());
        assert!((p95 - raw).abs() <= 0.02 * raw, "{level:?}: {p95} for {raw}");
    }
    assert_eq!(all_events(&store).await.len(), 640);
    // A user is erased from compressed chunks, too.
    let user = events.iter().find_map(|event| event.user_ref.clone()).unwrap();
    let named = events.iter().chain(&late).filter(|event| event.user_ref.as_ref() == Some(&user)).count();
    assert_eq!(store.erase_user(&user).await.unwrap(), named as u64);
    assert!(all_events(&store).await.iter().all(|event| event.user_ref.as_ref() != Some(&user)));
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn views_answer_for_the_present_hour_too() {
    let Some((store, sql, _)) = fresh().await else { return };
    let events = over_days(3, 200, 19_000, 2);
    store.write(Arc::new(made::batch(&events, None, 19_002 * DAY_MS))).await.unwrap();
    let weight: i64 = events.iter().map(|event| i64::from(event.weight)).sum();
    let hits = async |view: &str| -> i64 { sql.one(&format!("SELECT sum(hits)::bigint FROM {view}"), &[]).await };
    for now in [19_000 * DAY_MS, 19_003 * DAY_MS] {
        refreshed(&store, now).await;
        for view in ["http_requests_1m", "http_requests_1h", "http_requests_1d"] {
            assert_eq!(hits(view).await, weight, "{view} at {now}");
        }
    }
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn retention_drops_chunks_and_keeps_the_state_of_each_series() {
    let Some((store, sql, _)) = fresh().await else { return };
    let tick = |day: i64| day * 86_400 + 100;
    let rates = [("quiet", 100), ("busy", 100), ("busy", 101), ("busy", 150)];
    let stored = |(i, (slo, day)): (usize, &(&str, i64))| StoredBurnRates {
        partition: 0,
        offset: i as i64,
        rates: made::burn_rates(slo, &[], 1, tick(*day)),
    };
    let batch = WriteBatch {
        burn_rates: rates.iter().enumerate().map(stored).collect(),
        positions: vec![made::moved(Topic::BurnRates, None, 4, 1)],
        ..WriteBatch::default()
    };
    store.write(Arc::new(batch)).await.unwrap();
    let mut slices = 0;
    while store.trim(LogTime(151 * DAY_MS)).await.unwrap() > 0 {
        slices += 1;
        assert!(slices < 20, "it does not come to an end");
    }
    let left: String =
        sql.one("SELECT string_agg(format('%s %s', s.slo, b.\"time\"::date), ', ' ORDER BY 1) FROM (SELECT * FROM burn_rates) b JOIN series s ON s.id = b.series", &[]).await;
    assert_eq!(left, "quiet 1970-04-11, busy 1970-05-31", "the newest of each");
    let chunks: i64 = sql.one("SELECT count(*) FROM show_chunks('burn_rates')", &[]).await;
    assert_eq!(chunks, 2);
    store.close().await;
}

/// A database as one without TimescaleDB has it, on a server that has it.
async fn plain(sql: &Beside) {
    sql.run("CREATE SCHEMA slipstream").await;
    for part in [
        include_str!("../../src/postgres/sql/v1_tables.sql"),
        include_str!("../../src/postgres/sql/v1_sketch.sql"),
        include_str!("../../src/postgres/sql/v1_events_partitions.sql"),
        include_str!("../../src/postgres/sql/v1_views.sql"),
        include_str!("../../src/postgres/sql/v2_tables.sql"),
        include_str!("../../src/postgres/sql/v2_views.sql"),
        include_str!("../../src/postgres/sql/v3_tables.sql"),
        include_str!("../../src/postgres/sql/v4_tables.sql"),
        "CREATE TABLE schema_versions (version integer PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now());
         INSERT INTO schema_versions (version) VALUES (1), (2), (3), (4)",
    ] {
        sql.run(part).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn plain_tables_become_hypertables_in_place_while_a_sink_writes() {
    let Some(server) = services::timescale().await else { return };
    let options = PostgresOptions::new(server.fresh_database().await);
    let sql = Beside::connect(&options.url).await;
    plain(&sql).await;
    let store = PostgresStore::connect(options.clone()).await.unwrap();
    assert_eq!(inspect(&options).await.unwrap().layout, Some(Layout::default()));
    sql.run("CREATE VIEW mine AS SELECT count(*) AS n FROM request_events; COMMENT ON VIEW mine IS 'somebody''s'")
        .await;
    sql.run("CREATE VIEW hours WITH (security_barrier=true) AS SELECT sum(hits)::bigint AS n FROM http_requests_1h")
        .await;
    // Somebody else owns all that.
    let owner = format!("owner_{}", sql.one::<i32>("SELECT pg_backend_pid()", &[]).await);
    sql.run(&format!(
        "CREATE ROLE {owner} LOGIN; GRANT CREATE, USAGE ON SCHEMA slipstream TO {owner};
         DO $$ DECLARE name text; BEGIN
           FOR name IN SELECT oid::regclass FROM pg_class WHERE relnamespace = 'slipstream'::regnamespace AND relkind IN ('r', 'p', 'v') LOOP
             EXECUTE 'ALTER TABLE ' || name || ' OWNER TO {owner}';
           END LOOP;
         END $$"
    ))
    .await;
    sql.run("CREATE MATERIALIZED VIEW in_the_way AS SELECT count(*) AS n FROM request_events").await;
    let refused = to_hypertables(&options, |step| panic!("{step:?}")).await;
    let said = refused.map(drop).unwrap_err().to_string();
    assert!(said.contains("materialized view in_the_way reads events: drop it"), "{said}");
    sql.run("DROP MATERIALIZED VIEW in_the_way").await;
    let events = over_days(5, 500, 19_000, 4);
    for (i, day) in (0..5).enumerate() {
        let batch = made::batch(&events[i * 80..][..80], (i > 0).then_some(i as i64 * 80), (19_000 + day) * DAY_MS);
        store.write(Arc::new(batch)).await.unwrap();
    }
    refreshed(&store, 19_010 * DAY_MS).await;
    // A generation is a time in milliseconds.
    let rates = made::burn_rates("a", &[], i64::MAX / 3, 19_001 * 86_400);
    let batch = WriteBatch {
        burn_rates: vec![StoredBurnRates { partition: 0, offset: 0, rates: rates.clone() }],
        positions: vec![made::moved(Topic::BurnRates, None, 1, 1)],
        ..WriteBatch::default()
    };
    store.write(Arc::new(batch)).await.unwrap();

    // While parts are copied, a sink writes to days that were copied already, and to new ones.
    let mut steps = Vec::new();
    let (sender, mut copied) = tokio::sync::mpsc::unbounded_channel();
    let (moving, writing) = tokio::join!(
        to_hypertables(&options, |step| {
            let _ = sender.send(step.clone());
            steps.push(step);
        }),
        async {
            copied.recv().await.unwrap();
            store.write(Arc::new(made::batch(&events[400..450], Some(400), 19_004 * DAY_MS + 1))).await.unwrap();
            store.write(Arc::new(made::batch(&events[450..], Some(450), 19_006 * DAY_MS))).await
        }
    );
    writing.unwrap();
    assert_eq!(moving.unwrap(), ALL);
    for table in ["rollups", "burn_rates", "events"] {
        assert!(steps.contains(&Progress::Moved { table }), "{steps:?}");
    }
    let weight: i32 = events.iter().map(|event| event.weight).sum();
    for level in Level::ALL {
        refreshed(&store, 19_010 * DAY_MS).await;
        assert_eq!(kpis(&store, (19_000, 19_005), Some(level)).await.hits, weight as u64, "{level:?}");
    }
    assert_eq!(store.slo_states(None).await.unwrap(), [rates]);
    let mut stored: Vec<String> = all_events(&store).await.into_iter().map(|event| event.event_id).collect();
    stored.sort_unstable();
    stored.dedup();
    assert_eq!(stored.len(), 500);
    assert_eq!(sql.one::<i64>("SELECT n FROM mine", &[]).await, 500);
    assert_eq!(sql.one::<String>("SELECT obj_description('mine'::regclass)", &[]).await, "somebody's");
    assert_eq!(sql.one::<i64>("SELECT n FROM hours", &[]).await, i64::from(weight));
    let options_of = "SELECT array_to_string(reloptions, ',') FROM pg_class WHERE oid = $1::text::regclass";
    assert_eq!(sql.one::<String>(options_of, &[&"hours"]).await, "security_barrier=true");
    assert_eq!(sql.one::<String>(options_of, &[&"rollups"]).await, "fillfactor=70");
    let others = "SELECT coalesce(string_agg(oid::regclass::text, ', '), '') FROM pg_class
                  WHERE relnamespace = 'slipstream'::regnamespace AND relkind IN ('r', 'v') AND pg_get_userbyid(relowner) <> $1";
    assert_eq!(sql.one::<String>(others, &[&owner]).await, "");
    // And again: there is nothing left to do.
    let again = to_hypertables(&options, |step| panic!("{step:?}")).await.unwrap();
    assert_eq!(again, ALL);
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_migration_that_broke_off_continues_behind_the_parts_that_are_copied() {
    let Some(server) = services::timescale().await else { return };
    let options = PostgresOptions::new(server.fresh_database().await);
    let sql = Beside::connect(&options.url).await;
    plain(&sql).await;
    let store = PostgresStore::connect(options.clone()).await.unwrap();
    let events = over_days(6, 300, 19_000, 3);
    for (i, day) in (0..3).enumerate() {
        let batch = made::batch(&events[i * 100..][..100], (i > 0).then_some(i as i64 * 100), (19_000 + day) * DAY_MS);
        store.write(Arc::new(batch)).await.unwrap();
    }
    // It ends with the third step, wherever that is.
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn({
        let options = options.clone();
        async move {
            let mut steps = 0;
            to_hypertables(&options, |_| {
                steps += 1;
                assert!(steps < 3, "killed");
            })
            .await
            .map(drop)
        }
    });
    assert!(tasks.join_next().await.unwrap().unwrap_err().is_panic());
    let copied: i64 = sql.one("SELECT count(*) FROM moving", &[]).await;
    assert!(copied >= 2, "{copied}");
    // Meanwhile somebody is erased, and more comes.
    let user = events.iter().find_map(|event| event.user_ref.clone()).unwrap();
    store.erase_user(&user).await.unwrap();
    assert_eq!(to_hypertables(&options, |_| {}).await.unwrap(), ALL);
    let stored = all_events(&store).await;
    assert_eq!(stored.len(), 300);
    assert!(stored.iter().all(|event| event.user_ref.as_ref() != Some(&user)));
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_migration_and_dashboards_do_not_wait_for_each_other() {
    let Some(server) = timescale_server().await else { return };
    let options = PostgresOptions::new(server.fresh_database().await);
    let sql = Beside::connect(&options.url).await;
    plain(&sql).await;
    let store = PostgresStore::connect(options.clone()).await.unwrap();
    store.write(Arc::new(made::batch(&over_days(8, 3_000, 19_000, 20), None, 19_020 * DAY_MS))).await.unwrap();
    let mut dashboards = tokio::task::JoinSet::new();
    for view in ["http_requests_1m", "http_requests_1h", "request_events"] {
        let dashboard = Beside::connect(&options.url).await;
        dashboards.spawn(async move {
            loop {
                dashboard.run(&format!("SELECT count(*), pg_sleep(0.005) FROM {view}")).await;
            }
        });
    }
    assert_eq!(to_hypertables(&options, |_| {}).await.unwrap(), ALL);
    assert!(dashboards.try_join_next().is_none(), "one of them failed");
    dashboards.shutdown().await;
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_refresh_that_broke_off_has_left_holds_up_nothing() {
    let Some((store, sql, _)) = fresh().await else { return };
    let ranges = "_timescaledb_catalog.continuous_aggs_materialization_ranges";
    if sql.one::<bool>("SELECT to_regclass($1) IS NULL", &[&ranges]).await {
        return;
    }
    let events = over_days(9, 100, 19_000, 1);
    store.write(Arc::new(made::batch(&events, None, 19_002 * DAY_MS))).await.unwrap();
    refreshed(&store, 19_003 * DAY_MS).await;
    store.write(Arc::new(made::batch(&over_days(10, 40, 19_000, 1), Some(100), 19_002 * DAY_MS))).await.unwrap();
    // A policy has taken the day, and has not made it.
    let begin = 19_000 * DAY_MS * 1_000;
    let end = begin + DAY_MS * 1_000 - 1;
    sql.run(&format!("INSERT INTO {ranges} SELECT mat_hypertable_id, {begin}, {end} FROM _timescaledb_catalog.continuous_agg WHERE user_view_name = 'hourly'")).await;
    refreshed(&store, 19_003 * DAY_MS).await;
    let expected = kpis(&store, (19_000, 19_001), Some(Level::Rollup)).await.hits;
    for level in [Level::Hourly, Level::Daily] {
        assert_eq!(kpis(&store, (19_000, 19_001), Some(level)).await.hits, expected, "{level:?}");
    }
    store.close().await;
}
