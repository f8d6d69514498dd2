//! Guarantees of queries: a query returns the same as a slow, obvious computation over the same data.

use std::collections::BTreeMap;
use std::sync::Arc;

use slipstream_schemas::records::TransitionKind::{Firing, Inactive, Keeping, Pending, Resolved};
use slipstream_schemas::{EventTime, RequestEvent, Topic};

use super::Fixture;
use super::made::{self, BEGIN, Dice};
use crate::alerts::{AlertFilter, AlertState};
use crate::filter::EventFilter;
use crate::kpis::{Field, FieldValue, KpiAnswer, KpiQuestion, Kpis};
use crate::page::{Cursor, EventQuestion, Order};
use crate::port::{BurnQuestion, SharedStore, StoreError, StoredBurnRates, WriteBatch};

/// Every promise of this file.
pub async fn all(fixture: &dyn Fixture) {
    kpis_equal_a_recount(fixture).await;
    sources_are_named_and_agree(fixture).await;
    events_come_in_pages_without_gap_or_repeat(fixture).await;
    pages_reach_over_many_minutes_and_days_of_the_log(fixture).await;
    the_newest_state_of_each_living_series_is_found(fixture).await;
    an_alert_has_one_entry_per_episode(fixture).await;
    nonsense_is_refused(fixture).await;
}

async fn filled(fixture: &dyn Fixture, seed: u64, n: usize) -> (SharedStore, Vec<RequestEvent>) {
    let store = fixture.empty().await;
    let mut dice = Dice(seed);
    let events = made::events(&mut dice, n);
    let mut from = 0;
    while from < n {
        let to = (from + 1 + dice.below(n as u64 / 2) as usize).min(n);
        let batch = made::batch(&events[from..to], (from > 0).then_some(from as i64), 1_000);
        store.write(Arc::new(batch)).await.expect("written");
        from = to;
    }
    (store, events)
}

fn a_filter(dice: &mut Dice) -> EventFilter {
    let time = |dice: &mut Dice| match dice.below(3) {
        0 => None,
        1 => Some(EventTime(BEGIN + 60_000_000 * dice.below(8) as i64)),
        _ => Some(EventTime(BEGIN - 5_000_000 + dice.below(8 * 60_000_000) as i64)),
    };
    let (a, b) = (time(dice), time(dice));
    let (from, to) = if a.is_some() && b.is_some() && a > b { (b, a) } else { (a, b) };
    let text = |dice: &mut Dice, value: &str| (dice.below(4) == 0).then(|| value.to_owned());
    EventFilter {
        service: text(dice, "checkout"),
        environment: text(dice, ""),
        endpoint: text(dice, "/orders"),
        method: text(dice, "GET"),
        status_code: (dice.below(6) == 0).then_some(503),
        status_class: (dice.below(6) == 0).then_some(2),
        errors_only: dice.below(6) == 0,
        trace_id: (dice.below(8) == 0).then(|| format!("{:032x}", 3)),
        min_latency_ms: (dice.below(10) == 0).then_some(20.0),
        max_latency_ms: (dice.below(10) == 0).then_some(900.0),
        event_id: (dice.below(20) == 0).then(|| "event-3".to_owned()),
        user_ref: (dice.below(12) == 0).then(|| "user-1".to_owned()),
        attributes: match dice.below(8) {
            0 => BTreeMap::from([("region".to_owned(), "eu".to_owned())]),
            _ => BTreeMap::new(),
        },
        from,
        to,
        logged_by: None,
    }
}

async fn kpis_equal_a_recount(fixture: &dyn Fixture) {
    for seed in 0..6 {
        let (store, events) = filled(fixture, seed, 400).await;
        let mut dice = Dice(seed + 1_000);
        for _ in 0..40 {
            let mut by: Vec<Field> = (0..dice.below(3)).map(|_| dice.one_of(&Field::ALL)).collect();
            by.dedup();
            let step = dice.one_of(&[None, Some(60), Some(120), Some(7)]);
            let question = KpiQuestion { filter: a_filter(&mut dice), by, step, source: None };
            let answer = store.kpis(&question).await.expect("an answer");
            compare(&question, &answer, &events);
        }
    }
}

/// Values of the fields and start of the step.
type Key = (Vec<FieldValue>, Option<i64>);

fn key(question: &KpiQuestion, event: &RequestEvent) -> Key {
    let value = |field: &Field| match field {
        Field::Service => FieldValue::Text(event.service.clone()),
        Field::Environment => FieldValue::Text(event.environment.clone()),
        Field::Endpoint => FieldValue::Text(event.endpoint.clone()),
        Field::Method => FieldValue::Text(event.method.clone()),
        Field::StatusCode => FieldValue::Number(event.status_code.into()),
        Field::StatusClass => FieldValue::Number((event.status_code / 100).into()),
    };
    (
        question.by.iter().map(value).collect(),
        question.step.map(|step| event.time.0 / (step * 1_000_000) * step * 1_000_000),
    )
}

