//! The folds against a recount: random events, random cuts into steps, random interleaving of sources, owners that move,
//! steps that are lost or sent again, restarts from random snapshots, definitions that come, change and go. Whatever
//! happens, every complete tick has the values of the recount.

#![allow(clippy::unwrap_used, reason = "a failed test says where")]

mod alerts;
mod burns;
mod published;
mod saved;
mod steps;
mod watched;
mod world;

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use slipstream_oracles::history::{History, SMALL, Schedule, history, schedule};
use slipstream_oracles::recount::{self, Cell, CellName};
use slipstream_oracles::value::Value;
use slipstream_schemas::fixtures::cases;
use slipstream_schemas::records::{AlertTransition, BurnRates, TransitionKind};
use slipstream_slo::alerts::OpenAlerts;
use slipstream_slo::revision::Revisions;
use world::{World, all_chunks, play, read_definitions, refold};

type Check = Result<(), TestCaseError>;

/// P2: what tallies say is the weighted count over accepted events.
fn p2_tallies_equal_the_recount(world: &World<'_>, history: &History) -> Check {
    let mut got: BTreeMap<CellName, (i64, i64, i64)> = BTreeMap::new();
    for entry in world.tallies.iter().flatten().flat_map(|batch| &batch.entries) {
        let series = (entry.slo.clone(), entry.generation, entry.objective.clone(), entry.group.clone());
        let sum = got.entry((series, entry.tick, entry.slot)).or_default();
        *sum = (sum.0 + entry.good, sum.1 + entry.total, sum.2 + entry.unknown);
    }
    let upto: Vec<usize> = world.positions.iter().map(|(offset, _)| *offset).collect();
    let want = recount::cells(history, &recount::accepted(history, &upto));
    let counts = |cell: &Cell| (cell.good, cell.total, cell.unknown);
    let want: BTreeMap<CellName, (i64, i64, i64)> =
        want.iter().map(|(name, cell)| (name.clone(), counts(cell))).collect();
    prop_assert_eq!(got, want);
    Ok(())
}

/// P1: in every target partition the ranges of a source follow each other, and cover all that was committed.
fn p1_every_offset_is_covered_once(world: &World<'_>) -> Check {
    for batches in &world.tallies {
        let mut at = vec![0; world.positions.len()];
        for batch in batches {
            prop_assert_eq!(batch.from, at[batch.source as usize]);
            at[batch.source as usize] = batch.to;
        }
        prop_assert_eq!(at, world.positions.iter().map(|(offset, _)| *offset as i64).collect::<Vec<_>>());
    }
    Ok(())
}

/// P3a and P4: the tallies folded in one go give what was published through crashes and restores, and the same state.
/// Returns how many ticks were incomplete.
fn p3a_p4_restarts_change_nothing(world: &World<'_>) -> Result<u64, TestCaseError> {
    let mut incomplete = 0;
    for target in 0..world.tallies.len() {
        let (burn, rates) = refold(world, target);
        prop_assert_eq!(&rates, &world.rates[target], "target {}", target);
        prop_assert_eq!(all_chunks(&burn), world.chunks(target), "target {}", target);
        incomplete += burn.incomplete_ticks();
    }
    Ok(incomplete)
}

/// The ticks from the first cut to the last that was evaluated.
fn ticks(world: &World<'_>, history: &History) -> (i64, i64) {
    let first = (history.revisions[0].0.0 + history.cut_delay_ms) / 1_000;
    let (burn, _) = refold(world, 0);
    (first, burn.next_tick().unwrap_or(first).min(history.end / 1_000))
}

