//! P3b, straight from the events: every window of a complete tick holds exactly what had been learned of by then.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use slipstream_log::Log;
use slipstream_schemas::Topic;
use slipstream_schemas::records::{BudgetUnit, BurnRates};

use super::cells::{Cells, Sums, TickSlot};
use crate::verdict;

/// Burn rates that were compared, and those that could not be because a source was left out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Compared {
    /// Records that say they are complete; all their windows were right.
    pub complete: usize,
    /// Records that say they are not.
    pub incomplete: usize,
}

/// Compares every published window with a sum over the cells of its series.
pub async fn windows_equal(log: &dyn Log, counted: &Cells) -> Result<Compared> {
    let mut compared = Compared::default();
    let published: Vec<BurnRates> = verdict::all(log, Topic::BurnRates).await?;
    for rates in &published {
        if !rates.complete {
            compared.incomplete += 1;
            continue;
        }
        let none = BTreeMap::new();
        let series = (rates.slo.clone(), rates.group.clone());
        let cells = counted.0.get(&series).unwrap_or(&none);
        // Recounted here are windows of events that roll.
        for window in rates.windows.iter().filter(|w| rates.unit == BudgetUnit::Events && w.slot_seconds > 0) {
            let slot = i64::from(window.slot_seconds);
            let first = (rates.tick + 1 - window.seconds).div_euclid(slot) * slot;
            let sums = sum(cells, first, rates.tick);
            let said = (window.good, window.total);
            ensure!(
                said == sums,
                "P3b: {series:?} at the complete tick {}: the window of {} s says {said:?}, counted {sums:?}",
                rates.tick,
                window.seconds
            );
        }
        compared.complete += 1;
    }
    Ok(compared)
}

/// What had happened since `first` and was known at `tick`.
fn sum(cells: &BTreeMap<TickSlot, Sums>, first: i64, tick: i64) -> Sums {
    // What happened since then was learned of since then: a slot is never after its tick.
    let known = cells.range((first, i64::MIN)..=(tick, i64::MAX)).filter(|((_, slot), _)| *slot >= first);
    known.fold((0, 0), |(good, total), (_, sums)| (good + sums.0, total + sums.1))
}
