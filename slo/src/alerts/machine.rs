//! The alert machine: an alert's state and one BurnRates in, its next state and transitions out.
//!
//! An alert is one rule set of one series. Its state is what its last transition says, so a reader of `alerts` has
//! the state. Since when a condition holds comes with BurnRates. On incomplete data a true condition counts and a false
//! one changes nothing, so nothing resolves.
//!
//! A1: the same rates give the same transitions. A2: a firing has at most one resolved, and none comes without it.

use std::collections::{BTreeMap, BTreeSet};

use slipstream_schemas::records::{
    AlertTransition, AlertValue, BurnRates, GroupLabel, Label, TransitionKind, TransitionKind as Kind,
};

use super::told::Known;
use crate::hash::fnv1a64;
use crate::rule::Kinds;
use slipstream_definitions::definition::{Rule, Severity, Slo};

/// What an alert is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Nothing is wrong.
    Inactive,
    /// A condition holds, but not for long enough.
    Pending,
    /// It fires.
    Firing,
    /// No condition holds any more; `keep_firing_for` runs.
    Keeping,
}

/// State of an alert: its last transition.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AlertState {
    last: Option<AlertTransition>,
}

impl From<&AlertTransition> for AlertState {
    fn from(last: &AlertTransition) -> AlertState {
        AlertState { last: Some(last.clone()) }
    }
}

impl AlertState {
    /// What the alert is in.
    pub fn phase(&self) -> Phase {
        match self.last.as_ref().map(|last| last.kind) {
            None | Some(Kind::Inactive | Kind::Resolved) => Phase::Inactive,
            Some(Kind::Pending) => Phase::Pending,
            Some(Kind::Firing | Kind::Resumed | Kind::Severity) => Phase::Firing,
            Some(Kind::Keeping) => Phase::Keeping,
        }
    }

    /// Whether an episode is under way.
    pub fn is_open(&self) -> bool {
        self.phase() != Phase::Inactive
    }

    /// The last transition, if there was one.
    pub fn last(&self) -> Option<&AlertTransition> {
        self.last.as_ref()
    }
}

/// The identity of an alert, without severity: 16 hex digits.
pub fn alert_id(slo: &str, objective: &str, group: &[String], rule_set: &str) -> String {
    let parts = [slo, objective].into_iter().chain(group.iter().map(String::as_str)).chain([rule_set]);
    format!("{:016x}", fnv1a64(parts))
}

/// The rule sets of the rules of an objective, each once, by name.
pub fn rule_sets(rules: &[Rule]) -> BTreeSet<&str> {
    rules.iter().map(|rule| rule.rule_set.as_str()).collect()
}

/// One step of the alert of a rule set. The SLO and its rules (see [`Slo::rules_of`]) are those in force at the tick of
/// `rates`. A retired series, or a rule set that the objective does not have any more, ends its alert at once.
pub fn step(
    state: &AlertState,
    rates: &BurnRates,
    (slo, rules): (&Slo, &[Rule]),
    rule_set: &str,
    kinds: Kinds,
) -> (AlertState, Vec<AlertTransition>) {
    let rules: Vec<&Rule> = rules.iter().filter(|rule| rule.rule_set == rule_set).collect();
    if rates.retired || rules.is_empty() {
        return end(state, rates);
    }
    let facts = Facts::new(rates, slo, (rule_set, rules), kinds);
    let mut machine = Machine { state: state.clone(), facts: &facts, out: Vec::new() };
    machine.run();
    (machine.state, machine.out)
}

/// Ends an alert whatever its conditions say: its series is retired, its SLO deleted, or its rule set gone.
pub fn end(state: &AlertState, rates: &BurnRates) -> (AlertState, Vec<AlertTransition>) {
    let kind = match state.phase() {
        Phase::Inactive => return (state.clone(), Vec::new()),
        Phase::Pending => Kind::Inactive,
        Phase::Firing | Phase::Keeping => Kind::Resolved,
    };
    let withdrawn = |last| AlertTransition { withdrawn: true, ..continued(last, kind, rates) };
    let ended: Vec<AlertTransition> = state.last.iter().map(withdrawn).collect();
    (ended.first().map_or_else(AlertState::default, AlertState::from), ended)
}

