//! Whatever a test file holds: no panic, no hang.

use proptest::prelude::*;
use slipstream_schemas::fixtures::cases;
use slipstream_slotest::MAX_WORK;

use crate::files::{AVAILABILITY, read, story};

const WORDS: [&str; 44] = [
    "100/s",
    "1/m",
    "0/s",
    "999999999/s",
    "1e9/d",
    "20",
    "%",
    "100%",
    "0 %",
    "500",
    "200",
    "99",
    "on",
    "from",
    "to",
    "for",
    "by",
    "late",
    "lost",
    "silence",
    "/pay",
    "GET",
    "service",
    "shop",
    "latency",
    "none",
    "80ms",
    "1.5s",
    "attributes.a=b",
    "attributes.=",
    "10m",
    "1h",
    "0s",
    "400d",
    "99999999999d",
    "2026-01-05T01:00:00Z",
    ";",
    "\u{e9}",
    "1h30m",
    "status",
    "method",
    "endpoint",
    "environment",
    "9223372036854775807s",
];

fn sketch() -> impl Strategy<Value = String> {
    let line = prop::collection::vec(prop::sample::select(&WORDS[..]), 1..9).prop_map(|words| words.join(" "));
    prop::collection::vec(line, 1..5).prop_map(|lines| lines.join("; "))
}

const VALUES: [&str; 20] = [
    "1",
    "-1",
    "0.5",
    "99 %",
    "none",
    "1 ± 1",
    "1 +- 200 %",
    "above 1",
    "below -1",
    "1 to 2",
    "1h",
    "1h ± 10m",
    "true",
    "firing",
    "[]",
    "{}",
    "{1h: 1}",
    "{1h/5m: true}",
    "~",
    "\u{b1}",
];

const FIELDS: [&str; 24] = [
    "at",
    "slo",
    "objective",
    "group",
    "sli",
    "good",
    "bad",
    "total",
    "unknown",
    "too_late",
    "budget_total",
    "budget_spent",
    "budget_left",
    "budget_remaining",
    "exhausted_in",
    "burn",
    "conditions",
    "alert",
    "is",
    "rule",
    "severity",
    "count",
    "late",
    "spread",
];

fn entry() -> impl Strategy<Value = String> {
    let pair = (prop::sample::select(&FIELDS[..]), prop::sample::select(&VALUES[..]));
    prop::collection::vec(pair, 1..5)
        .prop_map(|pairs| pairs.iter().map(|(k, v)| format!("{k}: {v}")).collect::<Vec<_>>().join(", "))
}

/// Reads a file, and plays what can be played within little work.
fn survives(test: &str) {
    if let Ok(suite) = read(AVAILABILITY, test) {
        suite.tests.iter().for_each(|test| drop(test.run_within(20_000)));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(600), ..ProptestConfig::default() })]

    #[test]
    fn any_text(text in "\\PC{0,200}") {
        survives(&text);
    }

    #[test]
    fn any_sketch(sketch in sketch()) {
        survives(&story(&format!("given: {{traffic: '{sketch}'}}\nlasts: 1h\nalerts: none")));
        survives(&story(&format!("given: {{traffic: '100/s; {sketch}'}}\nlasts: 1h\nalerts: none")));
    }

    #[test]
    fn any_entry(expect in entry(), alert in entry(), event in entry()) {
        let given = format!("given: {{traffic: 1/s for 10m, events: [{{at: 1m, {event}}}]}}");
        survives(&story(&format!("{given}\nexpect: [{{at: 5m, {expect}}}]\nalerts: [{{at: 5m, {alert}}}]")));
        survives(&story(&format!("{given}\nexpect: [{{{expect}}}]\nalerts: [{{{alert}}}]")));
    }
}

#[test]
fn size_nesting_and_work_have_limits_with_errors_of_their_own() {
    let code = |test: &str| read(AVAILABILITY, test).err().map(|found| found[0].code).unwrap_or("none");
    assert_eq!(code(&format!("tests: {}{}", "[".repeat(200), "]".repeat(200))), "too-deep");
    assert_eq!(code(&format!("tests: # {}\n", "x".repeat(17 << 20))), "file-too-large");
    let many = |n: usize, item: &str| vec![item; n].join(",");
    let tests = (0..1_001).map(|i| format!("{{name: t{i}, given: {{traffic: 1/s for 1s}}, alerts: none}}"));
    assert_eq!(code(&format!("tests: [{}]", tests.collect::<Vec<_>>().join(","))), "too-many");
    let body = format!("given: {{traffic: [{}]}}\nalerts: none", many(1_001, "1/s for 1s"));
    assert_eq!(code(&story(&body)), "too-many");
    let body = format!("given: {{events: [{}]}}\nalerts: none", many(3, "{at: 1m, count: 50000}"));
    assert_eq!(code(&story(&body)), "too-many");
    let sketch = "1/s for 9s;".repeat(1_000);
    let tests = (0..21).map(|i| format!("{{name: t{i}, given: {{traffic: '{sketch}'}}, alerts: none}}"));
    let found = read(AVAILABILITY, &format!("tests: [{}]", tests.collect::<Vec<_>>().join(","))).err().unwrap();
    assert!(found.iter().any(|d| d.code == "too-many"), "{}", found.len());
    assert_eq!(code(&story(&format!("given: {{traffic: '{}'}}\nalerts: none", "x".repeat(20_000)))), "too-long");
    // Each line doubles the kinds of requests.
    let doubling: Vec<String> = (0..30).map(|i| format!("50 % attributes.a{i}=x")).collect();
    let body = format!("given: {{traffic: [100/s for 1h, {}]}}\nalerts: none", doubling.join(", "));
    assert_eq!(code(&story(&body)), "too-much-traffic");
}

#[test]
fn a_test_that_asks_for_too_much_work_is_stopped_and_says_so() {
    let body = "given: {traffic: [100/s for 400d, 1 % 500]}\nalerts: none";
    let suite = read(AVAILABILITY, &story(body)).unwrap_or_else(|found| panic!("{found:?}"));
    let outcome = suite.tests[0].run_within(MAX_WORK / 1_000);
    let [failure] = outcome.failures.as_slice() else { panic!("{outcome:?}") };
    assert!(failure.expected.contains("steps of work") && failure.got.contains("shorter"), "{failure:?}");
}
