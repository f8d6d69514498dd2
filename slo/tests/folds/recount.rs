//! The recount: straight from the log and the definitions of SLI time, tick and slot. Slow and obvious. It has no steps,
//! batches, rings, frontier or snapshots, and shares only definitions and conditions with the folds.

use std::collections::{BTreeMap, BTreeSet};

use slipstream_schemas::records::{BudgetUnit, BurnRates, ConditionSince, WindowRates};
use slipstream_slo::condition::{Counts, holds};
use slipstream_slo::definition::{Objective, Side, Slo};
use slipstream_slo::hash::series_hash;
use slipstream_slo::redelivery::id_hash;
use slipstream_slo::scale::Scale;

use crate::history::{Event, History, REDELIVERY_MS};

/// SLO, generation, objective, group.
pub type SeriesName = (String, i64, String, Vec<String>);
/// Series, tick, slot.
pub type CellName = (SeriesName, i64, i64);

/// Sums of one cell, and its bad events.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Cell {
    pub good: i64,
    pub total: i64,
    pub unknown: i64,
    pub bad: Vec<String>,
}

/// A definition in force and its generation.
type InForce = (Slo, i64);

/// The redelivery rule, word for word: a record is a duplicate if its event_id occurs at a lower offset of the same
/// partition in its log-time generation or the one before. Answers (log time, event).
pub fn accepted(history: &History, upto: &[usize]) -> Vec<(i64, Event)> {
    let mut out = Vec::new();
    for (log, upto) in history.sources.iter().zip(upto) {
        let valid: Vec<(i64, &Event)> = log[..*upto].iter().filter_map(|(at, e)| Some((at.0, e.as_ref()?))).collect();
        for (i, (at, event)) in valid.iter().enumerate() {
            let generation = at / REDELIVERY_MS;
            let copy =
                |(before, other): &(i64, &Event)| other.id == event.id && before / REDELIVERY_MS >= generation - 1;
            if !valid[..i].iter().any(copy) {
                out.push((*at, (*event).clone()));
            }
        }
    }
    out
}

/// What is in force at a log time, by name.
pub fn definitions_at(history: &History, at: i64) -> BTreeMap<&'static str, InForce> {
    let mut out: BTreeMap<&'static str, InForce> = BTreeMap::new();
    for (log_time, name, slo) in &history.revisions {
        let cut = log_time.0 + history.cut_delay_ms;
        match slo {
            _ if cut > at => {}
            None => drop(out.remove(name)),
            Some(slo) => {
                let before = out.get(name).filter(|(old, _)| old.same_meaning(slo));
                let generation = before.map_or(cut, |(_, generation)| *generation);
                out.insert(name, (slo.clone(), generation));
            }
        }
    }
    out
}

/// good, bad or unknown (none) by the filters of these histories; none outside: the event does not count.
fn classify(slo: &Slo, event: &Event) -> Option<Option<bool>> {
    let total = match slo.objectives[0].indicator.total.as_str() {
        "true" => true,
        r#"service == "s""# => event.service == "s",
        other => panic!("no such total: {other}"),
    };
    let fast = event.latency.map(|latency| latency <= 500.0);
    let good = match &slo.objectives[0].indicator.side {
        Side::Good(filter) if filter == "status_code < 500" => Some(event.status < 500),
        Side::Good(filter) if filter == "latency_ms <= 500.0" => fast,
        Side::Bad(filter) if filter == "latency_ms > 500.0" => fast,
        other => panic!("no such side: {other:?}"),
    };
    total.then_some(good)
}

