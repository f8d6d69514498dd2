//! What is said of documents that are wrong: every error, at its place, in words that help.

use slipstream_definitions::diagnostic::{Severity, Tier, render};

use crate::documents::{BY_REFERENCE, CHECKOUT, MONTH, PARTS, load_texts, summary, with};

#[test]
fn each_mistake_has_its_code_and_its_place() {
    for (from, to, code, marked) in [
        // Header.
        ("openslo/v1", "openslo/v2alpha", "unsupported-api-version", "openslo/v2alpha"),
        ("openslo/v1", "v1", "invalid-api-version", "v1"),
        ("kind: SLO", "kind: Slo", "invalid-value", "Slo"),
        ("kind: SLO\n", "", "missing-field", "apiVersion"),
        // Metadata.
        ("name: checkout-availability", "name: Checkout_Availability", "invalid-name", "Checkout_Availability"),
        ("name: checkout-availability", "name: checkout.availability", "unsupported-name", "checkout.availability"),
        ("name: checkout-availability", "name: 7", "wrong-type", "7"),
        ("team: payments", "team: {a: b}", "wrong-type", "{"),
        (
            "  labels:\n",
            "  annotations: {slipstream.dev/shrt-window: 30s}\n  labels:\n",
            "unknown-annotation",
            "slipstream.dev/shrt-window",
        ),
        // Spec.
        ("  service: checkout\n", "", "missing-field", "description"),
        ("  service: checkout\n", "  service:\n", "missing-field", "service"),
        ("budgetingMethod: Occurrences", "budgetingMethod: Occurences", "invalid-value", "Occurences"),
        ("budgetingMethod: Occurrences", "budgetingMethod: Timeslices", "missing-field", "displayName"),
        ("objectives:\n    - displayName", "objectivs:\n    - displayName", "unknown-field", "objectivs"),
        ("    - duration: 28d", "    - duration: 28 days", "invalid-duration", "28 days"),
        ("    - duration: 28d", "    - duration: 30s", "invalid-duration", "30s"),
        ("    - duration: 28d", "    - duration: 1Y", "unsupported-window-length", "1Y"),
        ("    - duration: 28d", "    - duration: 0d", "invalid-duration", "0d"),
        ("isRolling: true", "isRolling: false", "missing-field", "duration"),
        ("isRolling: true", "isRolling: yes", "wrong-type", "yes"),
        (
            "isRolling: true",
            "isRolling: false\n      calendar: {startTime: 2026-02-30 00:00:00, timeZone: Europe/Paris}",
            "invalid-start-time",
            "2026-02-30 00:00:00",
        ),
        (
            "isRolling: true",
            "isRolling: false\n      calendar: {startTime: 2026-01-01T00:00:00Z, timeZone: Europe/Paris}",
            "invalid-start-time",
            "2026-01-01T00:00:00Z",
        ),
        (
            "isRolling: true",
            "isRolling: false\n      calendar: {startTime: 2026-01-01 00:00:00, timeZone: Europe/Pariss}",
            "invalid-time-zone",
            "Europe/Pariss",
        ),
        ("isRolling: true", "isRolling: false\n      calendar: {timeZone: UTC}", "missing-field", "{"),
        ("  timeWindow:\n    - duration: 28d\n", "  timeWindow:\n      duration: 28d\n", "wrong-type", "duration"),
        // Objectives.
        ("target: 0.995", "target: 99.5", "invalid-target", "99.5"),
        ("target: 0.995", "target: 1", "invalid-target", "1"),
        ("target: 0.995", "target: 0", "unsupported-target", "0"),
        ("target: 0.995", "target: -0.5", "invalid-number", "-0.5"),
        ("target: 0.995", "target: \"0.995\"", "wrong-type", "\"0.995\""),
        ("target: 0.995", "target: 99.5%", "invalid-number", "99.5%"),
        ("target: 0.995", "target: 0.9999999999999999", "invalid-number", "0.9999999999999999"),
        ("target: 0.995", "target: 0.995\n      targetPercent: 99", "conflicting-fields", "99"),
        ("      target: 0.995\n", "", "missing-field", "displayName"),
        ("target: 0.995", "target: 0.995\n      op: greater", "invalid-value", "greater"),
        ("target: 0.995", "target: 0.995\n      compositeWeight: 0", "invalid-weight", "0"),
        ("target: 0.995", "target: 0.995\n      compositeWeight: 0.0000001", "unsupported-weight", "0.0000001"),
        ("- targetPercent: 99.95", "- displayName: most\n      target: 0.9", "duplicate-name", "0.9"),
        ("displayName: most\n", "displayName: \"1\"\n", "duplicate-name", "99.95"),
        // Indicator.
        ("  indicator:\n", "  indicatorRef: x\n  indicator:\n", "conflicting-fields", "indicator"),
        (
            "      ratioMetric:\n",
            "      thresholdMetric: {metricSource: {spec: {}}}\n      ratioMetric:\n",
            "conflicting-fields",
            "ratioMetric",
        ),
        (
            "        good:\n",
            "        raw: {metricSource: {spec: {}}}\n        rawType: success\n        good:\n",
            "unsupported-raw-ratio",
            "raw",
        ),
        ("        good:\n", "        bod:\n", "missing-field", "counter"),
        ("            type: slipstream\n", "            type: Prometheus\n", "unsupported-metric-source", "Prometheus"),
        (
            "            type: slipstream\n",
            "            metricSourceRef: thanos\n",
            "unsupported-metric-source",
            "thanos",
        ),
        ("filter: status_code", "fliter: status_code", "unknown-field", "fliter"),
        ("filter: status_code < 500", "filter: status_code < \"500\"", "filter-type", "status_code < \"500\""),
        ("filter: status_code < 500", "filter: status < 500", "filter-unknown-name", "status"),
        ("filter: status_code < 500", "filter: 'status < 500'", "filter-unknown-name", "status"),
        (
            "filter: status_code < 500",
            "filter: |\n                method == \"GET\"\n                && status < 500",
            "filter-unknown-name",
            "status",
        ),
        (
            "filter: status_code < 500",
            "filter: \"method == \\\"GET\\\" && status < 500\"",
            "filter-unknown-name",
            "\"method == \\\"GET\\\" && status < 500\"",
        ),
        (
            "filter: status_code < 500",
            "filter: status_code < 500\n              groupBy: [method]",
            "misplaced-group-by",
            "groupBy",
        ),
        ("groupBy: [endpoint, attributes.tier]", "groupBy: [endpoint, tier]", "invalid-group-by", "tier"),
        ("groupBy: [endpoint, attributes.tier]", "groupBy: [endpoint, latency_ms]", "invalid-group-by", "latency_ms"),
        (
            "groupBy: [endpoint, attributes.tier]",
            "groupBy: [endpoint, attributes.endpoint]",
            "invalid-group-by",
            "attributes.endpoint",
        ),
        ("groupBy: [endpoint, attributes.tier]", "groupBy: endpoint", "wrong-type", "endpoint"),
        // References.
        ("  objectives:\n", "  alertPolicies: [nobody]\n  objectives:\n", "unsupported-external-reference", "nobody"),
        // YAML.
        ("  service: checkout\n", "  service: checkout\n  service: cart\n", "duplicate-key", "service"),
        ("  service: checkout\n", "  <<: {service: checkout}\n", "unsupported-yaml-merge", "<<"),
        ("  service: checkout\n", "  service: a: b\n", "yaml-syntax", ""),
        ("  service: checkout\n", "\tservice: checkout\n", "yaml-syntax", ""),
        ("  service: checkout\n", "  service: !name checkout\n", "unsupported-yaml-tag", "!name"),
        ("  service: checkout\n", "  service: ! checkout\n", "unsupported-yaml-tag", "!"),
        ("target: 0.995", "target: !str 0.995", "unsupported-yaml-tag", "!str"),
        ("target: 0.995", "target: !!timestamp 0.995", "unsupported-yaml-tag", "!!timestamp"),
        ("env: [prod, test]", "env: !list [prod, test]", "unsupported-yaml-tag", "!list"),
        ("env: [prod, test]", "env: [prod, !name test]", "unsupported-yaml-tag", "!name"),
        ("env: [prod, test]", "!key env: [prod, test]", "unsupported-yaml-tag", "!key"),
        (
            "filter: status_code < 500",
            "filter: !has(attributes.a) || status_code < 500",
            "unsupported-yaml-tag",
            "!has(attributes.a)",
        ),
        (
            "filter: status_code < 500",
            "filter: !has(attributes.a) && !has(attributes.b)",
            "unsupported-yaml-tag",
            "!has(attributes.a)",
        ),
        (
            "filter: status_code < 500",
            "filter: !endpoint.startsWith(\"/x\")",
            "unsupported-yaml-tag",
            "!endpoint.startsWith(\"/x\")",
        ),
        (
            "filter: status_code < 500",
            "filter:\n                !has(attributes.a)",
            "unsupported-yaml-tag",
            "!has(attributes.a)",
        ),
        ("filter: status_code < 500", "filter: 'it's'", "yaml-syntax", "s"),
        ("filter: status_code < 500", "filter: 'GET' == method", "yaml-syntax", "="),
    ] {
        assert!(CHECKOUT.contains(from), "{from}");
        let text = CHECKOUT.replacen(from, to, 1);
        let loaded = load_texts(&[&text]);
        assert!(!loaded.is_valid() && loaded.slos.is_empty(), "{to} is taken");
        let found = summary(&loaded.diagnostics);
        assert!(
            found.iter().any(|f| f.0 == code && (marked.is_empty() || f.3.starts_with(marked))),
            "{to}: expected {code} at {marked:?}, found {found:?}"
        );
    }
}

