//! The webhook's model against bodies that a real Alertmanager sent, and fingerprints against published vectors. They
//! lie outside the repository: SLIPSTREAM_DATA names their directory.
#![allow(clippy::unwrap_used)] // In a test that is how to fail.

use std::path::PathBuf;

use serde_json::Value;
use slipstream_alerter::notifier::payload::{Alert, Labels, Message, fingerprint};

fn file(name: &str) -> Vec<u8> {
    let data = std::env::var("SLIPSTREAM_DATA").expect("SLIPSTREAM_DATA names the directory with the real files");
    let path = PathBuf::from(data).join("webhooks").join(name);
    std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

const BODIES: [&str; 5] = [
    "alertmanager-v0.28.1.01-single-firing.json",
    "alertmanager-v0.28.1.02-group-three-firing.json",
    "alertmanager-v0.28.1.03-group-one-resolved.json",
    "alertmanager-v0.28.1.04-group-all-resolved.json",
    "alertmanager-v0.28.1.05-truncated-max2.json",
];

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn captured_bodies_are_written_again_byte_for_byte() {
    for name in BODIES {
        let body = file(name);
        let message: Message = serde_json::from_slice(&body).unwrap();
        assert_eq!(text(&message.to_bytes()), text(&body), "{name}");
        for alert in &message.alerts {
            assert_eq!(fingerprint(&alert.labels), alert.fingerprint, "{name}");
        }
    }
}

#[test]
fn the_same_alerts_in_any_order_are_composed_into_the_captured_bodies() {
    // The last one came through a nested route, which we do not have: its groupKey begins otherwise.
    for name in &BODIES[..4] {
        let body = file(name);
        let seen: Message = serde_json::from_slice(&body).unwrap();
        let mut alerts = seen.alerts.clone();
        for _ in 0..alerts.len() {
            alerts.rotate_left(1);
            let made = Message::compose(&seen.receiver, &seen.external_url, &seen.group_labels, alerts.clone(), 0);
            assert_eq!(text(&made.to_bytes()), text(&body), "{name}");
        }
    }
}

#[test]
fn truncation_keeps_what_alertmanager_kept() {
    let body = file(BODIES[4]);
    let seen: Message = serde_json::from_slice(&body).unwrap();
    let later = |i: u32| {
        let mut alert: Alert = seen.alerts[0].clone();
        alert.labels.insert("service".to_owned(), format!("svc-{i}"));
        alert.labels.insert("slo".to_owned(), format!("s{i}"));
        alert
    };
    let alerts = (2..5).map(later).chain(seen.alerts.iter().rev().cloned()).collect();
    let made = Message::compose(&seen.receiver, &seen.external_url, &seen.group_labels, alerts, 2);
    assert_eq!(Message { group_key: seen.group_key.clone(), ..made }, seen);
}

#[test]
fn an_older_senders_body_can_be_read() {
    let message: Message = serde_json::from_slice(&file("alertmanager-payload.prometheus-msteams.json")).unwrap();
    assert_eq!((message.alerts.len(), message.receiver.as_str()), (1, "teams_proxy"));
}

#[test]
fn fingerprints_equal_the_published_vectors() {
    let vectors: Value = serde_json::from_slice(&file("alert-fingerprint.vectors.json")).unwrap();
    let lists = ["vectors", "captured_from_alertmanager_v0.28.1"].map(|name| vectors[name].as_array().unwrap());
    let all: Vec<&Value> = lists.into_iter().flatten().collect();
    assert_eq!(all.len(), 10);
    for vector in all {
        let labels: Labels = serde_json::from_value(vector["labels"].clone()).unwrap();
        assert_eq!(fingerprint(&labels), vector["hex"].as_str().unwrap(), "{labels:?}");
    }
}
