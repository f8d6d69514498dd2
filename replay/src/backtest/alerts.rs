//! Each alert of a range, and what it was worth.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

use super::facts::{Facts, Fired, Telling, by_time};
use super::figures::{Firing, sighting};
use super::labels::Labels;
use super::{as_text, text};

/// What a telling of an alert was worth.
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

/// An alert that fired in the range, or became worse in it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AlertScore {
    /// SLO.
    pub slo: String,
    /// Objective.
    pub objective: String,
    /// groupBy labels and values; empty when not grouped.
    pub group: BTreeMap<String, String>,
    /// The rule that it fired by.
    pub rule: String,
    /// The severity that it fired with.
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
    /// What it was worth when it fired; null without labels, and if that was before the range.
    pub worth: Option<Worth>,
    /// Each time that it became worse than it had been, by time.
    pub rises: Vec<Rise>,
}

/// An alert became worse: a ticket became a page.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Rise {
    /// When, RFC 3339.
    #[serde(serialize_with = "as_text")]
    pub at: i64,
    /// The rule that made it worse.
    pub rule: String,
    /// The severity that it has had since.
    pub severity: String,
    /// Share of the period's budget that was spent then; null if unknown.
    pub budget_gone: Option<f64>,
    /// What it was worth that people were told of this; null without labels.
    pub worth: Option<Worth>,
}

fn as_text_or_null<S: Serializer>(second: &Option<i64>, serializer: S) -> Result<S::Ok, S::Error> {
    second.map(text).serialize(serializer)
}

/// The alerts that people were told of in the range, by when they fired.
pub(super) fn alerts(facts: &Facts<'_>) -> Vec<AlertScore> {
    let told = by_time(facts.alerts);
    let worth = facts.labels.map(|labels| worth(&told, labels));
    let mut scores: Vec<Option<AlertScore>> = vec![None; facts.alerts.len()];
    for (index, (fired, telling, firing)) in told.iter().enumerate() {
        let is_in_range = facts.range.contains(telling.at);
        let worth = worth.as_ref().map(|worth| worth[index]).filter(|_| is_in_range);
        let score = &mut scores[firing.alert];
        if is_in_range {
            let score = score.get_or_insert_with(|| of_alert(fired));
            match std::ptr::eq(*telling, &raw const fired.first) {
                true => score.worth = worth,
                false => score.rises.push(rise(telling, worth)),
            }
        }
    }
    let mut scores: Vec<AlertScore> = scores.into_iter().flatten().collect();
    scores.sort_by(|a, b| {
        (a.fired_at, &a.slo, &a.objective, &a.group).cmp(&(b.fired_at, &b.slo, &b.objective, &b.group))
    });
    scores
}

fn of_alert(fired: &Fired) -> AlertScore {
    AlertScore {
        slo: fired.slo.clone(),
        objective: fired.objective.clone(),
        group: fired.group.clone(),
        rule: fired.first.rule.clone(),
        severity: fired.first.severity.clone(),
        pending_at: fired.pending,
        fired_at: fired.first.at,
        resolved_at: fired.ended,
        budget_gone: fired.first.budget_gone,
        worth: None,
        rises: Vec::new(),
    }
}

fn rise(telling: &Telling, worth: Option<Worth>) -> Rise {
    Rise {
        at: telling.at,
        rule: telling.rule.clone(),
        severity: telling.severity.clone(),
        budget_gone: telling.budget_gone,
        worth,
    }
}

/// What each of the tellings, which are by time, was worth; as [`super::figures`] counts them.
fn worth(told: &[(&Fired, &Telling, Firing<'_>)], labels: &Labels) -> Vec<Worth> {
    let firings: Vec<Firing<'_>> = told.iter().map(|(_, _, firing)| *firing).collect();
    let mut worth = vec![Worth::False; firings.len()];
    for incident in &labels.set_aside {
        sighting(incident, labels, &firings).1.into_iter().for_each(|index| worth[index] = Worth::SetAside);
    }
    let seen: Vec<_> = labels.incidents.iter().map(|incident| sighting(incident, labels, &firings)).collect();
    seen.iter().flat_map(|(_, within)| within).for_each(|index| worth[*index] = Worth::Repeat);
    seen.iter().filter_map(|(sighting, _)| sighting.first).for_each(|index| worth[index] = Worth::Found);
    worth
}
