//! The recount: straight from the log and the definitions of SLI time, tick and slot. Slow and obvious. It has no steps,
//! batches, rings, frontier or snapshots, and shares only definitions and conditions with the folds.

use std::collections::{BTreeMap, BTreeSet};

use slipstream_definitions::calendar::Period;
use slipstream_definitions::definition::{Budgeting, COMPOSITE, Indicator, Objective, Rule, Side, Slo, Window};
use slipstream_schemas::records::ConditionSince;
use slipstream_slo::counts::Counts;
use slipstream_slo::hash::series_hash;
use slipstream_slo::redelivery::id_hash;
use slipstream_slo::rule::{Budget, Counted, Kinds};
use slipstream_slo::scale::Scale;

use crate::exact::{self, Exact, Growth, Kept, Question, Told, shown};
use crate::history::{Event, History, REDELIVERY_MS};
use crate::value::{Near, Value};

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
/// partition in its log-time generation or the one before. Returns (log time, event).
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
fn classify(indicator: &Indicator, event: &Event) -> Option<Option<bool>> {
    let total = match indicator.total.as_str() {
        "true" => true,
        r#"service == "s""# => event.service == "s",
        other => panic!("no such total: {other}"),
    };
    let within = |limit: f64| event.latency.map(|latency| latency <= limit);
    let good = match &indicator.side {
        Side::Good(filter) if filter == "status_code < 500" => Some(event.status < 500),
        Side::Good(filter) if filter == "latency_ms <= 500.0" => within(500.0),
        Side::Good(filter) if filter == "latency_ms <= 50.0" => within(50.0),
        Side::Bad(filter) if filter == "latency_ms > 500.0" => within(500.0),
        other => panic!("no such side: {other:?}"),
    };
    total.then_some(good)
}

