//! The self-contained document of a definition gives the equal definition.

use proptest::prelude::*;
use slipstream_slo::openslo::{load, parse_document};

use crate::documents::{BY_REFERENCE, CHECKOUT, PARTS, load_texts};

#[test]
fn references_are_inlined() {
    let loaded = load_texts(&[CHECKOUT, BY_REFERENCE, PARTS]);
    assert_eq!(loaded.slos.len(), 2);
    for (slo, document) in loaded.slos.iter().zip(&loaded.documents) {
        assert_eq!((document.kind.as_str(), &document.name), ("SLO", &slo.name));
        assert_eq!(parse_document(&document.text).as_ref(), Ok(slo), "{}", document.text);
    }
    // Default policies follow from the rest; those of the document are in it.
    assert!(!loaded.documents[0].text.contains("alertPolicies"));
    assert!(loaded.documents[1].text.contains("alertPolicies"));
}

#[test]
fn a_document_of_the_log_holds_exactly_one_valid_slo() {
    let codes = |text: &str| parse_document(text).unwrap_err().iter().map(|error| error.code).collect::<Vec<_>>();
    assert_eq!(codes(""), ["not-one-slo"]);
    assert_eq!(codes(PARTS), ["not-one-slo"]);
    assert_eq!(codes(&format!("{CHECKOUT}---\n{}", CHECKOUT.replace("checkout-a", "a"))), ["not-one-slo"]);
    assert_eq!(codes(&CHECKOUT.replace("0.995", "2")), ["invalid-target"]);
    // Warnings are for who writes a definition, not for who reads it from the log.
    assert!(parse_document(&CHECKOUT.replace("0.995", "0.9")).is_ok());
}

/// Text that may need escapes.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ -~]{1,20}",
        "\\PC{1,20}",
        prop::sample::select(vec!["a: b # c", "\t\"'\\", "- x", "null", "1e3", "\u{7f}\u{85}\u{2028}é\u{1F600}"])
            .prop_map(str::to_owned)
    ]
}

fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap()
}

prop_compose! {
    fn document()(
        display in text(), service in text(), description in text(), label in "[a-z]{1,10}", labels in prop::collection::vec("[a-z0-9]{1,8}", 0..3),
        literal in text(), bad in any::<bool>(), days in 1i64..=90, digits in 1u64..99_999, places in 5u32..9,
        group in prop::sample::subsequence(vec!["service", "endpoint", "status_code", "attributes.a b\""], 0..4),
        policy in prop::option::of((1i64..90, 0i64..50, 1u64..2_000, text(), text())),
    ) -> String {
        let side = if bad { "bad" } else { "good" };
        let target = format!("0.{digits:0>width$}", width = places as usize);
        let policies = policy.map_or("null".to_owned(), |(hours, wait, threshold, severity, note)| format!(
            "[{{kind: AlertPolicy, metadata: {{name: p, labels: {{x: {0}}}, annotations: {{note: {0}, slipstream.dev/min-requests: {wait}}}}}, spec: {{conditions: [{{kind: AlertCondition, \
             metadata: {{name: c}}, spec: {{severity: {1}, condition: {{kind: burnrate, op: gt, threshold: {threshold}.25, lookbackWindow: {hours}h, alertAfter: {wait}m}}}}}}], \
             notificationTargets: [{{targetRef: t}}]}}}}]", quoted(&note), quoted(&severity)));
        format!(
            "apiVersion: openslo/v1\nkind: SLO\nmetadata: {{name: s, displayName: {}, labels: {{{label}: {}}}}}\nspec:\n  description: {}\n  service: {}\n  \
             budgetingMethod: Occurrences\n  timeWindow: [{{duration: {days}d, isRolling: true}}]\n  objectives: [{{target: {target}, displayName: {}}}]\n  alertPolicies: {policies}\n  \
             indicator:\n    metadata: {{name: i}}\n    spec:\n      ratioMetric:\n        {side}: {{metricSource: {{type: slipstream, spec: {{filter: {}}}}}}}\n        \
             total: {{metricSource: {{type: slipstream, spec: {{groupBy: {}}}}}}}\n",
            quoted(&display), serde_json::to_string(&labels).unwrap(), quoted(&description), quoted(&service), quoted(&display),
            quoted(&format!("service == {} || latency_ms > 1", quoted(&literal.replace('\u{7f}', "")))), serde_json::to_string(&group).unwrap())
    }
}

proptest! {
    #[test]
    fn what_was_read_is_what_its_document_gives(text in document()) {
        let loaded = load_texts(&[&text]);
        prop_assert!(loaded.is_valid(), "{} {:#?}", text, loaded.diagnostics);
        let source = slipstream_slo::openslo::SourceFile { path: "again".into(), text: loaded.documents[0].text.clone() };
        let again = load(&[source]);
        prop_assert_eq!(&again.slos, &loaded.slos, "{}", loaded.documents[0].text);
        prop_assert_eq!(&again.documents, &loaded.documents);
    }
}