#[test]
fn mistakes_in_alerts_have_their_code_and_place() {
    for (from, to, code, marked) in [
        ("severity: critical", "sev: critical", "missing-field", "description"),
        ("op: gt", "op: lte", "unsupported-alert-op", "lte"),
        ("op: gt", "op: above", "invalid-value", "above"),
        ("kind: burnrate", "kind: burnRate", "invalid-value", "burnRate"),
        ("threshold: 14.4", "threshold: -1", "invalid-number", "-1"),
        ("lookbackWindow: 5m", "lookbackWindow: 30s", "invalid-duration", "30s"),
        ("lookbackWindow: 5m, ", "", "missing-field", "{"),
        ("short-window: 30s", "short-window: 10m", "invalid-annotation", "10m"),
        ("short-window: 30s", "short-window: soon", "invalid-annotation", "soon"),
        ("short-window: 30s", "short-windw: 30s", "unknown-annotation", "slipstream.dev/short-windw"),
        ("min-requests: 100", "min-requests: some", "invalid-annotation", "some"),
        ("alertWhenBreaching: true", "alertWhenNoData: true", "unsupported-no-data-alert", "true"),
        ("alertWhenBreaching: true", "alertWhenBreaching: false", "unsupported-silent-policy", "false"),
        ("  notificationTargets: [{targetRef: on-call}]\n", "", "missing-field", "alertWhenBreaching"),
        (
            "[{conditionRef: burns-fast}]",
            "[{conditionRef: burns-slow}]",
            "unsupported-external-reference",
            "burns-slow",
        ),
        ("[{conditionRef: burns-fast}]", "[]", "invalid-value", "conditions"),
        ("metadata: {name: fast}", "metadata: {name: slow}", "unsupported-external-reference", "fast"),
        ("type: Slipstream", "type: Datadog", "unsupported-metric-source", "Datadog"),
        ("spec: {target: pager}", "spec: {}", "missing-field", "{"),
        ("connectionDetails: []", "connectionDetails: no", "wrong-type", "no"),
    ] {
        assert!(PARTS.contains(from), "{from}");
        let text = PARTS.replacen(from, to, 1);
        let loaded = load_texts(&[BY_REFERENCE, &text]);
        assert!(!loaded.is_valid(), "{to} is taken");
        let found = summary(&loaded.diagnostics);
        assert!(
            found.iter().any(|f| f.0 == code && f.3.starts_with(marked)),
            "{to}: expected {code} at {marked:?}, found {found:?}"
        );
    }
}