/// Every cell there is.
pub fn cells(history: &History, accepted: &[(i64, Event)]) -> BTreeMap<CellName, Cell> {
    let mut out: BTreeMap<CellName, Cell> = BTreeMap::new();
    for (at, event) in accepted {
        for (name, (slo, generation)) in definitions_at(history, *at) {
            let Some(good) = classify(&slo, event) else { continue };
            let group: Vec<String> = slo.group_by.iter().map(|_| event.endpoint.to_owned()).collect();
            for objective in &slo.objectives {
                let series = (name.to_owned(), generation, objective.name.clone(), group.clone());
                let cell =
                    out.entry((series, at.div_euclid(1_000), event.time.min(*at).div_euclid(1_000))).or_default();
                let weight = i64::from(event.weight);
                cell.good += if good == Some(true) { weight } else { 0 };
                cell.total += if good.is_some() { weight } else { 0 };
                cell.unknown += if good.is_none() { weight } else { 0 };
                cell.bad.extend((good == Some(false)).then(|| event.id.clone()));
            }
        }
    }
    out
}

/// What the recount says of a series at a tick.
#[derive(Debug, Clone, PartialEq)]
pub struct Value {
    pub slo: String,
    pub objective: String,
    pub group: Vec<String>,
    pub generation: i64,
    pub tick: i64,
    pub retired: bool,
    pub windows: Vec<(i64, i64, i64)>,
    pub conditions: Vec<ConditionSince>,
    pub unknown: i64,
    pub too_late: i64,
    pub exemplars: Vec<String>,
}

impl Value {
    pub fn of(rates: &BurnRates) -> Value {
        Value {
            slo: rates.slo.clone(),
            objective: rates.objective.clone(),
            group: rates.group.clone(),
            generation: rates.generation,
            tick: rates.tick,
            retired: rates.retired,
            windows: rates.windows.iter().map(|w| (w.seconds, w.good, w.total)).collect(),
            conditions: rates.conditions.clone(),
            unknown: rates.unknown,
            too_late: rates.too_late,
            exemplars: rates.exemplars.iter().map(|e| e.event_id.clone()).collect(),
        }
    }

    /// What the alert machine needs to know.
    pub fn rates(&self) -> BurnRates {
        let window = |(seconds, good, total): &(i64, i64, i64)| WindowRates {
            seconds: *seconds,
            slot_seconds: 0,
            good: *good,
            total: *total,
            burn: 0.0,
        };
        BurnRates {
            slo: self.slo.clone(),
            objective: self.objective.clone(),
            group: self.group.clone(),
            generation: self.generation,
            tick: self.tick,
            revision: i64::MAX,
            complete: true,
            retired: self.retired,
            windows: self.windows.iter().map(window).collect(),
            sli: None,
            budget_total: 0.0,
            budget_remaining: 0.0,
            exhaustion_at: None,
            conditions: self.conditions.clone(),
            unknown: self.unknown,
            too_late: self.too_late,
            covered_from: 0,
            sources_current: 0,
            sources: 0,
            exemplars: Vec::new(),
            unit: BudgetUnit::Events,
            target: None,
            period_start: None,
            previous: None,
        }
    }
}

/// What a series remembers from tick to tick.
#[derive(Debug, Clone, Default)]
struct Remembered {
    conditions: Option<Vec<ConditionSince>>,
    dirty: bool,
}

/// Every value of every series, and what a run whose ticks are all complete publishes, for the ticks `first..end`.
pub struct Evaluated {
    pub values: BTreeMap<(SeriesName, i64), Value>,
    pub published: Vec<Value>,
}

pub fn evaluate(history: &History, scale: &Scale, first: i64, end: i64) -> Evaluated {
    let upto: Vec<usize> = history.sources.iter().map(Vec::len).collect();
    let cells = cells(history, &accepted(history, &upto));
    let mut out = Evaluated { values: BTreeMap::new(), published: Vec::new() };
    let mut remembered: BTreeMap<SeriesName, Remembered> = BTreeMap::new();
    for tick in first..end {
        let definitions = definitions_at(history, tick * 1_000 + 999);
        good_byes(&definitions, tick, &cells, scale, &mut remembered, &mut out.published);
        for (slo, generation) in definitions.values() {
            for objective in &slo.objectives {
                for (series, members) in series_at(slo, *generation, objective, tick, &cells, scale) {
                    let here = of_series(&cells, &series, &members, tick);
                    let memory = remembered.entry(series.clone()).or_default();
                    let value = value(slo, objective, &series, tick, &here, memory, scale);
                    out.published.extend(publish(&value, &here, memory, scale));
                    out.values.insert((series, tick), value);
                }
            }
        }
    }
    out
}

