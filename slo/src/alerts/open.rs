//! The state of alerting: of each alert whose episode is not over, its last transition. Nothing else is remembered, so it
//! is rebuilt by reading `alerts`.

use std::collections::{BTreeMap, BTreeSet};

use slipstream_schemas::records::{AlertTransition, BurnRates, TransitionKind};

use super::decide::decide;
use crate::revision::Revisions;

/// Which series an alert watches.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SeriesKey {
    slo: String,
    objective: String,
    group: Vec<String>,
}

impl SeriesKey {
    /// The series of a burn-rate record.
    pub fn of_rates(rates: &BurnRates) -> Self {
        SeriesKey { slo: rates.slo.clone(), objective: rates.objective.clone(), group: rates.group.clone() }
    }

    /// The series of a transition.
    pub fn of_transition(t: &AlertTransition) -> Self {
        let group = t.group.iter().map(|label| label.value.clone()).collect();
        SeriesKey { slo: t.slo.clone(), objective: t.objective.clone(), group }
    }
}

/// The alerts whose episode is not over.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct OpenAlerts {
    of_series: BTreeMap<SeriesKey, Vec<AlertTransition>>,
}

impl OpenAlerts {
    /// Folds a transition in.
    pub fn apply(&mut self, t: AlertTransition) {
        let key = SeriesKey::of_transition(&t);
        let alerts = self.of_series.entry(key.clone()).or_default();
        alerts.retain(|open| open.alert_id != t.alert_id);
        if !matches!(t.kind, TransitionKind::Inactive | TransitionKind::Resolved) {
            let at = alerts.partition_point(|open| open.alert_id < t.alert_id);
            alerts.insert(at, t);
        }
        if alerts.is_empty() {
            self.of_series.remove(&key);
        }
    }

    /// The open alerts of a series, by alert id.
    pub fn of(&self, key: &SeriesKey) -> &[AlertTransition] {
        self.of_series.get(key).map_or(&[], Vec::as_slice)
    }

    /// Decides what a burn-rate record means and folds it in: see [`decide()`].
    pub fn decide(&mut self, rates: &BurnRates, revisions: &Revisions) -> Vec<AlertTransition> {
        let made = decide(rates, self.of(&SeriesKey::of_rates(rates)), revisions);
        made.iter().cloned().for_each(|transition| self.apply(transition));
        made
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.of_series.values().map(Vec::len).sum()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.of_series.is_empty()
    }
}

/// Open alerts as they will be when the step that is being decided is committed.
#[derive(Debug)]
pub struct Draft<'a> {
    base: &'a OpenAlerts,
    changed: OpenAlerts,
    touched: BTreeSet<SeriesKey>,
}

impl<'a> Draft<'a> {
    /// A draft in which nothing has changed.
    pub fn over(base: &'a OpenAlerts) -> Self {
        Draft { base, changed: OpenAlerts::default(), touched: BTreeSet::new() }
    }

    /// The open alerts of a series, by alert id.
    pub fn of(&self, key: &SeriesKey) -> &[AlertTransition] {
        if self.touched.contains(key) { self.changed.of(key) } else { self.base.of(key) }
    }

    /// Decides what a burn-rate record means and folds it in: see [`decide()`].
    pub fn decide(&mut self, rates: &BurnRates, revisions: &Revisions) -> Vec<AlertTransition> {
        let made = decide(rates, self.of(&SeriesKey::of_rates(rates)), revisions);
        made.iter().cloned().for_each(|transition| self.apply(transition));
        made
    }

    /// Folds a transition in.
    pub fn apply(&mut self, t: AlertTransition) {
        let key = SeriesKey::of_transition(&t);
        if self.touched.insert(key.clone()) {
            self.base.of(&key).iter().cloned().for_each(|open| self.changed.apply(open));
        }
        self.changed.apply(t);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alerts::fixtures::transition;

    #[test]
    fn a_state_is_the_last_transition_of_each_open_alert() {
        let other = AlertTransition { alert_id: "00".to_owned(), rule_set: "quiet".to_owned(), ..transition() };
        let mut open = OpenAlerts::default();
        for (seq, kind) in [(1, TransitionKind::Pending), (2, TransitionKind::Firing), (3, TransitionKind::Keeping)] {
            open.apply(AlertTransition { seq, kind, ..transition() });
        }
        open.apply(other.clone());
        let key = SeriesKey::of_transition(&other);
        let found: Vec<(&str, i32)> = open.of(&key).iter().map(|t| (t.alert_id.as_str(), t.seq)).collect();
        assert_eq!(found, [("00", 2), ("00c0ffee00c0ffee", 3)]);

        open.apply(AlertTransition { seq: 4, kind: TransitionKind::Resolved, ..transition() });
        open.apply(AlertTransition { seq: 3, kind: TransitionKind::Inactive, ..other });
        assert!(open.is_empty() && open.of(&key).is_empty());
    }

    #[test]
    fn a_draft_leaves_what_is_committed_alone() {
        let mut base = OpenAlerts::default();
        base.apply(transition());
        let key = SeriesKey::of_transition(&transition());
        let before = base.clone();
        let mut draft = Draft::over(&base);
        assert_eq!(draft.of(&key).len(), 1);
        draft.apply(AlertTransition { seq: 3, kind: TransitionKind::Severity, ..transition() });
        assert_eq!(draft.of(&key)[0].seq, 3);
        draft.apply(AlertTransition { seq: 4, kind: TransitionKind::Resolved, ..transition() });
        assert!(draft.of(&key).is_empty());
        assert_eq!(base, before);
    }
}