/// The next transition of an episode that is like the last one but for its kind and what belongs to the tick.
fn continued(last: &AlertTransition, kind: TransitionKind, rates: &BurnRates) -> AlertTransition {
    let exemplars = if rates.exemplars.is_empty() { &last.exemplars } else { &rates.exemplars };
    AlertTransition {
        seq: last.seq + 1,
        kind,
        tick: rates.tick,
        generation: rates.generation,
        complete: rates.complete,
        exemplars: exemplars.clone(),
        holds_since: holds_since(rates, &last.rule),
        ..last.clone()
    }
}

/// Since when the condition of a rule holds.
fn holds_since(rates: &BurnRates, rule: &str) -> Option<i64> {
    rates.conditions.iter().find(|condition| condition.rule == rule).and_then(|condition| condition.since)
}

/// What a tick says about a rule set.
struct Facts<'a> {
    rates: &'a BurnRates,
    slo: &'a Slo,
    rule_set: &'a str,
    rules: Vec<&'a Rule>,
    /// Rules that hold, in document order.
    holding: Vec<&'a Rule>,
    /// The worst of those that held long enough.
    worst: Option<&'a Rule>,
    keep: i64,
    kinds: Kinds,
}

impl<'a> Facts<'a> {
    fn new(rates: &'a BurnRates, slo: &'a Slo, (rule_set, rules): (&'a str, Vec<&'a Rule>), kinds: Kinds) -> Self {
        let since = |rule: &Rule| holds_since(rates, &rule.name);
        let holding: Vec<&Rule> = rules.iter().copied().filter(|rule| since(rule).is_some()).collect();
        let ripe = holding.iter().copied().filter(|rule| since(rule).is_some_and(|s| rates.tick - s >= rule.wait));
        // Of equally bad rules the first in the document speaks: `max_by` would take the last.
        let worst = ripe.reduce(|a, b| if badness(&b.severity) > badness(&a.severity) { b } else { a });
        let keep = rules.iter().map(|rule| rule.keep).max().unwrap_or(0);
        Facts { rates, slo, rule_set, rules, holding, worst, keep, kinds }
    }

    /// How bad a severity is that an earlier transition named.
    fn badness_of<'s>(&self, name: &'s str) -> (u8, &'s str) {
        let rule = self.rules.iter().find(|rule| rule.severity.name == name);
        (rule.map_or_else(|| Severity::named(name).rank, |rule| rule.severity.rank), name)
    }

    /// What every rule that holds looks at.
    fn values(&self) -> Vec<AlertValue> {
        self.holding.iter().flat_map(|rule| self.kinds.of(&rule.condition).values(rule, self.rates)).collect()
    }

    /// The first transition of an episode.
    fn pending(&self, rule: &Rule) -> AlertTransition {
        let rates = self.rates;
        let group = self.slo.group_by.iter().zip(&rates.group);
        AlertTransition {
            alert_id: alert_id(&rates.slo, &rates.objective, &rates.group, self.rule_set),
            episode: rates.tick,
            seq: 1,
            slo: rates.slo.clone(),
            service: self.slo.service.clone(),
            objective: rates.objective.clone(),
            group: group
                .map(|(key, value)| GroupLabel { name: key.label().to_owned(), value: value.clone() })
                .collect(),
            rule_set: self.rule_set.to_owned(),
            rule: rule.name.clone(),
            severity: String::new(),
            kind: Kind::Pending,
            tick: rates.tick,
            fired_at: None,
            values: self.values(),
            generation: rates.generation,
            complete: rates.complete,
            labels: self.labels(rule),
            annotations: self.annotations(rule),
            exemplars: rates.exemplars.clone(),
            rule_kind: rule.condition.kind.to_owned(),
            withdrawn: false,
            holds_since: holds_since(rates, &rule.name),
        }
    }

    /// Those of the rule, with what is known now.
    fn annotations(&self, rule: &Rule) -> Vec<Label> {
        let known = Known { rates: self.rates, slo: self.slo, rule, values: &self.values(), kinds: self.kinds };
        known.fill(labels(rule.annotations.iter()))
    }

    /// Labels of the SLO; those of the rule win.
    fn labels(&self, rule: &Rule) -> Vec<Label> {
        labels(self.slo.labels.iter().chain(&rule.labels))
    }
}

