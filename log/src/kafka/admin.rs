//! Topics as the table of `schemas` wants them: made, and checked. What a cluster is like is read in `facts`, what that
//! means is decided in `judge`.

mod facts;
mod finding;
mod hearing;
mod judge;

use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::error::RDKafkaErrorCode;
use slipstream_schemas::Cause;
use slipstream_schemas::topics::{Kept, TOPICS, TopicSpec};

pub use facts::{Broker, Cluster, Group, PartitionState, TopicState, TopicThere, groups, inspect};
pub use finding::{Finding, Severity};
pub use judge::{cluster as judge_cluster, topic as judge_topic, wanted_partitions as judge_partitions};

use super::blocking::blocking;
use super::client::ClientLog;
use super::errors::log_error;
use super::names::Names;
use super::settings::{self, KafkaOptions, LARGEST_BATCH};
use crate::port::LogError;

const CALL: Duration = Duration::from_secs(15);
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Bytes of a segment of a topic of which only the newest record of a key is of any use.
const SEGMENT: u32 = 64 << 20;

/// Settings of a topic on the cluster, by the table.
pub fn config_of(spec: &TopicSpec) -> Vec<(&'static str, String)> {
    let mut config = vec![("max.message.bytes", LARGEST_BATCH.to_string())];
    if spec.log_append_time {
        config.push(("message.timestamp.type", "LogAppendTime".to_owned()));
    }
    match spec.kept {
        Kept::For(time) => {
            config.push(("cleanup.policy", "delete".to_owned()));
            config.push(("retention.ms", time.as_millis().to_string()));
        }
        Kept::Forever => {
            config.push(("cleanup.policy", "delete".to_owned()));
            config.push(("retention.ms", "-1".to_owned()));
        }
        Kept::Compacted { floor } => {
            config.push(("cleanup.policy", "compact".to_owned()));
            config.push(("min.compaction.lag.ms", floor.as_millis().to_string()));
            if floor.is_zero() {
                // Only closed segments are compacted, and burn's snapshots come in fast.
                config.push(("segment.bytes", SEGMENT.to_string()));
            }
        }
    }
    config
}

/// With three replicas or more, how many must have a record before it is acknowledged: one may be away, and what a single
/// broker has is not acknowledged (L1).
const LEAST_IN_SYNC: (&str, &str) = ("min.insync.replicas", "2");

fn in_sync_of(replication: Option<i32>) -> Option<(&'static str, &'static str)> {
    replication.filter(|replicas| *replicas > 2).map(|_| LEAST_IN_SYNC)
}

/// Makes the topics that are missing; answers which were made. `replication`: none for the brokers' default, as is then how
/// many replicas must be in sync.
///
/// # Errors
/// When the cluster cannot be asked, or refuses one.
pub async fn ensure(
    options: &KafkaOptions,
    partitions: impl Fn(&TopicSpec) -> u32,
    replication: Option<i32>,
) -> Result<Vec<String>, LogError> {
    let names = Names::new(&options.prefix);
    let admin: AdminClient<ClientLog> = settings::common(options)
        .create_with_context(ClientLog)
        .map_err(|e| log_error(&names, "making a Kafka client", &e))?;
    let configs: Vec<Vec<(&str, String)>> = TOPICS.iter().map(config_of).collect();
    let new = TOPICS.iter().zip(&configs).map(|(spec, config)| {
        let replicas = TopicReplication::Fixed(replication.unwrap_or(-1));
        let topic = NewTopic::new(names.of(spec.topic), partitions(spec) as i32, replicas);
        let topic = in_sync_of(replication).into_iter().fold(topic, |topic, (name, value)| topic.set(name, value));
        config.iter().fold(topic, |topic, (name, value)| topic.set(name, value))
    });
    let new: Vec<NewTopic<'_>> = new.collect();
    let made = admin
        .create_topics(&new, &AdminOptions::new().operation_timeout(Some(CALL)).request_timeout(Some(CALL)))
        .await
        .map_err(|e| log_error(&names, "making topics", &e))?;
    let mut done = Vec::new();
    for result in made {
        match result {
            Ok(name) => done.push(name),
            Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((name, code)) => {
                return Err(LogError::Fatal { doing: format!("making the topic {name}"), cause: Cause::of(code) });
            }
        }
    }
    visible(options).await?;
    Ok(done)
}

/// Waits until the brokers know what was made: they are told of topics a moment after these are there.
async fn visible(options: &KafkaOptions) -> Result<(), LogError> {
    let deadline = tokio::time::Instant::now() + CALL;
    loop {
        match require(options).await {
            Err(LogError::Fatal { .. }) if tokio::time::Instant::now() < deadline => {}
            answer => return answer,
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// Asks whether the cluster answers and all topics are there.
///
/// # Errors
/// `Transient` when no broker can be reached; `Fatal` when none lets us in, or topics are missing: with what to do.
pub async fn require(options: &KafkaOptions) -> Result<(), LogError> {
    let options = options.clone();
    blocking(move || {
        let names = Names::new(&options.prefix);
        let metadata = hearing::metadata(&options)?;
        let there: Vec<&str> = metadata.topics().iter().map(|t| t.name()).collect();
        let missing: Vec<&str> = TOPICS.iter().map(|s| names.of(s.topic)).filter(|n| !there.contains(n)).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let doing = format!("connecting to Kafka at {}", options.brokers);
        let cause = format!("topics are missing: {}; `slipstream topics ensure` makes them", missing.join(", "));
        Err(LogError::Fatal { doing, cause: cause.into() })
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_single_broker_has_is_not_acknowledged_where_there_are_enough() {
        let table = [(None, None), (Some(1), None), (Some(2), None), (Some(3), Some("2")), (Some(5), Some("2"))];
        for (replication, expected) in table {
            assert_eq!(in_sync_of(replication).map(|(_, least)| least), expected, "{replication:?}");
        }
    }
}
