//! What is told of an alert.

use std::collections::BTreeMap;

use serde::Serialize;
use slipstream_definitions::definition::Severity;
use slipstream_schemas::records::AlertTransition;
use slipstream_store::alerts::AlertEpisode;
use slipstream_store::text;

use super::Contributors;

/// An episode of an alert.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AlertHistory {
    /// Id, SLO, severity, state, episode, pending_at, fired_at, resolved_at and so on, as `query alerts` has them; as of the
    /// range's end.
    #[serde(flatten)]
    pub episode: AlertEpisode,
    /// It was open before the range began: its beginning is from the alerts of then.
    pub open_before: bool,
    /// Steps of its machine in the range.
    pub transitions: Vec<TransitionShown>,
    /// Burn rates that its rules must exceed: rule, window in seconds, threshold.
    pub thresholds: Vec<Threshold>,
    /// The highest burn rate in each window of its rules while it was open, second by second: `{"5m": 147.8}`; of one that was open
    /// before the range, from there on. Empty if it was open for no evaluation.
    pub highest_burn_rates: BTreeMap<String, f64>,
    /// The least budget that was left meanwhile; null likewise.
    pub lowest_budget: Option<f64>,
    /// Since when its budget burned too fast: from here on until its worst rule told of it, the burn rate over the short window of
    /// that rule (an hour of it at most) was above 1, or above the rule's threshold where that is lower. Requests are looked at from
    /// the rule's long window before the pending on, and from six hours before it fired at the earliest. Null: it was not looked
    /// into, it fired before the range, or nothing of that kind was found.
    pub began_at: Option<String>,
    /// It may have begun before `began_at`: what was before is not known, because it was not looked at.
    pub began_earlier: bool,
    /// Whom it hit; null: it was not looked into. That is an alert that never fired, one beyond the first 200 that fired, one
    /// of a composite or of the groups beyond 1,000, and every alert of a replay that was stopped before it had looked.
    pub impact: Option<Impact>,
    /// What the bad requests of the impact have in common; empty if it was not looked into.
    pub contributors: Vec<Contributors>,
    /// The first of them, by `sli_time`; empty if it was not looked into.
    pub first_bad: Vec<Request>,
    /// As it went through the folds, for those who compare.
    #[serde(skip)]
    pub records: Vec<AlertTransition>,
}

/// A step of an alert's machine.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TransitionShown {
    /// When.
    pub at: String,
    /// `pending`, `inactive`, `firing`, `keeping`, `resumed`, `severity`, `resolved`.
    pub kind: String,
    /// Severity after it; empty while pending.
    pub severity: String,
    /// The worst rule.
    pub rule: String,
    /// Its kind: `burnrate`, `errorratio` and the like.
    pub rule_kind: String,
    /// What the rule's kind compares, in its long window: a burn rate, a share of 1, or seconds; null where the alert ended.
    pub value: Option<f64>,
}

impl AlertHistory {
    /// The severity that it fired with, and each one that was worse than all before: from when on (RFC 3339), the severity, and
    /// its rule. Empty if it never fired. Of an alert that fired before the range this begins with what it had last then.
    pub fn severities(&self) -> Vec<(String, &str, &str)> {
        let rises = self.rises().into_iter();
        let steps: Vec<_> = rises.map(|t| (text::seconds(t.tick), t.severity.as_str(), t.rule.as_str())).collect();
        if !steps.is_empty() || self.episode.fired_at.is_none() {
            return steps;
        }
        let told = self.transitions.iter().filter(|t| !t.severity.is_empty());
        let steps = told.map(|t| (t.at.clone(), t.severity.as_str(), t.rule.as_str())).collect();
        rising(steps, |(_, severity, _)| severity)
    }

    /// The transition that it fired with, and each one that made it worse than all before.
    pub fn rises(&self) -> Vec<&AlertTransition> {
        rising(self.records.iter().filter(|t| t.fired_at.is_some()).collect(), |t| &t.severity)
    }

    /// The worst severity that it had, and its rule; as of now where it never fired.
    pub fn worst(&self) -> (&str, &str) {
        let fallback = (self.episode.severity.as_str(), self.episode.rule.as_str());
        self.severities().last().map_or(fallback, |(_, severity, rule)| (*severity, *rule))
    }
}

/// Those that are worse than all before them.
fn rising<T>(mut steps: Vec<T>, severity: impl Fn(&T) -> &str) -> Vec<T> {
    let mut worst = None;
    steps.retain(|step| {
        let rank = Some(Severity::named(severity(step)).rank);
        let is_worse = rank > worst;
        worst = worst.max(rank);
        is_worse
    });
    steps
}

/// What a rule demands.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Threshold {
    /// The rule.
    pub rule: String,
    /// Its severity.
    pub severity: String,
    /// Its long window, such as `1h`, and its short one.
    pub window: String,
    /// See `window`.
    pub short_window: String,
    /// The burn rate that both must exceed.
    pub burn: f64,
}

/// Whom an alert hit: requests of its objective from its beginning to its end, if that is not more than six hours after it
/// fired. Of one that fired before the range, those from the range's beginning on, six hours at most.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Impact {
    /// From here.
    pub from: String,
    /// To here, exclusive.
    pub to: String,
    /// Whether that is the alert from its beginning to its end, or to the range's end if it was open then, and nothing of it is
    /// missing.
    pub whole: bool,
    /// Whether a part of it is missing (see [`Outcome::missing`](super::Outcome::missing)); by event time, whether anything is.
    pub missing: bool,
    /// Bad requests.
    pub bad: i64,
    /// All requests.
    pub total: i64,
    /// Different `user_ref` among the bad ones; null: none had one.
    pub users: Option<u64>,
    /// There were more than `users`: so many are told apart.
    pub users_at_least: bool,
}

/// A request.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Request {
    /// When it ended, by the clock of its producer.
    pub time: String,
    /// The earlier of that and of when the log took it: by this it counts, and is ordered.
    pub sli_time: String,
    /// Its event_id.
    pub event_id: String,
    /// Its trace.
    pub trace_id: Option<String>,
    /// See [`slipstream_schemas::RequestEvent`].
    pub service: String,
    /// See `service`.
    pub environment: String,
    /// See `service`.
    pub endpoint: String,
    /// See `service`.
    pub method: String,
    /// See `service`.
    pub status_code: u16,
    /// See `service`.
    pub latency_ms: Option<f64>,
    /// See `service`.
    pub user_ref: Option<String>,
}
