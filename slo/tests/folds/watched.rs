//! Who looks on while a fold goes from tick to tick.

use slipstream_definitions::definition::{GroupKey, Ratio};
use slipstream_oracles::history::SMALL;
use slipstream_schemas::LogTime;
use slipstream_schemas::records::{BurnRates, TallyBatch, TallyEntry};
use slipstream_slo::burn::{Burn, BurnFault, Taken, Watch};

use crate::burns::{batch, entry, revisions, slo};

/// What was seen: own tick, group and weight of what was taken in, and ticks.
#[derive(Default)]
struct Seen {
    taken: Vec<(i64, Vec<String>, i64)>,
    ticks: Vec<i64>,
}

impl Watch for Seen {
    fn taken(&mut self, taken: Taken<'_>) {
        assert_eq!((taken.slo, taken.objective), ("a", "x"));
        let weight = taken.entries.iter().map(|entry| entry.total).sum();
        self.taken.push((taken.entries[0].tick, taken.group.to_vec(), weight));
    }

    fn evaluated(&mut self, _: &Burn, tick: i64, _: &mut Vec<BurnRates>) -> Result<(), BurnFault> {
        self.ticks.push(tick);
        Ok(())
    }
}

#[test]
fn what_is_taken_in_is_told_with_the_group_that_counts_it() {
    let mut definition = slo("a", 30, &["x"]);
    definition.group_by = vec![GroupKey::Service];
    definition.objectives[0].target = Ratio { num: 1, den: 2 };
    let revisions = revisions(&[(10, Some(definition))]);
    let mut burn = Burn::new(0, 1, 1, SMALL);
    let mut seen = Seen::default();
    // One group more than are told apart, at two ticks; the last by name comes first.
    let names: Vec<String> = (0..=SMALL.groups).map(|n| format!("g{n:04}")).collect();
    let mut entries: Vec<TallyEntry> = names.iter().rev().map(|name| entry("x", &[name], 11, 11, 0, 1)).collect();
    let last = names.last().unwrap().clone();
    entries.push(entry("x", &[&last], 12, 12, 0, 5));
    // Of a generation that has ended, and of an objective that is not there.
    entries.push(TallyEntry { generation: 9_000, ..entry("x", &[&last], 11, 11, 0, 100) });
    entries.push(entry("y", &[&last], 11, 11, 0, 100));
    // Of a second that is not over.
    entries.push(entry("x", &[&names[0]], 13, 13, 0, 7));
    let last_batch = TallyBatch { stamp: LogTime(13_500), ..batch(0, 9, 13, &revisions, entries) };
    burn.apply_watched(0, &last_batch, &revisions, &mut seen).unwrap();
    let own = |at: usize, weight: i64, tick: i64| (tick, vec![names[at].clone()], weight);
    let other = |tick: i64, weight: i64| (tick, vec!["other".to_owned()], weight);
    let mut expected: Vec<_> = (0..SMALL.groups).map(|at| own(at, 1, 11)).collect();
    expected.extend([other(11, 1), other(12, 5)]);
    assert_eq!(seen.taken, expected);
    assert_eq!((seen.ticks.as_slice(), burn.known_until()), (&[10, 11, 12][..], LogTime(13_500)));
    burn.take_rest(&revisions, &mut seen);
    assert_eq!(seen.taken.last(), Some(&own(0, 7, 13)));
    assert_eq!(seen.ticks.last(), Some(&12), "it is not over");
}

#[test]
fn ticks_begin_where_they_are_told_to_whichever_source_comes_first() {
    let revisions = revisions(&[(10, Some(slo("a", 30, &["x"])))]);
    // Source 0 has lost what was before second 50; source 1 has everything.
    let cut = TallyBatch { sources: 2, from: 1, to: 1, ..batch(1, 1, 49, &revisions, Vec::new()) };
    let whole = TallyBatch { source: 1, sources: 2, ..batch(0, 0, 49, &revisions, Vec::new()) };
    for order in [[&cut, &whole], [&whole, &cut]] {
        let mut burn = Burn::new(0, 1, 1, SMALL).begin_at(30);
        let mut seen = Seen::default();
        for (offset, batch) in (0..).zip(order) {
            burn.apply_watched(offset, batch, &revisions, &mut seen).unwrap();
        }
        assert_eq!(seen.ticks.first(), Some(&30));
        let covered: Vec<i64> = burn.states(&revisions).unwrap().iter().map(|state| state.covered_from).collect();
        assert_eq!(covered, [50]);
    }
}
