//! Which rules were watching, and when alerts fired, from what the engine noted.

use std::collections::{BTreeMap, BTreeSet};

use slipstream_definitions::definition::{GroupKey, Severity, Slo};
use slipstream_schemas::LogTime;
use slipstream_schemas::records::{AlertTransition, TransitionKind};
use slipstream_slo::revision::Revisions;

use super::super::Range;
use super::super::facts::{Fired, Watched};
use crate::definitions::in_force;
use crate::engine::Notes;

/// The definitions that were in force at some time in the range, the latest revision of each.
pub(super) fn tested(revisions: &Revisions, range: Range) -> Vec<Slo> {
    let mut latest: Vec<Slo> = Vec::new();
    for slo in in_force(revisions, LogTime(range.from * 1_000), LogTime(range.to * 1_000)) {
        match latest.iter_mut().find(|known| known.name == slo.name) {
            Some(known) => *known = slo,
            None => latest.push(slo),
        }
    }
    latest
}

/// The rules of definitions, in their order, with the services of the groups that had traffic.
pub(super) fn watched(slos: &[Slo], notes: &Notes) -> Vec<Watched> {
    slos.iter().flat_map(|slo| of_slo(slo, services(slo, notes))).collect()
}

fn of_slo(slo: &Slo, services: BTreeSet<String>) -> Vec<Watched> {
    let rules = slo.promises().flat_map(|promise| promise.rules.iter().map(move |rule| (promise.name, rule)));
    let watched = |(objective, rule): (&str, &slipstream_definitions::definition::Rule)| Watched {
        slo: slo.name.clone(),
        service: slo.service.clone(),
        services: services.clone(),
        objective: objective.to_owned(),
        rule_set: rule.rule_set.clone(),
        rule: rule.name.clone(),
        severity: rule.severity.name.clone(),
    };
    rules.map(watched).collect()
}

/// The services that groups of an SLO are of.
fn services(slo: &Slo, notes: &Notes) -> BTreeSet<String> {
    let Some(place) = slo.group_by.iter().position(|key| *key == GroupKey::Service) else { return BTreeSet::new() };
    let mine = notes.series.keys().filter(|series| series.slo == slo.name);
    mine.filter_map(|series| series.group.get(place).cloned()).collect()
}

/// When alerts fired, one for each episode that did; `open`: the last transitions of those that were open when the range
/// began, if that is known. Else the warm-up says it.
pub(super) fn fired(notes: Notes, open: Option<&Vec<AlertTransition>>, range: Range) -> Vec<Fired> {
    let Notes { transitions, spent, .. } = notes;
    let mut episodes: BTreeMap<(String, i64), Vec<AlertTransition>> = BTreeMap::new();
    // In the warm-up windows are not full: where it is known what was open then, it says nothing.
    let counts = |t: &AlertTransition| t.tick < range.to && (open.is_none() || t.tick >= range.from);
    let known = open.into_iter().flatten().cloned();
    for transition in known.chain(transitions.into_iter().filter(counts)) {
        episodes.entry((transition.alert_id.clone(), transition.episode)).or_default().push(transition);
    }
    let mut fired: Vec<Fired> =
        episodes.iter().filter_map(|(key, records)| episode(records, spent.get(key).copied())).collect();
    fired.retain(|fired| fired.ended.is_none_or(|ended| ended > range.from));
    fired.sort_by(|a, b| (a.fired, &a.slo, &a.objective, &a.group).cmp(&(b.fired, &b.slo, &b.objective, &b.group)));
    fired
}

/// An episode; `None` if it never fired.
fn episode(records: &[AlertTransition], budget_gone: Option<f64>) -> Option<Fired> {
    let last = records.last()?;
    let fired = last.fired_at?;
    let told = records.iter().filter(|record| !record.severity.is_empty());
    // Of equals the first, which made it fire.
    let worst = told.rev().max_by_key(|record| Severity::named(&record.severity).rank)?;
    Some(Fired {
        slo: last.slo.clone(),
        service: last.service.clone(),
        objective: last.objective.clone(),
        group: last.group.iter().map(|label| (label.name.clone(), label.value.clone())).collect(),
        rule_set: last.rule_set.clone(),
        rule: worst.rule.clone(),
        severity: worst.severity.clone(),
        pending: last.episode,
        fired,
        ended: (last.kind == TransitionKind::Resolved).then_some(last.tick),
        budget_gone,
    })
}

/// Rules that were read alone were in rule sets of their own: names the true ones.
pub(super) fn name_rule_sets(fired: &mut [Fired], watched: &[Watched]) {
    for fired in fired {
        let is_of =
            |rule: &&Watched| (&rule.slo, &rule.objective, &rule.rule) == (&fired.slo, &fired.objective, &fired.rule);
        if let Some(rule) = watched.iter().find(is_of) {
            fired.rule_set.clone_from(&rule.rule_set);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RANGE: Range = Range { from: 100, to: 200 };

    fn transition(kind: TransitionKind, tick: i64, (rule, severity): (&str, &str)) -> AlertTransition {
        AlertTransition {
            alert_id: "1".to_owned(),
            episode: 90,
            seq: 1,
            slo: "web".to_owned(),
            service: "web".to_owned(),
            objective: "answered".to_owned(),
            group: Vec::new(),
            rule_set: "burn".to_owned(),
            rule: rule.to_owned(),
            severity: severity.to_owned(),
            kind,
            tick,
            fired_at: (kind != TransitionKind::Pending).then_some(110),
            values: Vec::new(),
            generation: 0,
            complete: true,
            labels: Vec::new(),
            annotations: Vec::new(),
            exemplars: Vec::new(),
        }
    }

    fn told(transitions: Vec<AlertTransition>, open: Option<&Vec<AlertTransition>>) -> Vec<(i64, Option<i64>, String)> {
        let notes = Notes { transitions, ..Notes::default() };
        fired(notes, open, RANGE).into_iter().map(|fired| (fired.fired, fired.ended, fired.rule)).collect()
    }

    #[test]
    fn an_alert_is_called_by_its_worst_rule() {
        let (ticket, page) = (("1d/2h", "ticket"), ("1h/5m", "page"));
        let story = vec![
            transition(TransitionKind::Pending, 90, ("1d/2h", "")),
            transition(TransitionKind::Firing, 110, ticket),
            transition(TransitionKind::Severity, 120, page),
            transition(TransitionKind::Severity, 130, ticket),
            transition(TransitionKind::Resolved, 150, ticket),
        ];
        assert_eq!(told(story.clone(), None), [(110, Some(150), "1h/5m".to_owned())]);
        // What ends behind the range is still firing at its end.
        let mut longer = story.clone();
        longer[4].tick = 200;
        assert_eq!(told(longer, None), [(110, None, "1h/5m".to_owned())]);
        assert_eq!(told(story[..1].to_vec(), None), []);
    }

    #[test]
    fn where_it_is_known_what_was_open_the_warm_up_says_nothing() {
        let warm = vec![transition(TransitionKind::Firing, 95, ("1h/5m", "page"))];
        assert_eq!(told(warm.clone(), None).len(), 1);
        assert_eq!(told(warm.clone(), Some(&Vec::new())), []);
        assert_eq!(told(Vec::new(), Some(&warm)).len(), 1);
    }
}
