//! Which alerts definitions may have.

use std::collections::BTreeSet;

use slipstream_definitions::definition::Slo;
use slipstream_schemas::records::AlertTransition;

/// Alerts by what makes their ids, the values of groups aside: SLO, objective, labels of its groups, rule set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Alerting(BTreeSet<(String, String, Vec<String>, String)>);

impl Alerting {
    /// Those of any of these definitions.
    pub fn by(slos: &[Slo]) -> Alerting {
        let of_slo = |slo: &Slo| -> Vec<_> {
            let labels: Vec<String> = slo.group_by.iter().map(|key| key.label().to_owned()).collect();
            let sets = slo.promises().flat_map(|promise| {
                promise.rules.iter().map(move |rule| (promise.name.to_owned(), rule.rule_set.clone()))
            });
            sets.map(|(objective, rule_set)| (slo.name.clone(), objective, labels.clone(), rule_set)).collect()
        };
        Alerting(slos.iter().flat_map(of_slo).collect())
    }

    /// Whether an alert is one of them.
    pub fn has(&self, alert: &AlertTransition) -> bool {
        let labels = alert.group.iter().map(|label| label.name.clone()).collect();
        self.0.contains(&(alert.slo.clone(), alert.objective.clone(), labels, alert.rule_set.clone()))
    }
}
