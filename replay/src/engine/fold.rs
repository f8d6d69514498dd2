//! Burn and alerts over the batches of one set of definitions, and what is noted of them.

use std::collections::{BTreeMap, BTreeSet};

use slipstream_schemas::LogTime;
use slipstream_schemas::records::{AlertTransition, BurnRates, TallyBatch, TransitionKind};
use slipstream_slo::alerts::OpenAlerts;
use slipstream_slo::burn::{Burn, BurnFault, Taken, Watch};
use slipstream_slo::hash::target_partition;
use slipstream_slo::revision::Revisions;
use slipstream_slo::scale::Scale;

use super::extremes::Watched;
use super::notes::{Noted, Notes};
use super::slots::Slotting;
use super::steps::Steps;
use super::{Alerting, Begin, Case, Job};

/// The folds over one partition of the SLOs of a set of definitions.
pub struct Fold<'a> {
    burn: Burn,
    offset: i64,
    /// What is read ends here.
    end: LogTime,
    looking: Looking<'a>,
}

/// Looks on while burn goes from tick to tick.
struct Looking<'a> {
    revisions: &'a Revisions,
    steps: Steps,
    slots: Option<Slotting>,
    alerts: Alerts<'a>,
    noted: Noted,
    /// The last ticks of SLOs that are deleted in the range.
    last_ticks: BTreeMap<i64, BTreeSet<&'a str>>,
    /// How their series stood then, by SLO.
    ended: BTreeMap<&'a str, Vec<BurnRates>>,
}

/// The alerts of those SLOs.
struct Alerts<'a> {
    open: OpenAlerts,
    /// Alerts of which `before` tells whether they were open.
    known: &'a Alerting,
    /// Alerts that were open when the range began, until it does.
    before: Option<Vec<AlertTransition>>,
    transitions: Vec<AlertTransition>,
    /// See [`Notes::spent`].
    spent: BTreeMap<(String, i64), f64>,
    /// See [`Notes::extremes`].
    watched: Watched,
}

impl<'a> Fold<'a> {
    /// The folds of partition `target` of `targets`.
    pub fn new(job: &'a Job, case: &'a Case, (target, targets): (u32, u32)) -> Fold<'a> {
        let is_mine = |slo: &str| target_partition(slo, targets) == target;
        let mine = |open: &Vec<AlertTransition>| open.iter().filter(|t| is_mine(&t.slo)).cloned().collect();
        let mut last_ticks: BTreeMap<i64, BTreeSet<&str>> = BTreeMap::new();
        for (slo, cut) in case.revisions.deletions().filter(|&(slo, cut)| is_mine(slo) && cut.tick() > job.from.tick())
        {
            // The definition is gone from the tick on that holds the cut.
            last_ticks.entry(cut.tick() - 1).or_default().insert(slo);
        }
        let burn = Burn::new(target, targets, 1, Scale::REAL);
        Fold {
            burn: match first_tick(job) {
                Some(tick) => burn.begin_at(tick),
                None => burn,
            },
            offset: 0,
            end: job.span.to,
            looking: Looking {
                revisions: &case.revisions,
                steps: job.steps,
                slots: job.slots,
                alerts: Alerts {
                    open: OpenAlerts::default(),
                    known: &job.known,
                    before: case.open_before.as_ref().map(mine),
                    transitions: Vec::new(),
                    spent: BTreeMap::new(),
                    watched: Watched::default(),
                },
                noted: Noted::default(),
                last_ticks,
                ended: BTreeMap::new(),
            },
        }
    }

    /// Takes the next batch.
    ///
    /// # Errors
    /// See [`BurnFault`].
    pub fn apply(&mut self, batch: &TallyBatch) -> Result<(), BurnFault> {
        self.burn.apply_watched(self.offset, batch, self.looking.revisions, &mut self.looking)?;
        self.offset += 1;
        Ok(())
    }

    /// What was noted: of the whole range, or, where not all of it came, up to the last tick evaluated.
    ///
    /// # Errors
    /// See [`BurnFault`].
    pub fn finish(self) -> Result<Notes, BurnFault> {
        let Fold { burn, end, mut looking, .. } = self;
        let revisions = looking.revisions;
        let mut states = burn.states(revisions)?;
        let last_tick = burn.next_tick().map(|next| next - 1);
        let mut last_step = last_tick.and_then(|tick| looking.steps.of(tick));
        if burn.known_until() >= end {
            // The range may end within a second. No tick says how a series stood then: the one before does.
            burn.take_rest(revisions, &mut looking);
            last_step = looking.steps.count().checked_sub(1);
        }
        let Looking { steps, mut alerts, mut noted, ended, .. } = looking;
        if let Some(step) = last_step {
            states.iter().for_each(|state| noted.stand(state, step));
        }
        let there: BTreeSet<String> = states.iter().map(|state| state.slo.clone()).collect();
        // One that came again is told as it is now.
        states.extend(ended.into_iter().filter(|(slo, _)| !there.contains(*slo)).flat_map(|(_, states)| states));
        alerts.begin_range(i64::MAX, &steps);
        let Alerts { transitions, spent, watched, .. } = alerts;
        Ok(Notes { states, last_tick, transitions, spent, extremes: watched.found, series: noted.into_notes() })
    }
}

