//! What only a broker can do to us: other clients' transactions, TLS and SASL, and an end of the world that comes back.

#![allow(clippy::unwrap_used, reason = "a test")]

mod kafka_subject;

use std::sync::Mutex;
use std::time::Duration;

use kafka_subject::{OnKafka, options};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, AlterConfig, ResourceSpecifier};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use slipstream_log::conformance::{Copier, OUTPUT, PATIENCE, Subject as _, input, publish, read_all, record};
use slipstream_log::kafka::{KafkaLog, KafkaOptions, admin};
use slipstream_log::{Fetch, LogError, Polled, Share, SharedLog};
use slipstream_schemas::Topic;
use slipstream_schemas::topics::TopicSpec;
use slipstream_testkit::services::{Kafka, SecuredKafka};
use tokio::task::JoinSet;
use tokio::time::Instant;

const CALL: Duration = Duration::from_secs(20);

/// Someone else, who writes to request-events in transactions.
fn foreign(options: &KafkaOptions, id: &str) -> BaseProducer {
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", &options.brokers)
        .set("transactional.id", format!("{}{id}", options.prefix))
        .create()
        .unwrap();
    producer.init_transactions(CALL).unwrap();
    producer
}

fn write(producer: &BaseProducer, options: &KafkaOptions, value: &str) {
    let topic = options.topic_name(Topic::RequestEvents);
    producer.send(BaseRecord::<(), str>::to(&topic).partition(0).payload(value)).map_err(|(e, _)| e).unwrap();
    producer.flush(CALL).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn l2_records_of_aborted_transactions_of_other_clients_are_never_read() {
    let subject = OnKafka::with(options().await, 1).await;
    let log = subject.log();
    let other = foreign(&subject.options, "other");
    for (value, commit) in [("a", true), ("b", false), ("c", true), ("d", false)] {
        other.begin_transaction().unwrap();
        write(&other, &subject.options, value);
        if commit { other.commit_transaction(CALL).unwrap() } else { other.abort_transaction(CALL).unwrap() }
    }
    publish(&log, 1, 1).await;
    let mut member = Copier::join(&log, "g").await;
    let deadline = Instant::now() + PATIENCE;
    while read_all(&log, OUTPUT).await.len() < 3 {
        assert!(Instant::now() < deadline, "not everything is copied in time");
        member.turn(10).await.unwrap();
    }
    let values = |all: Vec<slipstream_log::conformance::Seen>| all.into_iter().map(|r| r.2).collect::<Vec<_>>();
    assert_eq!(values(read_all(&log, input(0)).await), ["a", "c", "v0"]);
    let copies = values(read_all(&log, OUTPUT).await);
    let copied: Vec<&str> = copies.iter().filter_map(|c| c.rsplit(':').next()).collect();
    assert_eq!(copied, ["a", "c", "v0"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn l7_behind_markers_alone_there_is_nothing_to_read() {
    let subject = OnKafka::with(options().await, 1).await;
    let log = subject.log();
    let other = foreign(&subject.options, "other");
    other.begin_transaction().unwrap();
    write(&other, &subject.options, "a");
    other.commit_transaction(CALL).unwrap();
    let mut member = Copier::join(&log, "g").await;
    let deadline = Instant::now() + PATIENCE;
    loop {
        assert!(Instant::now() < deadline, "the horizon does not reach the end in time");
        member.turn(10).await.unwrap();
        let Some(at) = member.at.get(&input(0)).copied().filter(|at| at.offset > 0) else { continue };
        let horizon = member.consumer.horizon(input(0)).await.unwrap().unwrap();
        // The marker lies at or behind where the member stands: an idle member goes on from there.
        if horizon.end == at.offset {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn l4_settled_bounds_wait_for_open_transactions() {
    let subject = OnKafka::with(options().await, 1).await;
    let log = subject.log();
    let other = foreign(&subject.options, "other");
    other.begin_transaction().unwrap();
    write(&other, &subject.options, "a");
    assert_eq!(log.bounds(input(0)).await.unwrap(), (0, 0), "an open transaction is not visible");
    let mut asking = JoinSet::new();
    asking.spawn({
        let log = log.clone();
        async move { log.settled_bounds(input(0)).await }
    });
    // Whoever asks while it is open is answered after it was decided, and sees it.
    other.commit_transaction(CALL).unwrap();
    let (first, end) = asking.join_next().await.unwrap().unwrap().unwrap();
    assert!(first == 0 && end >= 1, "[{first}, {end})");
}

/// Joins under a name and goes again without a word, as members with a name do.
fn intrude(options: &KafkaOptions, group: &str, name: &str) {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", &options.brokers)
        .set("group.id", options.group_name(group))
        .set("group.instance.id", name)
        .set("partition.assignment.strategy", "cooperative-sticky")
        .create()
        .unwrap();
    consumer.subscribe(&[&options.topic_name(Topic::RequestEvents)]).unwrap();
    let deadline = Instant::now() + PATIENCE;
    while consumer.assignment().unwrap().count() == 0 {
        assert!(Instant::now() < deadline, "nobody could join as {name}");
        consumer.poll(Duration::from_millis(50));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn l4_a_member_that_is_fenced_under_its_own_name_comes_back() {
    let mut on = options().await;
    on.instance = Some("a".to_owned());
    let subject = OnKafka::with(on, 1).await;
    let log = subject.log();
    let mut member = Copier::join(&log, "g").await;
    member.settle_in(1).await;
    let options = subject.options.clone();
    tokio::task::spawn_blocking(move || intrude(&options, "g", "a-g-0")).await.unwrap();
    publish(&log, 1, 3).await;
    let deadline = Instant::now() + PATIENCE;
    while read_all(&log, OUTPUT).await.len() < 3 {
        assert!(Instant::now() < deadline, "not everything is copied in time");
        member.turn(10).await.unwrap();
    }
    slipstream_log::conformance::assert_each_once(&log, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn l5_of_two_processes_with_one_name_one_ends_and_says_why() {
    let mut on = options().await;
    on.instance = Some("a".to_owned());
    let subject = OnKafka::with(on, 1).await;
    let (one, other) = (subject.log(), subject.sibling().await);
    let topics = [Topic::RequestEvents];
    let (mut one, mut other) = (
        one.subscribe("g", &topics, Share::Divided).await.unwrap(),
        other.subscribe("g", &topics, Share::Divided).await.unwrap(),
    );
    let deadline = Instant::now() + 2 * PATIENCE;
    let wait = Duration::from_millis(20);
    let cause = loop {
        assert!(Instant::now() < deadline, "both go on");
        let polled = [one.poll(Fetch::default(), wait).await, other.poll(Fetch::default(), wait).await];
        if let Some(LogError::Fatal { cause, .. }) = polled.into_iter().find_map(Result::err) {
            break cause;
        }
    };
    assert!(cause.text().contains("joined as `a`: `kafka.instance`"), "{cause}");
}

/// Who gives records their times from now on.
async fn take_times(options: &KafkaOptions, kind: &str) {
    let (topic, patience) = (options.topic_name(Topic::RequestEvents), AdminOptions::new());
    let admin: AdminClient<_> = ClientConfig::new().set("bootstrap.servers", &options.brokers).create().unwrap();
    let alter = AlterConfig::new(ResourceSpecifier::Topic(&topic)).set("message.timestamp.type", kind);
    admin.alter_configs([&alter], &patience).await.unwrap().remove(0).unwrap();
    let deadline = Instant::now() + PATIENCE;
    while admin::timestamp_type(options, &topic).await.unwrap().as_deref() != Some(kind) {
        assert!(Instant::now() < deadline, "{topic} does not take {kind}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Writes a record until the broker has stored it with such a time: it goes by a new setting a moment after it tells it.
fn written_with(options: &KafkaOptions, partition: i32, by_broker: bool) {
    let topic = options.topic_name(Topic::RequestEvents);
    let config = |group| ClientConfig::new().set("bootstrap.servers", &options.brokers).set("group.id", group).clone();
    let producer: BaseProducer = config("w").create().unwrap();
    let reader: BaseConsumer = config("r").create().unwrap();
    let deadline = Instant::now() + PATIENCE;
    loop {
        let end = reader.fetch_watermarks(&topic, partition, CALL).unwrap().1;
        producer.send(BaseRecord::<(), str>::to(&topic).partition(partition).payload("x")).map_err(|(e, _)| e).unwrap();
        producer.flush(CALL).unwrap();
        let mut at = rdkafka::TopicPartitionList::new();
        at.add_partition_offset(&topic, partition, rdkafka::Offset::Offset(end)).unwrap();
        reader.assign(&at).unwrap();
        let read = reader.poll(CALL).unwrap().unwrap();
        if by_broker == matches!(rdkafka::Message::timestamp(&read), rdkafka::Timestamp::LogAppendTime(_)) {
            return;
        }
        assert!(Instant::now() < deadline, "the broker does not go by its setting");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn l7_producers_times_are_judged_in_their_turn_and_again_once_the_topic_takes_them_again() {
    const BACKLOG: usize = 20_000;
    let subject = OnKafka::with(options().await, 2).await;
    let (log, options) = (subject.log(), &subject.options);
    take_times(options, "CreateTime").await;
    written_with(options, 1, false);
    take_times(options, "LogAppendTime").await;
    written_with(options, 0, true);
    log.publish((0..BACKLOG).map(|i| record(input(0), format!("v{i}"))).collect()).await.unwrap();
    let mut member = log.subscribe("g", &[Topic::RequestEvents], Share::Divided).await.unwrap();
    let one = Fetch { records: 1, ..Fetch::default() };
    // Until records of the other are there, of which there are always some then.
    member.pause(&[input(1)]);
    let mut before = 0;
    let deadline = Instant::now() + PATIENCE;
    loop {
        assert!(Instant::now() < deadline, "the record with its producer's time does not come");
        match member.poll(one, Duration::from_millis(200)).await.unwrap() {
            Polled::Records(batch) if batch.partition == input(1) => break,
            Polled::Records(_) => {
                before += 1;
                member.resume(&[input(1)]);
            }
            _ => {}
        }
    }
    assert!(before < BACKLOG, "it came after all that others had");
    take_times(options, "CreateTime").await;
    written_with(options, 1, false);
    let refused = loop {
        assert!(Instant::now() < deadline, "it is taken, or does not come");
        if let Err(refused) = member.poll(Fetch::default(), Duration::from_millis(200)).await {
            break refused.to_string();
        }
    };
    assert!(refused.contains("message.timestamp.type=LogAppendTime; then restart"), "{refused}");
}

/// librdkafka pauses all partitions of a member for a moment whenever others join or leave.
#[tokio::test(flavor = "multi_thread")]
async fn l3_a_partition_that_stays_and_was_read_to_its_end_misses_nothing_when_others_join_and_leave() {
    const PARTITIONS: u32 = 2;
    let subject = OnKafka::with(options().await, PARTITIONS).await;
    let log = subject.log();
    let mut first = Copier::join(&log, "g").await;
    first.settle_in(2).await;
    publish(&log, PARTITIONS, PARTITIONS).await;
    let deadline = Instant::now() + 3 * PATIENCE;
    let mut written = PARTITIONS as usize;
    for _ in 0..3 {
        while read_all(&log, OUTPUT).await.len() < written {
            assert!(Instant::now() < deadline, "not everything is copied in time");
            first.turn(10).await.unwrap();
        }
        // Everything was read, and the end too.
        for _ in 0..20 {
            first.turn(10).await.unwrap();
        }
        let other = subject.sibling().await;
        let mut second = Copier::join(&other, "g").await;
        while (first.at.len(), second.at.len()) != (1, 1) {
            assert!(Instant::now() < deadline, "{:?} and {:?}", first.at, second.at);
            first.turn(10).await.unwrap();
            second.turn(10).await.unwrap();
        }
        publish(&log, PARTITIONS, PARTITIONS).await;
        written += PARTITIONS as usize;
        while read_all(&log, OUTPUT).await.len() < written {
            assert!(Instant::now() < deadline, "not everything is copied in time");
            first.turn(10).await.unwrap();
            second.turn(10).await.unwrap();
        }
        drop(second);
        while first.at.len() != 2 {
            assert!(Instant::now() < deadline, "what the other had does not come back");
            first.turn(10).await.unwrap();
        }
    }
    slipstream_log::conformance::assert_each_once(&log, PARTITIONS).await;
}

fn few(spec: &TopicSpec) -> u32 {
    if spec.topic == Topic::RequestEvents { 2 } else { 1 }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_with_tls_and_sasl_is_used_as_any_other() {
    let secured = SecuredKafka::dedicated().await;
    let user = secured.user();
    let with = |mechanism: &str, password: &str| {
        let mut options = KafkaOptions::new(secured.bootstrap());
        let authority = secured.authority().display().to_string();
        for (name, value) in [
            ("security.protocol", "sasl_ssl"),
            ("ssl.ca.location", &authority),
            ("sasl.mechanism", mechanism),
            ("sasl.username", user.name),
            ("sasl.password", password),
        ] {
            options.properties.insert(name.to_owned(), value.to_owned());
        }
        options
    };
    for mechanism in ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] {
        let mut options = with(mechanism, user.password);
        options.prefix = format!("{mechanism}.");
        admin::ensure(&options, few, Some(1), &Mutex::default()).await.unwrap();
        let log: SharedLog = KafkaLog::connect(options).await.unwrap();
        publish(&log, 2, 4).await;
        let mut member = Copier::join(&log, "g").await;
        let deadline = Instant::now() + PATIENCE;
        while read_all(&log, OUTPUT).await.len() < 4 {
            assert!(Instant::now() < deadline, "{mechanism}: not everything is copied in time");
            member.turn(10).await.unwrap();
        }
    }
    let Err(refused) = KafkaLog::connect(with("PLAIN", "wrong")).await else { panic!("a wrong password is taken") };
    assert!(matches!(refused, LogError::Fatal { .. }), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_dies_and_comes_back_loses_and_doubles_nothing() {
    let kafka = std::sync::Arc::new(Kafka::dedicated().await);
    let mut on = options().await;
    on.brokers = kafka.bootstrap();
    let subject = OnKafka::with(on, 2).await;
    let log = slipstream_role::patience::patient(subject.log(), "g");
    let mut member = Copier::join(&log, "g").await;
    member.settle_in(2).await;
    let (mut acknowledged, mut tried) = (Vec::new(), 0);
    let mut back = JoinSet::new();
    let mut killed = false;
    let deadline = Instant::now() + 2 * PATIENCE;
    while acknowledged.len() < 60 {
        assert!(Instant::now() < deadline, "the broker's return is not noticed in time");
        if acknowledged.len() == 20 && !killed {
            kafka.kill().await.unwrap();
            killed = true;
            let kafka = std::sync::Arc::clone(&kafka);
            back.spawn(async move { kafka.start().await });
        }
        let value = format!("w{tried}");
        tried += 1;
        if log.publish(vec![record(input(tried % 2), value.clone())]).await.is_ok() {
            acknowledged.push(value);
        }
        member.turn(10).await.unwrap();
    }
    back.join_next().await.unwrap().unwrap().unwrap();
    let all_read = async || {
        let mut all = Vec::new();
        for partition in 0..2 {
            all.extend(read_all(&log, input(partition)).await);
        }
        all.into_iter().map(|r| r.2).collect::<Vec<_>>()
    };
    let written = all_read().await;
    assert!(acknowledged.iter().all(|value| written.iter().filter(|w| *w == value).count() == 1), "L1");
    while read_all(&log, OUTPUT).await.len() < written.len() {
        assert!(Instant::now() < deadline, "not everything is copied in time");
        member.turn(10).await.unwrap();
    }
    slipstream_log::conformance::assert_each_once(&log, 2).await;
}
