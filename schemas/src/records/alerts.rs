//! Alerts: the steps of their machine, and what became of their notifications.

use serde::{Deserialize, Serialize};

use super::tallies::Exemplar;

/// A change of an alert's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TransitionKind {
    /// A condition began to hold; `for` runs.
    Pending,
    /// It ceased before it was ripe.
    Inactive,
    /// It held long enough.
    Firing,
    /// No condition holds; `keep_firing_for` runs.
    Keeping,
    /// A condition holds again while keeping.
    Resumed,
    /// The worst ripe rule is another one.
    Severity,
    /// Over.
    Resolved,
}

impl TransitionKind {
    /// Whether receivers are told of it: that an alert fires, with which severity, and that it is over.
    pub fn is_told(self) -> bool {
        matches!(self, TransitionKind::Firing | TransitionKind::Severity | TransitionKind::Resolved)
    }

    /// Its name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            TransitionKind::Pending => "pending",
            TransitionKind::Inactive => "inactive",
            TransitionKind::Firing => "firing",
            TransitionKind::Keeping => "keeping",
            TransitionKind::Resumed => "resumed",
            TransitionKind::Severity => "severity",
            TransitionKind::Resolved => "resolved",
        }
    }
}

/// One step of an alert's machine, and its whole state after it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AlertTransition {
    /// Hash of slo, objective, group and rule set: 16 hex digits.
    pub alert_id: String,
    /// The tick of its pending.
    pub episode: i64,
    /// 1 for pending, then counting.
    pub seq: i32,
    /// SLO name.
    pub slo: String,
    /// Service of the SLO.
    pub service: String,
    /// Objective.
    pub objective: String,
    /// groupBy labels and their values.
    pub group: Vec<GroupLabel>,
    /// Rule set.
    pub rule_set: String,
    /// The worst ripe rule (while pending: the first that holds; when it ends: the last one).
    pub rule: String,
    /// Severity of the worst ripe rule; empty while pending.
    pub severity: String,
    /// What happened.
    pub kind: TransitionKind,
    /// When, in whole seconds of log time.
    pub tick: i64,
    /// Tick at which it fired in this episode; null before.
    pub fired_at: Option<i64>,
    /// What mattered.
    pub values: Vec<AlertValue>,
    /// Generation of the SLO.
    pub generation: i64,
    /// Whether the tick was complete.
    pub complete: bool,
    /// Labels and annotations of the rule, for receivers.
    pub labels: Vec<Label>,
    /// Annotations of the rule.
    pub annotations: Vec<Label>,
    /// Some bad events.
    pub exemplars: Vec<Exemplar>,
    /// The kind of `rule`: `burnrate` and the like.
    #[serde(default = "burn_rate")]
    pub rule_kind: String,
    /// On the last of an episode: its rule, objective or series is there no more. Nothing is known of what it was about.
    #[serde(default)]
    pub withdrawn: bool,
    /// Since which tick the condition of `rule` holds without a break; `None` where it does not, and from former versions.
    #[serde(default)]
    pub holds_since: Option<i64>,
}

/// The only kind that former versions knew.
fn burn_rate() -> String {
    "burnrate".to_owned()
}

/// A grouping dimension and its value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupLabel {
    /// Field or attribute.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// A label or annotation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Label {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// What a rule looked at in a window at a transition.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct AlertValue {
    /// Rule name.
    pub rule: String,
    /// Window in seconds; of a budget its period.
    pub window_seconds: i64,
    /// Burn rate there.
    pub burn: f64,
    /// What the value is held against: see [`AlertValue::value`].
    pub threshold: f64,
    /// What the rule's kind compares with its threshold: a burn rate, a share of 1, or seconds. Null where there is none; former
    /// versions wrote none, and knew burn rates alone.
    #[serde(default)]
    pub value: Option<f64>,
    /// What was good there, by the unit of burn-rates; null in former versions.
    #[serde(default)]
    pub good: Option<i64>,
    /// Good and bad there.
    #[serde(default)]
    pub total: Option<i64>,
    /// Of a latency quantile: what the quantile must exceed, milliseconds.
    #[serde(default)]
    pub limit: Option<f64>,
}

