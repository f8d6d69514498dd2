//! What whole installations rely on: the names of topics, and which second a moment belongs to.

use slipstream_schemas::time::slot;
use slipstream_schemas::topics::{TOPICS, Topic};
use slipstream_schemas::{EventTime, LogTime};

#[test]
fn topics_have_the_names_that_installations_know() {
    let names = [
        (Topic::RequestEvents, "request-events"),
        (Topic::SloDefinitions, "slo-definitions"),
        (Topic::SliTallies, "sli-tallies"),
        (Topic::BurnSnapshots, "burn-snapshots"),
        (Topic::BurnRates, "burn-rates"),
        (Topic::Alerts, "alerts"),
        (Topic::Notifications, "notifications"),
        (Topic::ImportPositions, "import-positions"),
        (Topic::DeadLetters, "dead-letters"),
        (Topic::Markers, "markers"),
        (Topic::Tokens, "tokens"),
        (Topic::Silences, "silences"),
    ];
    assert_eq!(names.len(), TOPICS.len());
    for (topic, name) in names {
        assert_eq!((topic.name(), topic.to_string().as_str(), Topic::from_name(name)), (name, name, Some(topic)));
    }
    assert_eq!(Topic::from_name("requests"), None);
}

#[test]
fn a_moment_belongs_to_the_second_that_it_lies_in() {
    for (micros, millis) in [(0, 0), (999, 0), (1_000, 1), (-1, -1), (-1_000, -1), (-1_001, -2)] {
        assert_eq!(EventTime(micros).millis(), millis, "{micros}");
    }
    for (millis, tick) in [(0, 0), (999, 0), (1_000, 1), (-1, -1)] {
        assert_eq!(LogTime(millis).tick(), tick, "{millis}");
    }
    // The earlier of both clocks counts.
    for (event, log, expected) in [
        (5_000_000, 9_000, 5),
        (9_000_000, 5_000, 5),
        (5_999_999, 6_000, 5),
        (6_000_000, 5_999, 5),
        (0, 0, 0),
        (-1, 0, -1),
    ] {
        assert_eq!(slot(EventTime(event), LogTime(log)), expected, "{event} and {log}");
    }
}
