//! Each alert of a range, and what it was worth.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

use super::facts::{Facts, Fired};
use super::figures::{Firing, sighting};
use super::labels::Labels;
use super::{as_text, text};

/// What an alert was worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Worth {
    /// The first in an incident.
    Found,
    /// A further one in an incident.
    Repeat,
    /// In no incident.
    False,
    /// In an incident that does not count, alone.
    SetAside,
}

/// An alert that fired in the range.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AlertScore {
    /// SLO.
    pub slo: String,
    /// Objective.
    pub objective: String,
    /// groupBy labels and values; empty when not grouped.
    pub group: BTreeMap<String, String>,
    /// The worst rule.
    pub rule: String,
    /// The worst severity that it had.
    pub severity: String,
    /// When its condition began to hold, RFC 3339.
    #[serde(serialize_with = "as_text")]
    pub pending_at: i64,
    /// When it fired, RFC 3339.
    #[serde(serialize_with = "as_text")]
    pub fired_at: i64,
    /// When it was over, RFC 3339; null: it was still firing at the range's end.
    #[serde(serialize_with = "as_text_or_null")]
    pub resolved_at: Option<i64>,
    /// Share of the period's budget that was spent when it fired; null if unknown.
    pub budget_gone: Option<f64>,
    /// What it was worth; null without labels.
    pub worth: Option<Worth>,
}

fn as_text_or_null<S: Serializer>(second: &Option<i64>, serializer: S) -> Result<S::Ok, S::Error> {
    second.map(text).serialize(serializer)
}

/// The alerts that fired in the range, by time.
pub(super) fn alerts(facts: &Facts<'_>) -> Vec<AlertScore> {
    let mut alerts: Vec<&Fired> = facts.alerts.iter().collect();
    alerts.sort_by(|a, b| (a.fired, &a.slo, &a.objective, &a.group).cmp(&(b.fired, &b.slo, &b.objective, &b.group)));
    let worth = facts.labels.map(|labels| worth(&alerts, labels));
    let in_range = (0..alerts.len()).filter(|index| facts.range.contains(alerts[*index].fired));
    in_range.map(|index| score(alerts[index], worth.as_ref().map(|worth| worth[index]))).collect()
}

fn score(fired: &Fired, worth: Option<Worth>) -> AlertScore {
    AlertScore {
        slo: fired.slo.clone(),
        objective: fired.objective.clone(),
        group: fired.group.clone(),
        rule: fired.rule.clone(),
        severity: fired.severity.clone(),
        pending_at: fired.pending,
        fired_at: fired.fired,
        resolved_at: fired.ended,
        budget_gone: fired.budget_gone,
        worth,
    }
}

/// What each of the alerts, which are by time, was worth; as [`super::figures`] counts them.
fn worth(alerts: &[&Fired], labels: &Labels) -> Vec<Worth> {
    let firings: Vec<Firing<'_>> = alerts.iter().map(|fired| fired.firing()).collect();
    let mut worth = vec![Worth::False; alerts.len()];
    for incident in &labels.set_aside {
        sighting(incident, labels, &firings).1.into_iter().for_each(|index| worth[index] = Worth::SetAside);
    }
    let seen: Vec<_> = labels.incidents.iter().map(|incident| sighting(incident, labels, &firings)).collect();
    seen.iter().flat_map(|(_, within)| within).for_each(|index| worth[*index] = Worth::Repeat);
    seen.iter().filter_map(|(sighting, _)| sighting.first).for_each(|index| worth[index] = Worth::Found);
    worth
}
