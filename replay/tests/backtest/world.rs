//! What the stories are told with: incidents, alerts and counts, in minutes.

use std::collections::{BTreeMap, BTreeSet};

use slipstream_definitions::document::SourceFile;
use slipstream_definitions::{openslo, policy};
use slipstream_replay::backtest::facts::{Fired, Telling, Watched};
use slipstream_replay::backtest::history::{History, Series, Slot};
use slipstream_replay::backtest::incidents::Incident;
use slipstream_replay::backtest::labels::Labels;

/// 2026-01-05T00:00:00Z, a Monday.
pub const START: i64 = 1_767_571_200;

pub fn incident(from: i64, to: i64, service: &str, what: &str) -> Incident {
    Incident { from: START + from * 60, to: START + to * 60, service: service.to_owned(), what: what.to_owned() }
}

pub fn labels(incidents: &[Incident]) -> Labels {
    Labels { incidents: incidents.to_vec(), grace: 120, ..Labels::default() }
}

pub fn watched(service: &str, rule: &str, severity: &str) -> Watched {
    Watched {
        slo: format!("{service}-answers"),
        service: service.to_owned(),
        services: BTreeSet::new(),
        objective: "answered".to_owned(),
        rule_set: "burn".to_owned(),
        rule: rule.to_owned(),
        severity: severity.to_owned(),
    }
}

/// An alert of a rule, from a minute to another one.
pub fn fired(of: &Watched, from: i64, to: Option<i64>) -> Fired {
    Fired {
        slo: of.slo.clone(),
        service: of.service.clone(),
        objective: of.objective.clone(),
        group: BTreeMap::new(),
        rule_set: of.rule_set.clone(),
        pending: START + from * 60,
        first: telling(of, from),
        rises: Vec::new(),
        ended: to.map(|to| START + to * 60),
    }
}

/// A minute in which people are told of a rule.
pub fn telling(of: &Watched, at: i64) -> Telling {
    Telling { at: START + at * 60, rule: of.rule.clone(), severity: of.severity.clone(), budget_gone: None }
}

/// A week of `web`, in minutes of 100 requests each, of which those of the given stretches (from, to, bad) are bad.
pub fn week(stretches: &[(i64, i64, i64)]) -> History {
    let bad = |minute: i64| stretches.iter().find(|(from, to, _)| (*from..*to).contains(&minute)).map_or(0, |s| s.2);
    let slot = |minute: i64| Slot { start: START + minute * 60, good: 100 - bad(minute), total: 100 };
    History {
        slo: "web-answers".to_owned(),
        service: "web".to_owned(),
        objective: "answered".to_owned(),
        target: "0.999".parse_ratio(),
        rules: policy::defaults(86_400, "0.999".parse_ratio()).rules,
        period: 86_400,
        from: START,
        slot_seconds: 60,
        series: vec![Series { group: BTreeMap::new(), slots: (0..7 * 1_440).map(slot).collect() }],
        document: Some(document(DEFINITION)),
    }
}

/// Reads a decimal.
pub trait ParseRatio {
    fn parse_ratio(self) -> slipstream_definitions::definition::Ratio;
}

impl ParseRatio for &str {
    fn parse_ratio(self) -> slipstream_definitions::definition::Ratio {
        slipstream_definitions::definition::Ratio::parse(self).expect("a decimal")
    }
}

/// The self-contained document of the one SLO in a text.
pub fn document(text: &str) -> String {
    let loaded = openslo::load(&[SourceFile { path: "slos.yaml".to_owned(), text: text.to_owned() }]);
    assert!(loaded.is_valid(), "{:?}", loaded.diagnostics);
    loaded.documents[0].text.clone()
}

pub const DEFINITION: &str = r#"
apiVersion: openslo/v1
kind: SLO
metadata: {name: web-answers, displayName: The web answers, labels: {team: shop}}
spec:
  service: web
  indicator:
    metadata: {name: web-answers}
    spec:
      ratioMetric:
        counter: true
        good: {metricSource: {type: slipstream, spec: {filter: status_code < 500}}}
        total: {metricSource: {type: slipstream, spec: {filter: 'service == "web" && endpoint != "/healthz"'}}}
  timeWindow: [{duration: 1d, isRolling: true}]
  budgetingMethod: Occurrences
  objectives: [{displayName: answered, target: 0.999}]
"#;
