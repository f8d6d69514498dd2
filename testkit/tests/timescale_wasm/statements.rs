//! Prepared statements, settings and roles are a connection's own, whoever had the session in between.

use futures::future::join_all;
use tokio::time::timeout;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::Type;
use tokio_postgres::{AsyncMessage, NoTls};

use crate::raw::{Raw, bind, parse};
use crate::support::{Connected, DEADLINE, MOMENT, fresh_database, refused};

#[tokio::test]
async fn prepared_statements_are_their_connections_own() {
    let Some(url) = fresh_database().await else { return };
    let (a, b) = (Connected::to(&url).await, Connected::to(&url).await);
    // Clients count their names from nought: both are called the same.
    let one = a.client.prepare("SELECT 'a' || $1::text").await.unwrap();
    let other = b.client.prepare("SELECT $1::int8 + 100").await.unwrap();
    for n in 0..5_i64 {
        let text: String = a.client.query_one(&one, &[&n.to_string()]).await.unwrap().get(0);
        let number: i64 = b.client.query_one(&other, &[&n]).await.unwrap().get(0);
        assert_eq!((text, number), (format!("a{n}"), n + 100));
        let row = a.client.query_typed_one("SELECT $1::int8 * 3", &[(&n, Type::INT8)]).await.unwrap();
        assert_eq!(row.get::<_, i64>(0), 3 * n);
    }
    drop(one);
    assert_eq!(b.client.query_one(&other, &[&1_i64]).await.unwrap().get::<_, i64>(0), 101);
    // What a connection has left behind is gone with it.
    drop(a);
    let left = "SELECT count(*) FROM pg_prepared_statements WHERE statement ~ '[|][|] [$]1'";
    timeout(DEADLINE, async {
        while b.number(left).await > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("its statements are closed");
}

#[tokio::test]
async fn the_statement_without_a_name_survives_what_others_prepare() {
    let Some(url) = fresh_database().await else { return };
    let mut clients = [Raw::to(&url).await, Raw::to(&url).await];
    for (client, sql) in clients.iter_mut().zip(["SELECT 'of a'", "SELECT 'of b'"]) {
        client.send(&[(b'P', &parse("", sql)), (b'S', &[])]).await;
        assert_eq!(client.answer().await.0, "1Z");
    }
    for (which, value) in [(0, "of a"), (1, "of b"), (0, "of a")] {
        let client = &mut clients[which];
        client.send(&[(b'D', b"S\0"), (b'B', &bind("")), (b'E', &[0; 5]), (b'S', &[])]).await;
        let (letters, bodies) = client.answer().await;
        assert_eq!(letters, "tT2DCZ");
        assert!(bodies[3].ends_with(value.as_bytes()), "{:?}", bodies[3]);
    }
}

#[tokio::test]
async fn what_is_flushed_is_answered_and_an_error_lasts_until_the_next_sync() {
    let Some(url) = fresh_database().await else { return };
    let mut a = Raw::to(&url).await;
    a.send(&[(b'P', &parse("", "SELECT 1")), (b'H', &[])]).await;
    assert_eq!(a.next().await.0, b'1');
    a.send(&[(b'B', &bind("")), (b'E', &[0; 5]), (b'H', &[])]).await;
    assert_eq!([a.next().await.0, a.next().await.0, a.next().await.0], *b"2DC");
    // Its turn lasts as well.
    let b = Connected::to(&url).await;
    assert!(timeout(MOMENT, b.number("SELECT 1::int8")).await.is_err());
    a.send(&[(b'P', &parse("", "nonsense")), (b'H', &[])]).await;
    assert_eq!(a.next().await.0, b'E');
    a.send(&[(b'P', &parse("", "SELECT 2")), (b'B', &bind("")), (b'E', &[0; 5]), (b'S', &[])]).await;
    assert_eq!(a.answer().await.0, "Z");
    assert_eq!(b.number("SELECT 1::int8").await, 1);
}

#[tokio::test]
async fn a_portal_is_read_in_steps() {
    let Some(url) = fresh_database().await else { return };
    let mut a = Connected::to(&url).await;
    let transaction = a.client.transaction().await.unwrap();
    let statement = transaction.prepare("SELECT generate_series(1, $1::int4)").await.unwrap();
    let portal = transaction.bind(&statement, &[&7_i32]).await.unwrap();
    let mut read = Vec::new();
    for _ in 0..3 {
        let rows = transaction.query_portal(&portal, 3).await.unwrap();
        read.push(rows.iter().map(|row| row.get(0)).collect::<Vec<i32>>());
    }
    assert_eq!(read, [vec![1, 2, 3], vec![4, 5, 6], vec![7]]);
    transaction.commit().await.unwrap();
}

#[tokio::test]
async fn statements_sent_ahead_are_answered_in_order_also_behind_one_that_fails() {
    let Some(url) = fresh_database().await else { return };
    let a = Connected::to(&url).await;
    let queries: Vec<String> = (0..40).map(|n| format!("SELECT 60::int8 / {}", n % 4)).collect();
    let answers = join_all(queries.iter().map(|sql| a.client.query_one(sql.as_str(), &[]))).await;
    for (n, answer) in answers.into_iter().enumerate() {
        match n % 4 {
            0 => assert_eq!(refused(answer), SqlState::DIVISION_BY_ZERO),
            by => assert_eq!(answer.unwrap().get::<_, i64>(0), 60 / by as i64),
        }
    }
}

#[tokio::test]
async fn settings_and_roles_are_their_connections_own() {
    let Some(url) = fresh_database().await else { return };
    let (mut a, b) = (Connected::to(&url).await, Connected::to(&url).await);
    let seen = "SELECT concat_ws(' | ', current_setting('search_path'), current_setting('TimeZone'), current_user)";
    a.run("CREATE SCHEMA other; CREATE TABLE other.t (); CREATE ROLE reads LOGIN").await;
    a.run("SET search_path TO other, public; SET TimeZone TO 'Asia/Kolkata'").await;
    assert_eq!(b.text(seen).await, "\"$user\", public | UTC | postgres");
    b.run("SET TimeZone TO 'Europe/Berlin'").await;
    let transaction = a.client.transaction().await.unwrap();
    transaction.batch_execute("SET LOCAL TimeZone TO 'Asia/Tokyo'; SELECT FROM t").await.unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(b.text(seen).await, "\"$user\", public | Europe/Berlin | postgres");
    assert_eq!(a.text(seen).await, "other, public | Asia/Kolkata | postgres");
    a.run("SET ROLE reads").await;
    assert_eq!(b.text(seen).await, "\"$user\", public | Europe/Berlin | postgres");
    assert_eq!(refused(a.client.query("SELECT FROM other.t", &[]).await), SqlState::INSUFFICIENT_PRIVILEGE);
    // As a connection may begin.
    let own =
        url.replace("postgres:postgres@", "reads:any@") + "?options=-c%20search_path%3Dother%20-c%20TimeZone%3DUTC";
    let c = Connected::to(&own).await;
    assert_eq!(c.text(seen).await, "other | UTC | reads");
    assert_eq!(refused(c.client.query("SELECT FROM other.t", &[]).await), SqlState::INSUFFICIENT_PRIVILEGE);
    a.run("RESET ROLE; RESET ALL").await;
    assert_eq!(a.text(seen).await, "\"$user\", public | UTC | postgres");
}

#[tokio::test]
async fn nonsense_at_the_start_is_an_error_of_that_connection() {
    let Some(url) = fresh_database().await else { return };
    for nonsense in ["?options=-c%20no_such_setting%3D1", "?options=-c%20TimeZone%3DNowhere"] {
        let a = Connected::to(&format!("{url}{nonsense}")).await;
        assert!(a.client.query("SELECT 1", &[]).await.is_err(), "{nonsense}");
    }
    assert_eq!(Connected::to(&url).await.number("SELECT 1::int8").await, 1);
}

#[tokio::test]
async fn notices_and_what_is_known_about_an_error_arrive() {
    let Some(url) = fresh_database().await else { return };
    let (client, mut connection) = tokio_postgres::connect(&url, NoTls).await.unwrap();
    let driven = async {
        let mut notices = Vec::new();
        while let Some(message) = futures::future::poll_fn(|cx| connection.poll_message(cx)).await {
            if let Ok(AsyncMessage::Notice(notice)) = message {
                notices.push(format!("{} {}", notice.severity(), notice.message()));
            }
        }
        notices
    };
    let asked = async move {
        client.batch_execute("DO $$ BEGIN RAISE NOTICE 'one'; RAISE DEBUG 'no'; RAISE WARNING 'two'; END $$").await?;
        client.batch_execute("CREATE TABLE t (n int4 CONSTRAINT small CHECK (n < 3))").await?;
        client.batch_execute("INSERT INTO t VALUES (3)").await
    };
    let (notices, error) = tokio::join!(driven, asked);
    assert_eq!(notices, ["NOTICE one", "WARNING two"]);
    let error = error.unwrap_err();
    let known = error.as_db_error().unwrap();
    assert_eq!((known.constraint(), known.table()), (Some("small"), Some("t")));
}

#[tokio::test]
async fn a_request_to_cancel_does_no_harm() {
    let Some(url) = fresh_database().await else { return };
    let a = Connected::to(&url).await;
    let token = a.client.cancel_token();
    let (slept, cancelled) = tokio::join!(a.number("SELECT 1::int8 FROM pg_sleep(0.3)"), token.cancel_query(NoTls));
    cancelled.unwrap();
    assert_eq!((slept, a.number("SELECT 2::int8").await), (1, 2));
}
