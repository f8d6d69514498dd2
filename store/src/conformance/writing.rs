//! Promises about writing: all or nothing, exactly once, still there after a crash, gone after retention.

use std::sync::Arc;

use slipstream_schemas::records::TransitionKind;
use slipstream_schemas::{LogTime, Topic};

use super::Fixture;
use super::made::{self, Dice};
use crate::filter::EventFilter;
use crate::kpis::{KpiAnswer, KpiQuestion, Kpis};
use crate::page::{EventQuestion, Order};
use crate::port::{BatchFate, Claim, Claimed, Counts, SharedStore, StoreError, StoredBurnRates, WriteBatch, settled};

/// Every promise of this file.
pub async fn all(fixture: &dyn Fixture) {
    an_empty_store_answers_with_nothing(fixture).await;
    a_batch_is_there_whole_and_survives_a_crash(fixture).await;
    a_batch_is_written_once_however_often_it_is_sent(fixture).await;
    one_moved_position_keeps_the_whole_batch_out(fixture).await;
    of_two_writers_one_wins_each_offset(fixture).await;
    retention_goes_by_log_time_and_leaves_rollups(fixture).await;
    a_recreated_topic_has_no_positions(fixture).await;
    events_sent_again_into_a_recreated_topic_are_stored_again(fixture).await;
    a_topic_that_was_left_for_another_is_refused(fixture).await;
}

async fn a_recreated_topic_has_no_positions(fixture: &dyn Fixture) {
    let store = fixture.empty().await;
    let claim = |id: &'static str| store.claim_topic(Topic::RequestEvents, id);
    assert!(store.claimed_topics().await.expect("ids").is_empty());
    let all = made::events(&mut Dice(2), 30);
    // Stored by a version that knew no ids: its positions are taken for those of the first topic that is named.
    store.write(Arc::new(made::batch(&all[..10], None, 1_000))).await.expect("written");
    store.write(Arc::new(burn_rates_at(5))).await.expect("written");
    for _ in 0..2 {
        assert_eq!(claim("first").await.expect("claimed"), Claim::Same);
        assert_eq!(store.positions().await.expect("positions").len(), 2);
    }
    let in_flight = made::batch(&all[10..20], Some(10), 1_000);
    assert_eq!(claim("second").await.expect("claimed"), Claim::Recreated { was: "first".to_owned() });
    for store in [&store, &fixture.reopened().await] {
        let left = store.positions().await.expect("positions");
        assert_eq!(left.iter().map(|p| p.topic).collect::<Vec<_>>(), [Topic::BurnRates], "of other topics they stay");
        assert_eq!(store.counts().await.expect("counts").events, 10, "what was stored stays");
        assert_eq!(store.claimed_topics().await.expect("ids"), [claimed("second", &["first"])]);
    }
    // What was decided of the topic before finds its position gone.
    let late = store.write(Arc::new(in_flight)).await;
    assert!(matches!(late, Err(StoreError::Moved { stored: None, .. })), "{late:?}");
    store.write(Arc::new(made::batch(&all[20..], None, 2_000))).await.expect("the new one begins at its beginning");
    assert_eq!(store.counts().await.expect("counts").events, 20);
}

fn claimed(id: &str, retired: &[&str]) -> Claimed {
    let retired = retired.iter().map(|id| (*id).to_owned()).collect();
    Claimed { topic: Topic::RequestEvents, id: id.to_owned(), retired }
}