/// How a notification ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The receiver took it.
    #[default]
    Delivered,
    /// The receiver refused it. Sent again while it is true; if it is taken then, a second record says so.
    Refused,
    /// It is not for this receiver, or came to nothing: [`Notification::reason`] says why.
    NotDue,
    /// It was not sent for now. Told once nothing holds it back and it is still true; then a second record says so.
    HeldBack,
    /// No answer, or one that says later: it is tried again. Recorded at the first attempt, the tenth and so on.
    Failed,
}

impl Outcome {
    /// Its name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Outcome::Delivered => "delivered",
            Outcome::Refused => "refused",
            Outcome::NotDue => "not_due",
            Outcome::HeldBack => "held_back",
            Outcome::Failed => "failed",
        }
    }
}

/// Why a notification was not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NotificationReason {
    /// It was sent, or a former version recorded it.
    #[default]
    None,
    /// A silence holds it back.
    Silenced,
    /// Another alert holds it back.
    Inhibited,
    /// Its route is mute at this time.
    Muted,
    /// No route leads it to the receiver.
    NoRoute,
    /// It is an end, and its beginning was not sent.
    Untold,
    /// The receiver wants no ends.
    Unwanted,
    /// A later state was sent instead.
    Superseded,
    /// The episode began and ended before it could be sent.
    Missed,
    /// Somebody looks after it, and nobody is reminded.
    Acknowledged,
    /// A remediation that only says what it would ask.
    DryRun,
    /// A remediation that was asked as often as it may be.
    RateLimited,
    /// The attempt failed, and the receiver may have it all the same.
    InDoubt,
}

impl NotificationReason {
    /// Every reason.
    pub const ALL: &'static [NotificationReason] = &[
        NotificationReason::None,
        NotificationReason::Silenced,
        NotificationReason::Inhibited,
        NotificationReason::Muted,
        NotificationReason::NoRoute,
        NotificationReason::Untold,
        NotificationReason::Unwanted,
        NotificationReason::Superseded,
        NotificationReason::Missed,
        NotificationReason::Acknowledged,
        NotificationReason::DryRun,
        NotificationReason::RateLimited,
        NotificationReason::InDoubt,
    ];

    /// Its name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            NotificationReason::None => "none",
            NotificationReason::Silenced => "silenced",
            NotificationReason::Inhibited => "inhibited",
            NotificationReason::Muted => "muted",
            NotificationReason::NoRoute => "no_route",
            NotificationReason::Untold => "untold",
            NotificationReason::Unwanted => "unwanted",
            NotificationReason::Superseded => "superseded",
            NotificationReason::Missed => "missed",
            NotificationReason::Acknowledged => "acknowledged",
            NotificationReason::DryRun => "dry_run",
            NotificationReason::RateLimited => "rate_limited",
            NotificationReason::InDoubt => "in_doubt",
        }
    }
}

/// What became of a transition at a receiver. The notifier restores what it holds back from it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notification {
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
    /// HTTP status, if there was a response.
    pub status: Option<i32>,
    /// Attempts made.
    pub attempts: i32,
    /// What the receiver or the transport said, for people.
    pub detail: String,
    /// When it ended, milliseconds since the epoch by the notifier's clock.
    pub at: i64,
    /// Why it was not sent.
    #[serde(default)]
    pub reason: NotificationReason,
    /// What holds it back: id of the silence or of the inhibiting alert, the name of the time interval, or who acknowledged it.
    #[serde(default)]
    pub by: String,
    /// What happened: `firing`, `severity` or `resolved`; empty in former versions.
    #[serde(default)]
    pub kind: String,
    /// SLO name.
    #[serde(default)]
    pub slo: String,
    /// Severity at the transition.
    #[serde(default)]
    pub severity: String,
    /// How long the last attempt took, milliseconds; `None` without one.
    #[serde(default)]
    pub latency_ms: Option<i64>,
    /// Whether the receiver had it already: it was reminded, or would have been.
    #[serde(default)]
    pub repeated: bool,
}
