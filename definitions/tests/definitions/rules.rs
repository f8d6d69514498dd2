//! Rules of ours: what they mean, and what is said of those that are wrong.

use slipstream_definitions::definition::{
    BUDGET_EXHAUSTED, BUDGET_REMAINING, BURN_RATE, Condition, Document, ERROR_RATIO, Indicator, LATENCY_QUANTILE,
    NO_TRAFFIC, NoData, OF_RULE, RATIO_BELOW, Ratio, Rule, Side,
};
use slipstream_definitions::openslo::parse_document;

use crate::documents::{CHECKOUT, load_texts};

/// A Rule with an indicator of its own.
const ERRORS: &str = r#"apiVersion: slipstream/v1
kind: Rule
metadata:
  name: HighErrorRate
  displayName: Many errors
  labels: {team: payments}
  annotations: {summary: "{{value}} of {{service}} fail"}
spec:
  service: checkout
  description: More than usual.
  runbook: https://wiki.test/errors
  indicator:
    metadata: {name: errors}
    spec:
      ratioMetric:
        counter: true
        bad: {metricSource: {type: slipstream, spec: {filter: status_code >= 500}}}
        total: {metricSource: {type: slipstream, spec: {filter: service == "checkout", groupBy: [endpoint]}}}
  conditions:
    - severity: warning
      errorRatio: {above: 5%, over: 5m}
      for: 5m
      keepFiringFor: 90s
      minRequests: 20
      minBad: 3
      noData: keep
    - name: quickly
      severity: critical
      errorRatio: {above: 0.1, over: 30s}
      labels: {team: on-call}
      annotations: {summary: "{{ $value }}!", action: "Look at {{group.endpoint}}."}
"#;

/// Rules of an SLO: every kind that belongs to one.
const OF_SLO: &str = r#"apiVersion: slipstream/v1
kind: Rule
metadata: {name: Budget}
spec:
  slo: checkout-availability
  objective: most
  conditions:
    - {name: low, severity: ticket, budgetRemaining: {below: 10%}}
    - {name: spent, severity: page, budgetRemaining: {below: 0%}}
    - {name: soon, severity: page, budgetExhausted: {within: 4h, over: 2h}}
    - {name: by-default, severity: page, budgetExhausted: {within: 1d}}
---
apiVersion: slipstream/v1
kind: Rule
metadata: {name: Breach}
spec:
  slo: checkout-availability
  conditions:
    - {severity: page, ratioBelow: {below: objective, over: 1h}, minRequests: 100}
---
apiVersion: slipstream/v1
kind: Rule
metadata: {name: Burns}
spec:
  slo: checkout-availability
  conditions:
    - {name: fast, severity: page, burnRate: {above: 14.4, over: 1h}}
    - {name: slow, severity: ticket, burnRate: {above: 1, over: 3d, shortWindow: 6h}}
    - {name: silent, severity: ticket, noTraffic: {over: 10m}}
"#;

const LATENCY: &str = r#"apiVersion: slipstream/v1
kind: Rule
metadata: {name: HighLatency}
spec:
  service: checkout
  indicator:
    metadata: {name: requests}
    spec: {thresholdMetric: {metricSource: {type: slipstream, spec: {filter: service == "checkout"}}}}
  conditions:
    - {name: p95, severity: warning, latencyQuantile: {quantile: p95, above: 1.5s, over: 5m}}
    - {name: p99, severity: critical, latencyQuantile: {quantile: p99.9, above: 1500ms, over: 5m}}
    - {name: silent, severity: critical, noTraffic: {over: 1m}}
"#;

fn ratio(num: u64, den: u64) -> Ratio {
    Ratio::new(num, den).unwrap()
}

fn named<'r>(rules: &'r [Rule], name: &str) -> &'r Rule {
    rules.iter().find(|rule| rule.name == name).unwrap_or_else(|| panic!("no rule {name}: {rules:?}"))
}

