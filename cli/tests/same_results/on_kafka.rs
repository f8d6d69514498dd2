//! An installation on the Kafka of this test run, with topics of its own.

use std::sync::{Arc, Mutex};

use slipstream_definitions::openslo::CanonicalDocument;
use slipstream_log::kafka::{KafkaLog, KafkaOptions, admin};
use slipstream_log::{Fetch, Log, Outgoing, SharedLog, TopicPartition};
use slipstream_role::definitions::{SLO_KIND, ensure_settings, publish_changed};
use slipstream_schemas::records::{Definition, Settings};
use slipstream_schemas::{LogTime, Topic};
use slipstream_testkit::services;

use crate::{CUT_DELAY_MS, REDELIVERY_WINDOW_MS, partitions};

pub struct OnKafka {
    options: KafkaOptions,
    /// For who publishes and looks.
    pub log: Arc<KafkaLog>,
}

impl OnKafka {
    /// Topics and settings, and nobody at work.
    pub async fn open() -> OnKafka {
        let mut options = KafkaOptions::new(services::kafka().await.bootstrap());
        options.prefix = format!("same-{:016x}.", rand::random::<u64>());
        options.properties.insert("session.timeout.ms".to_owned(), "6000".to_owned());
        admin::ensure(&options, |spec| partitions(spec.topic), Some(1), &Mutex::default()).await.unwrap();
        let log = KafkaLog::connect(options.clone()).await.unwrap();
        let settings = Settings { redelivery_window_ms: REDELIVERY_WINDOW_MS, cut_delay_ms: CUT_DELAY_MS };
        ensure_settings(log.as_ref(), &settings).await.unwrap();
        OnKafka { options, log }
    }

    /// The log as another process has it.
    pub fn process(&self) -> SharedLog {
        KafkaLog::new(self.options.clone())
    }

    /// Publishes definitions.
    pub async fn define(&self, documents: &[CanonicalDocument]) {
        let definition = |document: &CanonicalDocument| Definition {
            kind: SLO_KIND.to_owned(),
            name: document.name.clone(),
            document: Some(document.text.clone()),
            author: "test".to_owned(),
        };
        let cut = publish_changed(self.log.as_ref(), documents.iter().map(definition).collect()).await.unwrap();
        assert!(cut.is_some(), "nothing changed");
    }

    /// Publishes records.
    pub async fn publish(&self, records: Vec<Outgoing>) {
        if !records.is_empty() {
            self.log.publish(records).await.unwrap();
        }
    }

    /// The greatest log time of a request.
    pub async fn newest(&self) -> LogTime {
        let mut newest = LogTime(0);
        for partition in 0..partitions(Topic::RequestEvents) {
            let place = TopicPartition { topic: Topic::RequestEvents, partition };
            let (first, end) = self.log.bounds(place).await.unwrap();
            let last = self.log.read(place, first.max(end - 1), end, Fetch::default()).await.unwrap();
            newest = last.iter().map(|record| record.log_time()).fold(newest, LogTime::max);
        }
        newest
    }
}
