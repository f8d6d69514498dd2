//! What happened, line by line in virtual time, and how often each kind of fault.

use std::collections::BTreeMap;

use slipstream_slo::hash::fnv1a64;

/// The trace of a run. Two runs of one seed have the same, byte for byte.
#[derive(Debug, Clone, Default)]
pub struct Trace {
    lines: Vec<String>,
    faults: BTreeMap<&'static str, u64>,
}

impl Trace {
    /// At so many milliseconds.
    pub fn say(&mut self, at: i64, who: &str, what: &str) {
        self.lines.push(format!("{at:>8} {who:<12} {what}"));
    }

    /// A fault was injected.
    pub fn fault(&mut self, kind: &'static str) {
        *self.faults.entry(kind).or_default() += 1;
    }

    /// Every line.
    pub fn lines(&self) -> &[String] {
        &self.lines
    }

    /// How many faults of each kind.
    pub fn faults(&self) -> &BTreeMap<&'static str, u64> {
        &self.faults
    }

    /// A hash of every byte.
    pub fn hash(&self) -> u64 {
        fnv1a64(self.lines.iter().map(String::as_str))
    }
}
