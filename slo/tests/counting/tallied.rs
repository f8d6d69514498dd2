//! Tally's sums and exemplars, objective by objective, against a plain recount.

use std::borrow::Cow;
use std::collections::BTreeMap;

use proptest::prelude::*;
use slipstream_schemas::LogTime;
use slipstream_schemas::event::EventView;
use slipstream_schemas::records::Settings;
use slipstream_slo::matcher::{Active, Verdict};
use slipstream_slo::redelivery::{Memory, id_hash};
use slipstream_slo::revision::Revisions;
use slipstream_slo::tally::{Decided, Tally};

use crate::matching::{Plain, definitions};
use slipstream_schemas::fixtures::any_event;

const TARGETS: u32 = 2;

/// SLO, objective, group.
type Series = (String, String, Vec<String>);
/// good, total, unknown, and the id of the exemplar.
type Count = ([i64; 3], Option<String>);

/// Gives every event to one step, all within the same tick and slot.
fn tallied(definitions: &[Active], events: &[EventView<'_>]) -> Decided<()> {
    let mut revisions = Revisions::new();
    revisions.apply_settings(0, Settings { redelivery_window_ms: 120_000, cut_delay_ms: 0 }).unwrap();
    for (offset, active) in (1..).zip(definitions) {
        revisions.apply_slo(offset, LogTime(0), &active.slo.name, Some((*active.slo).clone())).unwrap();
    }
    let mut tally = Tally::new(0, 1, TARGETS, 0, LogTime(0), Memory::new(120_000));
    let mut step = tally.begin(&revisions, LogTime(i64::MAX));
    for (offset, event) in (0..).zip(events) {
        step.push(offset, LogTime(5_000), Ok(event)).unwrap();
    }
    step.finish(None).unwrap()
}

fn counted(decided: &Decided<()>) -> BTreeMap<Series, Count> {
    let mut counts: BTreeMap<Series, Count> = BTreeMap::new();
    for (_, batch) in &decided.batches {
        for entry in &batch.entries {
            let series = (entry.slo.clone(), entry.objective.clone(), entry.group.clone());
            let known = counts.insert(series, ([entry.good, entry.total, entry.unknown], None));
            assert_eq!((known, entry.tick), (None, 5), "an entry for each series");
        }
        for bad in &batch.exemplars {
            let series = (bad.slo.clone(), bad.objective.clone(), bad.group.clone());
            let count = counts.get_mut(&series).expect("an exemplar has an entry");
            assert_eq!(count.1.replace(bad.exemplar.event_id.clone()), None, "one exemplar for each series");
        }
    }
    counts
}

fn recounted(definitions: &[Active], events: &[EventView<'_>]) -> BTreeMap<Series, Count> {
    let plain = Plain::new(definitions);
    let mut counts: BTreeMap<Series, Count> = BTreeMap::new();
    for event in events {
        for (slo, objective, group, verdict) in plain.hits(event) {
            let ([good, total, unknown], bad) = counts.entry((slo, objective, group)).or_default();
            let weight = i64::from(event.weight);
            match verdict {
                Verdict::Good => (*good, *total) = (*good + weight, *total + weight),
                Verdict::Bad => *total += weight,
                Verdict::Unknown => *unknown += weight,
            }
            let lower = bad.as_deref().is_none_or(|known| id_hash(&event.event_id) < id_hash(known));
            if verdict == Verdict::Bad && lower {
                *bad = Some(event.event_id.to_string());
            }
        }
    }
    counts
}

proptest! {
    #[test]
    fn p2_each_objective_gets_its_own_counts_and_exemplar(
        definitions in definitions(),
        events in prop::collection::vec((any_event(), 1u32..4), 1..60),
    ) {
        let ids: Vec<String> = (0..events.len()).map(|number| format!("e{number}")).collect();
        let named = |((event, weight), id): ((EventView<'static>, u32), &String)| {
            EventView { event_id: Cow::Owned(id.clone()), weight, ..event }
        };
        let events: Vec<EventView<'_>> = events.into_iter().zip(&ids).map(named).collect();
        let decided = tallied(&definitions, &events);
        prop_assert_eq!(counted(&decided), recounted(&definitions, &events));
    }
}
