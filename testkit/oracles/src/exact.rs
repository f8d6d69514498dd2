//! The content of a window or a period by definition, for every budgeting method: computed directly from the tallied
//! events.

use std::collections::BTreeSet;

use slipstream_definitions::calendar::Period;
use slipstream_definitions::definition::{Budgeting, Objective, Ratio, Rule, Slo, Window};
use slipstream_slo::budget::present_window;
use slipstream_slo::counts::Counts;
use slipstream_slo::scale::Scale;

use crate::recount::Cell;

pub const BILLION: i64 = 1_000_000_000;

/// The tallies of an objective up to a tick: tick, slot, sums.
pub type Told<'a> = Vec<(i64, i64, &'a Cell)>;

/// The definition got a longer window at a tick than it had before: earlier tallies that were not kept are lost.
#[derive(Debug, Clone)]
pub struct Growth {
    pub tick: i64,
    /// The rings from this one on are built from the one before it, which has this second and later ones.
    pub rings_from: usize,
    pub rings_know: i64,
    /// The first second of the oldest slice that is known.
    pub slices_know: i64,
}

/// What the series of an SLO keep: rings, and slices per objective.
#[derive(Debug, Clone, PartialEq)]
pub struct Kept {
    pub rings: usize,
    pub slices: Vec<i64>,
}

/// Rules whose windows the objectives serve.
pub fn rules_of<'a>(slo: &'a Slo, objective: Option<&'a Objective>) -> &'a [Rule] {
    match (&slo.composite, objective) {
        (Some(composite), _) => &composite.rules,
        (None, objective) => &objective.unwrap().rules,
    }
}

/// Rolling windows, in the order in which they are published.
pub fn rolling(slo: &Slo, objective: Option<&Objective>) -> Vec<i64> {
    let rules = rules_of(slo, objective);
    let mut windows = slo.windows(rules);
    windows.push(present_window(rules, slo.window.nominal_seconds()));
    if let Window::Rolling(period) = slo.window {
        windows.retain(|w| *w != period);
    }
    windows.sort_unstable();
    windows.dedup();
    if let Window::Rolling(period) = slo.window {
        windows.push(period);
    }
    windows
}

pub fn kept(slo: &Slo, scale: &Scale) -> Kept {
    let longest = |o: &Objective| rolling(slo, Some(o)).into_iter().max().unwrap();
    let counted = slo.objectives.iter().filter(|o| o.budgeting == Budgeting::Occurrences);
    let ring = counted.map(longest).max().map_or(0, |window| scale.ring_for(window).unwrap() + 1);
    let slices = |o: &Objective| {
        o.budgeting.slice().map_or(0, |s| longest(o).max(scale.slices_counted + scale.slices_lag) / s + 2)
    };
    Kept { rings: ring.max(scale.base_rings), slices: slo.objectives.iter().map(slices).collect() }
}

impl Growth {
    pub fn between(before: &Kept, now: &Kept, slo: &Slo, index: usize, tick: i64, scale: &Scale) -> Option<Growth> {
        let slices = now.slices[index] > before.slices[index];
        let rings = now.rings > before.rings;
        let last = scale.rings[before.rings - 1];
        let slice = slo.objectives[index].budgeting.slice().unwrap_or(1);
        let oldest = (tick - 1).div_euclid(slice) - before.slices[index] + 1;
        (slices || rings).then(|| Growth {
            tick,
            rings_from: if rings { before.rings } else { usize::MAX },
            rings_know: last.oldest_slot(tick - 1) * last.slot_seconds,
            slices_know: if slices { oldest * slice } else { i64::MIN },
        })
    }
}

/// Sums of one window, in whole units: events, slices, or parts of slices.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Exact {
    pub counts: Counts,
    pub events: i64,
}

/// One objective at one tick.
pub struct Question<'a> {
    pub objective: &'a Objective,
    pub told: &'a Told<'a>,
    pub growths: &'a [Growth],
    pub tick: i64,
    pub scale: &'a Scale,
}

fn sum<'a>(told: impl Iterator<Item = &'a (i64, i64, &'a Cell)>) -> Counts {
    told.fold(Counts::default(), |a, (_, _, c)| Counts { good: a.good + c.good, total: a.total + c.total })
}