#[test]
fn five_mistakes_are_five_errors_with_their_places() {
    let text = CHECKOUT
        .replace("name: checkout-availability", "name: Checkout")
        .replace("filter: status_code < 500", "filter: status_code < \"500\"")
        .replace("duration: 28d", "duration: 28days")
        .replace("target: 0.995", "target: 99.5")
        .replace("budgetingMethod: Occurrences", "budgetingMethod: Ocurrences");
    let loaded = load_texts(&[&text]);
    let expected = [
        ("invalid-name", 4, 9, "Checkout"),
        ("filter-type", 22, 23, "status_code < \"500\""),
        ("invalid-duration", 30, 17, "28days"),
        ("invalid-value", 32, 20, "Ocurrences"),
        ("invalid-target", 35, 15, "99.5"),
    ];
    let found = summary(&loaded.diagnostics);
    let found: Vec<_> = found.iter().map(|(code, line, column, text)| (*code, *line, *column, text.as_str())).collect();
    assert_eq!(found, expected);
    assert!(loaded.diagnostics.iter().all(|d| d.file == "0.yaml" && d.severity == Severity::Error));
    let rendered = render(&loaded.diagnostics, false);
    let last = "\
error[invalid-target]: spec.objectives[0].target: expected a number between 0 and 1, both excluded, found 99.5
  --> 0.yaml:35:15
   |
35 |       target: 99.5
   |               ^^^^
   = help: write `targetPercent: 99.5`

";
    assert!(rendered.ends_with(last), "{rendered}");
}

