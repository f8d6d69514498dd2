//! How rules did: for each of them, each rule set, each severity, and in all.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use slipstream_definitions::definition::Severity;

use super::alerts::{AlertScore, alerts as each};
use super::facts::{Facts, Fired, Telling, Watched, by_time};
use super::figures::{Figures, Firing, figures, sighting};
use super::incidents::Incident;
use super::labels::Labels;
use super::{Range, as_text};

/// How everything did.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Score {
    /// The range.
    #[serde(flatten)]
    pub range: Range,
    /// Seconds of the range without an incident of any service, grace included. Null without labels.
    pub quiet_seconds: Option<i64>,
    /// Their share of the range; null without labels or of an empty range.
    pub quiet_share: Option<f64>,
    /// Each incident that began in the range, by time.
    pub incidents: Vec<IncidentScore>,
    /// Each alert that fired in the range, or became worse in it, by when it fired.
    pub alerts: Vec<AlertScore>,
    /// Each rule, as if it were alone.
    pub rules: Vec<RuleScore>,
    /// The alerts of each rule set of an objective.
    pub rule_sets: Vec<RuleSetScore>,
    /// The alerts of each severity, from when they first had it; worst first, held against all incidents. An alert that was a
    /// ticket before it was a page is in both.
    pub severities: Vec<SeverityScore>,
    /// All alerts, against all incidents.
    pub all: Figures,
}

/// How an incident went.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct IncidentScore {
    /// When it began, RFC 3339.
    #[serde(serialize_with = "as_text")]
    pub from: i64,
    /// Its last second, RFC 3339.
    #[serde(serialize_with = "as_text")]
    pub to: i64,
    /// Which service; empty: any.
    pub service: String,
    /// What it was.
    pub what: String,
    /// The alert that fired first in it, or became worse first, and by which rule; null: none did.
    pub found_by: Option<FoundBy>,
    /// Seconds from its beginning to that.
    pub time_to_detect_seconds: Option<i64>,
    /// None fired in it, but one of before was still firing when it began.
    pub already_firing: bool,
    /// Alerts that fired in it, or became worse in it.
    pub alerts: u64,
}

/// An alert that found an incident.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FoundBy {
    /// SLO.
    pub slo: String,
    /// Objective.
    pub objective: String,
    /// groupBy labels and values; empty when not grouped.
    pub group: BTreeMap<String, String>,
    /// The rule.
    pub rule: String,
    /// Its severity.
    pub severity: String,
}

/// How a rule did.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RuleScore {
    /// SLO.
    pub slo: String,
    /// Objective.
    pub objective: String,
    /// Rule set.
    pub rule_set: String,
    /// The rule.
    pub rule: String,
    /// Its severity.
    pub severity: String,
    /// Of the incidents that its services had.
    #[serde(flatten)]
    pub figures: Figures,
}

/// How the alerts of a rule set did.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RuleSetScore {
    /// SLO.
    pub slo: String,
    /// Objective.
    pub objective: String,
    /// Rule set.
    pub rule_set: String,
    /// Of the incidents that its services had.
    #[serde(flatten)]
    pub figures: Figures,
}

/// How the alerts of a severity did.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SeverityScore {
    /// The severity.
    pub severity: String,
    /// Of all incidents.
    #[serde(flatten)]
    pub figures: Figures,
}

/// Scores a range. A rule answers for the incidents of its services only; severities, and all together, for every one.
pub fn score(facts: &Facts<'_>) -> Score {
    let Facts { range, labels, .. } = *facts;
    let quiet_seconds = labels.map(|labels| labels.quiet(range, |_| true).seconds());
    let share = |seconds: i64| seconds as f64 / range.seconds() as f64;
    Score {
        range,
        quiet_seconds,
        quiet_share: quiet_seconds.filter(|_| range.seconds() > 0).map(share),
        incidents: labels.map_or_else(Vec::new, |labels| incidents(facts, labels)),
        alerts: each(facts),
        rules: facts.watched.iter().map(|watched| rule(facts, watched)).collect(),
        rule_sets: rule_sets(facts),
        severities: severities(facts),
        all: of_alerts(facts.alerts, facts, |_| true),
    }
}

fn rule(facts: &Facts<'_>, watched: &Watched) -> RuleScore {
    let is_of = |fired: &&Fired| {
        (&fired.slo, &fired.objective, &fired.rule_set, &fired.first.rule)
            == (&watched.slo, &watched.objective, &watched.rule_set, &watched.rule)
    };
    RuleScore {
        slo: watched.slo.clone(),
        objective: watched.objective.clone(),
        rule_set: watched.rule_set.clone(),
        rule: watched.rule.clone(),
        severity: watched.severity.clone(),
        figures: of_alerts(facts.rules.iter().filter(is_of), facts, |incident| {
            watches(facts.labels, watched, incident)
        }),
    }
}

