//! One series at one tick: conditions, whether to publish, and what.

use std::sync::Arc;

use slipstream_schemas::LogTime;
use slipstream_schemas::records::{BudgetUnit, BurnRates, ConditionSince, PeriodCounts, WindowRates};

use super::plan::EvaluationPlan;
use super::pool::Series;
use super::since::end_of;
use super::sums::{Row, Sums, row};
use crate::budget::{Course, burn_rate, sli};
use crate::counts::Counts;
use crate::rule::{Budget, Counted};
use crate::scale::Scale;
use crate::slices::WHOLE;
use slipstream_definitions::definition::{Budgeting, Document, Rule};

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

impl Moment {
    /// See [`end_of`].
    pub(super) fn end(&self) -> LogTime {
        end_of(self.tick)
    }
}

/// Whether an evaluation would change nothing of a series and publish nothing: no condition held, none can by its short
/// window alone, and it is not its turn. Most series are quiet most of the time, and short windows are quickly summed.
pub(super) fn is_quiet(series: &Series, moment: &Moment, scale: &Scale) -> bool {
    let (Some(plan), Some(conditions)) = (&series.plan, &series.conditions) else { return false };
    if plan.single().is_none() || !of_rules(conditions, plan.rules()) || is_turn(series, moment, scale) {
        return false;
    }
    let still = |rule: &Rule| {
        let window = plan.windows.iter().find(|(seconds, _)| *seconds == rule.condition.short);
        let short = window.map_or(Row::default(), |window| row(plan, series, *window, moment.tick, scale));
        !plan.kinds.may_hold(&rule.condition, plan.target(), short.counts, short.events)
    };
    conditions.iter().all(|c| !c.holds && c.since.is_none()) && plan.rules().iter().all(still)
}

/// Whether a series is published at this tick whatever its conditions are.
fn is_turn(series: &Series, moment: &Moment, scale: &Scale) -> bool {
    // By the tick and the hash alone: what is published must not depend on when this process began (P3a).
    let turn = |every: i64| moment.tick.rem_euclid(every) as u64 == series.hash % every as u64;
    (series.dirty && turn(scale.publish_every)) || turn(scale.evaluate_every)
}

/// Evaluates a series. It is published if a condition holds or changed; if it was tallied since it was last published
/// and its short turn has come; or if its long turn has come.
pub(super) fn evaluate(series: &mut Series, sums: &Sums, moment: &Moment, scale: &Scale) -> Option<BurnRates> {
    let plan = Arc::clone(series.plan.as_ref()?);
    let changed = take_over(&plan, series, sums, moment);
    if !(series.any_holds() || changed || is_turn(series, moment, scale)) {
        return None;
    }
    series.dirty = false;
    Some(rates(&plan, series, sums, moment))
}

/// The state of a series at a tick, whether it is its turn or not.
pub(super) fn state(series: &Series, sums: &Sums, moment: &Moment) -> Option<BurnRates> {
    let plan = series.plan.as_ref()?;
    let mut seen = series.without_counts();
    take_over(plan, &mut seen, sums, moment);
    Some(rates(plan, &seen, sums, moment))
}

/// What a series remembers of an evaluation. Whether a condition changed.
fn take_over(plan: &EvaluationPlan, series: &mut Series, sums: &Sums, moment: &Moment) -> bool {
    if let Some((unknown, too_late)) = sums.of_members {
        (series.unknown, series.too_late) = (unknown, too_late);
    }
    let known = series.conditions.as_ref().is_some_and(|before| of_rules(before, plan.rules()));
    if !known {
        let before = series.conditions.take();
        series.conditions = Some(plan.rules().iter().map(|rule| taken_over(rule, before.as_deref())).collect());
        judge(plan, series, sums, moment);
        return before.is_some_and(|before| !same(&before, series.conditions.as_deref().unwrap_or_default()));
    }
    judge(plan, series, sums, moment)
}

/// Whether there is a condition for each rule, in order.
fn of_rules(conditions: &[ConditionSince], rules: &[Rule]) -> bool {
    conditions.len() == rules.len() && conditions.iter().zip(rules).all(|(c, rule)| c.rule == rule.name)
}