/// Every cell there is.
pub fn cells(history: &History, accepted: &[(i64, Event)]) -> BTreeMap<CellName, Cell> {
    let mut out: BTreeMap<CellName, Cell> = BTreeMap::new();
    for (at, event) in accepted {
        for (name, (slo, generation)) in definitions_at(history, *at) {
            let group: Vec<String> = slo.group_by.iter().map(|_| event.endpoint.to_owned()).collect();
            for objective in &slo.objectives {
                let Some(good) = classify(&objective.indicator, event) else { continue };
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
    let mut past: BTreeMap<(String, i64), Past> = BTreeMap::new();
    for tick in first..end {
        let definitions = definitions_at(history, tick * 1_000 + 999);
        good_byes(&definitions, tick, &cells, scale, &mut remembered, &mut out.published);
        for (slo, generation) in definitions.values() {
            let past = past.entry((slo.name.clone(), *generation)).or_default();
            let met = |objective: &str| {
                let mine = |((name, g, o, _), t, _): &CellName| {
                    (name, g, o.as_str(), *t < tick) == (&slo.name, generation, objective, true)
                };
                slo.group_by.is_empty() || cells.keys().any(mine)
            };
            past.learn(slo, (*generation, tick), met, scale);
            let single = slo.objectives.iter().map(|o| o.name.as_str());
            for name in single.chain(slo.composite.as_ref().map(|_| COMPOSITE)) {
                for (series, members) in series_at(slo, *generation, name, tick, &cells, scale) {
                    let at = At { slo, series: &series, members: &members, tick, cells: &cells, past, scale };
                    let here = at.told(name);
                    let memory = remembered.entry(series.clone()).or_default();
                    let value = at.value(&here, memory);
                    out.published.extend(publish(&value, &here, memory, scale));
                    out.values.insert((series, tick), value);
                }
            }
        }
    }
    out
}

/// What the series of a generation kept, and what they lost when they had to keep more.
#[derive(Debug, Default)]
struct Past {
    kept: Option<(Kept, Vec<String>)>,
    growths: BTreeMap<String, Vec<Growth>>,
    /// Rings by the tick from which on there were so many.
    rings: BTreeMap<i64, usize>,
    /// Since when there has been a composite: it remembers bad events from then on.
    composite_since: Option<i64>,
    /// By objective, the first second from which on everything of it counts.
    covered_from: BTreeMap<String, i64>,
}

impl Past {
    /// `met`: whether anything of an objective has been counted before this tick.
    fn learn(&mut self, slo: &Slo, (generation, tick): (i64, i64), met: impl Fn(&str) -> bool, scale: &Scale) {
        // Cuts are at odd milliseconds: the first whole second is the next.
        let since = if self.kept.is_none() { (generation + 999) / 1_000 } else { tick + 1 };
        self.covered_from.retain(|name, _| slo.objectives.iter().any(|o| o.name == *name));
        for objective in &slo.objectives {
            self.covered_from.entry(objective.name.clone()).or_insert(since);
        }
        self.composite_since = slo.composite.as_ref().map(|_| self.composite_since.unwrap_or(tick));
        let now = exact::kept(slo, scale);
        self.rings.insert(tick, now.rings);
        let names: Vec<String> = slo.objectives.iter().map(|o| o.name.clone()).collect();
        if let Some((before, old)) = self.kept.as_ref().filter(|_| matches!(slo.window, Window::Rolling(_))) {
            // A longer window than before is served by what was kept until now.
            let there = slo.objectives.iter().enumerate().filter(|(_, o)| old.contains(&o.name) && met(&o.name));
            let reach = there.filter_map(|(i, o)| match o.budgeting.slice() {
                None => (now.rings > before.rings).then(|| scale.rings[before.rings - 1].reach()),
                Some(slice) => {
                    let kept = before.slices[old.iter().position(|name| *name == o.name)?];
                    (now.slices[i] > kept).then_some((kept - 1) * slice)
                }
            });
            if let Some(shortest) = reach.min() {
                self.covered_from.values_mut().for_each(|from| *from = (tick + 1 - shortest).max(*from));
            }
        }
        if let Some((before, old)) = self.kept.replace((now.clone(), names.clone())).filter(|(_, old)| *old == names) {
            for (i, name) in old.into_iter().enumerate() {
                let growth = Growth::between(&before, &now, slo, i, tick, scale);
                self.growths.entry(name).or_default().extend(growth);
            }
        }
    }
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
        definitions.get(slo.as_str()).is_some_and(|(found, g)| {
            let composite = objective == COMPOSITE && found.composite.is_some();
            g == generation && (composite || found.objectives.iter().any(|o| o.name == *objective))
        })
    };
    let gone: Vec<SeriesName> = remembered.keys().filter(|series| !stays(series)).cloned().collect();
    for series in gone {
        let Some(conditions) = remembered.remove(&series).and_then(|memory| memory.conditions) else { continue };
        let members = members_of(&series, tick - 1, cells, scale);
        let asked = (series.2 != COMPOSITE).then_some(series.2.as_str());
        let here = of_series(cells, &series, asked, &members, tick - 1);
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
            remaining: Near(1.0),
            period_start: None,
            previous: None,
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

/// The groups of a series: itself, or all beyond the cap.
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
    objective: &str,
    tick: i64,
    cells: &BTreeMap<CellName, Cell>,
    scale: &Scale,
) -> Vec<(SeriesName, Vec<Vec<String>>)> {
    let name = |group: Vec<String>| (slo.name.clone(), generation, objective.to_owned(), group);
    let mut groups =
        if slo.group_by.is_empty() { vec![Vec::new()] } else { groups_met(&name(Vec::new()), tick, cells) };
    if groups.len() > scale.groups {
        groups.truncate(scale.groups);
        groups.push(vec!["other".to_owned()]);
    }
    groups.sort();
    let with_members = |group| {
        let series = name(group);
        let members = members_of(&series, tick, cells, scale);
        (series, members)
    };
    // A group exists once it has tallies; for a composite, once any objective has.
    let told = |(series, members): &(SeriesName, Vec<Vec<String>>)| {
        let asked = if objective == COMPOSITE { None } else { Some(objective) };
        slo.group_by.is_empty() || !of_series(cells, series, asked, members, tick).is_empty()
    };
    groups.into_iter().map(with_members).filter(told).collect()
}

/// Tick, slot and sums of the tallies of an objective, or of any, of a series up to a tick.
fn of_series<'a>(
    cells: &'a BTreeMap<CellName, Cell>,
    series: &SeriesName,
    objective: Option<&str>,
    members: &[Vec<String>],
    tick: i64,
) -> Told<'a> {
    let mine = |((slo, generation, name, group), t, _): &CellName| {
        *slo == series.0
            && *generation == series.1
            && objective.is_none_or(|asked| asked == name)
            && members.contains(group)
            && *t <= tick
    };
    cells.iter().filter(|(name, _)| mine(name)).map(|((_, t, slot), cell)| (*t, *slot, cell)).collect()
}

/// A series at a tick.
struct At<'a> {
    slo: &'a Slo,
    series: &'a SeriesName,
    /// The groups that it stands for.
    members: &'a [Vec<String>],
    tick: i64,
    cells: &'a BTreeMap<CellName, Cell>,
    past: &'a Past,
    scale: &'a Scale,
}

