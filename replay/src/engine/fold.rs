//! Burn and alerts over the batches of one set of definitions, and what is noted of them.

use std::collections::BTreeMap;

use hashbrown::{Equivalent, HashMap};
use slipstream_schemas::LogTime;
use slipstream_schemas::records::{AlertTransition, BurnRates, TallyBatch, TallyEntry, TransitionKind};
use slipstream_slo::alerts::OpenAlerts;
use slipstream_slo::burn::{Burn, BurnFault};
use slipstream_slo::revision::Revisions;
use slipstream_slo::scale::Scale;

use super::slots::{Slotted, Slotting};
use super::steps::Steps;
use super::{Alerting, Case};

/// An SLO's objective and group.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SeriesName {
    /// SLO.
    pub slo: String,
    /// Objective.
    pub objective: String,
    /// Values of groupBy.
    pub group: Vec<String>,
}

/// What was noted of a series.
#[derive(Debug, Clone, Default)]
pub struct SeriesNotes {
    /// What became known in the range: good, good or bad, unknown.
    pub range: [i64; 3],
    /// The same of what happened in each step.
    pub counts: Vec<[i64; 3]>,
    /// Per step: how it stood at its end.
    pub stood: Vec<Option<Standing>>,
    /// What happened in each slot, if that is noted.
    pub slots: Slotted,
}

/// How a series stood.
#[derive(Debug, Clone, PartialEq)]
pub struct Standing {
    /// Over the budget's window; `None` without traffic.
    pub sli: Option<f64>,
    /// Share that is left.
    pub budget_remaining: f64,
    /// Length in seconds and burn rate of each window.
    pub burn: Vec<(i64, f64)>,
}

/// What was noted of one set of definitions.
#[derive(Debug, Default)]
pub struct Notes {
    /// Every transition of the range, and of the warm-up before it unless it is known what was open when that ended.
    pub transitions: Vec<AlertTransition>,
    /// Alert and tick: the share of the budget that was spent when it fired, or its severity changed.
    pub spent: BTreeMap<(String, i64), f64>,
    /// Of each series.
    pub series: BTreeMap<SeriesName, SeriesNotes>,
    /// How each series stood at the end.
    pub states: Vec<BurnRates>,
    /// The last tick evaluated.
    pub last_tick: Option<i64>,
}

/// The folds over one partition of the SLOs of a set of definitions.
pub struct Fold<'a> {
    revisions: &'a Revisions,
    burn: Burn,
    alerts: Alerts<'a>,
    offset: i64,
    steps: Steps,
    slots: Option<Slotting>,
    series: Noted,
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
}

/// Notes by series; finding one allocates nothing.
#[derive(Default)]
struct Noted {
    places: HashMap<SeriesName, usize>,
    notes: Vec<SeriesNotes>,
}

impl<'a> Fold<'a> {
    /// The folds of partition `target` of `targets`.
    pub fn new(
        (case, known): (&'a Case, &'a Alerting),
        (target, targets): (u32, u32),
        steps: Steps,
        slots: Option<Slotting>,
    ) -> Fold<'a> {
        let partition = |t: &AlertTransition| slipstream_slo::hash::target_partition(&t.slo, targets);
        let mine = |open: &Vec<AlertTransition>| open.iter().filter(|t| partition(t) == target).cloned().collect();
        Fold {
            revisions: &case.revisions,
            burn: Burn::new(target, targets, 1, Scale::REAL),
            alerts: Alerts {
                open: OpenAlerts::default(),
                known,
                before: case.open_before.as_ref().map(mine),
                transitions: Vec::new(),
                spent: BTreeMap::new(),
            },
            offset: 0,
            steps,
            slots,
            series: Noted::default(),
        }
    }

    /// Takes the next batch.
    ///
    /// # Errors
    /// See [`BurnFault`].
    pub fn apply(&mut self, batch: &TallyBatch) -> Result<(), BurnFault> {
        batch.entries.iter().for_each(|entry| self.count(entry));
        let Fold { burn, revisions, alerts, series, steps, .. } = self;
        let mut watch = |burn: &Burn, tick: i64, rates: &mut Vec<BurnRates>| {
            // Tick by tick: where definitions are older than what is read by years, their burn rates would fill the memory.
            rates.drain(..).for_each(|rates| alerts.decide(&rates, revisions, steps));
            let Some(step) = steps.ended_by(tick) else { return Ok(()) };
            for state in burn.states(revisions)? {
                series.of(&SeriesRef::of_rates(&state), steps).stood[step] = Some(Standing::of(&state));
            }
            Ok(())
        };
        burn.apply_watched(self.offset, batch, revisions, &mut watch)?;
        self.offset += 1;
        Ok(())
    }

    /// What was noted.
    ///
    /// # Errors
    /// See [`BurnFault`].
    pub fn finish(mut self) -> Result<Notes, BurnFault> {
        self.alerts.begin_range(i64::MAX, &self.steps);
        Ok(Notes {
            states: self.burn.states(self.revisions)?,
            last_tick: self.burn.next_tick().map(|next| next - 1),
            transitions: self.alerts.transitions,
            spent: self.alerts.spent,
            series: self.series.into_notes(),
        })
    }

    fn count(&mut self, entry: &TallyEntry) {
        if let Some(slots) = self.slots {
            self.series.of(&SeriesRef::of_entry(entry), &self.steps).slots.add(entry, slots);
        }
        // Nothing is read beyond the range; it may end within a second.
        if entry.tick < self.steps.from() {
            return;
        }
        let notes = self.series.of(&SeriesRef::of_entry(entry), &self.steps);
        let more = [entry.good, entry.total, entry.unknown];
        (0..3).for_each(|i| notes.range[i] += more[i]);
        if let Some(step) = self.steps.of(entry.slot) {
            (0..3).for_each(|i| notes.counts[step][i] += more[i]);
        }
    }
}

