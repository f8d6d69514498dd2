//! The summary, in sentences.

use slipstream_store::alerts::AlertState;

use super::facts::{self, Facts};
use super::times::{self, Micros, SECOND, Times};
use super::{markers, words};
use crate::outcome::{Contributor, Contributors, Outcome, SloHistory};

/// The story of an episode.
pub fn of_alert(facts: &Facts<'_>, times: Times) -> String {
    let parts = [
        Some(what_happened(facts, times)),
        Some(how_it_was_told(facts, times)),
        Some(impact(facts, times)),
        who(&facts.alert.contributors),
        budget(facts, times),
        change(facts, times),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

fn what_happened(facts: &Facts<'_>, times: Times) -> String {
    let is_open = facts.alert.episode.state.is_open();
    let when = if is_open {
        format!("From {} UTC on", times.at(facts.begin))
    } else {
        format!("Between {} and {} UTC", times.at(facts.begin), times.at(facts.end))
    };
    let name = &facts.name;
    match facts.peak.filter(|(peak, _)| *peak > 1.0) {
        Some((peak, over)) => {
            let window = facts.slo.and_then(|slo| slo.status.window.as_deref());
            let window = window.map(|window| format!("{} ", words::window(window))).unwrap_or_default();
            format!(
                "{when}, {name} burned its {window}error budget at up to {} times the allowed rate (over {over}).",
                words::rate(peak)
            )
        }
        None => format!("{when}, an alert of {name} was open."),
    }
}

/// Pending, firing, resolved.
pub fn how_it_was_told(facts: &Facts<'_>, times: Times) -> String {
    let episode = &facts.alert.episode;
    let pending = times.at_text(&episode.pending_at);
    let Some(fired) = &episode.fired_at else {
        return match episode.state {
            AlertState::Inactive => format!(
                "The alert went pending at {pending} and never fired; its condition ended at {}.",
                times.at(facts.end)
            ),
            _ => format!("The alert went pending at {pending} and had not fired when the range ended."),
        };
    };
    let severities = facts.alert.severities();
    let first = severities.first().map_or(episode.severity.as_str(), |(_, severity, _)| *severity);
    let mut fires = format!("fired ({first}) at {}", times.at_text(fired));
    if let Some(after) = facts.detection_in_words() {
        fires.push_str(&format!(", {after} after its budget began to burn too fast,"));
    }
    let begin = if *fired == episode.pending_at {
        format!("The alert {fires}")
    } else {
        format!("The alert went pending at {pending}, {fires}")
    };
    let open_before = if facts.alert.open_before { " It was open before the range began." } else { "" };
    let rises = severities.iter().skip(1);
    let rises: String =
        rises.map(|(at, severity, _)| format!(" It was a {severity} from {} on.", times.at_text(at))).collect();
    match &episode.resolved_at {
        Some(resolved) => format!("{begin} and resolved at {}.{rises}{open_before}", times.at_text(resolved)),
        None => format!("{begin} and was still firing when the range ended.{rises}{open_before}"),
    }
}

/// How many requests, of how many users; from when to when, if that is not all of it.
pub fn impact(facts: &Facts<'_>, times: Times) -> String {
    let Some(impact) = &facts.alert.impact else {
        let it_did_not_fire = if facts.alert.episode.fired_at.is_none() { "As it did not fire, its" } else { "Its" };
        return format!("{it_did_not_fire} requests were not looked into.");
    };
    let counted = facts.counted(times);
    if impact.total == 0 {
        return format!("No requests were counted {}.", counted.as_deref().unwrap_or("while it was open"));
    }
    let counted = counted.map(|counted| format!("{} UTC, ", counted.replacen('f', "F", 1))).unwrap_or_default();
    let share = words::percent(impact.bad as f64 / impact.total as f64);
    let verb = if impact.bad == 1 || impact.total == 1 { "was" } else { "were" };
    let of = words::plural(impact.total, "request");
    let at_least = if impact.users_at_least { "at least " } else { "" };
    let users = impact
        .users
        .map(|users| format!(", from {at_least}{}", words::plural(i64::try_from(users).unwrap_or(i64::MAX), "user")));
    format!("{counted}{} of {of} {verb} bad ({share}){}.", words::count(impact.bad), users.unwrap_or_default())
}

/// What the bad requests have in common.
pub fn who(contributors: &[Contributors]) -> Option<String> {
    let told = facts::telling(contributors);
    if told.is_empty() {
        let has_any = contributors.iter().any(|dimension| !dimension.values.is_empty());
        return has_any
            .then(|| "No single endpoint, status or other value stands out among the bad requests.".to_owned());
    }
    let parts: Vec<String> = told
        .iter()
        .enumerate()
        .map(|(i, (dimension, value))| {
            let [bad, all] = [value.share_of_bad, value.share_of_all].map(words::rough_percent);
            let (of_bad, of_all) = if i == 0 { (" of the bad requests", " requests") } else { ("", "") };
            format!("{bad}{of_bad} {} ({all} of all{of_all})", has(dimension, value))
        })
        .collect();
    Some(format!("{}.", words::list(&parts)))
}

fn has(dimension: &str, Contributor { value, .. }: &Contributor) -> String {
    match (dimension, value.as_str()) {
        ("endpoint", value) => format!("went to {value}"),
        ("service", value) => format!("went to the service {value}"),
        ("method", value) => format!("had the method {value}"),
        ("status_code", value) => format!("had status {value}"),
        ("environment", "") => "had no environment".to_owned(),
        ("environment", value) => format!("were in the environment {value}"),
        (dimension, value) => {
            let key = dimension.strip_prefix("attributes.").unwrap_or(dimension);
            if value.is_empty() { format!("had no {key}") } else { format!("had {key} {value}") }
        }
    }
}

/// What became of the budget.
pub fn budget(facts: &Facts<'_>, times: Times) -> Option<String> {
    let (before, after) = facts.budget?;
    let since = facts.slo.and_then(|slo| counted_since(slo, times)).unwrap_or_default();
    let left = words::rough_percent(after);
    let spent = if after < 0.0 { ": more than all of it is spent" } else { "" };
    let lowest = facts.alert.lowest_budget.filter(|lowest| *lowest < after);
    let lowest = lowest.map(words::rough_percent).filter(|lowest| *lowest != left);
    Some(match (before, lowest) {
        (before, Some(lowest)) => {
            let from = before.map_or_else(String::new, |before| format!(" from {}", words::rough_percent(before)));
            format!("The budget left fell{from} to {lowest}, and was {left} at its end{since}{spent}.")
        }
        (None, None) => format!("At its end, {left} of the budget was left{since}{spent}."),
        (Some(before), None) if words::rough_percent(before) == left => {
            format!("The budget left stayed at {left}{since}{spent}.")
        }
        (Some(before), None) => {
            let verb = if after < before { "fell" } else { "rose" };
            format!("The budget left {verb} from {} to {left}{since}{spent}.", words::rough_percent(before))
        }
    })
}

/// A replay that did not read a whole period knows only part of the budget.
fn counted_since(slo: &SloHistory, times: Times) -> Option<String> {
    let from = slo.status.covered_from.as_deref().filter(|_| !slo.status.covers_period)?;
    Some(format!(" (counting requests since {})", times.at_text(from)))
}

/// The last change before.
pub fn change(facts: &Facts<'_>, times: Times) -> Option<String> {
    let (marker, before) = facts.change?;
    let (named, at) = (markers::named(marker), times.at_text(&marker.time));
    if facts.alert.began_earlier {
        return Some(format!("The last change before {} was {named} at {at}.", times.at(facts.begin)));
    }
    Some(format!("The last change before that was {named} at {at}, {} before it began.", words::span(before)))
}

/// Without an alert: that there was none, and what was worst.
pub fn without_alerts(outcome: &Outcome, times: Times) -> String {
    if outcome.events == 0 {
        return "No requests were found in this range, and no alert was open.".to_owned();
    }
    let requests = words::plural(i64::try_from(outcome.events).unwrap_or(i64::MAX), "request");
    let begin = format!("No alert was open in this range, which has {requests}.");
    match worst(outcome) {
        None if outcome.slos.is_empty() => format!("{begin} There were no objectives to hold them against."),
        None => format!("{begin} No objective burned any of its error budget."),
        Some((slo, rate, window, at)) => {
            let status = &slo.status;
            let name = facts::name(outcome, &status.name, &status.objective, status.group.as_ref());
            let left = words::rough_percent(status.budget_remaining);
            format!(
                "{begin} The highest burn rate was that of {name}: {} over {window} at {}. At the end {left} of its budget was left{}.",
                words::rate(rate),
                times.at(at),
                counted_since(slo, times).unwrap_or_default(),
            )
        }
    }
}

/// The highest burn rate of all, if any is above 0: whose, how much, over which window, when.
fn worst(outcome: &Outcome) -> Option<(&SloHistory, f64, &str, Micros)> {
    let rates = outcome.slos.iter().flat_map(|slo| {
        slo.timeline
            .iter()
            .flat_map(move |step| step.burn_rates.iter().map(move |(window, rate)| (slo, *rate, window.as_str(), step)))
    });
    // The first of equals.
    let (slo, rate, window, step) = rates.reduce(|best, next| if next.1 > best.1 { next } else { best })?;
    let at = times::parse(&step.at)? + outcome.step_seconds * SECOND;
    (rate > 0.0).then_some((slo, rate, window, at))
}
