//! Which stretches are looked at a second time, and what is told of them.
//!
//! First it is found out when each alert that fired began, then its requests are looked at, and those that made the difference
//! between two sets of definitions.

use slipstream_definitions::definition::{Rule, Slo};
use slipstream_schemas::LogTime;
use slipstream_schemas::records::AlertTransition;
use slipstream_slo::burn::is_other;
use slipstream_slo::scale::Scale;
use slipstream_store::text;

use crate::assemble::{About, slo_at};
use crate::engine::Case;
use crate::investigate::{Found, Look};
use crate::onset::Pace;
use crate::outcome::{AlertChange, AlertHistory, Change, Clock, Impact, Missing, Outcome, SloHistory, WhatIf};
use crate::requests::{Search, Seconds, Side};
use crate::source::{Gap, Span, unknown};
use crate::what_if;

/// Alerts that are looked into, those that came first; of changes to alerts as many.
const ALERTS: usize = 200;
/// So long before it fires, and so long after, an alert is looked into at most, seconds.
const LONGEST: i64 = 6 * 3_600;

/// Why a part of the range is missing of which the counts are there.
const LOST: &str = "it was counted, and removed before alerts were looked into";

/// An alert that is looked into.
#[derive(Debug)]
struct Asked {
    /// The number of its definitions, and its place.
    of: (usize, usize),
    side: Side,
    pending: i64,
    fired: i64,
    /// Its last second.
    end: i64,
    /// Among the searches, and what is looked for; `None`: it fired before the range.
    search: Option<(usize, Pace)>,
    /// From here on it is looked at.
    begin: i64,
}

/// A change to an alert that is looked into.
#[derive(Debug)]
struct Differs {
    change: usize,
    look: Look,
}

/// An alert and its definitions.
type Of<'a> = (&'a Case, &'a AlertHistory);

/// Questions, and where their answers go.
#[derive(Debug, Default)]
pub struct SecondLook {
    searches: Vec<Search>,
    alerts: Vec<Asked>,
    differing: Vec<Differs>,
    changes: Vec<AlertChange>,
    /// What was removed since the range was read.
    lost: Vec<Gap>,
}

impl SecondLook {
    /// What the alerts of each set of definitions ask for, and what they differ in.
    pub fn new(about: &About, cases: &[Case], outcomes: &[Outcome]) -> SecondLook {
        let mut second = SecondLook::default();
        for (number, (case, outcome)) in cases.iter().zip(outcomes).enumerate() {
            let fired = (0..outcome.alerts.len()).filter(|at| outcome.alerts[*at].episode.fired_at.is_some());
            for at in fired.filter(|at| !is_of_the_rest(outcome, &outcome.alerts[*at])).take(ALERTS) {
                second.ask(about, (case, &outcome.alerts[at]), (number, at));
            }
        }
        if let ([of_then, given], [before, after]) = (cases, outcomes) {
            for (b, a) in what_if::pairs(&before.alerts, &after.alerts) {
                second.compare(about, [(of_then, before, b), (given, after, a)]);
            }
        }
        second
    }

    fn ask(&mut self, about: &About, (case, alert): Of<'_>, of: (usize, usize)) {
        let Some((side, fired)) = side(case, alert).zip(fired(alert)) else { return };
        let (pending, end) = what_if::times(alert);
        // The worst rule says since when: one that watches days takes failures of hours before for its beginning.
        let told = told_by(alert, &side.slo).or_else(|| Some((fired_by(alert, &side.slo)?, fired)));
        let (rule, told) = told.map_or((None, fired), |(rule, told)| (Some(rule), told));
        let objective = side.slo.objectives.iter().find(|objective| objective.name == side.objective);
        let is_in_range = fired >= about.from.tick();
        let search = rule.zip(objective).filter(|_| is_in_range).and_then(|(rule, objective)| {
            let pace = Pace::of(objective, rule)?;
            // A budget has no window of its own.
            let back = if rule.condition.long > 0 { rule.condition.long } else { LONGEST };
            let from = (pending - back).max(fired + 1 - LONGEST);
            let to = (told + 1).min(fired + 1 + LONGEST);
            self.searches.push(Search { span: within(about, from, to), side: side.clone() });
            Some((self.searches.len() - 1, pace))
        });
        // Where no beginning is found, the requests that made it pending are in its short window.
        let short = rule.map_or(0, |rule| rule.condition.short.min(LONGEST));
        let begin = if is_in_range { pending - short } else { about.from.tick() };
        self.alerts.push(Asked { of, side, pending, fired, end, search, begin });
    }

