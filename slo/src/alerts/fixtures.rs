//! A transition for tests.

use slipstream_schemas::records::{AlertTransition, TransitionKind};

/// A page of SLO checkout.
pub(super) fn transition() -> AlertTransition {
    AlertTransition {
        alert_id: "00c0ffee00c0ffee".to_owned(),
        episode: 1_769_940_000,
        seq: 2,
        slo: "checkout".to_owned(),
        service: "payments".to_owned(),
        objective: "availability".to_owned(),
        group: Vec::new(),
        rule_set: "burn".to_owned(),
        rule: "1h/5m".to_owned(),
        severity: "page".to_owned(),
        kind: TransitionKind::Firing,
        tick: 1_769_940_000,
        fired_at: Some(1_769_940_000),
        values: Vec::new(),
        generation: 0,
        complete: true,
        labels: Vec::new(),
        annotations: Vec::new(),
        exemplars: Vec::new(),
        rule_kind: "burnrate".to_owned(),
        withdrawn: false,
        holds_since: None,
    }
}
