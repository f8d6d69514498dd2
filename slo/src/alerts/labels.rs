//! Who an alert is to people and receivers: its labels.

use std::collections::BTreeMap;

use slipstream_definitions::definition::OF_RULE;
use slipstream_definitions::labels::{legal, of_group};
use slipstream_schemas::records::AlertTransition;

/// Names and values, in byte order of the names.
pub type Labels = BTreeMap<String, String>;

/// The label that receivers route by.
pub const SEVERITY: &str = "severity";

/// The label by which many receivers tell alerts of one name apart.
const INSTANCE: &str = "instance";

/// Names that are ours; a group dimension of such a name becomes `group_<name>`.
const OURS: [&str; 5] = ["alertname", "slo", "objective", SEVERITY, "rule_set"];

/// The labels of an alert as of a transition. Ours win over a rule's; a group dimension `service` wins over the SLO's
/// service, being more exact; what is empty is left out, as Prometheus does. `instance` says whose alert it is, unless
/// a rule or a dimension has a label of that name: receivers such as Alerta key alerts by alertname and instance alone,
/// and would take all SLOs for one.
pub fn labels(transition: &AlertTransition) -> Labels {
    let t = transition;
    let mut labels: Labels = t.labels.iter().map(|l| (legal(&l.name), l.value.clone())).collect();
    let ours = [
        ("alertname", alertname(&t.rule_set)),
        ("slo", t.slo.clone()),
        ("service", t.service.clone()),
        ("objective", if is_of_rule(t) { String::new() } else { t.objective.clone() }),
        (SEVERITY, t.severity.clone()),
        ("rule_set", t.rule_set.clone()),
    ];
    labels.extend(ours.map(|(name, value)| (name.to_owned(), value)));
    labels.extend(of_group(t.group.iter().map(|d| (d.name.as_str(), d.value.as_str())), &OURS));
    labels.retain(|_, value| !value.is_empty());
    labels.entry(INSTANCE.to_owned()).or_insert_with(|| instance(t));
    labels
}

/// Whether it is of a Rule that counts for itself: then `slo` is its name, and there is no objective.
pub fn is_of_rule(t: &AlertTransition) -> bool {
    t.slo == t.rule_set && t.objective == OF_RULE
}

/// `slo/objective`, of a Rule its name, and behind them the values of the group's dimensions. A slash within a part is escaped where it
/// could make two alerts one; the last part needs no end.
fn instance(t: &AlertTransition) -> String {
    let escaped = |part: &str| part.replace('%', "%25").replace('/', "%2F");
    let mut parts = vec![t.slo.clone()];
    if !is_of_rule(t) {
        parts.push(escaped(&t.objective));
    }
    match t.group.as_slice() {
        [one] => parts.push(one.value.clone()),
        many => parts.extend(many.iter().map(|dimension| escaped(&dimension.value))),
    }
    parts.join("/")
}

/// `burn` is SLOBurnRate; that of a Rule has its name.
fn alertname(rule_set: &str) -> String {
    if rule_set == "burn" { "SLOBurnRate".to_owned() } else { rule_set.to_owned() }
}

#[cfg(test)]
mod tests {
    use slipstream_schemas::records::{GroupLabel, Label};

    use super::*;
    use crate::alerts::fixtures::transition;

    #[test]
    fn labels_name_the_alert() {
        let t = transition();
        let pairs: Vec<(String, String)> = labels(&t).into_iter().collect();
        let want = [
            ("alertname", "SLOBurnRate"),
            ("instance", "checkout/availability"),
            ("objective", "availability"),
            ("rule_set", "burn"),
            ("service", "payments"),
            ("severity", "page"),
            ("slo", "checkout"),
        ];
        assert_eq!(pairs, want.map(|(n, v)| (n.to_owned(), v.to_owned())));
    }

    #[test]
    fn a_rule_that_counts_for_itself_has_no_objective() {
        let t = AlertTransition {
            slo: "HighErrorRate".to_owned(),
            rule_set: "HighErrorRate".to_owned(),
            objective: "rule".to_owned(),
            group: vec![GroupLabel { name: "endpoint".to_owned(), value: "/pay".to_owned() }],
            ..transition()
        };
        let labels = labels(&t);
        assert_eq!(
            (labels["alertname"].as_str(), labels["instance"].as_str()),
            ("HighErrorRate", "HighErrorRate//pay")
        );
        assert!(!labels.contains_key("objective"), "{labels:?}");
    }

    #[test]
    fn a_dimension_never_hides_who_the_alert_is() {
        let mut t = transition();
        let dimension = |name: &str, value: &str| GroupLabel { name: name.to_owned(), value: value.to_owned() };
        t.group = vec![
            dimension("severity", "blocker"),
            dimension("service", "pay-eu"),
            dimension("http.route", "/pay"),
            dimension("http_route", "/v2"),
            dimension("2nd", ""),
        ];
        t.labels = vec![Label { name: "team".to_owned(), value: "money".to_owned() }];
        let labels = labels(&t);
        assert_eq!(labels["severity"], "page");
        assert_eq!(labels["group_severity"], "blocker");
        assert_eq!(labels["service"], "pay-eu");
        assert_eq!((labels["http_route"].as_str(), labels["http_route_"].as_str()), ("/pay", "/v2"));
        assert_eq!(labels["team"], "money");
        assert!(!labels.contains_key("_2nd"));
    }

    #[test]
    fn every_alert_has_an_instance_of_its_own() {
        let of = |objective: &str, values: &[&str]| {
            let dimension =
                |(i, value): (usize, &&str)| GroupLabel { name: format!("d{i}"), value: (*value).to_owned() };
            let group = values.iter().enumerate().map(dimension).collect();
            labels(&AlertTransition { objective: objective.to_owned(), group, ..transition() })["instance"].clone()
        };
        assert_eq!(of("answered", &["/pay"]), "checkout/answered//pay");
        let pairs = [
            (of("a", &["x", "y/z"]), of("a", &["x/y", "z"])),
            (of("a", &["x%2Fy", "z"]), of("a", &["x/y", "z"])),
            (of("a/b", &["c"]), of("a", &["b/c"])),
            (of("a", &[]), of("b", &[])),
        ];
        for (one, other) in pairs {
            assert_ne!(one, other);
        }
        let mut named = transition();
        named.group = vec![GroupLabel { name: "instance".to_owned(), value: "pod-7".to_owned() }];
        assert_eq!(labels(&named)["instance"], "pod-7", "a dimension of that name stays");
    }

    #[test]
    fn rule_sets_have_names() {
        for (set, name) in [("burn", "SLOBurnRate"), ("HighErrorRate", "HighErrorRate")] {
            assert_eq!(alertname(set), name);
        }
    }
}
