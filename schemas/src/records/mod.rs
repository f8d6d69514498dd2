//! The records of the internal topics. Each has an Avro schema of the same name under `avsc/`; `codec` writes and reads
//! them as Avro single-object encoding.

mod alerts;
mod burn;
mod definitions;
mod imports;
mod markers;
mod silences;
mod snapshots;
mod tallies;
mod tokens;

pub use alerts::{
    AlertTransition, AlertValue, GroupLabel, Label, Notification, NotificationReason, Outcome, TransitionKind,
};
pub use burn::{BudgetUnit, BurnRates, ConditionSince, OF_RULE, PeriodCounts, WindowRates};
pub use definitions::{Definition, Settings};
pub use imports::{ImportCheck, ImportPosition, ImportReading};
pub use markers::{Marker, MarkerKind};
pub use silences::{Acknowledgement, LabelMatcher, MatchOp, Recurrence, Said, Silence};
pub use snapshots::{BurnChunk, BurnHead, PeriodSnapshot, RingSnapshot, SeriesSnapshot, SlicesSnapshot, SloSnapshot};
pub use tallies::{Exemplar, Origin, TallyBatch, TallyEntry, TallyExemplar};
pub use tokens::{Scope, Token, TokenState};
