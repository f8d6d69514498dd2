//! The Rules, and where they stand.

use std::collections::BTreeMap;

use serde::Serialize;
use slipstream_query::rules::{self as query, RuleStatus};
use utoipa::ToSchema;

use super::{Example, at};

/// Where a Rule stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RulePhase {
    /// Its condition has held for long enough.
    Firing,
    /// Its condition does not hold any more; `keepFiringFor` runs.
    Keeping,
    /// Its condition holds, and `for` runs.
    Pending,
    /// Its condition does not hold.
    Inactive,
}

impl From<query::RuleState> for RulePhase {
    fn from(state: query::RuleState) -> Self {
        match state {
            query::RuleState::Firing => RulePhase::Firing,
            query::RuleState::Keeping => RulePhase::Keeping,
            query::RuleState::Pending => RulePhase::Pending,
            query::RuleState::Inactive => RulePhase::Inactive,
        }
    }
}

/// A Rule, or one group of it.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct RuleStanding {
    /// Its name.
    pub name: String,
    /// The SLO whose promise it looks at; null of one with an indicator of its own.
    pub slo: Option<String>,
    /// Which objective of that.
    pub objective: Option<String>,
    /// The service that it is about.
    pub service: String,
    /// groupBy labels and their values; absent when not grouped.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub group: Option<BTreeMap<String, String>>,
    /// How bad it is.
    pub severity: String,
    /// The id of its alert, as in `/alerts`.
    pub alert_id: String,
    /// Where it stands.
    pub state: RulePhase,
    /// Since when its condition holds; while it is kept, since when no more; null while it is inactive.
    pub since: Option<String>,
    /// Its kind, such as `errorratio`.
    pub rule_kind: String,
    /// The condition in short.
    pub condition: String,
    /// What its kind compares with the threshold now; null where there is none.
    pub value: Option<f64>,
    /// The threshold; null before it was evaluated.
    pub threshold: Option<f64>,
    /// What was good in its window.
    pub good: Option<i64>,
    /// Good and bad in its window.
    pub total: Option<i64>,
    /// False if a source was missing at that tick, or it was never evaluated.
    pub complete: bool,
    /// End of the tick evaluated last; null if never evaluated.
    pub as_of: Option<String>,
}

impl From<RuleStatus> for RuleStanding {
    fn from(status: RuleStatus) -> Self {
        RuleStanding {
            name: status.name,
            slo: status.slo,
            objective: status.objective,
            service: status.service,
            group: status.group,
            severity: status.severity,
            alert_id: status.alert_id,
            state: status.state.into(),
            since: status.since,
            rule_kind: status.rule_kind,
            condition: status.condition,
            value: status.value,
            threshold: status.threshold,
            good: status.good,
            total: status.total,
            complete: status.complete,
            as_of: status.as_of,
        }
    }
}

impl RuleStanding {
    /// By which name it is asked for: that of its SLO, if it is on one.
    pub fn asked_as(&self) -> &str {
        self.slo.as_deref().unwrap_or(&self.name)
    }
}

impl Example for RuleStanding {
    fn example() -> Self {
        RuleStanding {
            name: "PaymentErrors".to_owned(),
            slo: None,
            objective: None,
            service: "payment".to_owned(),
            group: None,
            severity: "page".to_owned(),
            alert_id: "3f9c0a1b2c3d4e5f".to_owned(),
            state: RulePhase::Firing,
            since: Some(at("09:58:40")),
            rule_kind: "errorratio".to_owned(),
            condition: "errors > 5 % over 5m".to_owned(),
            value: Some(0.081),
            threshold: Some(0.05),
            good: Some(919),
            total: Some(1_000),
            complete: true,
            as_of: Some(at("10:00:02")),
        }
    }
}
