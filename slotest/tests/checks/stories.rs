//! Tests that pass, and what those say that do not.

use crate::files::{AVAILABILITY, failures, passes};

#[test]
fn an_outage_pages_after_52_seconds_of_even_traffic() {
    // SRE workbook, chapter 5: a full outage against 99.9 % over 30 d.
    let outcome = passes(
        AVAILABILITY,
        "
given:
  traffic:
    - 100/s for 4d12h
    - 100 % 503 from 4d to 4d10m
expect:
  - at: 4d
    sli: 1
    burn: {1h: 0, budget: 0}
    conditions: {1h/5m: false}
    budget_remaining: 100 %
  - {at: 4d51s, conditions: {1h/5m: false}, alert: none}
  - at: 4d52s
    conditions: {1h/5m: true, 6h/30m: false}
    alert: firing
    burn: {1h: 14.4 ± 0.1, 5m: above 14.4}
    bad: 5_200
    total: 34_565_200
  - at: 4d10m
    bad: 60000
    good: 34_560_000
    unknown: 0
    budget_total: 34_620
    budget_spent: 60000
    budget_remaining: below 0
    exhausted_in: none
alerts:
  - {at: 4d52s, is: firing, severity: page, rule: 1h/5m}
  - {at: 4d40m ± 1m, is: severity, severity: ticket}
  - {at: 4d6h10m ± 3m, is: resolved}
",
    );
    assert_eq!(outcome.events, 38_880_000);
}

#[test]
fn what_is_not_as_expected_is_said_with_what_there_was() {
    let body = "
given:
  traffic: 100/s for 1h10m; 1 % 500 on / GET from 1h
expect:
  - {at: 1h10m, sli: 0.9, bad: 700, total: 1, alert: none, conditions: {1h/5m: true}, burn: {1h: 3}}
alerts: none
";
    assert_eq!(
        failures(AVAILABILITY, body),
        [
            "alert at 1h6m41s: none that `alerts` does not name | firing ticket by 3d/6h at 1h6m41s",
            "sli at 1h10m: 0.9 | 99.857143 %",
            "bad at 1h10m: 700 | 600",
            "total at 1h10m: 1 | 420000",
            "alert at 1h10m: none | firing",
            "condition 1h/5m at 1h10m: holds | does not hold",
            "burn 1h at 1h10m: 3 | 1.666667",
        ]
    );
}

#[test]
fn late_lost_and_repeated_requests() {
    passes(
        AVAILABILITY,
        "
given:
  traffic:
    - 10/s for 20m
    - 50 % 500 late by 5m on status 200 from 10m to 11m
    - 10 % lost from 12m to 13m
    - silence from 13m to 14m
  events:
    - {at: 15m, status_code: 500, event_id: one, count: 3, every: 10s}
    - {at: 16m, status_code: 500, count: 4, spread: 1m, weight: 5}
expect:
  - {at: 11m, bad: 0, total: 6300}
  - {at: 13m, bad: 0, total: 7440}
  - {at: 14m, total: 7440}
  - {at: 15m30s, total: 8491, bad: 151}
  - {at: 20m, bad: 321, total: 11361}
",
    );
}

#[test]
fn a_share_is_apportioned_without_chance() {
    passes(
        AVAILABILITY,
        "
given:
  traffic:
    - 7/m for 1h
    - 30 % 500
    - 50 % 200 on 500 from 30m
expect:
  - {at: 8s, total: 0}
  - {at: 9s, total: 1, bad: 0}
  - {at: 30m, total: 210, bad: 63}
  - {at: 1h, total: 420, bad: 95}
",
    );
}

#[test]
fn a_month_of_quiet_traffic_is_played_in_lumps_and_changes_nothing() {
    let with = |warm: &str| {
        format!(
            "
given:
  traffic:
    - 10/s for {warm}
    - 20 % 500 from 29d to 29d5m
lasts: 29d1h
expect:
  - {{at: 29d, total: 25056000, good: 25056000}}
  - {{at: 29d1m, bad: 120, burn: {{1h: 3.333, 5m: 40}}}}
  - {{at: 29d1h, bad: 600, budget_remaining: 97.61 %}}
"
        )
    };
    let outcome = passes(AVAILABILITY, &with("29d1h"));
    assert_eq!(outcome.events, 25_092_000);
}

