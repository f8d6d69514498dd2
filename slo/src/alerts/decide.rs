//! What a burn-rate record means for the alerts of its series: rates, open alerts and definitions in, transitions out.
//! A1: the same facts, the same transitions.

use std::collections::BTreeSet;

use slipstream_schemas::LogTime;
use slipstream_schemas::records::{AlertTransition, BurnRates};

use super::machine::{AlertState, end, rule_sets, step};
use crate::revision::Revisions;

/// The transitions of one record. `open`: the open alerts of the record's series. `revisions` must have been read up to
/// the record's revision.
///
/// The machine of each rule set makes one step, whether its objective still has it or only an open alert remembers it:
/// what was deleted or renamed ends its alerts.
pub fn decide(rates: &BurnRates, open: &[AlertTransition], revisions: &Revisions) -> Vec<AlertTransition> {
    if open.is_empty() && rates.conditions.iter().all(|c| c.since.is_none()) {
        return Vec::new();
    }
    // Burn applies a revision from the tick that holds its cut.
    let within_tick = LogTime(rates.tick * 1_000 + 999);
    let in_force = revisions.slo_at(&rates.slo, within_tick, rates.revision);
    let slo = in_force.as_ref().map(|found| found.active.slo.as_ref());
    let rules = slo.and_then(|slo| slo.rules_of(&rates.objective));
    let mut sets: BTreeSet<&str> = rules.map(rule_sets).unwrap_or_default();
    sets.extend(open.iter().map(|t| t.rule_set.as_str()));
    let mut transitions = Vec::new();
    for rule_set in sets {
        let last = open.iter().find(|t| t.rule_set == rule_set);
        let state = last.map(AlertState::from).unwrap_or_default();
        let (_, made) = match (slo, rules) {
            (Some(slo), Some(rules)) => step(&state, rates, (slo, rules), rule_set, revisions.kinds()),
            _ => end(&state, rates),
        };
        transitions.extend(made);
    }
    transitions
}

#[cfg(test)]
mod tests {
    use slipstream_definitions::definition::{
        Composite, Condition, Indicator, Objective, Ratio, Rule, Severity, Side, Slo, Window,
    };
    use slipstream_schemas::records::{BudgetUnit, ConditionSince, Settings, TransitionKind::*, WindowRates};

    use super::*;
    use crate::alerts::OpenAlerts;

    fn rule(name: &str, rule_set: &str, severity: &str, rank: u8) -> Rule {
        Rule {
            name: name.to_owned(),
            rule_set: rule_set.to_owned(),
            condition: Condition::burn_rate(3_600, 300, Ratio { num: 144, den: 10 }, 0),
            severity: Severity { name: severity.to_owned(), rank },
            wait: 0,
            keep: 0,
            labels: Vec::new(),
            annotations: Vec::new(),
        }
    }

    fn slo(rules: Vec<Rule>) -> Slo {
        let indicator = Indicator { total: "true".to_owned(), side: Side::Good("status_code < 500".to_owned()) };
        let objective = Objective { rules, ..Objective::new("availability", indicator, Ratio { num: 99, den: 100 }) };
        Slo {
            name: "checkout".to_owned(),
            display_name: "Checkout".to_owned(),
            service: "payments".to_owned(),
            description: String::new(),
            group_by: Vec::new(),
            window: Window::Rolling(2_419_200),
            objectives: vec![objective],
            composite: None,
            labels: Vec::new(),
            document: slipstream_definitions::definition::Document::Slo,
        }
    }

    /// Definitions that come at these log times (ms); the k-th is at offset k, behind the settings.
    fn revisions(list: &[(i64, Option<Slo>)]) -> Revisions {
        let mut revisions = Revisions::new();
        revisions.apply_settings(0, Settings { redelivery_window_ms: 120_000, cut_delay_ms: 0 }).unwrap();
        for (i, (at, slo)) in list.iter().enumerate() {
            revisions.apply_slo(i as i64 + 1, LogTime(*at), "checkout", slo.clone()).unwrap();
        }
        revisions
    }

    fn rates(tick: i64, revision: i64, holding: &[&str]) -> BurnRates {
        let conditions = ["1h/5m", "6h/30m"].map(|rule| {
            let holds = holding.contains(&rule);
            ConditionSince { rule: rule.to_owned(), holds, since: holds.then_some(tick) }
        });
        BurnRates {
            slo: "checkout".to_owned(),
            objective: "availability".to_owned(),
            group: Vec::new(),
            generation: 1_000,
            tick,
            revision,
            complete: true,
            retired: false,
            windows: vec![WindowRates { seconds: 300, slot_seconds: 1, good: 1, total: 2, burn: 50.0 }],
            sli: None,
            budget_total: 0.0,
            budget_remaining: 1.0,
            exhaustion_at: None,
            conditions: conditions.to_vec(),
            unknown: 0,
            too_late: 0,
            covered_from: 0,
            sources_current: 1,
            sources: 1,
            exemplars: Vec::new(),
            unit: BudgetUnit::Events,
            target: None,
            period_start: None,
            previous: None,
        }
    }

