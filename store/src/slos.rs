//! SLOs as a question finds them: definitions beside the newest burn rates of their series.

use std::collections::BTreeMap;

use serde::Serialize;
use slipstream_schemas::records::BurnRates;
use slipstream_slo::definition::{Objective, Slo};

use crate::text;

/// An objective of an SLO, or one group of it; serialised as the contract has it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SloStatus {
    /// SLO name.
    pub name: String,
    /// Its service.
    pub service: String,
    /// The objective's name.
    pub objective: String,
    /// The target as a share; null where the definition is not known.
    pub target: Option<f64>,
    /// The budget's period: `30d`.
    pub window: Option<String>,
    /// good / total over the period; null without traffic.
    pub sli: Option<f64>,
    /// Share of the budget that is left; negative when overspent.
    pub budget_remaining: f64,
    /// Burn rate per window: `{"5m": 0.4, "1h": 0.1}`.
    pub burn_rates: BTreeMap<String, f64>,
    /// When the budget is spent at the present rate, RFC 3339; null when it is not being spent, or is spent.
    pub exhaustion_at: Option<String>,
    /// Weight of good events over the period.
    pub good: i64,
    /// Weight of all events over the period.
    pub total: i64,
    /// End of the tick evaluated last, RFC 3339; null: never evaluated.
    pub as_of: Option<String>,
    /// False where a source was missing at that tick, or it was never evaluated.
    pub complete: bool,
    /// From when on the counts cover everything, RFC 3339; later than the period's begin: the budget is not whole yet.
    pub covered_from: Option<String>,
    /// Weight of events that could not be decided.
    pub unknown: i64,
    /// groupBy labels and their values; absent when not grouped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<BTreeMap<String, String>>,
}

/// One entry per objective and group, by name, objective, group. An SLO that has no series yet has its objectives with
/// nothing counted; a series whose definition is not given (it was deleted a moment ago) is shown without target.
pub fn status(definitions: &[Slo], states: &[BurnRates]) -> Vec<SloStatus> {
    let mut series: BTreeMap<(&str, &str), Vec<&BurnRates>> = BTreeMap::new();
    for state in states {
        series.entry((&state.slo, &state.objective)).or_default().push(state);
    }
    let mut entries = Vec::new();
    for (slo, objective) in definitions.iter().flat_map(|slo| slo.objectives.iter().map(move |o| (slo, o))) {
        match series.remove(&(slo.name.as_str(), objective.name.as_str())) {
            None => entries.push((Vec::new(), not_evaluated(slo, objective))),
            Some(states) => {
                entries.extend(states.into_iter().map(|s| (s.group.clone(), evaluated(Some((slo, objective)), s))));
            }
        }
    }
    entries.extend(series.into_values().flatten().map(|s| (s.group.clone(), evaluated(None, s))));
    entries.sort_by(|(group, a), (other, b)| (&a.name, &a.objective, group).cmp(&(&b.name, &b.objective, other)));
    entries.into_iter().map(|(_, status)| status).collect()
}

fn not_evaluated(slo: &Slo, objective: &Objective) -> SloStatus {
    SloStatus {
        name: slo.name.clone(),
        service: slo.service.clone(),
        objective: objective.name.clone(),
        target: Some(target(objective)),
        window: Some(text::length(slo.window.nominal_seconds())),
        sli: None,
        budget_remaining: 1.0,
        burn_rates: slo.windows(&objective.rules).into_iter().map(|window| (text::length(window), 0.0)).collect(),
        exhaustion_at: None,
        good: 0,
        total: 0,
        as_of: None,
        complete: false,
        covered_from: None,
        unknown: 0,
        group: None,
    }
}

fn evaluated(definition: Option<(&Slo, &Objective)>, state: &BurnRates) -> SloStatus {
    let period = state.windows.last();
    SloStatus {
        name: state.slo.clone(),
        service: definition.map(|(slo, _)| slo.service.clone()).unwrap_or_default(),
        objective: state.objective.clone(),
        target: definition.map(|(_, objective)| target(objective)),
        window: period.map(|window| text::length(window.seconds)),
        sli: state.sli,
        budget_remaining: state.budget_remaining,
        burn_rates: state.windows.iter().map(|window| (text::length(window.seconds), window.burn)).collect(),
        exhaustion_at: state.exhaustion_at.map(text::seconds),
        good: period.map_or(0, |window| window.good),
        total: period.map_or(0, |window| window.total),
        as_of: Some(text::seconds(state.tick + 1)),
        complete: state.complete,
        covered_from: Some(text::seconds(state.covered_from)),
        unknown: state.unknown,
        group: group(definition, state),
    }
}

