//! What a replay found, as text.

mod what_if;

use std::cmp::Reverse;

use slipstream_definitions::definition::Severity;
use slipstream_replay::outcome::{
    AlertHistory, Contributor, Contributors, Counted, Impact, Outcome, Request, SloHistory,
};
use slipstream_replay::{Episode, Told};
use slipstream_schemas::records::BudgetUnit;

use crate::{figures, output};

/// Alerts of which more is told than a row.
const TOLD: usize = 3;
/// A dimension is told if a value of it has this share of the bad requests.
const LEAST: f64 = 0.02;
/// A column that is there where a filter could not be decided for some.
const UNKNOWN: &str = "UNKNOWN";
/// Requests that are told of one.
const REQUESTS: usize = 5;

/// Tables of SLOs and alerts, and what is behind the first alerts; with `timeline` that of each SLO.
/// `around`: the episode that the range is around; it is told first, then the worst.
pub fn text(told: &Told, timeline: bool, around: Option<&Episode>) -> String {
    match told {
        Told::One(outcome) => of_one(outcome, timeline, around),
        Told::Both(what_if) => what_if::text(what_if, timeline),
    }
}

fn of_one(outcome: &Outcome, timeline: bool, around: Option<&Episode>) -> String {
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
    let mut fired: Vec<&AlertHistory> =
        outcome.alerts.iter().filter(|alert| alert.episode.fired_at.is_some()).collect();
    fired.sort_by_key(|alert| {
        let is_meant = around.is_some_and(|of| of.is_of(&alert.episode));
        let bad = alert.impact.as_ref().map(|impact| impact.bad);
        (!is_meant, Reverse(Severity::named(alert.worst().0).rank), Reverse(bad))
    });
    fired.iter().take(TOLD).for_each(|alert| text += &behind(alert));
    if fired.len() > TOLD {
        text += &format!("\n{} more: --json and --report have them\n", figures::alerts((fired.len() - TOLD) as i64));
    }
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
    if outcome.stopped {
        text += "stopped before the end\n";
    }
    if outcome.slos.is_empty() {
        text += "no SLOs were in force: pass some with --slos\n";
    }
    if outcome.alerts.is_empty() && outcome.is_of_another_time() {
        text +=
            "most of these happened at other times, as in an import; to order by when they happened: --clock event\n";
    }
    if !outcome.rules_left_out.is_empty() {
        text += &format!("left out, since they take --budgets: {}\n", outcome.rules_left_out.join(", "));
    }
    for missing in &outcome.missing {
        text += &format!(
            "missing: partition {} from {} to {}: {}\n",
            missing.partition, missing.from, missing.to, missing.reason
        );
    }
    text + "\n"
}

fn slos(outcome: &Outcome) -> String {
    let is_known = outcome.slos.iter().all(|slo| slo.range.unknown == 0);
    let mut head = vec!["SLO", "OBJECTIVE", "GROUP", "TARGET", "GOOD", "TOTAL"];
    head.extend((!is_known).then_some(UNKNOWN));
    head.extend(["SLI", "BUDGET LEFT", "COVERED"]);
    let right = ["TARGET", "GOOD", "TOTAL", UNKNOWN, "SLI", "BUDGET LEFT"];
    let rows = outcome.slos.iter().map(|slo| {
        let (status, range) = (&slo.status, slo.range);
        let mut row = vec![
            status.name.clone(),
            status.objective.clone(),
            group(slo),
            status.target.map_or("?".to_owned(), figures::target),
        ];
        row.extend(counts(slo, range, status.sli, is_known));
        row.extend([
            if status.total == 0 { "-".to_owned() } else { figures::rough_percent(status.budget_remaining, &[]) },
            match &status.covered_from {
                Some(from) if !status.covers_period => format!("from {from}"),
                _ => "whole".to_owned(),
            },
        ]);
        row
    });
    output::table(&head, &right, rows)
}

/// Good, total, unknown unless all is known, and the SLI of these. No request is of a composite alone: its SLI is that of its
/// budget's window.
fn counts(slo: &SloHistory, counted: Counted, of_window: Option<f64>, is_known: bool) -> Vec<String> {
    let percent = |share: f64| figures::percent(share, slo.status.target.as_slice());
    let Counted { good, total, unknown } = counted;
    let (counts, sli) = match (slo.status.unit, total, unknown) {
        (BudgetUnit::Share, ..) => ([(); 3].map(|()| "-".to_owned()), of_window.map(percent)),
        (_, 0, 1..) => ([good, total, unknown].map(figures::count), Some("unknown".to_owned())),
        (_, 0, _) => ([good, total, unknown].map(figures::count), None),
        _ => ([good, total, unknown].map(figures::count), Some(percent(good as f64 / total as f64))),
    };
    let sli = sli.unwrap_or_else(|| "no traffic".to_owned());
    counts.into_iter().take(if is_known { 2 } else { 3 }).chain([sli]).collect()
}

fn group(slo: &SloHistory) -> String {
    slo.status.group.iter().flatten().map(|(_, value)| value.as_str()).collect::<Vec<_>>().join(", ")
}

