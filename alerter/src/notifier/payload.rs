//! Alertmanager's webhook, version 4: the message, composed as Alertmanager composes it and written byte for byte as it
//! writes it (prometheus/alertmanager notify/webhook/webhook.go, template/template.go, types/types.go).

use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use slipstream_slo::hash::fnv1a64;

use crate::notifier::gojson;

/// Names and values, in byte order of the names; written `{}` when there are none.
pub type Labels = BTreeMap<String, String>;

/// endsAt of an alert that fires: Go's zero time.
pub const ZERO_TIME: &str = "0001-01-01T00:00:00Z";

/// The key of the first route.
const ROUTE: &str = "{}";

/// firing or resolved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Something burns.
    #[default]
    Firing,
    /// It is over.
    Resolved,
}

/// The body of a notification. Fields stand in the order of the wire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Message {
    /// Receiver name.
    pub receiver: String,
    /// firing while any of the alerts fires.
    pub status: Status,
    /// The alerts, in Alertmanager's order as composed; a notifier puts those that fire last.
    pub alerts: Vec<Alert>,
    /// Why it is sent; `None` of senders before Alertmanager 0.32, and until the body is written.
    #[serde(default, rename = "notification_reason", skip_serializing_if = "Option::is_none")]
    pub notification_reason: Option<String>,
    /// Labels of the group.
    pub group_labels: Labels,
    /// Labels that all alerts share.
    pub common_labels: Labels,
    /// Annotations that all alerts share.
    pub common_annotations: Labels,
    /// Labels of the route; `None` of senders before Alertmanager 0.34, and until the body is written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route_labels: Option<Labels>,
    /// Where this Slipstream is.
    #[serde(rename = "externalURL")]
    pub external_url: String,
    /// `4`.
    pub version: String,
    /// Route and group, for receivers that thread or deduplicate.
    pub group_key: String,
    /// Alerts that did not fit.
    #[serde(default)]
    pub truncated_alerts: u64,
}

/// One alert of a message. Older senders leave status, generatorURL and fingerprint out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Alert {
    /// firing or resolved.
    #[serde(default)]
    pub status: Status,
    /// Its identity.
    pub labels: Labels,
    /// What a person should know.
    pub annotations: Labels,
    /// RFC 3339.
    pub starts_at: String,
    /// RFC 3339; [`ZERO_TIME`] while it fires.
    pub ends_at: String,
    /// Where to look.
    #[serde(default, rename = "generatorURL")]
    pub generator_url: String,
    /// [`fingerprint`] of the labels.
    #[serde(default)]
    pub fingerprint: String,
}

/// FNV-1a 64 over the labels sorted by name, each as name, 0xFF, value, 0xFF; 16 lower-case hex digits. Source:
/// prometheus/common model/signature.go.
pub fn fingerprint(labels: &Labels) -> String {
    format!("{:016x}", fnv1a64(labels.iter().flat_map(|(name, value)| [name.as_str(), value.as_str()])))
}

impl Message {
    /// Composes a message of a group's alerts: puts them in order, keeps the first `max_alerts` (0: all) and finds what
    /// they share.
    pub fn compose(
        receiver: &str,
        external_url: &str,
        group_labels: &Labels,
        mut alerts: Vec<Alert>,
        max_alerts: usize,
    ) -> Message {
        alerts.sort_by(|a, b| before(&a.labels, &b.labels));
        let kept = if max_alerts == 0 { alerts.len() } else { max_alerts.min(alerts.len()) };
        let truncated_alerts = (alerts.len() - kept) as u64;
        alerts.truncate(kept);
        let firing = alerts.iter().any(|a| a.status == Status::Firing);
        Message {
            receiver: receiver.to_owned(),
            status: if firing { Status::Firing } else { Status::Resolved },
            common_labels: shared(alerts.iter().map(|a| &a.labels)),
            common_annotations: shared(alerts.iter().map(|a| &a.annotations)),
            alerts,
            notification_reason: None,
            route_labels: None,
            group_labels: group_labels.clone(),
            external_url: external_url.to_owned(),
            version: "4".to_owned(),
            group_key: group_key(ROUTE, group_labels),
            truncated_alerts,
        }
    }

    /// The bytes that go over the wire.
    pub fn to_bytes(&self) -> Vec<u8> {
        gojson::encode(self).unwrap_or_else(|e| unreachable!("strings and maps of strings are always JSON: {e}"))
    }
}

/// The route's key, a colon, and the group's labels: `{}:{alertname="x", slo="y"}`.
pub fn group_key(route: &str, labels: &Labels) -> String {
    let pairs: Vec<String> = labels.iter().map(|(name, value)| format!("{name}={}", gojson::quote(value))).collect();
    format!("{route}:{{{}}}", pairs.join(", "))
}

/// What all of them have.
fn shared<'a>(mut all: impl Iterator<Item = &'a Labels>) -> Labels {
    let mut common = all.next().cloned().unwrap_or_default();
    for labels in all {
        common.retain(|name, value| labels.get(name) == Some(value));
    }
    common
}

/// Alertmanager's order of alerts: by job, by instance, then fewer labels first, then name by name (types.AlertSlice,
/// model.LabelSet.Before).
fn before(a: &Labels, b: &Labels) -> Ordering {
    for name in ["job", "instance"] {
        let by_name = match (a.get(name), b.get(name)) {
            (Some(x), Some(y)) => x.cmp(y),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => Ordering::Equal,
        };
        if by_name.is_ne() {
            return by_name;
        }
    }
    a.len().cmp(&b.len()).then_with(|| name_by_name(a, b))
}

