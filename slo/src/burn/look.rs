//! How the series of a fold stand at its last tick, without a change of its state.

use slipstream_schemas::records::{BurnRates, WindowRates};

use super::evaluate::{Moment, state, window};
use super::plan::EvaluationPlan;
use super::pool::Series;
use super::sums::{Member, Sums};
use super::{Burn, BurnFault, by_name, head};
use crate::revision::Revisions;

impl Burn {
    /// The state of every series at the last tick evaluated, by SLO, objective and group. Empty before the first tick.
    /// The fold's state does not change: otherwise, what is published would depend on queries.
    ///
    /// # Errors
    /// See [`BurnFault`].
    pub fn states(&self, revisions: &Revisions) -> Result<Vec<BurnRates>, BurnFault> {
        self.look(revisions, |burn, moment| burn.states_at(moment, |_, state| state))
    }

    /// As [`Burn::states`], each with a window of so many seconds, whether its rules look at that or not. `None` for one that is
    /// longer than any ring.
    ///
    /// # Errors
    /// See [`BurnFault`].
    pub fn states_over(
        &self,
        revisions: &Revisions,
        seconds: i64,
    ) -> Result<Vec<(BurnRates, Option<WindowRates>)>, BurnFault> {
        self.look(revisions, |burn, moment| {
            burn.states_at(moment, |id, state| {
                let asked = state.windows.iter().find(|window| window.seconds == seconds).cloned();
                let window = asked.or_else(|| burn.window(id, moment.tick, seconds));
                (state, window)
            })
        })
    }

    /// The rates of one window of a series.
    fn window(&self, id: u32, tick: i64, seconds: i64) -> Option<WindowRates> {
        let plan = self.pool.get(id)?.plan.as_ref()?;
        let windows = [(seconds, self.scale.ring_for(seconds)?)];
        let sums = self.sums_over(id, tick, Some(&windows))?;
        Some(window(plan, seconds, sums.windows.first()?))
    }

    /// Looks at the last tick evaluated.
    fn look<T>(&self, revisions: &Revisions, at: impl Fn(&Burn, &Moment) -> Vec<T>) -> Result<Vec<T>, BurnFault> {
        let Some(next) = self.head.next_tick else { return Ok(Vec::new()) };
        let frontier = head::frontier(&self.head, self.scale.lag_ms);
        let moment = self.moment(next - 1, &frontier);
        if self.version == revisions.in_force(moment.end(), moment.revision) {
            return Ok(at(self, &moment));
        }
        // Just restored, or a revision came that no tick was evaluated by. Settling changes the state, so on a copy.
        let mut settled = self.clone();
        settled.switch(&moment, revisions, &mut Vec::new())?;
        Ok(at(&settled, &moment))
    }

    fn states_at<T>(&self, moment: &Moment, with: impl Fn(u32, BurnRates) -> T) -> Vec<T> {
        let look = |id| Some((id, state(self.pool.get(id)?, &self.sums(id, moment.tick)?, moment)?));
        let mut states: Vec<(u32, BurnRates)> = self.pool.ids().into_iter().filter_map(look).collect();
        states.sort_by(|(_, a), (_, b)| by_name(a, b));
        states.into_iter().map(|(id, state)| with(id, state)).collect()
    }

    /// Sums of the windows of a series; those of a composite come from its members, as of the same tick.
    pub(super) fn sums(&self, id: u32, tick: i64) -> Option<Sums> {
        self.sums_over(id, tick, None)
    }

    /// As [`Burn::sums`], over these windows instead of those of the plan.
    fn sums_over(&self, id: u32, tick: i64, windows: Option<&[(i64, usize)]>) -> Option<Sums> {
        let series = self.pool.get(id)?;
        let plan = series.plan.as_ref()?;
        let of = |plan: &EvaluationPlan, series: &Series| {
            Sums::of_series(plan, windows.unwrap_or(&plan.windows), series, tick, &self.scale)
        };
        if plan.single().is_some() {
            return Some(of(plan, series));
        }
        let members = self.slos.get(&series.slo)?.members(series).map(|(weight, id)| Member {
            weight,
            told: id.and_then(|id| {
                let member = self.pool.get(id)?;
                let sums = of(member.plan.as_ref()?, member);
                Some((sums, member.unknown, member.too_late))
            }),
        });
        let count = windows.map_or(plan.windows.len(), <[_]>::len);
        Some(Sums::of_composite(plan, count, &members.collect::<Vec<_>>(), tick))
    }
}
