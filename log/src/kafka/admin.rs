//! Topics as the table of `schemas` wants them: made, and checked. What a cluster is like is read in `facts`, what that
//! means is decided in `judge`.

mod ensure;
mod facts;
mod finding;
mod hearing;
mod judge;

use std::time::Duration;

use slipstream_schemas::Cause;
use slipstream_schemas::topics::{Kept, TOPICS, TopicSpec};

pub use ensure::ensure;
pub use facts::{
    Absent, Broker, Cluster, Group, PartitionState, Settings, TopicState, TopicThere, Untold, groups, inspect,
    timestamp_type,
};
pub use finding::{Finding, Severity};
pub(super) use judge::set_topic;
pub use judge::{
    cluster as judge_cluster, topic as judge_topic, unread as judge_unread, wanted_partitions as judge_partitions,
};

use super::blocking::blocking;
use super::names::Names;
use super::settings::{KafkaOptions, LARGEST_BATCH};
use crate::port::LogError;

const CALL: Duration = Duration::from_secs(15);

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

/// Asks whether the cluster answers and all topics are there.
///
/// # Errors
/// `Transient` when no broker can be reached; `Fatal` when none lets us in, or topics are missing or may not be seen: with
/// what to do.
pub async fn require(options: &KafkaOptions) -> Result<(), LogError> {
    let missing = missing(options).await?;
    if missing.is_empty() {
        return Ok(());
    }
    let names: Vec<String> = missing.iter().map(|spec| options.topic_name(spec.topic)).collect();
    let doing = format!("connecting to Kafka at {}", options.brokers);
    let cause = format!("topics are missing: {}; `slipstream topics ensure` makes them", names.join(", "));
    Err(LogError::Fatal { doing, cause: cause.into() })
}

/// The topics that are not there.
///
/// # Errors
/// As [`require`] has them, but for missing topics.
async fn missing(options: &KafkaOptions) -> Result<Vec<&'static TopicSpec>, LogError> {
    let options = options.clone();
    blocking(move || {
        let names = Names::new(&options.prefix);
        let (asker, metadata) = hearing::metadata(&options)?;
        let listed = |spec: &TopicSpec| metadata.topics().iter().any(|found| found.name() == names.of(spec.topic));
        let mut missing = Vec::new();
        let mut hidden = Vec::new();
        for spec in TOPICS.iter().filter(|spec| !listed(spec)) {
            match hearing::absence(&asker, names.of(spec.topic))? {
                None => {}
                Some(Absent::Missing) => missing.push(spec),
                Some(Absent::Hidden) => hidden.push(names.of(spec.topic)),
            }
        }
        if hidden.is_empty() {
            return Ok(missing);
        }
        let doing = format!("connecting to Kafka at {}", options.brokers);
        let cause =
            format!("the user may not see {}; {}", hidden.join(", "), judge::allow(&options.prefix, "Describe"));
        Err(LogError::Fatal { doing, cause: cause.into() })
    })
    .await
}

/// Refuses topics on which roles would count wrong without a word: that take producers' times, or lose records that nobody
/// has read. Where settings are not known, the records tell (`times`), and `slipstream doctor` says what to allow.
///
/// # Errors
/// `Fatal`, with what to do.
pub async fn require_counting(options: &KafkaOptions) -> Result<(), LogError> {
    let all = facts::all_settings(options).await.unwrap_or_else(|error| {
        tracing::info!(%error, "settings of topics were not checked");
        Vec::new()
    });
    for (topic, settings) in all {
        let found = settings
            .ok()
            .and_then(|settings| judge::miscounts(topic, &options.topic_name(topic), &settings, &options.brokers));
        if let Some(Finding { check, message, todo, .. }) = found {
            let cause = format!("{message}; {}", todo.unwrap_or_default());
            return Err(LogError::Fatal {
                doing: format!("looking at the settings of {check}"),
                cause: Cause::from(cause),
            });
        }
    }
    Ok(())
}
