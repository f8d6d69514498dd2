//! Which stretches are looked at a second time, and what is told of them.

use slipstream_definitions::definition::{Rule, Slo};
use slipstream_schemas::LogTime;
use slipstream_schemas::records::AlertTransition;
use slipstream_store::text;

use crate::assemble::{About, slo_at};
use crate::engine::Case;
use crate::investigate::{Found, Look, Side};
use crate::outcome::{AlertChange, AlertHistory, Change, Impact, Outcome, WhatIf};
use crate::source::Span;
use crate::what_if;

/// Alerts that are looked into, those that came first.
const ALERTS: usize = 200;
/// An alert is looked into for so long at most, seconds.
const LONGEST: i64 = 6 * 3_600;

/// What is to be filled in once it has been looked at.
#[derive(Debug, Clone, Copy)]
enum Filled {
    /// An alert, by the number of its definitions and its place.
    Alert(usize, usize),
    /// What became of an alert.
    Change(usize),
}

/// An alert and its definitions.
type Of<'a> = (&'a Case, &'a AlertHistory);

/// Questions, and where their answers go.
#[derive(Debug, Default)]
pub struct SecondLook {
    /// What is looked at.
    pub looks: Vec<Look>,
    filled: Vec<Filled>,
    changes: Vec<AlertChange>,
}

impl SecondLook {
    /// What the alerts of each set of definitions ask for, and what they differ in.
    pub fn new(about: &About, cases: &[Case], outcomes: &[Outcome]) -> SecondLook {
        let mut second = SecondLook::default();
        for (number, (case, outcome)) in cases.iter().zip(outcomes).enumerate() {
            let fired = (0..outcome.alerts.len()).filter(|at| outcome.alerts[*at].episode.fired_at.is_some());
            for at in fired.take(ALERTS) {
                let alert = &outcome.alerts[at];
                let Some(side) = side(case, alert) else { continue };
                let span = while_open(about, alert, &side);
                second.ask(Look { span, sides: [Some(side), None] }, Filled::Alert(number, at));
            }
        }
        if let ([of_then, given], [before, after]) = (cases, outcomes) {
            for (b, a) in what_if::pairs(&before.alerts, &after.alerts).into_iter().take(ALERTS) {
                let pair = (b.map(|b| (of_then, &before.alerts[b])), a.map(|a| (given, &after.alerts[a])));
                second.compare(about, pair, [of_then, given]);
            }
        }
        second
    }

    fn ask(&mut self, look: Look, filled: Filled) {
        self.looks.push(look);
        self.filled.push(filled);
    }

    fn compare(
        &mut self,
        about: &About,
        (before, after): (Option<Of<'_>>, Option<Of<'_>>),
        [of_then, given]: [&Case; 2],
    ) {
        let Some(change) = what_if::change(before.map(|(_, b)| b), after.map(|(_, a)| a)) else { return };
        let made = change.change;
        self.changes.push(change);
        // The alert that came first says which windows decided.
        let decisive = [before, after].into_iter().flatten().min_by_key(|(_, alert)| alert.episode.episode);
        let Some((case, alert)) = decisive.filter(|_| made != Change::Same) else { return };
        let Some(own) = side(case, alert) else { return };
        let span = until_fired(about, alert, &own);
        let tick = span.to.0.div_euclid(1_000) - 1;
        let by = |case: &Case| {
            let slo = slo_at(case, &own.slo.name, tick)?;
            Some(Side { slo, objective: own.objective.clone(), group: own.group.clone() })
        };
        self.ask(Look { span, sides: [by(of_then), by(given)] }, Filled::Change(self.changes.len() - 1));
    }

    /// The least spans that hold what is looked at, apart from each other and in order.
    pub fn spans(&self) -> Vec<Span> {
        let mut spans: Vec<Span> = self.looks.iter().map(|look| look.span).collect();
        spans.sort_by_key(|span| span.from);
        let mut joined: Vec<Span> = Vec::new();
        for span in spans {
            match joined.last_mut().filter(|last| span.from <= last.to) {
                Some(last) => last.to = last.to.max(span.to),
                None => joined.push(span),
            }
        }
        joined
    }

    /// Fills in what was found, in the order of the looks.
    pub fn fill(mut self, outcomes: &mut [Outcome], found: Vec<Found>) -> Vec<AlertChange> {
        for ((look, filled), found) in self.looks.iter().zip(&self.filled).zip(found) {
            match *filled {
                Filled::Alert(case, at) => tell(&mut outcomes[case].alerts[at], look.span, &found),
                Filled::Change(at) => {
                    let change = &mut self.changes[at];
                    (change.requests, change.changed_requests) = found.difference();
                }
            }
        }
        self.changes
    }
}

/// Two outcomes side by side.
pub fn what_if(before: Outcome, after: Outcome, alerts: Vec<AlertChange>) -> WhatIf {
    let slos = what_if::slos(&before, &after);
    WhatIf { before, after, slos, alerts }
}

fn tell(alert: &mut AlertHistory, span: Span, found: &Found) {
    let (bad, total) = found.counts();
    let (from, to) = (text::seconds(span.from.tick()), text::seconds(span.to.tick()));
    alert.impact = Impact { from, to, bad, total, users: found.users() };
    alert.contributors = found.contributors();
    alert.first_bad = found.first_bad();
}

/// The definition of an alert's series when it last changed.
fn side(case: &Case, alert: &AlertHistory) -> Option<Side> {
    let last = alert.records.last()?;
    let slo = slo_at(case, &last.slo, last.tick).or_else(|| slo_at(case, &last.slo, last.episode))?;
    let group = last.group.iter().map(|label| label.value.clone()).collect();
    Some(Side { slo, objective: last.objective.clone(), group })
}

/// From the short window before its pending to its end.
fn while_open(about: &About, alert: &AlertHistory, side: &Side) -> Span {
    let (begin, end) = what_if::times(alert);
    let short = fired_by(alert, &side.slo).map_or(0, |rule| rule.condition.short);
    within(about, begin - short, end.saturating_add(1))
}

/// The long window of the rule that made it fire.
fn until_fired(about: &About, alert: &AlertHistory, side: &Side) -> Span {
    let (begin, _) = what_if::times(alert);
    let fired = alert.records.last().and_then(|last| last.fired_at).unwrap_or(begin);
    let long = fired_by(alert, &side.slo).map_or(0, |rule| rule.condition.long);
    within(about, begin - long, fired + 1)
}

/// The rule that made an alert fire.
fn fired_by<'s>(alert: &AlertHistory, slo: &'s Slo) -> Option<&'s Rule> {
    let named = |t: &AlertTransition| slo.rules().find(|rule| rule.name == t.rule && rule.rule_set == t.rule_set);
    alert
        .records
        .iter()
        .filter(|t| t.fired_at.is_some())
        .find_map(named)
        .or_else(|| alert.records.iter().find_map(named))
}

fn within(about: &About, from: i64, to: i64) -> Span {
    let begin = LogTime(from.saturating_mul(1_000)).max(about.warm_up_from);
    let end = LogTime(to.saturating_mul(1_000)).min(about.to);
    Span { from: begin, to: end.min(LogTime(begin.0 + LONGEST * 1_000)).max(begin) }
}
