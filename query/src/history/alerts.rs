//! Alerts: their episodes, and one with all that is known of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use slipstream_schemas::LogTime;
use slipstream_schemas::records::{AlertTransition, AlertValue, TransitionKind};
use slipstream_store::alerts::{AlertEpisode, AlertFilter, AlertState, compared};
use slipstream_store::notifications::NotificationQuestion;
use slipstream_store::text;

use super::acknowledged::{Acknowledged, Known};
use super::{History, NotificationRow};
use crate::QueryError;

/// Alerts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AlertAnswer {
    /// One for each episode, newest first.
    pub alerts: Vec<AlertRow>,
}

/// An episode of an alert, and who looks after it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AlertRow {
    /// The episode.
    #[serde(flatten)]
    pub episode: AlertEpisode,
    /// Who looks after it. Null: nobody has said so, or the log, which knows, is not there; also of alerts as of a time.
    #[serde(default)]
    pub acknowledged: Option<Acknowledged>,
}

impl AlertRow {
    fn new(episode: AlertEpisode, known: &Known) -> Self {
        AlertRow { acknowledged: known.of(&episode.id, episode.episode), episode }
    }
}

/// An alert with all that is known of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AlertDetail {
    /// Its episodes, newest first.
    pub episodes: Vec<AlertRow>,
    /// The newest 10,000 transitions, oldest first.
    pub transitions: Vec<TransitionRow>,
    /// What became of its notifications, newest first; at most 10,000.
    pub notifications: Vec<NotificationRow>,
}

/// A transition of an alert.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TransitionRow {
    /// Which episode it belongs to.
    pub episode: i64,
    /// Its number in the episode, from 1.
    pub seq: i32,
    /// When, RFC 3339.
    pub at: String,
    /// What happened.
    pub kind: TransitionKind,
    /// Severity after it; empty while none is ripe.
    pub severity: String,
    /// The worst ripe rule.
    pub rule: String,
    /// Burn rate by rule and window: `fast-burn 1h`.
    pub burn_rates: BTreeMap<String, f64>,
    /// The rule's kind.
    #[serde(default)]
    pub rule_kind: String,
    /// What the kind of the rule compares, in the same way: a burn rate, a share of 1, or seconds.
    #[serde(default)]
    pub values: BTreeMap<String, f64>,
    /// False if a source was missing at that tick.
    pub complete: bool,
}

impl TransitionRow {
    /// A transition as a row.
    pub fn new(transition: &AlertTransition) -> Self {
        let window = |v: &AlertValue| format!("{} {}", v.rule, text::length(v.window_seconds));
        let values = transition.values.iter().filter_map(|v| Some((window(v), compared(transition, v)?)));
        TransitionRow {
            episode: transition.episode,
            seq: transition.seq,
            at: text::seconds(transition.tick),
            kind: transition.kind,
            severity: transition.severity.clone(),
            rule: transition.rule.clone(),
            burn_rates: transition.values.iter().map(|v| (window(v), v.burn)).collect(),
            rule_kind: transition.rule_kind.clone(),
            values: values.collect(),
            complete: transition.complete,
        }
    }
}

/// Whether episodes that were over by a tick would be among those that are asked for.
fn reaches(filter: &AlertFilter, found: usize, over_by: i64) -> bool {
    let is_open = |state: &AlertState| matches!(state, AlertState::Pending | AlertState::Firing);
    let only_open = !filter.states.is_empty() && filter.states.iter().all(is_open);
    let is_full = filter.limit.is_some_and(|limit| found >= limit);
    !only_open && !is_full && filter.from.is_none_or(|from| from < over_by)
}

/// Notifications of an alert that are told with it.
const TOLD: usize = 10_000;

impl History {
    /// Alerts and their states; as they were known at a time, if one is given.
    ///
    /// # Errors
    /// When the store cannot be read, lacks what was known then, or refuses the question.
    pub async fn alerts(&self, filter: &AlertFilter, as_of: Option<LogTime>) -> Result<AlertAnswer, QueryError> {
        let rows = |alerts: Vec<AlertEpisode>, known: &Known| {
            alerts.into_iter().map(|episode| AlertRow::new(episode, known)).collect()
        };
        let Some(at) = as_of else {
            let (alerts, known) = (self.store.alerts(filter).await?, self.acknowledgements().await?);
            return Ok(AlertAnswer { alerts: rows(alerts, &known) });
        };
        self.require_alerts(at).await?;
        let filter = AlertFilter { until: Some(at.0.div_euclid(1_000)), ..filter.clone() };
        let alerts = self.store.alerts(&filter).await?;
        // Asked last: what was removed while they were read is missing in them.
        if let Some(from) = self.store.whole_from().await?.alerts.filter(|from| reaches(&filter, alerts.len(), *from)) {
            return Err(QueryError::Refused(format!(
                "alerts that were over by {from} were removed by retention (retention.history): begin at {from}",
                from = text::seconds(from)
            )));
        }
        // Who looks after alerts is not known of the past: the log keeps the last word on each.
        Ok(AlertAnswer { alerts: rows(alerts, &Known::default()) })
    }

    /// An alert with its transitions and notifications.
    ///
    /// # Errors
    /// `Unknown` if there is none of this id; when the store cannot be read.
    pub async fn alert(&self, id: &str) -> Result<AlertDetail, QueryError> {
        let transitions = self.store.transitions(id).await?;
        let mut latest: BTreeMap<i64, &AlertTransition> = BTreeMap::new();
        for transition in &transitions {
            latest.insert(transition.episode, transition);
        }
        if latest.is_empty() {
            return Err(QueryError::Unknown { what: "alert", name: id.to_owned() });
        }
        let known = self.acknowledgements().await?;
        let episodes =
            latest.values().rev().map(|transition| AlertRow::new(AlertEpisode::new(transition), &known)).collect();
        let question =
            NotificationQuestion { alert_id: Some(id.to_owned()), limit: TOLD, ..NotificationQuestion::default() };
        let notifications = self.notifications(&question).await?.notifications;
        Ok(AlertDetail { episodes, transitions: transitions.iter().map(TransitionRow::new).collect(), notifications })
    }

    /// Who looks after alerts; nobody, without a log.
    async fn acknowledgements(&self) -> Result<Arc<Known>, QueryError> {
        match &self.log {
            Ok(log) => self.acknowledged.read(log.as_ref()).await,
            Err(_) => Ok(Arc::default()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_would_be_told_of_what_was_removed_is_refused() {
        let filter = |from, states: &[AlertState], limit| AlertFilter {
            from,
            states: states.to_vec(),
            limit,
            ..AlertFilter::default()
        };
        for (filter, expected) in [
            (filter(None, &[], None), true),
            (filter(None, &[AlertState::Firing, AlertState::Resolved], None), true),
            (filter(Some(99), &[], None), true),
            (filter(Some(100), &[], None), false),
            (filter(None, &[AlertState::Firing, AlertState::Pending], None), false),
            // The newest fill the page.
            (filter(None, &[], Some(3)), false),
            (filter(None, &[], Some(4)), true),
        ] {
            assert_eq!(reaches(&filter, 3, 100), expected, "{filter:?}");
        }
    }
}
