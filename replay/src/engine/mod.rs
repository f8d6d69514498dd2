//! The engine: a range of request-events through tally, burn and alert decisions, in one process and many threads.
//!
//! Readers bring the blocks of each partition; the partition that is furthest behind is next. Threads decode blocks to
//! columns and sum them by the definitions, each block for itself, but for the dropping of copies: that goes from block to
//! block in order. Burn and alerts are folded by SLO, batch after batch in the order of the blocks. So what comes out does
//! not depend on the number of threads (R2), and is what the roles made of the same records (R1).

mod alerting;
mod copies;
mod dictionary;
mod extremes;
mod fold;
mod notes;
mod pipeline;
mod progress;
mod rows;
mod slots;
mod steps;
mod tallied;
mod traffic;
mod turns;
mod worker;

use std::sync::Arc;

use slipstream_schemas::LogTime;
use slipstream_schemas::records::AlertTransition;
use slipstream_slo::revision::Revisions;

use crate::contributors::Makeups;
use crate::source::Span;
pub use alerting::Alerting;
pub use copies::{Copies, KnownCopies};
pub use dictionary::Tuple;
pub use extremes::{EpisodeKey, Extremes};
pub use notes::{Notes, SeriesName, SeriesNotes, Standing, StepNotes, Stepped};
pub use pipeline::run;
pub use progress::{Now, Phase, Progress};
pub use slots::{Slotted, Slotting};
pub use steps::Steps;
pub use traffic::{Traffic, TrafficCell};

/// A set of definitions.
#[derive(Debug, Clone)]
pub struct Case {
    /// Its revisions.
    pub revisions: Revisions,
    /// The last transition of each alert that was open when the range began; `None` if that is what the warm-up makes it.
    pub open_before: Option<Vec<AlertTransition>>,
}

impl Case {
    /// What its events have in common, before there are any.
    fn makeups(&self) -> Makeups {
        Makeups::new(self.revisions.slo_names())
    }
}

/// What the engine is to do.
pub struct Job {
    /// Sets of definitions, at least one.
    pub cases: Vec<Case>,
    /// Alerts of which [`Case::open_before`] says whether they were open; of others the warm-up does.
    pub known: Alerting,
    /// Redeliveries are recognised for this long, milliseconds.
    pub window_ms: i64,
    /// What is read, with the warm-up.
    pub span: Span,
    /// What is told of it.
    pub steps: Steps,
    /// Whether counts are noted by slot, too.
    pub slots: Option<Slotting>,
    /// The range begins here, within the span.
    pub from: LogTime,
    /// One for each source.
    pub begins: Vec<Begin>,
    /// Threads that decode and sum; as many fold.
    pub threads: usize,
    /// Told while it works.
    pub progress: Arc<Progress>,
}

/// Where the reading of a source begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begin {
    /// With the first record that there ever was.
    First,
    /// At this log time: earlier records are not read, so numbers are covered from here on.
    At(LogTime),
    /// At this log time: another source has what is earlier.
    After(LogTime),
}

/// What was read. Of a replay that was stopped: up to the last whole second before [`Read::reached`], but for contributors and
/// traffic, which have what was read of each partition.
#[derive(Debug, Default)]
pub struct Read {
    /// Events of the range that count.
    pub events: u64,
    /// Copies that were dropped, in the range.
    pub duplicates: u64,
    /// Records of the range that are no valid event.
    pub invalid: u64,
    /// Per set of definitions.
    pub notes: Vec<Notes>,
    /// Per set of definitions: what the events of each series have in common.
    pub makeups: Vec<Makeups>,
    /// Of every service.
    pub traffic: Traffic,
    /// Up to here all partitions were read.
    pub reached: LogTime,
    /// Copies that were dropped, those before the range, too.
    pub copies: Copies,
}
