//! What a message says in one line, for people: the text in a chat, the subject of a mail.

use std::collections::BTreeSet;

use super::{news, of};
use crate::notifier::dispatch::Delivery;
use crate::notifier::payload::{Alert, Status};

/// `[page] checkout is spending its error budget 36 times too fast`; of several alerts how many.
pub(super) fn headline(delivery: &Delivery) -> String {
    let told = shown(delivery);
    match told.as_slice() {
        [only] => format!("[{}] {}", state(only), summary(only)),
        many => format!("[{}] {}: {}", state_of_all(delivery), subject(many), counts(many)),
    }
}

/// What a person is told of: the news. Where an alert has only changed its severity, not that the former is over.
pub(super) fn shown(delivery: &Delivery) -> Vec<&Alert> {
    let told: Vec<&Alert> = news(delivery).collect();
    let firing: BTreeSet<&str> = told.iter().filter(|a| a.status == Status::Firing).map(|a| alert_id(a)).collect();
    // What fires first: it is what one has to do something about.
    let (fires, over): (Vec<&Alert>, Vec<&Alert>) = told.into_iter().partition(|a| a.status == Status::Firing);
    fires.into_iter().chain(over.into_iter().filter(|a| !firing.contains(alert_id(a)))).collect()
}

/// Which alert it is, whatever its severity.
pub(super) fn alert_id(alert: &Alert) -> &str {
    of(&alert.annotations, "alert_id")
}

/// Its severity while it fires, else `resolved`.
pub(super) fn state(alert: &Alert) -> &str {
    match (alert.status, of(&alert.labels, "severity")) {
        (Status::Resolved, _) => "resolved",
        (Status::Firing, "") => "firing",
        (Status::Firing, severity) => severity,
    }
}

/// One line.
pub(super) fn summary(alert: &Alert) -> String {
    let text = of(&alert.annotations, "summary");
    let text = if text.is_empty() { of(&alert.labels, "alertname") } else { text };
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// How many other alerts fire besides those that are shown; 0 if none.
pub(super) fn others(delivery: &Delivery, shown: &[&Alert]) -> u64 {
    let firing = |all: &mut dyn Iterator<Item = &Alert>| all.filter(|a| a.status == Status::Firing).count();
    let all = firing(&mut delivery.message.alerts.iter()) as u64 + delivery.message.truncated_alerts;
    all.saturating_sub(firing(&mut shown.iter().copied()) as u64)
}

fn state_of_all(delivery: &Delivery) -> &str {
    match (delivery.message.status, of(&delivery.message.common_labels, "severity")) {
        (Status::Resolved, _) => "resolved",
        (Status::Firing, "") => "firing",
        (Status::Firing, severity) => severity,
    }
}

/// What they have in common: the SLO, the service, or the name of the alert.
fn subject(alerts: &[&Alert]) -> String {
    let same = |name: &str| {
        let first = of(&alerts.first()?.labels, name);
        (!first.is_empty() && alerts.iter().all(|a| of(&a.labels, name) == first)).then(|| first.to_owned())
    };
    ["slo", "service", "alertname"].into_iter().find_map(same).unwrap_or_else(|| "several SLOs".to_owned())
}

fn counts(alerts: &[&Alert]) -> String {
    let firing = alerts.iter().filter(|a| a.status == Status::Firing).count();
    match (firing, alerts.len() - firing) {
        (firing, 0) => format!("{firing} alerts firing"),
        (0, over) => format!("{over} alerts resolved"),
        (firing, over) => format!("{firing} firing, {over} resolved"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::{Say, delivery, now_is, page};
    use super::*;

    #[test]
    fn a_headline_says_how_bad_and_what() {
        let (a, b) = (page("/a"), page("/b"));
        let cases = [
            (
                vec![Say::Fires(a.clone()), Say::Still(b.clone())],
                "[page] checkout (endpoint=/a) is spending its error budget 36 times too fast",
                1,
            ),
            (
                vec![Say::Over(a.clone())],
                "[resolved] checkout (endpoint=/a) no longer spends its error budget too fast",
                0,
            ),
            (
                vec![Say::Turns(a.clone(), now_is(&a, "ticket"))],
                "[ticket] checkout (endpoint=/a) is spending its error budget 36 times too fast",
                0,
            ),
            (vec![Say::Fires(a.clone()), Say::Over(b.clone())], "[page] checkout: 1 firing, 1 resolved", 0),
            (vec![Say::Still(a.clone()), Say::Still(b.clone())], "[page] checkout: 2 alerts firing", 0),
            (vec![Say::Over(a), Say::Over(b)], "[resolved] checkout: 2 alerts resolved", 0),
        ];
        for (all, want, besides) in cases {
            let delivery = delivery(&all);
            assert_eq!(headline(&delivery), want);
            assert_eq!(others(&delivery, &shown(&delivery)), besides, "{want}");
        }
    }
}
