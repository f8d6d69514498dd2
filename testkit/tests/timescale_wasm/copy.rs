//! Rows in and out by COPY: all of them or none, in whatever transaction, and what is wrong is said where a server says it.

use std::pin::pin;

use bytes::Bytes;
use futures::{SinkExt, TryStreamExt};
use tokio::time::timeout;
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::Type;

use crate::raw::{Raw, bind, parse};
use crate::support::{Connected, DEADLINE, fresh_database, refused};

const TABLE: &str = "CREATE TABLE t (n int8 PRIMARY KEY, word text, twice int8 GENERATED ALWAYS AS (n * 2) STORED)";
const BINARY: &str = "COPY t (n, word) FROM STDIN (FORMAT binary)";

/// Copies these numbers in, each with a word of some length.
async fn copy(a: &Connected, numbers: std::ops::Range<i64>) -> Result<u64, tokio_postgres::Error> {
    let sink = a.client.copy_in(BINARY).await?;
    let mut writer = pin!(BinaryCopyInWriter::new(sink, &[Type::INT8, Type::TEXT]));
    for n in numbers {
        writer.as_mut().write(&[&n, &"word".repeat(n as usize % 40)]).await?;
    }
    writer.finish().await
}

#[tokio::test]
async fn binary_rows_go_in_and_text_comes_out() {
    let Some(url) = fresh_database().await else { return };
    let mut a = Connected::to(&url).await;
    a.run(TABLE).await;
    assert_eq!(copy(&a, 0..50_000).await.unwrap(), 50_000);
    let sums = "SELECT sum(n)::int8 + sum(length(word))::int8 + sum(twice)::int8 FROM t";
    let expected: i64 = (0..50_000).map(|n| 3 * n + 4 * (n % 40)).sum();
    assert_eq!(a.number(sums).await, expected);
    // Into a transaction that is taken back.
    let transaction = a.client.transaction().await.unwrap();
    let mut sink = pin!(transaction.copy_in::<_, Bytes>("COPY t (n, word) FROM STDIN").await.unwrap());
    sink.as_mut().send(Bytes::from("70000\tx\n7000")).await.unwrap();
    sink.as_mut().send(Bytes::from("1\t\\N\n")).await.unwrap();
    assert_eq!(sink.finish().await.unwrap(), 2);
    transaction.rollback().await.unwrap();
    let out = a.client.copy_out("COPY (SELECT n, word FROM t WHERE n < 3 OR n >= 70000 ORDER BY n) TO STDOUT").await;
    let pieces: Vec<Bytes> = timeout(DEADLINE, out.unwrap().try_collect()).await.unwrap().unwrap();
    assert_eq!(pieces.concat(), b"0\t\n1\tword\n2\twordword\n");
}

#[tokio::test]
async fn what_is_wrong_with_it_is_said_and_nothing_of_it_is_there() {
    let Some(url) = fresh_database().await else { return };
    let mut a = Connected::to(&url).await;
    a.run(TABLE).await;
    assert_eq!(copy(&a, 0..3).await.unwrap(), 3);
    assert_eq!(refused(copy(&a, 2..5).await), SqlState::UNIQUE_VIOLATION);
    // A client that is refused at once sends a CopyFail and a Sync more, and tokio-postgres loses count of the answers: on any
    // server.
    let b = Connected::to(&url).await;
    let missing = b.client.copy_in::<_, Bytes>("COPY missing FROM STDIN").await.map(drop);
    assert_eq!(refused(missing), SqlState::UNDEFINED_TABLE);
    assert_eq!(refused(a.client.batch_execute("COPY missing FROM STDIN").await), SqlState::UNDEFINED_TABLE);
    // One that the client gives up.
    {
        let mut sink = pin!(a.client.copy_in::<_, Bytes>("COPY t (n, word) FROM STDIN").await.unwrap());
        sink.as_mut().send(Bytes::from("9\tx\n")).await.unwrap();
    }
    // In a transaction the same, which it ends.
    let transaction = a.client.transaction().await.unwrap();
    transaction.execute("INSERT INTO t VALUES (7)", &[]).await.unwrap();
    assert_eq!(refused(transaction.batch_execute("COPY missing FROM STDIN").await), SqlState::UNDEFINED_TABLE);
    let late = transaction.batch_execute("COPY t (n) FROM STDIN").await;
    assert_eq!(refused(late), SqlState::IN_FAILED_SQL_TRANSACTION);
    transaction.commit().await.unwrap();
    assert_eq!(a.number("SELECT count(*) FROM t").await, 3);
    // A text that only looks like one.
    assert_eq!(a.text("SELECT 'copy t from stdin'").await, "copy t from stdin");
    a.run("SELECT 1; SELECT 'copy t from stdin'").await;
    let second = a.client.batch_execute("SELECT 1; COPY t FROM STDIN").await;
    assert_eq!(refused(second), SqlState::QUERY_CANCELED);
}

