//! Tally over columns against tally's step over the same events, and its shares against a plain recount per tuple.

use std::borrow::Cow;
use std::collections::BTreeMap;

use proptest::prelude::*;
use slipstream_schemas::event::EventView;
use slipstream_schemas::fixtures::{any_event, cases};
use slipstream_schemas::records::{Settings, TallyBatch};
use slipstream_schemas::{EventTime, LogTime, time};
use slipstream_slo::matcher::{Active, Verdict};
use slipstream_slo::redelivery::{Memory, id_hash};
use slipstream_slo::revision::Revisions;
use slipstream_slo::tally::Tally;
use slipstream_slo::tally::columns::{ColumnTally, Columns, Rows};

use crate::matching::{Plain, definitions};

const TARGETS: u32 = 3;
const SOURCES: usize = 2;
const WINDOW_MS: i64 = 120_000;
/// Events come within this log time, milliseconds.
const SPAN: std::ops::Range<i64> = 5_000..10_000;
/// Ticks whose events have shares: not all of them.
const SHARED: std::ops::Range<i64> = 6..9;

/// A set of definitions: those of the beginning, and at some log times others of the same names; `None`: deleted.
type Story = (Vec<Active>, Vec<(i64, Option<Vec<Active>>)>);
/// Events with their log times, in the order of those.
type Events = Vec<(i64, EventView<'static>)>;

fn stories(most: usize) -> impl Strategy<Value = Vec<Story>> {
    let change = (SPAN, prop::option::weighted(0.8, definitions()));
    let story = (definitions(), prop::collection::vec(change, 0..4));
    prop::collection::vec(story, 1..=most).prop_map(|mut stories| {
        stories.iter_mut().for_each(|(_, changes)| changes.sort_by_key(|(at, _)| *at));
        stories
    })
}

/// Blocks of the sources in any turns, and before which of them tuples are numbered anew.
fn blocks() -> impl Strategy<Value = Vec<(usize, bool, Events)>> {
    let latency = prop::option::of(prop::sample::select(vec![-0.0, 0.0, 0.1, 299.9, 300.0, 300.1, 1e4, 2e4]));
    // Event times are before the log time, after it, or far away.
    let ago_ms = prop_oneof![-1_500i64..3_000, 60_000i64..120_000];
    let weight = prop_oneof![1u32..5, Just(u32::MAX)];
    let event = (SPAN, any_event(), latency, ago_ms, weight).prop_map(|(at, event, latency_ms, ago_ms, weight)| {
        (at, EventView { latency_ms, weight, time: EventTime((at - ago_ms) * 1_000), ..event })
    });
    let turn = (0..SOURCES, 1..30usize, prop::bool::weighted(0.2));
    (prop::collection::vec(prop::collection::vec(event, 0..90), SOURCES), prop::collection::vec(turn, 1..12)).prop_map(
        |(mut sources, turns)| {
            for (source, events) in sources.iter_mut().enumerate() {
                events.sort_by_key(|(at, _)| *at);
                for (number, (_, event)) in events.iter_mut().enumerate() {
                    event.event_id = Cow::Owned(format!("{source}-{number}"));
                }
            }
            // So a block may be older than the one before it, on the other side of a cut.
            let take = |(source, many, anew): (usize, usize, bool)| {
                let left: &mut Events = &mut sources[source];
                (source, anew, left.drain(..many.min(left.len())).collect())
            };
            turns.into_iter().map(take).filter(|(_, _, events): &(usize, bool, Events)| !events.is_empty()).collect()
        },
    )
}

fn revisions((definitions, changes): &Story) -> Revisions {
    let mut revisions = Revisions::new();
    let mut offsets = 0..;
    let mut next = || offsets.next().unwrap();
    revisions.apply_settings(next(), Settings { redelivery_window_ms: WINDOW_MS, cut_delay_ms: 0 }).unwrap();
    let mut set = |at: i64, active: &Active, there: bool| {
        let slo = there.then(|| (*active.slo).clone());
        revisions.apply_slo(next(), LogTime(at), &active.slo.name, slo).unwrap();
    };
    definitions.iter().for_each(|active| set(0, active, true));
    for (at, changed) in changes {
        match changed {
            Some(changed) => changed.iter().for_each(|active| set(*at, active, true)),
            None => set(*at, &definitions[0], false),
        }
    }
    revisions
}

type TupleName = (String, String, String, String, u16);

fn tuple_name(event: &EventView<'_>) -> TupleName {
    let EventView { service, environment, endpoint, method, status_code, .. } = event;
    (service.to_string(), environment.to_string(), endpoint.to_string(), method.to_string(), *status_code)
}

/// A caller of the tally, with its numbers for tuples.
#[derive(Default)]
struct Dictionary {
    numbers: BTreeMap<TupleName, u32>,
    events: Vec<EventView<'static>>,
}

impl Dictionary {
    fn number(&mut self, event: &EventView<'static>) -> u32 {
        *self.numbers.entry(tuple_name(event)).or_insert_with(|| {
            // It says nothing but its tuple: nothing else may be looked at.
            let (latency_ms, attributes) = (None, Vec::new());
            self.events.push(EventView { latency_ms, attributes, event_id: "".into(), ..event.clone() });
            self.events.len() as u32 - 1
        })
    }

    fn columns(&mut self, events: &Events) -> Columns {
        let mut columns = Columns::default();
        for (row, (at, event)) in (0..).zip(events) {
            columns.id.push(id_hash(&event.event_id));
            columns.tuple.push(self.number(event));
            columns.stamp.push(*at);
            columns.slot.push(time::slot(event.time, LogTime(*at)));
            columns.weight.push(event.weight);
            columns.latency.push(event.latency_ms.unwrap_or(f64::NAN));
            columns.row.push(row);
        }
        columns
    }
}

struct BlockRows<'a>(&'a Events, &'a Dictionary);

impl Rows for BlockRows<'_> {
    fn of_tuple(&self, tuple: u32) -> EventView<'_> {
        self.1.events[tuple as usize].clone()
    }

    fn event(&self, row: u32) -> EventView<'_> {
        self.0[row as usize].1.clone()
    }
}