    fn play(records: &[BurnRates], revisions: &Revisions) -> Vec<AlertTransition> {
        let mut open = OpenAlerts::default();
        let mut all = Vec::new();
        for record in records {
            all.extend(open.decide(record, revisions));
        }
        all
    }

    fn story(transitions: &[AlertTransition]) -> Vec<(i64, &str, slipstream_schemas::records::TransitionKind)> {
        transitions.iter().map(|t| (t.tick, t.rule_set.as_str(), t.kind)).collect()
    }

    #[test]
    fn a1_the_same_records_give_the_same_transitions_wherever_the_state_is_rebuilt() {
        let definitions = revisions(&[(1_000, Some(slo(vec![rule("1h/5m", "burn", "page", 3)])))]);
        let records = [rates(10, 2, &[]), rates(20, 2, &["1h/5m"]), rates(30, 2, &["1h/5m"]), rates(40, 2, &[])];
        let whole = play(&records, &definitions);
        assert_eq!(story(&whole), [(20, "burn", Pending), (20, "burn", Firing), (40, "burn", Resolved)]);
        for cut in 0..records.len() {
            let mut all = play(&records[..cut], &definitions);
            let mut rebuilt = OpenAlerts::default();
            all.iter().cloned().for_each(|t| rebuilt.apply(t));
            for record in &records[cut..] {
                all.extend(rebuilt.decide(record, &definitions));
            }
            assert_eq!(all, whole, "rebuilt before record {cut}");
        }
    }

    #[test]
    fn each_rule_set_has_an_alert_of_its_own() {
        let rules = vec![rule("1h/5m", "burn", "page", 3), rule("6h/30m", "slow", "ticket", 1)];
        let definitions = revisions(&[(1_000, Some(slo(rules)))]);
        let made = play(&[rates(20, 2, &["1h/5m", "6h/30m"]), rates(30, 2, &["6h/30m"])], &definitions);
        let want = [
            (20, "burn", Pending),
            (20, "burn", Firing),
            (20, "slow", Pending),
            (20, "slow", Firing),
            (30, "burn", Resolved),
        ];
        assert_eq!(story(&made), want);
        assert_ne!(made[0].alert_id, made[2].alert_id);
    }

    #[test]
    fn definitions_count_from_the_tick_that_holds_their_cut_and_up_to_the_records_revision() {
        let renamed = slo(vec![rule("1h/5m", "other", "page", 3)]);
        let first = slo(vec![rule("1h/5m", "burn", "page", 3)]);
        let definitions = revisions(&[(1_000, Some(first)), (30_500, Some(renamed))]);
        let before = play(&[rates(20, 3, &["1h/5m"]), rates(29, 3, &["1h/5m"])], &definitions);
        assert_eq!(story(&before), [(20, "burn", Pending), (20, "burn", Firing)]);
        let at_cut = play(&[rates(20, 3, &["1h/5m"]), rates(30, 3, &["1h/5m"])], &definitions);
        assert_eq!(story(&at_cut)[2..], [(30, "burn", Resolved), (30, "other", Pending), (30, "other", Firing)]);
        let unread = play(&[rates(20, 2, &["1h/5m"]), rates(30, 2, &["1h/5m"])], &definitions);
        assert_eq!(unread.len(), 2, "burn had not applied the revision yet");
    }

    #[test]
    fn a2_what_is_deleted_or_retired_resolves_what_fired() {
        let definitions = revisions(&[(1_000, Some(slo(vec![rule("1h/5m", "burn", "page", 3)]))), (30_000, None)]);
        let deleted = play(&[rates(20, 3, &["1h/5m"]), rates(30, 3, &["1h/5m"])], &definitions);
        assert_eq!(story(&deleted)[2..], [(30, "burn", Resolved)]);
        let farewell = BurnRates { retired: true, ..rates(25, 3, &["1h/5m"]) };
        let retired = play(&[rates(20, 3, &["1h/5m"]), farewell], &definitions);
        assert_eq!(story(&retired)[2..], [(25, "burn", Resolved)]);
    }

    #[test]
    fn the_rules_of_a_composite_guard_the_series_that_stands_for_all() {
        let mut whole = slo(Vec::new());
        let target = whole.objectives[0].target;
        whole.composite = Some(Composite { target, rules: vec![rule("1h/5m", "burn", "page", 3)] });
        let definitions = revisions(&[(1_000, Some(whole)), (30_000, Some(slo(Vec::new())))]);
        let of_all = |tick| BurnRates { objective: "composite".to_owned(), ..rates(tick, 3, &["1h/5m"]) };
        let single = rates(20, 3, &["1h/5m"]);
        let told = play(&[single, of_all(20), of_all(30)], &definitions);
        assert_eq!(story(&told), [(20, "burn", Pending), (20, "burn", Firing), (30, "burn", Resolved)]);
        assert_eq!(told[1].objective, "composite");
    }

    #[test]
    fn what_is_quiet_needs_no_definitions() {
        assert!(decide(&rates(10, 99, &[]), &[], &Revisions::new()).is_empty());
    }
}
