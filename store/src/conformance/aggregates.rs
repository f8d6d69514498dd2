//! Promises about aggregates: whatever rows answer, the answer is that of a recount; also while they are made anew.

use std::sync::Arc;

use slipstream_schemas::{EventTime, LogTime, RequestEvent};

use super::Fixture;
use super::made::{self, Dice};
use super::questions::compare;
use crate::aggregates::{DAY_US, HOUR_US, Refreshed};
use crate::filter::EventFilter;
use crate::kpis::{Field, KpiAnswer, KpiQuestion, Level};
use crate::port::{SharedStore, StoreError};

/// Every promise of this file.
pub async fn all(fixture: &dyn Fixture) {
    every_source_gives_the_same(fixture).await;
    late_events_are_counted_before_and_after_their_hour_is_made_anew(fixture).await;
    a_day_that_ends_in_silence_is_closed_all_the_same(fixture).await;
    hours_that_change_while_they_are_made_anew_are_right_in_the_end(fixture).await;
    what_retention_removes_leaves_the_aggregates_too(fixture).await;
}

/// A whole day.
const BEGIN: i64 = 19_700 * DAY_US;
const DAYS: i64 = 3;

/// Events of three days, in the order in which they come.
fn events(seed: u64, n: usize) -> Vec<RequestEvent> {
    let mut dice = Dice(seed);
    let mut events = made::events(&mut dice, n);
    for event in &mut events {
        event.time = EventTime(BEGIN + dice.below((DAYS * DAY_US) as u64) as i64);
    }
    events.sort_by_key(|event| event.time);
    events
}

fn ms(micros: i64) -> i64 {
    micros / 1_000
}

async fn write(store: &SharedStore, events: &[RequestEvent], from: usize, log_ms: i64) {
    let batch = made::batch(&events[from..], (from > 0).then_some(from as i64), log_ms);
    store.write(Arc::new(batch)).await.expect("written");
}