/// What is remembered of a rule.
fn taken_over(rule: &Rule, before: Option<&[ConditionSince]>) -> ConditionSince {
    let found = before.and_then(|before| before.iter().find(|c| c.rule == rule.name));
    found.cloned().unwrap_or_else(|| ConditionSince { rule: rule.name.clone(), holds: false, since: None })
}

/// Every rule of the objective, in place. On an incomplete tick a condition that is false keeps the since it had. Whether
/// one changed.
fn judge(plan: &EvaluationPlan, series: &mut Series, sums: &Sums, moment: &Moment) -> bool {
    let mut changed = false;
    let seen = Seen { plan, sums, now: moment.tick + 1 };
    for (condition, rule) in series.conditions.iter_mut().flatten().zip(plan.rules()) {
        let holds = plan.kinds.holds(&rule.condition, plan.target(), &seen, (condition.holds, moment.complete));
        changed |= condition.holds != holds;
        condition.holds = holds;
        // A source that is missing may hold the bad events: its absence must not end a condition, so nothing resolves by
        // it. What is bad already stays bad with it, so a condition may begin.
        condition.since = match (holds, moment.complete) {
            (true, _) => Some(condition.since.unwrap_or(moment.tick)),
            (false, true) => None,
            (false, false) => condition.since,
        };
    }
    changed
}

/// A series at a tick, as rules see it.
struct Seen<'a> {
    plan: &'a EvaluationPlan,
    sums: &'a Sums,
    /// The end of its windows.
    now: i64,
}

impl Counted for Seen<'_> {
    fn counts(&self, window: i64) -> Counts {
        self.sums.of(self.plan, window).counts
    }

    fn events(&self, window: i64) -> i64 {
        self.sums.of(self.plan, window).events
    }

    fn covers(&self, window: i64) -> bool {
        self.now - window >= self.plan.covered_from
    }

    fn budget(&self) -> Option<Budget> {
        let (plan, counts) = (self.plan, self.sums.budget().counts);
        let span = self.sums.period.as_ref().map(|period| period.span);
        let nominal = plan.slo.window.nominal_seconds();
        let begin = span.map_or(self.now - nominal, |span| span.start);
        (begin >= plan.covered_from).then_some(())?;
        let unit = unit(plan);
        let counts = match plan.budgeting().slice() {
            // Of time all of the period counts, whether it has come or not.
            Some(slice) => {
                let whole = span.map_or(nominal, |span| span.seconds()) / slice.max(1) * of_a_slice(plan);
                Counts { good: whole - counts.bad(), total: whole }
            }
            None => counts,
        };
        Some(Budget {
            counts,
            grows: span.is_some() && unit != BudgetUnit::Seconds,
            renewed_in: span.map(|span| span.end - self.now),
            share_of: (unit == BudgetUnit::Share).then(|| span.map_or(nominal, |span| self.now - span.start)),
        })
    }
}

/// How much a slice of time counts.
fn of_a_slice(plan: &EvaluationPlan) -> i64 {
    if matches!(plan.budgeting(), Budgeting::RatioTimeslices { .. }) { WHOLE } else { 1 }
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
        unit: BudgetUnit::Events,
        target: None,
        period_start: None,
        previous: None,
    }
}

fn same(before: &[ConditionSince], now: &[ConditionSince]) -> bool {
    let holds = |rule: &str| before.iter().find(|c| c.rule == rule).map(|c| c.holds);
    before.len() == now.len() && now.iter().all(|c| holds(&c.rule) == Some(c.holds))
}

fn rates(plan: &EvaluationPlan, series: &Series, sums: &Sums, moment: &Moment) -> BurnRates {
    let target = plan.target();
    let now = moment.tick + 1;
    let course = course(plan, sums, now);
    let windows = plan.windows.iter().zip(&sums.windows).map(|((seconds, _), row)| (*seconds, row));
    let period = sums.period.as_ref();
    let windows = windows.chain(period.map(|period| (period.span.seconds(), &period.row)));
    BurnRates {
        slo: series.slo.to_string(),
        objective: series.objective.to_string(),
        group: series.group.to_vec(),
        generation: plan.generation,
        tick: moment.tick,
        revision: moment.revision,
        complete: moment.complete,
        retired: false,
        windows: windows.map(|(seconds, row)| window(plan, seconds, row)).collect(),
        sli: sli(sums.budget().counts),
        budget_total: allowed(plan, &course, sums.budget().counts),
        budget_remaining: course.remaining(),
        exhaustion_at: course.exhaustion_at(now, period.map(|period| period.span.end)),
        conditions: series.conditions.clone().unwrap_or_default(),
        unknown: series.unknown,
        too_late: series.too_late,
        covered_from: plan.covered_from,
        sources_current: moment.current,
        sources: moment.sources,
        exemplars: series.exemplars.clone(),
        unit: unit(plan),
        target: (plan.slo.document == Document::Slo).then(|| target.as_f64()),
        period_start: period.map(|period| period.span.start),
        previous: period.and_then(|period| previous(plan, period.before)),
    }
}

