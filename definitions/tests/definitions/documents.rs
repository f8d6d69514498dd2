//! What valid documents mean.

use slipstream_definitions::definition::{Budgeting, Condition, GroupKey, Ratio, Rule, Side, Window};
use slipstream_definitions::diagnostic::Diagnostic;
use slipstream_definitions::document::SourceFile;
use slipstream_definitions::openslo::{Loaded, load};

/// An SLO that uses most of what there is.
pub const CHECKOUT: &str = r#"apiVersion: openslo/v1
kind: SLO
metadata:
  name: checkout-availability
  displayName: Checkout works
  labels:
    team: payments
    env: [prod, test]
spec:
  description: Payments succeed
  service: checkout
  indicator:
    metadata:
      name: success
    spec:
      ratioMetric:
        counter: true
        good:
          metricSource:
            type: slipstream
            spec:
              filter: status_code < 500
        total:
          metricSource:
            type: slipstream
            spec:
              filter: service == "checkout" && environment == "prod"
              groupBy: [endpoint, attributes.tier]
  timeWindow:
    - duration: 28d
      isRolling: true
  budgetingMethod: Occurrences
  objectives:
    - displayName: most
      target: 0.995
    - targetPercent: 99.95
"#;

/// The objects that an SLO may refer to.
pub const PARTS: &str = r#"apiVersion: openslo/v1
kind: SLI
metadata: {name: fast}
spec:
  ratioMetric:
    bad: {metricSource: {type: Slipstream, spec: {filter: "latency_ms > 300"}}}
    total: {metricSource: {metricSourceRef: events, spec: {}}}
---
apiVersion: openslo/v1
kind: DataSource
metadata: {name: events}
spec: {type: slipstream, connectionDetails: []}
---
apiVersion: openslo/v1
kind: AlertCondition
metadata:
  name: burns-fast
  labels: {team: payments}
  annotations:
    slipstream.dev/short-window: 30s
    runbook_url: https://runbooks.example/burn
spec:
  description: The budget burns fast
  severity: critical
  condition: {kind: burnrate, op: gt, threshold: 14.4, lookbackWindow: 5m, alertAfter: 2m}
---
apiVersion: openslo/v1
kind: AlertPolicy
metadata:
  name: page-somebody
  labels: {team: platform, channel: ops}
  annotations: {slipstream.dev/keep-firing-for: 90s, slipstream.dev/min-requests: 100}
spec:
  alertWhenBreaching: true
  conditions: [{conditionRef: burns-fast}]
  notificationTargets: [{targetRef: on-call}]
---
apiVersion: openslo/v1
kind: AlertNotificationTarget
metadata: {name: on-call}
spec: {target: pager}
---
apiVersion: openslo/v1
kind: Service
metadata: {name: checkout}
spec: {description: Takes the money}
"#;

/// An SLO made of references.
pub const BY_REFERENCE: &str = r#"apiVersion: openslo/v1
kind: SLO
metadata: {name: checkout-latency}
spec:
  service: checkout
  indicatorRef: fast
  budgetingMethod: Occurrences
  timeWindow: [{duration: 1w, isRolling: true}]
  objectives: [{target: 0.95}]
  alertPolicies: [{alertPolicyRef: page-somebody}]
"#;

pub fn load_texts(texts: &[&str]) -> Loaded {
    let source = |(at, text): (usize, &&str)| SourceFile { path: format!("{at}.yaml"), text: (*text).to_owned() };
    load(&texts.iter().enumerate().map(source).collect::<Vec<_>>())
}

/// Code, line, column and the text under the marker of each diagnostic.
pub fn summary(diagnostics: &[Diagnostic]) -> Vec<(&'static str, usize, usize, String)> {
    let marked = |d: &Diagnostic| d.snippet.text.chars().skip(d.column - 1).take(d.snippet.width).collect();
    diagnostics.iter().map(|d| (d.code, d.line, d.column, marked(d))).collect()
}

