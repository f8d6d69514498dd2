//! One series at one tick: window sums, conditions, whether to publish, and what.

use std::sync::Arc;

use slipstream_schemas::records::{BurnRates, ConditionSince, WindowRates};

use super::pool::Series;
use super::slo::Plan;
use crate::budget::{budget, burn_rate, exhaustion_at};
use crate::condition::{Counts, holds};
use crate::definition::Rule;
use crate::scale::Scale;

/// The tick that is being evaluated.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    pub tick: i64,
    pub complete: bool,
    /// Sources that were up to date.
    pub current: i32,
    pub sources: i32,
    /// End offset of slo-definitions applied.
    pub revision: i64,
}

/// Evaluates a series. It is published if a condition holds or changed; if it was tallied since it was last published
/// and its short turn has come; or if its long turn has come.
pub(super) fn evaluate(series: &mut Series, moment: &Moment, scale: &Scale) -> Option<BurnRates> {
    let plan = Arc::clone(series.plan.as_ref()?);
    let sums = Sums::new(&plan, series, moment.tick);
    let conditions = conditions(&plan, series, &sums, moment);
    let any = conditions.iter().any(|c| c.holds);
    let changed = series.conditions.as_ref().is_some_and(|before| !same(before, &conditions));
    series.conditions = Some(conditions);
    let turn = |every: i64| moment.tick.rem_euclid(every) as u64 == series.hash % every as u64;
    if !(any || changed || (series.dirty && turn(scale.publish_every)) || turn(scale.evaluate_every)) {
        return None;
    }
    series.dirty = false;
    Some(rates(&plan, series, &sums, moment, scale))
}

/// Where a series stands at a tick, whether it is its turn or not.
pub(super) fn state(series: &mut Series, moment: &Moment, scale: &Scale) -> Option<BurnRates> {
    let plan = Arc::clone(series.plan.as_ref()?);
    let sums = Sums::new(&plan, series, moment.tick);
    series.conditions = Some(conditions(&plan, series, &sums, moment));
    Some(rates(&plan, series, &sums, moment, scale))
}

/// The last that is heard of a series: no windows, for nothing counts there any more.
pub(super) fn retired(series: Series, generation: Option<i64>, covered_from: i64, moment: &Moment) -> BurnRates {
    BurnRates {
        slo: series.slo.to_string(),
        objective: series.objective.to_string(),
        group: series.group.to_vec(),
        generation: generation.unwrap_or_default(),
        tick: moment.tick,
        revision: moment.revision,
        complete: moment.complete,
        retired: true,
        windows: Vec::new(),
        sli: None,
        budget_total: 0.0,
        budget_remaining: 1.0,
        exhaustion_at: None,
        conditions: series.conditions.unwrap_or_default(),
        unknown: series.unknown,
        too_late: series.too_late,
        covered_from,
        sources_current: moment.current,
        sources: moment.sources,
        exemplars: series.exemplars,
    }
}

/// Sums of the windows of a plan.
struct Sums<'a> {
    plan: &'a Plan,
    counts: Vec<Counts>,
}

impl<'a> Sums<'a> {
    fn new(plan: &'a Plan, series: &Series, tick: i64) -> Sums<'a> {
        let sum = |(seconds, ring): &(i64, usize)| {
            series.rings.get(*ring).map_or(Counts::default(), |r| r.window(tick, *seconds))
        };
        Sums { plan, counts: plan.windows.iter().map(sum).collect() }
    }

    fn of(&self, seconds: i64) -> Counts {
        let found = self.plan.windows.iter().position(|(window, _)| *window == seconds);
        found.map_or(Counts::default(), |i| self.counts[i])
    }
}

/// Every rule of the objective. On an incomplete tick a condition that is false keeps the since it had.
fn conditions(plan: &Plan, series: &Series, sums: &Sums<'_>, moment: &Moment) -> Vec<ConditionSince> {
    let since = |rule: &str| series.conditions.iter().flatten().find(|c| c.rule == rule).and_then(|c| c.since);
    let of_rule = |rule: &Rule| {
        let holds = holds(&rule.condition, plan.objective().target, |seconds| sums.of(seconds));
        let before = since(&rule.name);
        let since = match (holds, moment.complete) {
            (true, _) => Some(before.unwrap_or(moment.tick)),
            (false, true) => None,
            (false, false) => before,
        };
        ConditionSince { rule: rule.name.clone(), holds, since }
    };
    plan.objective().rules.iter().map(of_rule).collect()
}

fn same(before: &[ConditionSince], now: &[ConditionSince]) -> bool {
    let holds = |rule: &str| before.iter().find(|c| c.rule == rule).map(|c| c.holds);
    before.len() == now.len() && now.iter().all(|c| holds(&c.rule) == Some(c.holds))
}

fn rates(plan: &Plan, series: &Series, sums: &Sums<'_>, moment: &Moment, scale: &Scale) -> BurnRates {
    let target = plan.objective().target;
    let period = sums.of(plan.slo.window.nominal_seconds());
    let now = moment.tick + 1;
    let covered = plan.present.min(now - plan.covered_from);
    let budget = budget(period, target);
    let windows = plan.windows.iter().zip(&sums.counts).map(|((seconds, ring), counts)| WindowRates {
        seconds: *seconds,
        slot_seconds: scale.rings[*ring].slot_seconds as i32,
        good: counts.good,
        total: counts.total,
        burn: burn_rate(*counts, target),
    });
    BurnRates {
        slo: series.slo.to_string(),
        objective: series.objective.to_string(),
        group: series.group.to_vec(),
        generation: plan.generation,
        tick: moment.tick,
        revision: moment.revision,
        complete: moment.complete,
        retired: false,
        windows: windows.collect(),
        sli: budget.sli,
        budget_total: budget.allowed,
        budget_remaining: budget.remaining,
        exhaustion_at: exhaustion_at(now, period, sums.of(plan.present), covered, target),
        conditions: series.conditions.clone().unwrap_or_default(),
        unknown: series.unknown,
        too_late: series.too_late,
        covered_from: plan.covered_from,
        sources_current: moment.current,
        sources: moment.sources,
        exemplars: series.exemplars.clone(),
    }
}