/// Series whose SLO is gone, or counts something else now, and that had been evaluated.
fn good_byes(
    definitions: &BTreeMap<&'static str, InForce>,
    tick: i64,
    cells: &BTreeMap<CellName, Cell>,
    scale: &Scale,
    remembered: &mut BTreeMap<SeriesName, Remembered>,
    published: &mut Vec<Value>,
) {
    let stays = |(slo, generation, objective, _): &SeriesName| {
        definitions
            .get(slo.as_str())
            .is_some_and(|(found, g)| g == generation && found.objectives.iter().any(|o| o.name == *objective))
    };
    let gone: Vec<SeriesName> = remembered.keys().filter(|series| !stays(series)).cloned().collect();
    for series in gone {
        let Some(conditions) = remembered.remove(&series).and_then(|memory| memory.conditions) else { continue };
        let members = members_of(&series, tick - 1, cells, scale);
        let here = of_series(cells, &series, &members, tick - 1);
        let (slo, generation, objective, group) = series;
        published.push(Value {
            slo,
            objective,
            group,
            generation,
            tick,
            retired: true,
            windows: Vec::new(),
            conditions,
            unknown: here.iter().map(|(_, _, cell)| cell.unknown).sum(),
            too_late: -1,
            exemplars: Vec::new(),
        });
    }
}

/// The groups of an SLO in the order in which they were met: by tick, then by name.
fn groups_met(series: &SeriesName, tick: i64, cells: &BTreeMap<CellName, Cell>) -> Vec<Vec<String>> {
    let mine = cells
        .keys()
        .filter(|((slo, generation, _, _), t, _)| *slo == series.0 && *generation == series.1 && *t <= tick);
    let by_tick: BTreeSet<(i64, Vec<String>)> = mine.map(|((_, _, _, group), t, _)| (*t, group.clone())).collect();
    let mut met = Vec::new();
    for (_, group) in by_tick {
        if !met.contains(&group) {
            met.push(group);
        }
    }
    met
}

/// The groups that a series stands for: itself, or all beyond the cap.
fn members_of(series: &SeriesName, tick: i64, cells: &BTreeMap<CellName, Cell>, scale: &Scale) -> Vec<Vec<String>> {
    if series.3 == ["other"] {
        groups_met(series, tick, cells).into_iter().skip(scale.groups).collect()
    } else {
        vec![series.3.clone()]
    }
}

/// The series of an objective that exist at a tick, each with the groups it stands for.
fn series_at(
    slo: &Slo,
    generation: i64,
    objective: &Objective,
    tick: i64,
    cells: &BTreeMap<CellName, Cell>,
    scale: &Scale,
) -> Vec<(SeriesName, Vec<Vec<String>>)> {
    let name = |group: Vec<String>| (slo.name.clone(), generation, objective.name.clone(), group);
    let mut groups =
        if slo.group_by.is_empty() { vec![Vec::new()] } else { groups_met(&name(Vec::new()), tick, cells) };
    if groups.len() > scale.groups {
        groups.truncate(scale.groups);
        groups.push(vec!["other".to_owned()]);
    }
    groups.sort();
    let with_members = |group| (name(group), tick);
    groups
        .into_iter()
        .map(with_members)
        .map(|(series, tick)| (series.clone(), members_of(&series, tick, cells, scale)))
        .collect()
}

/// Tick, slot and sums of what a series was told up to a tick.
fn of_series<'a>(
    cells: &'a BTreeMap<CellName, Cell>,
    series: &SeriesName,
    members: &[Vec<String>],
    tick: i64,
) -> Vec<(i64, i64, &'a Cell)> {
    let mine = |((slo, generation, objective, group), t, _): &CellName| {
        *slo == series.0 && *generation == series.1 && *objective == series.2 && members.contains(group) && *t <= tick
    };
    cells.iter().filter(|(name, _)| mine(name)).map(|((_, t, slot), cell)| (*t, *slot, cell)).collect()
}

