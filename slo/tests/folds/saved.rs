//! What burn writes of its state, and when it only says that nothing changed.

use std::collections::BTreeSet;

use slipstream_definitions::definition::Ratio;
use slipstream_oracles::history::SMALL;
use slipstream_schemas::LogTime;
use slipstream_schemas::records::{Settings, TallyBatch};
use slipstream_slo::burn::Burn;
use slipstream_slo::revision::Revisions;

use crate::burns::{batch, burn_rule, entry, revisions, slo};

#[test]
fn p4_a_chunk_holds_from_where_it_was_last_said_to() {
    let revisions = revisions(&[(10, Some(slo("a", 30, &["x"])))]);
    let mut burn = Burn::new(0, 1, 1, SMALL);
    burn.apply(0, &batch(0, 1, 20, &revisions, Vec::new()), &revisions).unwrap();
    let whole = burn.save(0);
    assert_eq!((whole.len(), whole[0].parts, whole[0].at), (1, 1, 1));
    burn.apply(1, &batch(1, 1, 22, &revisions, Vec::new()), &revisions).unwrap();
    let unchanged = burn.save(0);
    assert_eq!((unchanged.len(), unchanged[0].parts, unchanged[0].at), (1, 0, 2));
    let restored = |records: [&[_]; 2]| Burn::new(0, 1, 1, SMALL).restore(records.concat(), 0, 2).unwrap();
    for records in [[whole.as_slice(), &unchanged], [&unchanged, whole.as_slice()]] {
        let found = restored(records);
        assert_eq!((found.position(), found.next_tick(), found.is_whole()), (2, burn.next_tick(), true));
    }
    // What was said before the newest whole one says nothing of it.
    let tallied = vec![entry("x", &[], 22, 22, 1, 1)];
    burn.apply(2, &batch(1, 2, 24, &revisions, tallied), &revisions).unwrap();
    let newer = burn.save(0);
    assert_eq!((newer[0].parts, newer[0].at), (1, 3));
    assert_eq!(restored([&newer, &unchanged]).position(), 3);
}

#[test]
fn p4_a_source_whose_past_is_gone_changes_every_chunk() {
    let revisions = revisions(&[(10, Some(slo("a", 30, &["x"])))]);
    let of =
        |source, from, stamp| TallyBatch { source, sources: 2, ..batch(from, from, stamp, &revisions, Vec::new()) };
    let mut burn = Burn::new(0, 1, 1, SMALL);
    burn.apply(0, &of(0, 0, 12), &revisions).unwrap();
    burn.apply(1, &of(0, 0, 20), &revisions).unwrap();
    burn.save(0);
    assert_eq!(burn.save(0)[0].parts, 0, "nothing changed");
    burn.apply(2, &of(1, 50, 20), &revisions).unwrap();
    let saved = burn.save(0);
    assert_eq!((saved[0].parts, saved[0].slos[0].covered_from), (1, 21));
}

#[test]
fn p4_a_condition_that_ends_with_time_alone_changes_its_chunk() {
    let mut definition = slo("a", 30, &["x"]);
    definition.objectives[0].rules = vec![burn_rule(6, 3, Ratio { num: 1, den: 1 })];
    let revisions = revisions(&[(10, Some(definition))]);
    let mut burn = Burn::new(0, 1, 1, SMALL);
    let idle = |stamp| batch(9, 9, stamp, &revisions, Vec::new());
    burn.apply(0, &batch(0, 9, 22, &revisions, vec![entry("x", &[], 20, 20, 0, 9)]), &revisions).unwrap();
    assert!(burn.save(0)[0].slos[0].series[0].conditions.iter().flatten().all(|condition| condition.holds));
    burn.apply(1, &idle(23), &revisions).unwrap();
    assert_eq!(burn.save(0)[0].parts, 0, "it still holds: nothing changed");
    burn.apply(2, &idle(30), &revisions).unwrap();
    let saved = burn.save(0);
    assert_eq!(saved[0].parts, 1, "no event came, but it holds no longer");
    let conditions = saved[0].slos[0].series[0].conditions.as_ref().unwrap();
    assert_eq!(conditions.iter().map(|c| (c.holds, c.since)).collect::<Vec<_>>(), [(false, None)]);
}

#[test]
fn a_ring_is_saved_as_far_back_as_it_reaches_at_the_last_tick() {
    let revisions = revisions(&[(10, Some(slo("a", 30, &["x"])))]);
    let mut burn = Burn::new(0, 1, 1, SMALL);
    let tallied = [15, 16].map(|second| entry("x", &[], second, second, 1, 1)).to_vec();
    burn.apply(0, &batch(0, 9, 23, &revisions, tallied), &revisions).unwrap();
    assert_eq!(burn.next_tick(), Some(23));
    let saved = burn.save(0);
    let seconds = saved[0].slos[0].series[0].rings.iter().find(|ring| ring.slot_seconds == 1).unwrap();
    // Seven slots: 16 to 22.
    assert_eq!(seconds.slots, [16]);
}

#[test]
fn a_partition_keeps_its_own_slos_alone() {
    let names: BTreeSet<String> = (0..12).map(|n| format!("slo-{n}")).collect();
    let mut revisions = Revisions::new();
    revisions.apply_settings(0, Settings { redelivery_window_ms: 1_000, cut_delay_ms: 0 }).unwrap();
    for (offset, name) in (1..).zip(&names) {
        revisions.apply_slo(offset, LogTime(10_000), name, Some(slo(name, 30, &["x"]))).unwrap();
    }
    let kept = |partition| -> BTreeSet<String> {
        let mut burn = Burn::new(partition, 2, 1, SMALL);
        burn.apply(0, &batch(0, 1, 12, &revisions, Vec::new()), &revisions).unwrap();
        burn.chunk(0).into_iter().flat_map(|record| record.slos).map(|slo| slo.slo).collect()
    };
    let (first, second) = (kept(0), kept(1));
    assert!(!first.is_empty() && !second.is_empty() && first.is_disjoint(&second), "{first:?} {second:?}");
    assert_eq!(first.union(&second).cloned().collect::<BTreeSet<_>>(), names);
}
