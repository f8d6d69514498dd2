//! A topic of a test's own on a real Kafka, and all that is in it.

use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};

const PATIENCE: Duration = Duration::from_secs(30);

/// A topic that nobody else uses.
pub struct TestTopic {
    bootstrap: String,
    partitions: u32,
    pub name: String,
}

/// A record as it lies in the topic.
#[derive(Debug)]
pub struct Record {
    pub partition: u32,
    pub offset: i64,
    pub key: Option<Vec<u8>>,
    pub value: Vec<u8>,
}

impl TestTopic {
    /// Makes the topic.
    pub async fn fresh(bootstrap: &str, of: &str, partitions: u32) -> TestTopic {
        let name = format!("{of}-{:016x}.request-events", rand::random::<u64>());
        let admin: AdminClient<DefaultClientContext> = config(bootstrap).create().unwrap();
        let asked = NewTopic::new(&name, partitions as i32, TopicReplication::Fixed(1))
            .set("message.timestamp.type", "LogAppendTime");
        let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
        for made in admin.create_topics([&asked], &options).await.unwrap() {
            made.unwrap();
        }
        TestTopic { bootstrap: bootstrap.to_owned(), partitions, name }
    }

    /// All committed records, partition by partition as they come.
    pub fn records(&self) -> Vec<Record> {
        let consumer: BaseConsumer = config(&self.bootstrap)
            .set("group.id", &self.name)
            .set("enable.auto.commit", "false")
            .set("isolation.level", "read_committed")
            .set("enable.partition.eof", "true")
            .create()
            .unwrap();
        let mut from = TopicPartitionList::new();
        for partition in 0..self.partitions {
            from.add_partition_offset(&self.name, partition as i32, Offset::Beginning).unwrap();
        }
        consumer.assign(&from).unwrap();
        let (mut records, mut at_end, deadline) = (Vec::new(), 0, Instant::now() + PATIENCE);
        while at_end < self.partitions {
            assert!(Instant::now() < deadline, "{} was not read to its end", self.name);
            match consumer.poll(Duration::from_millis(100)) {
                Some(Ok(message)) => records.push(Record {
                    partition: message.partition() as u32,
                    offset: message.offset(),
                    key: message.key().map(<[u8]>::to_vec),
                    value: message.payload().unwrap_or_default().to_vec(),
                }),
                Some(Err(rdkafka::error::KafkaError::PartitionEOF(_))) => at_end += 1,
                Some(Err(error)) => panic!("reading {}: {error}", self.name),
                None => {}
            }
        }
        records
    }
}

fn config(bootstrap: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", bootstrap);
    config
}