impl At<'_> {
    fn told(&self, objective: &str) -> Told<'_> {
        let asked = if self.objective().is_none() { None } else { Some(objective) };
        of_series(self.cells, self.series, asked, self.members, self.tick)
    }

    /// `None` for the composite.
    fn objective(&self) -> Option<&Objective> {
        self.slo.objectives.iter().find(|o| o.name == self.series.2)
    }

    /// Evaluates the objective, or all of a composite.
    fn ask<T>(&self, answer: impl Fn(&Question<'_>) -> T) -> Vec<T> {
        let asked = self.slo.objectives.iter().filter(|o| self.objective().is_none_or(|mine| mine.name == o.name));
        asked
            .map(|objective| {
                let told = of_series(self.cells, self.series, Some(&objective.name), self.members, self.tick);
                let growths = self.past.growths.get(&objective.name).map_or(&[][..], Vec::as_slice);
                answer(&Question { objective, told: &told, growths, tick: self.tick, scale: self.scale })
            })
            .collect()
    }

    fn exact(&self, of: impl Fn(&Question<'_>) -> Exact) -> Exact {
        let answers = self.ask(of);
        match self.objective() {
            Some(_) => answers[0],
            None => exact::mean(&self.slo.objectives.iter().map(|o| o.weight).zip(answers).collect::<Vec<_>>()),
        }
    }

    fn value(&self, here: &Told<'_>, memory: &Remembered) -> Value {
        let (slo, tick, objective) = (self.slo, self.tick, self.objective());
        let (rules, target): (&[Rule], _) = match (objective, &slo.composite) {
            (Some(objective), _) => (&objective.rules, objective.target),
            (None, composite) => (&composite.as_ref().unwrap().rules, composite.as_ref().unwrap().target),
        };
        let budgeting = objective.map_or(Budgeting::Occurrences, |o| o.budgeting);
        let window = |seconds: i64| self.exact(|question| question.window(seconds));
        let mut windows: Vec<(i64, Exact)> =
            exact::rolling(slo, objective).into_iter().map(|w| (w, window(w))).collect();
        let periods = match &slo.window {
            Window::Rolling(_) => None,
            Window::Calendar(calendar) => {
                let present = calendar.period_at(tick);
                windows.push((present.seconds(), self.exact(|question| question.period(present))));
                Some((present, calendar.period_at(present.start - 1)))
            }
        };
        let previous = periods.filter(|(_, before)| before.end > (self.series.1 + 999) / 1_000).map(|(_, before)| {
            let (good, total) = shown(budgeting, self.exact(|question| question.period(before)));
            (before.start, good, total)
        });
        let budget = windows.last().unwrap().1;
        let seen = Seen { at: self, budgeting, budget: budget.counts, period: periods.map(|(present, _)| present) };
        let condition = |rule: &Rule| {
            let before = memory.conditions.iter().flatten().find(|c| c.rule == rule.name);
            // The recount knows no incomplete ticks.
            let held = before.is_some_and(|c| c.holds);
            let holds = Kinds::default().holds(&rule.condition, target, &seen, (held, true));
            let since = before.and_then(|c| c.since).unwrap_or(tick);
            ConditionSince { rule: rule.name.clone(), holds, since: holds.then_some(since) }
        };
        let seconds = periods.map_or(slo.window.nominal_seconds(), |(present, _)| present.seconds());
        let rings = |t: i64| self.past.rings.range(..=t).next_back().map_or(0, |(_, rings)| *rings);
        Value {
            slo: self.series.0.clone(),
            objective: self.series.2.clone(),
            group: self.series.3.clone(),
            generation: self.series.1,
            tick,
            retired: false,
            windows: windows
                .iter()
                .map(|(w, exact)| (*w, shown(budgeting, *exact)))
                .map(|(w, (g, t))| (w, g, t))
                .collect(),
            conditions: rules.iter().map(condition).collect(),
            unknown: here.iter().map(|(_, _, cell)| cell.unknown).sum(),
            too_late: self.ask(|question| question.too_late(&slo.window, rings)).into_iter().sum(),
            exemplars: newest_bad(here, objective.map_or(self.past.composite_since, |_| None)),
            remaining: Near(remaining(budgeting, budget, seconds, target.num as f64 / target.den as f64)),
            period_start: periods.map(|(present, _)| present.start),
            previous,
        }
    }
}

/// What rules see of a series, by definition.
struct Seen<'a> {
    at: &'a At<'a>,
    budgeting: Budgeting,
    budget: Counts,
    /// The present one of a calendar.
    period: Option<Period>,
}

