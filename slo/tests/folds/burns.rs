//! Burn's fold as stories: what random histories meet too rarely.

use slipstream_definitions::definition::{
    Condition, GroupKey, Indicator, Objective, Ratio, Rule, Severity, Side, Slo, Window,
};
use slipstream_oracles::history::SMALL;
use slipstream_schemas::LogTime;
use slipstream_schemas::records::{BurnRates, Exemplar, Origin, Settings, TallyBatch, TallyEntry, TallyExemplar};
use slipstream_slo::burn::{Burn, BurnFault, PART_BYTES};
use slipstream_slo::revision::Revisions;
use slipstream_slo::scale::Scale;

use crate::world::all_chunks;

fn objective(name: &str) -> Objective {
    let indicator = Indicator { total: "true".into(), side: Side::Good("true".into()) };
    Objective::new(name, indicator, Ratio { num: 9, den: 10 })
}

pub fn slo(name: &str, period: i64, objectives: &[&str]) -> Slo {
    Slo {
        name: name.into(),
        display_name: name.into(),
        service: String::new(),
        description: String::new(),
        group_by: Vec::new(),
        window: Window::Rolling(period),
        objectives: objectives.iter().map(|name| objective(name)).collect(),
        composite: None,
        labels: Vec::new(),
        document: slipstream_definitions::definition::Document::Slo,
    }
}

/// Revisions of `a` at these seconds.
pub fn revisions(list: &[(i64, Option<Slo>)]) -> Revisions {
    let mut revisions = Revisions::new();
    revisions.apply_settings(0, Settings { redelivery_window_ms: 1_000, cut_delay_ms: 0 }).unwrap();
    for (i, (second, slo)) in list.iter().enumerate() {
        revisions.apply_slo(i as i64 + 1, LogTime(second * 1_000), "a", slo.clone()).unwrap();
    }
    revisions
}

pub fn entry(objective: &str, group: &[&str], tick: i64, slot: i64, good: i64, total: i64) -> TallyEntry {
    TallyEntry {
        slo: "a".into(),
        generation: 10_000,
        objective: objective.into(),
        group: group.iter().map(|g| (*g).to_owned()).collect(),
        tick,
        slot,
        good,
        total,
        unknown: 0,
    }
}

/// A batch of the only source that is read up to the second `stamp`.
pub fn batch(from: i64, to: i64, stamp: i64, revisions: &Revisions, entries: Vec<TallyEntry>) -> TallyBatch {
    let (stamp, origin) = (LogTime(stamp * 1_000), if from == to { Origin::Idle } else { Origin::Live });
    TallyBatch {
        source: 0,
        sources: 1,
        from,
        to,
        stamp,
        low: stamp,
        origin,
        revision: revisions.end(),
        entries,
        exemplars: Vec::new(),
    }
}

pub fn burn_rule(long: i64, short: i64, factor: Ratio) -> Rule {
    Rule {
        name: "rule".into(),
        rule_set: "burn".into(),
        condition: Condition::burn_rate(long, short, factor, 0),
        severity: Severity::named("page"),
        wait: 0,
        keep: 0,
        labels: Vec::new(),
        annotations: Vec::new(),
    }
}

fn last<'a>(rates: &'a [BurnRates], objective: &str) -> &'a BurnRates {
    rates.iter().rfind(|r| r.objective == objective).unwrap_or_else(|| panic!("nothing of {objective}"))
}

