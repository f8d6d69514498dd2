//! Promises about single rows and about the past: what was known at a time, one event, one user, pages of notifications.

use std::collections::BTreeSet;
use std::sync::Arc;

use slipstream_schemas::records::{Notification, NotificationReason, Outcome, TransitionKind};
use slipstream_schemas::{EventTime, LogTime, RequestEvent, Topic};

use super::Fixture;
use super::made::{self, Dice};
use super::questions::compare;
use crate::alerts::{AlertFilter, AlertState};
use crate::filter::EventFilter;
use crate::kpis::{KpiAnswer, KpiQuestion};
use crate::notifications::NotificationQuestion;
use crate::page::EventQuestion;
use crate::port::{SharedStore, StoredBurnRates, WriteBatch};

/// Every promise of this file.
pub async fn all(fixture: &dyn Fixture) {
    what_was_known_at_a_time_stays(fixture).await;
    an_event_is_found_by_its_id(fixture).await;
    an_erased_user_leaves_the_counts_as_they_were(fixture).await;
    states_and_alerts_of_the_past_are_those_of_then(fixture).await;
    notifications_come_in_pages(fixture).await;
    every_outcome_of_a_notification_stays(fixture).await;
    states_of_the_past_are_told_as_long_as_retention_leaves_them(fixture).await;
}

async fn states_of_the_past_are_told_as_long_as_retention_leaves_them(fixture: &dyn Fixture) {
    const DAY: i64 = 86_400;
    let store = fixture.empty().await;
    // One that is published each minute, one that paused, one that ended.
    let begin = 100 * DAY + 43_200;
    let every =
        |slo: &str, ticks: Vec<i64>| ticks.into_iter().map(|tick| made::burn_rates(slo, &[], 1, tick)).collect();
    let rates: [Vec<_>; 3] = [
        every("busy", (0..40).map(|i| begin + 25 + i * 60).collect()),
        every("paused", vec![begin + 7, begin + 900, begin + 1_000]),
        every("quiet", vec![begin + 3]),
    ];
    let stored: Vec<StoredBurnRates> = rates
        .concat()
        .into_iter()
        .enumerate()
        .map(|(i, rates)| StoredBurnRates { partition: 0, offset: i as i64, rates })
        .collect();
    let to = stored.len() as i64;
    let positions = vec![made::moved(Topic::BurnRates, None, to, 1_000)];
    let batch = WriteBatch { burn_rates: stored, positions, ..WriteBatch::default() };
    store.write(Arc::new(batch)).await.expect("written");
    let ticks: Vec<i64> = (begin..begin + 2_500).step_by(13).collect();
    let mut before = Vec::new();
    for tick in &ticks {
        before.push(store.slo_states(Some(*tick)).await.expect("states"));
    }
    assert_eq!(store.whole_from().await.expect("a tick").burn_rates, None);
    // In the middle of them, and when all of their day is over.
    for now in [begin + 600 + 35 * DAY, begin + 36 * DAY] {
        while store.trim(LogTime(now * 1_000)).await.expect("trimmed") > 0 {}
        let from = store.whole_from().await.expect("a tick").burn_rates.unwrap_or(0);
        assert!(from <= now - 34 * DAY, "{from} at {now}");
        for (tick, expected) in ticks.iter().zip(&before).filter(|(tick, _)| **tick >= from) {
            assert_eq!(store.slo_states(Some(*tick)).await.expect("states"), *expected, "{tick}");
        }
    }
    assert!(store.counts().await.expect("counts").burn_rates < to as u64, "retention was at work");
    assert!(store.whole_from().await.expect("a tick").burn_rates.is_some());
}

async fn what_was_known_at_a_time_stays(fixture: &dyn Fixture) {
    let store = fixture.empty().await;
    let events = made::events(&mut Dice(41), 300);
    store.write(Arc::new(made::batch(&events[..100], None, 1_000))).await.expect("written");
    let then = LogTime(1_000);
    let past = EventFilter { logged_by: Some(then), ..EventFilter::default() };
    let question = KpiQuestion { filter: past.clone(), ..KpiQuestion::default() };
    let ask = async |store: &SharedStore| {
        let kpis = store.kpis(&question).await.expect("an answer");
        let page = store.events(&EventQuestion::oldest(past.clone(), 1_000, None)).await.expect("a page");
        assert!(page.events.iter().all(|stored| stored.log_time <= then));
        (serde_json::to_string(&kpis).expect("JSON"), page)
    };
    let before = ask(&store).await;
    store.write(Arc::new(made::batch(&events[100..], Some(100), 2_000))).await.expect("written");
    super::aggregates::refreshed(&store, made::BEGIN / 1_000 + 86_400_000).await;
    for store in [&store, &fixture.reopened().await] {
        assert_eq!(ask(store).await, before);
    }
    let answer: KpiAnswer = store.kpis(&question).await.expect("an answer");
    compare(&question, &answer, &events[..100]);
    let KpiAnswer::Total(kpis) = answer else { panic!("no rows were asked for") };
    assert_eq!(kpis.source, "raw");
}

