//! What is wrong with a test file is said as a compiler would: all at once, each at its place.

use crate::files::{AVAILABILITY, read, story};

/// Where and what: `line:column code: message (help)`.
fn found(test: &str) -> Vec<String> {
    let Err(diagnostics) = read(AVAILABILITY, test) else { panic!("it is valid: {test}") };
    let help = |help: &Option<String>| help.as_ref().map(|help| format!(" ({help})")).unwrap_or_default();
    diagnostics.iter().map(|d| format!("{}:{} {}: {}{}", d.line, d.column, d.code, d.message, help(&d.help))).collect()
}

#[test]
fn every_mistake_is_found_at_once_and_points_at_its_word() {
    let test = "\
tests:
  - name: five mistakes
    given:
      traffic:
        - 100/s for 2h
        - 20 % 700 on /pay from 10m to 25m
        - 20 % 500 form 10m
    expect:
      - at: soon
        slo: availabilty
        sli: much
      - at: 1h
        conditions: {1h/6m: true}
        burn: {7m: 1}
";
    assert_eq!(
        found(test),
        [
            "6:16 invalid-traffic: expected a status code from 100 to 599, found `700`",
            "7:20 invalid-traffic: `form` is not known here (did you mean `from`?)",
            "9:13 invalid-time: expected a time since the start such as 1h30m, or a moment such as \
             2026-01-05T10:00:00Z, found `soon`",
            "11:14 invalid-value: tests[0].expect[0].sli: expected a number such as 14.4, or a percentage such as \
             99.9 %, found `much`",
            "13:22 unknown-name: `answered` has no rule `1h/6m` (did you mean `1h/5m`?)",
            "14:20 unknown-window: no rule of `answered` looks at 7m (its windows are 5m, 30m, 1h, 2h, 6h, 1d, 3d, \
             30d, and budget)",
        ]
    );
}

#[test]
fn each_mistake_has_its_words() {
    let body = |given: &str, rest: &str| story(&format!("given: {given}\n{rest}"));
    let table: &[(String, &str)] = &[
        ("tests: []\nmore: 1\n".into(), "unknown-field: more is not known"),
        ("nothing: here\n".into(), "missing-field: tests is required"),
        ("- a\n".into(), "the test file: expected a map, found a list"),
        ("a: 1\n---\nb: 2\n".into(), "not-one-document"),
        ("tests: [{given: {}}]\n".into(), "name is required"),
        ("definitions: other.yaml\ntests: []\n".into(), "1:14 unreadable-definitions: other.yaml: no such file"),
        (story("given: {}"), "a test needs expectations"),
        (body("{}", "alerts: none"), "nothing says how long"),
        (body("{traffic: 1/s}", "alerts: none"), "nothing says how long"),
        (body("{traffic: 1/s for 500d}", "alerts: none"), "a test lasts at most 400d"),
        (body("{traffic: 1/s from 2h to 1h}", "alerts: none"), "ends at 1h, but begins at 2h"),
        (body("{traffic: 1/s GET /y for 1h; 5 % 500 on /x}", "alerts: none"), "no-such-requests"),
        (body("{traffic: 1/s for 1h}", "alerts: some"), "expected a list of transitions, or none"),
        (body("{traffic: 1/s for 1h}", "alerts: [{at: 1h, is: fired}]"), "found `fired`"),
        (body("{traffic: 1/s for 1h}", "alerts: [{at: 1h ± x, is: firing}]"), "expected a tolerance"),
        (body("{traffic: 1/s for 1h}", "alerts: [{at: 1h, is: firing, slo: a}]"), "there is availability"),
        (body("{traffic: 1/s for 1h}", "alerts: [{at: 1h, is: firing, rule: 1h}]"), "has no rule `1h`"),
        (body("{traffic: 1/s for 1h}", "lasts: 30m\nexpect: [{at: 1h, bad: 0}]"), "lasts 30m, but expects"),
        (body("{traffic: 1/s for 1h}", "expect: [{at: 1h}]"), "nothing is expected here"),
        (body("{traffic: 1/s for 1h}", "expect: [{at: 1h, budget_left: 3m}]"), "is counted in events"),
        (body("{traffic: 1/s for 1h}", "expect: [{at: 1h, good: none}]"), "expected a number, found `none`"),
        (body("{traffic: 1/s for 1h}", "expect: [{at: 1h, bad: 0, group: {a: b}}]"), "is not grouped by `a`"),
        (body("{traffic: 1/s for 1h}", "expect: [{at: 1h, bad: 0, objective: x}]"), "no objective is called `x`"),
        (body("{events: [{at: 1h, count: 0}]}", "alerts: none"), "expected a whole number from 1"),
        (body("{events: [{at: 1h, every: 1s, spread: 2s}]}", "alerts: none"), "found both"),
        (body("{events: [{at: 1h, status: 500}]}", "alerts: none"), "did you mean `status_code`?"),
        (body("{events: [{at: 1h, latency_ms: -1}]}", "alerts: none"), "milliseconds, or none"),
    ];
    for (test, message) in table {
        let found = found(test);
        assert!(found.iter().any(|line| line.contains(message)), "{test}\n{found:#?}");
    }
}

#[test]
fn errors_of_the_definitions_come_with_the_files_own() {
    let wrong = AVAILABILITY.replace("target: 0.999", "target: 99.9");
    let found = read(&wrong, "tests: [{name: a, given: {traffic: nonsense}, alerts: none}]").err().unwrap();
    let files: Vec<&str> = found.iter().map(|d| d.file.as_str()).collect();
    assert_eq!(files, ["slos.test.yaml", "slos.yaml"], "{found:#?}");
}

#[test]
fn a_sketch_in_a_block_or_in_quotes_keeps_its_places() {
    let test = "\
tests:
  - name: a
    given:
      traffic: |
        100/s for 1h

        20 % 999 for 1h
    alerts: none
  - name: b
    given: {traffic: '1/s for 1h; 5 % nothing'}
    alerts: none
";
    let places: Vec<String> = found(test).iter().map(|line| line.split(' ').next().unwrap().to_owned()).collect();
    assert_eq!(places, ["7:14", "10:39"]);
}
