//! Faults that are switched while traffic runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::scenario::Scenario;

/// The switches of a scenario's faults; clones share them.
#[derive(Debug, Clone)]
pub struct FaultSwitch {
    switches: Arc<[(String, AtomicBool)]>,
}

impl FaultSwitch {
    /// All off.
    pub fn new(scenario: &Scenario) -> Self {
        let switches = scenario.faults.iter().map(|fault| (fault.name.clone(), AtomicBool::new(false)));
        FaultSwitch { switches: switches.collect() }
    }

    /// Switches a fault; whether there is one of that name.
    pub fn set(&self, name: &str, on: bool) -> bool {
        let found = self.switches.iter().find(|(n, _)| n == name);
        if let Some((_, switch)) = found {
            switch.store(on, Ordering::Relaxed);
        }
        found.is_some()
    }

    /// Whether a fault is switched on.
    pub fn is_on(&self, name: &str) -> bool {
        self.switches.iter().any(|(n, switch)| n == name && switch.load(Ordering::Relaxed))
    }
}
