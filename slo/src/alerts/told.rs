//! Annotations as an alert tells them: the names in their texts replaced by what is known at the transition.

use slipstream_definitions::definition::{Rule, Slo};
use slipstream_definitions::template;
use slipstream_schemas::records::{AlertValue, BurnRates, Label};

use crate::rule::words::{figure, length, percent};
use crate::rule::{Kind, Kinds};

/// The annotation with the address of a runbook.
const RUNBOOK: &str = "runbook_url";

/// What the names in a text may ask for.
pub(super) struct Known<'a> {
    pub rates: &'a BurnRates,
    pub slo: &'a Slo,
    /// The rule that speaks.
    pub rule: &'a Rule,
    /// What all rules that hold look at.
    pub values: &'a [AlertValue],
    pub kinds: Kinds,
}

impl Known<'_> {
    /// A rule's annotations with their names replaced.
    pub(super) fn fill(&self, annotations: Vec<Label>) -> Vec<Label> {
        let fill = |label: Label| Label {
            value: if template::has_names(&label.value) {
                template::filled(&label.value, |name| self.value(name))
            } else {
                label.value
            },
            ..label
        };
        annotations.into_iter().map(fill).collect()
    }

    fn value(&self, name: &str) -> Option<String> {
        let (rates, rule) = (self.rates, self.rule);
        let kind: &dyn Kind = self.kinds.of(&rule.condition);
        let mut values: Vec<&AlertValue> = self.values.iter().filter(|value| value.rule == rule.name).collect();
        values.sort_by_key(|value| value.window_seconds);
        // The shortest window says how it is now.
        let now = values.first();
        if let Some(dimension) = name.strip_prefix(template::GROUP) {
            let place = self.slo.group_by.iter().position(|key| key.label() == dimension)?;
            return rates.group.get(place).cloned();
        }
        Some(match name {
            "value" => now
                .and_then(|now| now.value)
                .map_or("none".to_owned(), |value| kind.figure(value, now.map(|now| now.threshold))),
            "threshold" => kind.figure(rule.condition.threshold.as_f64(), None),
            "window" => now.map_or(String::new(), |now| length(now.window_seconds)),
            "windows" => values.iter().map(|value| length(value.window_seconds)).collect::<Vec<_>>().join(", "),
            "good" => now.and_then(|now| now.good).map_or(String::new(), |good| good.to_string()),
            "total" => now.and_then(|now| now.total).map_or(String::new(), |total| total.to_string()),
            "bad" => {
                let counted = now.and_then(|now| Some((now.total?, now.good?)));
                counted.map_or(String::new(), |(total, good)| (total - good).to_string())
            }
            "burn_rate" => now.map_or(String::new(), |now| figure(now.burn, &[])),
            "sli" => rates.sli.map_or("none".to_owned(), |sli| percent(sli, rates.target.as_slice())),
            "target" => rates.target.map_or(String::new(), |target| percent(target, &[])),
            "budget_left" => percent(rates.budget_remaining, &[]),
            "exhausted_in" => match rates.exhaustion_at {
                Some(at) => length(at - rates.tick - 1),
                None if rates.budget_remaining <= 0.0 => "spent".to_owned(),
                None => "not at this rate".to_owned(),
            },
            "objective" => rates.objective.clone(),
            "slo" => rates.slo.clone(),
            "service" => self.slo.service.clone(),
            "rule" => rule.name.clone(),
            "severity" => rule.severity.name.clone(),
            "group" => {
                let pairs = self.slo.group_by.iter().zip(&rates.group);
                pairs.map(|(key, value)| format!("{}={value}", key.label())).collect::<Vec<_>>().join(", ")
            }
            "runbook" => {
                let found = rule.annotations.iter().find(|(name, _)| name == RUNBOOK);
                found.map_or(String::new(), |(_, address)| address.clone())
            }
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use slipstream_definitions::definition::{
        Condition, Document, ERROR_RATIO, GroupKey, Indicator, Objective, Ratio, Severity, Side, Window,
    };

    use super::*;
    use crate::rule::words::tests::rates;

    fn slo() -> Slo {
        let indicator = Indicator { total: "true".to_owned(), side: Side::Good("true".to_owned()) };
        Slo {
            name: "checkout".to_owned(),
            display_name: "Checkout".to_owned(),
            service: "payments".to_owned(),
            description: String::new(),
            group_by: vec![GroupKey::Endpoint],
            window: Window::Rolling(86_400),
            objectives: vec![Objective::new("answered", indicator, Ratio { num: 99, den: 100 })],
            composite: None,
            labels: Vec::new(),
            document: Document::Slo,
        }
    }

    #[test]
    fn every_name_is_known() {
        let slo = slo();
        let mut rates = rates(&[(300, 930, 1_000), (86_400, 99_000, 100_000)]);
        rates.group = vec!["/pay".to_owned()];
        (rates.sli, rates.budget_remaining, rates.exhaustion_at) = (Some(0.99123), 0.25, Some(rates.tick + 1 + 5_400));
        let rule = Rule {
            name: "HighErrorRate/page".to_owned(),
            rule_set: "HighErrorRate".to_owned(),
            condition: Condition::of(ERROR_RATIO, 300, Ratio { num: 5, den: 100 }),
            severity: Severity::named("page"),
            wait: 0,
            keep: 0,
            labels: Vec::new(),
            annotations: vec![("runbook_url".to_owned(), "https://wiki.test/pay".to_owned())],
        };
        let kinds = Kinds::default();
        let values = kinds.of(&rule.condition).values(&rule, &rates);
        let known = Known { rates: &rates, slo: &slo, rule: &rule, values: &values, kinds };
        let want = [
            ("bad", "70"),
            ("budget_left", "25%"),
            ("burn_rate", "1"),
            ("exhausted_in", "1 h 30 min"),
            ("good", "930"),
            ("group", "endpoint=/pay"),
            ("objective", "answered"),
            ("rule", "HighErrorRate/page"),
            ("runbook", "https://wiki.test/pay"),
            ("service", "payments"),
            ("severity", "page"),
            ("sli", "99.1%"),
            ("slo", "checkout"),
            ("target", "99%"),
            ("threshold", "5%"),
            ("total", "1000"),
            ("value", "7%"),
            ("window", "5 min"),
            ("windows", "5 min"),
        ];
        assert_eq!(want.map(|(name, _)| name), template::NAMES);
        for (name, text) in want {
            assert_eq!(known.value(name).as_deref(), Some(text), "{name}");
        }
        assert_eq!(known.value("group.endpoint").as_deref(), Some("/pay"));
        assert_eq!(known.value("group.other"), None);
        let label = |value: &str| vec![Label { name: "summary".to_owned(), value: value.to_owned() }];
        let filled = known.fill(label("{{value}} of {{ $group.endpoint }} failed, {{of}} others"));
        assert_eq!(filled, label("7% of /pay failed, {{of}} others"));
    }
}