/// SLO, objective, group and tuple.
type Of = (String, String, Vec<String>, TupleName);

fn add(shares: &mut BTreeMap<Of, [i64; 3]>, of: Of, counts: [i64; 3]) {
    let sum = shares.entry(of).or_default();
    (0..3).for_each(|i| sum[i] += counts[i]);
}

/// Adds what the tally has found.
fn settle(all: &mut [BTreeMap<Of, [i64; 3]>], columns: &mut ColumnTally, dictionary: &Dictionary) {
    for (case, shares) in all.iter_mut().enumerate() {
        for share in columns.shares(case) {
            let tuple = tuple_name(&dictionary.events[share.tuple as usize]);
            for objective in share.objectives.iter().map(|at| &share.slo.objectives[*at].name) {
                let of = (share.slo.name.clone(), objective.clone(), share.group.to_vec(), tuple.clone());
                add(shares, of, share.counts);
            }
        }
    }
}

/// The same event by event.
fn recounted(revisions: &Revisions, blocks: &[(usize, bool, Events)]) -> BTreeMap<Of, [i64; 3]> {
    let mut shares = BTreeMap::new();
    let mut events: Events = blocks.iter().flat_map(|(.., events)| events.clone()).collect();
    events.retain(|(at, _)| SHARED.contains(&LogTime(*at).tick()));
    events.sort_by_key(|(at, _)| *at);
    let in_force = |at: i64| revisions.in_force(LogTime(at), revisions.end());
    for same in events.chunk_by(|(a, _), (b, _)| in_force(*a) == in_force(*b)) {
        let active = revisions.active_at(LogTime(same[0].0), revisions.end());
        let plain = Plain::new(&active);
        for (_, event) in same {
            for (slo, objective, group, verdict) in plain.hits(event) {
                let weight = i64::from(event.weight);
                let counts = match verdict {
                    Verdict::Good => [weight, weight, 0],
                    Verdict::Bad => [0, weight, 0],
                    Verdict::Unknown => [0, 0, weight],
                };
                add(&mut shares, (slo, objective, group, tuple_name(event)), counts);
            }
        }
    }
    shares
}

/// The batches of a step over the same events.
fn step(tally: &mut Tally, revisions: &Revisions, events: &Events) -> Vec<(u32, TallyBatch)> {
    let next = tally.next_offset();
    let mut step = tally.begin::<()>(revisions, LogTime(i64::MAX));
    for (offset, (at, event)) in (next..).zip(events) {
        step.push(offset, LogTime(*at), Ok(event)).unwrap();
    }
    step.finish(None).unwrap().batches
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases(256)))]

    #[test]
    fn p2_columns_sum_to_the_batches_of_a_step(stories in stories(2), blocks in blocks()) {
        let revisions: Vec<Revisions> = stories.iter().map(revisions).collect();
        let sets: Vec<&Revisions> = revisions.iter().collect();
        let new = |source: usize| {
            Tally::new(source as i32, SOURCES as i32, TARGETS, 0, LogTime(0), Memory::new(WINDOW_MS))
        };
        let mut tallies: Vec<Vec<Tally>> = sets.iter().map(|_| (0..SOURCES).map(new).collect()).collect();
        let mut columns = ColumnTally::new(sets.len(), SHARED);
        let mut dictionary = Dictionary::default();
        let mut shares = vec![BTreeMap::new(); sets.len()];
        for (source, anew, events) in &blocks {
            if *anew {
                columns.forget_tuples();
                settle(&mut shares, &mut columns, &dictionary);
                dictionary = Dictionary::default();
            }
            let of = |(tallies, revisions): (&mut Vec<Tally>, &&Revisions)| step(&mut tallies[*source], revisions, events);
            let expected: Vec<_> = tallies.iter_mut().zip(&sets).map(of).collect();
            let template = TallyBatch { entries: Vec::new(), exemplars: Vec::new(), ..expected[0][0].1.clone() };
            let block = dictionary.columns(events);
            let found = columns.sum(&block, &BlockRows(events, &dictionary), &sets, &template, TARGETS);
            prop_assert_eq!(found, expected);
            settle(&mut shares, &mut columns, &dictionary);
        }
        columns.forget_tuples();
        settle(&mut shares, &mut columns, &dictionary);
        for (found, revisions) in shares.iter().zip(&revisions) {
            prop_assert_eq!(found, &recounted(revisions, &blocks));
        }
        prop_assert!((0..sets.len()).all(|case| columns.shares(case).next().is_none()), "they are told once");
    }
}
