//! A test's traffic through the real folds: tally, burn, alert machines. One source, one partition, no clock.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;

use slipstream_schemas::LogTime;
use slipstream_schemas::records::{AlertTransition, BurnRates, Settings, TallyBatch, TallyEntry};

use crate::bind::SeriesName;
use crate::plan::{Feed, Part, Segment, Single, TrafficPlan};
use crate::steady::{Lumps, Moment};
use slipstream_definitions::definition::Slo;
use slipstream_slo::alerts::{AlertState, OpenAlerts, Phase};
use slipstream_slo::burn::Burn;
use slipstream_slo::redelivery::Memory;
use slipstream_slo::revision::Revisions;
use slipstream_slo::scale::Scale;
use slipstream_slo::tally::{Decided, Tally};

/// Redeliveries are recognised for this long, milliseconds: what installations have.
const REDELIVERY_MS: i64 = 120_000;
/// Seconds that one step of tally covers at most.
const STEP: i64 = 600;

/// What was seen of a test. Times are seconds since its start.
#[derive(Default)]
pub(crate) struct Seen {
    /// Where every series stood when so many seconds had passed.
    pub looks: BTreeMap<i64, Vec<BurnRates>>,
    /// In the order in which they came.
    pub transitions: Vec<AlertTransition>,
    /// What came in the seconds before a look: good, bad, unknown by series and tick.
    pub arrivals: BTreeMap<(SeriesName, i64), Arrived>,
    /// Events that were fed.
    pub events: u64,
    /// Steps of work that it took.
    pub work: u64,
}

/// Weights that came in a second.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Arrived {
    pub good: i64,
    pub bad: i64,
    pub unknown: i64,
}

/// When to look, seconds since the start.
#[derive(Default)]
pub(crate) struct Watch {
    pub looks: BTreeSet<i64>,
    /// Seconds before a look whose arrivals are noted.
    pub arrivals: i64,
}

/// Why a run ended early.
pub(crate) enum Stopped {
    /// It asked for more work than is allowed.
    TooMuchWork,
    /// A fold refused what it was given.
    Fold(String),
}

/// Plays a plan against definitions, up to `most_work`.
pub(crate) fn run(plan: &TrafficPlan, slos: &[Slo], watch: &Watch, most_work: u64) -> Result<Seen, Stopped> {
    let mut player = Player::new(plan, slos, watch, most_work)?;
    let mut looks = watch.looks.range(1..=plan.end).copied().peekable();
    while player.now < plan.end {
        let stop = looks.peek().copied().unwrap_or(plan.end);
        player.play_until(stop)?;
        if looks.next_if_eq(&player.now).is_some() {
            player.look()?;
        }
    }
    Ok(player.seen)
}

struct Player<'a> {
    plan: &'a TrafficPlan,
    watch: &'a Watch,
    revisions: Revisions,
    tally: Tally,
    burn: Burn,
    /// Next offset of request-events, and of sli-tallies.
    offsets: (i64, i64),
    open: OpenAlerts,
    feed: Feed,
    /// Events on their way: by tick, with their slot.
    late: BTreeMap<i64, Vec<(Part, i64, u64)>>,
    /// Next of the plan's single events.
    single: usize,
    /// Seconds that were played.
    now: i64,
    segment: usize,
    lumps: Lumps,
    /// Per segment: whether all its requests are good and on time.
    good: Vec<bool>,
    /// Seconds at which single events happen or come, ascending.
    marks: Vec<i64>,
    last_bad: Option<i64>,
    most_work: u64,
    /// Work of a request, and of a second.
    price: u64,
    seen: Seen,
}

/// An event to be fed at a second.
struct Coming {
    shape: usize,
    tick: i64,
    slot: i64,
    count: u64,
    id: Option<String>,
}