#[test]
fn groups_have_series_of_their_own() {
    let grouped = AVAILABILITY
        .replace("service == \\\"shop\\\"", "\\\"true\\\"")
        .replace("spec: {filter: service == \"shop\"}", "spec: {filter: service == \"shop\", groupBy: [endpoint]}");
    passes(
        &grouped,
        "
given:
  traffic:
    - 10/s /pay for 2h
    - 10/s /cart for 2h
    - 10 % 500 on /pay from 1h
expect:
  - {at: 2h, group: {endpoint: /cart}, bad: 0, alert: none}
  - {at: 2h, group: {endpoint: /pay}, bad: 3600, alert: firing}
alerts:
  - {at: 1h ± 5m, is: firing, severity: ticket, group: {endpoint: /pay}}
  - {at: 1h ± 5m, is: firing, severity: page, group: {endpoint: /pay}}
",
    );
    let body = "
given: {traffic: 10/s /pay for 1m}
expect: [{at: 1m, group: {endpoint: /cart}, bad: 0}]
";
    assert_eq!(failures(&grouped, body), ["group at 1m: a series {/cart} | {/pay}"]);
}

#[test]
fn each_alert_expected_needs_a_transition_of_its_own() {
    let body = "
given:
  traffic: [100/s for 2h, 100 % 503 from 1h to 1h5m]
lasts: 12h
alerts:
  - {at: 1h22s, is: firing, severity: page}
  - {at: 1h to 2h, is: firing, severity: page}
  - {at: 1h to 2h, is: firing}
";
    assert_eq!(
        failures(AVAILABILITY, body),
        [
            "alert at 1h34m50s: none that `alerts` does not name | severity ticket by 1d/2h at 1h34m50s",
            "alert at 7h5m: none that `alerts` does not name | resolved ticket by 1d/2h at 7h5m",
            "alert at 1h30m: firing page at 1h to 2h | none",
        ]
    );
}

#[test]
fn a_failure_shows_the_minute_around_it() {
    let body = "
given:
  traffic: [100/s for 2h, 100 % 503 from 1h to 1h5m]
expect: [{at: 1h10s, bad: 1}]
";
    let outcome = crate::files::play(AVAILABILITY, &crate::files::story(body));
    let [failure] = outcome.failures.as_slice() else { panic!("{outcome:#?}") };
    assert_eq!((failure.line, failure.column, failure.series.as_str()), (5, 31, "availability answered"));
    let around = failure.around.as_ref().unwrap();
    assert_eq!(around.row, 3);
    let cells = |row: usize| around.rows[row][..4].join(" ");
    assert_eq!([cells(2), cells(3), cells(4)], ["1h 1000 0 0", "1h10s 0 1000 0", "1h20s 0 1000 0"]);
    assert_eq!(around.head[4..6], ["burn 5m", "burn 30m"]);
}

#[test]
fn the_example_of_the_documentation_passes() {
    let source = include_str!("../../src/lib.rs");
    let example = source.split("```yaml\n").nth(1).and_then(|rest| rest.split("//! ```").next()).unwrap();
    let text: String =
        example.lines().map(|line| format!("{}\n", line.trim_start_matches("//!").get(1..).unwrap_or(""))).collect();
    let outcome = crate::files::play(AVAILABILITY, &text);
    assert!(outcome.failures.is_empty(), "{:#?}", outcome.failures);
}

#[test]
fn a_share_goes_where_on_says_if_nothing_else_does() {
    let body = "
given:
  traffic: 100/s for 1h; 20 % 500 on /pay from 10m to 25m; 10 % 404 on /pay from 10m to 25m
expect:
  - {at: 1h, total: 360000, bad: 16200}
";
    passes(AVAILABILITY, body);
}
