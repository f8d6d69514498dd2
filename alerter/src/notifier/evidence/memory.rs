//! What was added to alerts, by the idempotency key: what is sent again says the same.

use std::collections::{BTreeMap, VecDeque};

use crate::notifier::payload::{Labels, Message, Status};

/// Alerts that are remembered, the newest; some 4 KiB each.
const KEPT: usize = 1_024;

/// The annotation that has an alert's idempotency key.
pub(super) const KEY: &str = "idempotency_key";

/// What was added to alerts.
#[derive(Debug, Default)]
pub struct Memory {
    added: BTreeMap<String, Labels>,
    order: VecDeque<String>,
}

impl Memory {
    /// Whether something was decided for a key.
    pub fn knows(&self, key: &str) -> bool {
        self.added.contains_key(key)
    }

    /// Remembers it, unless it was decided before.
    pub fn remember(&mut self, key: String, annotations: Labels) {
        if self.knows(&key) {
            return;
        }
        if self.order.len() == KEPT
            && let Some(oldest) = self.order.pop_front()
        {
            self.added.remove(&oldest);
        }
        self.order.push_back(key.clone());
        self.added.insert(key, annotations);
    }

    /// The message with what is remembered of the alerts that fire in it: also of those that it repeats. What an alert says itself
    /// stays; labels do not change.
    pub fn annotate(&self, mut message: Message) -> Message {
        let mut names: Vec<String> = Vec::new();
        for alert in message.alerts.iter_mut().filter(|alert| alert.status == Status::Firing) {
            let Some(added) = alert.annotations.get(KEY).and_then(|key| self.added.get(key)) else { continue };
            let dashboard = ("dashboard_url".to_owned(), alert.generator_url.clone());
            let dashboard = Some(dashboard).filter(|(_, url)| !url.is_empty());
            for (name, value) in added.clone().into_iter().chain(dashboard) {
                names.push(name.clone());
                alert.annotations.entry(name).or_insert(value);
            }
        }
        for name in names {
            let mut values = message.alerts.iter().map(|alert| alert.annotations.get(&name));
            if let Some(Some(value)) = values.next()
                && values.all(|other| other == Some(value))
            {
                let value = value.clone();
                message.common_annotations.insert(name, value);
            }
        }
        message
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notifier::links::Links;
    use crate::notifier::payload::Alert;
    use crate::notifier::words::tests::transition;
    use crate::notifier::words::{End, Speaker};
    use slipstream_schemas::records::{AlertTransition, Label, TransitionKind};

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn message(alerts: Vec<Alert>) -> Message {
        Message::compose("ops", "", &Labels::new(), alerts, 0)
    }

    #[test]
    fn alerts_that_fire_get_what_is_remembered_of_them_and_no_others() {
        let (links, severities) =
            (Links { external: "http://grafana.test".to_owned(), alert: String::new() }, Labels::new());
        let speaker = Speaker { receiver: "ops", links: &links, severities: &severities };
        let page = transition();
        let over = AlertTransition { kind: TransitionKind::Resolved, seq: 3, ..transition() };
        let other = AlertTransition { alert_id: "other".to_owned(), ..transition() };
        let mut memory = Memory::default();
        memory.remember("00c0ffee00c0ffee/1769940000/2/ops".to_owned(), labels(&[("evidence", "much"), ("x", "1")]));
        memory.remember("00c0ffee00c0ffee/1769940000/2/ops".to_owned(), labels(&[("evidence", "other words")]));

        let alone = memory.annotate(message(vec![speaker.firing(&page)]));
        let said = |alert: &Alert, name: &str| alert.annotations.get(name).cloned().unwrap_or_default();
        assert_eq!(said(&alone.alerts[0], "evidence"), "much", "what was decided first");
        assert_eq!(said(&alone.alerts[0], "dashboard_url"), "http://grafana.test");
        assert_eq!(alone.common_annotations, alone.alerts[0].annotations, "all that the only alert says");
        assert_eq!(alone.alerts[0].labels, speaker.firing(&page).labels);

        let two = memory.annotate(message(vec![speaker.firing(&page), speaker.firing(&other)]));
        let with: Vec<bool> = two.alerts.iter().map(|alert| alert.annotations.contains_key("evidence")).collect();
        assert_eq!(with.iter().filter(|with| **with).count(), 1);
        assert!(!two.common_annotations.contains_key("evidence"), "only one says it");

        let ended = message(vec![speaker.resolved(&page, End::Over(&over))]);
        assert_eq!(memory.annotate(ended.clone()), ended);

        let own = AlertTransition {
            annotations: vec![Label { name: "evidence".to_owned(), value: "mine".to_owned() }],
            ..transition()
        };
        assert_eq!(said(&memory.annotate(message(vec![speaker.firing(&own)])).alerts[0], "evidence"), "mine");
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut memory = Memory::default();
        (0..KEPT + 2).for_each(|i| memory.remember(i.to_string(), Labels::new()));
        assert_eq!((memory.added.len(), memory.knows("1"), memory.knows("2")), (KEPT, false, true));
    }
}
