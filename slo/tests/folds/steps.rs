//! Tally's steps as stories.

use slipstream_definitions::definition::{GroupKey, Indicator, Objective, Ratio, Side, Slo, Window};
use slipstream_oracles::history::Event;
use slipstream_schemas::LogTime;
use slipstream_schemas::records::{Origin, Settings, TallyBatch};
use slipstream_slo::hash::target_partition;
use slipstream_slo::redelivery::{Memory, id_hash};
use slipstream_slo::revision::Revisions;
use slipstream_slo::tally::{Decided, OutOfOrder, Pushed, Tally, look_limit, pace_limit};

const NO_LIMIT: LogTime = LogTime(i64::MAX);
const TARGETS: u32 = 3;

fn slo(name: &str, good: &str, group_by: Vec<GroupKey>) -> Slo {
    let indicator = Indicator { total: "true".into(), side: Side::Good(good.into()) };
    let objective = |name: &str| Objective::new(name, indicator.clone(), Ratio { num: 9, den: 10 });
    Slo {
        name: name.into(),
        display_name: name.into(),
        service: String::new(),
        description: String::new(),
        group_by,
        window: Window::Rolling(86_400),
        objectives: vec![objective("x"), objective("y")],
        composite: None,
        labels: Vec::new(),
        document: slipstream_definitions::definition::Document::Slo,
    }
}

/// `a` from the beginning; from 10 s on it means something else; `b` by endpoint.
fn revisions() -> Revisions {
    let mut revisions = Revisions::new();
    revisions.apply_settings(0, Settings { redelivery_window_ms: 120_000, cut_delay_ms: 0 }).unwrap();
    revisions.apply_slo(1, LogTime(0), "a", Some(slo("a", "status_code < 500", Vec::new()))).unwrap();
    revisions.apply_slo(2, LogTime(0), "b", Some(slo("b", "latency_ms < 100.0", vec![GroupKey::Endpoint]))).unwrap();
    revisions.apply_slo(3, LogTime(10_000), "a", Some(slo("a", "status_code < 400", Vec::new()))).unwrap();
    revisions
}

fn tally() -> Tally {
    Tally::new(1, 2, TARGETS, 0, LogTime(0), Memory::new(120_000))
}

fn event(id: &str, time: i64, status: u16, latency: Option<f64>) -> Event {
    Event { id: id.into(), time, service: "s", endpoint: "/pay", status, latency, weight: 2 }
}

fn decide(tally: &mut Tally, from: i64, records: &[(i64, Event)]) -> Decided<&'static str> {
    let revisions = revisions();
    let mut step = tally.begin(&revisions, NO_LIMIT);
    for (i, (at, event)) in records.iter().enumerate() {
        step.push(from + i as i64, LogTime(*at), Ok(&event.view())).unwrap();
    }
    step.finish(None).unwrap()
}

/// slo, generation, objective, group, tick, slot, [good, total, unknown]
type Row = (String, i64, String, Vec<String>, i64, i64, [i64; 3]);

fn rows(batch: &TallyBatch) -> Vec<Row> {
    let row = |e: &slipstream_schemas::records::TallyEntry| {
        (
            e.slo.clone(),
            e.generation,
            e.objective.clone(),
            e.group.clone(),
            e.tick,
            e.slot,
            [e.good, e.total, e.unknown],
        )
    };
    batch.entries.iter().map(row).collect()
}

fn batch_of<'a>(decided: &'a Decided<&'static str>, slo: &str) -> &'a TallyBatch {
    &decided.batches[target_partition(slo, TARGETS) as usize].1
}

#[test]
fn p1_every_target_gets_a_batch_of_every_step() {
    let decided = decide(&mut tally(), 0, &[(5_000, event("e", 4_000, 200, None))]);
    assert_eq!(decided.batches.iter().map(|(target, _)| *target).collect::<Vec<_>>(), [0, 1, 2]);
    for (target, batch) in &decided.batches {
        assert_eq!((batch.source, batch.sources, batch.from, batch.to), (1, 2, 0, 1));
        assert_eq!(
            (batch.stamp, batch.low, batch.origin, batch.revision),
            (LogTime(5_000), LogTime(5_000), Origin::Live, 4)
        );
        assert!(batch.entries.iter().all(|e| target_partition(&e.slo, TARGETS) == *target));
    }
}