async fn an_event_is_found_by_its_id(fixture: &dyn Fixture) {
    let store = fixture.empty().await;
    let mut events = made::events(&mut Dice(42), 50);
    events[7].event_id = "event-3".into();
    store.write(Arc::new(made::batch(&events, None, 1_000))).await.expect("written");
    let found = store.event("event-5", None).await.expect("an event");
    assert_eq!(found.iter().map(|stored| (&stored.event, stored.offset)).collect::<Vec<_>>(), [(&events[5], 5)]);
    let near = store.event("event-5", Some(EventTime(events[5].time.0 + 30_000_000))).await.expect("an event");
    assert_eq!(near, found);
    let far = store.event("event-5", Some(EventTime(events[5].time.0 + 3_600_000_000))).await.expect("an answer");
    assert!(far.is_empty() && store.event("nobody's", None).await.expect("an answer").is_empty());
    let copies: BTreeSet<i64> =
        store.event("event-3", None).await.expect("events").iter().map(|stored| stored.offset).collect();
    assert_eq!(copies, BTreeSet::from([3, 7]));
}

async fn an_erased_user_leaves_the_counts_as_they_were(fixture: &dyn Fixture) {
    let store = fixture.empty().await;
    let mut events = made::events(&mut Dice(43), 60);
    for (i, event) in events.iter_mut().enumerate() {
        event.user_ref = [Some("alice".to_owned()), Some("bob".to_owned()), None][i % 3].clone();
    }
    store.write(Arc::new(made::batch(&events, None, 1_000))).await.expect("written");
    let counts = store.counts().await.expect("counts");
    assert_eq!(store.erase_user("alice").await.expect("erased"), 20);
    assert_eq!(store.erase_user("alice").await.expect("erased"), 0);
    let users = async |store: &SharedStore, user: Option<&str>| {
        let filter = EventFilter { user_ref: user.map(str::to_owned), ..EventFilter::default() };
        store.events(&EventQuestion::oldest(filter, 1_000, None)).await.expect("a page").events
    };
    assert_eq!((users(&store, Some("alice")).await.len(), users(&store, Some("bob")).await.len()), (0, 20));
    let expected: Vec<RequestEvent> = {
        let kept = |user: &Option<String>| user.clone().filter(|user| user != "alice");
        let mut all: Vec<(usize, RequestEvent)> = events
            .iter()
            .map(|event| RequestEvent { user_ref: kept(&event.user_ref), ..event.clone() })
            .enumerate()
            .collect();
        all.sort_by_key(|(offset, event)| (event.time, *offset));
        all.into_iter().map(|(_, event)| event).collect()
    };
    let found: Vec<RequestEvent> = users(&store, None).await.into_iter().map(|stored| stored.event).collect();
    assert_eq!(found, expected, "all else is as it was");
    assert_eq!(store.counts().await.expect("counts"), counts);
}

async fn states_and_alerts_of_the_past_are_those_of_then(fixture: &dyn Fixture) {
    let store = fixture.empty().await;
    let rates = [100, 110, 120].map(|tick| made::burn_rates("a", &[], 1, tick));
    let stored =
        |(i, rates): (usize, &_)| StoredBurnRates { partition: 0, offset: i as i64, rates: Clone::clone(rates) };
    let batch = WriteBatch {
        burn_rates: rates.iter().enumerate().map(stored).collect(),
        transitions: vec![
            made::transition("x", 100, 1, TransitionKind::Pending),
            made::transition("x", 100, 2, TransitionKind::Firing),
            made::transition("x", 100, 3, TransitionKind::Resolved),
        ],
        positions: vec![made::moved(Topic::BurnRates, None, 3, 1_000), made::moved(Topic::Alerts, None, 3, 1_000)],
        ..WriteBatch::default()
    };
    store.write(Arc::new(batch)).await.expect("written");
    for (until, tick) in [(99, None), (100, Some(100)), (119, Some(110)), (500, Some(120))] {
        let states = store.slo_states(Some(until)).await.expect("states");
        assert_eq!(states.first().map(|state| state.tick), tick, "{until}");
    }
    for (until, state) in [
        (99, None),
        (100, Some(AlertState::Pending)),
        (115, Some(AlertState::Firing)),
        (120, Some(AlertState::Resolved)),
    ] {
        let filter = AlertFilter { until: Some(until), ..AlertFilter::default() };
        let alerts = store.alerts(&filter).await.expect("alerts");
        assert_eq!(alerts.first().map(|alert| alert.state), state, "{until}");
    }
}

