//! A suggestion as OpenSLO to copy: the SLO as it is, with the proposed target and its own alert policies.
//!
//! The policies are written in place, so that a copy never clashes with those of another SLO. Own policies replace the default
//! ones; the default tickets are kept among them, because the page that is proposed does not find a slow burn.

use serde_yaml_ng::{Mapping, Value};
use slipstream_definitions::definition::{Ratio, Rule};
use slipstream_definitions::{duration, policy};

use super::curve::Candidate;
use super::history::History;
use super::suggest::Suggestion;

/// Severities of rules.
const PAGE: &str = "page";
pub(super) const TICKET: &str = "ticket";

/// Writes the SLO of some objectives with their targets and a page, with comments above. `None`: there is nothing to change, no
/// document, or one whose budget is not of events.
pub(super) fn write(
    objectives: &[(&History, &Suggestion)],
    rule: Option<Candidate>,
    comments: &[String],
) -> Option<String> {
    let (history, _) = objectives.first()?;
    let is_new = |suggestion: &Suggestion| suggestion.used_target != suggestion.current_target;
    if rule.is_none() && !objectives.iter().any(|(_, suggestion)| is_new(suggestion)) {
        return None;
    }
    // JSON is YAML, and this reader keeps the order of the fields.
    let mut document: Value = serde_yaml_ng::from_str(history.document.as_ref()?).ok()?;
    // With Rules it is a list of the SLO and them.
    let rules = match document {
        Value::Sequence(mut all) => {
            document = (!all.is_empty()).then(|| all.remove(0))?;
            all
        }
        _ => Vec::new(),
    };
    let spec = document.get_mut("spec")?;
    if spec.get("budgetingMethod")?.as_str() != Some("Occurrences") {
        return None;
    }
    let written = spec.get_mut("objectives")?.as_sequence_mut()?;
    for (history, suggestion) in objectives {
        let objective = written.iter_mut().find(|one| is_called(one, &history.objective))?;
        // A composite's rules are of all its objectives together.
        if objective.get("compositeWeight").is_some() {
            return None;
        }
        if is_new(suggestion) {
            objective.as_mapping_mut()?.insert("target".into(), number(suggestion.used_target));
        }
    }
    if let Some(rule) = rule {
        // What is possible for one of them is kept, and warned of for the others.
        let highest = objectives.iter().map(|(_, suggestion)| suggestion.used_target).max_by(|a, b| a.compare(*b))?;
        let policies = policies(history, highest, rule);
        spec.as_mapping_mut()?.insert("alertPolicies".into(), Value::Sequence(policies));
    }
    let head: String = comments.iter().map(|line| format!("# {line}\n")).collect();
    let texts = std::iter::once(&document).chain(&rules).map(serde_yaml_ng::to_string);
    Some(head + &texts.collect::<Result<Vec<_>, _>>().ok()?.join("---\n"))
}

fn is_called(objective: &Value, name: &str) -> bool {
    objective.get("displayName").and_then(Value::as_str) == Some(name)
}

/// The page that was chosen, and the default tickets.
fn policies(history: &History, target: Ratio, rule: Candidate) -> Vec<Value> {
    let Candidate { long_seconds, short_seconds, factor, min_requests } = rule;
    let page = policy(PAGE, long_seconds, short_seconds, number(factor), min_requests);
    let tickets =
        policy::defaults(history.period, target).rules.into_iter().filter(|rule| rule.severity.name == TICKET);
    let ticket = |rule: Rule| {
        let condition = rule.condition;
        // 28 days have a tier of 14/15, which is no decimal.
        let factor = condition.threshold.to_decimal().and_then(|text| Ratio::parse(&text).ok()).map(number);
        let factor = factor.unwrap_or_else(|| ((condition.threshold.as_f64() * 1e4).round() / 1e4).into());
        policy(TICKET, condition.long, condition.short, factor, condition.least)
    };
    std::iter::once(page).chain(tickets.map(ticket)).collect()
}

/// A burn-rate policy with its condition in place.
fn policy(severity: &str, long: i64, short: i64, factor: Value, least: i64) -> Value {
    let name = format!("{severity}-{}-{}", duration::format(long), duration::format(short));
    let mut annotations = map([("slipstream.dev/short-window", duration::format(short).into())]);
    if least > 0
        && let Some(annotations) = annotations.as_mapping_mut()
    {
        annotations.insert("slipstream.dev/min-requests".into(), least.to_string().into());
    }
    let rate = map([
        ("kind", "burnrate".into()),
        ("op", "gt".into()),
        ("threshold", factor),
        ("lookbackWindow", duration::format(long).into()),
        ("alertAfter", "0m".into()),
    ]);
    let condition = map([
        ("kind", "AlertCondition".into()),
        ("metadata", map([("name", name.clone().into()), ("annotations", annotations)])),
        ("spec", map([("severity", severity.into()), ("condition", rate)])),
    ]);
    // OpenSLO wants a target; ours are the receivers of the configuration.
    let receivers = map([
        ("kind", "AlertNotificationTarget".into()),
        ("metadata", map([("name", "receivers".into())])),
        ("spec", map([("target", "configuration".into())])),
    ]);
    let spec = map([
        ("alertWhenBreaching", true.into()),
        ("conditions", Value::Sequence(vec![condition])),
        ("notificationTargets", Value::Sequence(vec![receivers])),
    ]);
    map([("kind", "AlertPolicy".into()), ("metadata", map([("name", name.into())])), ("spec", spec)])
}

/// A whole number without a point; else the decimal.
fn number(ratio: Ratio) -> Value {
    if ratio.den == 1 { ratio.num.into() } else { ratio.as_f64().into() }
}

fn map<const N: usize>(entries: [(&str, Value); N]) -> Value {
    Value::Mapping(entries.into_iter().map(|(key, value)| (Value::from(key), value)).collect::<Mapping>())
}
