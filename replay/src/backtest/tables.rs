//! A backtest as people see it: tables of text, and a few sentences. What is in a cell may come from a file or a client; who
//! prints it escapes it.

use std::collections::BTreeMap;

use slipstream_definitions::duration;
use slipstream_slo::rule::words::{figure, length};

use super::alerts::{AlertScore, Worth};
use super::curve::Point;
use super::figures::{Detection, Figures};
use super::score::{IncidentScore, Score};
use super::suggest::Suggestion;
use super::{counted, exact_percent, text};

/// A table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Names of the columns.
    pub head: Vec<&'static str>,
    /// Those of numbers, which are aligned right.
    pub right: Vec<&'static str>,
    /// Rows of as many cells.
    pub rows: Vec<Vec<String>>,
}

/// Columns of [`Figures`], and of those held against incidents.
const FIRED: [&str; 4] = ["FIRED", "PAGES/WEEK", "FIRING FOR", "BUDGET GONE"];
const FOUND: [&str; 6] = ["FOUND", "MISSED", "FALSE", "REPEATS", "DETECTED AFTER", "AT MOST"];

/// Each incident: when, what, and which alert found it how soon.
pub fn incidents(score: &Score) -> Table {
    let row = |incident: &IncidentScore| {
        let found = match (&incident.found_by, incident.already_firing) {
            (Some(by), _) => {
                format!("{} {} ({})", named(&by.slo, &by.objective, &by.group), by.rule, by.severity)
            }
            (None, true) => "already firing".to_owned(),
            (None, false) => "missed".to_owned(),
        };
        vec![
            text(incident.from),
            length(incident.to - incident.from),
            incident.service.clone(),
            incident.what.clone(),
            found,
            incident.time_to_detect_seconds.map_or_else(String::new, length),
            incident.alerts.to_string(),
        ]
    };
    Table {
        head: vec!["FROM", "LASTED", "SERVICE", "WHAT", "FOUND BY", "AFTER", "ALERTS"],
        right: vec!["ALERTS"],
        rows: score.incidents.iter().map(row).collect(),
    }
}

/// The alerts that were false, each from when it first was.
pub fn false_alarms(score: &Score) -> Table {
    let row = |alert: &AlertScore| {
        let first = Telling { at: alert.fired_at, rule: &alert.rule, severity: &alert.severity, worth: alert.worth };
        let rises = alert.rises.iter().map(|rise| Telling {
            at: rise.at,
            rule: &rise.rule,
            severity: &rise.severity,
            worth: rise.worth,
        });
        let mut tellings = std::iter::once(first).chain(rises).skip_while(|t| t.worth != Some(Worth::False));
        let Telling { at, rule, severity, .. } = tellings.next()?;
        let then = tellings.map(|rise| format!(", {} after {}", rise.severity, length(rise.at - at)));
        let to = alert.resolved_at.unwrap_or(score.range.to);
        let row = vec![
            text(at),
            length(to.min(score.range.to) - at),
            named(&alert.slo, &alert.objective, &alert.group),
            rule.to_owned(),
            format!("{severity}{}", then.collect::<String>()),
        ];
        Some((at, row))
    };
    let mut rows: Vec<(i64, Vec<String>)> = score.alerts.iter().filter_map(row).collect();
    rows.sort_by_key(|(at, _)| *at);
    Table {
        head: vec!["FALSE ALARM", "LASTED", "OF", "RULE", "SEVERITY"],
        right: Vec::new(),
        rows: rows.into_iter().map(|(_, row)| row).collect(),
    }
}

/// A time at which people were told of an alert.
struct Telling<'a> {
    at: i64,
    rule: &'a str,
    severity: &'a str,
    worth: Option<Worth>,
}

/// `web-answers/answered service=web`.
fn named(slo: &str, objective: &str, group: &BTreeMap<String, String>) -> String {
    let group = group.iter().map(|(label, value)| format!(" {label}={value}"));
    format!("{slo}/{objective}{}", group.collect::<String>())
}

/// Each rule by itself.
pub fn rules(score: &Score) -> Table {
    let names = ["SLO", "OBJECTIVE", "RULE", "SEVERITY"];
    with_figures(
        &names,
        score.rules.iter().map(|rule| (vec![&rule.slo, &rule.objective, &rule.rule, &rule.severity], &rule.figures)),
    )
}

/// The alerts of each rule set.
pub fn rule_sets(score: &Score) -> Table {
    let names = ["SLO", "OBJECTIVE", "RULE SET"];
    with_figures(
        &names,
        score.rule_sets.iter().map(|set| (vec![&set.slo, &set.objective, &set.rule_set], &set.figures)),
    )
}

/// The alerts of each severity, and all.
pub fn severities(score: &Score) -> Table {
    let all = "all".to_owned();
    let parts = score.severities.iter().map(|part| (vec![&part.severity], &part.figures));
    with_figures(&["SEVERITY"], parts.chain([(vec![&all], &score.all)]))
}

fn with_figures<'a>(names: &[&'static str], rows: impl Iterator<Item = (Vec<&'a String>, &'a Figures)>) -> Table {
    let rows: Vec<(Vec<&String>, &Figures)> = rows.collect();
    let labelled = rows.iter().any(|(_, figures)| figures.against_incidents.is_some());
    let mut right = FIRED.to_vec();
    right.extend(FOUND.iter().filter(|_| labelled));
    let row = |(names, figures): (Vec<&String>, &Figures)| {
        let mut cells: Vec<String> = names.into_iter().cloned().collect();
        cells.extend(fired(figures));
        cells.extend(figures.against_incidents.iter().flat_map(found));
        cells
    };
    let head = names.iter().chain(&right).copied().collect();
    Table { head, right, rows: rows.into_iter().map(row).collect() }
}

