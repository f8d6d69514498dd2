//! Records with their producers' timestamps (CreateTime): ticks, redelivery and horizons (L7) need the broker's.
//!
//! A topic that is switched to the broker's time keeps its records with the timestamps they have. So such a record is
//! refused as long as its topic produces more of them, and accepted once it no longer does.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use slipstream_schemas::LogTime;

use super::admin;
use super::buffer::ProducersTimes;
use super::settings::KafkaOptions;
use crate::port::{LogError, Offset, TopicPartition};

/// What is known of the partitions that have such records.
pub(super) struct Times {
    options: KafkaOptions,
    /// Where partitions ended when their topic was seen to take the broker's time: what lies below may carry its producers',
    /// what comes later tells that the topic takes them again.
    put_right: Mutex<BTreeMap<TopicPartition, Offset>>,
}

impl Times {
    pub(super) fn new(options: KafkaOptions) -> Times {
        Times { options, put_right: Mutex::default() }
    }

    /// Whether it is known that these records, which carry their producers' times, may be taken.
    ///
    /// # Errors
    /// `Fatal` if one of them is of the future. Its time is that of the log from there on: taken as it is, it would move the whole
    /// partition into the future, and cut to the time at which it is read it would be another one with every reader.
    pub(super) fn knows(&self, partition: TopicPartition, found: ProducersTimes) -> Result<bool, LogError> {
        if !partition.topic.spec().log_append_time {
            return Ok(true);
        }
        refuse_the_future(partition, found, now())?;
        Ok(self.lock().get(&partition).is_some_and(|end| found.last < *end))
    }

    /// Asks whether the records may be taken. `end`: where the partition ended before this was asked.
    ///
    /// # Errors
    /// `Fatal` if their topic still takes such times, or does not tell; with what to do.
    pub(super) async fn check(
        &self,
        partition: TopicPartition,
        found: ProducersTimes,
        end: Offset,
    ) -> Result<(), LogError> {
        let name = self.options.topic_name(partition.topic);
        let now = admin::timestamp_type(&self.options, &name).await?;
        if now.as_deref() == Some("LogAppendTime") {
            self.note(partition, found, end);
            return Ok(());
        }
        Err(LogError::Fatal {
            doing: format!("reading {partition} at offset {}", found.first),
            cause: refusal(&name, now.as_deref(), &self.options.brokers).into(),
        })
    }

    fn note(&self, partition: TopicPartition, found: ProducersTimes, end: Offset) {
        // What was read is there, whatever the end was.
        if self.lock().insert(partition, end.max(found.last + 1)).is_none() {
            tracing::warn!(
                %partition,
                offset = found.first,
                "records from before the topic took the broker's time count at their producers' times"
            );
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<TopicPartition, Offset>> {
        self.put_right.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn now() -> LogTime {
    LogTime(SystemTime::now().duration_since(UNIX_EPOCH).map_or(i64::MAX, |since| since.as_millis() as i64))
}

fn refuse_the_future(partition: TopicPartition, found: ProducersTimes, now: LogTime) -> Result<(), LogError> {
    let ahead = found.latest.0.saturating_sub(now.0);
    if ahead <= 0 {
        return Ok(());
    }
    let ProducersTimes { first, last, .. } = found;
    Err(LogError::Fatal {
        doing: format!("reading {partition} at offsets {first} to {last}"),
        cause: format!(
            "a record has its producer's time, which is {} s ahead of this machine's clock; it is taken when that time has come. \
             To go on before, move to a new installation: docs/operations-kafka.md, \"Another number of partitions\"",
            ahead.unsigned_abs().div_ceil(1_000)
        )
        .into(),
    })
}

/// Why such a record is not taken, and what to do.
fn refusal(name: &str, now: Option<&str>, brokers: &str) -> String {
    let set = admin::set_topic(brokers, name, "message.timestamp.type", "LogAppendTime");
    let told = match now {
        Some(_) => String::new(),
        None => " (and allow DescribeConfigs on the topic, so that the change can be seen)".to_owned(),
    };
    format!(
        "the record has its producer's time (message.timestamp.type=CreateTime), so counts would be wrong; run: {set}{told}; then \
         restart. Records already in the topic keep their times"
    )
}

#[cfg(test)]
mod tests {
    use slipstream_schemas::Topic;

    use super::*;

    const PLACE: TopicPartition = TopicPartition { topic: Topic::RequestEvents, partition: 0 };

    fn found(first: Offset, last: Offset, latest: i64) -> ProducersTimes {
        ProducersTimes { first, last, latest: LogTime(latest) }
    }

    #[test]
    fn a_producer_whose_clock_is_ahead_moves_no_partition_into_the_future() {
        assert!(refuse_the_future(PLACE, found(3, 9, 5_000), LogTime(5_000)).is_ok());
        let refused = refuse_the_future(PLACE, found(3, 9, 5_001), LogTime(5_000)).unwrap_err();
        assert!(matches!(refused, LogError::Fatal { .. }));
        assert!(
            refused.to_string().contains("offsets 3 to 9") && refused.to_string().contains("1 s ahead"),
            "{refused}"
        );
        assert!(refuse_the_future(PLACE, found(3, 9, i64::MAX), LogTime(5_000)).is_err());
    }

    #[test]
    fn what_comes_after_the_topic_was_put_right_is_asked_about_again() {
        let times = Times::new(KafkaOptions::new("b:1"));
        let knows = |last| times.knows(PLACE, found(0, last, 0)).unwrap();
        assert!(!knows(9));
        times.note(PLACE, found(0, 9, 0), 100);
        assert!(knows(9) && knows(99));
        assert!(!knows(100), "the topic takes producers' times again");
        times.note(PLACE, found(100, 120, 0), 110);
        assert!(knows(120) && !knows(121));
        let other = TopicPartition { partition: 1, ..PLACE };
        assert!(!times.knows(other, found(0, 9, 0)).unwrap());
    }

    #[test]
    fn a_refusal_says_what_to_do() {
        let refused = refusal("p.request-events", Some("CreateTime"), "b:1");
        assert!(refused.contains("--entity-name p.request-events --add-config message.timestamp.type=LogAppendTime"));
        assert!(!refused.contains("DescribeConfigs"), "{refused}");
        assert!(refusal("t", None, "b:1").contains("DescribeConfigs"));
    }
}
