//! The timeline has every event of its range, wherever that ends.

use std::collections::BTreeMap;

use slipstream_replay::Asked;
use slipstream_replay::outcome::{Counted, SloHistory, SloStep};
use slipstream_schemas::{EventTime, LogTime, RequestEvent};
use slipstream_store::alerts::AlertState;

use crate::world::{What, World, second};

const SECONDS: i64 = 40;
/// Between two events of a partition.
const APART: i64 = 250;

/// Events that are told when they happen, in two partitions that take turns.
async fn punctual() -> World {
    let mut world = World::empty(2).await;
    for number in 0..SECONDS * 1_000 / APART {
        let at = LogTime(second(0).0 + number * APART);
        let event = RequestEvent {
            event_id: number.to_string(),
            time: EventTime(at.0 * 1_000),
            service: ["cart", "pay"][(number / 2 % 2) as usize].to_owned(),
            environment: String::new(),
            endpoint: "/".to_owned(),
            method: "GET".to_owned(),
            status_code: if number % 9 == 0 { 500 } else { 200 },
            latency_ms: Some(50.0),
            weight: 1,
            trace_id: None,
            user_ref: None,
            attributes: [("region".to_owned(), "eu".to_owned())].into(),
        };
        world.publish(at, vec![(number, What::Event(event))]).await;
    }
    world
}

fn sum(slo: &SloHistory) -> Counted {
    slo.timeline.iter().fold(Counted::default(), |sum, step| Counted {
        good: sum.good + step.counted.good,
        total: sum.total + step.counted.total,
        unknown: sum.unknown + step.counted.unknown,
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sum_of_all_steps_is_the_range_wherever_it_ends() {
    let world = punctual().await;
    let ends = [0, 1, 250, 251, 999].map(|ms| Some(LogTime(second(30).0 + ms)));
    for to in ends.into_iter().chain([None]) {
        for step in [Some(1), Some(7), Some(30), None] {
            let outcome = world.replay(Asked { to, step, ..Asked::default() }).await;
            let end = to.unwrap_or(second(SECONDS));
            let events = world.events(second(0), end).count();
            let all = outcome.slos.iter().find(|slo| slo.status.name == "all").unwrap();
            assert_eq!(all.range.total, events as i64, "{to:?}");
            for slo in &outcome.slos {
                let of = (&slo.status.name, &slo.status.group, to, step);
                assert!(slo.range.total > 0, "{of:?}");
                assert_eq!(sum(slo), slo.range, "{of:?}");
                let step_ms = outcome.step_seconds * 1_000;
                let steps = (end.0 - second(0).0 + step_ms - 1) / step_ms;
                assert_eq!(slo.timeline.len() as i64, steps, "{of:?}");
                // The last tick says how the last step ended.
                let last = slo.timeline.last().unwrap();
                assert_eq!((last.sli, last.budget_remaining), (slo.status.sli, slo.status.budget_remaining), "{of:?}");
            }
        }
    }
}

/// Steps of a second are as fine as it gets.
#[tokio::test(flavor = "multi_thread")]
async fn an_alert_tells_its_extremes_second_by_second_whatever_the_steps() {
    let world = World::busy(2).await;
    let fine = world.replay(Asked { step: Some(1), ..Asked::default() }).await;
    let coarse = world.replay(Asked { step: Some(60), ..Asked::default() }).await;
    let mut compared = 0;
    for (alert, same) in fine.alerts.iter().zip(&coarse.alerts) {
        assert_eq!((&alert.highest_burn_rates, alert.lowest_budget), (&same.highest_burn_rates, same.lowest_budget));
        let (of, group) = (&alert.episode, Some(alert.episode.group.clone()).filter(|group| !group.is_empty()));
        let is_its = |slo: &&SloHistory| {
            (&slo.status.name, &slo.status.objective, &slo.status.group) == (&of.slo, &of.objective, &group)
        };
        let slo = fine.slos.iter().find(is_its).unwrap();
        let last = &alert.records[alert.records.len() - 1];
        let end = if AlertState::after(last.kind).is_open() { i64::MAX } else { last.tick };
        let tick = |step: &SloStep| step.at.parse::<jiff::Timestamp>().unwrap().as_second();
        let open = || slo.timeline.iter().filter(|step| (of.episode..end).contains(&tick(step)));
        let windows = alert.thresholds.iter().flat_map(|rule| [&rule.window, &rule.short_window]);
        let highest: BTreeMap<String, f64> = windows
            .map(|window| (window.clone(), open().map(|step| step.burn_rates[window]).fold(f64::MIN, f64::max)))
            .collect();
        assert_eq!(alert.highest_burn_rates, highest, "{}/{}", of.id, of.episode);
        let lowest = open().map(|step| step.budget_remaining).fold(f64::MAX, f64::min);
        assert_eq!(alert.lowest_budget, Some(lowest), "{}/{}", of.id, of.episode);
        compared += 1;
    }
    assert!(compared > 2, "{compared}");
}
