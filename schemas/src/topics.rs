//! The one table of topics: names, partitions, retention, what is compacted, and which ones need LogAppendTime.

use std::time::Duration;

use crate::retention::DAY;

/// A topic of Slipstream, without an installation's prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Topic {
    /// Requests as producers saw them, keyed by event_id.
    RequestEvents,
    /// OpenSLO documents and Settings, keyed by kind and name.
    SloDefinitions,
    /// TallyBatch, partition chosen by hash of the SLO name.
    SliTallies,
    /// Chunks of burn's state, keyed by partition and chunk.
    BurnSnapshots,
    /// BurnRates, keyed by series.
    BurnRates,
    /// AlertTransition, keyed by alert id.
    Alerts,
    /// Delivery outcomes, keyed by alert id.
    Notifications,
    /// How far each import got, keyed by file identity.
    ImportPositions,
    /// What broke a rule: original key, bytes and headers, and provenance headers.
    DeadLetters,
    /// Marker, keyed by its id.
    Markers,
    /// Token, keyed by its id.
    Tokens,
    /// Silence, keyed by its id; Acknowledgement, keyed by `ack/`, the alert's id and its episode.
    Silences,
}

/// How long records stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// For a time.
    For(Duration),
    /// For ever.
    Forever,
    /// The newest of each key; older ones at least for `floor`.
    Compacted {
        /// Time in which nothing is compacted.
        floor: Duration,
    },
}

/// A row of the table.
#[derive(Debug, Clone, Copy)]
pub struct TopicSpec {
    /// Which topic.
    pub topic: Topic,
    /// Its name, without prefix.
    pub name: &'static str,
    /// Partitions on a broker, unless the configuration says otherwise.
    pub partitions: u32,
    /// Partitions in the embedded log.
    pub embedded_partitions: u32,
    /// Retention.
    pub kept: Kept,
    /// Whether the log, not the producer, must give the time.
    pub log_append_time: bool,
}

const fn row(topic: Topic, name: &'static str, partitions: u32, kept: Kept, log_append_time: bool) -> TopicSpec {
    TopicSpec { topic, name, partitions, embedded_partitions: 1, kept, log_append_time }
}

const ANY_TIME: Kept = Kept::Compacted { floor: Duration::ZERO };
const NOT_WITHIN_A_DAY: Kept = Kept::Compacted { floor: DAY };
const fn days(n: u32) -> Kept {
    Kept::For(Duration::from_secs(DAY.as_secs() * n as u64))
}

/// Every topic there is.
pub const TOPICS: [TopicSpec; 12] = [
    row(Topic::RequestEvents, "request-events", 8, days(7), true),
    row(Topic::SloDefinitions, "slo-definitions", 1, Kept::Forever, true),
    row(Topic::SliTallies, "sli-tallies", 4, days(3), true),
    row(Topic::BurnSnapshots, "burn-snapshots", 4, ANY_TIME, true),
    row(Topic::BurnRates, "burn-rates", 4, NOT_WITHIN_A_DAY, true),
    row(Topic::Alerts, "alerts", 4, days(90), true),
    row(Topic::Notifications, "notifications", 4, days(90), true),
    row(Topic::ImportPositions, "import-positions", 1, ANY_TIME, true),
    row(Topic::DeadLetters, "dead-letters", 4, days(14), true),
    row(Topic::Markers, "markers", 1, days(400), true),
    row(Topic::Tokens, "tokens", 1, ANY_TIME, true),
    row(Topic::Silences, "silences", 1, ANY_TIME, true),
];

impl Topic {
    /// Its row in the table.
    pub fn spec(self) -> &'static TopicSpec {
        &TOPICS[self as usize]
    }

    /// Its name, without prefix.
    pub fn name(self) -> &'static str {
        self.spec().name
    }

    /// The topic of a name without prefix.
    pub fn from_name(name: &str) -> Option<Topic> {
        TOPICS.iter().find(|s| s.name == name).map(|s| s.topic)
    }
}

impl std::fmt::Display for Topic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_stand_in_the_order_of_the_enum() {
        for (i, spec) in TOPICS.iter().enumerate() {
            assert_eq!(spec.topic as usize, i, "{}", spec.name);
            assert_eq!(Topic::from_name(spec.name), Some(spec.topic));
        }
    }
}