pub(super) fn compare(question: &KpiQuestion, answer: &KpiAnswer, events: &[RequestEvent]) {
    let mut expected: BTreeMap<Key, Vec<&RequestEvent>> = BTreeMap::new();
    for event in events.iter().filter(|event| question.filter.admits(event)) {
        expected.entry(key(question, event)).or_default().push(event);
    }
    let rows = match answer {
        KpiAnswer::Total(kpis) => {
            let all: Vec<&RequestEvent> = expected.into_values().flatten().collect();
            return compare_kpis(question, kpis, &all);
        }
        KpiAnswer::Rows { rows } => rows,
    };
    assert_eq!(rows.len(), expected.len(), "{question:?}");
    for row in rows {
        let values: Vec<FieldValue> = question.by.iter().map(|field| row.key[field.name()].clone()).collect();
        let start = question.step.map(|_| match &row.key["start"] {
            FieldValue::Text(start) => start.parse::<jiff::Timestamp>().expect("RFC 3339").as_microsecond(),
            FieldValue::Number(_) => panic!("a start is text"),
        });
        let events = expected.get(&(values, start)).unwrap_or_else(|| panic!("{question:?}: no such row: {row:?}"));
        compare_kpis(question, &row.kpis, events);
    }
}

fn compare_kpis(question: &KpiQuestion, kpis: &Kpis, events: &[&RequestEvent]) {
    let weight = |e: &&&RequestEvent| e.weight as u64;
    let hits: u64 = events.iter().map(|e| weight(&e)).sum();
    let errors: u64 = events.iter().filter(|e| e.status_code >= 500).map(|e| weight(&e)).sum();
    assert_eq!((kpis.hits, kpis.errors), (hits, errors), "{question:?}");
    let mut latencies: Vec<(f64, u64)> = events.iter().filter_map(|e| Some((e.latency_ms?, e.weight as u64))).collect();
    latencies.sort_by(|a, b| a.0.total_cmp(&b.0));
    let measured: u64 = latencies.iter().map(|(_, weight)| weight).sum();
    let Some((max, _)) = latencies.last() else {
        assert_eq!((kpis.avg_latency_ms, kpis.p50_latency_ms, kpis.max_latency_ms), (None, None, None));
        return;
    };
    assert_eq!(kpis.max_latency_ms, Some(*max), "{question:?}");
    let avg = latencies.iter().map(|(latency, weight)| latency * *weight as f64).sum::<f64>() / measured as f64;
    close(question, kpis.avg_latency_ms, avg, 1e-9);
    for (percent, read) in [(50, kpis.p50_latency_ms), (95, kpis.p95_latency_ms), (99, kpis.p99_latency_ms)] {
        let rank = (percent * measured).div_ceil(100);
        let mut seen = 0;
        let exact = latencies.iter().find(|(_, weight)| {
            seen += weight;
            seen >= rank
        });
        close(question, read, exact.expect("a rank is at most the total").0, 0.02);
    }
}

fn close(question: &KpiQuestion, read: Option<f64>, exact: f64, within: f64) {
    let read = read.expect("latencies were measured");
    assert!((read - exact).abs() <= within * exact, "{question:?}: {read} for {exact}");
}

async fn sources_are_named_and_agree(fixture: &dyn Fixture) {
    let (store, events) = filled(fixture, 77, 500).await;
    let at = |seconds: i64| Some(EventTime(BEGIN + seconds * 1_000_000));
    let rows = [
        (None, None, None, "rollup"),
        (at(60), at(180), None, "rollup"),
        (at(61), at(240), None, "rollup+raw"),
        (at(60), at(200), None, "rollup+raw"),
        (at(61), at(119), None, "raw"),
        (None, None, Some(Field::StatusCode), "raw"),
    ];
    for (from, to, by, source) in rows {
        let filter = EventFilter { from, to, ..EventFilter::default() };
        let question = KpiQuestion { filter, by: by.into_iter().collect(), ..KpiQuestion::default() };
        let answer = store.kpis(&question).await.expect("an answer");
        compare(&question, &answer, &events);
        match answer {
            KpiAnswer::Total(kpis) => assert_eq!(kpis.source, source, "{question:?}"),
            KpiAnswer::Rows { rows } => assert!(rows.iter().all(|row| row.kpis.source == source), "{question:?}"),
        }
    }
    let whole = store.kpis(&KpiQuestion::default()).await.expect("an answer");
    let KpiAnswer::Total(whole) = whole else { panic!("no rows were asked for") };
    let first = events.iter().map(|e| e.time).min().map(crate::text::micros);
    let last = events.iter().map(|e| e.time).max().map(crate::text::micros);
    assert_eq!((whole.from, whole.to), (first, last));
}

