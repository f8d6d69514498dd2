//! Lumps against the same traffic second by second: nothing that is looked at differs.

use proptest::prelude::*;
use slipstream_schemas::fixtures::cases;

use crate::files::{AVAILABILITY, play, story};

/// The same SLO over time slices of both kinds, and over a calendar's periods.
fn definitions() -> String {
    let calendar = "timeWindow: [{duration: 3d, isRolling: false, calendar: {startTime: \"2026-01-01 05:43:00\", \
                    timeZone: Asia/Kathmandu}}]";
    let rolling = "timeWindow: [{duration: 30d, isRolling: true}]";
    let method = "budgetingMethod: Occurrences";
    let target = "target: 0.999}";
    [
        AVAILABILITY.to_owned(),
        AVAILABILITY.replace("name: availability", "name: days").replace(rolling, calendar),
        AVAILABILITY
            .replace("name: availability", "name: slices")
            .replace(method, "budgetingMethod: Timeslices")
            .replace(target, "target: 0.999, timeSliceTarget: 0.9, timeSliceWindow: 5m}"),
        AVAILABILITY
            .replace("name: availability", "name: ratios")
            .replace(rolling, calendar)
            .replace(method, "budgetingMethod: RatioTimeslices")
            .replace(target, "target: 0.999, timeSliceWindow: 1m}"),
    ]
    .join("---")
}

/// What a test says where all expectations are wrong: every number that it saw.
fn all_numbers(traffic: &str, looks: &[String]) -> Vec<String> {
    let wrong = "sli: -1, good: -1, total: -1, budget_remaining: 77777 %, burn: {5m: -1, 30m: -1, 1h: -1, 2h: -1, \
                 6h: -1, 1d: -1}";
    let slos = ["availability", "days", "slices", "ratios"];
    let entry = |at: &String| slos.map(|slo| format!("{{at: {at}, slo: {slo}, {wrong}}}"));
    let entries: Vec<String> = looks.iter().flat_map(entry).collect();
    let body = format!("given: {{traffic: [{traffic}]}}\nlasts: 5d\nexpect: [{}]\nalerts: none", entries.join(", "));
    let outcome = play(&definitions(), &story(&body));
    assert!(outcome.failures.len() >= entries.len() * 10, "{:?}", outcome.failures);
    outcome.failures.iter().map(|f| format!("{} {} {} {}", f.at, f.series, f.what, f.got)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(4), ..ProptestConfig::default() })]

    #[test]
    fn lumps_change_no_number(
        rate in 1u32..30,
        looks in prop::collection::btree_set(1i64..432_000, 1..4),
        outage in 1i64..400_000,
        change in 1i64..400_000,
    ) {
        let looks: Vec<String> = looks.iter().map(|at| format!("{at}s")).collect();
        let flows = format!("{rate}/m for 5d, 3/m /x from {change}s");
        let bad = format!("50 % 500 from {outage}s for 3m");
        let lumps = all_numbers(&format!("{flows}, {bad}"), &looks);
        // A request of another service counts for nothing, and its delay forbids lumps.
        let slow = all_numbers(&format!("{flows}, {bad}, 1/h service other, 1 % late by 1s on service other"), &looks);
        prop_assert_eq!(lumps, slow);
    }
}