/// By the first name at which they differ: the one that lacks it comes first, else the smaller value.
fn name_by_name(a: &Labels, b: &Labels) -> Ordering {
    for ((name_a, value_a), (name_b, value_b)) in a.iter().zip(b) {
        // The smaller name is one that the other set lacks.
        let order = name_b.cmp(name_a).then_with(|| value_a.cmp(value_b));
        if order.is_ne() {
            return order;
        }
    }
    Ordering::Equal
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect()
    }

    fn alert(status: Status, pairs: &[(&str, &str)], annotations: &[(&str, &str)]) -> Alert {
        let labels = labels(pairs);
        let ends = if status == Status::Firing { ZERO_TIME } else { "2026-02-01T10:30:00Z" };
        Alert {
            status,
            fingerprint: fingerprint(&labels),
            labels,
            annotations: self::labels(annotations),
            starts_at: "2026-02-01T10:00:00Z".to_owned(),
            ends_at: ends.to_owned(),
            generator_url: "http://slipstream.test/slos/checkout".to_owned(),
        }
    }

    #[test]
    fn a_group_is_written_as_alertmanager_writes_it() {
        let ticket = alert(
            Status::Firing,
            &[("alertname", "SLOBurnRate"), ("slo", "checkout"), ("severity", "ticket")],
            &[("summary", "slow & steady")],
        );
        let page = alert(
            Status::Resolved,
            &[("alertname", "SLOBurnRate"), ("slo", "checkout"), ("severity", "page")],
            &[("summary", "over")],
        );
        let group = labels(&[("slo", "checkout"), ("alertname", "SLOBurnRate")]);
        let message = Message::compose("ops", "http://slipstream.test", &group, vec![ticket, page], 0);
        let want = concat!(
            r#"{"receiver":"ops","status":"firing","alerts":[{"status":"resolved","labels":{"alertname":"SLOBurnRate","#,
            r#""severity":"page","slo":"checkout"},"annotations":{"summary":"over"},"startsAt":"2026-02-01T10:00:00Z","#,
            r#""endsAt":"2026-02-01T10:30:00Z","generatorURL":"http://slipstream.test/slos/checkout","#,
            r#""fingerprint":"04ff3990b635ae9b"},{"status":"firing","labels":{"alertname":"SLOBurnRate","#,
            r#""severity":"ticket","slo":"checkout"},"annotations":{"summary":"slow \u0026 steady"},"#,
            r#""startsAt":"2026-02-01T10:00:00Z","endsAt":"0001-01-01T00:00:00Z","#,
            r#""generatorURL":"http://slipstream.test/slos/checkout","fingerprint":"4e1f8418da5adb7c"}],"#,
            r#""groupLabels":{"alertname":"SLOBurnRate","slo":"checkout"},"#,
            r#""commonLabels":{"alertname":"SLOBurnRate","slo":"checkout"},"commonAnnotations":{},"#,
            r#""externalURL":"http://slipstream.test","version":"4","#,
            r#""groupKey":"{}:{alertname=\"SLOBurnRate\", slo=\"checkout\"}","truncatedAlerts":0}"#,
            "\n"
        );
        assert_eq!(String::from_utf8(message.to_bytes()).unwrap(), want);
        assert_eq!(serde_json::from_slice::<Message>(&message.to_bytes()).unwrap(), message);
    }

    #[test]
    fn a_group_without_labels_is_everything_and_maps_are_never_null() {
        let message = Message::compose("ops", "", &Labels::new(), vec![alert(Status::Resolved, &[], &[])], 0);
        let text = String::from_utf8(message.to_bytes()).unwrap();
        assert!(text.contains(r#""groupLabels":{},"commonLabels":{},"commonAnnotations":{}"#), "{text}");
        assert!(text.contains(r#""groupKey":"{}:{}""#) && !text.contains("null"), "{text}");
        assert_eq!(message.status, Status::Resolved);
    }

    #[test]
    fn truncation_keeps_the_first_and_counts_the_rest() {
        let alerts = (0..5).rev().map(|i| alert(Status::Firing, &[("slo", &format!("s{i}"))], &[])).collect();
        let message = Message::compose("ops", "", &Labels::new(), alerts, 2);
        let kept: Vec<&str> = message.alerts.iter().map(|a| a.labels["slo"].as_str()).collect();
        assert_eq!((kept, message.truncated_alerts), (vec!["s0", "s1"], 3));
    }

    #[test]
    fn alerts_stand_in_alertmanagers_order() {
        let in_order = [
            labels(&[("job", "a"), ("z", "9")]),
            labels(&[("instance", "1"), ("job", "b")]),
            labels(&[("instance", "0")]),
            labels(&[("x", "1")]),
            labels(&[("b", "1"), ("c", "1")]),
            labels(&[("a", "1"), ("c", "1")]),
            labels(&[("a", "1"), ("c", "2")]),
            labels(&[("a", "2"), ("b", "0")]),
        ];
        for (i, a) in in_order.iter().enumerate() {
            for (j, b) in in_order.iter().enumerate() {
                assert_eq!(before(a, b), i.cmp(&j), "{a:?} and {b:?}");
            }
        }
    }

    #[test]
    fn fingerprints_are_fnv_of_the_sorted_labels() {
        let cases =
            [(labels(&[]), "cbf29ce484222325"), (labels(&[("slo", "a"), ("alertname", "b")]), "7fcb53a2db3a2fa1")];
        for (set, want) in cases {
            assert_eq!(fingerprint(&set), want);
        }
    }
}
