//! By the names that recording rules of teams without an SLO tool have: the good share over five minutes.

use std::collections::HashMap;

use slipstream_definitions::definition::{Indicator, Objective, Side};
use slipstream_definitions::filter::Filter;
use slipstream_runtime::metrics::Family;

use super::series::{Series, good};

/// What is asked for.
pub const NAME: &str = "sli";

/// Those of series that count events, or time.
pub fn families(series: &[Series<'_>]) -> Vec<Family> {
    let help = "The share that was good over five minutes, where latency has no part in it.";
    let mut availability = Family::gauge("sli:availability:ratio_rate5m", help);
    let help = "The share that was good over five minutes, where latency has a part in it.";
    let mut latency = Family::gauge("sli:latency:ratio_rate5m", help);
    // Of the groups of an objective once.
    let mut known: HashMap<*const Objective, bool> = HashMap::new();
    for one in series {
        let Some(objective) = one.objective() else { continue };
        let Some(good) = one.short.and_then(good) else { continue };
        let by_latency = *known.entry(objective).or_insert_with(|| by_latency(&objective.indicator));
        let family = if by_latency { &mut latency } else { &mut availability };
        family.push(&one.labels, good);
    }
    vec![availability, latency]
}

/// Whether an event is good or bad by its latency, or also by its latency.
fn by_latency(Indicator { side: Side::Good(side) | Side::Bad(side), .. }: &Indicator) -> bool {
    Filter::compile(side).is_ok_and(|filter| filter.reads_latency())
}