/// The timeline of an SLO: what happened in each step, and how budget and burn rates stood at its end.
fn steps(slo: &SloHistory) -> String {
    let name = [slo.status.name.clone(), slo.status.objective.clone(), group(slo)].join(" ");
    let windows = super::csv::windows([slo]);
    let burns: Vec<String> = windows.iter().map(|(_, window)| format!("BURN {window}")).collect();
    let is_known = slo.timeline.iter().all(|step| step.counted.unknown == 0);
    let mut head = vec!["AT", "GOOD", "TOTAL"];
    head.extend((!is_known).then_some(UNKNOWN));
    head.extend(["SLI", "BUDGET LEFT"]);
    head.extend(burns.iter().map(String::as_str));
    let rows = slo.timeline.iter().map(|step| {
        let mut row = vec![step.at.clone()];
        row.extend(counts(slo, step.counted, step.sli, is_known));
        row.push(figures::rough_percent(step.budget_remaining, &[]));
        row.extend(
            windows.iter().map(|(_, window)| step.burn_rates.get(window).map_or(String::new(), |b| format!("{b:.2}"))),
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
        vec![
            marker.time.clone(),
            marker.until.clone().unwrap_or_default(),
            marker.kind.clone(),
            marker.service.clone(),
            marker.environment.clone(),
            version,
            marker.text.clone(),
        ]
    });
    format!("\n{}", output::table(&["MARKED", "UNTIL", "KIND", "SERVICE", "ENVIRONMENT", "VERSION", "TEXT"], &[], rows))
}

fn alerts(outcome: &Outcome) -> String {
    let mut head = vec![
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
    // Where all figures are of whole alerts, nothing is to be said of it.
    let is_part = outcome.alerts.iter().any(|alert| alert.impact.as_ref().is_none_or(|impact| !impact.whole));
    head.extend(is_part.then_some("COUNTED"));
    let rows = outcome.alerts.iter().map(|alert| {
        let episode = &alert.episode;
        let figure =
            |of: &dyn Fn(&Impact) -> Option<String>| alert.impact.as_ref().and_then(of).unwrap_or("-".to_owned());
        let time = |at: &Option<String>| at.clone().unwrap_or("-".to_owned());
        let group: Vec<&str> = episode.group.values().map(String::as_str).collect();
        let before = if alert.open_before { " (before)" } else { "" };
        let mut row = vec![
            format!("{}{before}", episode.pending_at),
            time(&episode.fired_at),
            time(&episode.resolved_at),
            episode.slo.clone(),
            episode.objective.clone(),
            group.join(", "),
            severities(alert),
            rules(alert),
            figure(&|impact| Some(figures::count(impact.bad))),
            figure(&|impact| Some(figures::count(impact.total))),
            figure(&users),
            format!("{}/{}", episode.id, episode.episode),
        ];
        row.extend(is_part.then(|| counted(alert)));
        row
    });
    output::table(&head, &["BAD", "OF", "USERS"], rows)
}

/// What it fired as, and what it became: `ticket, page 4m6s later`.
fn severities(alert: &AlertHistory) -> String {
    let steps = alert.severities();
    let Some(((at, first, _), rises)) = steps.split_first() else { return alert.worst().0.to_owned() };
    let second = |at: &str| at.parse::<jiff::Timestamp>().map_or(0, |at| at.as_second());
    let later = |(rise, severity, _): &(String, &str, &str)| {
        format!(", {severity} {} later", figures::long_span(second(rise) - second(at)))
    };
    first.to_string() + &rises.iter().map(later).collect::<String>()
}

/// The rules of those.
fn rules(alert: &AlertHistory) -> String {
    match alert.severities().as_slice() {
        [] => alert.worst().1.to_owned(),
        steps => steps.iter().map(|(_, _, rule)| *rule).collect::<Vec<_>>().join(", "),
    }
}

/// Different users that had a bad request.
fn users(impact: &Impact) -> Option<String> {
    let at_least = if impact.users_at_least { "at least " } else { "" };
    impact.users.map(|users| format!("{at_least}{}", figures::count(users as i64)))
}

/// What of an alert its figures are of.
fn counted(alert: &AlertHistory) -> String {
    match &alert.impact {
        None => "not looked into".to_owned(),
        Some(impact) if impact.whole => "whole".to_owned(),
        Some(impact) => {
            let without = if impact.missing { ", without what is missing" } else { "" };
            format!("{} to {}{without}", impact.from, impact.to)
        }
    }
}

/// What made up the bad requests of an alert, and the first of them.
fn behind(alert: &AlertHistory) -> String {
    let episode = &alert.episode;
    let group: String = episode.group.values().map(|value| format!(" {value}")).collect();
    let mut text = format!("\n{} {}{group}, {}/{}\n", episode.slo, episode.objective, episode.id, episode.episode);
    for (at, severity, rule) in alert.severities().into_iter().skip(1) {
        text += &format!("  {severity} from {at} on, by rule {rule}\n");
    }
    if let Some(began) = &alert.began_at {
        let or_before = if alert.began_earlier { " or earlier" } else { "" };
        text += &format!("  its budget began to burn too fast at {began}{or_before}\n");
    }
    if alert.impact.as_ref().is_some_and(|impact| !impact.whole) {
        text += &format!("  requests from {}\n", counted(alert));
    }
    // Where no value has more than a few of them, they have nothing in common.
    let tells = |found: &&Contributors| found.values.first().is_some_and(|most| most.share_of_bad >= LEAST);
    for found in alert.contributors.iter().filter(tells) {
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
