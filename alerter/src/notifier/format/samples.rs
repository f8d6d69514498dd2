//! Deliveries for the tests of formats.

use slipstream_schemas::records::{AlertTransition, GroupLabel, TransitionKind};

use crate::notifier::dispatch::{Delivery, GroupKey, Part, Ticket};
use crate::notifier::identity::{group_labels, idempotency_key, labels};
use crate::notifier::links::Links;
use crate::notifier::payload::{Alert, Labels, Message, Status};
use crate::notifier::words::tests::transition;
use crate::notifier::words::{End, Speaker};

/// A page of an endpoint at 2026-02-01T10:00:00Z.
pub(crate) fn page(endpoint: &str) -> AlertTransition {
    AlertTransition {
        alert_id: format!("id-of-{}", endpoint.trim_start_matches('/')),
        group: vec![GroupLabel { name: "endpoint".to_owned(), value: endpoint.to_owned() }],
        ..transition()
    }
}

/// The end of what fired, seven minutes later.
pub(crate) fn over(of: &AlertTransition) -> AlertTransition {
    AlertTransition { kind: TransitionKind::Resolved, seq: of.seq + 1, tick: of.tick + 420, ..of.clone() }
}

/// It has another severity, a minute later.
pub(crate) fn now_is(of: &AlertTransition, severity: &str) -> AlertTransition {
    let severity = severity.to_owned();
    AlertTransition { kind: TransitionKind::Severity, seq: of.seq + 1, tick: of.tick + 60, severity, ..of.clone() }
}

/// What a delivery is made of.
#[allow(clippy::large_enum_variant, reason = "a test has a few of them")]
pub(crate) enum Say {
    /// News: it fires.
    Fires(AlertTransition),
    /// News: it is over.
    Over(AlertTransition),
    /// News: it has this severity instead of the former.
    Turns(AlertTransition, AlertTransition),
    /// It fires, as the receiver knows.
    Still(AlertTransition),
}

/// A delivery to the receiver `ops`, put together as the dispatcher does it.
pub(crate) fn delivery(all: &[Say]) -> Delivery {
    let links = Links { external: "http://slo.test".to_owned(), alert: "http://slo.test/{alert_id}".to_owned() };
    let none = Labels::new();
    let speaker = Speaker { receiver: "ops", links: &links, severities: &none };
    let (mut alerts, mut parts): (Vec<Alert>, Vec<Part>) = Default::default();
    for say in all {
        match say {
            Say::Still(t) => alerts.push(speaker.firing(t)),
            Say::Fires(t) => {
                alerts.push(speaker.firing(t));
                parts.push(part(t));
            }
            Say::Over(t) => {
                let end = over(t);
                alerts.push(speaker.resolved(t, End::Over(&end)));
                parts.push(part(&end));
            }
            Say::Turns(was, is) => {
                alerts.push(speaker.resolved(was, End::Replaced(is)));
                alerts.push(speaker.firing(is));
                parts.push(part(is));
            }
        }
    }
    let group = group_labels(&["alertname".to_owned(), "slo".to_owned()], &labels(&transition()));
    let mut message = Message::compose("ops", &links.external, &group, alerts, 0);
    message.alerts.sort_by_key(|alert| alert.status == Status::Firing);
    message.common_labels.insert("severity".to_owned(), "page".to_owned());
    let group = GroupKey { route: "{}".to_owned(), labels: group };
    Delivery { group, parts, message, again: false, reminder: None }
}

fn part(t: &AlertTransition) -> Part {
    let key = idempotency_key(t, "ops");
    let begins = t.kind == TransitionKind::Firing;
    Part {
        alert_id: t.alert_id.clone(),
        ticket: Ticket { partition: 0, offset: 0 },
        key,
        transition: t.clone(),
        begins,
    }
}

/// A body as JSON.
pub(crate) fn json(body: &[u8]) -> serde_json::Value {
    serde_json::from_slice(body).unwrap()
}