#[test]
fn rates_are_filled_in_whole() {
    let mut definition = slo("a", 30 * 86_400, &["x"]);
    definition.objectives[0].rules = vec![burn_rule(3_600, 300, Ratio { num: 1, den: 10 })];
    let revisions = revisions(&[(10, Some(definition))]);
    let mut burn = Burn::new(0, 1, 1, Scale::REAL);
    let mut first = batch(
        0,
        9,
        3_000,
        &revisions,
        vec![entry("x", &[], 20, 20, 1_000, 1_000), entry("x", &[], 2_950, 2_950, 0, 30)],
    );
    first.exemplars = vec![TallyExemplar {
        slo: "a".into(),
        generation: 10_000,
        objective: "x".into(),
        group: Vec::new(),
        tick: 2_950,
        exemplar: Exemplar { event_id: "e".into(), trace_id: None, time: 7 },
    }];
    let rates = burn.apply(0, &first, &revisions).unwrap();
    let found = rates.iter().find(|r| r.tick == 2_950).expect("the condition holds, so it is published");
    let windows: Vec<(i64, i32, i64, i64)> =
        found.windows.iter().map(|w| (w.seconds, w.slot_seconds, w.good, w.total)).collect();
    assert_eq!(windows, [(300, 1, 0, 30), (3_600, 10, 1_000, 1_030), (2_592_000, 7_200, 1_000, 1_030)]);
    assert!((found.windows[0].burn - 10.0).abs() < 1e-9);
    assert_eq!(found.sli, Some(1_000.0 / 1_030.0));
    assert!((found.budget_total - 103.0).abs() < 1e-9);
    assert!((found.budget_remaining - (1.0 - 30.0 / 103.0)).abs() < 1e-9);
    // 73 of 103 left; 30 in the 2,941 s since it began to count.
    assert_eq!(found.exhaustion_at, Some(2_951 + (73.0 * 2_941.0 / 30.0_f64).ceil() as i64));
    assert_eq!((found.conditions[0].holds, found.conditions[0].since), (true, Some(2_950)));
    assert_eq!((found.generation, found.covered_from, found.sources, found.sources_current), (10_000, 10, 1, 1));
    assert_eq!(found.exemplars[0].event_id, "e");
    assert_eq!(burn.next_tick(), Some(3_000));
}

#[test]
fn p3b_on_an_incomplete_tick_a_condition_that_is_false_keeps_its_since() {
    let mut definition = slo("a", 30, &["x"]);
    definition.objectives[0].rules = vec![burn_rule(10, 4, Ratio { num: 3, den: 1 })];
    let revisions = revisions(&[(10, Some(definition))]);
    let mut burn = Burn::new(0, 1, 1, SMALL);
    let of = |source, stamp, entries| TallyBatch { source, sources: 2, ..batch(0, 0, stamp, &revisions, entries) };
    let steps = [
        of(0, 9, Vec::new()),
        of(1, 9, Vec::new()),
        of(0, 12, Vec::new()),
        of(1, 12, Vec::new()),
        of(0, 14, vec![entry("x", &[], 12, 12, 0, 5)]),
        of(1, 14, Vec::new()),
        // Source 1 is more than 3 s behind: it is left out. The bad events leave the window of 4 s at tick 16.
        of(0, 20, Vec::new()),
        of(1, 22, Vec::new()),
        of(0, 23, Vec::new()),
        of(1, 26, vec![entry("x", &[], 22, 12, 1, 1)]),
        of(0, 26, Vec::new()),
    ];
    let mut rates: Vec<BurnRates> = Vec::new();
    for (offset, step) in steps.iter().enumerate() {
        rates.extend(burn.apply(offset as i64, step, &revisions).unwrap());
    }
    let at = |tick| {
        rates.iter().find(|r| r.tick == tick).map(|r| (r.complete, r.conditions[0].holds, r.conditions[0].since))
    };
    assert_eq!(at(13), Some((true, true, Some(12))));
    assert_eq!(at(15), Some((false, true, Some(12))));
    assert_eq!(at(16), Some((false, false, Some(12))));
    let settled = rates.last().map(|r| (r.tick > 20, r.complete, r.conditions[0].since, r.sources_current));
    assert_eq!(settled, Some((true, true, None, 2)));
    assert_eq!(burn.incomplete_ticks(), 6);
}

#[test]
fn an_objective_comes_and_goes_in_place() {
    let both = slo("a", 12, &["x", "y"]);
    let revisions = revisions(&[(10, Some(slo("a", 12, &["x"]))), (20, Some(both)), (40, Some(slo("a", 12, &["y"])))]);
    let mut burn = Burn::new(0, 1, 1, SMALL);
    let entries = vec![entry("x", &[], 12, 12, 5, 5), entry("x", &[], 30, 30, 1, 1), entry("y", &[], 30, 30, 1, 1)];
    let before = burn.apply(0, &batch(0, 3, 39, &revisions, entries), &revisions).unwrap();
    assert_eq!((last(&before, "x").covered_from, last(&before, "y").covered_from), (10, 20));
    let after = burn.apply(1, &batch(3, 3, 60, &revisions, Vec::new()), &revisions).unwrap();
    let good_bye = last(&after, "x");
    assert_eq!((good_bye.tick, good_bye.retired, good_bye.generation), (40, true, 10_000));
    assert!(!last(&after, "y").retired);
    assert_eq!(burn.series(), 1);
}