fn fired(figures: &Figures) -> [String; 4] {
    let gone = figures.budget_gone.map_or_else(String::new, |share| format!("{} %", figure(share * 100.0, &[])));
    [figures.firings.to_string(), rate(figures), length(figures.firing_seconds), gone]
}

fn found(detection: &Detection) -> [String; 6] {
    let mut missed = detection.missed.to_string();
    if detection.already_firing > 0 {
        missed = format!("{missed} (+{} already firing)", detection.already_firing);
    }
    [
        format!("{} of {}", detection.found, detection.incidents),
        missed,
        detection.false_alarms.to_string(),
        detection.repeats.to_string(),
        seconds(detection.time_to_detect_seconds),
        detection.longest_to_detect_seconds.map_or_else(String::new, length),
    ]
}

/// A median or mean may lie between two seconds.
fn seconds(middle: Option<f64>) -> String {
    middle.map_or_else(String::new, |seconds| length(seconds.round() as i64))
}

/// Pages a week; of a range too short to say so, how many there were.
fn rate(figures: &Figures) -> String {
    figures.pages_a_week.map_or_else(|| format!("{} in all", figures.pages), |rate| figure(rate, &[]))
}

/// What the tables do not say.
pub fn remarks(score: &Score) -> Vec<String> {
    let mut remarks = Vec::new();
    let seconds = score.range.seconds();
    if score.range.a_week(0).is_none() {
        remarks.push("The range is shorter than an hour: pages are counts, not weekly rates.".to_owned());
    }
    if let (Some(quiet), Some(share)) = (score.quiet_seconds, score.quiet_share) {
        let percent = figure(share * 100.0, &[]);
        let (quiet, seconds) = (length(quiet), length(seconds));
        remarks.push(format!("{quiet} of {seconds} were without an incident of any service ({percent} %)."));
        if share < 0.5 {
            let few = "An alert is false where its service has no incident: with so little time without any, expect more of \
                       them.";
            remarks.push(few.to_owned());
        }
    }
    remarks
}

/// The rules of a suggestion's curve; the one to take is marked.
pub fn curve(suggestion: &Suggestion) -> Table {
    let chosen = suggestion.rule.as_ref().map(|point| point.candidate);
    let row = |point: &Point| {
        let found = point.figures.against_incidents.clone().unwrap_or_default();
        vec![
            if chosen == Some(point.candidate) { "*" } else { "" }.to_owned(),
            rule(point),
            rate(&point.figures),
            format!("{} of {}", found.found, found.incidents),
            found.false_alarms.to_string(),
            seconds(found.time_to_detect_seconds),
            seconds(found.unnoticed_seconds),
        ]
    };
    // One with fewer false alarms may have been taken that has the same pages and time as one of the curve.
    let beside = suggestion.rule.iter().filter(|rule| !suggestion.curve.iter().any(|p| p.candidate == rule.candidate));
    let mut points: Vec<&Point> = suggestion.curve.iter().chain(beside).collect();
    points.sort_by_key(|point| point.figures.pages);
    Table {
        head: vec!["", "RULE", "PAGES/WEEK", "FOUND", "FALSE", "DETECTED AFTER", "UNNOTICED"],
        right: vec!["PAGES/WEEK", "FALSE"],
        rows: points.into_iter().map(row).collect(),
    }
}

/// `>14.4x 1h/5m`, `>5x 5m/1m of 20 requests`.
fn rule(point: &Point) -> String {
    let rule = point.candidate;
    let (long, short) = (duration::format(rule.long_seconds), duration::format(rule.short_seconds));
    let least = if rule.min_requests > 0 { format!(" of {} requests", rule.min_requests) } else { String::new() };
    format!(">{}x {long}/{short}{least}", rule.factor.as_f64())
}

/// A suggestion in sentences.
pub fn suggestion(suggestion: &Suggestion) -> Vec<String> {
    // Rounded down: nobody kept 100 % where one event was bad.
    let percent = |share: f64| format!("{} %", (share * 1e6).floor() / 1e4);
    let mut lines = Vec::new();
    if let Some(kept) = &suggestion.target {
        let target = kept.target.map_or_else(|| "none".to_owned(), exact_percent);
        lines.push(format!(
            "Target: {target} (now {}). 95 % of {} windows of {} kept {}.",
            exact_percent(suggestion.current_target),
            kept.windows,
            duration::format(kept.window_seconds),
            percent(kept.kept)
        ));
    }
    if let Some(point) = &suggestion.rule {
        lines.push(format!("Page: {}, the best of {} rules that were tried.", rule(point), suggestion.tried));
    }
    if let Some((point, found)) = suggestion.held_out.as_ref().and_then(|p| Some((p, p.detection()?))) {
        let after = found
            .time_to_detect_seconds
            .map_or_else(String::new, |median| format!(", after {} (median)", seconds(Some(median))));
        lines.push(format!(
            "Checked: {}, chosen by every second incident, found {} of the {} others{after}, with {}.",
            rule(point),
            found.found,
            found.incidents,
            counted(found.false_alarms, "false alarm", "false alarms")
        ));
    }
    lines.extend(suggestion.notes.iter().cloned());
    lines
}
