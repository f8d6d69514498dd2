//! One SLO in detail, from what is known of it.

use std::collections::BTreeMap;

use slipstream_definitions::definition::{Rule, Slo};
use slipstream_schemas::EventTime;
use slipstream_schemas::records::BurnRates;
use slipstream_slo::rule::Kinds;
use slipstream_store::text;

use super::answers::alerts::Alerts;
use super::answers::slo::{Definition, Exemplar, RuleState, SloDetail};
use super::answers::slos::{Known, Standing};

/// Exemplars of an answer.
const EXEMPLARS: usize = 20;

/// Its definition if it is in force, its standings, the states of its series, its open alerts if the store tells them.
pub fn detail(
    slo: Option<&Slo>,
    objectives: Vec<Standing>,
    states: &[BurnRates],
    alerts: Option<Alerts>,
    known: Known,
) -> SloDetail {
    let rules = slo.map(|slo| states.iter().flat_map(|state| rules(slo, state)).collect()).unwrap_or_default();
    let (alerts, alerts_as_of) = alerts.map_or((None, None), |Alerts { alerts, as_of }| (Some(alerts), as_of));
    let (slo, exemplars) = (slo.map(Definition::from), exemplars(states));
    SloDetail { slo, objectives, rules, exemplars, alerts, alerts_as_of, known }
}

/// The rules that guard a series. Where its SLO was changed a moment ago, those that both know.
fn rules<'a>(slo: &'a Slo, state: &'a BurnRates) -> impl Iterator<Item = RuleState> + 'a {
    slo.rules_of(&state.objective).unwrap_or_default().iter().filter_map(move |rule| {
        let condition = state.conditions.iter().find(|condition| condition.rule == rule.name)?;
        Some(RuleState {
            holds: condition.holds,
            since: condition.since.map(text::seconds),
            ..unknown(slo, state, rule)
        })
    })
}

/// A rule of which nothing was found yet.
fn unknown(slo: &Slo, state: &BurnRates, rule: &Rule) -> RuleState {
    let labels = slo.group_by.iter().map(|key| key.label().to_owned());
    let group: BTreeMap<String, String> = labels.zip(state.group.iter().cloned()).collect();
    RuleState {
        rule: rule.name.clone(),
        objective: state.objective.clone(),
        group: (!state.group.is_empty()).then_some(group),
        severity: rule.severity.name.clone(),
        long_window: text::length(rule.condition.long),
        short_window: text::length(rule.condition.short),
        threshold: rule.condition.threshold.as_f64(),
        kind: rule.condition.kind.to_owned(),
        says: Kinds::default().of(&rule.condition).words(&rule.condition),
        holds: false,
        since: None,
    }
}

/// The newest bad requests of all series, each once for an objective.
fn exemplars(states: &[BurnRates]) -> Vec<Exemplar> {
    let of = |state: &BurnRates| {
        let objective = state.objective.clone();
        state.exemplars.clone().into_iter().map(move |exemplar| (objective.clone(), exemplar))
    };
    let mut all: Vec<_> = states.iter().flat_map(of).collect();
    all.sort_by(|(o, a), (p, b)| (b.time, &a.event_id, o).cmp(&(a.time, &b.event_id, p)));
    all.dedup();
    all.truncate(EXEMPLARS);
    let exemplar = |(objective, of): (String, slipstream_schemas::records::Exemplar)| Exemplar {
        objective,
        event_id: of.event_id,
        trace_id: of.trace_id,
        time: EventTime(of.time).rfc3339(),
    };
    all.into_iter().map(exemplar).collect()
}