async fn events_come_in_pages_without_gap_or_repeat(fixture: &dyn Fixture) {
    let (store, events) = filled(fixture, 9, 200).await;
    let mut dice = Dice(10);
    for _ in 0..15 {
        let (filter, order) = (a_filter(&mut dice), dice.one_of(&[Order::Oldest, Order::Newest]));
        let mut expected: Vec<(usize, &RequestEvent)> =
            events.iter().enumerate().filter(|(_, event)| filter.admits(event)).collect();
        expected.sort_by_key(|(offset, event)| (event.time, *offset));
        if order == Order::Newest {
            expected.reverse();
        }
        let expected: Vec<&RequestEvent> = expected.into_iter().map(|(_, event)| event).collect();
        let limit = 1 + dice.below(60) as usize;
        let found = in_pages(&store, &filter, order, limit).await;
        assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{filter:?}");
    }
}

/// All events that fit, page by page.
async fn in_pages(store: &SharedStore, filter: &EventFilter, order: Order, limit: usize) -> Vec<RequestEvent> {
    let (mut found, mut after): (Vec<RequestEvent>, Option<Cursor>) = (Vec::new(), None);
    loop {
        let question = EventQuestion { filter: filter.clone(), order, limit, after };
        let page = store.events(&question).await.expect("a page");
        assert!(page.events.len() <= limit);
        found.extend(page.events.into_iter().map(|stored| stored.event));
        // The cursor survives its way through text.
        after = page.next.map(|next| next.to_string().parse().expect("a cursor"));
        if after.is_none() {
            return found;
        }
    }
}

/// Events of some minutes in a few hours, which the log brought on four days, not in their order.
async fn pages_reach_over_many_minutes_and_days_of_the_log(fixture: &dyn Fixture) {
    const MINUTE: i64 = 60_000_000;
    let store = fixture.empty().await;
    let mut dice = Dice(21);
    let mut events = made::events(&mut dice, 240);
    for event in &mut events {
        let within = dice.one_of(&[0, 1, 30_000_000, MINUTE - 1]);
        event.time = EventTime(BEGIN + dice.below(400) as i64 * MINUTE + within);
    }
    for (i, chunk) in events.chunks(60).enumerate() {
        let from = (i > 0).then_some(i as i64 * 60);
        store.write(Arc::new(made::batch(chunk, from, 1_000 + i as i64 * 86_400_000))).await.expect("written");
    }
    for _ in 0..12 {
        let time = |dice: &mut Dice| match dice.below(3) {
            0 => None,
            _ => Some(EventTime(BEGIN + dice.below(400) as i64 * MINUTE + dice.one_of(&[0, 1, 30_000_000]))),
        };
        let (from, to) = (time(&mut dice), time(&mut dice));
        let (from, to) = if from.is_some() && to.is_some() && from > to { (to, from) } else { (from, to) };
        let filter = EventFilter { from, to, errors_only: dice.below(3) == 0, ..EventFilter::default() };
        let mut expected: Vec<(usize, &RequestEvent)> =
            events.iter().enumerate().filter(|(_, event)| filter.admits(event)).collect();
        expected.sort_by_key(|(offset, event)| (event.time, *offset));
        for order in [Order::Oldest, Order::Newest] {
            let limit = 1 + dice.below(80) as usize;
            let found = in_pages(&store, &filter, order, limit).await;
            assert!(found.iter().eq(expected.iter().map(|(_, event)| *event)), "{order:?} {limit} {filter:?}");
            expected.reverse();
        }
    }
}

