//! Lumps against the same traffic second by second: nothing that is looked at differs.

use proptest::prelude::*;

use crate::files::{AVAILABILITY, play, story};

/// What a test says where all expectations are wrong: every number that it saw.
fn all_numbers(traffic: &str, looks: &[String]) -> Vec<String> {
    let wrong = "sli: -1, good: -1, total: -1, budget_remaining: 77777 %, burn: {5m: -1, 30m: -1, 1h: -1, 2h: -1, \
                 6h: -1, 1d: -1, 3d: -1}";
    let entries: Vec<String> = looks.iter().map(|at| format!("{{at: {at}, {wrong}}}")).collect();
    let body = format!("given: {{traffic: [{traffic}]}}\nlasts: 8d\nexpect: [{}]", entries.join(", "));
    let outcome = play(AVAILABILITY, &story(&body));
    outcome.failures.iter().map(|f| format!("{} {} {}", f.at, f.what, f.got)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4, ..ProptestConfig::default() })]

    #[test]
    fn lumps_change_no_number(
        rate in 1u32..30,
        looks in prop::collection::btree_set(1i64..691_200, 1..4),
        outage in 1i64..600_000,
        change in 1i64..600_000,
    ) {
        let looks: Vec<String> = looks.iter().map(|at| format!("{at}s")).collect();
        let flows = format!("{rate}/m for 8d, 3/m /x from {change}s");
        let bad = format!("50 % 500 from {outage}s for 3m");
        let lumps = all_numbers(&format!("{flows}, {bad}"), &looks);
        // A request of another service counts for nothing, and its delay forbids lumps.
        let slow = all_numbers(&format!("{flows}, {bad}, 1/s service other, 1 % late by 1s on service other"), &looks);
        prop_assert_eq!(lumps, slow);
    }
}
