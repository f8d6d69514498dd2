//! A real Kafka as a subject of the suite: each log has topics of its own.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use slipstream_log::clock::ManualClock;
use slipstream_log::conformance::{Subject, Time};
use slipstream_log::faults::{CommitFault, CrashPoint, PublishFault};
use slipstream_log::kafka::{KafkaLog, KafkaOptions, admin};
use slipstream_log::{Offset, SharedLog, TopicPartition};
use slipstream_schemas::Topic;
use slipstream_testkit::services;

/// A log on the Kafka of this test run.
pub struct OnKafka {
    pub options: KafkaOptions,
    log: Arc<KafkaLog>,
}

/// Options with a prefix that nobody else has, and sessions that end soon.
pub async fn options() -> KafkaOptions {
    let mut options = KafkaOptions::new(services::kafka().await.bootstrap());
    options.prefix = format!("t{}.", uuid::Uuid::now_v7().simple());
    for (name, value) in [("session.timeout.ms", "6000"), ("heartbeat.interval.ms", "200")] {
        options.properties.insert(name.to_owned(), value.to_owned());
    }
    options
}

impl OnKafka {
    /// A log with these options, and this many partitions of request-events, one of the other topics.
    pub async fn with(options: KafkaOptions, partitions: u32) -> Self {
        let count = |spec: &slipstream_schemas::topics::TopicSpec| match spec.topic {
            Topic::RequestEvents => partitions,
            _ => 1,
        };
        admin::ensure(&options, count, Some(1), &Mutex::default()).await.unwrap();
        let log = KafkaLog::connect(options.clone()).await.unwrap();
        OnKafka { options, log }
    }

    /// What a broker does on LeaveGroup (version 1): the member is out, and does not know yet.
    fn leave_for(&self, group: &str, member: &str) {
        let text = |s: &str| [&(s.len() as i16).to_be_bytes()[..], s.as_bytes()].concat();
        let head = [&13i16.to_be_bytes()[..], &1i16.to_be_bytes(), &7i32.to_be_bytes(), &text("test")].concat();
        let request = [head, text(group), text(member)].concat();
        let mut stream = TcpStream::connect(&self.options.brokers).unwrap();
        stream.write_all(&(request.len() as i32).to_be_bytes()).unwrap();
        stream.write_all(&request).unwrap();
        let mut answer = [0; 14];
        stream.read_exact(&mut answer).unwrap();
        let code = i16::from_be_bytes([answer[12], answer[13]]);
        // 25: it is gone already.
        assert!(code == 0 || code == 25, "LeaveGroup answers {code}");
    }

    fn client(&self) -> BaseConsumer {
        ClientConfig::new().set("bootstrap.servers", &self.options.brokers).create().unwrap()
    }
}

#[async_trait]
impl Subject for OnKafka {
    async fn open(partitions: u32, _time: Time) -> Self {
        OnKafka::with(options().await, partitions).await
    }

    fn log(&self) -> SharedLog {
        self.log.clone()
    }

    async fn sibling(&self) -> SharedLog {
        KafkaLog::new(self.options.clone())
    }

    /// The process says nothing any more, and its sessions end. Real deaths are in the tests with real processes.
    async fn crash(&mut self) {
        self.log.kill();
        let groups = tokio::task::block_in_place(|| {
            let list = self.client().fetch_group_list(None, Duration::from_secs(10)).unwrap();
            list.groups().iter().map(|g| g.name().to_owned()).collect::<Vec<_>>()
        });
        for group in groups.iter().filter_map(|g| g.strip_prefix(&self.options.prefix)) {
            self.expel(group).await;
        }
        self.log = KafkaLog::new(self.options.clone());
    }

    fn crash_at(&self, _point: CrashPoint) -> bool {
        false
    }

    fn fail_commits(&self, group: &str, faults: &[CommitFault]) -> bool {
        self.options.faults.fail_commits(group, faults.iter().copied());
        true
    }

    fn fail_publish(&self, fault: PublishFault) -> bool {
        self.options.faults.fail_publishes([fault]);
        true
    }

    async fn expel(&self, group: &str) -> bool {
        let name = format!("{}{group}", self.options.prefix);
        tokio::task::block_in_place(|| {
            let list = self.client().fetch_group_list(Some(&name), Duration::from_secs(10)).unwrap();
            let members = list.groups().iter().flat_map(|g| g.members()).map(|m| m.id().to_owned());
            for member in members.collect::<Vec<_>>() {
                self.leave_for(&name, &member);
            }
        });
        true
    }

    async fn expire(&self, _partition: TopicPartition, _first: Offset) -> bool {
        false
    }

    fn clock(&self) -> Option<&ManualClock> {
        None
    }
}