fn value(
    slo: &Slo,
    objective: &Objective,
    series: &SeriesName,
    tick: i64,
    here: &[(i64, i64, &Cell)],
    memory: &Remembered,
    scale: &Scale,
) -> Value {
    let sum = |window: i64| {
        let slot_seconds = scale.rings[scale.ring_for(window).unwrap()].slot_seconds;
        let first = (tick + 1 - window).div_euclid(slot_seconds);
        let inside = here.iter().filter(|(_, slot, _)| slot.div_euclid(slot_seconds) >= first);
        inside.fold(Counts::default(), |a, (_, _, c)| Counts { good: a.good + c.good, total: a.total + c.total })
    };
    let mut windows = slo.windows(&objective.rules);
    windows.extend(objective.rules.is_empty().then_some(slo.window.nominal_seconds()));
    windows.dedup();
    let condition = |rule: &slipstream_slo::definition::Rule| {
        let holds = holds(&rule.condition, objective.target, sum, |window| sum(window).total);
        let before = memory.conditions.iter().flatten().find(|c| c.rule == rule.name).and_then(|c| c.since);
        ConditionSince { rule: rule.name.clone(), holds, since: holds.then(|| before.unwrap_or(tick)) }
    };
    // Series have at least the base rings, and more where a window of any objective needs them.
    let longest = slo.objectives.iter().flat_map(|o| slo.windows(&o.rules)).max().unwrap();
    let ring = scale.rings[scale.ring_for(longest).unwrap().max(scale.base_rings - 1)];
    let late = |(t, slot, _): &&(i64, i64, &Cell)| {
        slot.div_euclid(ring.slot_seconds) <= t.div_euclid(ring.slot_seconds) - ring.slots as i64
    };
    Value {
        slo: series.0.clone(),
        objective: series.2.clone(),
        group: series.3.clone(),
        generation: series.1,
        tick,
        retired: false,
        windows: windows.iter().map(|w| (*w, sum(*w).good, sum(*w).total)).collect(),
        conditions: objective.rules.iter().map(condition).collect(),
        unknown: here.iter().map(|(_, _, cell)| cell.unknown).sum(),
        too_late: here.iter().filter(late).map(|(_, _, cell)| cell.total + cell.unknown).sum(),
        exemplars: newest_bad(here),
    }
}

/// The bad event with the lowest id hash of each of the five newest ticks that had one.
fn newest_bad(here: &[(i64, i64, &Cell)]) -> Vec<String> {
    let mut by_tick: BTreeMap<i64, Vec<&String>> = BTreeMap::new();
    for (tick, _, cell) in here {
        by_tick.entry(*tick).or_default().extend(&cell.bad);
    }
    let lowest = |ids: &Vec<&String>| ids.iter().min_by_key(|id| id_hash(id)).map(|id| id.to_string());
    by_tick.values().rev().filter_map(lowest).take(5).collect()
}

/// Whether the value is looked at, and published, at its tick.
fn publish(value: &Value, here: &[(i64, i64, &Cell)], memory: &mut Remembered, scale: &Scale) -> Option<Value> {
    let tallied = here.iter().any(|(tick, _, _)| *tick == value.tick);
    memory.dirty |= tallied;
    let hash = series_hash(&value.slo, &value.objective, &value.group);
    let turn = |every: i64| value.tick as u64 % every as u64 == hash % every as u64;
    let held = memory.conditions.iter().flatten().any(|c| c.holds);
    if !(tallied || held || turn(scale.evaluate_every)) {
        return None;
    }
    let of = |list: &[ConditionSince]| list.iter().map(|c| (c.rule.clone(), c.holds)).collect::<BTreeSet<_>>();
    let changed = memory.conditions.as_ref().is_some_and(|before| of(before) != of(&value.conditions));
    memory.conditions = Some(value.conditions.clone());
    let holds = value.conditions.iter().any(|c| c.holds);
    if !(holds || changed || (memory.dirty && turn(scale.publish_every)) || turn(scale.evaluate_every)) {
        return None;
    }
    memory.dirty = false;
    Some(value.clone())
}
