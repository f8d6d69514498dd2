//! The self-contained document of a definition gives the equal definition.

use proptest::prelude::*;
use serde_json::{Value, json};
use slipstream_definitions::document::SourceFile;
use slipstream_definitions::openslo::{load, parse_document};

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
    // What alerts know has names, and others are refused.
    .prop_filter("a name in braces", |text| !text.contains("{{"))
}

/// A number between 0 and 1 as it may be written.
fn share() -> impl Strategy<Value = Value> {
    (1u64..99_999, 5usize..9).prop_map(|(digits, places)| number(&format!("0.{digits:0>places$}")))
}

fn number(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn source(spec: Value) -> Value {
    json!({"metricSource": {"type": "slipstream", "spec": spec}})
}

/// The spec of an SLI over some literal: a ratio, or a threshold on the latency.
fn sli(group_by: Vec<&'static str>) -> impl Strategy<Value = Value> {
    (text(), 0..3).prop_map(move |(literal, kind)| {
        let filter = format!("service == {} || latency_ms > 1", json!(literal.replace('\u{7f}', "")));
        match kind {
            0 => json!({"thresholdMetric": source(json!({"filter": filter, "groupBy": group_by}))}),
            1 => json!({"ratioMetric": {"good": source(json!({"filter": filter})), "total": source(json!({"groupBy": group_by}))}}),
            _ => json!({"ratioMetric": {"bad": source(json!({"filter": filter})), "total": source(json!({"groupBy": group_by}))}}),
        }
    })
}

fn window() -> impl Strategy<Value = Value> {
    let zone = prop::sample::select(vec!["UTC", "Europe/Berlin", "Asia/Kolkata", "America/New_York"]);
    let start = (2_000i16..2_100, 1i8..=12, 1i8..=28, 0i8..24, 0i8..60, 0i8..60);
    prop_oneof![
        (1i64..=90).prop_map(|days| json!([{"duration": format!("{days}d"), "isRolling": true}])),
        (1i64..=50, prop::sample::select(vec!["d", "w", "M", "Q", "Y"]), zone, start).prop_map(
            |(count, unit, zone, (year, month, day, hour, minute, second))| {
                let start = format!("{year}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}");
                let calendar = json!({"startTime": start, "timeZone": zone});
                json!([{"duration": format!("{count}{unit}"), "isRolling": false, "calendar": calendar}])
            }
        ),
    ]
}

fn policies() -> impl Strategy<Value = Value> {
    let policy = (1i64..48, 0i64..50, 1u64..2_000, text(), text());
    prop::option::of(policy).prop_map(|policy| {
        let Some((hours, wait, threshold, severity, note)) = policy else { return Value::Null };
        let condition = json!({
            "kind": "burnrate", "op": "gt", "threshold": number(&format!("{threshold}.25")),
            "lookbackWindow": format!("{hours}h"), "alertAfter": format!("{wait}m"),
        });
        let condition = json!({"kind": "AlertCondition", "metadata": {"name": "c"}, "spec": {"severity": severity, "condition": condition}});
        let metadata = json!({"name": "p", "labels": {"x": note}, "annotations": {"note": note, "slipstream.dev/keep-firing-for": "90s"}});
        json!([{"kind": "AlertPolicy", "metadata": metadata, "spec": {"conditions": [condition], "notificationTargets": [{"targetRef": "t"}]}}])
    })
}

/// An objective with all that any method or indicator wants; what has no meaning is ignored.
fn objective(group_by: Vec<&'static str>) -> impl Strategy<Value = Value> {
    let op = prop::sample::select(vec!["lt", "lte", "gt", "gte"]);
    let weight = prop::sample::select(vec!["1", "2", "0.5", "3.25"]);
    (share(), share(), 1i64..=1_440, op, 0u64..100_000, weight, sli(group_by)).prop_map(
        |(target, slice_target, minutes, op, value, weight, sli)| {
            json!({
                "target": target, "timeSliceTarget": slice_target, "timeSliceWindow": format!("{minutes}m"),
                "op": op, "value": number(&format!("{}.{:02}", value / 100, value % 100)),
                "compositeWeight": number(weight), "indicator": {"spec": sli},
            })
        },
    )
}

/// An SLO of any kind.
fn document() -> impl Strategy<Value = String> {
    let dimensions = vec!["service", "endpoint", "status_code", "attributes.a b\""];
    prop::sample::subsequence(dimensions, 0..4).prop_flat_map(|group_by| {
        let method = prop::sample::select(vec!["Occurrences", "Timeslices", "RatioTimeslices"]);
        let objectives = prop::collection::vec(objective(group_by.clone()), 1..4);
        let labels = prop::collection::vec("[a-z0-9]{1,8}", 0..3);
        let texts = (text(), text(), text(), "[a-z]{1,10}", labels);
        (texts, sli(group_by), method, objectives, window(), policies(), any::<bool>()).prop_map(slo)
    })
}

type Texts = (String, String, String, String, Vec<String>);

fn slo(parts: (Texts, Value, &'static str, Vec<Value>, Value, Value, bool)) -> String {
    let ((display, service, description, label, labels), sli, method, mut objectives, window, policies, composite) =
        parts;
    let mut spec = json!({
        "description": description, "service": service, "budgetingMethod": method, "timeWindow": window,
        "alertPolicies": policies,
    });
    if !composite {
        spec["indicator"] = json!({"metadata": {"name": "i"}, "spec": sli});
        for objective in objectives.iter_mut().filter_map(Value::as_object_mut) {
            objective.remove("indicator");
            objective.remove("compositeWeight");
        }
    }
    // The others are called by their positions.
    objectives[0]["displayName"] = json!(format!("{display}."));
    spec["objectives"] = json!(objectives);
    let metadata = json!({"name": "s", "displayName": display, "labels": {label: labels}});
    json!({"apiVersion": "openslo/v1", "kind": "SLO", "metadata": metadata, "spec": spec}).to_string()
}

proptest! {
    #[test]
    fn what_was_read_is_what_its_document_gives(text in document()) {
        let loaded = load_texts(&[&text]);
        prop_assert!(loaded.is_valid(), "{} {:#?}", text, loaded.diagnostics);
        let source = SourceFile { path: "again".into(), text: loaded.documents[0].text.clone() };
        let again = load(&[source]);
        prop_assert_eq!(&again.slos, &loaded.slos, "{}", loaded.documents[0].text);
        prop_assert_eq!(&again.documents, &loaded.documents);
    }
}