    /// Of each set of definitions: its outcome, and the place of the alert there.
    fn compare(&mut self, about: &About, sets: [(&Case, &Outcome, Option<usize>); 2]) {
        let [before, after] = sets.map(|(case, outcome, at)| Some((case, &outcome.alerts[at?])));
        let [(of_then, then, _), (given, now, _)] = sets;
        let histories = (before.map(|(_, b)| b), after.map(|(_, a)| a));
        let Some(mut change) = what_if::change(histories.0, histories.1) else { return };
        let made = change.change;
        change.within = match (made, histories) {
            (Change::Lost, (Some(b), _)) => what_if::within(b, &now.alerts),
            (Change::Gained, (_, Some(a))) => what_if::within(a, &then.alerts),
            _ => None,
        };
        self.changes.push(change);
        let is_rest =
            sets.iter().any(|(_, outcome, at)| at.is_some_and(|at| is_of_the_rest(outcome, &outcome.alerts[at])));
        if made == Change::Same || is_rest || self.differing.len() >= ALERTS {
            return;
        }
        // The alert that fired first says which windows decided.
        let decisive = [before, after].into_iter().flatten().min_by_key(|(_, alert)| fired(alert));
        let Some((own, alert)) = decisive.and_then(|(case, alert)| Some((side(case, alert)?, alert))) else { return };
        let until = what_if::parting(histories.0, histories.1).unwrap_or(alert.episode.episode) + 1;
        let long = fired_by(alert, &own.slo).map_or(0, |rule| rule.condition.long);
        let span = within(about, (alert.episode.episode - long).max(until - LONGEST), until);
        let by = |case: &Case| {
            let slo = slo_at(case, &own.slo.name, span.to.0.div_euclid(1_000) - 1)?;
            Some(Side { slo, objective: own.objective.clone(), group: own.group.clone() })
        };
        let look = Look { span, sides: [by(of_then), by(given)], compared: true };
        self.differing.push(Differs { change: self.changes.len() - 1, look });
    }

    /// Takes what was removed while it was looked at. What was gone when the range was read is known already.
    pub fn lose(&mut self, about: &About, gaps: Vec<Gap>) {
        self.lost = unknown(&about.gaps, [std::mem::take(&mut self.lost), gaps].concat(), LOST);
    }

    /// Where the beginnings of alerts are looked for.
    pub fn searches(&self) -> &[Search] {
        &self.searches
    }

    /// Takes what was counted for each search. Returns the first second at which an alert of the range began.
    pub fn begin(&mut self, about: &About, outcomes: &mut [Outcome], counted: &[Seconds]) -> Option<i64> {
        let SecondLook { searches, alerts, lost, .. } = self;
        for asked in alerts.iter_mut() {
            let Some((search, pace)) = asked.search else { continue };
            let span = searches[search].span;
            let Some(onset) = pace.onset(span.from.tick(), &counted[search]) else { continue };
            asked.begin = onset.at.min(asked.pending);
            // Nothing is before the warm-up that a rule's long window reaches, but what is gone.
            let is_cut = span.from > about.warm_up_from
                || asked.pending < about.from.tick()
                || !about.gaps.is_empty()
                || !lost.is_empty();
            let alert = &mut outcomes[asked.of.0].alerts[asked.of.1];
            alert.began_at = Some(text::seconds(asked.begin));
            alert.began_earlier = onset.reaches_back && is_cut;
        }
        alerts.iter().map(|asked| asked.begin).min()
    }

    /// What is looked at.
    pub fn looks(&self, about: &About) -> Vec<Look> {
        let of_alert =
            |asked: &Asked| Look { span: asked.span(about), sides: [Some(asked.side.clone()), None], compared: false };
        self.alerts.iter().map(of_alert).chain(self.differing.iter().map(|differs| differs.look.clone())).collect()
    }

    /// Fills in what was found, in the order of the looks; nothing if they did not come to their end.
    pub fn fill(mut self, about: &About, outcomes: &mut [Outcome], found: Option<Vec<Found>>) -> Vec<AlertChange> {
        let mut found = found.unwrap_or_default().into_iter();
        for (asked, found) in self.alerts.iter().zip(found.by_ref()) {
            let mut impact = asked.impact(about, &found);
            impact.missing = self.lacks(about, asked.span(about));
            impact.whole &= !impact.missing;
            tell(&mut outcomes[asked.of.0].alerts[asked.of.1], impact, found);
        }
        let mut gaps = [&about.gaps[..], &self.lost].concat();
        gaps.sort_by_key(|gap| (gap.partition, gap.from));
        outcomes.iter_mut().for_each(|outcome| outcome.missing = gaps.iter().map(Missing::from).collect());
        for (Differs { change, look }, found) in self.differing.iter().zip(found) {
            let change = &mut self.changes[*change];
            let (requests, changed) = found.difference();
            (change.requests, change.changed_requests) = (requests, Some(changed));
            let told = |at: LogTime| Some(text::seconds(at.tick()));
            (change.looked_from, change.looked_to) = (told(look.span.from), told(look.span.to));
        }
        self.changes
    }

