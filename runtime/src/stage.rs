//! The stages of a process, in the order in which they are shut down.

/// The order of shutdown: first what accepts work, last what reports the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// What brings work into the process: gateway, simulator, import.
    Intake,
    /// What works on it: tally, burn, sink, alerter.
    Process,
    /// What sends results out: notifier.
    Deliver,
    /// What answers about the process: health and metrics.
    Serve,
}

impl Stage {
    /// All stages in the order in which they are shut down.
    pub const ORDER: [Stage; 4] = [Stage::Intake, Stage::Process, Stage::Deliver, Stage::Serve];
}