impl Question<'_> {
    /// The rolling window of so many seconds.
    pub fn window(&self, seconds: i64) -> Exact {
        let Some(slice) = self.objective.budgeting.slice() else { return self.events_window(seconds) };
        let first = (self.tick + 1 - seconds).div_euclid(slice);
        let numbers = first..=self.tick.div_euclid(slice);
        let bad = numbers.clone().map(|n| self.known_badness(n, slice)).sum();
        Exact { counts: self.slices(numbers.count() as i64, bad), events: self.events_of_slices(first, slice) }
    }

    /// A calendar period up to now.
    pub fn period(&self, period: Period) -> Exact {
        let inside = sum(self.told.iter().filter(|(_, slot, _)| period.contains(*slot)));
        let Some(slice) = self.objective.budgeting.slice() else {
            return Exact { counts: inside, events: inside.total };
        };
        let begins = |n: &i64| period.contains(n * slice) && n * slice <= self.tick;
        let number = (period.start.div_euclid(slice)..=period.end.div_euclid(slice)).filter(begins).count();
        // A slice without tallies is good.
        let told: BTreeSet<i64> = self.told.iter().map(|(_, slot, _)| slot.div_euclid(slice)).collect();
        let bad = told.iter().filter(|n| begins(n)).map(|n| self.badness(*n, slice)).sum();
        Exact { counts: self.slices(number as i64, bad), events: 0 }
    }

    /// Weight of what no window and no period reached at its own tick, when there were so many rings.
    pub fn too_late(&self, window: &Window, rings: impl Fn(i64) -> usize) -> i64 {
        let reached = |(t, slot, _): &&(i64, i64, &Cell)| match (self.objective.budgeting.slice(), window) {
            (Some(slice), _) => self.may_flip(*t, *slot, slice),
            (None, Window::Calendar(calendar))
                if *slot >= calendar.period_at(calendar.period_at(*t).start - 1).start =>
            {
                true
            }
            (None, _) => {
                let last = self.scale.rings[rings(*t) - 1];
                last.slot_of(*slot) >= last.oldest_slot(*t)
            }
        };
        self.told.iter().filter(|told| !reached(told)).map(|(_, _, cell)| cell.total + cell.unknown).sum()
    }

    /// Events, in the slots of the finest ring that reaches.
    fn events_window(&self, seconds: i64) -> Exact {
        let ring = self.scale.ring_for(seconds).unwrap();
        let slot_seconds = self.scale.rings[ring].slot_seconds;
        let first = (self.tick + 1 - seconds).div_euclid(slot_seconds);
        let lost =
            |t: i64, slot: i64| self.growths.iter().any(|g| ring >= g.rings_from && t < g.tick && slot < g.rings_know);
        let inside = |(t, slot, _): &&(i64, i64, &Cell)| slot.div_euclid(slot_seconds) >= first && !lost(*t, *slot);
        let counts = sum(self.told.iter().filter(inside));
        Exact { counts, events: counts.total }
    }

    fn slices(&self, number: i64, bad: i64) -> Counts {
        let total = match self.objective.budgeting {
            Budgeting::RatioTimeslices { .. } => number * BILLION,
            _ => number,
        };
        Counts { good: total - bad, total }
    }

    /// Whether an event that was tallied at `t` was in time for its slice.
    fn may_flip(&self, t: i64, slot: i64, slice: i64) -> bool {
        let counted = (self.scale.slices_counted + slice - 1) / slice;
        slot.div_euclid(slice) >= t.div_euclid(slice) - counted
    }

    fn of_slice(&self, number: i64, slice: i64) -> Counts {
        let inside =
            |(t, slot, _): &&(i64, i64, &Cell)| slot.div_euclid(slice) == number && self.may_flip(*t, *slot, slice);
        sum(self.told.iter().filter(inside))
    }

    /// 1 or 0; or its share of bad.
    fn badness(&self, number: i64, slice: i64) -> i64 {
        let Counts { good, total } = self.of_slice(number, slice);
        match self.objective.budgeting {
            _ if total == 0 => 0,
            Budgeting::Timeslices { target, .. } => {
                i64::from((good as i128) * i128::from(target.den) < i128::from(target.num) * i128::from(total))
            }
            _ => ((total - good) as f64 / total as f64 * BILLION as f64).round() as i64,
        }
    }

    fn known_badness(&self, number: i64, slice: i64) -> i64 {
        let lost = self.growths.iter().any(|g| number * slice < g.slices_know && g.tick <= self.tick);
        if lost { 0 } else { self.badness(number, slice) }
    }

    /// Events are counted per slice, and of the newest only.
    fn events_of_slices(&self, first: i64, slice: i64) -> i64 {
        let counted = self.scale.slices_counted + self.scale.slices_lag;
        let oldest = self.tick.div_euclid(slice) - (counted + slice - 1) / slice;
        (first.max(oldest)..=self.tick.div_euclid(slice)).map(|n| self.of_slice(n, slice).total).sum()
    }
}

/// The weighted mean of shares, in parts of a billion; `None` without traffic.
pub fn mean(rows: &[(Ratio, Exact)]) -> Exact {
    let events = rows.iter().map(|(_, row)| row.events).sum();
    if rows.iter().all(|(_, row)| row.counts.total == 0) {
        return Exact { counts: Counts::default(), events };
    }
    let share = |counts: Counts| {
        let (bad, total) = (i128::from(counts.bad()), i128::from(counts.total));
        if total == 0 { 0 } else { (2 * bad * i128::from(BILLION) + total) / (2 * total) }
    };
    // Weights of these histories are tenths.
    let tenths = |weight: &Ratio| i128::from(weight.num) * (10 / i128::from(weight.den));
    let sum: i128 = rows.iter().map(|(weight, _)| tenths(weight)).sum();
    let bad: i128 = rows.iter().map(|(weight, row)| tenths(weight) * share(row.counts)).sum();
    let parts = ((2 * bad + sum) / (2 * sum)) as i64;
    Exact { counts: Counts { good: BILLION - parts, total: BILLION }, events }
}

/// As published: seconds of slices.
pub fn shown(budgeting: Budgeting, exact: Exact) -> (i64, i64) {
    let Counts { good, total } = exact.counts;
    match budgeting {
        Budgeting::Occurrences => (good, total),
        Budgeting::Timeslices { seconds, .. } => (good * seconds, total * seconds),
        Budgeting::RatioTimeslices { seconds } => ((good * seconds).div_euclid(BILLION), total / BILLION * seconds),
    }
}
