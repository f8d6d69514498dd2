//! Who an alert is to a receiver: its group, its idempotency key.
//!
//! Receivers know an alert by its label set, `severity` among them: they route by it. So a change of severity is told
//! as Alertmanager would tell of two rules: in one message the old label set is resolved and the new one fires.

use slipstream_schemas::records::AlertTransition;
pub use slipstream_slo::alerts::{SEVERITY, is_of_rule, labels};

use crate::notifier::payload::Labels;

/// The labels of the group an alert belongs to: those of `group_by` that it has.
pub fn group_labels(group_by: &[String], labels: &Labels) -> Labels {
    group_by.iter().filter_map(|name| labels.get_key_value(name)).map(|(n, v)| (n.clone(), v.clone())).collect()
}

/// A3: what a receiver can recognise a repeated transition by. Episode, seq and receiver, behind the alert's id, since
/// two alerts may begin in the same second.
pub fn idempotency_key(transition: &AlertTransition, receiver: &str) -> String {
    format!("{}/{}/{}/{receiver}", transition.alert_id, transition.episode, transition.seq)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notifier::words::tests::transition;

    #[test]
    fn the_guide_lists_every_label() {
        const GUIDE: &str = include_str!("../../../docs/receivers.md");
        let table = GUIDE.lines().skip_while(|line| !line.starts_with("| label |")).skip(2);
        let rows = table.take_while(|line| line.starts_with('|') && !line.contains("`groupBy`, the rule's"));
        let first = |row: &'static str| row.split('|').nth(1).unwrap_or_default();
        let mut listed: Vec<&str> = rows.flat_map(|row| first(row).split('`').skip(1).step_by(2)).collect();
        listed.sort_unstable();
        let labels = labels(&transition());
        assert_eq!(listed, labels.keys().map(String::as_str).collect::<Vec<_>>());
    }

    #[test]
    fn a_group_has_those_labels_that_the_alert_has() {
        let by = ["alertname".to_owned(), "region".to_owned()];
        let group = group_labels(&by, &labels(&transition()));
        assert_eq!(group.into_iter().collect::<Vec<_>>(), [("alertname".to_owned(), "SLOBurnRate".to_owned())]);
    }
}
