//! Alerts as a question finds them: one per alert and episode, with its latest transition.

use serde::{Deserialize, Serialize};
use slipstream_schemas::records::{AlertTransition, AlertValue, TransitionKind};

use crate::text;

/// Transitions of an alert that are told with it.
pub const MOST_TRANSITIONS: usize = 10_000;

/// Which alerts; the default selects all.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AlertFilter {
    /// Exactly this SLO.
    pub slo: Option<String>,
    /// Exactly this service.
    pub service: Option<String>,
    /// Exactly this severity.
    pub severity: Option<String>,
    /// One of these states; empty: any.
    pub states: Vec<AlertState>,
    /// Latest transition at this Unix second or later.
    pub from: Option<i64>,
    /// Episode began before this Unix second.
    pub to: Option<i64>,
    /// As they were at this tick: later transitions do not count.
    pub until: Option<i64>,
    /// At most this many; `None` for all.
    pub limit: Option<usize>,
}

/// The state of an alert's episode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlertState {
    /// A condition holds, `for` runs.
    Pending,
    /// It ended before it was due: it never fired.
    Inactive,
    /// It fires; also while `keep_firing_for` runs.
    Firing,
    /// It fired and is over.
    Resolved,
}

impl AlertState {
    /// Whether its episode goes on.
    pub fn is_open(self) -> bool {
        matches!(self, AlertState::Pending | AlertState::Firing)
    }

    /// The state after a transition.
    pub fn after(kind: TransitionKind) -> Self {
        match kind {
            TransitionKind::Pending => AlertState::Pending,
            TransitionKind::Inactive => AlertState::Inactive,
            TransitionKind::Firing | TransitionKind::Keeping | TransitionKind::Resumed | TransitionKind::Severity => {
                AlertState::Firing
            }
            TransitionKind::Resolved => AlertState::Resolved,
        }
    }
}

/// An episode of an alert.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AlertEpisode {
    /// The alert's id: the same in all its episodes.
    pub id: String,
    /// SLO name.
    pub slo: String,
    /// Severity of the worst ripe rule; of an episode that is over, the last one; empty where none was ripe.
    pub severity: String,
    /// Its state.
    pub state: AlertState,
    /// Its latest transition, RFC 3339.
    pub at: String,
    /// What the worst rule compared at that transition, in its long window: a burn rate, a share of 1, or seconds.
    pub value: Option<f64>,
    /// What that rule compares it with.
    pub threshold: Option<f64>,
    /// Service of the SLO.
    pub service: String,
    /// Objective.
    pub objective: String,
    /// groupBy labels and values; empty when not grouped.
    pub group: std::collections::BTreeMap<String, String>,
    /// The worst rule.
    pub rule: String,
    /// The tick of its pending: it identifies an episode of the alert.
    pub episode: i64,
    /// When it became pending, RFC 3339.
    pub pending_at: String,
    /// When it fired; null: not yet, or never.
    pub fired_at: Option<String>,
    /// When it was resolved; null: not yet, or never.
    pub resolved_at: Option<String>,
    /// The kind of the worst rule: `burnrate`, `errorratio` and the like.
    #[serde(default = "burn_rate")]
    pub rule_kind: String,
}

/// What former versions knew alone.
const BURN_RATE: &str = "burnrate";

fn burn_rate() -> String {
    BURN_RATE.to_owned()
}

impl AlertEpisode {
    /// An episode by its latest transition.
    pub fn new(latest: &AlertTransition) -> Self {
        let state = AlertState::after(latest.kind);
        AlertEpisode {
            id: latest.alert_id.clone(),
            slo: latest.slo.clone(),
            severity: latest.severity.clone(),
            state,
            at: text::seconds(latest.tick),
            value: value(latest).and_then(|value| compared(latest, value)),
            threshold: value(latest).map(|value| value.threshold),
            service: latest.service.clone(),
            objective: latest.objective.clone(),
            group: latest.group.iter().map(|label| (label.name.clone(), label.value.clone())).collect(),
            rule: latest.rule.clone(),
            episode: latest.episode,
            pending_at: text::seconds(latest.episode),
            fired_at: latest.fired_at.map(text::seconds),
            resolved_at: (state == AlertState::Resolved).then(|| text::seconds(latest.tick)),
            rule_kind: latest.rule_kind.clone(),
        }
    }
}

/// What the rule's kind compared. Former versions kept burn rates alone.
pub fn compared(transition: &AlertTransition, value: &AlertValue) -> Option<f64> {
    value.value.or((transition.rule_kind == BURN_RATE).then_some(value.burn))
}

/// The longest window of the worst rule; of any rule on burn rates where the worst has left no value.
fn value(transition: &AlertTransition) -> Option<&AlertValue> {
    let of_rule = transition.values.iter().filter(|value| value.rule == transition.rule);
    let longest = of_rule.max_by_key(|value| value.window_seconds);
    let any = transition.values.iter().filter(|_| transition.rule_kind == BURN_RATE);
    longest.or_else(|| any.max_by_key(|value| value.window_seconds))
}