/// P3b: every value published at a complete tick is the recount's; where no tick is incomplete, so is the sequence.
fn p3b_complete_ticks_equal_the_recount(world: &World<'_>, history: &History, incomplete: u64) -> Check {
    let (first, end) = ticks(world, history);
    let want = recount::evaluate(history, &SMALL, first, end);
    let published: Vec<&BurnRates> = world.rates.iter().flatten().filter(|r| r.tick < end).collect();
    let remembering = history.remembering();
    for rates in published.iter().filter(|r| r.complete && !r.retired) {
        // Who was admitted below the cap remembers an incomplete tick.
        if incomplete > 0 && !rates.group.is_empty() {
            continue;
        }
        let series = (rates.slo.clone(), rates.generation, rates.objective.clone(), rates.group.clone());
        let Some(value) = want.values.get(&(series, rates.tick)) else {
            return Err(TestCaseError::fail(format!("series should not exist: {rates:?}")));
        };
        let got = Value::of(rates);
        prop_assert_eq!(&got.windows, &value.windows, "{:?}", rates);
        prop_assert_eq!((got.unknown, got.too_late), (value.unknown, value.too_late), "{:?}", rates);
        prop_assert_eq!((got.remaining, got.period_start), (value.remaining, value.period_start), "{:?}", rates);
        prop_assert_eq!(got.previous, value.previous, "{:?}", rates);
        let told = |rule: &str| incomplete == 0 || !remembering.contains(rule);
        let told = |v: &Value| v.conditions.iter().filter(|c| told(&c.rule)).cloned().collect::<Vec<_>>();
        let holds = |v: &Value| told(v).into_iter().map(|c| (c.rule, c.holds)).collect::<Vec<_>>();
        prop_assert_eq!(holds(&got), holds(value), "{:?}", rates);
    }
    if incomplete == 0 {
        let got: BTreeMap<_, _> = published.iter().map(|r| Value::of(r)).map(by_name).collect();
        prop_assert_eq!(got.len(), published.len(), "a series is published once a tick");
        let want: BTreeMap<_, _> = want.published.into_iter().map(by_name).collect();
        for (name, value) in &want {
            prop_assert_eq!(got.get(name), Some(value));
        }
        prop_assert_eq!(got.keys().collect::<BTreeSet<_>>(), want.keys().collect::<BTreeSet<_>>());
    }
    Ok(())
}

type PublishedName = (i64, String, String, Vec<String>, i64, bool);

/// What a retired series was told at last is not compared: it does not count any more.
fn by_name(mut value: Value) -> (PublishedName, Value) {
    if value.retired {
        (value.too_late, value.exemplars, value.unknown) = (0, Vec::new(), 0);
    }
    let name =
        (value.tick, value.slo.clone(), value.objective.clone(), value.group.clone(), value.generation, !value.retired);
    (name, value)
}

/// The alerter, in memory.
fn transitions<'a>(rates: impl Iterator<Item = &'a BurnRates>, history: &History) -> Vec<AlertTransition> {
    let mut revisions = Revisions::new();
    read_definitions(history, &mut revisions, i64::MAX);
    let mut open = OpenAlerts::default();
    rates.flat_map(|rates| open.decide(rates, &revisions)).collect()
}

/// What identifies a transition.
fn outline(t: &AlertTransition) -> (String, i64, i32, TransitionKindName, i64, String) {
    (t.alert_id.clone(), t.episode, t.seq, format!("{:?}", t.kind), t.tick, t.severity.clone())
}

type TransitionKindName = String;

/// A1: the same rates give the same transitions, and the recount's rates the same again where no tick is incomplete.
/// A2: at most one resolved for a firing, none without.
fn a1_a2_alerts(world: &World<'_>, history: &History, incomplete: u64) -> Check {
    let (first, end) = ticks(world, history);
    let made = transitions(world.rates.iter().flatten().filter(|r| r.tick < end), history);
    if incomplete == 0 {
        let mut published = recount::evaluate(history, &SMALL, first, end).published;
        published.sort_by_key(|v| (v.tick, !v.retired));
        let want: BTreeSet<_> = transitions(published.iter().map(Value::rates).collect::<Vec<_>>().iter(), history)
            .iter()
            .map(outline)
            .collect();
        prop_assert_eq!(made.iter().map(outline).collect::<BTreeSet<_>>(), want);
    }
    let mut episodes: BTreeMap<(String, i64), Vec<TransitionKind>> = BTreeMap::new();
    for t in &made {
        let before = episodes.entry((t.alert_id.clone(), t.episode)).or_default();
        prop_assert!(
            !matches!(before.last(), Some(TransitionKind::Resolved | TransitionKind::Inactive)),
            "goes on: {:?}",
            t
        );
        prop_assert_eq!(t.seq as usize, before.len() + 1);
        match t.kind {
            TransitionKind::Firing => prop_assert!(!before.contains(&TransitionKind::Firing), "fires twice: {:?}", t),
            TransitionKind::Resolved => prop_assert!(before.contains(&TransitionKind::Firing), "never fired: {:?}", t),
            _ => {}
        }
        before.push(t.kind);
    }
    Ok(())
}

fn check(history: &History, schedule: &Schedule) -> Check {
    let world = play(history, schedule);
    p1_every_offset_is_covered_once(&world)?;
    p2_tallies_equal_the_recount(&world, history)?;
    let incomplete = p3a_p4_restarts_change_nothing(&world)?;
    p3b_complete_ticks_equal_the_recount(&world, history, incomplete)?;
    a1_a2_alerts(&world, history, incomplete)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(600), max_shrink_iters: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn p1_p2_p3a_p3b_p4_a1_a2_hold_whatever_happens(history in history(), schedule in schedule()) {
        check(&history, &schedule)?;
    }
}