async fn notifications_come_in_pages(fixture: &dyn Fixture) {
    let store = fixture.empty().await;
    let made = |i: i64| Notification {
        receiver: ["ops", "chat"][i as usize % 2].to_owned(),
        outcome: [Outcome::Delivered, Outcome::Refused, Outcome::NotDue][i as usize % 3],
        at: 1_000 * (i / 4),
        reason: NotificationReason::ALL[i as usize % NotificationReason::ALL.len()],
        by: format!("by-{}", i % 3),
        kind: ["firing", "severity", "resolved"][i as usize / 3 % 3].to_owned(),
        slo: ["checkout", "search"][i as usize / 2 % 2].to_owned(),
        severity: ["page", "ticket"][i as usize / 5 % 2].to_owned(),
        latency_ms: (i % 2 == 0).then_some(i),
        repeated: i % 7 == 0,
        ..made::notification(&format!("alert-{}", i % 5), i as i32)
    };
    let all: Vec<Notification> = (0..40).map(made).collect();
    let positions = vec![made::moved(Topic::Notifications, None, 40, 1_000)];
    let batch = WriteBatch { notifications: all.clone(), positions, ..WriteBatch::default() };
    store.write(Arc::new(batch)).await.expect("written");
    let question = NotificationQuestion { limit: 7, ..NotificationQuestion::default() };
    let table = [
        question.clone(),
        NotificationQuestion { alert_id: Some("alert-2".into()), ..question.clone() },
        NotificationQuestion { receiver: Some("chat".into()), outcome: Some(Outcome::Refused), ..question.clone() },
        NotificationQuestion { reason: Some(NotificationReason::Muted), ..question.clone() },
        NotificationQuestion { slo: Some("search".into()), kind: Some("firing".into()), ..question.clone() },
        NotificationQuestion { severity: Some("page".into()), ..question.clone() },
        NotificationQuestion { from: Some(3_000), to: Some(6_000), ..question },
    ];
    for mut question in table {
        let mut expected: Vec<&Notification> = all
            .iter()
            .filter(|n| question.alert_id.as_ref().is_none_or(|id| *id == n.alert_id))
            .filter(|n| question.receiver.as_ref().is_none_or(|receiver| *receiver == n.receiver))
            .filter(|n| question.outcome.is_none_or(|outcome| outcome == n.outcome))
            .filter(|n| question.reason.is_none_or(|reason| reason == n.reason))
            .filter(|n| question.slo.as_ref().is_none_or(|slo| *slo == n.slo))
            .filter(|n| question.severity.as_ref().is_none_or(|severity| *severity == n.severity))
            .filter(|n| question.kind.as_ref().is_none_or(|kind| *kind == n.kind))
            .filter(|n| question.from.is_none_or(|from| n.at >= from) && question.to.is_none_or(|to| n.at < to))
            .collect();
        expected.sort_by_key(|n| (-n.at, n.alert_id.clone(), n.episode, n.seq, n.receiver.clone()));
        let mut found = Vec::new();
        loop {
            let page = store.notifications(&question).await.expect("a page");
            found.extend(page.notifications);
            let Some(next) = page.next else { break };
            question.after = Some(next.to_string().parse().expect("a cursor"));
        }
        assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{question:?}");
    }
}

/// Held back first, refused then, delivered at last, and reminded of: all in one transition at one receiver.
async fn every_outcome_of_a_notification_stays(fixture: &dyn Fixture) {
    let store = fixture.empty().await;
    let became = |at: i64, outcome: Outcome, reason: NotificationReason| Notification {
        outcome,
        at,
        reason,
        by: if reason == NotificationReason::None { String::new() } else { "s-1".to_owned() },
        ..made::notification("x", 2)
    };
    let told = [
        became(3_000, Outcome::HeldBack, NotificationReason::Inhibited),
        became(2_000, Outcome::HeldBack, NotificationReason::Silenced),
        became(4_000, Outcome::Refused, NotificationReason::None),
        became(4_000, Outcome::Delivered, NotificationReason::None),
        Notification { repeated: true, ..became(9_000, Outcome::Delivered, NotificationReason::None) },
    ];
    let all = NotificationQuestion { limit: 10, ..NotificationQuestion::default() };
    // In two batches, and the second once more, as of a topic that was made again with what is left of the first.
    for (batch, topic) in [(&told[..2], "first"), (&told[2..], "second"), (&told[2..], "third")] {
        store.claim_topic(Topic::Notifications, topic).await.expect("claimed");
        let positions = vec![made::moved(Topic::Notifications, None, batch.len() as i64, 1_000)];
        let batch = WriteBatch { notifications: batch.to_vec(), positions, ..WriteBatch::default() };
        store.write(Arc::new(batch)).await.expect("written");
    }
    let mut expected = told.to_vec();
    expected.sort_by_key(|n| (-n.at, n.outcome.name()));
    for limit in [1, 2, 10] {
        let (mut found, mut question) = (Vec::new(), NotificationQuestion { limit, ..all.clone() });
        loop {
            let page = store.notifications(&question).await.expect("a page");
            found.extend(page.notifications);
            let Some(next) = page.next else { break };
            question.after = Some(next);
        }
        assert_eq!(found, expected, "pages of {limit}");
    }
}
