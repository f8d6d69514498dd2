//! By our own names.

use std::time::{Duration, SystemTime};

use slipstream_query::counts::Counts;
use slipstream_runtime::metrics::{Exemplar, Family, Labels, Sample, Value};
use slipstream_schemas::records::{BudgetUnit, BurnRates};

use super::series::Series;

/// The standings of these series, and what they counted.
pub fn families(series: &[Series<'_>], counts: &Counts) -> Vec<Family> {
    let mut info =
        Family::gauge("slipstream_slo_info", "An objective: its budget's window, and how the budget is counted.");
    let mut target = Family::gauge("slipstream_slo_objective_ratio", "The objective: which share is to be good.");
    let mut sli = Family::gauge(
        "slipstream_slo_sli_ratio",
        "The SLI over the budget's window: which share was good. None without traffic.",
    );
    let mut burn = Family::gauge(
        "slipstream_slo_burn_rate",
        "The burn rate over a window: 1 spends the budget in just its own window.",
    );
    let mut left = Family::gauge(
        "slipstream_slo_error_budget_remaining_ratio",
        "Share of the error budget that is left; negative when overspent.",
    );
    let mut exhaustion = Family::gauge(
        "slipstream_slo_error_budget_exhaustion_seconds",
        "Time until the error budget is spent at the present rate: 0 when it is, +Inf while it is not being spent.",
    );
    let mut good = Family::gauge("slipstream_slo_window_good", "What was good over the budget's window, by unit.");
    let mut bad = Family::gauge("slipstream_slo_window_bad", "What was bad over the budget's window, by unit.");
    let mut complete = Family::gauge("slipstream_slo_complete", "1 if no source was missing at the newest tick.");
    let mut covered =
        Family::gauge("slipstream_slo_window_covered", "1 if the counts cover the whole window of the budget.");
    let help = "Events that a series took in since this process began, by whether they were good, bad, or could not be decided.";
    let mut events = Family::counter("slipstream_slo_events_total", help);
    for one in series {
        let (labels, status) = (&one.labels, &one.status);
        let window = status.window.clone().unwrap_or_default();
        info.push_own(&with_window(labels, window), ("budgeting", one.budgeting().to_owned()), 1.0);
        if let Some(share) = status.target {
            target.push(labels, share);
        }
        if let Some(share) = status.sli {
            sli.push(labels, share);
        }
        for (window, rate) in &status.burn_rates {
            burn.push_own(labels, ("window", window.clone()), *rate);
        }
        left.push(labels, status.budget_remaining);
        // What was never evaluated, such as a group that may still come, lacks nothing.
        if status.as_of.is_some() {
            complete.push(labels, flag(status.complete));
            covered.push(labels, flag(status.covers_period));
        }
        let unit = || ("unit", unit(status.unit).to_owned());
        good.push_own(labels, unit(), status.good as f64);
        bad.push_own(labels, unit(), (status.total - status.good) as f64);
        let Some(state) = one.state else { continue };
        exhaustion.push(labels, seconds_left(state));
        // A composite counts no events: its objectives do.
        if status.unit != BudgetUnit::Share {
            events.samples.extend(counted(labels, state, counts));
        }
    }
    vec![info, target, sli, burn, left, exhaustion, good, bad, complete, covered, events]
}

fn with_window(labels: &Labels, window: String) -> Labels {
    let window = Some(("window".to_owned(), window)).filter(|(_, window)| !window.is_empty());
    labels.iter().cloned().chain(window).collect()
}

fn flag(holds: bool) -> f64 {
    f64::from(u8::from(holds))
}

fn unit(unit: BudgetUnit) -> &'static str {
    match unit {
        BudgetUnit::Events => "events",
        BudgetUnit::Seconds => "seconds",
        BudgetUnit::Share => "billionths",
    }
}

/// From the end of the newest tick.
fn seconds_left(state: &BurnRates) -> f64 {
    match state.exhaustion_at {
        _ if state.budget_remaining <= 0.0 => 0.0,
        Some(at) => (at - state.tick - 1).max(0) as f64,
        None => f64::INFINITY,
    }
}

fn counted(labels: &Labels, state: &BurnRates, counts: &Counts) -> [Sample; 3] {
    let count = counts.of(state);
    let sample = |outcome: &str, value: u64, exemplar| Sample {
        labels: labels.clone(),
        own: Some(("outcome", outcome.to_owned())),
        value: Value::Number(value as f64, exemplar),
    };
    let newest = state.exemplars.iter().max_by_key(|exemplar| exemplar.time);
    let exemplar = newest.filter(|_| count.bad > 0).and_then(|event| {
        let time = SystemTime::UNIX_EPOCH + Duration::from_micros(u64::try_from(event.time).unwrap_or(0));
        let trace = event.trace_id.clone().unwrap_or_default();
        Exemplar::of([("trace_id", trace), ("event_id", event.event_id.clone())], time)
    });
    [sample("good", count.good, None), sample("bad", count.bad, exemplar), sample("unknown", count.unknown, None)]
}
