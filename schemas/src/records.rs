//! The records of the internal topics. Each has an Avro schema of the same name under `avsc/`; `codec` writes and reads
//! them as Avro single-object encoding.

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

/// What burn publishes of a series at a tick.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BurnRates {
    /// SLO name.
    pub slo: String,
    /// Objective.
    pub objective: String,
    /// Values of groupBy.
    pub group: Vec<String>,
    /// Generation of the SLO.
    pub generation: i64,
    /// The tick evaluated; windows end at tick + 1 s.
    pub tick: i64,
    /// End offset of slo-definitions that burn had applied.
    pub revision: i64,
    /// False where a source was left out.
    pub complete: bool,
    /// True on the last record of a series whose SLO or objective was deleted or changed its meaning: nothing counts there
    /// any more, and it has no windows.
    pub retired: bool,
    /// One per window the SLO needs, shortest first; the budget's period is the last.
    pub windows: Vec<WindowRates>,
    /// good / total over the budget's period; null without traffic.
    pub sli: Option<f64>,
    /// What the period allows to be bad, by unit: (1 - target) x total, of sliced time (1 - target) x the whole period.
    pub budget_total: f64,
    /// Share of the budget that is left: 1 - bad / budget_total; negative when overspent; 1 without traffic.
    pub budget_remaining: f64,
    /// Unix seconds at which the budget is spent at the present rate; null when it is not being spent, is spent, or begins
    /// anew before.
    pub exhaustion_at: Option<i64>,
    /// Every rule of the SLO and since when its condition holds.
    pub conditions: Vec<ConditionSince>,
    /// Weight of events that could not be decided.
    pub unknown: i64,
    /// Weight of events that were older, at their own tick, than any window reaches.
    pub too_late: i64,
    /// Unix seconds from which on the counts cover everything.
    pub covered_from: i64,
    /// Sources that were up to date.
    pub sources_current: i32,
    /// Sources there are.
    pub sources: i32,
    /// Newest bad events, newest first, at most five.
    pub exemplars: Vec<Exemplar>,
    /// What good, total and budget_total count.
    #[serde(default)]
    pub unit: BudgetUnit,
    /// The target in force, as a share; null on the last record of a retired series.
    #[serde(default)]
    pub target: Option<f64>,
    /// Unix seconds at which the budget's present period began, where it is one of a calendar; null where the window
    /// rolls.
    #[serde(default)]
    pub period_start: Option<i64>,
    /// The period of the calendar before the present one, as far as it is covered; null where the window rolls.
    #[serde(default)]
    pub previous: Option<PeriodCounts>,
}

/// What a budget is counted in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BudgetUnit {
    /// Weights of events.
    #[default]
    Events,
    /// Seconds, of an objective whose time is sliced.
    Seconds,
    /// Parts of 1,000,000,000, of a composite.
    Share,
}

/// Counts of a whole period of a calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeriodCounts {
    /// Unix seconds at which it began.
    pub start: i64,
    /// Its length.
    pub seconds: i64,
    /// As in [`WindowRates::good`].
    pub good: i64,
    /// As in [`WindowRates::total`].
    pub total: i64,
}

/// Counts of one window.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WindowRates {
    /// Length in seconds.
    pub seconds: i64,
    /// Slot of the ring that served it: the window covers [seconds, seconds + slot_seconds). 0: exact, the present period
    /// of a calendar.
    pub slot_seconds: i32,
    /// What was good, by unit.
    pub good: i64,
    /// Good and bad, by unit.
    pub total: i64,
    /// (bad / total) / (1 - target); 0 without traffic.
    pub burn: f64,
}

/// Whether, and since which tick, a rule's condition holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConditionSince {
    /// Rule name, unique within the SLO.
    pub rule: String,
    /// Whether it holds at this tick.
    pub holds: bool,
    /// First tick at which it held without a break; null when it does not hold. On an incomplete tick a condition that
    /// is false keeps the since it had.
    pub since: Option<i64>,
}

/// A change of an alert's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TransitionKind {
    /// A condition began to hold; `for` runs.
    Pending,
    /// It ceased before it was ripe.
    Inactive,
    /// It held long enough.
    Firing,
    /// No condition holds; `keep_firing_for` runs.
    Keeping,
    /// A condition holds again while keeping.
    Resumed,
    /// The worst ripe rule is another one.
    Severity,
    /// Over.
    Resolved,
}

