//! One SLO in detail.

use std::collections::BTreeMap;

use serde::Serialize;
use slipstream_definitions::definition;
use slipstream_store::text;
use utoipa::ToSchema;

use super::alerts::Alert;
use super::slos::{Known, Standing};
use super::{Example, at};

/// One SLO.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct SloDetail {
    /// Its definition in brief; null if it is not in force any more.
    pub slo: Option<Definition>,
    /// How its objectives, and their groups, stand.
    pub objectives: Vec<Standing>,
    /// Its rules, and what they find.
    pub rules: Vec<RuleState>,
    /// Some bad requests, the newest first.
    pub exemplars: Vec<Exemplar>,
    /// Its alerts that are open, from the store; null while that does not answer.
    pub alerts: Option<Vec<Alert>>,
    /// Log time up to which the store has all transitions of alerts; null if it does not answer, or has none yet.
    pub alerts_as_of: Option<String>,
    /// Up to when this is known.
    #[serde(flatten)]
    pub known: Known,
}

/// A definition in brief.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Definition {
    /// Its name.
    pub name: String,
    /// The same for people.
    pub display_name: String,
    /// Its service.
    pub service: String,
    /// What it is about.
    pub description: String,
    /// The budget's period: `30d`; for a calendar, `1M`.
    pub window: String,
    /// Dimensions by which it is split.
    pub group_by: Vec<String>,
    /// Its objectives.
    pub objectives: Vec<ObjectiveBrief>,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
}

/// An objective in brief.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ObjectiveBrief {
    /// Its name.
    pub name: String,
    /// The target as a share.
    pub target: f64,
    /// Which events count.
    pub total: String,
    /// Which of them are good; null if it is said which are bad.
    pub good: Option<String>,
    /// Which of them are bad; null if it is said which are good.
    pub bad: Option<String>,
}

/// A rule of an objective, and what it finds in a series.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct RuleState {
    /// The rule.
    pub rule: String,
    /// The objective that it guards.
    pub objective: String,
    /// groupBy labels and their values; absent when not grouped.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub group: Option<BTreeMap<String, String>>,
    /// How bad it would be.
    pub severity: String,
    /// The long window; `0s` where it looks at the budget alone.
    pub long_window: String,
    /// The short window; as long as the other where there is one.
    pub short_window: String,
    /// What its value is compared with: of burn rates a factor, of the end of a budget seconds, else a share of 1.
    pub threshold: f64,
    /// Its kind: `burnrate`, `errorratio`, `ratiobelow`, `latencyquantile`, `notraffic`, `budgetremaining` or `budgetexhausted`.
    pub kind: String,
    /// The condition in short, such as `>14.4x 1h/5m`.
    pub says: String,
    /// Whether its condition holds.
    pub holds: bool,
    /// Since when; null if it does not.
    pub since: Option<String>,
}

/// A bad request.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Exemplar {
    /// The objective that it was bad for.
    pub objective: String,
    /// Its id.
    pub event_id: String,
    /// Its trace; null if it had none.
    pub trace_id: Option<String>,
    /// When it ended.
    pub time: String,
}

impl From<&definition::Slo> for Definition {
    fn from(slo: &definition::Slo) -> Self {
        let window = match &slo.window {
            definition::Window::Rolling(seconds) => text::length(*seconds),
            definition::Window::Calendar(calendar) => format!("{}{}", calendar.count(), calendar.unit().letter()),
        };
        let objective = |objective: &definition::Objective| {
            let (good, bad) = match &objective.indicator.side {
                definition::Side::Good(filter) => (Some(filter.clone()), None),
                definition::Side::Bad(filter) => (None, Some(filter.clone())),
            };
            let (name, target) = (objective.name.clone(), objective.target.as_f64());
            ObjectiveBrief { name, target, total: objective.indicator.total.clone(), good, bad }
        };
        Definition {
            name: slo.name.clone(),
            display_name: slo.display_name.clone(),
            service: slo.service.clone(),
            description: slo.description.clone(),
            window,
            group_by: slo.group_by.iter().map(|key| key.label().to_owned()).collect(),
            objectives: slo.objectives.iter().map(objective).collect(),
            labels: slo.labels.iter().cloned().collect(),
        }
    }
}

impl Example for SloDetail {
    fn example() -> Self {
        let objective = ObjectiveBrief {
            name: "0".to_owned(),
            target: 0.995,
            total: "service == 'payment'".to_owned(),
            good: Some("status_code < 500".to_owned()),
            bad: None,
        };
        let slo = Definition {
            name: "payment-availability".to_owned(),
            display_name: "Payments succeed".to_owned(),
            service: "payment".to_owned(),
            description: "Whoever wants to pay can pay.".to_owned(),
            window: "30d".to_owned(),
            group_by: Vec::new(),
            objectives: vec![objective],
            labels: BTreeMap::from([("team".to_owned(), "checkout".to_owned())]),
        };
        let rule = RuleState {
            rule: "1h/5m".to_owned(),
            objective: "0".to_owned(),
            group: None,
            severity: "page".to_owned(),
            long_window: "1h".to_owned(),
            short_window: "5m".to_owned(),
            threshold: 14.4,
            kind: "burnrate".to_owned(),
            says: ">14.4x 1h/5m".to_owned(),
            holds: false,
            since: None,
        };
        let exemplar = Exemplar {
            objective: "0".to_owned(),
            event_id: "0193b6b2-6f0c-7a31-9d1e-1c2b3a4d5e6f".to_owned(),
            trace_id: Some("4bf92f3577b34da6a3ce929d0e0e4736".to_owned()),
            time: at("09:30:00.250000"),
        };
        SloDetail {
            slo: Some(slo),
            objectives: vec![Standing::example()],
            rules: vec![rule],
            exemplars: vec![exemplar],
            alerts: Some(Vec::new()),
            alerts_as_of: Some(at("10:00:02")),
            known: Known::example(),
        }
    }
}
