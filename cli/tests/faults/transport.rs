//! The two transports of an event into the log: over a gateway, or by a client's own producer.

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::producer::{FutureProducer, FutureRecord};
use serde_json::Value;
use slipstream_log::kafka::KafkaOptions;
use slipstream_schemas::Topic;

/// An answer that takes longer is not waited for: the same goes to the other gateway, or is produced again.
const ANSWER: Duration = Duration::from_secs(3);

/// How a client publishes.
pub enum Transport {
    /// Requests to one gateway after the other.
    Gateways { client: reqwest::Client, gateways: Vec<String>, turn: usize },
    /// A producer that partitions as the gateways do.
    Direct { producer: FutureProducer, topic: String },
}

impl Transport {
    /// Over the gateways, from this one on.
    pub fn gateways(gateways: &[String], turn: usize) -> Transport {
        let client = reqwest::Client::builder().timeout(ANSWER).build().unwrap();
        Transport::Gateways { client, gateways: gateways.to_vec(), turn }
    }

    /// By a producer of its own, keys as the gateways give them.
    pub fn direct(brokers: &str) -> Transport {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", brokers).set("log_level", "0");
        config.set("partitioner", "murmur2_random").set("enable.idempotence", "true").set("linger.ms", "5");
        config.set("message.timeout.ms", ANSWER.as_millis().to_string());
        let topic = KafkaOptions::new(brokers).topic_name(Topic::RequestEvents);
        Transport::Direct { producer: config.create().unwrap(), topic }
    }

    /// Whether all of them were taken, once each: else the same have to be sent again, and some may be in the log already.
    ///
    /// # Panics
    /// When they are refused for good.
    pub async fn taken(&mut self, events: &[Value]) -> bool {
        match self {
            Transport::Gateways { client, gateways, turn } => {
                *turn += 1;
                let gateway = &gateways[*turn % gateways.len()];
                match client.post(format!("{gateway}/v1/events")).json(&events).send().await {
                    Ok(answer) if answer.status().is_client_error() => {
                        panic!("{}: {}", answer.status(), answer.text().await.unwrap_or_default())
                    }
                    Ok(answer) => answer.status().is_success(),
                    Err(_) => false,
                }
            }
            Transport::Direct { producer, topic } => {
                let records: Vec<(String, String)> =
                    events.iter().map(|event| (key(event), event.to_string())).collect();
                let mut reports = Vec::with_capacity(records.len());
                for (key, value) in &records {
                    match producer.send_result(FutureRecord::to(topic).key(key).payload(value)) {
                        Ok(report) => reports.push(report),
                        Err(_) => return false,
                    }
                }
                let mut all = true;
                for report in reports {
                    all &= matches!(report.await, Ok(Ok(_)));
                }
                all
            }
        }
    }
}

fn key(event: &Value) -> String {
    event["event_id"].as_str().unwrap_or_default().to_owned()
}