#[test]
fn a_longer_period_than_ever_is_served_by_what_the_next_finer_ring_knows() {
    let revisions = revisions(&[(10, Some(slo("a", 12, &["x"]))), (50, Some(slo("a", 30, &["x"])))]);
    let mut burn = Burn::new(0, 1, 1, SMALL);
    let entries = vec![entry("x", &[], 20, 20, 7, 7), entry("x", &[], 45, 45, 1, 2)];
    let before = burn.apply(0, &batch(0, 3, 50, &revisions, entries), &revisions).unwrap();
    assert_eq!(last(&before, "x").covered_from, 10);
    let after = burn.apply(1, &batch(3, 3, 60, &revisions, Vec::new()), &revisions).unwrap();
    let found = last(&after, "x");
    let period = found.windows.last().unwrap();
    // The ring of 5 x 3 s reached back 12 s at tick 50: second 45 is known, second 20 is not, and that is said.
    assert_eq!((period.seconds, period.slot_seconds, period.good, period.total), (30, 6, 1, 2));
    assert_eq!(found.covered_from, 39);
    let chunks = all_chunks(&burn);
    let restored = Burn::new(0, 1, 1, SMALL).restore(chunks.clone(), 0, 2).unwrap();
    assert_eq!(all_chunks(&restored), chunks, "P4: it does not grow again");
}

/// What the windows know at second 126, and what came too late, of entries of the ticks 116 and 119, by definitions from second
/// 10 and later ones on.
fn of_a_source(behind: bool, definitions: &[(i64, Option<Slo>)]) -> (Vec<(i64, i64)>, i64) {
    let revisions = revisions(definitions);
    let mut burn = Burn::new(0, 1, 1, SMALL);
    let of = |source, stamp, entries| TallyBatch { source, sources: 2, ..batch(0, 0, stamp, &revisions, entries) };
    let entries = vec![
        entry("x", &[], 116, 102, 0, 1),
        entry("x", &[], 119, 95, 0, 10),
        entry("x", &[], 119, 106, 0, 100),
        entry("x", &[], 119, 50, 0, 1_000),
    ];
    let together = TallyBatch { low: LogTime(9_000), ..of(0, 116, Vec::new()) };
    let mut steps = vec![of(0, 9, Vec::new()), of(1, 9, Vec::new()), together, of(1, 116, Vec::new())];
    let late = TallyBatch { low: LogTime(116_000), ..of(1, 126, entries) };
    if behind {
        // Source 1 is more than 3 s behind: ticks up to 122 are evaluated without it.
        steps.extend([of(0, 123, Vec::new()), late, of(0, 127, Vec::new()), of(1, 127, Vec::new())]);
    } else {
        steps.extend([late, of(0, 123, Vec::new()), of(0, 127, Vec::new()), of(1, 127, Vec::new())]);
    }
    let apply = |(offset, step)| burn.apply(offset as i64, step, &revisions).unwrap();
    let rates: Vec<BurnRates> = steps.iter().enumerate().flat_map(apply).collect();
    assert_eq!(burn.incomplete_ticks(), if behind { 7 } else { 0 });
    let state = burn.states(&revisions).unwrap().remove(0);
    assert!(state.complete && state.tick == 126 && !rates.is_empty());
    (state.windows.iter().map(|w| (w.seconds, w.total)).collect(), state.too_late)
}

#[test]
fn p3b_entries_of_a_source_that_was_behind_count_as_if_it_had_not_been() {
    let of = |objectives: &[&str], period| Some(slo("a", period, objectives));
    let rows = [
        // A shorter period: what the longer one reached is not too late, though nothing shows it any more.
        (vec![(10, of(&["x"], 30)), (120, of(&["x"], 12))], (vec![(12, 0)], 1_000)),
        // A longer one is made of what the shorter one knew: 15 s up to tick 119.
        (vec![(10, of(&["x"], 12)), (120, of(&["x"], 30))], (vec![(30, 100)], 1_010)),
        // An objective that comes back begins anew.
        (vec![(10, of(&["x", "y"], 30)), (120, of(&["y"], 30)), (121, of(&["x", "y"], 30))], (vec![(30, 0)], 0)),
        (vec![(10, of(&["x"], 30)), (120, of(&["x", "y"], 30))], (vec![(30, 101)], 1_000)),
    ];
    for (definitions, expected) in rows {
        assert_eq!(of_a_source(false, &definitions), expected, "in time");
        assert_eq!(of_a_source(true, &definitions), expected, "behind");
    }
}