#[test]
fn an_error_hides_neither_other_documents_nor_other_files() {
    let broken =
        format!("{CHECKOUT}---\nkind: [\n---\napiVersion: openslo/v1\nkind: SLI\nmetadata: {{name: x}}\nspec: {{}}\n");
    let other = CHECKOUT.replace("checkout-availability", "other");
    let loaded = load_texts(&[&broken, &other]);
    let names: Vec<&str> = loaded.slos.iter().map(|slo| slo.name.as_str()).collect();
    assert_eq!(names, ["checkout-availability", "other"]);
    let found: Vec<_> = summary(&loaded.diagnostics).into_iter().map(|f| (f.0, f.1)).collect();
    let lines = CHECKOUT.lines().count();
    assert_eq!(found.len(), 2, "{found:?}");
    assert_eq!(found[0].0, "yaml-syntax");
    assert_eq!(found[1], ("missing-field", lines + 7));
}

#[test]
fn a_tab_that_indents_is_marked_where_it_is() {
    for (text, line, column) in [
        (CHECKOUT.replace("  service: checkout\n", "\tservice: checkout\n"), 11, 1),
        (CHECKOUT.replace("  indicator:\n", "\tindicator:\n"), 12, 1),
        (CHECKOUT.replace("  indicator:\n", " \tindicator:\n"), 12, 2),
    ] {
        let diagnostic = &load_texts(&[&text]).diagnostics[0];
        let found = (diagnostic.code, diagnostic.line, diagnostic.column, diagnostic.help.as_deref());
        assert_eq!(found, ("yaml-syntax", line, column, Some("indent with spaces: YAML does not allow tabs")));
    }
}

#[test]
fn a_filter_that_yaml_reads_as_a_tag_is_shown_in_quotes_and_checked_as_it_was_meant() {
    for (filter, marked, quoted, also) in [
        ("!has(attributes.a)", "!has(attributes.a)", "!has(attributes.a)", ""),
        (
            "!has(attributes.a) && method == \"GET\"",
            "!has(attributes.a)",
            "!has(attributes.a) && method == \"GET\"",
            "",
        ),
        ("!(method == 'GET')", "!(method", "!(method == ''GET'')", ""),
        ("!(endpoint in [\"/health\"])", "!(endpoint", "!(endpoint in [\"/health\"])", ""),
        ("! has(attributes.a)", "!", "! has(attributes.a)", ""),
        ("!(status == 500)", "!(status", "!(status == 500)", "filter-unknown-name"),
        ("&&has(attributes.a)", "&&has(attributes.a)", "&&has(attributes.a)", "filter-syntax"),
    ] {
        let loaded = load_texts(&[&CHECKOUT.replace("filter: status_code < 500", &format!("filter: {filter}"))]);
        assert!(!loaded.is_valid() && loaded.slos.is_empty(), "{filter} is taken");
        let found = summary(&loaded.diagnostics);
        let tag =
            found.iter().position(|f| f.0 == "unsupported-yaml-tag").unwrap_or_else(|| panic!("{filter}: {found:?}"));
        assert_eq!(found[tag].3, marked);
        let help = format!("put the filter in single quotes: `filter: '{quoted}'`");
        assert_eq!(loaded.diagnostics[tag].help.as_deref(), Some(help.as_str()));
        let others: Vec<&str> = found.iter().map(|f| f.0).filter(|code| *code != "unsupported-yaml-tag").collect();
        assert_eq!(others.join(" "), also, "{filter}");
    }
    let anchored = load_texts(&[&CHECKOUT.replace("filter: status_code < 500", "filter: &ok status_code < 500")]);
    assert_eq!(summary(&anchored.diagnostics), []);
}

#[test]
fn a_duration_of_nothing_is_one_mistake() {
    let found = load_texts(&[&CHECKOUT.replace("duration: 28d", "duration: 0d")]).diagnostics;
    assert_eq!(found.iter().map(|found| found.code).collect::<Vec<_>>(), ["invalid-duration"]);
}

