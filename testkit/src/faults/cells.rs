//! P2, exactly as stated: for any series, tick and slot the sum over tallies equals the weighted count over accepted
//! events.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use slipstream_log::Log;
use slipstream_schemas::records::{Origin, TallyBatch};
use slipstream_schemas::{RequestEvent, Topic};

use crate::recount::{Accepted, Recount};
use crate::verdict;

/// The data of an event.
pub type Of<T> = Box<dyn Fn(&RequestEvent) -> T + Send + Sync>;

/// What an SLO counts, in code of the test instead of its filters.
pub struct Meaning {
    /// Its name.
    pub slo: String,
    /// Values of groupBy of an event that counts; `None` if it does not count.
    pub group: Of<Option<Vec<String>>>,
    /// Whether it is good.
    pub good: Of<bool>,
}

/// An SLO's name and the values of its groupBy.
pub type Series = (String, Vec<String>);
/// When it became known and when it happened, both in seconds.
pub type TickSlot = (i64, i64);
/// Good and total.
pub type Sums = (i64, i64);

/// Sums per series, tick and slot.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cells(pub BTreeMap<Series, BTreeMap<TickSlot, Sums>>);

impl Cells {
    /// From the events.
    pub fn counted(recount: &Recount, meanings: &[Meaning]) -> Cells {
        let mut cells = Cells::default();
        for Accepted { log_time, event, .. } in &recount.accepted {
            let tick = log_time.0.div_euclid(1_000);
            let slot = event.time.0.min(log_time.0 * 1_000).div_euclid(1_000_000);
            let weight = i64::from(event.weight);
            for meaning in meanings {
                let Some(group) = (meaning.group)(event) else { continue };
                let good = if (meaning.good)(event) { weight } else { 0 };
                cells.add((meaning.slo.clone(), group), (tick, slot), (good, weight));
            }
        }
        cells
    }

    /// From the committed tallies.
    pub async fn tallied(log: &dyn Log) -> Result<Cells> {
        let mut cells = Cells::default();
        let batches: Vec<TallyBatch> = verdict::all(log, Topic::SliTallies).await?;
        for batch in batches.iter().filter(|batch| batch.origin != Origin::Backfill) {
            for entry in &batch.entries {
                let series = (entry.slo.clone(), entry.group.clone());
                cells.add(series, (entry.tick, entry.slot), (entry.good, entry.total));
            }
        }
        Ok(cells)
    }

    fn add(&mut self, series: Series, at: TickSlot, (good, total): Sums) {
        let sums = self.0.entry(series).or_default().entry(at).or_default();
        *sums = (sums.0 + good, sums.1 + total);
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.values().map(BTreeMap::len).sum()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// An error that names some of the cells that differ.
    pub fn ensure_equal(&self, tallied: &Cells) -> Result<()> {
        let mut wrong = Vec::new();
        let series = self.0.keys().chain(tallied.0.keys().filter(|series| !self.0.contains_key(*series)));
        for series in series {
            let none = BTreeMap::new();
            let (counted, tallied) = (self.0.get(series).unwrap_or(&none), tallied.0.get(series).unwrap_or(&none));
            let mut at: Vec<&TickSlot> = counted.keys().chain(tallied.keys()).collect();
            at.sort();
            at.dedup();
            let differ = at.into_iter().filter(|at| counted.get(at) != tallied.get(at));
            wrong.extend(differ.map(|at| {
                let (counted, tallied) = (counted.get(at), tallied.get(at));
                format!("{series:?} tick {} slot {}: counted {counted:?}, tallied {tallied:?}", at.0, at.1)
            }));
        }
        let shown = wrong.iter().take(20).cloned().collect::<Vec<_>>().join("\n");
        ensure!(wrong.is_empty(), "P2: {} cells differ:\n{shown}", wrong.len());
        Ok(())
    }
}
