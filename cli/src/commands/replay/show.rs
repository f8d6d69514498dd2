//! What a replay found, as text.

use slipstream_replay::Told;
use slipstream_replay::outcome::{
    AlertChange, AlertHistory, Change, Contributor, Outcome, Request, SloHistory, WhatIf,
};

use crate::{figures, output};

/// Alerts of which more is told than a row.
const TOLD: usize = 3;
/// Requests that are told of one.
const REQUESTS: usize = 5;

/// Tables of SLOs and alerts, and what is behind the first alerts; with `timeline` that of each SLO.
pub fn text(told: &Told, timeline: bool) -> String {
    match told {
        Told::One(outcome) => of_one(outcome, timeline),
        Told::Both(what_if) => of_both(what_if, timeline),
    }
}

fn of_one(outcome: &Outcome, timeline: bool) -> String {
    let mut text = about(outcome);
    text += &slos(outcome);
    if timeline {
        outcome.slos.iter().for_each(|slo| text += &steps(slo));
    }
    text += &markers(outcome);
    if outcome.alerts.is_empty() {
        return text + "\nNo alerts.\n";
    }
    text += "\n";
    text += &alerts(outcome);
    let fired = outcome.alerts.iter().filter(|alert| alert.episode.fired_at.is_some());
    fired.take(TOLD).for_each(|alert| text += &behind(alert));
    text
}

fn about(outcome: &Outcome) -> String {
    let whole = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    let mut text = format!("{} to {}: {}", outcome.from, outcome.to, figures::events(whole(outcome.events)));
    if outcome.duplicates > 0 {
        let copies = if outcome.duplicates == 1 { "copy" } else { "copies" };
        text += &format!(", {} {copies} dropped", figures::count(whole(outcome.duplicates)));
    }
    if outcome.invalid > 0 {
        text += &format!(", {} invalid", figures::count(whole(outcome.invalid)));
    }
    text += "\n";
    for missing in &outcome.missing {
        text += &format!(
            "missing: partition {} from {} to {}: {}\n",
            missing.partition, missing.from, missing.to, missing.reason
        );
    }
    text + "\n"
}

fn slos(outcome: &Outcome) -> String {
    let head = ["SLO", "OBJECTIVE", "GROUP", "TARGET", "GOOD", "TOTAL", "SLI", "BUDGET LEFT", "COVERED"];
    let right = ["TARGET", "GOOD", "TOTAL", "SLI", "BUDGET LEFT"];
    let rows = outcome.slos.iter().map(|slo| {
        let (status, range) = (&slo.status, slo.range);
        let sli = |total: i64| figures::percent(range.good as f64 / total as f64, status.target.as_slice());
        vec![
            status.name.clone(),
            status.objective.clone(),
            group(slo),
            status.target.map_or("?".to_owned(), figures::target),
            figures::count(range.good),
            figures::count(range.total),
            if range.total == 0 { "no traffic".to_owned() } else { sli(range.total) },
            figures::rough_percent(status.budget_remaining, &[]),
            match &status.covered_from {
                Some(from) if !status.covers_period => format!("from {from}"),
                _ => "whole".to_owned(),
            },
        ]
    });
    output::table(&head, &right, rows)
}

fn group(slo: &SloHistory) -> String {
    slo.status.group.iter().flatten().map(|(_, value)| value.as_str()).collect::<Vec<_>>().join(", ")
}

/// The timeline of an SLO.
fn steps(slo: &SloHistory) -> String {
    let name = [slo.status.name.clone(), slo.status.objective.clone(), group(slo)].join(" ");
    let mut windows: Vec<String> = Vec::new();
    for window in slo.timeline.iter().flat_map(|step| step.burn_rates.keys()) {
        if !windows.contains(window) {
            windows.push(window.clone());
        }
    }
    let burns: Vec<String> = windows.iter().map(|window| format!("BURN {window}")).collect();
    let mut head = vec!["AT", "GOOD", "TOTAL", "SLI", "BUDGET LEFT"];
    head.extend(burns.iter().map(String::as_str));
    let rows = slo.timeline.iter().map(|step| {
        let mut row = vec![
            step.at.clone(),
            figures::count(step.counted.good),
            figures::count(step.counted.total),
            step.sli.map_or("no traffic".to_owned(), |sli| figures::percent(sli, slo.status.target.as_slice())),
            figures::rough_percent(step.budget_remaining, &[]),
        ];
        row.extend(
            windows.iter().map(|window| step.burn_rates.get(window).map_or(String::new(), |b| format!("{b:.2}"))),
        );
        row
    });
    format!("\n{}\n{}", name.trim_end(), output::table(&head, &head[1..], rows))
}

fn markers(outcome: &Outcome) -> String {
    if outcome.markers.is_empty() {
        return String::new();
    }
    let rows = outcome.markers.iter().map(|marker| {
        let version = marker.version.clone().unwrap_or_default();
        vec![marker.time.clone(), marker.kind.clone(), marker.service.clone(), version, marker.text.clone()]
    });
    format!("\n{}", output::table(&["MARKED", "KIND", "SERVICE", "VERSION", "TEXT"], &[], rows))
}