#[test]
fn p4_what_tallies_no_longer_reach_is_said() {
    let revisions = revisions(&[(10, Some(slo("a", 30, &["x"])))]);
    let mut burn = Burn::new(0, 1, 4, SMALL).restore(Vec::new(), 700, 702).unwrap();
    assert_eq!(burn.position(), 700);
    let first = burn.apply(700, &batch(88, 90, 1_000, &revisions, vec![entry("x", &[], 999, 999, 1, 1)]), &revisions);
    assert_eq!(first.unwrap(), [], "published before");
    let rates: Vec<BurnRates> = (701..720)
        .flat_map(|n| burn.apply(n, &batch(90, 90, n + 310, &revisions, Vec::new()), &revisions).unwrap())
        .collect();
    assert_eq!(last(&rates, "x").covered_from, 1_001);
    assert!(rates.iter().all(|r| r.tick > 1_001), "neither published again nor evaluated where nothing is known");
}

#[test]
fn p4_chunks_of_another_number_are_read_and_lost_ones_are_made_up_for() {
    let names = ["a", "b", "c", "d", "e", "f"];
    let mut revisions = Revisions::new();
    revisions.apply_settings(0, Settings { redelivery_window_ms: 1_000, cut_delay_ms: 0 }).unwrap();
    for (i, name) in names.iter().enumerate() {
        revisions.apply_slo(i as i64 + 1, LogTime(10_000), name, Some(slo(name, 30, &["x"]))).unwrap();
    }
    let entries = |tick| {
        names.iter().map(|name| TallyEntry { slo: (*name).into(), ..entry("x", &[], tick, tick, 1, 2) }).collect()
    };
    let batches: Vec<TallyBatch> = (0..30).map(|n| batch(n, n + 1, 11 + n, &revisions, entries(11 + n))).collect();
    let fold = |burn: &mut Burn, to: usize| {
        for (offset, batch) in batches.iter().enumerate().take(to).skip(burn.position() as usize) {
            burn.apply(offset as i64, batch, &revisions).unwrap();
        }
    };
    let mut whole = Burn::new(0, 1, 3, SMALL);
    let mut records = Vec::new();
    for chunk in 0..3 {
        fold(&mut whole, 5 * (chunk as usize + 1));
        records.extend(whole.chunk(chunk));
    }
    fold(&mut whole, 30);
    let mut eight = Burn::new(0, 1, 8, SMALL);
    fold(&mut eight, 30);
    let mut other_number = Burn::new(0, 1, 8, SMALL).restore(records.clone(), 0, 30).unwrap();
    assert_eq!(other_number.position(), 5);
    fold(&mut other_number, 30);
    assert_eq!(all_chunks(&other_number), all_chunks(&eight));
    for lost in 0..3 {
        let kept = records.iter().filter(|record| record.chunk != lost).cloned().collect();
        let mut restored = Burn::new(0, 1, 3, SMALL).restore(kept, 0, 30).unwrap();
        assert_eq!(restored.position(), 0);
        fold(&mut restored, 8);
        assert!(!restored.is_whole() && restored.chunk(0).is_empty(), "no snapshot is made of half a state");
        fold(&mut restored, 30);
        assert_eq!(all_chunks(&restored), all_chunks(&whole), "chunk {lost} was lost");
    }
}

#[test]
fn p4_a_large_state_is_written_in_parts_and_an_old_part_does_not_count() {
    let mut by_group = slo("a", 30, &["x"]);
    by_group.group_by = vec![GroupKey::Endpoint];
    let revisions = revisions(&[(10, Some(by_group))]);
    let scale = Scale { groups: 20_000, ..SMALL };
    let groups: Vec<String> = (0..12_000).map(|n| format!("/a/rather/long/endpoint/{n}")).collect();
    let entries = groups.iter().map(|g| entry("x", &[g], 12, 12, 1, 1)).collect();
    let mut burn = Burn::new(0, 1, 1, scale);
    burn.apply(0, &batch(0, 1, 14, &revisions, entries), &revisions).unwrap();
    let mut records = burn.chunk(0);
    assert!(records.len() > 2, "{} parts", records.len());
    for record in &records {
        assert!(slipstream_schemas::codec::encode(record).len() <= PART_BYTES + 1_024);
    }
    burn.apply(1, &batch(1, 1, 16, &revisions, Vec::new()), &revisions).unwrap();
    let newer = burn.chunk(0);
    // Of the newer snapshot a part is missing: the older one counts.
    records.extend(newer[1..].iter().cloned());
    let restored = Burn::new(0, 1, 1, scale).restore(records, 0, 2).unwrap();
    assert_eq!((restored.position(), restored.series()), (1, 12_000));
}

