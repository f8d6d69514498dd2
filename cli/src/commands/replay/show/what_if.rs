//! What other definitions make of it, as text.

use slipstream_replay::outcome::{AlertChange, Change, Counted, WhatIf};

use super::{REQUESTS, TOLD, about, indented, steps};
use crate::{figures, output};

/// Columns that are there where a filter could not be decided for some.
const UNKNOWN_THEN: &str = "UNKNOWN THEN";
const UNKNOWN_NOW: &str = "UNKNOWN NOW";

/// What differs, and the requests behind the first alerts that do; with `timeline` that of each SLO by both.
pub fn text(what_if: &WhatIf, timeline: bool) -> String {
    let mut text = about(&what_if.before);
    text += &changed_slos(what_if);
    if timeline {
        for (by, outcome) in [("those of then", &what_if.before), ("those given", &what_if.after)] {
            text += &format!("\nBy {by}:\n");
            outcome.slos.iter().for_each(|slo| text += &steps(slo));
        }
    }
    text += "\n";
    if what_if.alerts.is_empty() {
        return text + "No alert fired by either set of definitions.\n";
    }
    text += &changed_alerts(&what_if.alerts);
    let changed = what_if.alerts.iter().filter(|alert| alert.change != Change::Same && !alert.requests.is_empty());
    changed.take(TOLD).for_each(|alert| text += &difference(alert));
    text
}

fn changed_slos(what_if: &WhatIf) -> String {
    if what_if.slos.is_empty() {
        return "The SLIs and budgets are the same.\n".to_owned();
    }
    let unknown = |range: Option<Counted>| range.map_or(0, |range| range.unknown);
    let is_known = what_if.slos.iter().all(|slo| unknown(slo.range_before) + unknown(slo.range_after) == 0);
    let mut head =
        vec!["SLO", "OBJECTIVE", "GROUP", "WINDOW SLI THEN", "WINDOW SLI NOW", "BUDGET LEFT THEN", "BUDGET LEFT NOW"];
    // A filter that can no longer be decided is an SLI of fewer requests, or of none.
    head.extend([UNKNOWN_THEN, UNKNOWN_NOW].into_iter().filter(|_| !is_known));
    let rows = what_if.slos.iter().map(|slo| {
        let sli = |sli: Option<f64>| sli.map_or("-".to_owned(), |sli| figures::percent(sli, &[]));
        let budget = |left: Option<f64>| left.map_or("-".to_owned(), |left| figures::rough_percent(left, &[]));
        let mut row = vec![
            slo.slo.clone(),
            slo.objective.clone(),
            slo.group.iter().flatten().map(|(_, value)| value.as_str()).collect::<Vec<_>>().join(", "),
            sli(slo.sli_before),
            sli(slo.sli_after),
            budget(slo.budget_remaining_before),
            budget(slo.budget_remaining_after),
        ];
        let unknown = [slo.range_before, slo.range_after].map(|range| figures::count(unknown(range)));
        row.extend(unknown.into_iter().filter(|_| !is_known));
        row
    });
    output::table(&head, &head[3..], rows)
}

fn changed_alerts(alerts: &[AlertChange]) -> String {
    let is_grouped = alerts.iter().any(|alert| alert.group.is_some());
    let mut head = vec!["CHANGE", "SLO", "OBJECTIVE"];
    head.extend(is_grouped.then_some("GROUP"));
    head.extend(["SEVERITY", "FIRED THEN", "FIRED NOW", "DIFFERENT REQUESTS", "ALERT"]);
    let rows = alerts.iter().map(|alert| {
        let time = |at: &Option<String>| at.clone().unwrap_or("-".to_owned());
        let group: Vec<&str> = alert.group.iter().flatten().map(|(_, value)| value.as_str()).collect();
        let mut row = vec![alert.in_words(figures::long_span), alert.slo.clone(), alert.objective.clone()];
        row.extend(is_grouped.then(|| group.join(", ")));
        row.extend([
            alert.severity.clone(),
            time(&alert.fired_before),
            time(&alert.fired_after),
            match alert.changed_requests {
                Some(changed) => figures::count(changed as i64),
                None if alert.change == Change::Same => "-".to_owned(),
                None => "not looked into".to_owned(),
            },
            format!("{}/{}", alert.id, alert.episode_after.or(alert.episode_before).unwrap_or_default()),
        ]);
        row
    });
    output::table(&head, &["DIFFERENT REQUESTS"], rows)
}

/// The requests that made the difference for an alert.
fn difference(alert: &AlertChange) -> String {
    let rows = alert.requests.iter().take(REQUESTS).map(|found| {
        vec![
            found.before.to_owned(),
            found.after.to_owned(),
            found.request.time.clone(),
            found.request.service.clone(),
            format!("{} {}", found.request.method, found.request.endpoint),
            found.request.status_code.to_string(),
            found.request.latency_ms.map_or("-".to_owned(), |ms| format!("{ms:.1}")),
            found.request.event_id.clone(),
        ]
    });
    let head = ["THEN", "NOW", "TIME", "SERVICE", "REQUEST", "STATUS", "LATENCY MS", "EVENT ID"];
    let table = output::table(&head, &["STATUS", "LATENCY MS"], rows);
    let looked =
        alert.looked_from.iter().zip(&alert.looked_to).map(|(from, to)| format!(", requests from {from} to {to}"));
    let group: String = alert.group.iter().flatten().map(|(_, value)| format!(" {value}")).collect();
    format!(
        "\n{} {}{group}, {}{}\n{}",
        alert.slo,
        alert.objective,
        alert.id,
        looked.collect::<String>(),
        indented(&table)
    )
}