fn labels<'a>(pairs: impl Iterator<Item = &'a (String, String)>) -> Vec<Label> {
    let unique: BTreeMap<&String, &String> = pairs.map(|(name, value)| (name, value)).collect();
    unique.into_iter().map(|(name, value)| Label { name: name.clone(), value: value.clone() }).collect()
}

/// The greater the worse.
fn badness(severity: &Severity) -> (u8, &str) {
    (severity.rank, &severity.name)
}

struct Machine<'a> {
    state: AlertState,
    facts: &'a Facts<'a>,
    out: Vec<AlertTransition>,
}

impl Machine<'_> {
    fn run(&mut self) {
        if let (Phase::Inactive, Some(first)) = (self.state.phase(), self.facts.holding.first()) {
            self.enter(self.facts.pending(first));
        }
        let Some(last) = self.state.last.clone() else { return };
        let holds = !self.facts.holding.is_empty();
        let (tick, may_end) = (self.facts.rates.tick, self.facts.rates.complete);
        match self.state.phase() {
            Phase::Inactive => {}
            Phase::Pending if holds => {
                if let Some(worst) = self.facts.worst {
                    self.enter(AlertTransition { fired_at: Some(tick), ..self.by_rule(&last, Kind::Firing, worst) });
                }
            }
            Phase::Pending if may_end => self.enter(self.lasting(&last, Kind::Inactive)),
            Phase::Firing if holds => {
                if let Some(worst) = self.facts.worst.filter(|worst| self.differs(&last, worst, may_end)) {
                    self.enter(self.by_rule(&last, Kind::Severity, worst));
                }
            }
            Phase::Firing if may_end => {
                let kind = if self.facts.keep > 0 { Kind::Keeping } else { Kind::Resolved };
                self.enter(self.lasting(&last, kind));
            }
            Phase::Keeping if holds => {
                self.enter(AlertTransition { values: self.facts.values(), ..self.lasting(&last, Kind::Resumed) });
            }
            Phase::Keeping if may_end && tick - last.tick >= self.facts.keep => {
                self.enter(self.lasting(&last, Kind::Resolved));
            }
            Phase::Pending | Phase::Firing | Phase::Keeping => {}
        }
    }

    /// Whether the worst ripe rule has another severity than the alert. On incomplete data only a worse one counts.
    fn differs(&self, last: &AlertTransition, worst: &Rule, may_end: bool) -> bool {
        worst.severity.name != last.severity
            && (may_end || badness(&worst.severity) > self.facts.badness_of(&last.severity))
    }

    fn lasting(&self, last: &AlertTransition, kind: TransitionKind) -> AlertTransition {
        continued(last, kind, self.facts.rates)
    }

    /// A transition to what a rule says.
    fn by_rule(&self, last: &AlertTransition, kind: TransitionKind, rule: &Rule) -> AlertTransition {
        AlertTransition {
            rule: rule.name.clone(),
            rule_kind: rule.condition.kind.to_owned(),
            severity: rule.severity.name.clone(),
            values: self.facts.values(),
            labels: self.facts.labels(rule),
            annotations: self.facts.annotations(rule),
            holds_since: holds_since(self.facts.rates, &rule.name),
            ..self.lasting(last, kind)
        }
    }

    fn enter(&mut self, transition: AlertTransition) {
        self.state = AlertState::from(&transition);
        self.out.push(transition);
    }
}