impl<'a> Player<'a> {
    fn new(plan: &'a TrafficPlan, slos: &'a [Slo], watch: &'a Watch, most_work: u64) -> Result<Player<'a>, Stopped> {
        let start = LogTime(plan.start * 1_000);
        let revisions = in_force(slos, start)?;
        let good = good_shapes(plan, &revisions);
        let is_good = |segment: &Segment| segment.parts.iter().all(|part| part.late == 0 && good[part.shape]);
        let mut marks: Vec<i64> = plan.single.iter().flat_map(|single| [single.slot, single.tick]).collect();
        marks.sort_unstable();
        marks.dedup();
        let objectives: usize = slos.iter().map(|slo| slo.objectives.len()).sum();
        Ok(Player {
            plan,
            watch,
            tally: new_tally(start),
            burn: Burn::new(0, 1, 1, Scale::REAL),
            offsets: (0, 0),
            open: OpenAlerts::default(),
            feed: Feed::new(plan),
            late: BTreeMap::new(),
            single: 0,
            now: 0,
            segment: 0,
            lumps: Lumps::new(slos, &Scale::REAL),
            good: plan.segments.iter().map(is_good).collect(),
            marks,
            last_bad: None,
            most_work,
            price: 1 + objectives as u64,
            revisions,
            seen: Seen::default(),
        })
    }

    /// Plays the seconds up to `stop`, at which something is looked at.
    fn play_until(&mut self, stop: i64) -> Result<(), Stopped> {
        while self.now < stop {
            let mut coming = Vec::new();
            let until = stop.min(self.now + STEP);
            let began = self.now;
            while self.now < until {
                self.enter_segment();
                let next = (self.now + self.lump(stop)).min(self.plan.end);
                self.gather(next, &mut coming);
                self.now = next;
                if coming.len() > 10_000 {
                    break;
                }
            }
            self.step(coming, (self.now - began).unsigned_abs())?;
        }
        Ok(())
    }

    fn enter_segment(&mut self) {
        while self.plan.segments[self.segment].to <= self.now {
            self.segment += 1;
        }
    }

    /// How many seconds may be fed at once now.
    fn lump(&self, stop: i64) -> i64 {
        if !self.good[self.segment] || !self.open.is_empty() || !self.late.is_empty() {
            return 1;
        }
        let start = self.plan.start;
        let bad = |i: &usize| !self.good[*i];
        let next_bad = (self.segment..self.plan.segments.len()).find(bad).map(|i| self.plan.segments[i].from);
        let mark = self.marks.get(self.marks.partition_point(|mark| *mark < self.now)).copied();
        let next = [Some(stop), next_bad, mark].into_iter().flatten().min().unwrap_or(stop);
        let same_until = self.plan.segments[self.segment].to.min(next);
        self.lumps.size(&Moment {
            now: start + self.now,
            same_until: start + same_until,
            next: start + next,
            last_bad: self.last_bad.map(|bad| start + bad),
        })
    }

    /// What comes in the seconds from now up to `next`, as of the last of them.
    fn gather(&mut self, next: i64, coming: &mut Vec<Coming>) {
        let plan = self.plan;
        let (segment, tick) = (&plan.segments[self.segment], next - 1);
        if let Some(due) = self.late.remove(&tick) {
            let of = |(part, slot, count): (Part, i64, u64)| Coming { shape: part.shape, tick, slot, count, id: None };
            coming.extend(due.into_iter().map(of));
            self.last_bad = Some(tick);
        }
        for (part, count) in self.feed.take(plan, segment, self.now, next) {
            if part.late == 0 {
                coming.push(Coming { shape: part.shape, tick, slot: tick, count, id: None });
            } else if tick + part.late < plan.end {
                self.late.entry(tick + part.late).or_default().push((part, tick, count));
            }
        }
        while let Some(single) = plan.single.get(self.single).filter(|single| single.tick <= tick) {
            let Single { tick, slot, shape, weight, id } = single.clone();
            coming.push(Coming { shape, tick, slot, count: weight, id });
            self.single += 1;
            self.last_bad = Some(tick);
        }
        if !self.good[self.segment] {
            self.last_bad = Some(tick);
        }
    }

    /// A step of tally over what came, and burn up to the present second.
    fn step(&mut self, coming: Vec<Coming>, seconds: u64) -> Result<(), Stopped> {
        self.spend(seconds + coming.len() as u64 * self.price)?;
        let (plan, start) = (self.plan, self.plan.start);
        let mut step = self.tally.begin::<Infallible>(&self.revisions, LogTime(i64::MAX));
        for event in coming {
            let log_time = LogTime((start + event.tick) * 1_000);
            let mut left = event.count;
            while left > 0 {
                let weight = u32::try_from(left).unwrap_or(u32::MAX);
                left -= u64::from(weight);
                // No test file can write such an id.
                let made = format!("\u{1}{}", self.offsets.0);
                let id = event.id.as_deref().unwrap_or(&made);
                let view = plan.shapes[event.shape].event(id, start + event.slot, weight);
                step.push(self.offsets.0, log_time, Ok(&view)).map_err(|fault| Stopped::Fold(fault.to_string()))?;
                self.offsets.0 += 1;
            }
            self.seen.events += event.count;
        }
        let live = step.finish(None);
        let known = LogTime((start + self.now) * 1_000);
        let idle = self.tally.idle::<Infallible>(&self.revisions, self.offsets.0, known, LogTime(i64::MAX), None);
        for decided in [live, idle].into_iter().flatten() {
            self.burn(decided)?;
        }
        Ok(())
    }

    fn burn(&mut self, decided: Decided<Infallible>) -> Result<(), Stopped> {
        for (_, batch) in decided.batches {
            self.note(&batch);
            let applied = self.burn.apply(self.offsets.1, &batch, &self.revisions);
            self.offsets.1 += 1;
            let rates = applied.map_err(|fault| Stopped::Fold(fault.to_string()))?;
            self.spend(rates.len() as u64)?;
            rates.iter().for_each(|rates| self.decide(rates));
        }
        Ok(())
    }

    /// Keeps what came shortly before a look.
    fn note(&mut self, batch: &TallyBatch) {
        if self.watch.arrivals == 0 {
            return;
        }
        for entry in &batch.entries {
            let passed = entry.tick - self.plan.start + 1;
            if self.watch.looks.range(passed..passed + self.watch.arrivals).next().is_none() {
                continue;
            }
            let TallyEntry { slo, objective, group, .. } = entry;
            let series = SeriesName { slo: slo.clone(), objective: objective.clone(), group: group.clone() };
            let sum = self.seen.arrivals.entry((series, passed)).or_default();
            sum.good += entry.good;
            sum.bad += entry.total - entry.good;
            sum.unknown += entry.unknown;
        }
    }

    /// What rates mean for the alerts of their series.
    fn decide(&mut self, rates: &BurnRates) {
        self.seen.transitions.extend(self.open.decide(rates, &self.revisions));
    }

    fn look(&mut self) -> Result<(), Stopped> {
        let states = self.burn.states(&self.revisions).map_err(|fault| Stopped::Fold(fault.to_string()))?;
        self.spend(states.len() as u64 * 100)?;
        self.seen.looks.insert(self.now, states);
        Ok(())
    }

    fn spend(&mut self, work: u64) -> Result<(), Stopped> {
        self.seen.work += work;
        if self.seen.work > self.most_work { Err(Stopped::TooMuchWork) } else { Ok(()) }
    }
}

fn in_force(slos: &[Slo], start: LogTime) -> Result<Revisions, Stopped> {
    let mut revisions = Revisions::new();
    let settings = Settings { redelivery_window_ms: REDELIVERY_MS, cut_delay_ms: 0 };
    let refused = |error: slipstream_slo::revision::RevisionError| Stopped::Fold(error.to_string());
    revisions.apply_settings(0, settings).map_err(refused)?;
    for (offset, slo) in (1..).zip(slos) {
        revisions.apply_slo(offset, start, &slo.name, Some(slo.clone())).map_err(refused)?;
    }
    Ok(revisions)
}

fn new_tally(start: LogTime) -> Tally {
    Tally::new(0, 1, 1, 0, start, Memory::new(REDELIVERY_MS))
}

/// Per shape: whether it is good, or does not count, wherever it is matched.
fn good_shapes(plan: &TrafficPlan, revisions: &Revisions) -> Vec<bool> {
    let start = LogTime(plan.start * 1_000);
    let mut tally = new_tally(start);
    let mut good = Vec::new();
    for (offset, shape) in (0..).zip(&plan.shapes) {
        let id = offset.to_string();
        let mut step = tally.begin::<Infallible>(revisions, LogTime(i64::MAX));
        let pushed = step.push(offset, start, Ok(&shape.event(&id, plan.start, 1)));
        let entries = step.finish(None).into_iter().flat_map(|decided| decided.batches);
        let mut entries = entries.flat_map(|(_, batch)| batch.entries);
        good.push(pushed.is_ok() && entries.all(|entry| entry.good == entry.total && entry.unknown == 0));
    }
    good
}

/// The series that rates are of.
pub(crate) fn name_of(rates: &BurnRates) -> SeriesName {
    SeriesName { slo: rates.slo.clone(), objective: rates.objective.clone(), group: rates.group.clone() }
}

/// The phase that an alert is in after a transition.
pub(crate) fn phase_after(transition: &AlertTransition) -> Phase {
    AlertState::from(transition).phase()
}
