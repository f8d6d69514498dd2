//! The references: what the client library needs to hand every record to one thread, without and with our decode.

use std::hint::black_box;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::topic_partition_list::TopicPartitionList;
use rdkafka::{ClientConfig, Message, Offset};
use slipstream_schemas::Topic;
use slipstream_schemas::decode::{Attributes, Provenance, decode};

use super::measured::{Measured, Progress};
use super::place::Place;
use super::usage::Usage;

/// Name of the subcommand that is the measured process.
pub const COMMAND: &str = "kafka-raw";
const PATIENCE: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(100);

/// Reads request-events from beginning to end in a process of its own.
///
/// # Errors
/// When that fails.
pub fn measure(place: &Place, decoded: bool) -> Result<Measured> {
    let program = std::env::current_exe().context("find this program")?;
    let mut command = Command::new(program);
    command.args([COMMAND, &place.brokers, &place.topic(Topic::RequestEvents)]);
    command.arg(if decoded { "decode" } else { "none" }).stdin(Stdio::null()).stderr(Stdio::inherit());
    let output = command.output().context("running a consumer")?;
    ensure!(output.status.success(), "the consumer ended with {}", output.status);
    Measured::parse(&String::from_utf8_lossy(&output.stdout))
}

/// The measured process: brokers, topic, `decode` or `none`.
///
/// # Errors
/// When the topic cannot be read.
pub fn run(arguments: &[String]) -> Result<Measured> {
    let [brokers, topic, how] = arguments else { bail!("usage: {COMMAND} BROKERS TOPIC decode|none") };
    let began = Instant::now();
    let consumer = consumer(brokers)?;
    let wanted = assign(&consumer, topic)?;
    let mut progress = Progress::new(wanted);
    let (mut read, mut valid) = (0u64, 0u64);
    while read < wanted {
        let Some(message) = consumer.poll(POLL) else {
            ensure!(began.elapsed() < Duration::from_secs(600), "the topic does not end");
            continue;
        };
        let message = message.context("reading")?;
        let value = message.payload().unwrap_or_default();
        if how == "decode" {
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
    ensure!(how != "decode" || valid == read, "{} of {read} events are not valid", read - valid);
    Ok(progress.end(Usage::own()?))
}

fn consumer(brokers: &str) -> Result<BaseConsumer> {
    settings(brokers).create().context("making a consumer")
}

/// As a role reads: committed records only, queues that let a fetch be on its way while a batch is worked on.
pub fn settings(brokers: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", brokers).set("group.id", "bench").set("enable.auto.commit", "false");
    config.set("enable.auto.offset.store", "false").set("isolation.level", "read_committed");
    config.set("fetch.queue.backoff.ms", "2").set("queued.min.messages", "100000");
    config
}

/// Takes all partitions from their beginnings; answers how many records there are, control records of transactions among
/// them.
pub fn assign(consumer: &BaseConsumer, topic: &str) -> Result<u64> {
    let metadata = consumer.fetch_metadata(Some(topic), PATIENCE).context("asking for partitions")?;
    let partitions = metadata.topics().first().map_or(0, |t| t.partitions().len()) as i32;
    let (mut list, mut records) = (TopicPartitionList::new(), 0);
    for partition in 0..partitions {
        let (first, end) = consumer.fetch_watermarks(topic, partition, PATIENCE).context("asking for ends")?;
        records += (end - first).unsigned_abs();
        list.add_partition_offset(topic, partition, Offset::Beginning).context("naming a partition")?;
    }
    consumer.assign(&list).context("taking partitions")?;
    Ok(records)
}
