//! What tests have in common.

use slipstream_schemas::records::{AlertTransition, TransitionKind};

/// A firing of an alert about which nothing is said.
pub fn transition() -> AlertTransition {
    let text = String::new;
    AlertTransition {
        alert_id: text(),
        episode: 0,
        seq: 2,
        slo: text(),
        service: text(),
        objective: text(),
        group: Vec::new(),
        rule_set: text(),
        rule: text(),
        severity: text(),
        kind: TransitionKind::Firing,
        tick: 0,
        fired_at: None,
        values: Vec::new(),
        generation: 0,
        complete: true,
        labels: Vec::new(),
        annotations: Vec::new(),
        exemplars: Vec::new(),
        rule_kind: text(),
        withdrawn: false,
        holds_since: None,
    }
}
