//! Rollups: what the events of a minute, a tuple of dimensions and a status class add up to.

use crate::sketch::Sketch;
use hashbrown::HashMap;

use crate::events::{EventRef, Events};
pub use crate::spread::MINUTE_US;

/// Sums over events; any two can be added.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Sums {
    /// Weight of all events.
    pub hits: u64,
    /// Weight of events with status 500 and above.
    pub errors: u64,
    /// Latencies of those that were measured.
    pub latency: LatencySums,
}

/// Sums over measured latencies, in milliseconds.
#[derive(Debug, Clone, PartialEq)]
pub struct LatencySums {
    /// Weight of events whose latency was measured.
    pub count: u64,
    /// Sum of latency x weight.
    pub sum: f64,
    /// Least; infinite when there is none.
    pub min: f64,
    /// Greatest; minus infinity when there is none.
    pub max: f64,
    /// For quantiles.
    pub sketch: Sketch,
}

impl Default for LatencySums {
    fn default() -> Self {
        LatencySums { count: 0, sum: 0.0, min: f64::INFINITY, max: f64::NEG_INFINITY, sketch: Sketch::new() }
    }
}

impl Sums {
    /// Adds one event.
    pub fn add(&mut self, status_code: u16, latency_ms: Option<f64>, weight: u32) {
        let weight = u64::from(weight);
        self.hits += weight;
        if status_code >= 500 {
            self.errors += weight;
        }
        if let Some(latency) = latency_ms {
            self.latency.count += weight;
            self.latency.sum += latency * weight as f64;
            self.latency.min = self.latency.min.min(latency);
            self.latency.max = self.latency.max.max(latency);
            self.latency.sketch.add(latency, weight);
        }
    }

    /// Adds other sums.
    pub fn merge(&mut self, other: &Sums) {
        self.hits += other.hits;
        self.errors += other.errors;
        self.latency.count += other.latency.count;
        self.latency.sum += other.latency.sum;
        self.latency.min = self.latency.min.min(other.latency.min);
        self.latency.max = self.latency.max.max(other.latency.max);
        self.latency.sketch.merge(&other.latency.sketch);
    }
}

/// Sums of one minute, tuple of dimensions and status class.
#[derive(Debug, Clone, PartialEq)]
pub struct Rollup {
    /// Event time in whole minutes since 1970.
    pub minute: i64,
    /// Index into [`Events::dimensions`] of the batch it was folded from.
    pub dimensions: usize,
    /// Status code divided by 100: 1 to 5.
    pub status_class: u8,
    /// The sums.
    pub sums: Sums,
}

/// Folds events into rollups, in order of minute, dimensions and class.
pub fn fold(events: &Events) -> Vec<Rollup> {
    let mut cells: HashMap<(i64, usize, u8), Sums> = HashMap::new();
    for event in events.iter() {
        let cell = cells.entry(key(event)).or_default();
        cell.add(event.status_code(), event.latency_ms(), event.weight());
    }
    let mut rollups: Vec<Rollup> = cells
        .into_iter()
        .map(|((minute, dimensions, status_class), sums)| Rollup { minute, dimensions, status_class, sums })
        .collect();
    rollups.sort_unstable_by_key(|r| (r.minute, r.dimensions, r.status_class));
    rollups
}

fn key(event: EventRef<'_>) -> (i64, usize, u8) {
    (event.time().0.div_euclid(MINUTE_US), event.dimensions_index(), (event.status_code() / 100) as u8)
}
