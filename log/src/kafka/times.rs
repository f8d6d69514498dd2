//! Records that carry their producers' times (CreateTime): ticks, redelivery and horizons (L7) need the broker's.
//!
//! A topic that is told to take the broker's time keeps what it has, with the times that it has. So such a record is refused
//! as long as its topic makes more of them, and taken once it no longer does.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use slipstream_schemas::{LogTime, Topic};

use super::admin;
use super::settings::KafkaOptions;
use crate::port::{LogError, Offset, TopicPartition};

/// The log time of a record that carries its producer's. It cannot have been written after now, whatever the producer's clock
/// says: a clock that is ahead would move the whole partition into the future.
pub(super) fn log_time_of(timestamp: i64) -> LogTime {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(i64::MAX, |since| since.as_millis() as i64);
    LogTime(timestamp.min(now))
}

/// What is known of the topics that have such records.
pub(super) struct Times {
    options: KafkaOptions,
    /// Topics that take the broker's time by now.
    put_right: Mutex<BTreeSet<Topic>>,
}

impl Times {
    pub(super) fn new(options: KafkaOptions) -> Times {
        Times { options, put_right: Mutex::default() }
    }

    /// Whether the record at an offset, which carries its producer's time, may be taken.
    ///
    /// # Errors
    /// `Fatal` if its topic still takes such times, or does not tell; with what to do.
    pub(super) async fn check(&self, partition: TopicPartition, offset: Offset) -> Result<(), LogError> {
        let topic = partition.topic;
        if !topic.spec().log_append_time || self.lock().contains(&topic) {
            return Ok(());
        }
        let name = self.options.topic_name(topic);
        let now = admin::timestamp_type(&self.options, &name).await?;
        if now.as_deref() == Some("LogAppendTime") {
            if self.lock().insert(topic) {
                tracing::warn!(
                    topic = name,
                    %partition,
                    offset,
                    "records from before the topic took the broker's time count at their producers' times"
                );
            }
            return Ok(());
        }
        Err(LogError::Fatal {
            doing: format!("reading {partition} at offset {offset}"),
            cause: refusal(&name, now.as_deref(), &self.options.brokers).into(),
        })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeSet<Topic>> {
        self.put_right.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why such a record is not taken, and what to do.
fn refusal(name: &str, now: Option<&str>, brokers: &str) -> String {
    let set = admin::set_topic(brokers, name, "message.timestamp.type", "LogAppendTime");
    let told = match now {
        Some(_) => String::new(),
        None => " (and allow DescribeConfigs on the topic, so that it can be seen that it was done)".to_owned(),
    };
    format!(
        "the record carries its producer's time, not the broker's (message.timestamp.type=CreateTime): ticks, redelivery and \
         horizons need the broker's (L7), and counts would be wrong; {set}{told}, then start again: what is in the topic is \
         taken then, at the times it has"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_producer_whose_clock_is_ahead_moves_no_partition_into_the_future() {
        assert_eq!(log_time_of(1_700_000_000_000), LogTime(1_700_000_000_000));
        let ahead = log_time_of(i64::MAX);
        assert!(ahead.0 > 1_700_000_000_000 && ahead.0 < i64::MAX, "{ahead:?}");
    }

    #[test]
    fn a_refusal_says_what_to_do() {
        let refused = refusal("p.request-events", Some("CreateTime"), "b:1");
        assert!(refused.contains("--entity-name p.request-events --add-config message.timestamp.type=LogAppendTime"));
        assert!(!refused.contains("DescribeConfigs"), "{refused}");
        assert!(refusal("t", None, "b:1").contains("DescribeConfigs"));
    }
}
