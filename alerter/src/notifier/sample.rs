//! A sample for a receiver: an alert that nobody has, told like any other, and its end. What routes by severity or label gets it as it
//! would get a real one.

use std::time::{Duration, Instant};

use serde::Serialize;
use slipstream_definitions::definition::{NO_TRAFFIC, OF_RULE};
use slipstream_schemas::records::{AlertTransition, Label, TransitionKind};
use slipstream_slo::alerts::alert_id;

use super::dispatch::{Answer, Delivery, GroupKey, Part, Ticket};
use super::identity::{group_labels, idempotency_key};
use super::links::Links;
use super::payload::{Message, Status};
use super::receiver::ReceiverConfig;
use super::transport::{self, Journal, Transport};
use super::words::{End, Speaker};
use crate::error::AlerterError;

/// The alert's name, and its SLO.
pub const NAME: &str = "SlipstreamTest";

/// What a receiver made of a part of the sample.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Told {
    /// What it was told.
    pub what: Status,
    /// Whether it took it.
    pub accepted: bool,
    /// HTTP status; null where there was no answer.
    pub status: Option<u16>,
    /// What it said, or the transport.
    pub said: String,
    /// How long it took to answer.
    pub latency_ms: u64,
}

/// Sends the sample once, and its end where the receiver wants to be told of ends and has taken the beginning. `now`: Unix seconds.
/// The process has installed a TLS provider before.
///
/// # Errors
/// When the receiver is configured wrongly. One that does not answer is an answer, too.
pub async fn send(
    receiver: &ReceiverConfig,
    links: &Links,
    severity: &str,
    now: i64,
) -> Result<Vec<Told>, AlerterError> {
    receiver.check()?;
    let sender = transport::open(receiver, Journal::default())?;
    let begun = transition(receiver, severity, now);
    let speaker = Speaker { receiver: &receiver.name, links, severities: &receiver.severities };
    let mut told = vec![tell(&*sender, receiver, links, &begun, speaker.firing(&begun)).await];
    if receiver.send_resolved && told[0].accepted {
        let over = AlertTransition { kind: TransitionKind::Resolved, seq: 3, tick: now + 1, ..begun.clone() };
        told.push(tell(&*sender, receiver, links, &over, speaker.resolved(&begun, End::Over(&over))).await);
    }
    Ok(told)
}

async fn tell(
    sender: &dyn Transport,
    receiver: &ReceiverConfig,
    links: &Links,
    transition: &AlertTransition,
    alert: super::payload::Alert,
) -> Told {
    let mut alert = alert;
    if alert.status == Status::Resolved {
        alert.annotations.insert("summary".to_owned(), format!("Test of the receiver {}: over", receiver.name));
    }
    let (what, group) = (alert.status, group_labels(&receiver.group_by, &alert.labels));
    let message = Message::compose(&receiver.name, &links.external, &group, vec![alert], 0);
    let part = Part {
        alert_id: transition.alert_id.clone(),
        ticket: Ticket { partition: 0, offset: 0 },
        key: idempotency_key(transition, &receiver.name),
        transition: transition.clone(),
        begins: transition.kind == TransitionKind::Firing,
    };
    let group = GroupKey { route: String::new(), labels: group };
    let delivery = Delivery { group, parts: vec![part], message, again: false, reminder: None };
    let begin = Instant::now();
    let (answer, said) = sender.ask(&delivery).await;
    let (accepted, status) = match answer {
        Answer::Delivered { status } => (true, Some(status)),
        Answer::NotAsked { .. } => (true, None),
        Answer::Refused { status, .. } => (false, Some(status)),
        Answer::Failed { status, .. } => (false, status),
    };
    Told { what, accepted, status, said, latency_ms: millis(begin.elapsed()) }
}

fn millis(took: Duration) -> u64 {
    u64::try_from(took.as_millis()).unwrap_or(u64::MAX)
}

fn transition(receiver: &ReceiverConfig, severity: &str, now: i64) -> AlertTransition {
    let note = |name: &str, value: String| Label { name: name.to_owned(), value };
    AlertTransition {
        alert_id: alert_id(NAME, OF_RULE, &[], NAME),
        episode: now,
        seq: 2,
        slo: NAME.to_owned(),
        service: String::new(),
        objective: OF_RULE.to_owned(),
        group: Vec::new(),
        rule_set: NAME.to_owned(),
        rule: NAME.to_owned(),
        severity: severity.to_owned(),
        kind: TransitionKind::Firing,
        tick: now,
        fired_at: Some(now),
        values: Vec::new(),
        generation: 0,
        complete: true,
        labels: Vec::new(),
        annotations: vec![
            note("summary", format!("Test of the receiver {}", receiver.name)),
            note("description", "Sent by `slipstream alert test`. Nothing is wrong; it is over at once.".to_owned()),
        ],
        exemplars: Vec::new(),
        rule_kind: NO_TRAFFIC.to_owned(),
        withdrawn: false,
        holds_since: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notifier::identity::labels;

    #[test]
    fn a_sample_says_that_it_is_one() {
        let receiver = ReceiverConfig::webhook("ops", "http://127.0.0.1:9");
        let sample = transition(&receiver, "page", 1_769_940_000);
        let labels = labels(&sample);
        assert_eq!((labels["alertname"].as_str(), labels["severity"].as_str()), (NAME, "page"));
        let links = Links::default();
        let speaker = Speaker { receiver: "ops", links: &links, severities: &receiver.severities };
        let alert = speaker.firing(&sample);
        assert_eq!(alert.annotations["summary"], "Test of the receiver ops");
        assert!(alert.annotations["description"].contains("Nothing is wrong"));
    }
}
