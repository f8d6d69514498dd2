//! Requests, errors and latencies of each service, step by step.

use std::collections::BTreeMap;

use slipstream_slo::tally::columns::Columns;
use slipstream_store::sketch::Sketch;

use super::dictionary::Dictionary;
use super::steps::Steps;

/// Status codes from here on are errors.
const ERRORS: u16 = 500;

/// A service in a step.
#[derive(Debug, Clone, Default)]
pub struct TrafficCell {
    /// Weight of its requests.
    pub requests: u64,
    /// Weight of those with a status of 500 and above.
    pub errors: u64,
    /// Their latencies.
    pub latencies: Sketch,
}

/// Traffic per service and step. Each thread has its own; they are merged at the end.
#[derive(Debug, Default)]
pub struct Traffic {
    /// Per service: one for each step.
    services: BTreeMap<Box<str>, Vec<TrafficCell>>,
}

/// Traffic of a thread: services by the number of their tuples.
#[derive(Debug)]
pub struct TrafficOfThread {
    steps: Steps,
    numbers: Vec<u32>,
    names: BTreeMap<Box<str>, u32>,
    cells: Vec<Vec<TrafficCell>>,
}

impl TrafficOfThread {
    /// Without traffic.
    pub fn new(steps: Steps) -> TrafficOfThread {
        TrafficOfThread { steps, numbers: Vec::new(), names: BTreeMap::new(), cells: Vec::new() }
    }

    /// Tuples are numbered anew.
    pub fn forget_tuples(&mut self) {
        self.numbers.clear();
    }

    /// Adds the events of a block.
    pub fn add(&mut self, columns: &Columns, dictionary: &Dictionary) {
        let Columns { tuple, slot, weight, latency, .. } = columns;
        // Events come nearly in order of time: the step of one is mostly that of the last.
        let (mut last_slot, mut last_step) = (i64::MIN, None);
        for at in 0..columns.len() {
            if slot[at] != last_slot {
                (last_slot, last_step) = (slot[at], self.steps.of(slot[at]));
            }
            let Some(step) = last_step else { continue };
            let service = self.service(tuple[at], dictionary);
            let cell = &mut self.cells[service][step];
            let weight = u64::from(weight[at]);
            cell.requests += weight;
            if dictionary.tuple(tuple[at]).status_code >= ERRORS {
                cell.errors += weight;
            }
            if !latency[at].is_nan() {
                cell.latencies.add(latency[at], weight);
            }
        }
    }

    fn service(&mut self, tuple: u32, dictionary: &Dictionary) -> usize {
        let at = tuple as usize;
        if let Some(known) = self.numbers.get(at).filter(|known| **known != u32::MAX) {
            return *known as usize;
        }
        let name = &dictionary.tuple(tuple).service;
        let known = match self.names.get(name) {
            Some(known) => *known,
            None => {
                let known = self.cells.len() as u32;
                self.names.insert(name.clone(), known);
                self.cells.push(vec![TrafficCell::default(); self.steps.count()]);
                known
            }
        };
        if at >= self.numbers.len() {
            self.numbers.resize(at + 1, u32::MAX);
        }
        self.numbers[at] = known;
        known as usize
    }
}

impl Traffic {
    /// Adds what a thread saw.
    pub fn merge(&mut self, thread: TrafficOfThread) {
        for (name, number) in thread.names {
            let cells = &thread.cells[number as usize];
            let sums = self.services.entry(name).or_insert_with(|| vec![TrafficCell::default(); cells.len()]);
            for (sum, cell) in sums.iter_mut().zip(cells) {
                sum.requests += cell.requests;
                sum.errors += cell.errors;
                sum.latencies.merge(&cell.latencies);
            }
        }
    }

    /// Leaves the first steps, and the services that have something in them.
    pub fn cut(&mut self, steps: usize) {
        self.services.values_mut().for_each(|cells| cells.truncate(steps));
        self.services.retain(|_, cells| cells.iter().any(|cell| cell.requests > 0));
    }

    /// Each service by name with its steps.
    pub fn services(&self) -> impl Iterator<Item = (&str, &[TrafficCell])> {
        self.services.iter().map(|(name, cells)| (name.as_ref(), cells.as_slice()))
    }
}
