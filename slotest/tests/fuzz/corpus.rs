//! What is changed: definitions of every kind, and a test file.

use serde_json::{Value, json};

/// A set that is valid: every kind, every budgeting method and window, inline and by reference.
pub fn definitions() -> Vec<Value> {
    let metric = |filter: &str| json!({"metricSource": {"type": "slipstream", "spec": {"filter": filter}}});
    let total = json!({"metricSource": {"metricSourceRef": "events", "spec": {
        "filter": "service == \"checkout\"", "groupBy": ["endpoint", "attributes.tier"]}}});
    let ratio = json!({"ratioMetric": {"counter": true, "good": metric("status_code < 500"), "total": total}});
    let inline = json!({"metadata": {"name": "success"}, "spec": ratio});
    let document = |kind: &str, name: &str, spec: Value| json!({"apiVersion": "openslo/v1", "kind": kind, "metadata": {"name": name}, "spec": spec});
    let slo = |name: &str, spec: Value| document("SLO", name, spec);
    let rolling = json!([{"duration": "28d", "isRolling": true}]);
    let calendar = json!([{"duration": "1M", "isRolling": false,
        "calendar": {"startTime": "2026-01-31 02:30:00", "timeZone": "Europe/Berlin"}}]);
    vec![
        document("Service", "checkout", json!({"description": "Takes orders"})),
        document("DataSource", "events", json!({"type": "slipstream", "connectionDetails": {}})),
        document("SLI", "success", ratio.clone()),
        document(
            "SLI",
            "speed",
            json!({"thresholdMetric": {"metricSource": {"type": "slipstream", "spec": {
                "metric": "latency_ms", "filter": "method == 'GET'", "groupBy": ["service"]}}}}),
        ),
        document("AlertNotificationTarget", "pager", json!({"target": "webhook", "description": "The pager"})),
        document(
            "AlertCondition",
            "fast",
            json!({"severity": "page", "condition":
                {"kind": "burnrate", "op": "gt", "threshold": 14.4, "lookbackWindow": "1h", "alertAfter": "2m"}}),
        ),
        document(
            "AlertPolicy",
            "burns",
            json!({"alertWhenBreaching": true, "alertWhenResolved": true,
                "conditions": [{"conditionRef": "fast"}], "notificationTargets": [{"targetRef": "pager"}]}),
        ),
        slo(
            "availability",
            json!({"service": "checkout", "indicator": inline, "timeWindow": rolling, "budgetingMethod": "Occurrences",
                "objectives": [{"displayName": "most", "target": 0.995}, {"targetPercent": 99.95}],
                "alertPolicies": ["burns"]}),
        ),
        slo(
            "minutes",
            json!({"service": "checkout", "indicatorRef": "success", "timeWindow": calendar,
                "budgetingMethod": "Timeslices",
                "objectives": [{"target": 0.99, "timeSliceTarget": 0.95, "timeSliceWindow": "1m"}]}),
        ),
        slo(
            "ratios",
            json!({"service": "checkout", "indicatorRef": "success", "timeWindow": [{"duration": "7d", "isRolling": true}],
                "budgetingMethod": "RatioTimeslices", "objectives": [{"target": 0.9, "timeSliceWindow": "5m"}]}),
        ),
        slo(
            "latency",
            json!({"service": "checkout", "indicatorRef": "speed", "timeWindow": rolling, "budgetingMethod": "Occurrences",
                "objectives": [{"displayName": "quick", "op": "lte", "value": 300, "target": 0.9},
                    {"displayName": "bearable", "op": "lt", "value": 1500.5, "target": 0.99}]}),
        ),
        slo(
            "journey",
            json!({"service": "checkout", "timeWindow": rolling, "budgetingMethod": "Occurrences", "objectives": [
                {"displayName": "browse", "indicatorRef": "success", "target": 0.99, "compositeWeight": 1},
                {"displayName": "pay", "indicator": inline, "target": 0.999, "compositeWeight": 2.5}]}),
        ),
        slo(
            "bad",
            json!({"service": "checkout", "timeWindow": rolling, "budgetingMethod": "Occurrences",
                "indicator": {"metadata": {"name": "errors"}, "spec": {"ratioMetric": {
                    "bad": metric("status_code >= 500 || attributes.outcome == \"declined\""), "total": metric("true")}}},
                "objectives": [{"target": 0.5}], "alertPolicies": [{"kind": "AlertPolicy", "metadata": {"name": "own"},
                    "spec": {"conditions": [{"kind": "AlertCondition", "metadata": {"name": "mine"}, "spec": {
                        "severity": "ticket", "condition": {"kind": "burnrate", "op": "gt", "threshold": 1,
                            "lookbackWindow": "1d", "alertAfter": "5m"}}}],
                        "notificationTargets": [{"targetRef": "pager"}]}}]}),
        ),
    ]
}

/// A test file over those definitions.
pub fn test_file() -> Vec<Value> {
    vec![json!({
        "definitions": ["slos.yaml"],
        "start": "2026-03-29T00:00:00+01:00",
        "tests": [
            {"name": "an outage", "lasts": "20m",
                "given": {
                    "traffic": ["2/s POST /pay service checkout attributes.tier=gold for 15m",
                        "100 % 503 latency 2s on /pay from 5m to 8m", "silence from 14m"],
                    "events": [{"at": "1m", "service": "checkout", "endpoint": "/refund", "status_code": 500,
                        "latency_ms": 12.5, "weight": 3, "count": 4, "every": "10s", "late": "1m",
                        "attributes": {"tier": "free"}}]},
                "expect": [
                    {"at": "7m", "slo": "availability", "objective": "most",
                        "group": {"endpoint": "/pay", "tier": "gold"}, "sli": "below 99 %", "burn": {"1h": "above 1"}},
                    {"at": "9m", "slo": "bad", "budget_remaining": "0.5 ± 1", "conditions": {"own": false},
                        "total": "at least 1"}],
                "alerts": [{"at": "6m ± 5m", "slo": "availability", "objective": "most", "is": "firing",
                    "severity": "page"}]},
            {"name": "silence", "given": {"traffic": "1/m GET /; 20 % late by 1m"},
                "expect": [{"at": "1h", "slo": "bad", "sli": "1", "unknown": 0, "exhausted_in": "none"}],
                "alerts": "none"}
        ]
    })]
}

/// The documents as JSON, which is YAML too.
pub fn rendered(documents: &[Value]) -> String {
    documents.iter().map(|document| format!("{document:#}\n")).collect::<Vec<_>>().join("---\n")
}
