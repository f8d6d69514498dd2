//! What happens in the sink, as log lines and metrics.

use std::sync::LazyLock;
use std::time::Duration;

use prometheus::{GaugeVec, IntCounterVec, IntGauge};
use slipstream_log::{Offset, TopicId, TopicPartition};
use slipstream_runtime::event::{Event, Seldom};
use slipstream_runtime::metrics::{counter, gauge, seconds};
use slipstream_schemas::Topic;
use slipstream_store::StoreError;
use slipstream_store::aggregates::Refreshed;

use crate::fold::Counted;

static RECORDS: LazyLock<IntCounterVec> = LazyLock::new(|| {
    counter("slipstream_sink_records_total", "Records that the sink has processed, by outcome", &["outcome"])
});
static WRITES: LazyLock<IntCounterVec> =
    LazyLock::new(|| counter("slipstream_sink_writes_total", "Transactions of the sink, by outcome", &["outcome"]));
static LOG_TIME: LazyLock<GaugeVec> = LazyLock::new(|| {
    let help = "Log time up to which a partition is stored, Unix time";
    seconds("slipstream_sink_log_time_seconds", help, &["topic", "partition"])
});
static TRIMMED: LazyLock<IntCounterVec> = LazyLock::new(|| {
    counter("slipstream_sink_trimmed_rows_total", "Rows removed because they were past retention", &[])
});

static AGGREGATED: LazyLock<IntCounterVec> = LazyLock::new(|| {
    counter(
        "slipstream_sink_aggregates_total",
        "Aggregates that were made anew, by the length of what they cover",
        &["length"],
    )
});
static STALE: LazyLock<IntGauge> = LazyLock::new(|| {
    let help = "Hours and days whose aggregates are not up to date: questions read their rollups, which takes longer";
    gauge("slipstream_sink_stale_aggregates", help, &[]).with_label_values::<&str>(&[])
});

/// Aggregates were made anew.
pub struct Aggregated {
    /// How many, and what is left.
    pub done: Refreshed,
    /// How long it took.
    pub took: Duration,
}

impl Event for Aggregated {
    fn emit(self) {
        let Refreshed { hours, days, stale } = self.done;
        AGGREGATED.with_label_values(&["hour"]).inc_by(hours);
        AGGREGATED.with_label_values(&["day"]).inc_by(days);
        STALE.set(stale as i64);
        tracing::debug!(hours, days, stale, took_ms = self.took.as_millis() as u64, "aggregates are up to date");
    }
}

/// Aggregates could not be made anew.
pub struct NotAggregated<'a> {
    /// Why.
    pub cause: &'a StoreError,
    /// How many are not up to date, if that can be told.
    pub left: Option<u64>,
}

impl Event for NotAggregated<'_> {
    fn emit(self) {
        if let Some(left) = self.left {
            STALE.set(left as i64);
        }
        static SELDOM: Seldom = Seldom::every(Duration::from_secs(600));
        if let Some(times) = SELDOM.count(1) {
            tracing::warn!(cause = %self.cause, times, "aggregates are not made anew: questions over days read more rows and take longer");
        }
    }
}

static RECREATED: LazyLock<IntCounterVec> = LazyLock::new(|| {
    counter("slipstream_sink_topics_recreated_total", "Topics that were found deleted and recreated", &["topic"])
});

/// A topic was deleted and recreated: it is stored from its first record on.
pub struct Recreated {
    /// Which.
    pub topic: Topic,
    /// The id of the one that positions were places in.
    pub was: String,
    /// Its id.
    pub is: TopicId,
}

impl Event for Recreated {
    fn emit(self) {
        let Recreated { topic, was, is } = self;
        tracing::warn!(
            %topic,
            %was,
            %is,
            "the topic was deleted and recreated: it is stored from its first record on; what was stored of the old one stays, \
             what was not is lost (docs/operations-kafka.md, \"A topic that was recreated\")"
        );
        RECREATED.with_label_values(&[topic.name()]).inc();
    }
}

/// A batch is in the store.
pub struct Wrote {
    /// What it consisted of.
    pub counted: Counted,
    /// Positions it moved, with the log time of the last record.
    pub positions: Vec<(TopicPartition, i64)>,
    /// How long it took.
    pub took: Duration,
}