#[test]
fn an_slo_is_read_whole() {
    let loaded = load_texts(&[CHECKOUT]);
    assert_eq!(loaded.diagnostics, []);
    let slo = &loaded.slos[0];
    assert_eq!((slo.name.as_str(), slo.display_name.as_str()), ("checkout-availability", "Checkout works"));
    assert_eq!((slo.service.as_str(), slo.description.as_str()), ("checkout", "Payments succeed"));
    assert_eq!(slo.objectives[0].indicator.total, "service == \"checkout\" && environment == \"prod\"");
    assert_eq!(slo.objectives[0].indicator.side, Side::Good("status_code < 500".into()));
    assert_eq!(slo.group_by, [GroupKey::Endpoint, GroupKey::Attribute("tier".into())]);
    assert_eq!(slo.window.nominal_seconds(), 28 * 86_400);
    assert_eq!(slo.labels, [("team".into(), "payments".into()), ("env".into(), "prod,test".into())]);
    let targets: Vec<(&str, Ratio)> = slo.objectives.iter().map(|o| (o.name.as_str(), o.target)).collect();
    assert_eq!(targets, [("most", Ratio { num: 199, den: 200 }), ("1", Ratio { num: 1_999, den: 2_000 })]);
    let names: Vec<&str> = slo.objectives[0].rules.iter().map(|rule| rule.name.as_str()).collect();
    assert_eq!(names, ["1h/5m", "6h/30m", "1d/2h", "3d/6h"]);
}

#[test]
fn references_are_resolved_among_all_files() {
    let loaded = load_texts(&[BY_REFERENCE, PARTS]);
    assert_eq!(loaded.diagnostics, []);
    let slo = &loaded.slos[0];
    assert_eq!(slo.objectives[0].indicator.total, "true");
    assert_eq!(slo.objectives[0].indicator.side, Side::Bad("latency_ms > 300".into()));
    let [Rule { name, rule_set, condition, severity, wait, keep, labels, annotations }] =
        slo.objectives[0].rules.as_slice()
    else {
        panic!("one rule expected: {:?}", slo.objectives[0].rules)
    };
    assert_eq!((name.as_str(), rule_set.as_str(), *wait, *keep), ("page-somebody", "burn", 120, 90));
    assert_eq!(*condition, Condition::burn_rate(300, 30, Ratio { num: 72, den: 5 }, 100));
    assert_eq!((severity.name.as_str(), severity.rank), ("critical", 3));
    // The condition's wins over the policy's.
    assert_eq!(*labels, [("team".into(), "payments".into()), ("channel".into(), "ops".into())]);
    assert_eq!(
        *annotations,
        [
            ("runbook_url".into(), "https://runbooks.example/burn".into()),
            ("description".to_owned(), "The budget burns fast".to_owned())
        ]
    );
}

#[test]
fn the_short_window_is_by_default_a_twelfth_and_at_least_a_minute() {
    for (lookback, expected) in [("1h", 300), ("1d", 7_200), ("6m", 60), ("1m", 60)] {
        let parts = PARTS
            .replace("    slipstream.dev/short-window: 30s\n", "")
            .replace("lookbackWindow: 5m", &format!("lookbackWindow: {lookback}"));
        let loaded = load_texts(&[BY_REFERENCE, &parts]);
        let short = loaded.slos[0].objectives[0].rules[0].condition.short;
        assert_eq!(short, expected, "{lookback}");
    }
}

#[test]
fn alert_policies_may_be_names_references_objects_or_nothing() {
    let with = |policies: &str| {
        let text = BY_REFERENCE.replace("[{alertPolicyRef: page-somebody}]", policies);
        let loaded = load_texts(&[&text, PARTS]);
        assert!(loaded.is_valid(), "{policies}: {:?}", summary(&loaded.diagnostics));
        loaded.slos[0].objectives[0].rules.iter().map(|rule| rule.name.clone()).collect::<Vec<_>>()
    };
    assert_eq!(with("[page-somebody]"), ["page-somebody"]);
    assert_eq!(with("[{alertPolicyRef: page-somebody}]"), ["page-somebody"]);
    let inline = "[{kind: AlertPolicy, metadata: {name: mine}, spec: {conditions: [{conditionRef: burns-fast}], \
                  notificationTargets: [{targetRef: x}]}}]";
    assert_eq!(with(inline), ["mine"]);
    // No policy is named: the default ones.
    for nothing in ["", "null", "[]"] {
        assert_eq!(with(nothing), ["1h/5m", "6h/30m", "1d/2h"], "{nothing:?}");
    }
}

