//! Topics as in the table of `schemas`: created and checked. The facts about a cluster are read in `facts`; what they
//! mean is decided in `judge`.

mod ensure;
mod facts;
mod finding;
mod hearing;
mod judge;

use std::time::Duration;

use slipstream_schemas::topics::{Kept, TOPICS, TopicSpec};
use slipstream_schemas::{Cause, Topic};

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

/// Bytes of a segment of a topic in which only the newest record of each key matters.
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

/// Checks that the cluster responds and all topics exist.
///
/// # Errors
/// `Transient` when no broker can be reached; `Fatal` when the login is refused, or topics are missing or hidden: with
/// what to do.
pub async fn require(options: &KafkaOptions) -> Result<(), LogError> {
    let missing = missing(options).await?;
    if missing.is_empty() {
        return Ok(());
    }
    let names: Vec<String> = missing.iter().map(|spec| options.topic_name(spec.topic)).collect();
    let doing = format!("connecting to Kafka at {}", options.brokers);
    let cause = format!("topics are missing: {}; run `slipstream topics ensure`", names.join(", "));
    Err(LogError::Fatal { doing, cause: cause.into() })
}

/// The topics that are missing.
///
/// # Errors
/// Those of [`require`], except for missing topics.
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
            format!("this user may not see {}; {}", hidden.join(", "), judge::allow(&options.prefix, "Describe"));
        Err(LogError::Fatal { doing, cause: cause.into() })
    })
    .await
}

/// Refuses topics on which roles would silently count wrong: those that keep producers' timestamps, or lose records
/// that were not read. If settings are not known, the records show it (`times`), and `slipstream doctor` says what to
/// allow.
///
/// # Errors
/// `Fatal`, with what to do.
pub async fn require_counting(options: &KafkaOptions) -> Result<(), LogError> {
    let all = facts::all_settings(options).await.unwrap_or_else(|error| {
        tracing::info!(%error, "topic settings were not checked");
        Vec::new()
    });
    if let Some(topics) = unread(options, &all) {
        tracing::warn!(
            topics,
            "settings of topics may not be read: one that is compacted loses records without a word; {}",
            judge::allow(&options.prefix, "DescribeConfigs")
        );
    }
    for (topic, settings) in all {
        let found = settings
            .ok()
            .and_then(|settings| judge::miscounts(topic, &options.topic_name(topic), &settings, &options.brokers));
        if let Some(Finding { check, message, todo, .. }) = found {
            let cause = format!("{message}; {}", todo.unwrap_or_default());
            return Err(LogError::Fatal {
                doing: format!("reading the settings of {check}"),
                cause: Cause::from(cause),
            });
        }
    }
    Ok(())
}

/// Names of the topics whose settings the user may not read.
fn unread(options: &KafkaOptions, all: &[(Topic, Result<Settings, Untold>)]) -> Option<String> {
    let refused = all.iter().filter(|(_, settings)| *settings == Err(Untold::Refused));
    let names: Vec<String> = refused.map(|(topic, _)| options.topic_name(*topic)).collect();
    (!names.is_empty()).then(|| names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_settings_that_were_refused_are_told_of() {
        let options = KafkaOptions::new("b:1");
        let failed = Err(Untold::Failed("timed out".to_owned()));
        let mut all = vec![(Topic::Alerts, Ok(Settings::new())), (Topic::SliTallies, failed)];
        assert_eq!(unread(&options, &all), None);
        all.extend([(Topic::RequestEvents, Err(Untold::Refused)), (Topic::BurnRates, Err(Untold::Refused))]);
        let names = [Topic::RequestEvents, Topic::BurnRates].map(|topic| options.topic_name(topic));
        assert_eq!(unread(&options, &all), Some(names.join(", ")));
    }
}