#[test]
fn a_quote_within_quotes_has_the_help_for_its_kind() {
    for (filter, message, help) in [
        ("'it's'", "single quote", "a quote is written twice (`''`)"),
        ("'GET' == method", "single quote", "write `|-`"),
        ("\"GET\" == method", "double quote", "in single quotes: `'...'`"),
    ] {
        let loaded = load_texts(&[&CHECKOUT.replace("filter: status_code < 500", &format!("filter: {filter}"))]);
        let [found] = &loaded.diagnostics[..] else { panic!("{filter}: {:?}", loaded.diagnostics) };
        assert!(found.message.contains(message), "{filter}: {}", found.message);
        assert!(found.help.as_deref().is_some_and(|text| text.contains(help)), "{filter}: {:?}", found.help);
    }
}

#[test]
fn a_key_that_is_there_twice_hides_no_other_mistake() {
    let text = CHECKOUT
        .replace("  service: checkout\n", "  service: checkout\n  service: cart\n")
        .replace("target: 0.995", "target: 99.5");
    let loaded = load_texts(&[&text]);
    let found: Vec<_> = loaded.diagnostics.iter().map(|d| (d.tier, d.code)).collect();
    assert_eq!(found, [(Tier::Syntax, "duplicate-key"), (Tier::Meaning, "invalid-target")]);
    assert_eq!(loaded.slos, []);
}

#[test]
fn a_name_is_an_identity() {
    let loaded = load_texts(&[CHECKOUT, CHECKOUT]);
    assert_eq!(summary(&loaded.diagnostics), [("duplicate-name", 4, 9, "checkout-availability".to_owned())]);
    assert_eq!(loaded.diagnostics[0].file, "1.yaml");
    let twice = BY_REFERENCE.replace("[{alertPolicyRef: page-somebody}]", "[page-somebody, page-somebody]");
    let found = summary(&load_texts(&[&twice, PARTS]).diagnostics);
    assert_eq!(found, [("duplicate-name", 10, 34, "page-somebody".to_owned())]);
}

#[test]
fn references_are_checked_where_the_slo_has_other_errors() {
    let text = BY_REFERENCE.replace("target: 0.95", "target: 95").replace("page-somebody", "page-anybody");
    let found = load_texts(&[&text, PARTS]).diagnostics;
    let found: Vec<&str> = found.iter().map(|diagnostic| diagnostic.code).collect();
    assert_eq!(found, ["invalid-target", "unsupported-external-reference"]);
}

#[test]
fn mistakes_in_slices_windows_and_composites_have_their_code_and_place() {
    for (method, window, objectives, code, marked) in [
        ("Timeslices", MONTH, "[{target: 0.99, timeSliceWindow: 1m}]", "missing-field", "{"),
        ("Timeslices", MONTH, "[{target: 0.99, timeSliceTarget: 0.9}]", "missing-field", "{"),
        (
            "Timeslices",
            MONTH,
            "[{target: 0.99, timeSliceTarget: 95, timeSliceWindow: 1m}]",
            "invalid-slice-target",
            "95",
        ),
        ("Timeslices", MONTH, "[{target: 0.99, timeSliceTarget: 0, timeSliceWindow: 1m}]", "invalid-slice-target", "0"),
        ("RatioTimeslices", MONTH, "[{target: 0.99}]", "missing-field", "{"),
        ("RatioTimeslices", MONTH, "[{target: 0.99, timeSliceWindow: 30s}]", "invalid-duration", "30s"),
        ("RatioTimeslices", MONTH, "[{target: 0.99, timeSliceWindow: 0m}]", "invalid-duration", "0m"),
        ("RatioTimeslices", MONTH, "[{target: 0.99, timeSliceWindow: 0.5}]", "unsupported-slice-length", "0.5"),
        ("RatioTimeslices", MONTH, "[{target: 0.99, timeSliceWindow: 2d}]", "unsupported-slice-length", "2d"),
        (
            "RatioTimeslices",
            "{duration: 1h, isRolling: true}",
            "[{target: 0.99, timeSliceWindow: 2h}]",
            "slice-beyond-window",
            "2h",
        ),
        ("Occurrences", "{duration: 91d, isRolling: true}", "[{target: 0.99}]", "unsupported-window-length", "91d"),
        ("Occurrences", "{duration: 1001d, calendar: {}}", "[{target: 0.99}]", "unsupported-window-length", "1001d"),
        ("Occurrences", "{duration: 0d, calendar: {}}", "[{target: 0.99}]", "invalid-duration", "0d"),
        ("Occurrences", MONTH, "[{target: 0.9, compositeWeight: -1}]", "invalid-number", "-1"),
        ("Occurrences", MONTH, "[{target: 0.99, compositeWeight: 1, displayName: composite}]", "reserved-name", "0.99"),
        (
            "Occurrences",
            MONTH,
            "[{target: 0.999999999999999, compositeWeight: 1}, {target: 0.9, compositeWeight: 0.000007}]",
            "unsupported-weight",
            "0.999999999999999",
        ),
        (
            "Occurrences",
            MONTH,
            "[{target: 0.9, indicatorRef: fast, indicator: {}}, {target: 0.8}]",
            "conflicting-fields",
            "indicator",
        ),
        ("Occurrences", MONTH, "[{target: 0.9, indicatorRef: fsat}]", "unsupported-external-reference", "fsat"),
        ("Occurrences", MONTH, "[{target: 0.9, indicatorRef: fast}, {target: 0.8}]", "conflicting-group-by", "0.8"),
    ] {
        let loaded = load_texts(&[&with(method, window, objectives), PARTS]);
        assert!(!loaded.is_valid() && loaded.slos.is_empty(), "{objectives} is taken");
        let found = summary(&loaded.diagnostics);
        assert!(
            found.iter().any(|f| f.0 == code && f.3.starts_with(marked)),
            "{window} {objectives}: expected {code} at {marked:?}, found {found:?}"
        );
    }
}