async fn the_newest_state_of_each_living_series_is_found(fixture: &dyn Fixture) {
    let store = fixture.empty().await;
    let rates = [
        made::burn_rates("b", &["/x"], 1, 110),
        made::burn_rates("b", &["/x"], 1, 100),
        made::burn_rates("b", &["/a"], 1, 90),
        made::burn_rates("a", &[], 1, 100),
        slipstream_schemas::records::BurnRates { retired: true, ..made::burn_rates("a", &[], 1, 120) },
        made::burn_rates("a", &[], 2, 120),
        made::burn_rates("c", &[], 1, 120),
        slipstream_schemas::records::BurnRates { retired: true, ..made::burn_rates("c", &[], 1, 121) },
    ];
    let stored = |(i, rates): (usize, &slipstream_schemas::records::BurnRates)| StoredBurnRates {
        partition: 0,
        offset: i as i64,
        rates: rates.clone(),
    };
    let batch = WriteBatch {
        burn_rates: rates.iter().enumerate().map(stored).collect(),
        positions: vec![made::moved(Topic::BurnRates, None, 8, 1_000)],
        ..WriteBatch::default()
    };
    store.write(Arc::new(batch)).await.expect("written");
    let states = store.slo_states(None).await.expect("states");
    assert_eq!(states, [rates[5].clone(), rates[2].clone(), rates[0].clone()]);
    let history = store.burn_history(&history_of("b", 90, 110, 1)).await.expect("history");
    assert_eq!(history, [rates[2].clone(), rates[1].clone()]);
    let all = history_of("b", 0, 1_000, 60);
    let last = store.burn_history(&all).await.expect("history");
    assert_eq!(last, [rates[2].clone(), rates[0].clone()], "of each series the last in its step");
    let of_x = BurnQuestion { group: vec![(0, "/x".to_owned())], objective: Some("0".to_owned()), ..all.clone() };
    assert_eq!(store.burn_history(&of_x).await.expect("history"), [rates[0].clone()]);
    let none = BurnQuestion { objective: Some("1".to_owned()), ..all.clone() };
    assert_eq!(store.burn_history(&none).await.expect("history"), []);
    let first = store.burn_history(&BurnQuestion { limit: 1, ..all }).await.expect("history");
    assert_eq!(first, [rates[2].clone()], "no more than were asked for");
}

fn history_of(slo: &str, from: i64, to: i64, step: i64) -> BurnQuestion {
    BurnQuestion { slo: slo.to_owned(), from, to, step, objective: None, group: Vec::new(), limit: 1_000 }
}

async fn an_alert_has_one_entry_per_episode(fixture: &dyn Fixture) {
    let store = fixture.empty().await;
    let transitions = vec![
        made::transition("x", 100, 1, Pending),
        made::transition("x", 100, 2, Firing),
        made::transition("x", 100, 3, Resolved),
        made::transition("x", 500, 1, Pending),
        made::transition("x", 500, 2, Firing),
        made::transition("x", 500, 3, Keeping),
        made::transition("y", 300, 1, Pending),
        made::transition("y", 300, 2, Inactive),
    ];
    let positions = vec![made::moved(Topic::Alerts, None, 8, 1_000)];
    let batch = WriteBatch { transitions: transitions.clone(), positions, ..WriteBatch::default() };
    store.write(Arc::new(batch)).await.expect("written");
    let all = store.alerts(&AlertFilter::default()).await.expect("alerts");
    let shown: Vec<(&str, i64, AlertState)> = all.iter().map(|a| (a.id.as_str(), a.episode, a.state)).collect();
    assert_eq!(
        shown,
        [("x", 500, AlertState::Firing), ("y", 300, AlertState::Inactive), ("x", 100, AlertState::Resolved)]
    );
    assert_eq!(
        (all[2].severity.as_str(), all[2].at.as_str(), all[2].value),
        ("page", "1970-01-01T00:02:00Z", Some(20.0))
    );
    assert_eq!(all[2].resolved_at.as_deref(), Some("1970-01-01T00:02:00Z"));
    let rows: [(AlertFilter, &[i64]); 5] = [
        (AlertFilter { slo: Some("slo-of-y".into()), ..AlertFilter::default() }, &[300]),
        (AlertFilter { states: vec![AlertState::Firing], ..AlertFilter::default() }, &[500]),
        (AlertFilter { severity: Some("page".into()), ..AlertFilter::default() }, &[500, 100]),
        (AlertFilter { from: Some(200), to: Some(400), ..AlertFilter::default() }, &[300]),
        (AlertFilter { limit: Some(1), ..AlertFilter::default() }, &[500]),
    ];
    for (filter, episodes) in rows {
        let found: Vec<i64> = store.alerts(&filter).await.expect("alerts").iter().map(|a| a.episode).collect();
        assert_eq!(found, episodes, "{filter:?}");
    }
    assert_eq!(store.transitions("x").await.expect("transitions"), transitions[..6]);
}

async fn nonsense_is_refused(fixture: &dyn Fixture) {
    let store = fixture.empty().await;
    let backwards = EventFilter { from: Some(EventTime(2)), to: Some(EventTime(1)), ..EventFilter::default() };
    for question in [
        KpiQuestion { filter: backwards, ..KpiQuestion::default() },
        KpiQuestion { step: Some(0), ..KpiQuestion::default() },
    ] {
        let refused = store.kpis(&question).await;
        assert!(matches!(refused, Err(StoreError::Refused(_))), "{refused:?}");
    }
    assert!(matches!("1-2".parse::<Cursor>(), Err(StoreError::Refused(_))));
    assert!(matches!("x-1-2".parse::<Cursor>(), Err(StoreError::Refused(_))));
    assert!("no-field".parse::<Field>().is_err());
}
