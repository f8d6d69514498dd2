//! What jiralert 1.4 and snmp_notifier 2.1 make of our bodies while an alert fires, becomes worse and is over. No registry has
//! them, so they are not run: their rules are here, as they were seen when both ran.

use std::collections::BTreeSet;

use super::*;
use crate::notifier::format::Writer;
use crate::notifier::payload::Labels;

/// The severities that snmp_notifier knows without settings; it answers a body with another one 400.
const SNMP: [&str; 3] = ["critical", "warning", "info"];

/// The bodies of one alert: a ticket, that becomes a page, that is over.
fn bodies() -> Vec<Message> {
    let mut story = Story::new(|config| {
        config.severities = [("page", "critical"), ("ticket", "warning")].map(|(a, b)| (a.into(), b.into())).into();
    });
    let writer = Writer::new(&story.dispatcher.config).unwrap();
    let mut bodies = Vec::new();
    for (seq, kind, severity) in [(2, FIRING, "ticket"), (3, SEVERITY, "page"), (4, RESOLVED, "page")] {
        let transition = AlertTransition { seq, kind, severity: severity.to_owned(), ..transition() };
        let ticket = Ticket { partition: 0, offset: i64::from(seq) };
        let pending = Pending { ticket, transition, since: story.now, attempts: 0, route: None };
        story.dispatcher.push(pending, story.now);
        for delivery in story.next() {
            bodies.extend(writer.bodies(&delivery, jiff::Timestamp::UNIX_EPOCH));
            story.answer(&delivery, &OK);
        }
        story.now += 5_000;
    }
    let texts = bodies.into_iter().map(|body| String::from_utf8(body).unwrap());
    texts.map(|text| serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}"))).collect()
}

/// jiralert's default title: status and number of what fires, the values of the group's labels, in brackets those of the other
/// common labels.
fn title(message: &Message) -> String {
    let fires = message.alerts.iter().filter(|alert| alert.status == Status::Firing).count();
    let status = if message.status == Status::Firing { format!("FIRING:{fires}") } else { "RESOLVED".to_owned() };
    let values = |labels: Labels| labels.into_values().collect::<Vec<_>>().join(" ");
    let mut others = message.common_labels.clone();
    others.retain(|name, _| !message.group_labels.contains_key(name));
    format!("[{status}] {} ({})", values(message.group_labels.clone()), values(others))
}

#[test]
fn jiralert_keeps_one_ticket_whose_title_says_how_bad_it_is() {
    let bodies = bodies();
    assert_eq!(bodies.len(), 3);
    let tickets: BTreeSet<(&str, &Labels)> = bodies.iter().map(|m| (m.receiver.as_str(), &m.group_labels)).collect();
    let group = [("alertname", "SLOBurnRate"), ("slo", "checkout")].map(|(n, v)| (n.to_owned(), v.to_owned()));
    assert_eq!(tickets, BTreeSet::from([("ops", &group.into())]), "the receiver's name, and the labels of its ticket");
    let titles: Vec<String> = bodies.iter().map(title).collect();
    for (title, (begin, severity)) in
        titles.iter().zip([("[FIRING:1]", "warning"), ("[FIRING:1]", "critical"), ("[RESOLVED]", "critical")])
    {
        assert!(title.starts_with(&format!("{begin} SLOBurnRate checkout (")), "{titles:?}");
        assert!(title.split(['(', ')', ' ']).any(|word| word == severity), "{titles:?}");
    }
}

#[test]
fn snmp_notifier_knows_every_severity_and_what_it_is_told_of() {
    for message in bodies() {
        for alert in &message.alerts {
            let severity = alert.labels["severity"].as_str();
            assert!(SNMP.contains(&severity), "{severity}: the whole body would be refused");
            assert!(
                !alert.labels["alertname"].is_empty() && !alert.labels.contains_key("oid"),
                "it has its own OID then"
            );
        }
        let text = String::from_utf8(message.to_bytes()).unwrap();
        assert!(!text.contains(r#""page""#) && !text.contains(r#""ticket""#), "{text}");
        let fires = message.alerts.iter().any(|alert| alert.status == Status::Firing);
        assert_eq!(message.status == Status::Firing, fires, "{text}");
    }
}