#[tokio::test]
async fn the_server_says_which_columns_it_expects() {
    let Some(url) = fresh_database().await else { return };
    let mut a = Raw::to(&url).await;
    a.send(&[(b'Q', format!("{TABLE}\0").as_bytes())]).await;
    a.answer().await;
    // Format of all, how many, the format of each.
    let rows: [(&str, &[u8]); 4] = [
        (BINARY, &[1, 0, 2, 0, 1, 0, 1]),
        ("COPY t (word) FROM STDIN WITH (FORMAT csv)", &[0, 0, 1, 0, 0]),
        ("/* all that can be written */ COPY t FROM STDIN BINARY", &[1, 0, 2, 0, 1, 0, 1]),
        ("copy t from stdin", &[0, 0, 2, 0, 0, 0, 0]),
    ];
    for (sql, expected) in rows {
        a.send(&[(b'Q', format!("{sql}\0").as_bytes())]).await;
        assert_eq!(a.next().await, (b'G', expected.to_vec()), "{sql}");
        a.send(&[(b'f', b"that is all\0")]).await;
        assert_eq!(a.answer().await.0, "EZ", "{sql}");
        a.send(&[(b'P', &parse("", sql)), (b'B', &bind("")), (b'E', &[0; 5]), (b'S', &[])]).await;
        let told = [a.next().await, a.next().await, a.next().await];
        assert_eq!(told.map(|(letter, body)| (letter, body.len())), [(b'1', 0), (b'2', 0), (b'G', expected.len())]);
        a.send(&[(b'f', b"that is all\0"), (b'S', &[])]).await;
        assert_eq!(a.answer().await.0, "EZ", "{sql}");
    }
}

#[tokio::test]
async fn what_follows_a_copy_that_was_refused_is_answered_as_by_a_server() {
    let Some(url) = fresh_database().await else { return };
    let mut a = Raw::to(&url).await;
    a.send(&[(b'P', &parse("", "COPY missing FROM STDIN")), (b'B', &bind("")), (b'E', &[0; 5]), (b'S', &[])]).await;
    assert_eq!(a.answer().await.0, "12EZ");
    a.send(&[(b'd', b"1\n"), (b'f', b"\0"), (b'S', &[])]).await;
    assert_eq!(a.answer().await.0, "Z");
    a.send(&[(b'Q', b"SELECT 1\0")]).await;
    assert_eq!(a.answer().await.0, "TDCZ");
}

#[tokio::test]
async fn a_client_that_vanishes_among_its_rows_leaves_none() {
    let Some(url) = fresh_database().await else { return };
    let (a, b) = (Connected::to(&url).await, Connected::to(&url).await);
    a.run(TABLE).await;
    let mut sink = pin!(a.client.copy_in::<_, Bytes>("COPY t (n, word) FROM STDIN").await.unwrap());
    sink.as_mut().send(Bytes::from("1\tx\n".repeat(10_000))).await.unwrap();
    sink.as_mut().flush().await.unwrap();
    a.vanish();
    assert_eq!(b.number("SELECT count(*) FROM t").await, 0);
    assert_eq!(copy(&b, 0..10).await.unwrap(), 10);
}

#[tokio::test]
async fn rows_go_into_a_hypertable_and_its_compressed_chunks() {
    let Some(url) = fresh_database().await else { return };
    let a = Connected::to(&url).await;
    a.run("CREATE EXTENSION timescaledb; CREATE TABLE h (t timestamptz NOT NULL, n int8)").await;
    a.run("SELECT create_hypertable('h', 't', chunk_time_interval => interval '1 day')").await;
    a.run("ALTER TABLE h SET (timescaledb.compress)").await;
    for round in 1..=2 {
        let mut sink = pin!(a.client.copy_in::<_, Bytes>("COPY h FROM STDIN (FORMAT csv)").await.unwrap());
        for hour in 0..72 {
            let day = 1 + hour / 24;
            let row = format!("2026-01-{day:02} {:02}:00:00Z,{hour}\n", hour % 24);
            sink.as_mut().send(Bytes::from(row)).await.unwrap();
        }
        assert_eq!(sink.finish().await.unwrap(), 72);
        a.run("SELECT compress_chunk(c, true) FROM show_chunks('h') c").await;
        assert_eq!(a.number("SELECT count(*) FROM h").await, 72 * round);
    }
    assert_eq!(a.number("SELECT count(*) FROM show_chunks('h')").await, 3);
}