/// Where ticks begin if not everything that there ever was is read: with what is read first. `None`: with the definitions.
fn first_tick(job: &Job) -> Option<i64> {
    let at = |begin: &Begin| match *begin {
        Begin::First => Some(job.span.from),
        Begin::At(time) => Some(time),
        // Another source has what is earlier.
        Begin::After(_) => None,
    };
    let is_cut = job.begins.iter().any(|begin| matches!(begin, Begin::At(_)));
    let first = job.begins.iter().filter_map(at).min().filter(|_| is_cut)?;
    Some((first.0 + 999).div_euclid(1_000))
}

impl Watch for Looking<'_> {
    fn taken(&mut self, taken: Taken<'_>) {
        self.noted.add(&taken, &self.steps, self.slots);
    }

    fn evaluated(&mut self, burn: &Burn, tick: i64, rates: &mut Vec<BurnRates>) -> Result<(), BurnFault> {
        let Looking { revisions, steps, alerts, noted, last_ticks, ended, .. } = self;
        // Tick by tick: where definitions are older than what is read by years, their burn rates would fill the memory.
        rates.drain(..).for_each(|rates| alerts.decide(&rates, revisions, steps));
        let (ended_step, ending) = (steps.ended_by(tick), last_ticks.get(&tick));
        if ended_step.is_none() && ending.is_none() {
            return Ok(());
        }
        let mut ended_now: BTreeMap<&str, Vec<BurnRates>> = BTreeMap::new();
        for state in burn.states(revisions)? {
            let slo = ending.and_then(|ending| ending.get(state.slo.as_str())).copied();
            if let Some(step) = ended_step.or_else(|| slo.and_then(|_| steps.of(tick))) {
                noted.stand(&state, step);
            }
            if let Some(slo) = slo {
                ended_now.entry(slo).or_default().push(state);
            }
        }
        ended.extend(ended_now);
        Ok(())
    }
}

impl Alerts<'_> {
    fn decide(&mut self, rates: &BurnRates, revisions: &Revisions, steps: &Steps) {
        self.begin_range(rates.tick, steps);
        let made = self.open.decide(rates, revisions);
        let is_told = |t: &&AlertTransition| matches!(t.kind, TransitionKind::Firing | TransitionKind::Severity);
        // What promises nothing has no budget.
        let told = made.iter().filter(is_told).filter(|_| rates.target.is_some());
        let spent = told.map(|told| ((told.alert_id.clone(), told.tick), 1.0 - rates.budget_remaining));
        self.spent.extend(spent);
        made.iter().for_each(|transition| self.watched.step(transition));
        self.watched.evaluated(rates);
        self.transitions.extend(made);
    }

    /// When the range begins, the alerts that are open are those that were open then, where that is known: what the warm-up made
    /// of windows that were not full yet does not count.
    fn begin_range(&mut self, tick: i64, steps: &Steps) {
        if tick >= steps.from()
            && let Some(before) = self.before.take()
        {
            self.open = OpenAlerts::default();
            self.watched.forget();
            self.transitions.retain(|transition| !self.known.has(transition));
            for transition in self.transitions.iter().chain(&before) {
                self.open.apply(transition.clone());
                self.watched.step(transition);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::source::Span;

    #[test]
    fn ticks_begin_with_what_is_read_unless_that_is_everything() {
        let at = |ms| Begin::At(LogTime(ms));
        // (sources, the first tick); reading begins at second 10.
        let table: [(&[Begin], Option<i64>); 7] = [
            (&[Begin::First, Begin::First], None),
            (&[at(10_000), at(10_000)], Some(10)),
            (&[at(30_001), at(20_000)], Some(20)),
            (&[at(30_001)], Some(31)),
            (&[Begin::First, at(30_000)], Some(10)),
            (&[Begin::After(LogTime(50_000)), at(30_000)], Some(30)),
            (&[Begin::After(LogTime(50_000)), Begin::First], None),
        ];
        for (begins, expected) in table {
            let job = Job {
                cases: Vec::new(),
                known: Alerting::default(),
                window_ms: 60_000,
                span: Span { from: LogTime(10_000), to: LogTime(90_000) },
                steps: Steps::new(10, 90, 1),
                slots: None,
                from: LogTime(10_000),
                begins: begins.to_vec(),
                threads: 1,
                progress: Arc::default(),
            };
            assert_eq!(first_tick(&job), expected, "{begins:?}");
        }
    }
}
