//! Rules, below the SLOs.

use jiff::Timestamp;
use slipstream_query::rules::RuleStatus;
use slipstream_schemas::EventTime;
use slipstream_slo::rule::Kinds;

use crate::{figures, output};

/// A line each; nothing if there are none.
pub fn table(rules: &[RuleStatus]) -> String {
    if rules.is_empty() {
        return String::new();
    }
    let head = [
        "RULE",
        "SLO",
        "GROUP",
        "SEVERITY",
        "STATE",
        "SINCE",
        "VALUE",
        "CONDITION",
        "GOOD",
        "TOTAL",
        "AS OF",
        "COMPLETE",
    ];
    let count = |count: Option<i64>| count.map_or("-".to_owned(), figures::count);
    let rows = rules.iter().map(|rule| {
        let group: Vec<&str> = rule.group.iter().flat_map(|group| group.values().map(String::as_str)).collect();
        vec![
            rule.name.clone(),
            rule.slo.clone().unwrap_or("-".to_owned()),
            group.join(", "),
            rule.severity.clone(),
            rule.state.name().to_owned(),
            rule.since.as_deref().map_or("-".to_owned(), moment),
            value(rule),
            rule.condition.clone(),
            count(rule.good),
            count(rule.total),
            rule.as_of.clone().unwrap_or("not yet".to_owned()),
            if rule.complete { "yes" } else { "no" }.to_owned(),
        ]
    });
    format!("\n{}", output::table(&head, &["VALUE", "GOOD", "TOTAL"], rows))
}

/// As its kind tells it: a share, a burn rate, a latency.
fn value(rule: &RuleStatus) -> String {
    let kind = Kinds::default().named(&rule.rule_kind);
    rule.value.map_or("-".to_owned(), |value| kind.figure(value, rule.threshold))
}

fn moment(text: &str) -> String {
    text.parse().map_or(text.to_owned(), |at: Timestamp| figures::moment(EventTime(at.as_microsecond())))
}

#[cfg(test)]
mod tests {
    use slipstream_query::rules::RuleState;

    use super::*;

    #[test]
    fn a_rule_says_whether_it_fires_since_when_and_by_what() {
        let rule = RuleStatus {
            name: "HighErrorRate".to_owned(),
            slo: None,
            objective: None,
            service: "payment".to_owned(),
            severity: "page".to_owned(),
            alert_id: "00c0ffee00c0ffee".to_owned(),
            state: RuleState::Firing,
            since: Some("2026-02-01T10:00:00Z".to_owned()),
            rule_kind: "errorratio".to_owned(),
            condition: "errors > 5 % 5m".to_owned(),
            value: Some(0.125),
            threshold: Some(0.05),
            good: Some(70),
            total: Some(80),
            as_of: Some("2026-02-01T10:01:00Z".to_owned()),
            complete: true,
            group: None,
        };
        let quiet = RuleStatus { state: RuleState::Inactive, since: None, value: None, as_of: None, ..rule.clone() };
        let text = table(&[rule, quiet]);
        let lines: Vec<Vec<&str>> = text.trim().lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(lines[0][..5], ["RULE", "SLO", "GROUP", "SEVERITY", "STATE"]);
        assert!(
            lines[1].starts_with(&["HighErrorRate", "-", "page", "firing"]) && lines[1].contains(&"12.5%"),
            "{text}"
        );
        assert!(lines[2].starts_with(&["HighErrorRate", "-", "page", "inactive", "-", "-"]), "{text}");
        assert_eq!(table(&[]), "");
    }
}
