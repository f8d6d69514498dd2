//! Alerts and their states.

use std::collections::BTreeMap;

use serde::Serialize;
use slipstream_query::history::{self, AlertRow};
use slipstream_store::alerts;
use utoipa::ToSchema;

use super::notifications::Notification;
use super::transitions::Step;
use super::{Example, Rows, at};

/// The state of an alert's episode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AlertState {
    /// A condition holds, `for` runs.
    Pending,
    /// It ended before it was due: it never fired.
    Inactive,
    /// It fires.
    Firing,
    /// It fired and is over.
    Resolved,
}

impl From<alerts::AlertState> for AlertState {
    fn from(state: alerts::AlertState) -> Self {
        match state {
            alerts::AlertState::Pending => AlertState::Pending,
            alerts::AlertState::Inactive => AlertState::Inactive,
            alerts::AlertState::Firing => AlertState::Firing,
            alerts::AlertState::Resolved => AlertState::Resolved,
        }
    }
}

/// Who looks after an alert: receivers are not reminded of its episode.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Acknowledged {
    /// Who it is.
    pub owner: String,
    /// Since when.
    pub at: String,
    /// What there is to say; may be empty.
    pub reason: String,
}

impl From<history::Acknowledged> for Acknowledged {
    fn from(history::Acknowledged { owner, at, reason }: history::Acknowledged) -> Self {
        Acknowledged { owner, at, reason }
    }
}

/// An episode of an alert.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Alert {
    /// The alert's id: the same in all its episodes.
    pub id: String,
    /// The SLO.
    pub slo: String,
    /// Severity of the worst ripe rule; of an episode that is over, the last one; empty where none was ripe.
    pub severity: String,
    /// Its state.
    pub state: AlertState,
    /// Its latest transition.
    pub at: String,
    /// What the worst rule compared at that transition, in its long window: a burn rate, a share of 1, or seconds.
    pub value: Option<f64>,
    /// What that rule compares it with.
    pub threshold: Option<f64>,
    /// Service of the SLO.
    pub service: String,
    /// The objective.
    pub objective: String,
    /// groupBy labels and values; empty when not grouped.
    pub group: BTreeMap<String, String>,
    /// The worst rule.
    pub rule: String,
    /// The tick of its pending: it identifies an episode of the alert.
    pub episode: i64,
    /// When it became pending.
    pub pending_at: String,
    /// When it fired; null: not yet, or never.
    pub fired_at: Option<String>,
    /// When it was resolved; null: not yet, or never.
    pub resolved_at: Option<String>,
    /// The kind of the worst rule: `burnrate`, `errorratio` and the like.
    pub rule_kind: String,
    /// Who looks after it. Null: nobody has said so. Also of alerts `as_of` a time, and while the log was never read because it is away.
    pub acknowledged: Option<Acknowledged>,
}

impl From<AlertRow> for Alert {
    fn from(AlertRow { episode, acknowledged }: AlertRow) -> Self {
        Alert {
            id: episode.id,
            slo: episode.slo,
            severity: episode.severity,
            state: episode.state.into(),
            at: episode.at,
            value: episode.value,
            threshold: episode.threshold,
            service: episode.service,
            objective: episode.objective,
            group: episode.group,
            rule: episode.rule,
            episode: episode.episode,
            pending_at: episode.pending_at,
            fired_at: episode.fired_at,
            resolved_at: episode.resolved_at,
            rule_kind: episode.rule_kind,
            acknowledged: acknowledged.map(Into::into),
        }
    }
}

/// Alerts, newest first.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Alerts {
    /// One for each episode.
    pub alerts: Vec<Alert>,
    /// Log time up to which the store has all transitions; null if it has none yet.
    pub as_of: Option<String>,
}

/// One alert.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct AlertDetail {
    /// Its newest episode.
    pub alert: Alert,
    /// Its episodes, newest first: those of the transitions.
    pub episodes: Vec<Alert>,
    /// The newest 10,000 transitions that are stored, of all episodes, oldest first.
    pub transitions: Vec<Step>,
    /// What became of its notifications, newest first; at most 10,000.
    pub notifications: Vec<Notification>,
    /// Log time up to which the store has all transitions; null if it has none yet.
    pub as_of: Option<String>,
}

impl AlertDetail {
    /// What was answered, and up to when that is known. `None` if it has no episode: then there is no alert.
    pub fn new(answer: history::AlertDetail, as_of: Option<String>) -> Option<AlertDetail> {
        let episodes: Vec<Alert> = answer.episodes.into_iter().map(Alert::from).collect();
        Some(AlertDetail {
            alert: episodes.first()?.clone(),
            episodes,
            transitions: answer.transitions.into_iter().map(Step::from).collect(),
            notifications: answer.notifications.into_iter().map(Notification::from).collect(),
            as_of,
        })
    }
}

impl Rows for Alerts {
    const COLUMNS: &'static [&'static str] = &[
        "id",
        "slo",
        "severity",
        "state",
        "at",
        "value",
        "threshold",
        "service",
        "objective",
        "group",
        "rule",
        "episode",
        "pending_at",
        "fired_at",
        "resolved_at",
        "rule_kind",
        "acknowledged",
    ];
    type Row = Alert;

    fn rows(&self) -> &[Alert] {
        &self.alerts
    }

    fn as_of(&self) -> Option<&str> {
        self.as_of.as_deref()
    }
}

impl Example for Alert {
    fn example() -> Self {
        Alert {
            id: "5a2f9c01d3b7e846".to_owned(),
            slo: "payment-availability".to_owned(),
            severity: "page".to_owned(),
            state: AlertState::Firing,
            at: at("09:31:10"),
            value: Some(21.3),
            threshold: Some(14.4),
            service: "payment".to_owned(),
            objective: "0".to_owned(),
            group: BTreeMap::new(),
            rule: "1h/5m".to_owned(),
            episode: 1_796_031_070,
            pending_at: at("09:31:10"),
            fired_at: Some(at("09:31:10")),
            resolved_at: None,
            rule_kind: "burnrate".to_owned(),
            acknowledged: Some(Acknowledged {
                owner: "ana".to_owned(),
                at: at("09:34:02.000000"),
                reason: "Rolling back the card provider".to_owned(),
            }),
        }
    }
}

impl Example for Alerts {
    fn example() -> Self {
        Alerts { alerts: vec![Alert::example()], as_of: Some(at("10:00:02")) }
    }
}

impl Example for AlertDetail {
    fn example() -> Self {
        AlertDetail {
            alert: Alert::example(),
            episodes: vec![Alert::example()],
            transitions: vec![Step::example()],
            notifications: vec![Notification::example()],
            as_of: Some(at("10:00:02")),
        }
    }
}