#[test]
fn json_lists_and_byte_order_marks_are_read_too() {
    let json = "{\n\t\"apiVersion\": \"openslo/v1\",\n\t\"kind\": \"Service\",\n\t\"metadata\": {\"name\": \"a\"},\n\t\"spec\": {\"description\": \"tab\\tand \\\"quote\\\" and \\/ and \\u00e9\"}\n}\n";
    let list = "- apiVersion: openslo/v1\n  kind: Service\n  metadata: {name: a}\n  spec: {}\n- apiVersion: openslo/v1\n  kind: Service\n  metadata: {name: b}\n  spec: {}\n";
    let marked = format!("\u{FEFF}{CHECKOUT}");
    for text in [json, list, marked.as_str()] {
        let loaded = load_texts(&[text]);
        assert_eq!(summary(&loaded.diagnostics), [], "{text}");
    }
}

#[test]
fn anchors_are_shared() {
    let text = CHECKOUT
        .replace("good:\n          metricSource:\n", "good:\n          metricSource: &source\n")
        .replace("        total:\n          metricSource:\n            type: slipstream\n            spec:\n              filter: service == \"checkout\" && environment == \"prod\"\n              groupBy: [endpoint, attributes.tier]\n", "        total:\n          metricSource: *source\n");
    let loaded = load_texts(&[&text]);
    assert!(loaded.diagnostics.iter().all(|diagnostic| diagnostic.code == "always-true"));
    assert_eq!(loaded.slos[0].objectives[0].indicator.total, "status_code < 500");
}

#[test]
fn where_authorities_disagree_what_either_accepts_is_taken_with_a_word() {
    for (from, to, code, marked) in [
        ("      target: 0.995", "      target: 0.995\n      op: gt", "no-meaning", "gt"),
        ("      target: 0.995", "      target: 0.995\n      value: 1", "no-meaning", "1"),
        ("      target: 0.995", "      target: 0.995\n      timeSliceWindow: 1m", "no-meaning", "1m"),
        ("  timeWindow:\n    - duration: 28d\n      isRolling: true\n", "", "assumed-window", ""),
        ("      isRolling: true\n", "", "assumed-window", ""),
        ("  service: checkout\n", "  service: checkout\n  owner: me\n", "unknown-field", "owner"),
        ("      target: 0.995", "      target: 0.9", "never-fires", "0.9"),
    ] {
        let text = CHECKOUT.replacen(from, to, 1);
        let loaded = load_texts(&[&text]);
        assert!(loaded.is_valid(), "{to}: {:?}", loaded.diagnostics);
        assert_eq!(loaded.slos.len(), 1);
        let found = summary(&loaded.diagnostics);
        assert!(found.iter().any(|f| f.0 == code && (marked.is_empty() || f.3 == marked)), "{to}: {found:?}");
    }
    let no_window = CHECKOUT.replace("  timeWindow:\n    - duration: 28d\n      isRolling: true\n", "");
    assert_eq!(load_texts(&[&no_window]).slos[0].window.nominal_seconds(), 30 * 86_400);
}

#[test]
fn a_service_that_is_not_described_is_warned_of_where_others_are() {
    let typo = BY_REFERENCE.replace("service: checkout", "service: chekout");
    let loaded = load_texts(&[&typo, PARTS]);
    assert!(loaded.is_valid());
    assert_eq!(summary(&loaded.diagnostics), [("unknown-service", 5, 12, "chekout".to_owned())]);
    assert_eq!(loaded.diagnostics[0].help.as_deref(), Some("did you mean `checkout`?"));
}

/// CHECKOUT with something else in the place of its method, window and objectives.
pub fn with(method: &str, window: &str, objectives: &str) -> String {
    let head = CHECKOUT.split("  timeWindow:").next().unwrap();
    format!("{head}  timeWindow: [{window}]\n  budgetingMethod: {method}\n  objectives: {objectives}\n")
}

