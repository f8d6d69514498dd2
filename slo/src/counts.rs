//! Sums of weights.

/// Weights in a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// What was good: events, slices of time or parts of them.
    pub good: i64,
    /// Good and bad.
    pub total: i64,
}

impl Counts {
    /// What was bad.
    pub fn bad(self) -> i64 {
        self.total - self.good
    }
}
