//! Who is told of what in a world, and when not: routes, inhibition and mute times by chance.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use slipstream_definitions::matchers::Matchers;
use slipstream_definitions::time_interval::TimeInterval;
use slipstream_runtime::config::{Inhibition, Route, Routing};

use crate::dice::Dice;
use crate::process::receiver_name;

/// Intervals in which a route is mute, by name: milliseconds after the start of a world, which is at 22:13:20, from and to.
pub const MUTE: [(&str, i64, i64); 2] = [("early", -20_000, 40_000), ("late", 40_000, 100_000)];
/// The interval in which alone a route is active: it goes on beyond the end of any world.
pub const ACTIVE: (&str, i64) = ("then", 40_000);

/// When nothing is mute any more, milliseconds after the start of a world.
pub const LOUD_FROM: i64 = 100_000;

/// The routing of a world with so many receivers; of one in three everybody gets everything.
pub fn routing(dice: &Dice, receivers: usize) -> Routing {
    let root = (!dice.in_thousand(300)).then(|| Route {
        receiver: Some(receiver_name(0)),
        repeat_interval: dice.pick(&[None, Some(Duration::ZERO), Some(Duration::from_secs(5))]),
        ..route(dice, receivers, 0)
    });
    Routing {
        root,
        inhibitions: (0..dice.pick(&[0, 1, 1, 2])).map(|_| inhibition(dice)).collect(),
        dependencies: dependencies(),
        intervals: intervals(),
        watchdog: None,
    }
}

/// `cart` calls `shop`, `stock` calls `cart`.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let calls = |service: &str, of: &str| (service.to_owned(), BTreeSet::from([of.to_owned()]));
    [calls("cart", "shop"), calls("stock", "cart")].into()
}

fn intervals() -> BTreeMap<String, Vec<TimeInterval>> {
    let of = |(name, from, to): (&str, &str, &str)| {
        let mut interval = TimeInterval::default();
        interval.time(from, to).unwrap_or_else(|error| panic!("{name}: {error}"));
        (name.to_owned(), vec![interval])
    };
    [("early", "22:13", "22:14"), ("late", "22:14", "22:15"), ("then", "22:14", "24:00")].map(of).into()
}

fn route(dice: &Dice, receivers: usize, depth: usize) -> Route {
    let below = if depth < 2 { dice.pick(&[0, 1, 2, 3]) >> depth } else { 0 };
    let matchers =
        ["slo=\"a\"", "severity=\"page\"", "severity=~\"ticket|urgent\"", "service!=\"shop\"", "slo=~\"a|d\""];
    Route {
        receiver: dice.in_thousand(700).then(|| receiver_name(dice.below(receivers))),
        matchers: if depth == 0 { Matchers::default() } else { parsed(dice.pick(&matchers)) },
        goes_on: dice.in_thousand(400),
        group_by: dice.pick(&[None, Some(vec!["slo".to_owned()]), Some(vec!["...".to_owned()]), Some(Vec::new())]),
        group_wait: dice.pick(&[None, None, Some(Duration::from_millis(1_500))]),
        group_interval: dice.pick(&[None, Some(Duration::from_millis(20)), Some(Duration::from_secs(2))]),
        repeat_interval: None,
        mute: dice.pick(&[None, None, None, Some("early"), Some("late")]).into_iter().map(str::to_owned).collect(),
        active: dice.pick(&[None, None, None, None, Some(ACTIVE.0)]).into_iter().map(str::to_owned).collect(),
        routes: (0..below).map(|_| route(dice, receivers, depth + 1)).collect(),
    }
}

fn inhibition(dice: &Dice) -> Inhibition {
    let equal = |labels: &[&str]| labels.iter().map(|label| (*label).to_owned()).collect();
    match dice.below(3) {
        0 => Inhibition {
            source: parsed("severity=~\"page|urgent\""),
            target: parsed("severity=\"ticket\""),
            equal: dice.pick(&[equal(&["slo"]), equal(&["slo", "objective"]), equal(&[])]),
            ..Inhibition::default()
        },
        // Sources that are targets, too.
        1 => Inhibition {
            source: parsed("slo=\"a\""),
            target: parsed("slo=~\"a|b\""),
            equal: dice.pick(&[equal(&[]), equal(&["severity"])]),
            ..Inhibition::default()
        },
        _ => Inhibition { source: parsed("service=~\"shop|cart\""), dependants: true, ..Inhibition::default() },
    }
}

fn parsed(text: &str) -> Matchers {
    Matchers::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}