/// Whether an incident is one of those that a rule could find.
fn watches(labels: Option<&Labels>, watched: &Watched, incident: &Incident) -> bool {
    let services = watched.services.iter().chain([&watched.service]).map(String::as_str);
    labels.is_some_and(|labels| labels.concerns(incident, services))
}

/// One for each rule set of an objective, in the order of the rules.
fn rule_sets(facts: &Facts<'_>) -> Vec<RuleSetScore> {
    let mut scores: Vec<RuleSetScore> = Vec::new();
    for Watched { slo, objective, rule_set, .. } in facts.watched {
        if scores.iter().any(|known| (&known.slo, &known.objective, &known.rule_set) == (slo, objective, rule_set)) {
            continue;
        }
        let firings = facts
            .alerts
            .iter()
            .filter(|fired| (&fired.slo, &fired.objective, &fired.rule_set) == (slo, objective, rule_set));
        let rules: Vec<&Watched> = facts
            .watched
            .iter()
            .filter(|known| (&known.slo, &known.objective, &known.rule_set) == (slo, objective, rule_set))
            .collect();
        let figures =
            of_alerts(firings, facts, |incident| rules.iter().any(|watched| watches(facts.labels, watched, incident)));
        let (slo, objective, rule_set) = (slo.clone(), objective.clone(), rule_set.clone());
        scores.push(RuleSetScore { slo, objective, rule_set, figures });
    }
    scores
}

fn severities(facts: &Facts<'_>) -> Vec<SeverityScore> {
    let watched = facts.watched.iter().map(|watched| &watched.severity);
    let told = facts.alerts.iter().flat_map(Fired::tellings).map(|telling| &telling.severity);
    let names: BTreeSet<&String> = watched.chain(told).collect();
    let mut names: Vec<&String> = names.into_iter().collect();
    names.sort_by_key(|name| std::cmp::Reverse(Severity::named(name).rank));
    names.into_iter().map(|name| severity(facts, name)).collect()
}

/// Each alert counts from when it was of this severity: that is when those heard of it who hear of no lesser one.
fn severity<'a>(facts: &Facts<'a>, name: &str) -> SeverityScore {
    let reached = |(alert, fired): (usize, &'a Fired)| {
        let telling = fired.tellings().find(|telling| telling.severity == name)?;
        Some(fired.firing(alert, telling))
    };
    let firings = facts.alerts.iter().enumerate().filter_map(reached).collect();
    SeverityScore { severity: name.to_owned(), figures: figures(firings, facts.range, facts.labels, |_| true) }
}

/// Some alerts, against the incidents that they watch for.
fn of_alerts<'a>(
    alerts: impl IntoIterator<Item = &'a Fired>,
    facts: &Facts<'_>,
    watches: impl Fn(&Incident) -> bool,
) -> Figures {
    let firings = by_time(alerts).into_iter().map(|(_, _, firing)| firing).collect();
    figures(firings, facts.range, facts.labels, watches)
}

fn incidents(facts: &Facts<'_>, labels: &Labels) -> Vec<IncidentScore> {
    let told = by_time(facts.alerts);
    let firings: Vec<Firing<'_>> = told.iter().map(|(_, _, firing)| *firing).collect();
    let mut known: Vec<&Incident> =
        labels.incidents.iter().filter(|incident| facts.range.contains(incident.from)).collect();
    known.sort();
    let score = |incident: &Incident| {
        let (seen, _) = sighting(incident, labels, &firings);
        let first = seen.first.map(|index| &told[index]);
        IncidentScore {
            from: incident.from,
            to: incident.to,
            service: incident.service.clone(),
            what: incident.what.clone(),
            found_by: first.map(|(fired, telling, _)| found_by(fired, telling)),
            time_to_detect_seconds: first.map(|(_, telling, _)| telling.at - incident.from),
            already_firing: seen.was_firing,
            alerts: seen.alerts,
        }
    };
    known.into_iter().map(score).collect()
}

fn found_by(fired: &Fired, telling: &Telling) -> FoundBy {
    FoundBy {
        slo: fired.slo.clone(),
        objective: fired.objective.clone(),
        group: fired.group.clone(),
        rule: telling.rule.clone(),
        severity: telling.severity.clone(),
    }
}