#[test]
fn p2_weights_are_summed_per_objective_group_tick_and_slot() {
    let records = [
        (5_000, event("e1", 4_900, 200, Some(50.0))),
        (5_100, event("e2", 4_100, 500, None)),
        (5_200, event("e3", 9_000, 200, Some(500.0))),
        (5_300, event("e1", 4_900, 200, Some(50.0))),
    ];
    let decided = decide(&mut tally(), 0, &records);
    assert_eq!((decided.accepted, decided.duplicates), (3, 1));
    let a = rows(batch_of(&decided, "a")).into_iter().filter(|r| r.0 == "a").collect::<Vec<_>>();
    let of_a = |objective: &str, slot, counts| ("a".to_owned(), 0, objective.to_owned(), Vec::new(), 5, slot, counts);
    // A clock that is fast harms nobody: e3 is counted when the log took it.
    assert_eq!(a, [of_a("x", 4, [2, 4, 0]), of_a("x", 5, [2, 2, 0]), of_a("y", 4, [2, 4, 0]), of_a("y", 5, [2, 2, 0])]);
    let b = rows(batch_of(&decided, "b")).into_iter().filter(|r| r.0 == "b" && r.2 == "x").collect::<Vec<_>>();
    let of_b = |slot, counts| ("b".to_owned(), 0, "x".to_owned(), vec!["/pay".to_owned()], 5, slot, counts);
    assert_eq!(b, [of_b(4, [2, 2, 2]), of_b(5, [0, 2, 0])]);
}

#[test]
fn a_cut_may_lie_inside_a_step() {
    let records = [(9_999, event("e1", 9_999, 404, None)), (10_000, event("e2", 10_000, 404, None))];
    let mut tally = tally();
    let decided = decide(&mut tally, 0, &records);
    let counts: Vec<(i64, [i64; 3])> =
        rows(batch_of(&decided, "a")).into_iter().filter(|r| r.0 == "a" && r.2 == "x").map(|r| (r.1, r.6)).collect();
    assert_eq!(counts, [(0, [2, 2, 0]), (10_000, [0, 2, 0])]);
    assert!(!tally.needs_attributes(LogTime(11_000), &revisions()), "no filter reads attributes");
    assert!(tally.needs_attributes(LogTime(5_000), &revisions()), "other definitions are in force: it cannot be told");
}

#[test]
fn the_bad_event_with_the_lowest_id_hash_is_the_exemplar() {
    let ids: Vec<String> = (0..9).map(|i| format!("bad{i}")).collect();
    let lowest = ids.iter().min_by_key(|id| id_hash(id)).unwrap();
    let records: Vec<(i64, Event)> = ids.iter().map(|id| (5_000, event(id, 5_000, 500, None))).collect();
    let decided = decide(&mut tally(), 0, &records);
    let of_a: Vec<_> = batch_of(&decided, "a").exemplars.iter().filter(|e| e.slo == "a").collect();
    assert_eq!(of_a.len(), 2, "one for each objective");
    assert!(of_a.iter().all(|e| e.exemplar.event_id == *lowest && e.tick == 5 && e.exemplar.time == 5_000_000));
}

#[test]
fn dead_records_are_covered_and_reported() {
    let revisions = revisions();
    let mut tally = tally();
    let mut step = tally.begin(&revisions, NO_LIMIT);
    assert_eq!(step.push(3, LogTime(1_000), Err("no JSON")).unwrap(), Pushed::Dead);
    assert_eq!(step.push(5, LogTime(1_000), Err("no Avro")).unwrap(), Pushed::Dead);
    assert_eq!(step.records(), 2);
    let decided = step.finish(None).unwrap();
    assert_eq!(decided.dead.iter().map(|d| (d.offset, d.error)).collect::<Vec<_>>(), [(3, "no JSON"), (5, "no Avro")]);
    assert_eq!((decided.from, decided.to), (0, 6), "offsets that the log skipped are covered too");
    let mut step = tally.begin(&revisions, NO_LIMIT);
    let again = step.push(5, LogTime(1_000), Err("again"));
    assert_eq!(again, Err(OutOfOrder { source_partition: 1, expected: 6, got: 5 }));
}

