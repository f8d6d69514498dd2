//! SLOs as a query returns them: definitions together with the newest burn rates of their series.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use slipstream_definitions::definition::{COMPOSITE, Document, Ratio, Rule, Slo, Window};
use slipstream_schemas::records::{BudgetUnit, BurnRates};

use slipstream_store::text;

use crate::rules::RuleStatus;

/// The SLOs, and the status of each.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SloAnswer {
    /// One for each objective and group.
    pub slos: Vec<SloStatus>,
    /// The Rules, on an SLO or with an indicator of their own, and their groups.
    pub rules: Vec<RuleStatus>,
}

impl SloAnswer {
    /// Sorted by remaining budget, lowest first.
    pub fn worst_first(definitions: &[Slo], states: &[BurnRates]) -> SloAnswer {
        let mut slos = status(definitions, states);
        slos.sort_by(|a, b| a.budget_remaining.total_cmp(&b.budget_remaining));
        SloAnswer { slos, rules: crate::rules::status(definitions, states) }
    }
}

/// An objective of an SLO, or one group of it; serialised as the contract has it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SloStatus {
    /// SLO name.
    pub name: String,
    /// Its service.
    pub service: String,
    /// The objective's name.
    pub objective: String,
    /// The target as a share; null if the definition is not known.
    pub target: Option<f64>,
    /// The budget's period: `30d`; for a calendar, `1M`.
    pub window: Option<String>,
    /// good / total over the period; null without traffic.
    pub sli: Option<f64>,
    /// Share of the budget that is left; negative when overspent.
    pub budget_remaining: f64,
    /// Burn rate per window: `{"5m": 0.4, "1h": 0.1}`. A calendar's period is `budget` if another window has its
    /// name.
    pub burn_rates: BTreeMap<String, f64>,
    /// When the budget will be spent at the current rate, RFC 3339; null if it is not being spent, or is spent.
    pub exhaustion_at: Option<String>,
    /// What good, total and budget_total count: weights of events, seconds of sliced time, or parts of 1,000,000,000 of a
    /// composite.
    pub unit: BudgetUnit,
    /// What was good over the period.
    pub good: i64,
    /// Good and bad over the period.
    pub total: i64,
    /// What may be bad over the period.
    pub budget_total: f64,
    /// When the calendar period began, RFC 3339; null for a rolling window.
    pub period_start: Option<String>,
    /// End of the tick evaluated last, RFC 3339; null if never evaluated.
    pub as_of: Option<String>,
    /// False if a source was missing at that tick, or it was never evaluated.
    pub complete: bool,
    /// Since when the counts cover everything, RFC 3339; if later than the period's start, the budget is not complete
    /// yet.
    pub covered_from: Option<String>,
    /// Whether that is the whole period.
    pub covers_period: bool,
    /// Weight of events that could not be decided.
    pub unknown: i64,
    /// Weight of events that were older, when they arrived, than any window reaches: they are not counted.
    pub too_late: i64,
    /// groupBy labels and their values; absent when not grouped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<BTreeMap<String, String>>,
}

/// One entry per objective and group, by name, objective, group. An SLO that has no series yet has its objectives with
/// nothing counted; a series whose definition is missing (it was deleted a moment ago) is shown without target.
pub fn status(definitions: &[Slo], states: &[BurnRates]) -> Vec<SloStatus> {
    of_series(definitions, states).into_iter().map(|(status, _)| status).collect()
}

/// Names of the Rules with series of their own: these promise nothing, and have no standing.
pub fn rules(definitions: &[Slo]) -> BTreeSet<&str> {
    definitions.iter().filter(|slo| slo.document == Document::Rule).map(|slo| slo.name.as_str()).collect()
}

/// As [`status`], each with its state; an objective that has no series yet has none.
pub fn of_series<'a>(definitions: &[Slo], states: &'a [BurnRates]) -> Vec<(SloStatus, Option<&'a BurnRates>)> {
    let rules = rules(definitions);
    let mut series: BTreeMap<(&str, &str), Vec<&BurnRates>> = BTreeMap::new();
    for state in states.iter().filter(|state| !rules.contains(state.slo.as_str())) {
        series.entry((&state.slo, &state.objective)).or_default().push(state);
    }
    let mut entries = Vec::new();
    for promise in definitions.iter().filter(|slo| slo.document == Document::Slo).flat_map(promises) {
        match series.remove(&(promise.slo.name.as_str(), promise.objective)) {
            None => entries.push((not_evaluated(&promise), None)),
            Some(states) => entries.extend(states.into_iter().map(|s| (evaluated(Some(&promise), s), Some(s)))),
        }
    }
    entries.extend(series.into_values().flatten().map(|s| (evaluated(None, s), Some(s))));
    let group = |state: Option<&'a BurnRates>| state.map(|state| state.group.as_slice()).unwrap_or_default();
    entries.sort_by(|(a, one), (b, other)| {
        (&a.name, &a.objective, group(*one)).cmp(&(&b.name, &b.objective, group(*other)))
    });
    entries
}

