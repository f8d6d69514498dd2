//! PagerDuty's Events API, version 2: an event for each alert. Its `dedup_key` is the alert's id, so all events of an alert
//! are one incident.

use serde::Serialize;
use serde_json::json;
use slipstream_runtime::config::ReceiverFormat;

use super::words::{alert_id, summary};
use super::{cut, news, of};
use crate::notifier::dispatch::Delivery;
use crate::notifier::gojson;
use crate::notifier::payload::{Alert, Status};
use crate::notifier::receiver::ReceiverConfig;

/// Characters of a summary at most.
const SUMMARY: usize = 1_024;
/// Bytes of an event at most.
const EVENT: usize = 512_000;
/// The severities there are, by our ranks from 0.
const SEVERITIES: [&str; 4] = ["info", "warning", "error", "critical"];

#[derive(Serialize)]
struct Event<'a> {
    routing_key: &'a str,
    event_action: &'static str,
    dedup_key: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<Payload<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    links: Vec<Link<'a>>,
    client: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    client_url: &'a str,
}

#[derive(Serialize)]
struct Payload<'a> {
    summary: String,
    source: &'a str,
    severity: &'static str,
    timestamp: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    component: &'a str,
    group: &'a str,
    class: &'a str,
    custom_details: serde_json::Value,
}

#[derive(Serialize)]
struct Link<'a> {
    href: &'a str,
    text: &'static str,
}

/// The events, in the order of the alerts.
pub(super) fn bodies(delivery: &Delivery, config: &ReceiverConfig) -> Vec<Vec<u8>> {
    let ReceiverFormat::PagerDuty { routing_key } = &config.format else { return Vec::new() };
    let events = events(delivery, config).into_iter();
    events.map(|alert| event(alert, routing_key.reveal(), &delivery.message.external_url, config)).collect()
}

/// The alerts that are worth an event. An alert that becomes worse is resolved and triggered anew, so that somebody is
/// called as its new severity asks; one that becomes milder stays the incident that it is.
fn events<'a>(delivery: &'a Delivery, config: &ReceiverConfig) -> Vec<&'a Alert> {
    let rank = |alert: &Alert| config.rank(of(&alert.labels, "severity"));
    let fires = |over: &Alert| {
        let mut firing = news(delivery).filter(|alert| alert.status == Status::Firing);
        firing.find(|alert| alert_id(alert) == alert_id(over))
    };
    let worth = |alert: &&Alert| {
        alert.status == Status::Firing || fires(alert).is_none_or(|instead| rank(instead) > rank(alert))
    };
    news(delivery).filter(worth).collect()
}

fn event(alert: &Alert, routing_key: &str, client_url: &str, config: &ReceiverConfig) -> Vec<u8> {
    let firing = alert.status == Status::Firing;
    let mut event = Event {
        routing_key,
        event_action: if firing { "trigger" } else { "resolve" },
        dedup_key: alert_id(alert),
        payload: firing.then(|| payload(alert, config)),
        links: if firing { links(alert) } else { Vec::new() },
        client: "Slipstream",
        client_url,
    };
    let bytes = encode(&event);
    if bytes.len() <= EVENT {
        return bytes;
    }
    if let Some(payload) = &mut event.payload {
        payload.custom_details = json!({"error": "the details were too long for PagerDuty"});
    }
    encode(&event)
}

fn encode(event: &Event<'_>) -> Vec<u8> {
    gojson::encode(event).unwrap_or_else(|e| unreachable!("strings and maps of strings are always JSON: {e}"))
}

fn payload<'a>(alert: &'a Alert, config: &ReceiverConfig) -> Payload<'a> {
    let label = |name| of(&alert.labels, name);
    Payload {
        summary: cut(&summary(alert), SUMMARY),
        source: label("instance"),
        severity: severity(label("severity"), config),
        timestamp: &alert.starts_at,
        component: label("service"),
        group: label("slo"),
        class: label("alertname"),
        custom_details: json!({"labels": alert.labels, "annotations": alert.annotations}),
    }
}

/// PagerDuty's own names stay; others by how bad they are.
fn severity(name: &str, config: &ReceiverConfig) -> &'static str {
    let own = SEVERITIES.into_iter().find(|own| name.eq_ignore_ascii_case(own));
    own.unwrap_or_else(|| SEVERITIES[usize::from(config.rank(name)).min(SEVERITIES.len() - 1)])
}

