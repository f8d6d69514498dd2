//! To the end: what foreign producers publish is counted once, what is no event is a dead letter that the guide's command
//! shows, and what a producer took back is not counted.

use std::time::Duration;

use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use slipstream_schemas::Topic;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::clients::Client;
use crate::guide;
use crate::installation::Installation;

const PATIENCE: Duration = Duration::from_secs(30);
const PARTITIONS: i32 = 8;

fn event(id: &str, service: &str, status_code: u16) -> String {
    format!(
        r#"{{"event_id":"{id}","time":"{}","service":"{service}","endpoint":"/","method":"GET","status_code":{status_code}}}"#,
        jiff::Timestamp::now()
    )
}

/// Publishes lines of key, tab and value with kcat, as the guide tells to.
async fn kcat(installation: &Installation, headers: &[&str], lines: &[(&str, &str)]) {
    let mut command = Command::new("kcat");
    command.args(["-P", "-b", &installation.bootstrap, "-t", &installation.topic(Topic::RequestEvents), "-K", "\\t"]);
    command.args(["-X", "partitioner=murmur2_random", "-X", "acks=all"]);
    for header in headers {
        command.args(["-H", header]);
    }
    let mut child = command.stdin(std::process::Stdio::piped()).kill_on_drop(true).spawn().unwrap();
    let text: String = lines.iter().map(|(key, value)| format!("{key}\t{value}\n")).collect();
    child.stdin.take().unwrap().write_all(text.as_bytes()).await.unwrap();
    assert!(child.wait().await.unwrap().success(), "kcat {lines:?}");
}

#[tokio::test]
async fn what_foreign_producers_publish_is_counted_once() {
    let installation = Installation::start().await;
    let topic = installation.topic(Topic::RequestEvents);
    for (client, service) in [(Client::PythonAvro, "avro"), (Client::PythonJson, "json"), (Client::Kcat, "kcat")] {
        let ran = client.run(&installation.bootstrap, &topic, &["--count", "300", "--service", service]).await;
        assert!(ran.status.success(), "{service}: {}", String::from_utf8_lossy(&ran.stderr));
    }
    // A copy with the same key, also from another client with the same partitioner, is the same event.
    let again = event("again", "twice", 200);
    kcat(&installation, &[], &[("again", &again), ("other", &event("other", "twice", 200)), ("again", &again)]).await;
    let producer: BaseProducer = installation.client().set("partitioner", "murmur2_random").create().unwrap();
    producer.send(BaseRecord::to(&topic).key("again").payload(&again)).unwrap();
    producer.flush(PATIENCE).unwrap();
    kcat(&installation, &[], &[("last", &event("last", "last", 200))]).await;
    let expected = [("avro", 300), ("json", 300), ("kcat", 300), ("last", 1), ("twice", 2)];
    installation.counted(&expected).await;
}

#[tokio::test]
async fn a_bad_record_is_a_dead_letter_that_the_guides_command_shows() {
    let installation = Installation::start().await;
    let wrong = event("wrong", "shop", 600);
    kcat(&installation, &["trace=t-1"], &[("wrong", &wrong), ("right", &event("right", "shop", 200))]).await;
    // What the serializer of a schema registry writes.
    let framed = b"\x00\x00\x00\x00\x07\x02\x61";
    let producer: BaseProducer = installation.client().create().unwrap();
    let topic = installation.topic(Topic::RequestEvents);
    producer.send(BaseRecord::to(&topic).key("framed").payload(framed.as_slice())).unwrap();
    producer.flush(PATIENCE).unwrap();
    installation.counted(&[("shop", 1)]).await;

    let command = guide::command("kcat -C")
        .replace("localhost:9092", &installation.bootstrap)
        .replace("slipstream.dead-letters", &installation.topic(Topic::DeadLetters));
    let deadline = std::time::Instant::now() + PATIENCE;
    let letters = loop {
        let read = Command::new("sh").args(["-c", &command]).kill_on_drop(true).output().await.unwrap();
        assert!(read.status.success(), "{command}: {}", String::from_utf8_lossy(&read.stderr));
        let letters = String::from_utf8_lossy(&read.stdout).into_owned();
        if letters.matches("key ").count() == 2 {
            break letters;
        }
        assert!(std::time::Instant::now() < deadline, "two dead letters, not\n{letters}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    let with = |key: &str| {
        let of_it = letters.split("key ").find(|letter| letter.starts_with(&format!("{key}\n")));
        of_it.unwrap_or_else(|| panic!("no dead letter of {key}\n{letters}")).to_owned()
    };
    let letter = with("wrong");
    for part in [
        "trace=t-1",
        "slipstream-topic=request-events",
        "slipstream-partition=",
        "slipstream-offset=",
        "slipstream-error=rule-broken",
        "slipstream-message=status_code `600`: must be 100 to 599",
        &wrong,
    ] {
        assert!(letter.contains(part), "{part} is not in\n{letter}");
    }
    assert!(with("framed").contains("slipstream-error=confluent-framing"), "{letters}");
}

#[tokio::test]
async fn records_of_aborted_transactions_are_never_counted() {
    let installation = Installation::start().await;
    let topic = installation.topic(Topic::RequestEvents);
    let producer: BaseProducer = installation
        .client()
        .set("transactional.id", format!("{topic}-producer"))
        .set("partitioner", "murmur2_random")
        .create()
        .unwrap();
    producer.init_transactions(PATIENCE).unwrap();
    for round in 0..10 {
        let commits = round % 3 != 0;
        let service = if commits { "committed" } else { "aborted" };
        producer.begin_transaction().unwrap();
        for i in 0..50 {
            let id = format!("{round}-{i}");
            producer.send(BaseRecord::to(&topic).key(&id).payload(&event(&id, service, 200))).unwrap();
        }
        // All are in the log before the transaction ends: what is aborted lies there, too.
        producer.flush(PATIENCE).unwrap();
        if commits {
            producer.commit_transaction(PATIENCE).unwrap();
        } else {
            producer.abort_transaction(PATIENCE).unwrap();
        }
    }
    // Behind everything, in every partition: when these are counted, all before them has been read.
    producer.begin_transaction().unwrap();
    for partition in 0..PARTITIONS {
        let id = format!("end-{partition}");
        let (id, value) = (&id, &event(&id, "end", 200));
        producer.send(BaseRecord::to(&topic).partition(partition).key(id).payload(value)).unwrap();
    }
    producer.commit_transaction(PATIENCE).unwrap();
    installation.counted(&[("committed", 300), ("end", 8)]).await;
    let watermarks = |partition| producer.client().fetch_watermarks(&topic, partition, PATIENCE).unwrap().1;
    let offsets: i64 = (0..PARTITIONS).map(watermarks).sum();
    assert!(offsets > 508, "200 aborted records lie in the log, too, and the marks of transactions, but {offsets}");
}