/// How a series stands by its state and its definition; `None`: the definition is not known.
pub fn standing(slo: Option<&Slo>, state: &BurnRates) -> SloStatus {
    let promise = slo.and_then(|slo| promises(slo).into_iter().find(|promise| promise.objective == state.objective));
    evaluated(promise.as_ref(), state)
}

/// The objectives of an SLO, and, if it is a composite, all of them together.
struct Promise<'a> {
    slo: &'a Slo,
    objective: &'a str,
    target: Ratio,
    /// Whose windows are evaluated.
    rules: &'a [Rule],
    unit: BudgetUnit,
}

fn promises(slo: &Slo) -> Vec<Promise<'_>> {
    let of_all = slo.composite.as_ref();
    let single = slo.objectives.iter().map(|o| Promise {
        slo,
        objective: &o.name,
        target: o.target,
        rules: of_all.map_or(&o.rules, |all| &all.rules),
        unit: if o.budgeting.slice().is_some() { BudgetUnit::Seconds } else { BudgetUnit::Events },
    });
    let all = of_all.map(|all| Promise {
        slo,
        objective: COMPOSITE,
        target: all.target,
        rules: &all.rules,
        unit: BudgetUnit::Share,
    });
    single.chain(all).collect()
}

fn not_evaluated(promise: &Promise<'_>) -> SloStatus {
    let Promise { slo, rules, .. } = promise;
    let window = window_name(&slo.window);
    let mut burn_rates: BTreeMap<String, f64> =
        slo.windows(rules).into_iter().map(|window| (text::length(window), 0.0)).collect();
    // The rules' windows have a period that rolls among them.
    if let Window::Calendar(_) = slo.window {
        insert_period(&mut burn_rates, window.clone(), 0.0);
    }
    SloStatus {
        name: slo.name.clone(),
        service: slo.service.clone(),
        objective: promise.objective.to_owned(),
        target: Some(promise.target.as_f64()),
        window: Some(window),
        sli: None,
        budget_remaining: 1.0,
        burn_rates,
        exhaustion_at: None,
        unit: promise.unit,
        good: 0,
        total: 0,
        budget_total: 0.0,
        period_start: None,
        as_of: None,
        complete: false,
        covered_from: None,
        covers_period: false,
        unknown: 0,
        too_late: 0,
        group: None,
    }
}

fn evaluated(promise: Option<&Promise<'_>>, state: &BurnRates) -> SloStatus {
    let (period, shorter) = match state.windows.split_last() {
        Some((period, shorter)) => (Some(period), shorter),
        None => (None, &[][..]),
    };
    // For a calendar, the record has the length of the current period; the definition has its name.
    let calendar = promise.map(|p| &p.slo.window).filter(|_| state.period_start.is_some());
    let name = |seconds| calendar.map_or_else(|| text::length(seconds), window_name);
    let mut burn_rates: BTreeMap<String, f64> = shorter.iter().map(|w| (text::length(w.seconds), w.burn)).collect();
    if let Some(period) = period {
        insert_period(&mut burn_rates, name(period.seconds), period.burn);
    }
    let begin = state.period_start.or(period.map(|w| state.tick + 1 - w.seconds));
    SloStatus {
        name: state.slo.clone(),
        service: promise.map(|p| p.slo.service.clone()).unwrap_or_default(),
        objective: state.objective.clone(),
        target: promise.filter(|p| p.slo.document == Document::Slo).map(|p| p.target.as_f64()),
        window: period.map(|window| name(window.seconds)),
        sli: state.sli,
        budget_remaining: state.budget_remaining,
        burn_rates,
        exhaustion_at: state.exhaustion_at.map(text::seconds),
        unit: state.unit,
        good: period.map_or(0, |window| window.good),
        total: period.map_or(0, |window| window.total),
        budget_total: state.budget_total,
        period_start: state.period_start.map(text::seconds),
        as_of: Some(text::seconds(state.tick + 1)),
        complete: state.complete,
        covered_from: Some(text::seconds(state.covered_from)),
        covers_period: begin.is_some_and(|begin| state.covered_from <= begin),
        unknown: state.unknown,
        too_late: state.too_late,
        group: group(promise, state),
    }
}

/// A calendar of `1d` may have rules that look at the `1d` that rolls: both are shown.
fn insert_period(burn_rates: &mut BTreeMap<String, f64>, name: String, burn: f64) {
    let key = if burn_rates.contains_key(&name) { "budget".to_owned() } else { name };
    burn_rates.insert(key, burn);
}