/// Until nothing is stale.
pub(super) async fn refreshed(store: &SharedStore, now: i64) -> Refreshed {
    let mut all = Refreshed::default();
    loop {
        match store.refresh(LogTime(now)).await {
            Ok(done) => {
                all.hours += done.hours;
                all.days += done.days;
                if done.stale == 0 {
                    return all;
                }
            }
            // Another refresh of the same is under way.
            Err(StoreError::Unavailable { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

fn question(span: (i64, i64), source: Option<Level>) -> KpiQuestion {
    let filter = EventFilter { from: Some(EventTime(span.0)), to: Some(EventTime(span.1)), ..EventFilter::default() };
    KpiQuestion { filter, source, ..KpiQuestion::default() }
}

async fn source_of(store: &SharedStore, question: &KpiQuestion, events: &[RequestEvent]) -> String {
    let answer = store.kpis(question).await.expect("an answer");
    compare(question, &answer, events);
    match answer {
        KpiAnswer::Total(kpis) => kpis.source,
        KpiAnswer::Rows { rows } => rows.first().map(|row| row.kpis.source.clone()).unwrap_or_default(),
    }
}

async fn every_source_gives_the_same(fixture: &dyn Fixture) {
    let store = fixture.empty().await;
    let events = events(31, 900);
    write(&store, &events, 0, ms(BEGIN + DAYS * DAY_US)).await;
    let whole = (BEGIN, BEGIN + DAYS * DAY_US);
    assert_eq!(source_of(&store, &question(whole, None), &events).await, "rollup", "nothing is closed yet");
    let done = refreshed(&store, ms(BEGIN + DAYS * DAY_US + HOUR_US)).await;
    assert!(done.hours > 40 && done.days == DAYS as u64, "{done:?}");
    for level in Level::ALL {
        for by in [vec![], vec![Field::Endpoint], vec![Field::Service, Field::StatusClass], vec![Field::Environment]] {
            let asked = KpiQuestion { by, ..question(whole, Some(level)) };
            assert_eq!(source_of(&store, &asked, &events).await, level.name());
        }
        let days = KpiQuestion { step: Some(86_400), ..question(whole, Some(level)) };
        assert_eq!(source_of(&store, &days, &events).await, level.name());
    }
    assert_eq!(source_of(&store, &question(whole, None), &events).await, "daily");
    let ragged = (BEGIN + HOUR_US + 90_000_001, BEGIN + 2 * DAY_US + 5 * HOUR_US + 61_000_000);
    assert_eq!(source_of(&store, &question(ragged, None), &events).await, "daily+hourly+rollup+raw");
    for errors_only in [false, true] {
        let mut filtered = question(ragged, None);
        filtered.filter = EventFilter { service: Some("cart".into()), errors_only, ..filtered.filter };
        source_of(&store, &filtered, &events).await;
    }
    let odd = store.kpis(&question(ragged, Some(Level::Daily))).await;
    assert!(matches!(odd, Err(StoreError::Refused(_))), "{odd:?}");
    // Another process finds the same.
    assert_eq!(source_of(&fixture.reopened().await, &question(whole, None), &events).await, "daily");
}

async fn late_events_are_counted_before_and_after_their_hour_is_made_anew(fixture: &dyn Fixture) {
    let store = fixture.empty().await;
    let mut events = events(32, 300);
    let now = ms(BEGIN + DAYS * DAY_US + HOUR_US);
    write(&store, &events, 0, now).await;
    refreshed(&store, now).await;
    let whole = question((BEGIN, BEGIN + DAYS * DAY_US), None);
    let before = events.len();
    let late = RequestEvent { time: EventTime(BEGIN + DAY_US + 7 * HOUR_US + 5), ..events[0].clone() };
    events.push(RequestEvent { event_id: "late".into(), latency_ms: Some(4_000.0), ..late });
    write(&store, &events, before, now + 1_000).await;
    assert_eq!(source_of(&store, &whole, &events).await, "daily+hourly+rollup");
    assert_eq!(store.aggregates().await.expect("a state").stale, 1);
    let done = refreshed(&store, now + 2_000).await;
    assert_eq!((done.hours, done.days), (1, 1));
    for level in Level::ALL {
        assert_eq!(
            source_of(&store, &KpiQuestion { source: Some(level), ..whole.clone() }, &events).await,
            level.name()
        );
    }
}

async fn a_day_that_ends_in_silence_is_closed_all_the_same(fixture: &dyn Fixture) {
    let store = fixture.empty().await;
    let events: Vec<RequestEvent> =
        events(33, 200).into_iter().filter(|event| event.time.0 % DAY_US < 20 * HOUR_US).collect();
    write(&store, &events, 0, ms(BEGIN + 2 * DAY_US)).await;
    // In steps, as a sink does it.
    for hour in (0..=24 * DAYS + 1).step_by(5).chain([24 * DAYS + 1]) {
        refreshed(&store, ms(BEGIN + hour * HOUR_US) + 180_000).await;
    }
    let whole = question((BEGIN, BEGIN + DAYS * DAY_US), None);
    assert_eq!(source_of(&store, &whole, &events).await, "daily");
    assert_eq!(store.aggregates().await.expect("a state").closed, Some(BEGIN + DAYS * DAY_US + HOUR_US));
}

async fn hours_that_change_while_they_are_made_anew_are_right_in_the_end(fixture: &dyn Fixture) {
    let store = fixture.empty().await;
    let mut events = events(34, 400);
    let now = ms(BEGIN + DAYS * DAY_US + HOUR_US);
    write(&store, &events, 0, now).await;
    let whole = question((BEGIN, BEGIN + DAYS * DAY_US), None);
    for round in 0..8 {
        let before = events.len();
        let mut more = self::events(100 + round, 60);
        more.iter_mut().for_each(|event| event.event_id += "-more");
        events.extend(more);
        let writing = write(&store, &events, before, now + 1_000);
        let (_, one, other) = tokio::join!(writing, store.refresh(LogTime(now)), store.refresh(LogTime(now)));
        for refreshed in [one, other] {
            assert!(matches!(refreshed, Ok(_) | Err(StoreError::Unavailable { .. })), "{refreshed:?}");
        }
        source_of(&store, &whole, &events).await;
    }
    refreshed(&store, now).await;
    assert_eq!(source_of(&store, &whole, &events).await, "daily");
}

async fn what_retention_removes_leaves_the_aggregates_too(fixture: &dyn Fixture) {
    let store = fixture.empty().await;
    let events = events(35, 200);
    let logged = ms(BEGIN + DAYS * DAY_US);
    write(&store, &events, 0, logged).await;
    refreshed(&store, logged + ms(HOUR_US)).await;
    // Raw events go first, and then the rest of them.
    let end = logged + 401 * ms(DAY_US);
    while store.trim(LogTime(end)).await.expect("trimmed") > 0 {}
    refreshed(&store, end).await;
    for source in [None, Some(Level::Hourly), Some(Level::Daily)] {
        let answer = store.kpis(&question((BEGIN, BEGIN + DAYS * DAY_US), source)).await.expect("an answer");
        let KpiAnswer::Total(kpis) = answer else { panic!("no rows were asked for") };
        assert_eq!(kpis.hits, 0, "{source:?}");
    }
}
