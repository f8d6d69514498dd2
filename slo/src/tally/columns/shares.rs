//! Which tuples the events of a series were of: what makes up the bad ones.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use hashbrown::HashMap;

use crate::matcher::{Matcher, SeriesId, SeriesKey, Verdict};
use slipstream_definitions::definition::Slo;

/// The events of one tuple that counted for an indicator of an SLO and a group.
#[derive(Debug, Clone)]
pub struct Share {
    /// The definition.
    pub slo: Arc<Slo>,
    /// Its generation.
    pub generation: i64,
    /// Its objectives that count by the indicator, by their index.
    pub objectives: Arc<[usize]>,
    /// Values of groupBy.
    pub group: Arc<[String]>,
    /// The caller's number of the tuple.
    pub tuple: u32,
    /// Weights that were good, good or bad, and unknown.
    pub counts: [i64; 3],
}

/// Shares so far.
#[derive(Debug, Default)]
pub struct Shares {
    /// Ticks whose events count here.
    counted: Range<i64>,
    open: HashMap<(SeriesId, u32), [i64; 3]>,
    settled: Vec<Share>,
}

impl Shares {
    pub(super) fn new(counted: Range<i64>) -> Shares {
        Shares { counted, ..Shares::default() }
    }

    /// Whether events of a tick count here.
    pub(super) fn counts(&self, tick: i64) -> bool {
        self.counted.contains(&tick)
    }

    pub(super) fn add(&mut self, of: (SeriesId, u32), counts: [i64; 3]) {
        let sum = self.open.entry(of).or_default();
        (0..3).for_each(|i| sum[i] += counts[i]);
    }

    pub(super) fn add_one(&mut self, tick: i64, of: (SeriesId, u32), verdict: Verdict, weight: i64) {
        if self.counts(tick) {
            let counts = match verdict {
                Verdict::Good => [weight, weight, 0],
                Verdict::Bad => [0, weight, 0],
                Verdict::Unknown => [0, 0, weight],
            };
            self.add(of, counts);
        }
    }

    /// Names the series of what came since the last call.
    pub(super) fn settle(&mut self, matcher: &Matcher) {
        let sorted: BTreeMap<(SeriesId, u32), [i64; 3]> = self.open.drain().collect();
        self.settled.extend(sorted.into_iter().map(|((series, tuple), counts)| {
            let SeriesKey { slo, generation, shared_by, group } = matcher.series(series);
            let (slo, objectives, group) = (Arc::clone(slo), Arc::clone(shared_by), Arc::clone(group));
            Share { slo, generation: *generation, objectives, group, tuple, counts }
        }));
    }

    pub(super) fn take(&mut self) -> Vec<Share> {
        std::mem::take(&mut self.settled)
    }
}