impl Counted for Seen<'_> {
    fn counts(&self, window: i64) -> Counts {
        self.at.exact(|question| question.window(window)).counts
    }

    fn events(&self, window: i64) -> i64 {
        self.at.ask(|question| question.window(window).events).into_iter().sum()
    }

    fn covers(&self, window: i64) -> bool {
        let of_objectives = &self.at.past.covered_from;
        let single = self.at.objective().and_then(|objective| of_objectives.get(&objective.name));
        let from = single.or(of_objectives.values().max()).copied().unwrap_or_default();
        self.at.tick + 1 - window >= from
    }

    fn budget(&self) -> Option<Budget> {
        let seconds = self.period.map_or(self.at.slo.window.nominal_seconds(), |period| period.seconds());
        let elapsed = self.period.map_or(seconds, |period| self.at.tick + 1 - period.start);
        let sliced = |slice: i64, unit: i64| Counts {
            good: seconds / slice * unit - self.budget.bad(),
            total: seconds / slice * unit,
        };
        let counts = match self.budgeting {
            Budgeting::Occurrences => self.budget,
            Budgeting::Timeslices { seconds: slice, .. } => sliced(slice, 1),
            Budgeting::RatioTimeslices { seconds: slice } => sliced(slice, exact::BILLION),
        };
        self.covers(elapsed).then(|| Budget {
            counts,
            grows: self.period.is_some() && self.budgeting == Budgeting::Occurrences,
            renewed_in: self.period.map(|period| period.end - self.at.tick - 1),
            share_of: self.at.objective().is_none().then_some(elapsed),
        })
    }
}

/// What is left of a budget: of events by their number, of time by the length of the period.
fn remaining(budgeting: Budgeting, budget: Exact, seconds: i64, target: f64) -> f64 {
    let bad = budget.counts.bad() as f64;
    let allowed = match budgeting {
        Budgeting::Occurrences => (1.0 - target) * budget.counts.total as f64,
        Budgeting::Timeslices { seconds: slice, .. } => (1.0 - target) * seconds as f64 / slice as f64,
        Budgeting::RatioTimeslices { seconds: slice } => {
            (1.0 - target) * seconds as f64 / slice as f64 * exact::BILLION as f64
        }
    };
    if allowed > 0.0 { 1.0 - bad / allowed } else { 1.0 }
}

/// The bad event with the lowest id hash of each of the five newest ticks that had one.
fn newest_bad(here: &[(i64, i64, &Cell)], since: Option<i64>) -> Vec<String> {
    let mut by_tick: BTreeMap<i64, Vec<&String>> = BTreeMap::new();
    for (tick, _, cell) in here.iter().filter(|(tick, _, _)| since.is_none_or(|since| *tick >= since)) {
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