async fn events_sent_again_into_a_recreated_topic_are_stored_again(fixture: &dyn Fixture) {
    let store = fixture.empty().await;
    let events = made::events(&mut Dice(2), 20);
    for (n, id) in ["first", "second", "third"].into_iter().enumerate() {
        store.claim_topic(Topic::RequestEvents, id).await.expect("claimed");
        store.write(Arc::new(made::batch(&events, None, 1_000))).await.expect("the same times, the same offsets");
        assert_eq!(store.counts().await.expect("counts").events, 20 * (n as u64 + 1));
    }
    let hits = hits(&store).await.0;
    assert_eq!(hits, 3 * events.iter().map(|e| e.weight as u64).sum::<u64>());
    // Page by page each of them comes, whichever of equal ones a page ends with.
    for order in [Order::Oldest, Order::Newest] {
        let (mut all, mut after) = (Vec::new(), None);
        loop {
            let question = EventQuestion { filter: EventFilter::default(), order, limit: 1, after };
            let page = store.events(&question).await.expect("a page");
            all.extend(page.events.into_iter().map(|stored| stored.event.event_id));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        let mut expected: Vec<String> = events.iter().map(|event| event.event_id.clone()).collect();
        expected.sort();
        all.sort();
        assert_eq!(all.len(), 60, "{order:?}");
        assert!(all.chunks(3).map(|copies| &copies[0]).eq(&expected), "{order:?}: {all:?}");
    }
}

async fn a_topic_that_was_left_for_another_is_refused(fixture: &dyn Fixture) {
    let store = fixture.empty().await;
    for id in ["first", "second", "third"] {
        store.claim_topic(Topic::RequestEvents, id).await.expect("claimed");
    }
    store.write(Arc::new(made::batch(&made::events(&mut Dice(2), 10), None, 1_000))).await.expect("written");
    for store in [store, fixture.reopened().await] {
        for id in ["first", "second"] {
            match store.claim_topic(Topic::RequestEvents, id).await {
                Err(StoreError::Fatal { cause, .. }) => {
                    let said = cause.text();
                    assert!(
                        said.contains("moved on to another request-events (id third") && said.contains(id),
                        "{said}"
                    );
                }
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(store.positions().await.expect("positions").len(), 1, "they stay");
        assert_eq!(store.claim_topic(Topic::RequestEvents, "third").await.expect("claimed"), Claim::Same);
        assert_eq!(store.claimed_topics().await.expect("ids"), [claimed("third", &["first", "second"])]);
    }
}

fn burn_rates_at(to: i64) -> WriteBatch {
    WriteBatch { positions: vec![made::moved(Topic::BurnRates, None, to, 900)], ..WriteBatch::default() }
}

async fn hits(store: &SharedStore) -> (u64, String) {
    let Kpis { hits, source, .. } = total(store, KpiQuestion::default()).await;
    (hits, source)
}

async fn total(store: &SharedStore, question: KpiQuestion) -> Kpis {
    match store.kpis(&question).await.expect("an answer") {
        KpiAnswer::Total(kpis) => kpis,
        KpiAnswer::Rows { .. } => panic!("no rows were asked for"),
    }
}

async fn an_empty_store_answers_with_nothing(fixture: &dyn Fixture) {
    let store = fixture.empty().await;
    assert!(store.positions().await.expect("positions").is_empty());
    assert_eq!(store.counts().await.expect("counts"), Counts::default());
    assert_eq!(
        store.events(&EventQuestion::oldest(EventFilter::default(), 10, None)).await.expect("a page"),
        Default::default()
    );
    assert!(store.slo_states(None).await.expect("states").is_empty());
    assert!(store.alerts(&Default::default()).await.expect("alerts").is_empty());
    let kpis = total(&store, KpiQuestion::default()).await;
    assert_eq!((kpis.hits, kpis.error_rate, kpis.p99_latency_ms, kpis.from), (0, 0.0, None, None));
    assert_eq!(store.trim(LogTime(i64::MAX)).await.expect("trimmed"), 0);
}

/// A batch with something for every table.
fn everything() -> WriteBatch {
    let mut batch = made::batch(&made::events(&mut Dice(1), 50), None, 1_000);
    batch.burn_rates = vec![StoredBurnRates { partition: 0, offset: 4, rates: made::burn_rates("a", &[], 1, 100) }];
    batch.transitions = vec![made::transition("x", 100, 1, TransitionKind::Pending)];
    batch.notifications = vec![made::notification("x", 2)];
    for topic in [Topic::BurnRates, Topic::Alerts, Topic::Notifications] {
        batch.positions.push(made::moved(topic, None, 5, 900));
    }
    batch
}

async fn a_batch_is_there_whole_and_survives_a_crash(fixture: &dyn Fixture) {
    let store = fixture.empty().await;
    let batch = everything();
    store.write(Arc::new(batch.clone())).await.expect("written");
    for store in [store, fixture.reopened().await] {
        let counts = Counts { events: 50, burn_rates: 1, transitions: 1, notifications: 1 };
        assert_eq!(store.counts().await.expect("counts"), counts);
        let positions = store.positions().await.expect("positions");
        assert_eq!(settled(&batch, &positions), BatchFate::Written);
        let events = positions.iter().find(|p| p.topic == Topic::RequestEvents).expect("a position");
        assert_eq!((events.partition, events.offset, events.log_time), (0, 50, LogTime(1_000)));
        assert_eq!(hits(&store).await.0, batch.events.iter().map(|e| u64::from(e.weight())).sum::<u64>());
    }
}

async fn a_batch_is_written_once_however_often_it_is_sent(fixture: &dyn Fixture) {
    let store = fixture.empty().await;
    let batch = Arc::new(everything());
    assert_eq!(settled(&batch, &store.positions().await.expect("positions")), BatchFate::NotWritten);
    store.write(batch.clone()).await.expect("written");
    let once = (store.counts().await.expect("counts"), hits(&store).await);
    for store in [store, fixture.reopened().await] {
        let again = store.write(batch.clone()).await;
        assert!(matches!(again, Err(StoreError::Moved { expected: None, .. })), "{again:?}");
        assert_eq!((store.counts().await.expect("counts"), hits(&store).await), once);
    }
}

async fn one_moved_position_keeps_the_whole_batch_out(fixture: &dyn Fixture) {
    let store = fixture.empty().await;
    store.write(Arc::new(everything())).await.expect("written");
    let before = (store.counts().await.expect("counts"), store.positions().await.expect("positions"));
    let mut batch = made::batch(&made::events(&mut Dice(2), 10), Some(50), 2_000);
    batch.positions.push(made::moved(Topic::Alerts, Some(4), 6, 2_000));
    let refused = store.write(Arc::new(batch.clone())).await;
    let moved =
        matches!(refused, Err(StoreError::Moved { topic: Topic::Alerts, expected: Some(4), stored: Some(5), .. }));
    assert!(moved, "{refused:?}");
    let after = store.positions().await.expect("positions");
    assert_eq!((store.counts().await.expect("counts"), after.clone()), before);
    assert_eq!(settled(&batch, &after), BatchFate::Lost);
    let nothing_moves = store.write(Arc::new(WriteBatch::default())).await;
    assert!(matches!(nothing_moves, Err(StoreError::Refused(_))), "{nothing_moves:?}");
}

async fn of_two_writers_one_wins_each_offset(fixture: &dyn Fixture) {
    let first = fixture.empty().await;
    let second = fixture.reopened().await;
    let events = made::events(&mut Dice(3), 40);
    let mut won = [0, 0];
    for step in 0..4i64 {
        let from = (step > 0).then_some(step * 10);
        let batch = Arc::new(made::batch(&events[step as usize * 10..][..10], from, 1_000));
        let (one, other) = tokio::join!(first.write(batch.clone()), second.write(batch));
        won[0] += usize::from(one.is_ok());
        won[1] += usize::from(other.is_ok());
        assert!(one.is_ok() != other.is_ok(), "{one:?} {other:?}");
    }
    assert_eq!(won[0] + won[1], 4);
    assert_eq!(first.counts().await.expect("counts").events, 40);
    assert_eq!(hits(&second).await.0, events.iter().map(|e| e.weight as u64).sum::<u64>());
}

async fn retention_goes_by_log_time_and_leaves_rollups(fixture: &dyn Fixture) {
    const DAY_MS: i64 = 86_400_000;
    let store = fixture.empty().await;
    let (old, new) = (made::events(&mut Dice(4), 300), made::events(&mut Dice(5), 5));
    let late: Vec<_> = new.into_iter().map(|e| slipstream_schemas::RequestEvent { time: old[0].time, ..e }).collect();
    store.write(Arc::new(made::batch(&old, None, 0))).await.expect("written");
    let all = hits(&store).await;
    assert_eq!(all.1, "rollup");
    store.write(Arc::new(made::batch(&late, Some(300), 20 * DAY_MS))).await.expect("written");
    let with_late = hits(&store).await;
    // At 36 d the first batch is past 35 d. What was written at 20 d is not; whether it keeps the older events of its
    // minute is the adapter's choice.
    drained(&store, 36 * DAY_MS).await;
    let minute = |e: &slipstream_schemas::RequestEvent| e.time.0 / 60_000_000;
    let page = store.events(&EventQuestion::oldest(EventFilter::default(), 1_000, None)).await.expect("a page");
    let left: Vec<_> = page.events.into_iter().map(|stored| stored.event).collect();
    assert!(left.iter().all(|e| minute(e) == minute(&old[0])));
    assert!(late.iter().all(|e| left.contains(e)));
    assert_eq!(store.counts().await.expect("counts").events, left.len() as u64);
    assert_eq!(hits(&store).await, with_late);
    // What an edge asks of a minute without raw events comes from the whole minute, and the answer says so.
    let gone = old.iter().find(|e| minute(e) != minute(&old[0])).expect("an event elsewhere");
    let (from, to) = (gone.time, slipstream_schemas::EventTime(gone.time.0 + 1));
    let filter = EventFilter { from: Some(from), to: Some(to), ..EventFilter::default() };
    let edge = total(&store, KpiQuestion { filter, ..KpiQuestion::default() }).await;
    let expected: u64 = old.iter().filter(|e| minute(e) == minute(gone)).map(|e| e.weight as u64).sum();
    assert_eq!((edge.hits, edge.source.as_str()), (expected, "rollup"));
    assert_ne!(edge.from, Some(crate::text::micros(from)));
    // Much later everything is gone but the positions.
    drained(&store, 1_000 * DAY_MS).await;
    assert_eq!(hits(&store).await.0, 0);
    assert_eq!(store.positions().await.expect("positions").len(), 1);
}

async fn drained(store: &SharedStore, now_ms: i64) {
    for _ in 0..1_000 {
        if store.trim(LogTime(now_ms)).await.expect("trimmed") == 0 {
            return;
        }
    }
    panic!("trimming does not come to an end");
}