/// One step of an alert's machine, and its whole state after it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AlertTransition {
    /// Hash of slo, objective, group and rule set: 16 hex digits.
    pub alert_id: String,
    /// The tick of its pending.
    pub episode: i64,
    /// 1 for pending, then counting.
    pub seq: i32,
    /// SLO name.
    pub slo: String,
    /// Service of the SLO.
    pub service: String,
    /// Objective.
    pub objective: String,
    /// groupBy labels and their values.
    pub group: Vec<GroupLabel>,
    /// Rule set.
    pub rule_set: String,
    /// The worst ripe rule (while pending: the first that holds; when it ends: the last one).
    pub rule: String,
    /// Severity of the worst ripe rule; empty while pending.
    pub severity: String,
    /// What happened.
    pub kind: TransitionKind,
    /// When, in whole seconds of log time.
    pub tick: i64,
    /// Tick at which it fired in this episode; null before.
    pub fired_at: Option<i64>,
    /// Burn rates that mattered.
    pub values: Vec<AlertValue>,
    /// Generation of the SLO.
    pub generation: i64,
    /// Whether the tick was complete.
    pub complete: bool,
    /// Labels and annotations of the rule, for who receives it.
    pub labels: Vec<Label>,
    /// Annotations of the rule.
    pub annotations: Vec<Label>,
    /// Some bad events.
    pub exemplars: Vec<Exemplar>,
}

/// A grouping dimension and its value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupLabel {
    /// Field or attribute.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// A label or annotation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Label {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// The burn rate of a rule's window at a transition.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AlertValue {
    /// Rule name.
    pub rule: String,
    /// Window in seconds.
    pub window_seconds: i64,
    /// Burn rate there.
    pub burn: f64,
    /// What it must exceed.
    pub threshold: f64,
}

/// How a notification ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The receiver took it.
    Delivered,
    /// The receiver refused it for good.
    Refused,
    /// It was not due: the episode had begun and ended while the alerter was behind, or its firing was never sent.
    NotDue,
}

/// What became of a transition at a receiver: a record, not state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Notification {
    /// The alert.
    pub alert_id: String,
    /// Its episode.
    pub episode: i64,
    /// The transition within it.
    pub seq: i32,
    /// Receiver name.
    pub receiver: String,
    /// How it ended.
    pub outcome: Outcome,
    /// HTTP status, where there was an answer.
    pub status: Option<i32>,
    /// Attempts made.
    pub attempts: i32,
    /// What the receiver or the transport said, for people.
    pub detail: String,
    /// When it ended, milliseconds since the epoch by the notifier's clock.
    pub at: i64,
}

/// How far an import of a file has come.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ImportPosition {
    /// SHA-256 of the first `head` bytes, decompressed, in hex.
    pub file: String,
    /// 4 KiB, or what the file had when it was shorter: a file that begins with these bytes is this one, grown.
    pub head: i64,
    /// Path as last given.
    pub path: String,
    /// Lines consumed.
    pub lines: i64,
    /// Decompressed bytes consumed.
    pub bytes: i64,
    /// Events written.
    pub events: i64,
    /// Lines that went to dead-letters.
    pub rejected: i64,
    /// Microseconds added to event times (`--shift-to-now`), fixed by the first run.
    pub shift: i64,
    /// Bytes of a last line without an end, which went to dead-letters as it was: it is read again when it has grown.
    pub unfinished: i64,
    /// True once the end of the file was reached.
    pub finished: bool,
}

/// A record of slo-definitions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Definition {
    /// `SLO` or `Settings`.
    pub kind: String,
    /// Name within the kind.
    pub name: String,
    /// The document: for an SLO a self-contained OpenSLO document (references inlined) as YAML or JSON; for Settings
    /// JSON. Null: deleted.
    pub document: Option<String>,
    /// Who published it.
    pub author: String,
}

/// What is fixed for an installation when its topics are made. Kept as JSON in the Settings definition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// W of the redelivery rule, milliseconds.
    pub redelivery_window_ms: i64,
    /// From a revision's log time to its cut, milliseconds: 5,000, or 0 where definitions and events are read in one
    /// order.
    pub cut_delay_ms: i64,
}

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
    /// See [`BurnRates::unknown`].
    pub unknown: i64,
    /// See [`BurnRates::too_late`].
    pub too_late: i64,
    /// See [`BurnRates::exemplars`].
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