fn group(definition: Option<(&Slo, &Objective)>, state: &BurnRates) -> Option<BTreeMap<String, String>> {
    if state.group.is_empty() {
        return None;
    }
    let label = |i: usize| {
        let known = definition.and_then(|(slo, _)| slo.group_by.get(i));
        known.map_or_else(|| format!("group_{i}"), |key| key.label().to_owned())
    };
    Some(state.group.iter().enumerate().map(|(i, value)| (label(i), value.clone())).collect())
}

fn target(objective: &Objective) -> f64 {
    objective.target.num as f64 / objective.target.den as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use slipstream_schemas::records::{BudgetUnit, WindowRates};
    use slipstream_slo::definition::{GroupKey, Indicator, Ratio, Side, Window};

    fn slo(name: &str, group_by: Vec<GroupKey>) -> Slo {
        let indicator = Indicator { total: "true".into(), side: Side::Good("status_code < 500".into()) };
        Slo {
            name: name.into(),
            display_name: name.into(),
            service: "shop".into(),
            description: String::new(),
            group_by,
            window: Window::Rolling(2_592_000),
            objectives: vec![Objective::new("0", indicator, Ratio { num: 995, den: 1000 })],
            composite: None,
            labels: Vec::new(),
        }
    }

    fn state(slo: &str, group: &[&str]) -> BurnRates {
        let window = |seconds, burn| WindowRates { seconds, slot_seconds: 1, good: 90, total: 100, burn };
        BurnRates {
            slo: slo.into(),
            objective: "0".into(),
            group: group.iter().map(|g| (*g).to_owned()).collect(),
            generation: 1,
            tick: 99,
            revision: 1,
            complete: true,
            retired: false,
            windows: vec![window(300, 1.5), window(2_592_000, 0.5)],
            sli: Some(0.9),
            budget_total: 0.5,
            budget_remaining: 0.5,
            exhaustion_at: Some(1_000),
            conditions: Vec::new(),
            unknown: 2,
            too_late: 0,
            covered_from: 10,
            sources_current: 1,
            sources: 1,
            exemplars: Vec::new(),
            unit: BudgetUnit::Events,
            target: None,
            period_start: None,
            previous: None,
        }
    }

    #[test]
    fn every_objective_has_an_entry_and_every_group_its_own() {
        let definitions = [slo("b-grouped", vec![GroupKey::Endpoint]), slo("a-quiet", vec![])];
        let states = [state("b-grouped", &["/x"]), state("b-grouped", &["/a"]), state("c-deleted", &["1"])];
        let found = status(&definitions, &states);
        let shown: Vec<(&str, Option<f64>, Option<String>)> =
            found.iter().map(|s| (s.name.as_str(), s.target, s.group.as_ref().map(|g| format!("{g:?}")))).collect();
        assert_eq!(
            shown,
            [
                ("a-quiet", Some(0.995), None),
                ("b-grouped", Some(0.995), Some(r#"{"endpoint": "/a"}"#.into())),
                ("b-grouped", Some(0.995), Some(r#"{"endpoint": "/x"}"#.into())),
                ("c-deleted", None, Some(r#"{"group_0": "1"}"#.into())),
            ]
        );
    }

    #[test]
    fn an_entry_reads_as_the_contract_has_it() {
        let found = status(&[slo("checkout", vec![])], &[state("checkout", &[])]);
        let expected = serde_json::json!({
            "name": "checkout", "service": "shop", "objective": "0", "target": 0.995, "window": "30d", "sli": 0.9,
            "budget_remaining": 0.5, "burn_rates": {"5m": 1.5, "30d": 0.5}, "exhaustion_at": "1970-01-01T00:16:40Z",
            "good": 90, "total": 100, "as_of": "1970-01-01T00:01:40Z", "complete": true,
            "covered_from": "1970-01-01T00:00:10Z", "unknown": 2,
        });
        assert_eq!(serde_json::to_value(&found[0]).unwrap(), expected);
    }

    #[test]
    fn an_slo_without_series_is_all_there_with_nothing_counted() {
        let found = status(&[slo("checkout", vec![])], &[]);
        assert_eq!((found[0].sli, found[0].budget_remaining, found[0].total), (None, 1.0, 0));
        assert_eq!((found[0].as_of.clone(), found[0].complete), (None, false));
    }
}
