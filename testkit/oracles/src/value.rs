//! The recount of a series at a tick, to be compared with what the folds publish.

use slipstream_schemas::records::{BudgetUnit, BurnRates, ConditionSince, WindowRates};

/// The recount of a series at a tick.
#[derive(Debug, Clone, PartialEq)]
pub struct Value {
    pub slo: String,
    pub objective: String,
    pub group: Vec<String>,
    pub generation: i64,
    pub tick: i64,
    pub retired: bool,
    pub windows: Vec<(i64, i64, i64)>,
    pub conditions: Vec<ConditionSince>,
    pub unknown: i64,
    pub too_late: i64,
    pub exemplars: Vec<String>,
    pub remaining: Near,
    pub period_start: Option<i64>,
    /// Start, good and total of the period before.
    pub previous: Option<(i64, i64, i64)>,
}

/// Equal but for the last digits.
#[derive(Debug, Clone, Copy)]
pub struct Near(pub f64);

impl PartialEq for Near {
    fn eq(&self, other: &Near) -> bool {
        (self.0 - other.0).abs() <= 1e-9 * self.0.abs().max(1.0)
    }
}

impl Value {
    pub fn of(rates: &BurnRates) -> Value {
        Value {
            slo: rates.slo.clone(),
            objective: rates.objective.clone(),
            group: rates.group.clone(),
            generation: rates.generation,
            tick: rates.tick,
            retired: rates.retired,
            windows: rates.windows.iter().map(|w| (w.seconds, w.good, w.total)).collect(),
            conditions: rates.conditions.clone(),
            unknown: rates.unknown,
            too_late: rates.too_late,
            exemplars: rates.exemplars.iter().map(|e| e.event_id.clone()).collect(),
            remaining: Near(rates.budget_remaining),
            period_start: rates.period_start,
            previous: rates.previous.map(|p| (p.start, p.good, p.total)),
        }
    }

    /// What the alert machine needs to know.
    pub fn rates(&self) -> BurnRates {
        let window = |(seconds, good, total): &(i64, i64, i64)| WindowRates {
            seconds: *seconds,
            slot_seconds: 0,
            good: *good,
            total: *total,
            burn: 0.0,
        };
        BurnRates {
            slo: self.slo.clone(),
            objective: self.objective.clone(),
            group: self.group.clone(),
            generation: self.generation,
            tick: self.tick,
            revision: i64::MAX,
            complete: true,
            retired: self.retired,
            windows: self.windows.iter().map(window).collect(),
            sli: None,
            budget_total: 0.0,
            budget_remaining: 0.0,
            exhaustion_at: None,
            conditions: self.conditions.clone(),
            unknown: self.unknown,
            too_late: self.too_late,
            covered_from: 0,
            sources_current: 0,
            sources: 0,
            exemplars: Vec::new(),
            unit: BudgetUnit::Events,
            target: None,
            period_start: None,
            previous: None,
        }
    }
}