#[test]
fn groups_beyond_the_cap_are_counted_as_other_in_every_dimension() {
    let mut by_two = slo("a", 30, &["x"]);
    by_two.group_by = vec![GroupKey::Endpoint, GroupKey::Method];
    let revisions = revisions(&[(10, Some(by_two))]);
    let mut burn = Burn::new(0, 1, 1, SMALL);
    let groups = [["w", "GET"], ["c", "GET"], ["b", "GET"], ["a", "GET"]];
    let mut entries: Vec<TallyEntry> = groups[..2].iter().map(|g| entry("x", g, 11, 11, 1, 1)).collect();
    entries.extend(groups[2..].iter().map(|g| entry("x", g, 12, 12, 1, 1)));
    let rates = burn.apply(0, &batch(0, 4, 30, &revisions, entries), &revisions).unwrap();
    let mut found: Vec<(Vec<&str>, i64)> = Vec::new();
    for rates in rates.iter().filter(|r| r.tick > 20) {
        found.push((rates.group.iter().map(String::as_str).collect(), rates.windows.last().unwrap().total));
    }
    found.sort();
    found.dedup();
    assert_eq!(found, [(vec!["c", "GET"], 1), (vec!["other", "other"], 2), (vec!["w", "GET"], 1)]);
}

#[test]
fn p1_what_cannot_be_folded_stops_the_fold() {
    let revisions = revisions(&[(10, Some(slo("a", 30, &["x"])))]);
    let good = batch(0, 5, 11, &revisions, Vec::new());
    let fault = |offset: i64, batch: TallyBatch| {
        let mut burn = Burn::new(0, 1, 1, SMALL);
        burn.apply(3, &good, &revisions).unwrap();
        burn.apply(offset, &batch, &revisions).unwrap_err()
    };
    let next = |entries| batch(5, 6, 12, &revisions, entries);
    assert!(matches!(fault(3, next(Vec::new())), BurnFault::OutOfOrder { expected: 4, got: 3, .. }));
    assert!(matches!(
        fault(4, batch(6, 7, 12, &revisions, Vec::new())),
        BurnFault::Contiguity { expected: 5, from: 6, to: 7, .. }
    ));
    assert!(matches!(
        fault(4, batch(4, 7, 12, &revisions, Vec::new())),
        BurnFault::Contiguity { expected: 5, from: 4, .. }
    ));
    let newer = fault(4, TallyBatch { origin: Origin::Backfill, ..next(Vec::new()) });
    assert!(newer.to_string().contains("newer version"), "{newer}");
    let behind = fault(4, TallyBatch { revision: 9, ..next(Vec::new()) });
    assert_eq!(behind, BurnFault::DefinitionsBehind { partition: 0, need: 9, have: 2 });
    assert!(matches!(fault(4, next(vec![entry("x", &[], 12, 13, 1, 1)])), BurnFault::Malformed { .. }));
    assert!(matches!(fault(4, TallyBatch { source: 1, ..next(Vec::new()) }), BurnFault::Malformed { .. }));
}

#[test]
fn a_window_that_no_ring_serves_is_refused_by_name() {
    let revisions = revisions(&[(10, Some(slo("a", 31, &["x"])))]);
    let mut burn = Burn::new(0, 1, 1, SMALL);
    let fault = burn.apply(0, &batch(0, 1, 11, &revisions, Vec::new()), &revisions).unwrap_err();
    assert_eq!(fault, BurnFault::WindowTooLong { slo: "a".into(), seconds: 31, longest: 30 });
}

#[test]
fn years_of_silence_are_passed_quickly() {
    let revisions = revisions(&[(10, Some(slo("a", 30 * 86_400, &["x"])))]);
    let mut burn = Burn::new(0, 1, 1, Scale::REAL);
    let rates =
        burn.apply(0, &batch(0, 1, 500_000, &revisions, vec![entry("x", &[], 12, 12, 1, 1)]), &revisions).unwrap();
    assert_eq!(rates.len() as i64, 500_000 / 60, "one a minute");
}