/// The rates of a window, as they are published.
pub(super) fn window(plan: &EvaluationPlan, seconds: i64, row: &Row) -> WindowRates {
    let shown = shown(plan, row.counts);
    WindowRates {
        seconds,
        slot_seconds: row.slot_seconds as i32,
        good: shown.good,
        total: shown.total,
        burn: burn_rate(row.counts, plan.target()),
    }
}

/// The period before, if anything of it is covered.
fn previous(
    plan: &EvaluationPlan,
    (span, row): (slipstream_definitions::calendar::Period, Row),
) -> Option<PeriodCounts> {
    let shown = shown(plan, row.counts);
    let counts = PeriodCounts { start: span.start, seconds: span.seconds(), good: shown.good, total: shown.total };
    (span.end > plan.covered_from).then_some(counts)
}

fn unit(plan: &EvaluationPlan) -> BudgetUnit {
    plan.single().map_or(BudgetUnit::Share, |objective| objective.budgeting.unit())
}

/// Counts as they are published: of sliced time, in seconds; parts of a good second are rounded down.
fn shown(plan: &EvaluationPlan, counts: Counts) -> Counts {
    match plan.budgeting() {
        Budgeting::Occurrences => counts,
        Budgeting::Timeslices { seconds, .. } => Counts { good: counts.good * seconds, total: counts.total * seconds },
        Budgeting::RatioTimeslices { seconds } => {
            let seconds_of =
                |parts: i64| (i128::from(parts) * i128::from(seconds)).div_euclid(i128::from(WHOLE)) as i64;
            Counts { good: seconds_of(counts.good), total: seconds_of(counts.total) }
        }
    }
}

/// Bad seconds, not rounded.
fn bad_seconds(plan: &EvaluationPlan, counts: Counts) -> f64 {
    match plan.budgeting() {
        Budgeting::Occurrences => counts.bad() as f64,
        Budgeting::Timeslices { seconds, .. } => counts.bad() as f64 * seconds as f64,
        Budgeting::RatioTimeslices { seconds } => counts.bad() as f64 * seconds as f64 / WHOLE as f64,
    }
}

/// The state of the budget and its rate.
fn course(plan: &EvaluationPlan, sums: &Sums, now: i64) -> Course {
    let (target, budget) = (plan.target(), sums.budget().counts);
    let covered = plan.present.min(now - plan.covered_from);
    let present = sums.of(plan, plan.present).counts;
    let span = sums.period.as_ref().map(|period| period.span);
    let nominal = plan.slo.window.nominal_seconds();
    match unit(plan) {
        BudgetUnit::Events => Course::of_events(budget, present, covered, span.is_some(), target),
        BudgetUnit::Seconds => {
            let period = span.map_or(nominal, |span| span.seconds());
            // What is not covered is good time, here as in the burn rates.
            Course::of_time(bad_seconds(plan, budget), period, bad_seconds(plan, present), plan.present, target)
        }
        BudgetUnit::Share => {
            let known = if plan.slo.objectives.iter().any(|o| o.budgeting.slice().is_none()) {
                now - plan.covered_from
            } else {
                i64::MAX
            };
            let elapsed = span.map_or(nominal, |span| now - span.start).min(known);
            let share = |counts: Counts| counts.bad() as f64 / WHOLE as f64;
            Course::of_share(share(budget), elapsed, share(present), span.is_some(), target)
        }
    }
}

/// What may be bad, in the unit that is published.
fn allowed(plan: &EvaluationPlan, course: &Course, budget: Counts) -> f64 {
    match unit(plan) {
        BudgetUnit::Events | BudgetUnit::Seconds => course.allowed,
        BudgetUnit::Share => crate::budget::error_share(plan.target()) * budget.total as f64,
    }
}
