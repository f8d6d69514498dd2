//! Which rules were watching, and when alerts fired, from what the engine noted.

use std::collections::{BTreeMap, BTreeSet};

use slipstream_definitions::definition::{GroupKey, Severity, Slo};
use slipstream_schemas::LogTime;
use slipstream_schemas::records::{AlertTransition, TransitionKind};
use slipstream_slo::revision::Revisions;

use super::super::Range;
use super::super::facts::{Fired, Telling, Watched};
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
    let mut fired: Vec<Fired> = episodes.values().filter_map(|records| episode(records, &spent)).collect();
    fired.retain(|fired| fired.ended.is_none_or(|ended| ended > range.from));
    let key = |fired: &Fired| (fired.first.at, fired.slo.clone(), fired.objective.clone(), fired.group.clone());
    fired.sort_by_cached_key(key);
    fired
}

/// An episode; `None` if it never fired.
fn episode(records: &[AlertTransition], spent: &BTreeMap<(String, i64), f64>) -> Option<Fired> {
    let last = records.last()?;
    let fired_at = last.fired_at?;
    let mut tellings = worse_and_worse(records).into_iter().map(|record| Telling {
        at: record.tick,
        rule: record.rule.clone(),
        severity: record.severity.clone(),
        budget_gone: spent.get(&(record.alert_id.clone(), record.tick)).copied(),
    });
    // Of one that was open when the range began only the last record is known, which may be later.
    let first = Telling { at: fired_at, ..tellings.next()? };
    Some(Fired {
        slo: last.slo.clone(),
        service: last.service.clone(),
        objective: last.objective.clone(),
        group: last.group.iter().map(|label| (label.name.clone(), label.value.clone())).collect(),
        rule_set: last.rule_set.clone(),
        pending: last.episode,
        first,
        rises: tellings.collect(),
        ended: (last.kind == TransitionKind::Resolved).then_some(last.tick),
    })
}

/// The records at which an alert first had a severity that was no better than all before in its episode: the one that made it
/// fire, and those that raised it.
fn worse_and_worse(records: &[AlertTransition]) -> Vec<&AlertTransition> {
    let mut worse: Vec<&AlertTransition> = Vec::new();
    let rank = |record: &AlertTransition| Severity::named(&record.severity).rank;
    for record in records.iter().filter(|record| !record.severity.is_empty()) {
        let is_new = worse.iter().all(|known| known.severity != record.severity);
        if is_new && worse.last().is_none_or(|last| rank(record) >= rank(last)) {
            worse.push(record);
        }
    }
    worse
}

/// Rules that were read alone were in rule sets of their own: names the true ones.
pub(super) fn name_rule_sets(fired: &mut [Fired], watched: &[Watched]) {
    for fired in fired {
        let is_of = |rule: &&Watched| {
            (&rule.slo, &rule.objective, &rule.rule) == (&fired.slo, &fired.objective, &fired.first.rule)
        };
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
            rule_kind: "burnrate".to_owned(),
            withdrawn: false,
            holds_since: None,
        }
    }

    fn told(transitions: Vec<AlertTransition>, open: Option<&Vec<AlertTransition>>) -> Vec<(i64, Option<i64>, String)> {
        let notes = Notes { transitions, ..Notes::default() };
        fired(notes, open, RANGE).into_iter().map(|fired| (fired.first.at, fired.ended, fired.first.rule)).collect()
    }

    const TICKET: (&str, &str) = ("1d/2h", "ticket");
    const PAGE: (&str, &str) = ("1h/5m", "page");

    /// A ticket that becomes a page, eases off, becomes a page once more and is over.
    fn story() -> Vec<AlertTransition> {
        vec![
            transition(TransitionKind::Pending, 90, ("1d/2h", "")),
            transition(TransitionKind::Firing, 110, TICKET),
            transition(TransitionKind::Severity, 120, PAGE),
            transition(TransitionKind::Severity, 130, TICKET),
            transition(TransitionKind::Severity, 140, PAGE),
            transition(TransitionKind::Resolved, 150, PAGE),
        ]
    }

    #[test]
    fn an_alert_is_of_each_severity_from_when_it_was_first_reached() {
        let of = |transitions: Vec<AlertTransition>| -> Vec<(i64, String, String, Option<f64>)> {
            let spent = [(("1".to_owned(), 120), 0.5)].into();
            let found = fired(Notes { transitions, spent, ..Notes::default() }, None, RANGE);
            let each = found.iter().flat_map(Fired::tellings);
            each.map(|told| (told.at, told.rule.clone(), told.severity.clone(), told.budget_gone)).collect()
        };
        let told = |at, (rule, severity): (&str, &str), gone| (at, rule.to_owned(), severity.to_owned(), gone);
        assert_eq!(of(story()), [told(110, TICKET, None), told(120, PAGE, Some(0.5))]);
        // What begins as a page and eases off calls for nobody at that; another name of the same rank does.
        let eases =
            vec![transition(TransitionKind::Firing, 110, PAGE), transition(TransitionKind::Severity, 120, TICKET)];
        assert_eq!(of(eases), [told(110, PAGE, None)]);
        let critical = ("6h/30m", "critical");
        let other =
            vec![transition(TransitionKind::Firing, 110, PAGE), transition(TransitionKind::Severity, 120, critical)];
        assert_eq!(of(other), [told(110, PAGE, None), told(120, critical, Some(0.5))]);
    }

    #[test]
    fn an_alert_is_over_when_it_is_resolved() {
        let story = story();
        assert_eq!(told(story.clone(), None), [(110, Some(150), "1d/2h".to_owned())]);
        // What ends behind the range is still firing at its end.
        let mut longer = story.clone();
        longer[5].tick = 200;
        assert_eq!(told(longer, None), [(110, None, "1d/2h".to_owned())]);
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
