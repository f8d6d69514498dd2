//! Services start, are shared, and keep their data over kill -9.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::{FutureProducer, FutureRecord};
use slipstream_testkit::services::{self, Kafka, Postgres, SecuredKafka};
use tokio::time::timeout;
use tokio_postgres::{Client, NoTls};

async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    let runtime = tokio::runtime::Handle::current();
    runtime.spawn(connection);
    client
}

async fn number(url: &str, query: &str) -> i64 {
    connect(url).await.query_one(query, &[]).await.unwrap().get(0)
}

async fn create_topic(kafka: &Kafka, name: &str) {
    let mut config = ClientConfig::new();
    let admin: AdminClient<DefaultClientContext> = config.set("bootstrap.servers", kafka.bootstrap()).create().unwrap();
    let topic = NewTopic::new(name, 1, TopicReplication::Fixed(1));
    admin.create_topics([&topic], &AdminOptions::new()).await.unwrap().remove(0).unwrap();
}

async fn publish(kafka: &Kafka, topic: &str, value: &str) {
    let mut config = ClientConfig::new();
    let producer: FutureProducer =
        config.set("bootstrap.servers", kafka.bootstrap()).set("acks", "all").create().unwrap();
    let record = FutureRecord::<(), str>::to(topic).payload(value);
    producer.send(record, Duration::from_secs(30)).await.unwrap();
}

fn offsets(kafka: &Kafka, topic: &str) -> (i64, i64) {
    let client: BaseConsumer = ClientConfig::new().set("bootstrap.servers", kafka.bootstrap()).create().unwrap();
    client.fetch_watermarks(topic, 0, Duration::from_secs(30)).unwrap()
}

#[tokio::test]
async fn the_shared_kafka_takes_records() {
    let kafka = services::kafka().await;
    let topic = format!("services-{:016x}", rand::random::<u64>());
    create_topic(&kafka, &topic).await;
    publish(&kafka, &topic, "a").await;
    assert_eq!(offsets(&kafka, &topic), (0, 1));
}

#[tokio::test]
async fn the_shared_services_are_the_same_for_all_tests() {
    let (a, b) = tokio::join!(services::kafka(), services::kafka());
    assert_eq!(a.bootstrap(), b.bootstrap());
    let (a, b) = tokio::join!(services::postgres(), services::postgres());
    assert_eq!(a.url(), b.url());
}

#[tokio::test]
async fn a_runtime_that_ends_takes_no_service_with_it() {
    let start = || tokio::runtime::Runtime::new().unwrap().block_on(services::postgres());
    let postgres = tokio::task::spawn_blocking(start).await.unwrap();
    assert_eq!(number(&postgres.url(), "SELECT 1::int8").await, 1);
}

#[tokio::test]
async fn fresh_databases_differ_and_are_empty() {
    let postgres = services::postgres().await;
    let (a, b) = tokio::join!(postgres.fresh_database(), postgres.fresh_database());
    assert_ne!(a, b);
    connect(&a).await.batch_execute("CREATE TABLE t (); INSERT INTO t DEFAULT VALUES").await.unwrap();
    assert_eq!(number(&b, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").await, 0);
}

#[tokio::test]
async fn a_kafka_of_its_own_keeps_its_records_over_kill_9() {
    let kafka = Kafka::dedicated().await;
    create_topic(&kafka, "kept").await;
    publish(&kafka, "kept", "before").await;
    kafka.kill().await.unwrap();
    kafka.start().await.unwrap();
    publish(&kafka, "kept", "after").await;
    assert_eq!(offsets(&kafka, "kept"), (0, 2));
}

#[tokio::test]
async fn a_postgres_of_its_own_keeps_its_rows_over_kill_9() {
    let postgres = Postgres::dedicated().await;
    let url = postgres.fresh_database().await;
    connect(&url).await.batch_execute("CREATE TABLE t (n int8); INSERT INTO t VALUES (7)").await.unwrap();
    postgres.kill().await.unwrap();
    assert!(tokio_postgres::connect(&url, NoTls).await.is_err(), "it was killed");
    postgres.start().await.unwrap();
    assert_eq!(number(&url, "SELECT n FROM t").await, 7);
}

#[tokio::test]
async fn a_held_postgres_answers_nobody_until_it_goes_on() {
    let postgres = Postgres::dedicated().await;
    let client = connect(&postgres.url()).await;
    postgres.stop().await.unwrap();
    let asked = client.query_one("SELECT 1", &[]);
    tokio::pin!(asked);
    assert!(timeout(Duration::from_millis(500), &mut asked).await.is_err(), "it was held");
    postgres.cont().await.unwrap();
    timeout(Duration::from_secs(30), asked).await.expect("an answer after the hold").unwrap();
}

/// The runner with a command of the shell, and no services of the run that this test is part of.
fn runner(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_slipstream-test-services"));
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    for inherited in [services::KAFKA, services::POSTGRES, services::REPORT] {
        command.env_remove(inherited);
    }
    command.env(services::TIMESCALE, "none");
    command
}

#[test]
fn services_end_with_a_process_that_is_killed() {
    // Both addresses, then nothing until standard input closes, which it does when this test ends.
    let script = "echo $SLIPSTREAM_TEST_KAFKA; echo $SLIPSTREAM_TEST_POSTGRES | sed 's,.*@,,; s,/.*,,'; cat";
    let mut process = runner(&["sh", "-c", script]).spawn().unwrap();
    let said = BufReader::new(process.stdout.take().unwrap());
    let addresses: Vec<String> = said.lines().take(2).map(Result::unwrap).collect();
    let answering = || addresses.iter().filter(|address| TcpStream::connect(address).is_ok()).count();
    assert_eq!(answering(), 2, "{addresses:?}");
    process.kill().unwrap();
    process.wait().unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    while answering() > 0 {
        assert!(Instant::now() < deadline, "still there: {addresses:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_full_run_without_a_use_of_a_service_fails_and_says_so() {
    let run = runner(&["--full", "true"]).output().unwrap();
    let said = String::from_utf8(run.stderr).unwrap();
    assert!(!run.status.success(), "{said}");
    assert!(said.contains("no test ran against Apache Kafka nor PostgreSQL"), "{said}");
}

#[tokio::test]
async fn a_secured_kafka_knows_its_user_and_nobody_else() {
    let kafka = SecuredKafka::dedicated().await;
    let right = kafka.user().password;
    for (mechanism, password, welcome) in [
        ("PLAIN", right, true),
        ("SCRAM-SHA-256", right, true),
        ("SCRAM-SHA-512", right, true),
        ("PLAIN", "wrong", false),
        ("SCRAM-SHA-512", "wrong", false),
    ] {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", kafka.bootstrap()).set("broker.address.family", "v4").set("log_level", "0");
        config.set("security.protocol", "sasl_ssl").set("ssl.ca.location", kafka.authority().display().to_string());
        config.set("sasl.mechanism", mechanism).set("sasl.username", kafka.user().name).set("sasl.password", password);
        let client: BaseConsumer = config.create().unwrap();
        let asked = client.fetch_metadata(None, Duration::from_secs(if welcome { 30 } else { 3 }));
        assert_eq!(asked.is_ok(), welcome, "{mechanism} with {password}: {:?}", asked.err());
    }
}