    /// Whether a part of a span is gone. Gaps are log times: by event time it may be any part.
    fn lacks(&self, about: &About, span: Span) -> bool {
        let is_within = |gap: &Gap| about.clock == Clock::Event || gap.from < span.to && gap.to > span.from;
        about.gaps.iter().chain(&self.lost).any(is_within)
    }
}

impl Asked {
    fn span(&self, about: &About) -> Span {
        within(about, self.begin, self.end.saturating_add(1).min(self.fired.max(self.begin) + LONGEST))
    }

    fn impact(&self, about: &About, found: &Found) -> Impact {
        let span = self.span(about);
        let (bad, total) = found.counts();
        let end = within(about, self.begin, self.end.saturating_add(1)).to;
        Impact {
            from: text::seconds(span.from.tick()),
            to: text::seconds(span.to.tick()),
            whole: self.fired >= about.from.tick() && span.to == end,
            bad,
            total,
            users: found.users().count(),
            users_at_least: found.users().is_more(),
            missing: false,
        }
    }
}

/// Two outcomes side by side.
pub fn what_if(before: Outcome, after: Outcome, alerts: Vec<AlertChange>) -> WhatIf {
    let slos = what_if::slos(&before, &after);
    WhatIf { before, after, slos, alerts }
}

fn tell(alert: &mut AlertHistory, impact: Impact, found: Found) {
    alert.impact = Some(impact);
    (alert.contributors, alert.first_bad) = found.bad();
}

/// The definition of an alert's series when it last changed. `None` for a composite: no request is of it alone.
fn side(case: &Case, alert: &AlertHistory) -> Option<Side> {
    let last = alert.records.last()?;
    let slo = slo_at(case, &last.slo, last.tick).or_else(|| slo_at(case, &last.slo, last.episode))?;
    if !slo.objectives.iter().any(|objective| objective.name == last.objective) {
        return None;
    }
    let group: Vec<String> = last.group.iter().map(|label| label.value.clone()).collect();
    Some(Side { slo, objective: last.objective.clone(), group })
}

/// Whether an alert is of all groups beyond the cap: which requests are of them is known to burn alone.
fn is_of_the_rest(outcome: &Outcome, alert: &AlertHistory) -> bool {
    let group: Vec<String> = alert.episode.group.values().cloned().collect();
    let is_its =
        |slo: &&SloHistory| (&slo.status.name, &slo.status.objective) == (&alert.episode.slo, &alert.episode.objective);
    is_other(&group) && outcome.slos.iter().filter(is_its).count() > Scale::REAL.groups
}

fn fired(alert: &AlertHistory) -> Option<i64> {
    alert.records.last().and_then(|last| last.fired_at)
}

/// The rule that made an alert as bad as it became, and when.
fn told_by<'s>(alert: &AlertHistory, slo: &'s Slo) -> Option<(&'s Rule, i64)> {
    let rise = alert.rises().pop()?;
    named(rise, slo).map(|rule| (rule, rise.tick))
}

/// The rule that made an alert fire.
fn fired_by<'s>(alert: &AlertHistory, slo: &'s Slo) -> Option<&'s Rule> {
    let named = |t: &AlertTransition| named(t, slo);
    alert
        .records
        .iter()
        .filter(|t| t.fired_at.is_some())
        .find_map(named)
        .or_else(|| alert.records.iter().find_map(named))
}

/// The rule that a transition names.
fn named<'s>(t: &AlertTransition, slo: &'s Slo) -> Option<&'s Rule> {
    let rules = slo.rules_of(&t.objective).unwrap_or_default();
    rules.iter().find(|rule| rule.name == t.rule && rule.rule_set == t.rule_set)
}

fn within(about: &About, from: i64, to: i64) -> Span {
    let begin = LogTime(from.saturating_mul(1_000)).max(about.warm_up_from).min(about.to);
    let end = LogTime(to.saturating_mul(1_000)).min(about.to);
    Span { from: begin, to: end.max(begin) }
}