/// A window that rolls.
pub const MONTH: &str = "{duration: 28d, isRolling: true}";

#[test]
fn time_is_sliced() {
    for (method, objective, expected) in [
        (
            "Timeslices",
            "{target: 0.99, timeSliceTarget: 0.95, timeSliceWindow: 1m}",
            Budgeting::Timeslices { seconds: 60, target: Ratio { num: 19, den: 20 } },
        ),
        // A number counts minutes; every request of a slice may have to be good.
        (
            "Timeslices",
            "{target: 0.99, timeSliceTarget: 1, timeSliceWindow: 5}",
            Budgeting::Timeslices { seconds: 300, target: Ratio { num: 1, den: 1 } },
        ),
        ("RatioTimeslices", "{target: 0.99, timeSliceWindow: 2h}", Budgeting::RatioTimeslices { seconds: 7_200 }),
        ("RatioTimeslices", "{target: 0.9999, timeSliceWindow: 1d}", Budgeting::RatioTimeslices { seconds: 86_400 }),
    ] {
        let loaded = load_texts(&[&with(method, MONTH, &format!("[{objective}]"))]);
        assert!(loaded.is_valid(), "{objective}: {:?}", loaded.diagnostics);
        let read = &loaded.slos[0].objectives[0];
        assert_eq!(read.budgeting, expected, "{objective}");
        // The slice in progress may turn good again: default rules wait for it.
        let wait = expected.slice().unwrap().min(300);
        assert!(!read.rules.is_empty() && read.rules.iter().all(|rule| rule.wait == wait), "{:?}", read.rules);
    }
}

#[test]
fn windows_roll_or_follow_a_calendar() {
    let day = 86_400;
    for (window, expected) in [
        ("{duration: 1M, isRolling: true}", Ok(30 * day)),
        ("{duration: 1Q, isRolling: true}", Ok(90 * day)),
        ("{duration: 12h, isRolling: true}", Ok(day / 2)),
        (
            "{duration: 1M, isRolling: false, calendar: {startTime: 2026-01-01 00:00:00, timeZone: Europe/Berlin}}",
            Err(("1M", "2026-01-01 00:00:00", "Europe/Berlin")),
        ),
        // Neither the quotes nor isRolling are needed.
        (
            "{duration: 1Y, calendar: {startTime: '2020-01-21 12:30:00', timeZone: UTC}}",
            Err(("1Y", "2020-01-21 12:30:00", "UTC")),
        ),
        (
            "{duration: 2Q, isRolling: false, calendar: {startTime: 2026-01-01 00:00:00, timeZone: Asia/Kolkata}}",
            Err(("2Q", "2026-01-01 00:00:00", "Asia/Kolkata")),
        ),
    ] {
        let loaded = load_texts(&[&with("Occurrences", window, "[{target: 0.999}]")]);
        assert!(loaded.is_valid(), "{window}: {:?}", loaded.diagnostics);
        match (&loaded.slos[0].window, expected) {
            (Window::Rolling(seconds), Ok(expected)) => assert_eq!(*seconds, expected, "{window}"),
            (Window::Calendar(calendar), Err(expected)) => {
                let found = (calendar.duration(), calendar.start_time());
                assert_eq!((found.0.as_str(), found.1.as_str(), calendar.zone()), expected, "{window}");
            }
            (found, _) => panic!("{window}: {found:?}"),
        }
    }
}

/// A threshold of two values.
const FAST: &str = r#"apiVersion: openslo/v1
kind: SLO
metadata: {name: checkout-fast}
spec:
  service: checkout
  indicator:
    metadata: {name: latency}
    spec:
      thresholdMetric:
        metricSource:
          type: slipstream
          spec: {metric: latency_ms, filter: service == "checkout", groupBy: [endpoint]}
  timeWindow: [{duration: 28d, isRolling: true}]
  budgetingMethod: Occurrences
  objectives:
    - {displayName: most, op: lte, value: 300, target: 0.95}
    - {displayName: nearly all, op: lt, value: 1500.5, target: 0.99}
"#;