#[test]
fn nothing_is_taken_beyond_the_limit_and_nothing_after_it() {
    let revisions = revisions();
    let mut tally = tally();
    let mut step = tally.begin::<()>(&revisions, LogTime(4_000));
    let e = event("e", 0, 200, None);
    assert_eq!(step.push(0, LogTime(4_000), Ok(&e.view())).unwrap(), Pushed::Accepted);
    assert_eq!(step.push(1, LogTime(4_001), Ok(&e.view())).unwrap(), Pushed::Beyond);
    assert_eq!(step.push(2, LogTime(4_000), Ok(&e.view())).unwrap(), Pushed::Beyond);
    let decided = step.finish(Some(LogTime(3_000))).unwrap();
    assert_eq!((decided.to, decided.stamp, decided.batches[0].1.low), (1, LogTime(4_000), LogTime(3_000)));
    // The record that waits lies at 9 s: so much is known.
    let mut step = tally.begin::<()>(&revisions, LogTime(7_000));
    assert_eq!(step.push(1, LogTime(9_000), Ok(&e.view())).unwrap(), Pushed::Beyond);
    let decided = step.finish(None).unwrap();
    assert_eq!((decided.origin, decided.from, decided.to, decided.stamp), (Origin::Idle, 1, 1, LogTime(7_000)));
    assert_eq!(pace_limit([LogTime(5_000), LogTime(3_000)]), LogTime(5_000));
    assert_eq!(pace_limit([]), NO_LIMIT);
    assert_eq!(look_limit(LogTime(5_000)), LogTime(8_000));
}

#[test]
fn an_idle_source_moves_its_stamp_by_whole_steps() {
    let revisions = revisions();
    let mut tally = Tally::new(0, 1, 1, 7, LogTime(1_000), Memory::new(120_000));
    let mut idle = |end, horizon, limit| {
        tally
            .idle::<()>(&revisions, end, LogTime(horizon), LogTime(limit), None)
            .map(|d| (d.from, d.to, d.stamp_before.0, d.stamp.0))
    };
    assert_eq!(idle(7, 1_249, i64::MAX), None, "too small a step");
    assert_eq!(idle(8, 9_000, i64::MAX), None, "there is something to read");
    assert_eq!(idle(7, 9_000, 1_100), None, "the limit is near");
    assert_eq!(idle(7, 1_250, i64::MAX), Some((7, 7, 1_000, 1_250)));
    assert_eq!(idle(7, 9_000, 5_000), Some((7, 7, 1_250, 5_000)));
}

#[test]
fn p1_a_step_covers_offsets_that_hold_no_record() {
    let revisions = revisions();
    let mut tally = tally();
    let mut step = tally.begin::<()>(&revisions, NO_LIMIT);
    step.push(0, LogTime(1_000), Ok(&event("e", 900, 200, None).view())).unwrap();
    step.reached(3);
    let decided = step.finish(None).unwrap();
    assert_eq!((decided.from, decided.to), (0, 3));
    let idle = tally.idle::<()>(&revisions, 3, LogTime(2_000), NO_LIMIT, None).unwrap();
    assert_eq!((idle.from, idle.to, idle.stamp), (3, 3, LogTime(2_000)));
}

#[test]
fn a_record_below_a_stamp_that_was_given_out_keeps_its_slot_and_gets_the_stamps_tick() {
    let mut tally = Tally::new(1, 2, TARGETS, 0, LogTime(9_000), Memory::new(120_000));
    let decided = decide(&mut tally, 0, &[(7_500, event("e", 7_400, 200, None))]);
    assert_eq!((decided.undercut, decided.stamp), (1, LogTime(9_000)));
    let row = &rows(batch_of(&decided, "a"))[0];
    assert_eq!((row.4, row.5), (9, 7));
}

#[test]
fn a_step_knows_how_many_sums_it_holds() {
    let revisions = revisions();
    let mut tally = tally();
    let mut step = tally.begin::<()>(&revisions, NO_LIMIT);
    let mut sums_after = |offset: i64, id: &str, time: i64| {
        step.push(offset, LogTime(5_000), Ok(&event(id, time, 200, None).view())).unwrap();
        (step.records(), step.cells())
    };
    // `a`, and `b` by endpoint: the objectives of each count alike.
    assert_eq!(sums_after(0, "e1", 4_900), (1, 2));
    assert_eq!(sums_after(1, "e2", 4_800), (2, 2), "of the same second");
    assert_eq!(sums_after(2, "e3", 3_900), (3, 4));
    assert_eq!(sums_after(3, "e3", 3_900), (4, 4), "a redelivery");
}
