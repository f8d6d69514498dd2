//! The references: what it takes to hand every record to one thread: polled from the client library, without and with our
//! decode; and through our own log, in batches, with our decode.

use std::hint::black_box;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::topic_partition_list::TopicPartitionList;
use rdkafka::{ClientConfig, Message, Offset};
use slipstream_log::kafka::{KafkaLog, KafkaOptions};
use slipstream_log::{Fetch, Log, Polled, Share};
use slipstream_schemas::Topic;
use slipstream_schemas::decode::{Attributes, Provenance, decode};

use super::measured::{Measured, Progress};
use super::place::{Place, bounds, held, wait};
use super::usage::Usage;

/// Name of the subcommand that is the measured process.
pub const COMMAND: &str = "kafka-raw";
const POLL: Duration = Duration::from_millis(100);

/// Reads request-events from beginning to end in its own process.
///
/// # Errors
/// When that fails.
pub fn measure(place: &Place, consumer: RawConsumer) -> Result<Measured> {
    let program = std::env::current_exe().context("find this program")?;
    let mut command = Command::new(program);
    command.args([COMMAND, &place.brokers, &place.prefix, consumer.name()]);
    command.stdin(Stdio::null()).stderr(Stdio::inherit());
    let output = command.output().context("running a consumer")?;
    ensure!(output.status.success(), "the consumer exited with {}", output.status);
    Measured::parse(&String::from_utf8_lossy(&output.stdout))
}

/// How records are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RawConsumer {
    /// Polled one by one, dropped.
    Polled,
    /// Polled one by one, decoded.
    Decoded,
    /// In batches, by a member of a group of our log, decoded.
    Ours,
}

impl RawConsumer {
    const ALL: [RawConsumer; 3] = [RawConsumer::Polled, RawConsumer::Decoded, RawConsumer::Ours];

    fn name(self) -> &'static str {
        match self {
            RawConsumer::Polled => "polled",
            RawConsumer::Decoded => "decoded",
            RawConsumer::Ours => "ours",
        }
    }
}

/// The measured process: brokers, prefix of topics, name of a consumer.
///
/// # Errors
/// When the topic cannot be read.
pub fn run(arguments: &[String]) -> Result<Measured> {
    let [brokers, prefix, consumer] = arguments else { bail!("usage: {COMMAND} BROKERS PREFIX CONSUMER") };
    let consumer = RawConsumer::ALL
        .into_iter()
        .find(|known| known.name() == consumer)
        .with_context(|| format!("unknown consumer: {consumer}"))?;
    let topic = format!("{prefix}{}", Topic::RequestEvents);
    match consumer {
        RawConsumer::Ours => wait(ours(brokers, prefix, &topic))?,
        _ => polled(brokers, &topic, consumer == RawConsumer::Decoded),
    }
}

fn polled(brokers: &str, topic: &str, decoded: bool) -> Result<Measured> {
    let began = Instant::now();
    let consumer = consumer(brokers)?;
    let wanted = held(&assign(&consumer, topic)?);
    let mut progress = Progress::new(wanted);
    let (mut read, mut valid) = (0u64, 0u64);
    while read < wanted {
        let Some(message) = consumer.poll(POLL) else {
            ensure!(began.elapsed() < Duration::from_secs(600), "timed out reading the topic");
            continue;
        };
        let message = message.context("reading")?;
        let value = message.payload().unwrap_or_default();
        if decoded {
            let from = Provenance { topic, partition: message.partition() as u32, offset: message.offset() };
            valid += u64::from(black_box(decode(value, &from, Attributes::Skip)).is_ok());
        } else {
            black_box(value);
        }
        read += 1;
        if read == 1 || read == wanted / 2 {
            progress.at(read);
        }
    }
    ensure!(!decoded || valid == read, "{} of {read} events are not valid", read - valid);
    Ok(progress.end(Usage::own()?))
}

/// Reads as a role does, committing nothing.
async fn ours(brokers: &str, prefix: &str, topic: &str) -> Result<Measured> {
    let wanted = held(&bounds(&consumer(brokers)?, topic)?);
    let mut progress = Progress::new(wanted);
    let log = KafkaLog::connect(KafkaOptions { prefix: prefix.to_owned(), ..KafkaOptions::new(brokers) }).await?;
    let mut member = log.subscribe("bench", &[Topic::RequestEvents], Share::Divided).await?;
    let (mut read, mut valid) = (0, 0);
    while read < wanted {
        let Polled::Records(batch) = member.poll(Fetch { records: 20_000, ..Fetch::default() }, POLL).await? else {
            continue;
        };
        for record in (0..batch.len()).filter_map(|n| batch.get(n)) {
            let from = Provenance { topic, partition: batch.partition.partition, offset: record.offset() };
            let value = record.value().unwrap_or_default();
            valid += u64::from(black_box(decode(value, &from, Attributes::Skip)).is_ok());
        }
        read += batch.len() as u64;
        progress.at(read);
    }
    ensure!(valid == read, "{} of {read} events are not valid", read - valid);
    Ok(progress.end(Usage::own()?))
}

fn consumer(brokers: &str) -> Result<BaseConsumer> {
    settings(brokers).create().context("creating a consumer")
}

/// As a role reads: committed records only, queues that let a fetch be in flight while a batch is worked on.
pub fn settings(brokers: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", brokers).set("group.id", "bench").set("enable.auto.commit", "false");
    config.set("enable.auto.offset.store", "false").set("isolation.level", "read_committed");
    config.set("fetch.queue.backoff.ms", "2").set("queued.min.messages", "100000");
    config
}

/// Assigns all partitions from their start; returns their bounds.
pub fn assign(consumer: &BaseConsumer, topic: &str) -> Result<Vec<(i64, i64)>> {
    let bounds = bounds(consumer, topic)?;
    let mut list = TopicPartitionList::new();
    for partition in 0..bounds.len() {
        list.add_partition_offset(topic, partition as i32, Offset::Beginning).context("naming a partition")?;
    }
    consumer.assign(&list).context("taking partitions")?;
    Ok(bounds)
}
