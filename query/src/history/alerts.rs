//! Alerts: their episodes, one with all its transitions, and what became of notifications.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use slipstream_schemas::records::{AlertTransition, AlertValue, Notification, Outcome, TransitionKind};
use slipstream_schemas::{EventTime, LogTime};
use slipstream_store::alerts::{AlertEpisode, AlertFilter, AlertState, compared};
use slipstream_store::notifications::NotificationQuestion;
use slipstream_store::text;

use super::History;
use crate::QueryError;

/// Alerts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AlertAnswer {
    /// One for each episode, newest first.
    pub alerts: Vec<AlertEpisode>,
}

/// An alert with all that is known of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AlertDetail {
    /// Its episodes, newest first.
    pub episodes: Vec<AlertEpisode>,
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

/// A page of notifications.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NotificationAnswer {
    /// Newest first.
    pub notifications: Vec<NotificationRow>,
    /// Where the next page starts, as text; null at the end.
    pub next: Option<String>,
}

/// What became of a transition at a receiver.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NotificationRow {
    /// When it ended, RFC 3339, by the notifier's clock.
    pub at: String,
    /// The alert.
    pub alert_id: String,
    /// Its episode.
    pub episode: i64,
    /// The transition within it.
    pub seq: i32,
    /// Receiver name.
    pub receiver: String,
    /// How it ended.
    pub outcome: Outcome,
    /// HTTP status; null if there was no response.
    pub status: Option<i32>,
    /// Attempts made.
    pub attempts: i32,
    /// What the receiver or the transport said.
    pub detail: String,
}

impl From<Notification> for NotificationRow {
    fn from(n: Notification) -> Self {
        NotificationRow {
            at: text::micros(EventTime(n.at.saturating_mul(1_000))),
            alert_id: n.alert_id,
            episode: n.episode,
            seq: n.seq,
            receiver: n.receiver,
            outcome: n.outcome,
            status: n.status,
            attempts: n.attempts,
            detail: n.detail,
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
        let Some(at) = as_of else { return Ok(AlertAnswer { alerts: self.store.alerts(filter).await? }) };
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
        Ok(AlertAnswer { alerts })
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
        let episodes = latest.values().rev().map(|transition| AlertEpisode::new(transition)).collect();
        let question =
            NotificationQuestion { alert_id: Some(id.to_owned()), limit: TOLD, ..NotificationQuestion::default() };
        let notifications = self.notifications(&question).await?.notifications;
        Ok(AlertDetail { episodes, transitions: transitions.iter().map(TransitionRow::new).collect(), notifications })
    }

    /// A page of what became of notifications.
    ///
    /// # Errors
    /// When the store cannot be read, or refuses the question.
    pub async fn notifications(&self, question: &NotificationQuestion) -> Result<NotificationAnswer, QueryError> {
        let page = self.store.notifications(question).await?;
        let notifications = page.notifications.into_iter().map(NotificationRow::from).collect();
        Ok(NotificationAnswer { notifications, next: page.next.map(|next| next.to_string()) })
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