impl Alerts<'_> {
    fn decide(&mut self, rates: &BurnRates, revisions: &Revisions, steps: &Steps) {
        self.begin_range(rates.tick, steps);
        let made = self.open.decide(rates, revisions);
        let is_told = |t: &&AlertTransition| matches!(t.kind, TransitionKind::Firing | TransitionKind::Severity);
        let told = made.iter().filter(is_told);
        let spent = told.map(|told| ((told.alert_id.clone(), told.tick), 1.0 - rates.budget_remaining));
        self.spent.extend(spent);
        self.transitions.extend(made);
    }

    /// When the range begins, the alerts that are open are those that were open then, where that is known: what the warm-up made
    /// of windows that were not full yet does not count.
    fn begin_range(&mut self, tick: i64, steps: &Steps) {
        if tick >= steps.from()
            && let Some(before) = self.before.take()
        {
            self.open = OpenAlerts::default();
            self.transitions.retain(|transition| !self.known.has(transition));
            self.transitions.iter().cloned().for_each(|transition| self.open.apply(transition));
            before.into_iter().for_each(|transition| self.open.apply(transition));
        }
    }
}

impl Standing {
    fn of(state: &BurnRates) -> Standing {
        Standing {
            sli: state.sli,
            budget_remaining: state.budget_remaining,
            burn: state.windows.iter().map(|window| (window.seconds, window.burn)).collect(),
        }
    }
}

impl Notes {
    /// Joins the notes of the other partitions.
    pub fn join(all: impl IntoIterator<Item = Notes>) -> Notes {
        let mut joined = Notes::default();
        for notes in all {
            joined.transitions.extend(notes.transitions);
            joined.spent.extend(notes.spent);
            joined.series.extend(notes.series);
            joined.states.extend(notes.states);
            joined.last_tick = joined.last_tick.max(notes.last_tick);
        }
        let place =
            |t: &AlertTransition| (t.tick, t.slo.clone(), t.objective.clone(), t.alert_id.clone(), t.episode, t.seq);
        joined.transitions.sort_by_cached_key(place);
        joined.states.sort_by(|a, b| (&a.slo, &a.objective, &a.group).cmp(&(&b.slo, &b.objective, &b.group)));
        joined
    }

    /// The first millisecond after the last tick evaluated.
    pub fn until(&self) -> Option<LogTime> {
        self.last_tick.map(|tick| LogTime((tick + 1) * 1_000))
    }
}

/// A [`SeriesName`] that borrows.
#[derive(Hash)]
struct SeriesRef<'a> {
    slo: &'a str,
    objective: &'a str,
    group: &'a [String],
}

impl<'a> SeriesRef<'a> {
    fn of_entry(entry: &'a TallyEntry) -> SeriesRef<'a> {
        SeriesRef { slo: &entry.slo, objective: &entry.objective, group: &entry.group }
    }

    fn of_rates(rates: &'a BurnRates) -> SeriesRef<'a> {
        SeriesRef { slo: &rates.slo, objective: &rates.objective, group: &rates.group }
    }
}

impl Equivalent<SeriesName> for SeriesRef<'_> {
    fn equivalent(&self, name: &SeriesName) -> bool {
        (self.slo, self.objective, self.group) == (name.slo.as_str(), name.objective.as_str(), name.group.as_slice())
    }
}

impl From<&SeriesRef<'_>> for SeriesName {
    fn from(found: &SeriesRef<'_>) -> SeriesName {
        SeriesName { slo: found.slo.to_owned(), objective: found.objective.to_owned(), group: found.group.to_vec() }
    }
}

impl Noted {
    fn of(&mut self, name: &SeriesRef<'_>, steps: &Steps) -> &mut SeriesNotes {
        let place = match self.places.get(name) {
            Some(place) => *place,
            None => {
                let (counts, stood) = (vec![[0; 3]; steps.count()], vec![None; steps.count()]);
                self.notes.push(SeriesNotes { range: [0; 3], counts, stood, slots: Slotted::default() });
                self.places.insert(name.into(), self.notes.len() - 1);
                self.notes.len() - 1
            }
        };
        &mut self.notes[place]
    }

    fn into_notes(mut self) -> BTreeMap<SeriesName, SeriesNotes> {
        self.places.into_iter().map(|(name, place)| (name, std::mem::take(&mut self.notes[place]))).collect()
    }
}
