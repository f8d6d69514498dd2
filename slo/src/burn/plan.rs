//! How an objective, or a composite, is evaluated: its windows and what serves them.

use std::sync::Arc;

use super::BurnFault;
use super::periods::Clock;
use crate::budget::present_window;
use crate::revision::InForce;
use crate::rule::Kinds;
use crate::scale::Scale;
use crate::slices::Slices;
use slipstream_definitions::definition::{Budgeting, COMPOSITE, Composite, Objective, Ratio, Rule, Slo, Window};

/// How an objective, or the composite of all, is evaluated.
#[derive(Debug)]
pub(super) struct EvaluationPlan {
    pub slo: Arc<Slo>,
    /// `None` for the composite.
    pub objective: Option<usize>,
    pub objective_name: Arc<str>,
    pub generation: i64,
    /// Every rolling window, and the ring that serves it where events are counted: ascending, but that of the budget is
    /// the last if it rolls.
    pub windows: Vec<(i64, usize)>,
    /// The window that says how fast the budget is being spent.
    pub present: i64,
    /// The periods of the budget, where they are a calendar's.
    pub clock: Option<Arc<Clock>>,
    /// How many rings its series have, where events are counted.
    pub rings: usize,
    /// How many slices its series keep, where time is sliced.
    pub slices: i64,
    /// Whether a rule asks how many events there were.
    pub asks_events: bool,
    /// Unix seconds from which on its counts cover everything.
    pub covered_from: i64,
    /// What its rules mean.
    pub kinds: Kinds,
}

impl EvaluationPlan {
    /// Its rules: where there is a composite, that alone has some.
    pub(super) fn rules(&self) -> &[Rule] {
        match (self.single(), &self.slo.composite) {
            (Some(objective), _) => &objective.rules,
            (None, composite) => composite.as_ref().map_or(&[], |composite| &composite.rules),
        }
    }

    pub(super) fn target(&self) -> Ratio {
        let of_composite = |composite: &Composite| composite.target;
        let whole = Ratio { num: 1, den: 1 };
        self.single().map_or_else(|| self.slo.composite.as_ref().map_or(whole, of_composite), |o| o.target)
    }

    /// The objective; `None` for the composite.
    pub(super) fn single(&self) -> Option<&Objective> {
        self.objective.and_then(|index| self.slo.objectives.get(index))
    }

    pub(super) fn budgeting(&self) -> Budgeting {
        self.single().map_or(Budgeting::Occurrences, |objective| objective.budgeting)
    }

    /// Plans of the objectives, and of the composite if there is one. `covered_from` is that of the SLO.
    pub(super) fn all(found: &InForce, needs: &Needs, covered_from: i64, scale: &Scale) -> Vec<Arc<EvaluationPlan>> {
        let slo = &found.active.slo;
        let clock = match &slo.window {
            Window::Rolling(_) => None,
            Window::Calendar(calendar) => Some(Arc::new(Clock::new(calendar))),
        };
        let plan = |objective: Option<usize>, name: &str, covered_from: i64| {
            let rules = slo.looking(objective.map_or(&[], |index| &slo.objectives[index].rules));
            let serve = |window| Some((window, scale.ring_for(window)?));
            Arc::new(EvaluationPlan {
                slo: Arc::clone(slo),
                objective,
                objective_name: name.into(),
                generation: found.active.generation,
                windows: windows(slo, rules, found.kinds).into_iter().filter_map(serve).collect(),
                present: present_window(rules, slo.window.nominal_seconds()),
                clock: clock.clone(),
                rings: needs.rings,
                slices: objective
                    .and_then(|index| slices(slo, &slo.objectives[index], found.kinds, scale))
                    .unwrap_or(0),
                asks_events: found.kinds.ask_events(rules),
                covered_from,
                kinds: found.kinds,
            })
        };
        let since = |index: usize| covered_from.max(whole_second(found.objectives_since[index]));
        let single = slo.objectives.iter().enumerate().map(|(i, o)| plan(Some(i), &o.name, since(i)));
        let mut plans: Vec<Arc<EvaluationPlan>> = single.collect();
        if slo.composite.is_some() {
            let latest = plans.iter().map(|plan| plan.covered_from).max().unwrap_or(covered_from);
            plans.push(plan(None, COMPOSITE, latest));
        }
        plans
    }
}

/// What the series of an SLO have to keep.
#[derive(Debug, Clone, Copy)]
pub(super) struct Needs {
    /// Rings, where events are counted.
    pub rings: usize,
}

impl Needs {
    /// What the windows of an SLO need.
    pub(super) fn of(found: &InForce, scale: &Scale) -> Result<Needs, BurnFault> {
        let (slo, kinds) = (&found.active.slo, found.kinds);
        let longest = |sliced: bool| {
            let of = slo.objectives.iter().filter(move |o| o.budgeting.slice().is_some() == sliced);
            of.flat_map(|o| windows(slo, slo.looking(&o.rules), kinds)).max().unwrap_or(0)
        };
        let (seconds, allowed) = (longest(false).max(longest(true)), scale.longest_window());
        let too_long = || BurnFault::WindowTooLong { slo: slo.name.clone(), seconds, longest: allowed };
        if seconds > allowed {
            return Err(too_long());
        }
        let ring = scale.ring_for(longest(false)).ok_or_else(too_long)?;
        Ok(Needs { rings: scale.base_rings.max(ring + 1) })
    }
}

/// How many slices the series of an objective keep; `None` if events are counted. Those that may still flip; where a
/// slice is a bit, as much of the past as every series of events keeps. A share takes more, and hardly one is wholly good.
fn slices(slo: &Slo, objective: &Objective, kinds: Kinds, scale: &Scale) -> Option<i64> {
    let seconds = objective.budgeting.slice()?;
    let longest = windows(slo, slo.looking(&objective.rules), kinds).into_iter().max()?;
    let least = match objective.budgeting {
        Budgeting::RatioTimeslices { .. } => 0,
        Budgeting::Timeslices { .. } | Budgeting::Occurrences => scale.base_reach(),
    };
    Some(Slices::needed(seconds, longest.max(least).max(scale.slices_counted + scale.slices_lag)))
}

/// Every rolling window that rules look at, ascending, with that by which the budget is judged at present; that of the
/// budget comes last, if it rolls.
fn windows(slo: &Slo, rules: &[Rule], kinds: Kinds) -> Vec<i64> {
    let mut windows: Vec<i64> = kinds.windows(rules).collect();
    windows.push(present_window(rules, slo.window.nominal_seconds()));
    windows.sort_unstable();
    windows.dedup();
    if let Window::Rolling(period) = slo.window {
        windows.retain(|window| *window != period);
        windows.push(period);
    }
    windows
}

/// The first second of which everything is at or after a cut.
pub(super) fn whole_second(cut: i64) -> i64 {
    (cut + 999).div_euclid(1_000)
}
