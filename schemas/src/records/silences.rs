//! Silences and acknowledgements: what people say about alerts.

use serde::{Deserialize, Serialize};

/// How a label is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MatchOp {
    /// `=`.
    Eq,
    /// `!=`.
    Ne,
    /// `=~`: the regular expression matches all of the label.
    Re,
    /// `!~`.
    Nre,
}

/// What a label of an alert must be. A label that an alert lacks is empty.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LabelMatcher {
    /// Name of the label.
    pub label: String,
    /// How it is compared.
    pub op: MatchOp,
    /// With what.
    pub value: String,
}

/// Times that come again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recurrence {
    /// When each begins: minute, hour, day of the month, month, day of the week.
    pub cron: String,
    /// In the local time of this zone.
    pub zone: String,
    /// How long each lasts, in seconds that pass.
    pub seconds: i64,
}

/// Alerts of which nobody is told for a time: those that all matchers match. Of several records with one id the last counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Silence {
    /// Unique; a UUIDv7 unless its sender gave one.
    pub id: String,
    /// At least one.
    pub matchers: Vec<LabelMatcher>,
    /// From when on, milliseconds since the epoch.
    pub from: i64,
    /// Until when; `None`: until it is expired.
    #[serde(default)]
    pub to: Option<i64>,
    /// `None`: all of the time.
    #[serde(default)]
    pub recurrence: Option<Recurrence>,
    /// Who made it; empty: not known.
    #[serde(default)]
    pub author: String,
    /// Why.
    #[serde(default)]
    pub reason: String,
    /// When it was made, milliseconds since the epoch.
    pub created_at: i64,
}

/// Somebody looks after an alert: receivers are not reminded of this episode any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acknowledgement {
    /// The alert.
    pub alert_id: String,
    /// Its episode.
    pub episode: i64,
    /// Who looks after it.
    pub owner: String,
    /// What there is to say.
    #[serde(default)]
    pub reason: String,
    /// Since when, milliseconds since the epoch.
    pub at: i64,
}