#[test]
fn a_rule_counts_for_itself() {
    let loaded = load_texts(&[ERRORS]);
    assert!(loaded.diagnostics.is_empty(), "{:?}", loaded.diagnostics);
    let slo = &loaded.slos[0];
    assert_eq!((slo.name.as_str(), slo.document, slo.service.as_str()), ("HighErrorRate", Document::Rule, "checkout"));
    let objective = &slo.objectives[0];
    assert_eq!(objective.name, OF_RULE);
    let bad = Side::Bad("status_code >= 500".to_owned());
    assert_eq!(objective.indicator, Indicator { total: r#"service == "checkout""#.to_owned(), side: bad });
    assert_eq!(slo.group_by.len(), 1);
    let (warning, critical) =
        (named(&objective.rules, "HighErrorRate/warning"), named(&objective.rules, "HighErrorRate/quickly"));
    assert_eq!((warning.rule_set.as_str(), critical.rule_set.as_str()), ("HighErrorRate", "HighErrorRate"));
    let guarded =
        Condition { least: 20, least_bad: 3, no_data: NoData::Keep, ..Condition::of(ERROR_RATIO, 300, ratio(5, 100)) };
    assert_eq!((&warning.condition, warning.wait, warning.keep), (&guarded, 300, 90));
    assert_eq!(critical.condition, Condition::of(ERROR_RATIO, 30, ratio(1, 10)));
    assert!((critical.severity.rank, warning.severity.rank) == (3, 1));
    assert_eq!(critical.labels, [("team".to_owned(), "on-call".to_owned())]);
    let annotations = |rule: &Rule| rule.annotations.clone();
    let text = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert!(annotations(warning).contains(&text("summary", "{{value}} of {{service}} fail")));
    assert!(annotations(critical).contains(&text("summary", "{{ $value }}!")));
    for rule in [warning, critical] {
        assert!(annotations(rule).contains(&text("runbook_url", "https://wiki.test/errors")), "{rule:?}");
        assert!(annotations(rule).contains(&text("description", "More than usual.")), "{rule:?}");
    }
}

#[test]
fn a_quantile_is_what_its_limit_lets_through() {
    let loaded = load_texts(&[LATENCY]);
    assert!(loaded.diagnostics.is_empty(), "{:?}", loaded.diagnostics);
    let objective = &loaded.slos[0].objectives[0];
    assert_eq!(objective.indicator.side, Side::Good("latency_ms <= 1500".to_owned()));
    let p95 = &named(&objective.rules, "HighLatency/p95").condition;
    let limit_ms = Some(ratio(1_500, 1));
    assert_eq!(*p95, Condition { limit_ms, ..Condition::of(LATENCY_QUANTILE, 300, ratio(95, 100)) });
    assert_eq!(named(&objective.rules, "HighLatency/p99").condition.threshold, ratio(999, 1_000));
    assert_eq!(named(&objective.rules, "HighLatency/silent").condition.kind, NO_TRAFFIC);
}

#[test]
fn a_rule_belongs_to_its_slo() {
    let loaded = load_texts(&[CHECKOUT, OF_SLO]);
    assert!(loaded.diagnostics.is_empty(), "{:?}", loaded.diagnostics);
    assert_eq!(loaded.slos.len(), 1, "they have no series of their own");
    let [most, other] = &loaded.slos[0].objectives[..] else { panic!("two objectives") };
    let burn = |rules: &[Rule]| rules.iter().filter(|rule| rule.rule_set == "burn").count();
    assert!(burn(&most.rules) > 0 && burn(&other.rules) > 0, "the default ones stay");
    assert!(other.rules.iter().all(|rule| rule.rule_set != "Budget"), "it names the other objective");
    let condition = |name: &str| named(&most.rules, name).condition.clone();
    assert_eq!(condition("Budget/low"), Condition::of(BUDGET_REMAINING, 0, ratio(1, 10)));
    assert_eq!(condition("Budget/spent").threshold, ratio(0, 1));
    assert_eq!(condition("Budget/soon"), Condition::of(BUDGET_EXHAUSTED, 7_200, ratio(14_400, 1)));
    assert_eq!(condition("Budget/by-default").long, 3_600);
    assert_eq!(condition("Burns/fast"), Condition::burn_rate(3_600, 300, ratio(144, 10), 0));
    assert_eq!((condition("Burns/slow").short, condition("Burns/slow").kind), (21_600, BURN_RATE));
    // Below the objective: each has its own.
    for objective in [most, other] {
        let breach = named(&objective.rules, "Breach").condition.clone();
        assert_eq!((breach.kind, breach.threshold, breach.least), (RATIO_BELOW, objective.target, 100));
    }
}

#[test]
fn the_documents_of_rules_give_equal_ones() {
    let loaded = load_texts(&[CHECKOUT, OF_SLO, ERRORS, LATENCY]);
    assert!(loaded.diagnostics.is_empty(), "{:?}", loaded.diagnostics);
    let kinds: Vec<&str> = loaded.documents.iter().map(|document| document.kind.as_str()).collect();
    assert_eq!(kinds, ["SLO", "Rule", "Rule"]);
    for (slo, document) in loaded.slos.iter().zip(&loaded.documents) {
        assert_eq!(parse_document(&document.text).as_ref(), Ok(slo), "{}", document.text);
    }
}

/// The codes of what is said of texts, with the words.
fn said(texts: &[&str]) -> Vec<(&'static str, String)> {
    let loaded = load_texts(texts);
    loaded.diagnostics.into_iter().map(|diagnostic| (diagnostic.code, diagnostic.message)).collect()
}

#[test]
fn each_mistake_of_a_rule_has_its_code() {
    for (of, from, to, code, word) in [
        (ERRORS, "kind: Rule", "kind: Rul", "invalid-value", "Rul"),
        (ERRORS, "slipstream/v1", "slipstream/v2", "invalid-api-version", "slipstream/v1"),
        (ERRORS, "slipstream/v1", "openslo/v1", "invalid-value", "not of OpenSLO"),
        (ERRORS, "name: HighErrorRate", "name: High Error", "invalid-name", "High Error"),
        (ERRORS, "name: HighErrorRate", "name: burn", "reserved-name", "burn"),
        (ERRORS, "  service: checkout\n", "  servce: checkout\n", "unknown-field", "servce"),
        (ERRORS, "above: 5%", "above: 5", "invalid-number", "below 1"),
        (ERRORS, "above: 5%", "above: 100%", "invalid-number", "below 1"),
        (ERRORS, "above: 5%", "above: some", "invalid-number", "some"),
        (ERRORS, "{above: 5%, over: 5m}", "{above: 5%}", "missing-field", "over"),
        (ERRORS, "{above: 5%, over: 5m}", "{above: 5%, over: 0s}", "invalid-duration", "above 0"),
        (ERRORS, "{above: 5%, over: 5m}", "{above: 5%, over: 91d}", "unsupported-window-length", "90d"),
        (ERRORS, "{above: 5%, over: 5m}", "{above: 5%, ofer: 5m}", "unknown-field", "ofer"),
        (ERRORS, "      for: 5m\n", "      for: 5 minutes\n", "invalid-duration", "5 minutes"),
        (ERRORS, "      for: 5m\n", "      for: 31d\n", "invalid-duration", "30d"),
        (ERRORS, "      errorRatio: {above: 5%, over: 5m}\n", "", "invalid-value", "expected one of"),
        (
            ERRORS,
            "      errorRatio: {above: 5%, over: 5m}\n",
            "      errorRatio: {above: 5%, over: 5m}\n      noTraffic: {over: 1m}\n",
            "invalid-value",
            "found 2",
        ),
        (ERRORS, "minRequests: 20", "minRequests: 1.5", "invalid-number", "whole"),
        (ERRORS, "noData: keep", "noData: maybe", "invalid-value", "maybe"),
        (
            ERRORS,
            "    - severity: warning\n",
            "    - name: quickly\n      severity: warning\n",
            "duplicate-name",
            "quickly",
        ),
        (ERRORS, "{{value}}", "{{vlaue}}", "unknown-template-name", "vlaue"),
        (ERRORS, "{{value}} of {{service}} fail", "{{value fails", "broken-template", "without"),
        (ERRORS, "{{service}}", "{{group.}}", "unknown-template-name", "group."),
        (ERRORS, "{{service}}", "{{group.region}}", "unknown-template-name", "not grouped by `region`"),
        (ERRORS, "{{service}}", "{{budget_left}}", "unknown-template-name", "only an SLO has a budget"),
        (ERRORS, "More than usual.", "More than {{usual}}.", "unknown-template-name", "usual"),
        (ERRORS, "name: quickly", "name: \"\"", "invalid-name", "conditions[1].name"),
        (ERRORS, "    - severity: warning\n", "    - severity: warn me\n", "missing-field", "no name"),
        (ERRORS, "errorRatio: {above: 0.1, over: 30s}", "budgetRemaining: {below: 10%}", "needs-slo", "budget"),
        (
            ERRORS,
            "errorRatio: {above: 0.1, over: 30s}",
            "ratioBelow: {below: objective, over: 1h}",
            "needs-slo",
            "objective",
        ),
        (
            ERRORS,
            "errorRatio: {above: 0.1, over: 30s}",
            "latencyQuantile: {quantile: p95, above: 1s, over: 5m}",
            "conflicting-fields",
            "same good requests",
        ),
        (LATENCY, "quantile: p95", "quantile: p100", "invalid-number", "p100"),
        (LATENCY, "above: 1.5s", "above: 1500", "invalid-duration", "1500"),
        (LATENCY, "above: 1.5s", "above: 2s", "conflicting-fields", "same good requests"),
        (
            LATENCY,
            "latencyQuantile: {quantile: p95, above: 1.5s, over: 5m}",
            "errorRatio: {above: 5%, over: 5m}",
            "conflicting-fields",
            "same",
        ),
        (LATENCY, "{over: 1m}}", "{over: 1m}, minRequests: 5}", "no-meaning", "minRequests"),
    ] {
        assert!(of.contains(from), "{from}");
        let found = said(&[&of.replacen(from, to, 1)]);
        assert!(found.iter().any(|(c, m)| *c == code && m.contains(word)), "{from} -> {to}: {found:?}");
    }
}

#[test]
fn a_rule_and_its_slo_fit() {
    let with = |from: &str, to: &str| {
        assert!(OF_SLO.contains(from), "{from}");
        said(&[CHECKOUT, &OF_SLO.replacen(from, to, 1)])
    };
    for (from, to, code, word) in [
        ("slo: checkout-availability", "slo: checkout-availabilty", "unknown-slo", "availabilty"),
        ("objective: most", "objective: least", "unknown-objective", "least"),
        (
            "  slo: checkout-availability\n  objective: most\n",
            "  conditions_: 1\n",
            "missing-field",
            "slo or indicator",
        ),
        ("name: Breach", "name: Burns", "duplicate-name", "Burns"),
        (
            "  slo: checkout-availability\n",
            "  slo: checkout-availability\n  service: x\n",
            "conflicting-fields",
            "service",
        ),
        (
            "noTraffic: {over: 10m}",
            "latencyQuantile: {quantile: p95, above: 1s, over: 5m}",
            "needs-indicator",
            "indicator of its own",
        ),
        ("budgetRemaining: {below: 10%}", "budgetRemaining: {below: 10%}, noData: alert", "no-meaning", "noData"),
        ("burnRate: {above: 14.4, over: 1h}", "burnRate: {above: 1e15, over: 1h}", "invalid-number", "15 digits"),
        ("burnRate: {above: 14.4, over: 1h}", "burnRate: {above: 200, over: 1h}", "never-fires", "Burns/fast"),
        ("over: 3d, shortWindow: 6h", "over: 60d, shortWindow: 6h", "window-beyond-period", "Burns/slow"),
        ("name: Breach", "name: checkout-availability", "duplicate-name", "an SLO is named"),
    ] {
        let found = with(from, to);
        assert!(found.iter().any(|(c, m)| *c == code && m.contains(word)), "{from} -> {to}: {found:?}");
    }
    assert_eq!(said(&[OF_SLO]).iter().map(|(code, _)| *code).collect::<Vec<_>>(), ["unknown-slo"; 3]);
    // An SLO and a Rule with series share their names.
    let named_so = ERRORS.replace("HighErrorRate", "checkout-availability");
    assert!(said(&[CHECKOUT, &named_so]).iter().any(|(code, _)| *code == "duplicate-name"));
}

#[test]
fn sliced_time_and_composites_say_what_they_do_not_count() {
    let sliced = CHECKOUT
        .replace("budgetingMethod: Occurrences", "budgetingMethod: Timeslices")
        .replace("target: 0.995\n", "target: 0.995\n      timeSliceTarget: 0.9\n      timeSliceWindow: 1m\n")
        .replace("targetPercent: 99.95", "targetPercent: 99.95\n      timeSliceTarget: 0.9\n      timeSliceWindow: 1m");
    let rule = |condition: &str| {
        format!(
            "apiVersion: slipstream/v1\nkind: Rule\nmetadata: {{name: Any}}\nspec:\n  slo: checkout-availability\n  conditions:\n    - {condition}\n"
        )
    };
    let codes = |condition: &str| {
        let found = said(&[&sliced, &rule(condition)]);
        found.into_iter().map(|(code, _)| code).filter(|code| code.starts_with("unsupported")).collect::<Vec<_>>()
    };
    assert_eq!(codes("{severity: page, noTraffic: {over: 1d}}"), [""; 0]);
    assert_eq!(codes("{severity: page, noTraffic: {over: 2d}}"), ["unsupported-guard"]);
    assert_eq!(codes("{severity: page, errorRatio: {above: 5%, over: 1h}, minBad: 3}"), ["unsupported-guard"]);
    assert_eq!(codes("{severity: page, errorRatio: {above: 5%, over: 1h}, noData: alert}"), ["unsupported-guard"]);
    assert_eq!(codes("{severity: page, errorRatio: {above: 5%, over: 1h}, minRequests: 3}"), [""; 0]);
}

/// The Rules of the example, with something that one of them holds back.
fn with(text: &str, after: &str, line: &str) -> String {
    text.replacen(after, &format!("{after}{line}"), 1)
}

fn held_back(rule: &Rule) -> Option<&str> {
    rule.annotations.iter().find(|(name, _)| name == "slipstream.dev/inhibits").map(|(_, text)| text.as_str())
}

#[test]
fn a_rule_says_what_it_holds_back_and_a_condition_says_it_for_itself() {
    let own = with(ERRORS, "  service: checkout\n", "  inhibits: {dependants: true}\n");
    let of_slo =
        with(OF_SLO, "budgetRemaining: {below: 0%}", ", inhibits: {severities: [ticket, page], dependants: true}");
    let loaded = load_texts(&[CHECKOUT, &of_slo, &own]);
    assert!(loaded.diagnostics.is_empty(), "{:?}", loaded.diagnostics);
    let rules = |name: &str| loaded.slos.iter().find(|slo| slo.name == name).unwrap().objectives[0].rules.clone();
    let (slo, own) = (rules("checkout-availability"), rules("HighErrorRate"));
    assert_eq!(held_back(named(&slo, "Budget/spent")), Some("severities=ticket,page; dependants"));
    assert_eq!(held_back(named(&slo, "Budget/low")), None);
    assert!(own.iter().all(|rule| held_back(rule) == Some("dependants")), "{own:?}");
    // It reads back as it was written.
    for (document, slo) in loaded.documents.iter().zip(&loaded.slos) {
        assert_eq!(&parse_document(&document.text).unwrap(), slo, "{document:?}");
    }
}

#[test]
fn what_cannot_be_held_back_is_named_by_line_and_column() {
    let own = |field: &str| with(ERRORS, "  service: checkout\n", &format!("  inhibits: {field}\n"));
    let of_slo = |field: &str| with(OF_SLO, "budgetRemaining: {below: 0%}", &format!(", inhibits: {field}"));
    let nameless = own("{dependants: true}").replace("  service: checkout\n", "");
    let cases = [
        (own("{}"), "missing-field", "spec.inhibits: nothing is held back", (10, 13)),
        (own("{severities: [ticket]}"), "needs-slo", "only an SLO has other alerts", (10, 14)),
        (own("{dependants: maybe}"), "wrong-type", "", (10, 26)),
        (own("{dependents: true}"), "unknown-field", "", (10, 14)),
        (nameless, "needs-service", "nothing depends on a Rule without a service", (9, 14)),
        (
            of_slo("{severities: ['a,b']}"),
            "invalid-value",
            "spec.conditions[1].inhibits.severities[0]: `a,b`: ",
            (9, 91),
        ),
    ];
    for (text, code, message, place) in cases {
        let loaded = load_texts(&[CHECKOUT, &text]);
        let found = loaded.diagnostics.iter().find(|d| d.is_error()).unwrap_or_else(|| panic!("{code}: {text}"));
        assert_eq!((found.code, found.line, found.column), (code, place.0, place.1), "{found:?}");
        assert!(found.message.contains(message), "{found:?}");
    }
    let loaded = load_texts(&[CHECKOUT, &of_slo("{severities: [tickt]}")]);
    let warned = &loaded.diagnostics[0];
    assert!(!warned.is_error() && warned.code == "unknown-severity", "{warned:?}");
    assert_eq!(warned.help.as_deref(), Some("did you mean `ticket`?"));
}

#[test]
fn an_alert_policy_says_it_by_an_annotation() {
    let policy = |annotation: &str| {
        let policies = "  alertPolicies:
    - kind: AlertPolicy
      metadata: {name: fast, annotations: {slipstream.dev/inhibits: ANNOTATION}}
      spec:
        conditions:
          - kind: AlertCondition
            metadata: {name: fast}
            spec:
              severity: page
              condition: {kind: burnrate, op: gt, threshold: 14.4, lookbackWindow: 1h, alertAfter: 2m}
        notificationTargets: [{targetRef: on-call}]
";
        format!("{CHECKOUT}{}", policies.replace("ANNOTATION", annotation))
    };
    let loaded = load_texts(&[&policy("'severities=ticket ;dependants'")]);
    let slo = loaded.slos.first().unwrap_or_else(|| panic!("{:?}", loaded.diagnostics));
    assert_eq!(held_back(&slo.objectives[0].rules[0]), Some("severities=ticket; dependants"));
    assert_eq!(&parse_document(&loaded.documents[0].text).unwrap(), slo);
    let loaded = load_texts(&[&policy("tickets")]);
    let wrong = &loaded.diagnostics[0];
    assert_eq!(wrong.code, "invalid-annotation");
    assert!(wrong.message.contains("`tickets`: expected `severities=ticket,info` or `dependants`"), "{wrong:?}");
}
