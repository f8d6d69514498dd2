//! Promises about what an answer covers, and about what is too much.

use std::sync::Arc;
use std::time::Duration;

use slipstream_schemas::records::TransitionKind;
use slipstream_schemas::{EventTime, Topic};

use super::Fixture;
use super::made::{self, Dice};
use crate::alerts::MOST_TRANSITIONS;
use crate::filter::EventFilter;
use crate::kpis::{KpiAnswer, KpiQuestion};
use crate::patience;
use crate::port::{StoreError, WriteBatch};

/// Every promise of this file.
pub async fn all(fixture: &dyn Fixture) {
    rates_are_over_what_is_stored(fixture).await;
    too_many_rows_are_refused(fixture).await;
    of_an_alert_the_newest_transitions_are_told(fixture).await;
}

async fn of_an_alert_the_newest_transitions_are_told(fixture: &dyn Fixture) {
    let store = fixture.empty().await;
    let most = MOST_TRANSITIONS as i64;
    let transitions: Vec<_> =
        (0..=most).map(|n| made::transition("x", n / 2, (n % 2) as i32 + 1, TransitionKind::Pending)).collect();
    let positions = vec![made::moved(Topic::Alerts, None, most + 1, 1_000)];
    let batch = WriteBatch { transitions: transitions.clone(), positions, ..WriteBatch::default() };
    store.write(Arc::new(batch)).await.expect("written");
    assert!(store.transitions("x").await.expect("transitions") == transitions[1..], "but for the oldest one");
}

async fn rates_are_over_what_is_stored(fixture: &dyn Fixture) {
    let store = fixture.empty().await;
    let mut events = made::events(&mut Dice(9), 20);
    for (i, event) in events.iter_mut().enumerate() {
        event.time = EventTime(made::BEGIN + i as i64 * 10_000_000);
        event.weight = 1;
    }
    store.write(Arc::new(made::batch(&events, None, 1_000))).await.expect("written");
    let until = |to: i64| EventFilter {
        from: Some(EventTime(made::BEGIN)),
        to: Some(EventTime(made::BEGIN + to)),
        ..EventFilter::default()
    };
    // The last event came 190 s after the first, whatever is asked beyond it.
    for (to, expected) in [(100_000_000, 0.1), (200_000_000, 20.0 / 190.0), (1_000_000_000_000_000, 20.0 / 190.0)] {
        let question = KpiQuestion { filter: until(to), ..KpiQuestion::default() };
        let KpiAnswer::Total(kpis) = store.kpis(&question).await.expect("an answer") else { panic!("no rows") };
        assert_eq!(kpis.throughput, Some(expected), "{to}");
        let hour = KpiQuestion { step: Some(3_600), ..question };
        let KpiAnswer::Rows { rows } = store.kpis(&hour).await.expect("an answer") else { panic!("rows") };
        assert_eq!(rows[0].kpis.throughput, Some(expected), "{to}");
    }
}

async fn too_many_rows_are_refused(fixture: &dyn Fixture) {
    let store = fixture.empty().await;
    let mut events = made::events(&mut Dice(10), 100_100);
    for (i, event) in events.iter_mut().enumerate() {
        event.time = EventTime(made::BEGIN + i as i64 * 1_000_000);
    }
    for (i, chunk) in events.chunks(25_025).enumerate() {
        let from = (i > 0).then_some(i as i64 * 25_025);
        store.write(Arc::new(made::batch(chunk, from, 1_000))).await.expect("written");
    }
    let by_step = |step| KpiQuestion { step: Some(step), ..KpiQuestion::default() };
    match store.kpis(&by_step(1)).await {
        Err(StoreError::Refused(why)) => assert!(why.contains("100000 rows"), "{why}"),
        other => panic!("{:?}", other.map(drop)),
    }
    let KpiAnswer::Rows { rows } = store.kpis(&by_step(2)).await.expect("an answer") else { panic!("rows") };
    assert_eq!(rows.len(), 50_050);
    // What takes longer than its asker waits is broken off, and so is what nobody waits for any more.
    for _ in 0..40 {
        let gone = tokio::time::timeout(Duration::from_millis(1), store.event("nobody's", None)).await;
        assert!(!matches!(gone, Ok(Err(_))), "given up, or answered: {gone:?}");
    }
    let hurried = patience::within(Duration::from_millis(1), store.event("nobody's", None)).await;
    assert!(matches!(hurried, Err(StoreError::Refused(_))) || !fixture.breaks_off(), "{hurried:?}");
    assert_eq!(store.event("nobody's", None).await.expect("an answer"), []);
    // Also one with an old begin, beside days that nobody ever stored.
    let long = EventFilter { from: Some(EventTime(-60_000_000_000_000_000)), ..EventFilter::default() };
    store.kpis(&KpiQuestion { filter: long, ..KpiQuestion::default() }).await.expect("an answer");
}
