//! Timelines as CSV: a row for each objective, group and step.

use std::collections::BTreeSet;

use slipstream_replay::Told;
use slipstream_replay::outcome::{Outcome, SloHistory, SloStep};

/// With a head row. Columns `burn_5m` and so on are those of all windows; empty where an SLO has none of that length. Of a
/// what-if, `definitions` says by which.
pub fn timelines(told: &Told) -> String {
    let sides: Vec<(&str, &Outcome)> = match told {
        Told::One(outcome) => vec![("", outcome)],
        Told::Both(what_if) => vec![("then", &what_if.before), ("given", &what_if.after)],
    };
    let windows = windows(sides.iter().flat_map(|(_, outcome)| &outcome.slos));
    let mut head: Vec<String> =
        ["definitions", "at", "slo", "objective", "group", "good", "total", "unknown", "sli", "budget_remaining"]
            .map(str::to_owned)
            .to_vec();
    head.extend(windows.iter().map(|(_, window)| format!("burn_{window}")));
    let mut text = line(&head);
    for (side, outcome) in sides {
        for slo in &outcome.slos {
            for step in &slo.timeline {
                text += &line(&row(side, slo, step, &windows));
            }
        }
    }
    text
}

/// Every window, shortest first.
pub(super) fn windows<'o>(slos: impl IntoIterator<Item = &'o SloHistory>) -> BTreeSet<(i64, String)> {
    let steps = slos.into_iter().flat_map(|slo| &slo.timeline);
    steps.flat_map(|step| step.burn_rates.keys()).map(|window| (seconds(window), window.clone())).collect()
}

/// The length of a window by its name, such as 5m.
fn seconds(window: &str) -> i64 {
    let (number, unit) = window.split_at(window.len() - 1);
    let unit = match unit {
        "d" => 86_400,
        "h" => 3_600,
        "m" => 60,
        _ => 1,
    };
    number.parse::<i64>().unwrap_or(i64::MAX / 86_400) * unit
}

fn row(side: &str, slo: &SloHistory, step: &SloStep, windows: &BTreeSet<(i64, String)>) -> Vec<String> {
    let group: Vec<String> = slo.status.group.iter().flatten().map(|(key, value)| format!("{key}={value}")).collect();
    let number = |value: Option<f64>| value.map_or(String::new(), |value| value.to_string());
    let mut row = vec![
        side.to_owned(),
        step.at.clone(),
        slo.status.name.clone(),
        slo.status.objective.clone(),
        group.join(";"),
        step.counted.good.to_string(),
        step.counted.total.to_string(),
        step.counted.unknown.to_string(),
        number(step.sli),
        number(Some(step.budget_remaining)),
    ];
    row.extend(windows.iter().map(|(_, window)| number(step.burn_rates.get(window).copied())));
    row
}

/// RFC 4180.
fn line(cells: &[String]) -> String {
    let quoted = |cell: &String| {
        if cell.contains([',', '"', '\n', '\r']) { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell.clone() }
    };
    cells.iter().map(quoted).collect::<Vec<_>>().join(",") + "\n"
}
