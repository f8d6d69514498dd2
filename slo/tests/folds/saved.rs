//! What burn writes of its state, and when it only says that nothing changed.

use std::collections::BTreeSet;

use slipstream_oracles::history::SMALL;
use slipstream_schemas::LogTime;
use slipstream_schemas::records::{Settings, TallyBatch};
use slipstream_slo::burn::Burn;
use slipstream_slo::revision::Revisions;

use crate::burns::{batch, entry, revisions, slo};

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
