//! One typed event is the log line and the metric: the two cannot drift.
//!
//! A role declares its events in a file `telemetry.rs`: a struct with the facts, and `emit`, which says them by `tracing` and
//! counts them by [`crate::metrics`]. Code elsewhere in the role calls neither directly.

/// Something that happened and that a person or a dashboard should know.
pub trait Event {
    /// Writes the log line and moves the metrics.
    fn emit(self);
}