fn alerts(outcome: &Outcome) -> String {
    let head = [
        "PENDING",
        "FIRED",
        "RESOLVED",
        "SLO",
        "OBJECTIVE",
        "GROUP",
        "SEVERITY",
        "RULE",
        "BAD",
        "OF",
        "USERS",
        "ALERT",
    ];
    let rows = outcome.alerts.iter().map(|alert| {
        let episode = &alert.episode;
        let time = |at: &Option<String>| at.clone().unwrap_or("-".to_owned());
        let group: Vec<&str> = episode.group.values().map(String::as_str).collect();
        let before = if alert.open_before { " (before)" } else { "" };
        vec![
            format!("{}{before}", episode.pending_at),
            time(&episode.fired_at),
            time(&episode.resolved_at),
            episode.slo.clone(),
            episode.objective.clone(),
            group.join(", "),
            episode.severity.clone(),
            episode.rule.clone(),
            figures::count(alert.impact.bad),
            figures::count(alert.impact.total),
            alert.impact.users.map_or("-".to_owned(), |users| figures::count(users as i64)),
            format!("{}/{}", episode.id, episode.episode),
        ]
    });
    output::table(&head, &["BAD", "OF", "USERS"], rows)
}

/// What made up the bad requests of an alert, and the first of them.
fn behind(alert: &AlertHistory) -> String {
    let episode = &alert.episode;
    let mut text = format!("\n{} {}, {}/{}\n", episode.slo, episode.objective, episode.id, episode.episode);
    for found in &alert.contributors {
        let values: Vec<String> = found.values.iter().take(3).map(contributor).collect();
        text += &format!("  {}: {}\n", found.dimension, values.join("; "));
    }
    if !alert.first_bad.is_empty() {
        text += "  first bad requests:\n";
        text += &indented(&requests(alert.first_bad.iter().take(REQUESTS)));
    }
    text
}

fn contributor(found: &Contributor) -> String {
    let percent = |share: f64| figures::rough_percent(share, &[]);
    let value = if found.value.is_empty() { "(none)" } else { &found.value };
    format!("{value} {} of bad, {} of all", percent(found.share_of_bad), percent(found.share_of_all))
}

fn requests<'r>(requests: impl Iterator<Item = &'r Request>) -> String {
    let rows = requests.map(|request| {
        vec![
            request.time.clone(),
            request.service.clone(),
            format!("{} {}", request.method, request.endpoint),
            request.status_code.to_string(),
            request.latency_ms.map_or("-".to_owned(), |ms| format!("{ms:.1}")),
            request.trace_id.clone().unwrap_or("-".to_owned()),
            request.event_id.clone(),
        ]
    });
    let head = ["TIME", "SERVICE", "REQUEST", "STATUS", "LATENCY MS", "TRACE ID", "EVENT ID"];
    output::table(&head, &["STATUS", "LATENCY MS"], rows)
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}\n")).collect()
}

fn of_both(what_if: &WhatIf, timeline: bool) -> String {
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
    let head = ["SLO", "OBJECTIVE", "GROUP", "SLI THEN", "SLI NOW", "BUDGET LEFT THEN", "BUDGET LEFT NOW"];
    let rows = what_if.slos.iter().map(|slo| {
        let sli = |sli: Option<f64>| sli.map_or("-".to_owned(), |sli| figures::percent(sli, &[]));
        let budget = |left: Option<f64>| left.map_or("-".to_owned(), |left| figures::rough_percent(left, &[]));
        vec![
            slo.slo.clone(),
            slo.objective.clone(),
            slo.group.iter().flatten().map(|(_, value)| value.as_str()).collect::<Vec<_>>().join(", "),
            sli(slo.sli_before),
            sli(slo.sli_after),
            budget(slo.budget_remaining_before),
            budget(slo.budget_remaining_after),
        ]
    });
    output::table(&head, &head[3..], rows)
}

fn changed_alerts(alerts: &[AlertChange]) -> String {
    let head = ["CHANGE", "SLO", "OBJECTIVE", "SEVERITY", "FIRED THEN", "FIRED NOW", "DIFFERENT REQUESTS", "ALERT"];
    let rows = alerts.iter().map(|alert| {
        let by = alert.by_seconds.map(|by| figures::span(by.abs()));
        let change = match (alert.change, by) {
            (Change::Same, _) => "same".to_owned(),
            (Change::Gained, _) => "gained".to_owned(),
            (Change::Lost, _) => "lost".to_owned(),
            (Change::Earlier, by) => format!("{} earlier", by.unwrap_or_default()),
            (Change::Later, by) => format!("{} later", by.unwrap_or_default()),
        };
        let time = |at: &Option<String>| at.clone().unwrap_or("-".to_owned());
        vec![
            change,
            alert.slo.clone(),
            alert.objective.clone(),
            alert.severity.clone(),
            time(&alert.fired_before),
            time(&alert.fired_after),
            figures::count(alert.changed_requests as i64),
            format!("{}/{}", alert.id, alert.episode_after.or(alert.episode_before).unwrap_or_default()),
        ]
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
    format!("\n{} {}, {}\n{}", alert.slo, alert.objective, alert.id, indented(&table))
}