impl Event for Wrote {
    fn emit(self) {
        let Wrote { counted, positions, took } = self;
        let Counted { events, duplicates, invalid, refused, others } = counted;
        tracing::debug!(events, duplicates, invalid, refused, others, took_ms = took.as_millis() as u64, "stored");
        let outcomes = [
            ("stored", events),
            ("duplicate", duplicates),
            ("invalid", invalid),
            ("refused", refused),
            ("other", others),
        ];
        for (outcome, n) in outcomes {
            RECORDS.with_label_values(&[outcome]).inc_by(n);
        }
        WRITES.with_label_values(&["written"]).inc();
        for (partition, log_time) in positions {
            let gauge = LOG_TIME.with_label_values(&[partition.topic.name(), &partition.partition.to_string()]);
            gauge.set(log_time as f64 / 1e3);
        }
    }
}

/// The store cannot be reached; the same will be sent again.
pub struct StoreAway<'a> {
    /// Why.
    pub cause: &'a str,
    /// Attempts so far.
    pub attempts: u32,
    /// When it is tried again.
    pub wait: Duration,
}

impl Event for StoreAway<'_> {
    fn emit(self) {
        let wait_ms = self.wait.as_millis() as u64;
        if self.attempts == 1 {
            tracing::warn!(cause = %self.cause, wait_ms, "the store is unavailable, retrying; nothing is lost meanwhile");
        } else {
            tracing::debug!(cause = %self.cause, attempts = self.attempts, wait_ms, "the store is still unavailable");
        }
        WRITES.with_label_values(&["unavailable"]).inc();
    }
}

/// Events that the store cannot hold are going to dead-letters.
pub struct Refused {
    /// How many.
    pub events: usize,
    /// Why the first of them.
    pub cause: String,
}

impl Event for Refused {
    fn emit(self) {
        tracing::warn!(events = self.events, cause = %self.cause, "the store cannot hold these events; sending them to dead-letters");
    }
}

/// An event that the store refused is no longer in the log.
pub struct Vanished {
    /// Where it was.
    pub partition: TopicPartition,
    /// Its offset.
    pub offset: Offset,
}

impl Event for Vanished {
    fn emit(self) {
        let Vanished { partition, offset } = self;
        tracing::error!(%partition, offset, "the store refused a record that retention has already removed from the log, so there is no dead letter");
    }
}

/// Someone else moved positions: the batch was dropped, reading starts again at the store's positions.
pub struct Moved;

impl Event for Moved {
    fn emit(self) {
        tracing::warn!("another sink has moved the store's positions: continuing from there");
        WRITES.with_label_values(&["moved"]).inc();
    }
}

/// A partition was gained.
pub struct Gained {
    /// Which.
    pub partition: TopicPartition,
    /// The store's position; `None` if it has nothing of it.
    pub stored: Option<Offset>,
    /// Where reading starts.
    pub next: Offset,
}

impl Event for Gained {
    fn emit(self) {
        let Gained { partition, stored, next } = self;
        let expired = next - stored.unwrap_or(0);
        match stored {
            _ if expired <= 0 => tracing::debug!(%partition, next, "partition gained"),
            None => {
                tracing::info!(%partition, expired, next, "the store is new: starting at the oldest record in the log")
            }
            Some(_) => {
                tracing::error!(%partition, expired, next, "the log's retention removed records before they were stored")
            }
        }
        RECORDS.with_label_values(&["expired"]).inc_by(expired.max(0).unsigned_abs());
    }
}

/// Rows past retention were removed.
pub struct Trimmed {
    /// How many.
    pub rows: u64,
}

impl Event for Trimmed {
    fn emit(self) {
        tracing::debug!(rows = self.rows, "rows past retention removed");
        TRIMMED.with_label_values::<&str>(&[]).inc_by(self.rows);
    }
}

/// Rows past retention could not be removed; it is tried again later.
pub struct NotTrimmed<'a> {
    /// Why.
    pub cause: &'a dyn std::fmt::Display,
}

impl Event for NotTrimmed<'_> {
    fn emit(self) {
        tracing::warn!(cause = %self.cause, "rows past retention could not be removed; retrying later");
    }
}