fn links(alert: &Alert) -> Vec<Link<'_>> {
    let annotation = |name| of(&alert.annotations, name);
    let all = [
        (alert.generator_url.as_str(), "Alert"),
        (annotation("runbook_url"), "Runbook"),
        (annotation("runbook"), "Runbook"),
    ];
    let is_link = |href: &str| href.starts_with("https://") || href.starts_with("http://");
    all.into_iter().filter(|(href, _)| is_link(href)).map(|(href, text)| Link { href, text }).collect()
}

#[cfg(test)]
mod tests {
    use slipstream_runtime::config::Secret;
    use slipstream_schemas::records::Label;

    use super::super::samples::{Say, delivery, json, now_is, page};
    use super::*;

    fn config() -> ReceiverConfig {
        let format = ReceiverFormat::PagerDuty { routing_key: Secret::new("R0UT1NG") };
        ReceiverConfig { format, ..ReceiverConfig::webhook("ops", "http://localhost") }
    }

    fn written(all: &[Say]) -> Vec<serde_json::Value> {
        bodies(&delivery(all), &config()).iter().map(|body| json(body)).collect()
    }

    #[test]
    fn an_alert_is_triggered_with_all_that_is_known_and_resolved_by_its_key() {
        let events = written(&[Say::Fires(page("/a")), Say::Over(page("/b")), Say::Still(page("/c"))]);
        let resolve = serde_json::json!({"routing_key": "R0UT1NG", "event_action": "resolve", "dedup_key": "id-of-b",
            "client": "Slipstream", "client_url": "http://slo.test"});
        let [resolved, trigger] = &events[..] else { panic!("{events:?}") };
        assert_eq!(resolved, &resolve);
        let mut trigger = trigger.clone();
        let details = trigger["payload"]["custom_details"].take();
        assert_eq!(details["labels"]["endpoint"], "/a");
        assert_eq!(details["annotations"]["idempotency_key"], "id-of-a/1769940000/2/ops");
        let want = serde_json::json!({"routing_key": "R0UT1NG", "event_action": "trigger", "dedup_key": "id-of-a",
            "payload": {"summary": "checkout (endpoint=/a) is spending its error budget 36 times too fast",
                "source": "checkout/availability//a", "severity": "critical", "timestamp": "2026-02-01T10:00:00Z",
                "component": "payments", "group": "checkout", "class": "SLOBurnRate", "custom_details": null},
            "links": [{"href": "http://slo.test/id-of-a", "text": "Alert"}],
            "client": "Slipstream", "client_url": "http://slo.test"});
        assert_eq!(trigger, want);
    }

    #[test]
    fn only_what_becomes_worse_begins_anew() {
        let (page, ticket) = (page("/a"), now_is(&page("/a"), "ticket"));
        let actions = |was: &_, is: &_| -> Vec<String> {
            let events = written(&[Say::Turns(Clone::clone(was), Clone::clone(is))]);
            events
                .iter()
                .map(|e| format!("{} {}", e["event_action"], e["payload"]["severity"]).replace('"', ""))
                .collect()
        };
        assert_eq!(actions(&ticket, &page), ["resolve null", "trigger critical"]);
        assert_eq!(actions(&page, &ticket), ["trigger warning"]);
    }

    #[test]
    fn severities_are_those_of_pagerduty() {
        let mut config = config();
        config.severities = [("page".to_owned(), "P1".to_owned())].into();
        for (name, want) in [
            ("page", "critical"),
            ("P1", "critical"),
            ("Critical", "critical"),
            ("sev2", "error"),
            ("error", "error"),
            ("ticket", "warning"),
            ("", "warning"),
            ("info", "info"),
        ] {
            assert_eq!(severity(name, &config), want, "{name}");
        }
    }

    #[test]
    fn what_is_too_long_is_cut() {
        let note = |name: &str, length| Label { name: name.to_owned(), value: "é".repeat(length) };
        let mut t = page("/a");
        t.annotations = vec![note("summary", 2_000), note("story", 300_000)];
        let bodies = bodies(&delivery(&[Say::Fires(t)]), &config());
        assert!(bodies[0].len() <= EVENT);
        let event = json(&bodies[0]);
        assert_eq!(event["payload"]["summary"].as_str().unwrap().chars().count(), SUMMARY);
        assert!(event["payload"]["custom_details"]["error"].as_str().unwrap().contains("too long"), "{event}");
    }
}
