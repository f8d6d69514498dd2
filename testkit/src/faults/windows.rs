//! P3b, directly from the events: every window of a complete tick holds exactly the events known by then.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use slipstream_log::Log;
use slipstream_schemas::Topic;
use slipstream_schemas::records::{BudgetUnit, BurnRates};

use super::cells::{Cells, Sums, TickSlot};
use crate::verdict;

/// Burn rates that were compared, and those that could not be because a source was missing.
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
        let wrong = wrong_windows(rates, counted);
        ensure!(wrong.is_empty(), "P3b: {}", wrong.join("\n"));
        compared.complete += 1;
    }
    Ok(compared)
}

/// Windows of a complete tick that differ from the events known by then, each with its value and the count.
pub fn wrong_windows(rates: &BurnRates, counted: &Cells) -> Vec<String> {
    let none = BTreeMap::new();
    let series = (rates.slo.clone(), rates.group.clone());
    let cells = counted.0.get(&series).unwrap_or(&none);
    let mut wrong = Vec::new();
    // Recounted here are windows of events that roll.
    for window in rates.windows.iter().filter(|w| rates.unit == BudgetUnit::Events && w.slot_seconds > 0) {
        let slot = i64::from(window.slot_seconds);
        let first = (rates.tick + 1 - window.seconds).div_euclid(slot) * slot;
        let sums = sum(cells, first, rates.tick);
        let said = (window.good, window.total);
        if said != sums {
            let (tick, seconds) = (rates.tick, window.seconds);
            wrong.push(format!(
                "{series:?} at the complete tick {tick}: the window of {seconds} s has {said:?}, counted {sums:?}"
            ));
        }
    }
    wrong
}

/// What had happened since `first` and was known at `tick`.
fn sum(cells: &BTreeMap<TickSlot, Sums>, first: i64, tick: i64) -> Sums {
    // Events that happened later became known later: a slot is never after its tick.
    let known = cells.range((first, i64::MIN)..=(tick, i64::MAX)).filter(|((_, slot), _)| *slot >= first);
    known.fold((0, 0), |(good, total), (_, sums)| (good + sums.0, total + sums.1))
}
