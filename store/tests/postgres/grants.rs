//! A writer does what a sink does, a reader what dashboards do: and what neither may.

use std::sync::Arc;

use slipstream_schemas::LogTime;
use slipstream_store::conformance::made::{self, Dice};
use slipstream_store::kpis::KpiQuestion;
use slipstream_store::postgres::grant;
use slipstream_store::{PostgresOptions, PostgresStore, Store, StoreError};
use slipstream_testkit::services;
use tokio_postgres::Client;

use crate::support::{Beside, timescale_server};

const DAY_MS: i64 = 86_400_000;

/// Users of this database alone, and the address of each.
async fn users(url: &str, owner: &Beside) -> [(String, String); 2] {
    let suffix: String = url.rsplit('_').next().unwrap().chars().take_while(char::is_ascii_alphanumeric).collect();
    let (_, address) = url.split_once('@').unwrap();
    let mut made = Vec::new();
    for role in ["sink", "grafana"] {
        let user = format!("{role}_{suffix}");
        owner.run(&format!("CREATE ROLE {user} LOGIN PASSWORD 'secret'")).await;
        made.push((user.clone(), format!("postgres://{user}:secret@{address}")));
    }
    made.try_into().unwrap()
}

async fn refused(client: &Client, sql: &str) {
    let error = client.batch_execute(sql).await.expect_err(sql);
    let code = error.as_db_error().map(|error| error.code().code().to_owned());
    assert_eq!(code.as_deref(), Some("42501"), "{sql}: {error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_may_what_it_needs_and_no_more() {
    rights_of_all(services::postgres().await.fresh_database().await, false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_may_the_same_on_hypertables() {
    let Some(server) = timescale_server().await else { return };
    rights_of_all(server.fresh_database().await, true).await;
}

async fn rights_of_all(url: String, is_continuous: bool) {
    let options = PostgresOptions::new(url.clone());
    let owner = Beside::connect(&url).await;
    let [(writer, writers), (reader, readers)] = users(&url, &owner).await;
    grant(&options, std::slice::from_ref(&reader), std::slice::from_ref(&writer)).await.unwrap();

    let sink = PostgresStore::connect(PostgresOptions::new(writers.clone())).await.unwrap();
    let events = made::events(&mut Dice(1), 50);
    for (i, day) in [0, 1, 40].into_iter().enumerate() {
        let batch = made::batch(&events[i * 10..][..10], (i > 0).then_some(i as i64 * 10), day * DAY_MS);
        sink.write(Arc::new(batch)).await.unwrap();
    }
    assert_eq!(sink.counts().await.unwrap().events, 30);
    while sink.trim(LogTime(41 * DAY_MS)).await.unwrap() > 0 {}
    assert_eq!(sink.counts().await.unwrap().events, 10, "days past retention are dropped");
    let now = LogTime(made::BEGIN / 1_000 + DAY_MS);
    if is_continuous {
        let refused = sink.refresh(now).await.map(drop).unwrap_err().to_string();
        assert!(refused.contains("`slipstream store refresh` as that user"), "{refused}");
        let stale = sink.aggregates().await.unwrap().stale;
        assert!(stale > 0, "the sink tells how much there is to do");
        let owners = PostgresStore::connect(options.clone()).await.unwrap();
        while owners.refresh(now).await.unwrap().stale > 0 {}
        // Late rows of a writer into compressed chunks.
        for table in ["events", "rollups"] {
            owner.run(&format!("SELECT compress_chunk(c) FROM show_chunks('{table}') c")).await;
        }
        sink.write(Arc::new(made::batch(&events[30..40], Some(30), 40 * DAY_MS))).await.unwrap();
        while owners.refresh(now).await.unwrap().stale > 0 {}
        owners.close().await;
    } else {
        while sink.refresh(now).await.unwrap().stale > 0 {}
    }

    let looking = PostgresStore::connect_read_only(PostgresOptions::new(readers.clone())).await.unwrap();
    looking.kpis(&KpiQuestion::default()).await.unwrap();
    looking.slo_states(None).await.unwrap();
    let erased = looking.erase_user("somebody").await;
    assert!(matches!(erased, Err(StoreError::Fatal { .. })), "{erased:?}");
    let written = PostgresStore::connect(PostgresOptions::new(readers.clone())).await.unwrap();
    let written = written.write(Arc::new(made::batch(&events[40..], Some(30), 40 * DAY_MS))).await;
    assert!(matches!(written, Err(StoreError::Fatal { .. })), "{written:?}");

    let beside = Beside::connect(&readers).await;
    let client = &beside.client;
    for view in [
        "request_events",
        "http_requests_1m",
        "http_requests_1h",
        "http_requests_1d",
        "slo_state",
        "burn_rate",
        "alerts",
    ] {
        client.batch_execute(&format!("SELECT * FROM {view} LIMIT 1")).await.unwrap();
    }
    client.batch_execute("SELECT sketch_quantile(sketch_merge(sketch), 0.95) FROM http_requests_1m").await.unwrap();
    for sql in [
        "INSERT INTO positions VALUES ('x', 0, 0, now())",
        "UPDATE events SET user_ref = 'x'",
        "DELETE FROM rollups",
        "SELECT events_make_day(5)",
        "SELECT events_drop_before(99999)",
        "SELECT chunks_drop('events', '-infinity', 'infinity')",
        "DROP TABLE kept",
        "CREATE TABLE mine (i int)",
    ] {
        refused(client, sql).await;
    }
    let beside = Beside::connect(&writers).await;
    let client = &beside.client;
    for sql in [
        "DROP TABLE events",
        "DROP VIEW alerts",
        "ALTER TABLE rollups ADD COLUMN x int",
        "TRUNCATE events",
        "CREATE TABLE mine (i int)",
        "CREATE FUNCTION mine() RETURNS int LANGUAGE sql RETURN 1",
        "DELETE FROM schema_versions",
    ] {
        refused(client, sql).await;
    }
    // Whoever may make functions in public, as everybody could up to PostgreSQL 14, makes none that the owner's functions call.
    owner.run(&format!("GRANT CREATE ON SCHEMA public TO {writer}; CREATE TABLE public.caught (who text); GRANT INSERT ON public.caught TO {writer}")).await;
    for parameters in
        ["relation text, newer_than timestamptz, older_than timestamptz", "relation text, older_than timestamptz"]
    {
        let made = client
            .batch_execute(&format!(
                "CREATE FUNCTION public.drop_chunks({parameters}) RETURNS SETOF text LANGUAGE sql AS
                 'INSERT INTO public.caught VALUES (current_user) RETURNING who'"
            ))
            .await;
        made.unwrap();
    }
    client.batch_execute("SELECT burn_rates_drop(now(), now()), events_drop_before(0)").await.unwrap();
    assert_eq!(owner.one::<i64>("SELECT count(*) FROM public.caught", &[]).await, 0);
    for store in [sink, looking] {
        store.close().await;
    }
    owner.run(&format!("DROP OWNED BY {writer}, {reader} CASCADE; DROP ROLE {writer}; DROP ROLE {reader}")).await;
}
