//! Burn's state as it travels: chunks of SLOs, their series, and what these count by.

use serde::{Deserialize, Serialize};

use super::burn::ConditionSince;
use super::tallies::{Exemplar, TallyEntry, TallyExemplar};
use crate::time::LogTime;

/// A part of burn's state, as of tally offset `at`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BurnChunk {
    /// Partition of sli-tallies.
    pub partition: i32,
    /// Which chunk of the partition: the upper half of the SLO-name hash, modulo `chunks`.
    pub chunk: i32,
    /// Chunks of the partition.
    pub chunks: i32,
    /// Which record of the chunk; the parts are written in one step.
    pub part: i32,
    /// Records of the chunk.
    pub parts: i32,
    /// Next tally offset: all below is in it.
    pub at: i64,
    /// The fold's header at `at`.
    pub head: BurnHead,
    /// State of the chunk's SLOs (spread over the parts).
    pub slos: Vec<SloSnapshot>,
}

/// The part of burn's state that no SLO owns.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct BurnHead {
    /// Per source: the newest stamp, -1 when none came.
    pub stamps: Vec<LogTime>,
    /// Per source: first offset not covered, -1 when none came.
    pub positions: Vec<i64>,
    /// Newest low.
    pub low: LogTime,
    /// Next tick to evaluate; null before the first cut.
    pub next_tick: Option<i64>,
    /// Sources known.
    pub sources: i32,
    /// End offset of slo-definitions to apply.
    pub revision: i64,
}

/// State of one SLO.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SloSnapshot {
    /// SLO name.
    pub slo: String,
    /// Active generation; null before its cut.
    pub generation: Option<i64>,
    /// Unix seconds from which on counts cover everything.
    pub covered_from: i64,
    /// Entries with a tick beyond the last one evaluated.
    pub held: Vec<TallyEntry>,
    /// Exemplars held back likewise.
    pub held_exemplars: Vec<TallyExemplar>,
    /// Its series.
    pub series: Vec<SeriesSnapshot>,
}

/// State of one series.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SeriesSnapshot {
    /// Objective.
    pub objective: String,
    /// Values of groupBy.
    pub group: Vec<String>,
    /// Cells per ring, only those that hold something.
    pub rings: Vec<RingSnapshot>,
    /// Conditions as last evaluated; null: never evaluated.
    pub conditions: Option<Vec<ConditionSince>>,
    /// Tallied since last published.
    pub dirty: bool,
    /// See [`super::BurnRates::unknown`].
    pub unknown: i64,
    /// See [`super::BurnRates::too_late`].
    pub too_late: i64,
    /// See [`super::BurnRates::exemplars`].
    pub exemplars: Vec<Exemplar>,
    /// Slices, where time is sliced.
    #[serde(default)]
    pub slices: Option<SlicesSnapshot>,
    /// The present period of the calendar and the one before; empty where the window rolls.
    #[serde(default)]
    pub periods: Vec<PeriodSnapshot>,
    /// Whether it stands for the objectives of a composite SLO together; then it counts nothing itself.
    #[serde(default)]
    pub composite: bool,
}

/// Slices of time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlicesSnapshot {
    /// Length of a slice.
    pub seconds: i64,
    /// How many slices are kept.
    pub kept: i64,
    /// Whether a slice counts by its share of bad; else it is good or bad.
    pub shares: bool,
    /// Events of the newest slices.
    pub counts: RingSnapshot,
    /// Slices (Unix seconds / seconds) that are not wholly good, ascending, as differences.
    pub slots: Vec<i64>,
    /// Their shares of bad in parts of 1,000,000,000; empty where a slice is good or bad.
    pub bad: Vec<i64>,
}

/// Sums of a period of a calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeriodSnapshot {
    /// Unix seconds at which it begins.
    pub start: i64,
    /// Bad events, or slices, or parts of slices.
    pub bad: i64,
    /// Events; 0 where time is sliced.
    pub total: i64,
}

/// The cells of one ring.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RingSnapshot {
    /// Slot length in seconds.
    pub slot_seconds: i32,
    /// Slot indices (Unix seconds / slot_seconds) that hold something, ascending, as differences.
    pub slots: Vec<i64>,
    /// Good per slot.
    pub good: Vec<i64>,
    /// Total per slot.
    pub total: Vec<i64>,
}