#[test]
fn mistakes_in_thresholds_have_their_code_and_place() {
    const TEXT: &str = "apiVersion: openslo/v1\nkind: SLO\nmetadata: {name: quick}\nspec:\n  service: shop\n  \
         budgetingMethod: Occurrences\n  timeWindow: [{duration: 28d, isRolling: true}]\n  indicator:\n    spec:\n      \
         thresholdMetric: {metricSource: {type: slipstream, spec: {metric: latency_ms}}}\n  objectives:\n    - \
         {target: 0.95, op: lte, value: 300}\n";
    for (from, to, code, marked) in [
        ("metric: latency_ms", "metric: queue_depth", "unsupported-threshold-metric", "queue_depth"),
        ("metric: latency_ms", "metrc: latency_ms", "unknown-field", "metrc"),
        ("type: slipstream", "type: Prometheus", "unsupported-metric-source", "Prometheus"),
        (", op: lte", "", "missing-field", "{"),
        (", value: 300", "", "missing-field", "{"),
        ("op: lte", "op: below", "invalid-value", "below"),
        ("value: 300", "value: 300ms", "invalid-number", "300ms"),
    ] {
        assert!(TEXT.contains(from), "{from}");
        let loaded = load_texts(&[&TEXT.replace(from, to)]);
        let found = summary(&loaded.diagnostics);
        assert!(
            !loaded.is_valid() && found.iter().any(|f| f.0 == code && f.3.starts_with(marked)),
            "{to}: expected {code} at {marked:?}, found {found:?}"
        );
    }
    assert_eq!(summary(&load_texts(&[TEXT]).diagnostics), []);
    let slow = load_texts(&[&TEXT.replace("lte", "gte")]);
    assert_eq!(summary(&slow.diagnostics), [("slow-is-good", 12, 26, "gte".to_owned())]);
    let never = load_texts(&[&TEXT.replace("op: lte, value: 300", "op: lt, value: 0")]);
    assert_eq!(summary(&never.diagnostics), [("never-true", 12, 37, "0".to_owned())]);
    let slower = load_texts(&[&TEXT.replace("metric: latency_ms", "filter: latency_ms > 500")]);
    assert_eq!(summary(&slower.diagnostics), [("never-true", 12, 38, "300".to_owned())]);
}

#[test]
fn diagnostics_come_in_three_tiers() {
    let text = CHECKOUT.replace("target: 0.995", "target: 99.5").replace("isRolling: true", "isRolling: 1");
    let loaded = load_texts(&[&text, "a: [", BY_REFERENCE]);
    let found: Vec<_> = loaded.diagnostics.iter().map(|d| (d.file.as_str(), d.tier, d.code)).collect();
    assert_eq!(
        found,
        [
            ("0.yaml", Tier::Schema, "wrong-type"),
            ("0.yaml", Tier::Meaning, "invalid-target"),
            ("1.yaml", Tier::Syntax, "yaml-syntax"),
            ("2.yaml", Tier::Meaning, "unsupported-external-reference"),
            ("2.yaml", Tier::Meaning, "unsupported-external-reference"),
        ]
    );
}
