//! What is noted of each series while SLOs are folded.

use std::collections::BTreeMap;

use hashbrown::HashMap;
use slipstream_schemas::LogTime;
use slipstream_schemas::records::{AlertTransition, BurnRates, TallyEntry};
use slipstream_slo::burn::Taken;

use super::extremes::{EpisodeKey, Extremes};
use super::slots::{Slotted, Slotting};
use super::steps::Steps;

/// An SLO's objective and group.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SeriesName {
    /// SLO.
    pub slo: String,
    /// Objective.
    pub objective: String,
    /// Values of groupBy; `other` in each for the groups beyond burn's cap.
    pub group: Vec<String>,
}

impl SeriesName {
    /// Of the series that is in a state.
    pub fn of(state: &BurnRates) -> SeriesName {
        SeriesName { slo: state.slo.clone(), objective: state.objective.clone(), group: state.group.clone() }
    }
}

/// What was noted of a series since its SLO means what it meant last.
#[derive(Debug, Clone, Default)]
pub struct SeriesNotes {
    /// The SLO's generation.
    pub generation: i64,
    /// What became known in the range: good, good or bad, unknown.
    pub range: [i64; 3],
    /// Steps.
    pub steps: Stepped,
    /// What happened in each slot, if that is noted.
    pub slots: Slotted,
}

impl SeriesNotes {
    fn add(&mut self, entry: &TallyEntry, steps: &Steps, slots: Option<Slotting>) {
        if let Some(slots) = slots {
            self.slots.add(entry, slots);
        }
        // Nothing is read beyond the range; it may end within a second.
        if entry.tick < steps.from() {
            return;
        }
        let more = [entry.good, entry.total, entry.unknown];
        (0..3).for_each(|i| self.range[i] += more[i]);
        if let Some(step) = steps.of(entry.slot) {
            let counts = &mut self.steps.at(step).counts;
            (0..3).for_each(|i| counts[i] += more[i]);
        }
    }
}

/// A series in a step.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct StepNotes {
    /// What happened in it: good, good or bad, unknown.
    pub counts: [i64; 3],
    /// How the series stood at its end.
    pub stood: Option<Standing>,
}

/// Steps from the first one of which something is noted to the last: a series may be there for a part of the range only.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Stepped {
    first: usize,
    steps: Vec<StepNotes>,
}

impl Stepped {
    /// A step; `None` if nothing is noted of it.
    pub fn get(&self, step: usize) -> Option<&StepNotes> {
        self.steps.get(step.checked_sub(self.first)?)
    }

    fn at(&mut self, step: usize) -> &mut StepNotes {
        if self.steps.is_empty() {
            self.first = step;
        }
        if step < self.first {
            // It was late.
            let before = self.first - step;
            self.steps.splice(0..0, std::iter::repeat_n(StepNotes::default(), before));
            self.first = step;
        }
        let at = step - self.first;
        if at >= self.steps.len() {
            self.steps.resize_with(at + 1, StepNotes::default);
        }
        &mut self.steps[at]
    }
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

impl Standing {
    fn of(state: &BurnRates) -> Standing {
        Standing {
            sli: state.sli,
            budget_remaining: state.budget_remaining,
            burn: state.windows.iter().map(|window| (window.seconds, window.burn)).collect(),
        }
    }
}

/// What was noted of one set of definitions.
#[derive(Debug, Default)]
pub struct Notes {
    /// Every transition of the range, and of the warm-up before it unless it is known what was open when that ended.
    pub transitions: Vec<AlertTransition>,
    /// Alert and tick: the share of the budget that was spent when it fired, or its severity changed.
    pub spent: BTreeMap<(String, i64), f64>,
    /// Of each episode.
    pub extremes: BTreeMap<EpisodeKey, Extremes>,
    /// Of each series.
    pub series: BTreeMap<SeriesName, SeriesNotes>,
    /// How each series stood at the end; those of an SLO that was deleted in the range, right before that.
    pub states: Vec<BurnRates>,
    /// The last tick evaluated.
    pub last_tick: Option<i64>,
}

impl Notes {
    /// Joins the notes of the other partitions.
    pub fn join(all: impl IntoIterator<Item = Notes>) -> Notes {
        let mut joined = Notes::default();
        for notes in all {
            joined.transitions.extend(notes.transitions);
            joined.spent.extend(notes.spent);
            joined.extremes.extend(notes.extremes);
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

/// Notes of the series that burn has, by SLO. Finding one allocates nothing.
#[derive(Default)]
pub(super) struct Noted {
    slos: HashMap<String, OfSlo>,
}

/// Of the newest generation of an SLO: counts of former ones are of another meaning.
#[derive(Default)]
struct OfSlo {
    generation: i64,
    /// By objective and group.
    series: HashMap<String, HashMap<Vec<String>, SeriesNotes>>,
}

impl Noted {
    /// Adds what a series took in.
    pub(super) fn add(&mut self, taken: &Taken<'_>, steps: &Steps, slots: Option<Slotting>) {
        let Taken { slo, generation, objective, group, entries } = *taken;
        let in_warm_up = entries.iter().all(|entry| entry.tick < steps.from());
        if in_warm_up && slots.is_none() {
            return;
        }
        if let Some(notes) = self.of((slo, generation), (objective, group)) {
            entries.iter().for_each(|entry| notes.add(entry, steps, slots));
        }
    }

    /// Notes how a series stands at the end of a step, if that is not known yet.
    pub(super) fn stand(&mut self, state: &BurnRates, step: usize) {
        if let Some(notes) = self.of((&state.slo, state.generation), (&state.objective, &state.group)) {
            notes.steps.at(step).stood.get_or_insert_with(|| Standing::of(state));
        }
    }

    /// `None` if its generation has ended.
    fn of(
        &mut self,
        (slo, generation): (&str, i64),
        (objective, group): (&str, &[String]),
    ) -> Option<&mut SeriesNotes> {
        let of_slo = self.slos.entry_ref(slo).or_default();
        if generation > of_slo.generation {
            *of_slo = OfSlo { generation, series: HashMap::new() };
        }
        if generation < of_slo.generation {
            return None;
        }
        let notes = of_slo.series.entry_ref(objective).or_default().entry_ref(group).or_default();
        notes.generation = generation;
        Some(notes)
    }

    pub(super) fn into_notes(self) -> BTreeMap<SeriesName, SeriesNotes> {
        let mut all = BTreeMap::new();
        for (slo, of_slo) in self.slos {
            for (objective, groups) in of_slo.series {
                all.extend(groups.into_iter().map(|(group, notes)| {
                    (SeriesName { slo: slo.clone(), objective: objective.clone(), group }, notes)
                }));
            }
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_there_from_the_first_that_is_noted_to_the_last() {
        let mut steps = Stepped::default();
        for step in [7, 9, 4, 7] {
            steps.at(step).counts[1] += 1;
        }
        let counts: Vec<Option<i64>> = (3..11).map(|step| steps.get(step).map(|notes| notes.counts[1])).collect();
        assert_eq!(counts, [None, Some(1), Some(0), Some(0), Some(2), Some(0), Some(1), None]);
        assert_eq!(steps.steps.len(), 6);
    }
}
