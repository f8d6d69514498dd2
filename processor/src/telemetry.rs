//! What happens in tally and burn, as log lines and metrics.

use std::sync::LazyLock;
use std::time::Duration;

use prometheus::{GaugeVec, IntCounterVec, IntGaugeVec};
use slipstream_log::{Position, TopicPartition};
use slipstream_role::burn_state::RestoreCost;
use slipstream_runtime::event::{Event, Seldom};
use slipstream_runtime::metrics::{counter, gauge, seconds};
use slipstream_slo::tally::Decided;

static RECORDS: LazyLock<IntCounterVec> = LazyLock::new(|| {
    counter("slipstream_tally_records_total", "Records of request-events by what became of them", &["outcome"])
});
static STAMP: LazyLock<GaugeVec> = LazyLock::new(|| {
    seconds("slipstream_tally_stamp_seconds", "Log time up to which a partition was tallied, Unix time", &["partition"])
});
static BURN_BATCHES: LazyLock<IntCounterVec> =
    LazyLock::new(|| counter("slipstream_burn_batches_total", "Tally batches folded", &["partition"]));
static BURN_RATES: LazyLock<IntCounterVec> = LazyLock::new(|| {
    counter("slipstream_burn_rates_total", "Burn rates published, by whether the tick was complete", &["complete"])
});
static BURN_CHUNKS: LazyLock<IntCounterVec> =
    LazyLock::new(|| counter("slipstream_burn_snapshot_chunks_total", "Snapshot records written", &["partition"]));
static BURN_RESTORE: LazyLock<GaugeVec> = LazyLock::new(|| {
    seconds("slipstream_burn_restore_seconds", "How long the last restore of a partition's state took", &["partition"])
});
static BURN_SERIES: LazyLock<IntGaugeVec> =
    LazyLock::new(|| gauge("slipstream_burn_restored_series", "Series of the last restore", &["partition"]));
static BURN_TOO_LATE: LazyLock<IntCounterVec> = LazyLock::new(|| {
    let help = "Weight of events that were older, when they arrived, than any window of an objective that they match";
    counter("slipstream_burn_too_late_events_total", help, &["partition"])
});
static REASSIGNED: LazyLock<IntCounterVec> =
    LazyLock::new(|| counter("slipstream_partitions_gained_total", "Partitions gained by a role", &["role"]));

/// A role gained a partition.
pub struct Reassigned {
    /// The role.
    pub role: &'static str,
    /// What it gained.
    pub partition: TopicPartition,
    /// Where it continues.
    pub position: Position,
}

impl Event for Reassigned {
    fn emit(self) {
        let Reassigned { role, partition, position } = self;
        tracing::debug!(role, %partition, offset = position.offset, "partition gained");
        REASSIGNED.with_label_values(&[role]).inc();
    }
}

/// A step of tally was committed.
pub struct TallyStep {
    partition: TopicPartition,
    stamp: i64,
    accepted: u64,
    duplicates: u64,
    dead: u64,
    undercut: u64,
}

impl TallyStep {
    /// What the step says.
    pub fn of<E>(partition: TopicPartition, decided: &Decided<E>) -> Self {
        TallyStep {
            partition,
            stamp: decided.stamp.0,
            accepted: decided.accepted,
            duplicates: decided.duplicates,
            dead: decided.dead.len() as u64,
            undercut: decided.undercut,
        }
    }
}

impl Event for TallyStep {
    fn emit(self) {
        let TallyStep { partition, stamp, accepted, duplicates, dead, undercut } = self;
        if dead > 0 {
            tracing::warn!(%partition, dead, "invalid events went to dead-letters");
        }
        if undercut > 0 {
            tracing::warn!(%partition, undercut, "records became visible below the horizon (L7): counted in a later tick");
        }
        for (outcome, n) in [("accepted", accepted), ("duplicate", duplicates), ("dead", dead), ("undercut", undercut)]
        {
            RECORDS.with_label_values(&[outcome]).inc_by(n);
        }
        STAMP.with_label_values(&[&partition.partition.to_string()]).set(stamp as f64 / 1e3);
    }
}

/// A step of burn was committed.
pub struct BurnStep {
    /// Partition of sli-tallies.
    pub partition: TopicPartition,
    /// Batches folded.
    pub batches: u64,
    /// Burn rates published at complete ticks.
    pub complete: u64,
    /// Burn rates published at incomplete ticks.
    pub incomplete: u64,
    /// Snapshot records written.
    pub chunks: u64,
    /// Weight of events that no window reaches any more.
    pub too_late: u64,
}

impl Event for BurnStep {
    fn emit(self) {
        let partition = self.partition.partition.to_string();
        if self.incomplete > 0 {
            tracing::debug!(partition = %self.partition, rates = self.incomplete, "a source is missing: incomplete ticks");
        }
        BURN_BATCHES.with_label_values(&[&partition]).inc_by(self.batches);
        BURN_RATES.with_label_values(&["true"]).inc_by(self.complete);
        BURN_RATES.with_label_values(&["false"]).inc_by(self.incomplete);
        BURN_CHUNKS.with_label_values(&[&partition]).inc_by(self.chunks);
        BURN_TOO_LATE.with_label_values(&[&partition]).inc_by(self.too_late);
        static SELDOM: Seldom = Seldom::every(Duration::from_secs(60));
        if self.too_late > 0
            && let Some(events) = SELDOM.count(self.too_late)
        {
            tracing::warn!(events, "events arrived too late for any window of their SLO (see slipstream slo status)");
        }
    }
}

/// Burn restored a partition's state.
pub struct BurnRestored {
    /// Partition of sli-tallies.
    pub partition: TopicPartition,
    /// What it took.
    pub cost: RestoreCost,
}

impl Event for BurnRestored {
    fn emit(self) {
        let RestoreCost { series, chunks, bytes, replayed, reading, folding } = self.cost;
        tracing::info!(partition = %self.partition, series, chunks, bytes, replayed, ?reading, ?folding, "burn state restored");
        let partition = self.partition.partition.to_string();
        BURN_RESTORE.with_label_values(&[&partition]).set((reading + folding).as_secs_f64());
        BURN_SERIES.with_label_values(&[&partition]).set(series as i64);
    }
}
