//! Very many alerts at once.

use std::collections::BTreeMap;
use std::time::Instant;

use slipstream_definitions::matchers::Matchers;
use slipstream_schemas::records;
use slipstream_slo::alerts::Silence;

use super::*;

const ALERTS: usize = 10_000;

/// Silences that have to be asked, and match nothing.
fn silences(n: usize) -> Vec<Silence> {
    let of = |i: usize| {
        let matchers = match i % 4 {
            0 => format!("slo=other-{i}"),
            1 => format!("service=~\"other-{i}|more-{i}\""),
            2 => format!("endpoint=a{i}, severity=ticket"),
            _ => format!("severity=page, slo=~\"other-{i}.*\""),
        };
        let matchers = Matchers::parse(&matchers).unwrap().written();
        let (author, reason) = (String::new(), String::new());
        let id = format!("s{i}");
        Silence::new(records::Silence {
            id,
            matchers,
            from: 0,
            to: None,
            recurrence: None,
            author,
            reason,
            created_at: 0,
        })
    };
    (0..n).map(|i| of(i).unwrap()).collect()
}

/// All alerts fire in the same second, in so many groups. Returns what was sent, and what that took.
fn burst(groups: usize, silent: usize) -> (Vec<Arc<Delivery>>, Duration, Story) {
    let mut story = Story::new(|_| ());
    story.dispatcher.said(silences(silent).into_iter(), std::iter::empty());
    let begun = Instant::now();
    for i in 0..ALERTS {
        story.happens_late(0, &format!("a{i}"), &format!("slo-{}", i % groups), 100, 2, TransitionKind::Firing);
    }
    let mut sent = Vec::new();
    while story.dispatcher.pending() > 0 {
        for delivery in story.next() {
            story.answer(&delivery, &OK);
            sent.push(delivery);
        }
    }
    (sent, begun.elapsed(), story)
}

#[test]
fn ten_thousand_alerts_at_once_are_one_notification_a_group() {
    let mut took: BTreeMap<(usize, usize), Duration> = BTreeMap::new();
    for (groups, silent) in [(1, 0), (100, 0), (100, 1_000), (10_000, 0), (10_000, 1_000)] {
        let (sent, time, story) = burst(groups, silent);
        assert_eq!(sent.len(), groups);
        assert_eq!(sent.iter().map(|delivery| delivery.parts.len()).sum::<usize>(), ALERTS);
        assert_eq!(story.outcomes.iter().filter(|o| o.3 == Delivered).count(), ALERTS, "none is lost");
        took.insert((groups, silent), time);
    }
    for ((groups, silent), time) in took {
        println!("{ALERTS} alerts in {groups} groups, {silent} silences: decided and settled in {time:?}");
    }
}
