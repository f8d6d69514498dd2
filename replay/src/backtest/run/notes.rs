//! What a backtest says about its figures, which do not say it themselves.

use std::collections::{BTreeMap, BTreeSet};

use slipstream_definitions::definition::{Budgeting, Slo};
use slipstream_schemas::LogTime;
use slipstream_slo::revision::Revisions;
use slipstream_slo::rule::words::length;

use super::super::facts::Watched;
use super::super::incidents::Incident;
use super::super::labels::Labels;
use super::super::{Range, counted, text};
use super::histories::FINEST;
use crate::assemble::{About, time};
use crate::definitions::{in_force, warm_up_from};
use crate::engine::Notes;
use crate::outcome::Clock;

/// Services that no SLO is about, of which so many are named.
const NAMED: usize = 5;
/// Two names with so many typing errors between them at most may mean the same.
const TYPING_ERRORS: usize = 2;

/// Where the history is shorter than what is asked for, and than what rules look at.
pub(super) fn about_range(about: &About, asked_from: Option<LogTime>, revisions: &Revisions) -> Vec<String> {
    let mut notes = Vec::new();
    if asked_from.is_some_and(|asked| asked.tick() < about.from.tick()) {
        notes.push(format!(
            "No requests before {} are there: all figures are of the time since then.",
            time(about.from)
        ));
    }
    let slos = in_force(revisions, about.from, about.to);
    let wanted = [false, true].map(|budgets| warm_up_from(&slos, revisions, about.from, budgets));
    let begin = time(about.warm_up_from);
    if wanted[0] < about.warm_up_from {
        notes.push(format!(
            "Nothing before {begin} is there: rules that look back further saw less than their windows at first."
        ));
    }
    if wanted[1] < about.warm_up_from {
        notes.push(format!("Budgets are of the requests since {begin}: a longer past is not there."));
    }
    notes
}

/// SLOs that nothing was counted by.
pub(super) fn about_slos(slos: &[Slo], notes: &Notes) -> Vec<String> {
    let counted: BTreeSet<&str> = notes.series.keys().map(|series| series.slo.as_str()).collect();
    let without: Vec<&str> = slos.iter().map(|slo| slo.name.as_str()).filter(|name| !counted.contains(name)).collect();
    if without.is_empty() {
        return Vec::new();
    }
    let of = if without.len() == 1 { "it" } else { "them" };
    vec![format!("No request was counted by {}: no rule of {of} could fire.", some(&without))]
}

/// Incidents that nothing could find.
pub(super) fn about_labels(labels: &Labels, watched: &[Watched], (range, clock): (Range, Clock)) -> Vec<String> {
    let all = [(&labels.incidents, "incident"), (&labels.set_aside, "incident to set aside")];
    let mut notes: Vec<String> = all.into_iter().filter_map(|(of, what)| outside(of, what, range, clock)).collect();
    if !labels.any_service {
        notes.extend(of_nobody(labels, watched, range));
    }
    notes
}

/// Those that did not begin in the range.
fn outside(incidents: &[Incident], what: &str, range: Range, clock: Clock) -> Option<String> {
    let outside: Vec<&Incident> = incidents.iter().filter(|incident| !range.contains(incident.from)).collect();
    let (first, last) = (outside.iter().map(|i| i.from).min()?, outside.iter().map(|i| i.from).max()?);
    let [one, many] = match what.split_once(' ') {
        Some((noun, rest)) => [what.to_owned(), format!("{noun}s {rest}")],
        None => [what.to_owned(), format!("{what}s")],
    };
    let (begin, are) = if outside.len() == 1 { ("begins", "is") } else { ("begin", "are") };
    let when = if first == last { text(first) } else { format!("{} to {}", text(first), text(last)) };
    let mut note = format!(
        "{} of {} {begin} outside of the range ({when}) and {are} not judged",
        outside.len(),
        counted(incidents.len() as u64, &one, &many)
    );
    if outside.len() == incidents.len() && clock == Clock::Log {
        note += ": the log took its requests at other times than they happened? Pass --clock event";
    }
    Some(note + ".")
}

/// Those of services that no SLO is about.
fn of_nobody(labels: &Labels, watched: &[Watched], range: Range) -> Vec<String> {
    let known: BTreeSet<&str> =
        watched.iter().flat_map(|rule| rule.services.iter().chain([&rule.service])).map(String::as_str).collect();
    let mut unknown: BTreeMap<&str, u64> = BTreeMap::new();
    for incident in labels.incidents.iter().chain(&labels.set_aside) {
        let is_known = incident.service.is_empty() || known.contains(incident.service.as_str());
        if range.contains(incident.from) && !is_known {
            *unknown.entry(&incident.service).or_default() += 1;
        }
    }
    let about = |(service, count): (&&str, &u64)| {
        let meant = nearest(service, &known).map_or_else(String::new, |name| format!(": did you mean {name}?"));
        let end = if meant.is_empty() { "." } else { "" };
        format!("No SLO is about {service}, which had {}{meant}{end}", counted(*count, "incident", "incidents"))
    };
    let mut notes: Vec<String> = unknown.iter().take(NAMED).map(about).collect();
    if unknown.len() > NAMED {
        let more = (unknown.len() - NAMED) as u64;
        notes.push(format!("No SLO is about {} with incidents.", counted(more, "further service", "further services")));
    }
    notes
}

fn nearest<'a>(name: &str, known: &BTreeSet<&'a str>) -> Option<&'a str> {
    let far = |other: &str| strsim::osa_distance(&name.to_lowercase(), &other.to_lowercase());
    let near = known.iter().map(|other| (far(other), *other)).min()?;
    // Of a short name two letters are most of it.
    (near.0 <= TYPING_ERRORS.min(name.chars().count() / 3)).then_some(near.1)
}

/// What suggestions are made from, and for which SLOs there are none.
pub(super) fn about_suggestions(slos: &[Slo], slot_seconds: i64) -> Vec<String> {
    let mut notes = Vec::new();
    if slot_seconds > FINEST {
        let left_out = if slot_seconds > 60 { "; rules with shorter windows were not tried" } else { "" };
        notes.push(format!(
            "The range is long, so rules were tried on counts of {} each{left_out}.",
            length(slot_seconds)
        ));
    }
    let of = |is: fn(&Slo) -> bool| slos.iter().filter(|slo| is(slo)).map(|slo| slo.name.as_str()).collect::<Vec<_>>();
    let composites = of(|slo| slo.composite.is_some());
    let slices =
        of(|slo| slo.composite.is_none() && slo.objectives.iter().all(|o| o.budgeting != Budgeting::Occurrences));
    for (names, why) in [(composites, "rules of composites"), (slices, "budgets of time slices")] {
        if !names.is_empty() {
            notes.push(format!("Nothing is suggested for {}: {why} are not tried.", some(&names)));
        }
    }
    notes
}

/// `a, b and 3 more`.
fn some(names: &[&str]) -> String {
    let more = names.len().saturating_sub(NAMED);
    let named = names[..names.len() - more].join(", ");
    if more > 0 { format!("{named} and {more} more") } else { named }
}
