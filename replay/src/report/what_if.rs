//! What other definitions make of the range.

use super::markup::Markup;
use super::tables::{self, Cell};
use super::times::Times;
use super::{bad, facts, words};
use crate::outcome::{AlertChange, Change, Counted, SloChange, WhatIf};

/// Requests are shown of so many alerts, ...
const MOST_ALERTS: usize = 10;
/// ... and so many of each.
const MOST_REQUESTS: usize = 10;

/// The section.
pub fn write(m: &mut Markup, what_if: &WhatIf, times: Times) {
    m.within("section", &[("aria-labelledby", "what-if")], |m| {
        m.leaf("h2", &[("id", "what-if")], "What if: the same requests by the given definitions");
        m.leaf("p", &[], &in_words(what_if));
        if !what_if.alerts.is_empty() {
            alerts(m, what_if, times);
        }
        if !what_if.slos.is_empty() {
            let heads = [
                "Objective",
                "#SLI (then)",
                "#SLI (given)",
                "#Budget left (then)",
                "#Budget left (given)",
                "#Bad (then)",
                "#Bad (given)",
            ];
            let rows: Vec<Vec<Cell>> = what_if.slos.iter().map(|change| slo(what_if, change)).collect();
            tables::write(m, "Objectives that differ", &heads, &rows);
        }
        for change in what_if.alerts.iter().filter(|change| change.change != Change::Same).take(MOST_ALERTS) {
            requests(m, what_if, change, times);
        }
    });
}

/// How many alerts are gained, lost, and so on.
pub fn in_words(what_if: &WhatIf) -> String {
    let kinds = [
        (Change::Gained, "more alert", "would fire"),
        (Change::Lost, "alert", "would not fire by itself"),
        (Change::Earlier, "alert", "would fire earlier"),
        (Change::Later, "alert", "would fire later"),
        (Change::Severity, "alert", "would have another severity"),
        (Change::Resolved, "alert", "would end at another time"),
    ];
    let count = |kind: Change| what_if.alerts.iter().filter(|alert| alert.change == kind).count() as i64;
    let parts: Vec<String> = kinds
        .into_iter()
        .filter(|(kind, ..)| count(*kind) > 0)
        .map(|(kind, alert, would)| format!("{} {would}", words::plural(count(kind), alert)))
        .collect();
    if parts.is_empty() {
        return "By the given definitions, the same alerts would fire and end at the same times.".to_owned();
    }
    format!("By the given definitions, {}.", words::list(&parts))
}

fn name(
    what_if: &WhatIf,
    slo: &str,
    objective: &str,
    group: Option<&std::collections::BTreeMap<String, String>>,
) -> String {
    let of_before = facts::name(&what_if.before, slo, objective, group);
    let of_after = facts::name(&what_if.after, slo, objective, group);
    // The longer one has the objective, which one of both needs.
    if of_after.len() > of_before.len() { of_after } else { of_before }
}

fn alert_name(what_if: &WhatIf, change: &AlertChange) -> String {
    name(what_if, &change.slo, &change.objective, change.group.as_ref())
}

fn alerts(m: &mut Markup, what_if: &WhatIf, times: Times) {
    let time = |text: &Option<String>| Cell::figure_or_dash(text.as_deref().map(|text| times.at_text(text)));
    let rows: Vec<Vec<Cell>> = what_if
        .alerts
        .iter()
        .map(|change| {
            vec![
                Cell::Text(alert_name(what_if, change)),
                Cell::or_dash(Some(change.severity.clone())),
                Cell::Text(how(change)),
                time(&change.fired_before),
                time(&change.fired_after),
                time(&change.resolved_before),
                time(&change.resolved_after),
                Cell::Figure(match change.changed_requests {
                    Some(changed) => words::count(i64::try_from(changed).unwrap_or(i64::MAX)),
                    None if change.change == Change::Same => "–".to_owned(),
                    None => "not looked into".to_owned(),
                }),
            ]
        })
        .collect();
    let heads = [
        "Alert",
        "Severity",
        "Change",
        "#Fired (then)",
        "#Fires (given)",
        "#Resolved (then)",
        "#Resolved (given)",
        "#Requests that count differently",
    ];
    tables::write(m, "Alerts by the definitions of then and by the given ones (UTC)", &heads, &rows);
}

fn how(change: &AlertChange) -> String {
    change.in_words(words::span)
}

fn slo(what_if: &WhatIf, change: &SloChange) -> Vec<Cell> {
    let share = |share: Option<f64>| Cell::figure_or_dash(share.map(words::percent));
    let bad = |range: &Option<Counted>| {
        Cell::figure_or_dash(
            range.map(|range| format!("{} of {}", words::count(range.total - range.good), words::count(range.total))),
        )
    };
    vec![
        Cell::Text(name(what_if, &change.slo, &change.objective, change.group.as_ref())),
        share(change.sli_before),
        share(change.sli_after),
        share(change.budget_remaining_before),
        share(change.budget_remaining_after),
        bad(&change.range_before),
        bad(&change.range_after),
    ]
}

fn requests(m: &mut Markup, what_if: &WhatIf, change: &AlertChange, times: Times) {
    if change.requests.is_empty() {
        return;
    }
    let name = alert_name(what_if, change);
    let caption = match change.changed_requests {
        None | Some(0) => "no request counts differently; the first bad ones".to_owned(),
        Some(1) => "the request that counts differently".to_owned(),
        Some(n) => format!("the first of {} requests that count differently", words::count(n as i64)),
    };
    let looked = change.looked_from.iter().zip(&change.looked_to);
    let looked = looked.map(|(from, to)| format!(", from {} to {}", times.at_text(from), times.at_text(to)));
    let caption = format!("{name} ({}): {caption}{}", how(change), looked.collect::<String>());
    let heads: Vec<&str> = bad::HEADS.into_iter().chain(["Then", "Given"]).collect();
    let row = |changed: &crate::outcome::RequestChange| {
        let counted = [changed.before, changed.after].map(|how| Cell::Text(how.to_owned()));
        bad::row(&changed.request, times).into_iter().chain(counted).collect()
    };
    let rows: Vec<Vec<Cell>> = change.requests.iter().take(MOST_REQUESTS).map(row).collect();
    tables::write(m, &caption, &heads, &rows);
}
