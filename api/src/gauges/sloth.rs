//! By the names of sloth's recording rules (sloth 0.12, `pkg/common/conventions`), for dashboards that read them. Each series is
//! an SLO of sloth's; the 30 days are exact, not a mean of ratios of five minutes.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use slipstream_runtime::metrics::{Family, Labels};
use slipstream_schemas::records::WindowRates;

use super::series::{Series, bad};

/// What is asked for.
pub const NAME: &str = "sloth";

/// All that sloth's rules record.
pub fn families(series: &[Series<'_>]) -> Vec<Family> {
    let mut errors: BTreeMap<i64, Family> = BTreeMap::new();
    let mut objective = Family::gauge("slo:objective:ratio", "The objective, as sloth names it.");
    let mut budget = Family::gauge("slo:error_budget:ratio", "The share that may be bad, as sloth names it.");
    let mut days = Family::gauge("slo:time_period:days", "The budget's window, as sloth names it.");
    let mut current =
        Family::gauge("slo:current_burn_rate:ratio", "The burn rate over five minutes, as sloth names it.");
    let mut period =
        Family::gauge("slo:period_burn_rate:ratio", "The burn rate over the budget's window, as sloth names it.");
    let mut left = Family::gauge(
        "slo:period_error_budget_remaining:ratio",
        "The share of the budget that is left, as sloth names it.",
    );
    let mut info = Family::gauge("sloth_slo_info", "An SLO, as sloth names it.");
    let mut told_of = HashSet::new();
    for one in series {
        let (Some(slo), Some(target)) = (one.slo, one.status.target) else { continue };
        let labels = labels(one);
        // An SLO may have the name that an objective of another one gets here: the first of a name is told.
        if !told_of.insert(labels.clone()) {
            continue;
        }
        objective.push(&labels, target);
        budget.push(&labels, 1.0 - target);
        let length = slo.window.nominal_seconds();
        days.push(&labels, length as f64 / 86_400.0);
        left.push(&labels, one.status.budget_remaining);
        let mut about = labels.to_vec();
        about.extend([
            ("sloth_mode".to_owned(), "slipstream".to_owned()),
            ("sloth_objective".to_owned(), format!("{}", round(target * 100.0))),
            ("sloth_spec".to_owned(), "openslo/v1".to_owned()),
            ("sloth_version".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
        ]);
        info.push(&about.into(), 1.0);
        let (shorter, whole) = one.windows();
        let shorter: Vec<&WindowRates> = one.short.into_iter().chain(shorter).collect();
        // A calendar's period has a nominal length, which another window may have.
        let mut told: BTreeSet<i64> = BTreeSet::new();
        for (seconds, window) in shorter.iter().map(|w| (w.seconds, *w)).chain(whole.map(|w| (length, w))) {
            let Some(bad) = bad(window).filter(|_| told.insert(seconds)) else { continue };
            let name = window_name(seconds);
            let family = errors.entry(seconds).or_insert_with(|| {
                let help = format!("The share that was bad over {name}, as sloth names it.");
                Family::gauge(&format!("slo:sli_error:ratio_rate{name}"), &help)
            });
            family.push_own(&labels, ("sloth_window", name), bad);
        }
        if let Some(short) = one.short {
            current.push(&labels, short.burn);
        }
        if let Some(whole) = whole {
            period.push(&labels, whole.burn);
        }
    }
    let mut families: Vec<Family> = errors.into_values().collect();
    families.extend([objective, budget, days, current, period, left, info]);
    families
}

/// Sloth knows an SLO by service and name. An objective among several and a group have a name of their own, too.
fn labels(one: &Series<'_>) -> Labels {
    let status = &one.status;
    let mut name = status.name.clone();
    let alone = one.slo.is_some_and(|slo| slo.composite.is_none() && slo.objectives.len() == 1);
    let group = one.state.map(|state| state.group.as_slice()).unwrap_or_default();
    let objective = (!alone).then_some(&status.objective);
    for part in objective.into_iter().chain(group) {
        name.push('-');
        name.push_str(part);
    }
    let ours = ["slo", "service", "objective"];
    let rest = one.labels.iter().filter(|(label, _)| !ours.contains(&label.as_str())).cloned();
    let sloth = [
        ("sloth_id".to_owned(), format!("{}-{name}", status.service)),
        ("sloth_service".to_owned(), status.service.clone()),
        ("sloth_slo".to_owned(), name),
    ];
    sloth.into_iter().filter(|(_, value)| !value.is_empty()).chain(rest).collect()
}

/// A window as sloth writes it, which is as Prometheus does: years and weeks only where nothing is left beside them.
fn window_name(seconds: i64) -> String {
    let (mut name, mut left) = (String::new(), seconds);
    for (unit, length, alone) in [
        ("y", 31_536_000, true),
        ("w", 604_800, true),
        ("d", 86_400, false),
        ("h", 3_600, false),
        ("m", 60, false),
        ("s", 1, false),
    ] {
        if left >= length && !(alone && left % length != 0) {
            name.push_str(&format!("{}{unit}", left / length));
            left %= length;
        }
    }
    name
}

/// 99.9 is 99.9.
fn round(percent: f64) -> f64 {
    (percent * 1e9).round() / 1e9
}

#[cfg(test)]
mod tests {
    use super::window_name;

    #[test]
    fn windows_are_named_as_prometheus_names_durations() {
        for (seconds, name) in [
            (300, "5m"),
            (5_400, "1h30m"),
            (21_600, "6h"),
            (259_200, "3d"),
            (604_800, "1w"),
            (2_419_200, "4w"),
            (2_592_000, "30d"),
            (7_776_000, "90d"),
            (31_536_000, "1y"),
        ] {
            assert_eq!(window_name(seconds), name);
        }
    }
}
