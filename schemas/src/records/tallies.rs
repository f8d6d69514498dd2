//! What tally publishes: sums of weights, and bad events to point at.

use serde::{Deserialize, Serialize};

use crate::time::LogTime;

/// Why a TallyBatch exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Covers input offsets `[from, to)`.
    Live,
    /// Covers nothing; says that its source is known up to `stamp`.
    Idle,
    /// Counts what came before a generation's cut.
    Backfill,
    /// Signed corrections of an exclusion.
    Correction,
}

/// What tally publishes: per step and target partition, the summed weights of its input range.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TallyBatch {
    /// Partition of request-events that was read.
    pub source: i32,
    /// How many partitions request-events has.
    pub sources: i32,
    /// First offset covered.
    pub from: i64,
    /// First offset not covered.
    pub to: i64,
    /// Log time up to which the source was read.
    pub stamp: LogTime,
    /// The least stamp among the partitions of this process that have something to read.
    pub low: LogTime,
    /// Why the batch exists.
    pub origin: Origin,
    /// End offset of slo-definitions (partition 0) that the step had read: a reader applies revisions below it.
    pub revision: i64,
    /// Sums per series, tick and slot.
    pub entries: Vec<TallyEntry>,
    /// Bad events: at most one per series and tick, the one with the lowest id hash.
    pub exemplars: Vec<TallyExemplar>,
}

/// One cell of a TallyBatch: weights are signed because a correction may take back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TallyEntry {
    /// SLO name.
    pub slo: String,
    /// Generation: the cut (log time, ms) of the SLO's last change of meaning.
    pub generation: i64,
    /// Objective: its display name, or its index.
    pub objective: String,
    /// Values of groupBy, in its order.
    pub group: Vec<String>,
    /// Log time in whole seconds.
    pub tick: i64,
    /// SLI time in whole seconds.
    pub slot: i64,
    /// Weight of good events.
    pub good: i64,
    /// Weight of good and bad events.
    pub total: i64,
    /// Weight of events whose filter could not be decided.
    pub unknown: i64,
}

/// A bad event of a series and tick.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TallyExemplar {
    /// SLO name.
    pub slo: String,
    /// Generation of the SLO.
    pub generation: i64,
    /// Objective.
    pub objective: String,
    /// Values of groupBy.
    pub group: Vec<String>,
    /// Log time in whole seconds.
    pub tick: i64,
    /// The event itself.
    pub exemplar: Exemplar,
}

/// A pointer to an event that was bad.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exemplar {
    /// Its event_id.
    pub event_id: String,
    /// Its trace id, if it had one.
    pub trace_id: Option<String>,
    /// Its event time, microseconds.
    pub time: i64,
}