fn group(promise: Option<&Promise<'_>>, state: &BurnRates) -> Option<BTreeMap<String, String>> {
    if state.group.is_empty() {
        return None;
    }
    let label = |i: usize| {
        let known = promise.and_then(|p| p.slo.group_by.get(i));
        known.map_or_else(|| format!("group_{i}"), |key| key.label().to_owned())
    };
    Some(state.group.iter().enumerate().map(|(i, value)| (label(i), value.clone())).collect())
}

/// A window as OpenSLO writes it.
fn window_name(window: &Window) -> String {
    match window {
        Window::Rolling(seconds) => text::length(*seconds),
        Window::Calendar(calendar) => format!("{}{}", calendar.count(), calendar.unit().letter()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use slipstream_definitions::definition::{Calendar, Composite, GroupKey, Indicator, Objective, Side, Unit};
    use slipstream_definitions::policy;
    use slipstream_schemas::records::WindowRates;

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
            document: slipstream_definitions::definition::Document::Slo,
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
            too_late: 3,
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
    fn the_worst_budget_comes_first_and_the_rest_by_name() {
        let definitions = ["a", "b", "c"].map(|name| slo(name, vec![]));
        let states = [("a", 0.9), ("b", -0.5), ("c", 0.9)]
            .map(|(name, budget_remaining)| BurnRates { budget_remaining, ..state(name, &[]) });
        let found = SloAnswer::worst_first(&definitions, &states).slos;
        assert_eq!(found.iter().map(|slo| slo.name.as_str()).collect::<Vec<_>>(), ["b", "a", "c"]);
    }

    #[test]
    fn an_entry_reads_as_the_contract_has_it() {
        let found = status(&[slo("checkout", vec![])], &[state("checkout", &[])]);
        let expected = serde_json::json!({
            "name": "checkout", "service": "shop", "objective": "0", "target": 0.995, "window": "30d", "sli": 0.9,
            "budget_remaining": 0.5, "burn_rates": {"5m": 1.5, "30d": 0.5}, "exhaustion_at": "1970-01-01T00:16:40Z",
            "unit": "events", "good": 90, "total": 100, "budget_total": 0.5, "period_start": null,
            "as_of": "1970-01-01T00:01:40Z", "complete": true, "covered_from": "1970-01-01T00:00:10Z",
            "covers_period": false, "unknown": 2, "too_late": 3,
        });
        assert_eq!(serde_json::to_value(&found[0]).unwrap(), expected);
    }

    #[test]
    fn a_composite_has_an_entry_and_a_calendar_its_name() {
        let mut whole = slo("checkout", vec![]);
        let month = Calendar::new(1, Unit::Month, "2026-01-01T00:00:00".parse().unwrap(), "UTC").unwrap();
        whole.window = Window::Calendar(month);
        whole.composite = Some(Composite { target: Ratio { num: 9, den: 10 }, rules: Vec::new() });
        let of_all = BurnRates {
            objective: "composite".into(),
            unit: BudgetUnit::Share,
            period_start: Some(10),
            ..state("checkout", &[])
        };
        let found = status(&[whole], &[of_all]);
        let shown: Vec<_> = found.iter().map(|s| (s.objective.as_str(), s.window.as_deref(), s.unit)).collect();
        assert_eq!(shown, [("0", Some("1M"), BudgetUnit::Events), ("composite", Some("1M"), BudgetUnit::Share)]);
        assert_eq!((found[1].target, found[1].covers_period), (Some(0.9), true));
        assert_eq!(found[1].burn_rates.keys().collect::<Vec<_>>(), ["1M", "5m"]);
    }

    #[test]
    fn a_period_and_a_rolling_window_of_one_name_are_both_shown() {
        let mut daily = slo("checkout", vec![]);
        let day = Calendar::new(1, Unit::Day, "2026-01-01T00:00:00".parse().unwrap(), "UTC").unwrap();
        daily.window = Window::Calendar(day);
        // Someone gave it the rules of a month: 1d/2h is among them.
        daily.objectives[0].rules = policy::defaults(2_592_000, daily.objectives[0].target).rules;
        let window = |seconds, burn| WindowRates { seconds, slot_seconds: 1, good: 90, total: 100, burn };
        let windows = vec![window(7_200, 1.0), window(86_400, 2.0), window(86_400, 3.0)];
        let today = BurnRates { period_start: Some(0), windows, ..state("checkout", &[]) };
        for (states, expected) in [(vec![], [0.0, 0.0]), (vec![today], [2.0, 3.0])] {
            let found = status(&[daily.clone()], &states);
            assert_eq!(found[0].window.as_deref(), Some("1d"));
            assert_eq!(["1d", "budget"].map(|key| found[0].burn_rates[key]), expected);
        }
    }

    #[test]
    fn an_slo_without_series_is_all_there_with_nothing_counted() {
        let found = status(&[slo("checkout", vec![])], &[]);
        assert_eq!((found[0].sli, found[0].budget_remaining, found[0].total), (None, 1.0, 0));
        assert_eq!((found[0].as_of.clone(), found[0].complete), (None, false));
    }
}