#[test]
fn a_threshold_is_the_ratio_on_the_right_side_of_each_value() {
    let loaded = load_texts(&[FAST]);
    assert_eq!(summary(&loaded.diagnostics), []);
    let slo = &loaded.slos[0];
    assert_eq!((slo.group_by.as_slice(), slo.composite.is_some()), ([GroupKey::Endpoint].as_slice(), false));
    let sides: Vec<_> = slo.objectives.iter().map(|o| (o.indicator.total.as_str(), o.indicator.side.clone())).collect();
    let total = "service == \"checkout\"";
    assert_eq!(
        sides,
        [(total, Side::Good("latency_ms <= 300".into())), (total, Side::Good("latency_ms < 1500.5".into()))]
    );
    // It goes by reference too, and the metric is known.
    let sli = "---\napiVersion: openslo/v1\nkind: SLI\nmetadata: {name: speed}\nspec: {thresholdMetric: {metricSource: \
               {type: slipstream, spec: {filter: 'true'}}}}\n";
    let start = FAST.find("  indicator:").unwrap();
    let end = FAST.find("  timeWindow").unwrap();
    let text = format!("{}  indicatorRef: speed\n{}{sli}", &FAST[..start], &FAST[end..]);
    let loaded = load_texts(&[&text]);
    assert_eq!(summary(&loaded.diagnostics), []);
    assert_eq!(loaded.slos[0].objectives[1].indicator.side, Side::Good("latency_ms < 1500.5".into()));
}

/// Availability and latency together, by reference and in place.
const SHOP: &str = r#"apiVersion: openslo/v1
kind: SLO
metadata: {name: shop}
spec:
  service: shop
  timeWindow: [{duration: 28d, isRolling: true}]
  budgetingMethod: Occurrences
  objectives:
    - {displayName: works, target: 0.999, indicatorRef: fast, compositeWeight: 2}
    - displayName: quick
      target: 0.95
      op: lte
      value: 250
      indicator:
        metadata: {name: latency}
        spec: {thresholdMetric: {metricSource: {type: slipstream, spec: {}}}}
"#;

#[test]
fn objectives_with_indicators_of_their_own_are_one_composite() {
    let loaded = load_texts(&[SHOP, PARTS]);
    let found: Vec<_> = summary(&loaded.diagnostics).into_iter().filter(|found| !found.0.starts_with("un")).collect();
    assert_eq!(found, []);
    let slo = &loaded.slos[0];
    let composite = slo.composite.as_ref().unwrap();
    // (2 x 0.999 + 0.95) / 3
    assert_eq!(composite.target, Ratio { num: 737, den: 750 });
    assert_eq!(composite.rules.len(), 4);
    assert!(slo.objectives.iter().all(|objective| objective.rules.is_empty()));
    assert_eq!(slo.objectives[0].indicator.side, Side::Bad("latency_ms > 300".into()));
    assert_eq!(slo.objectives[1].indicator.side, Side::Good("latency_ms <= 250".into()));
    let weights: Vec<Ratio> = slo.objectives.iter().map(|objective| objective.weight).collect();
    assert_eq!(weights, [Ratio { num: 2, den: 1 }, Ratio { num: 1, den: 1 }]);
    // Policies guard the whole.
    let guarded = format!("{SHOP}  alertPolicies: [page-somebody]\n").replace("min-requests: 100", "min-requests: 0");
    let parts = PARTS.replace("min-requests: 100", "min-requests: 0");
    let loaded = load_texts(&[&guarded, &parts]);
    assert!(loaded.is_valid(), "{:?}", loaded.diagnostics);
    assert_eq!(loaded.slos[0].composite.as_ref().unwrap().rules[0].name, "page-somebody");
}

#[test]
fn weights_alone_make_a_composite_of_one_indicator() {
    let text = with("Occurrences", MONTH, "[{target: 0.99, compositeWeight: 1}, {target: 0.999}]");
    let loaded = load_texts(&[&text]);
    assert!(loaded.is_valid());
    assert_eq!(loaded.slos[0].composite.as_ref().unwrap().target, Ratio { num: 1_989, den: 2_000 });
    assert_eq!(loaded.slos[0].objectives[0].indicator, loaded.slos[0].objectives[1].indicator);
}
