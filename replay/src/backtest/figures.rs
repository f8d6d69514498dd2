//! Firings in figures: how many, how long, and held against incidents: what they found, and what was false.
//!
//! - An incident is **found** by a firing of its service (of any, if it names none) that began within it, or within the
//!   grace after its end. The first one gives the time to detect.
//! - It is **already firing** if nothing fired within it, but an alert of its service that fired before was still open when
//!   it began. Nobody was told of this incident, and nobody overlooked it: it is neither found nor missed.
//! - Else it is **missed**.
//! - A firing within no incident of its service is **false**, be it that it began a moment before one.
//! - An alert that is neither the first in an incident nor false is a **repeat**: a second alert, or one that flaps.
//!
//! An alert that becomes worse fires once more, because people are told once more: a page that was a ticket for two hours
//! wakes somebody now. It stays one alert: it counts once, and is false once.
//!
//! Only what began in the range counts, incidents as well as firings.

use std::collections::BTreeSet;

use serde::Serialize;

use super::incidents::Incident;
use super::labels::Labels;
use super::{Range, a_week, median};

/// A firing, as far as figures go: an alert that fires, or becomes worse.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Firing<'a> {
    /// Which alert's it is: those of one alert have the same number. Numbers are small, as places in a list are.
    pub alert: usize,
    /// The services that it is of: its SLO's and, if grouped by service, its group's (else the first twice).
    pub services: [&'a str; 2],
    /// When it fired.
    pub fired: i64,
    /// When it was over, exclusive; `None`: it still was firing at the range's end.
    pub ended: Option<i64>,
    /// Whether it wakes somebody.
    pub pages: bool,
    /// Share of the period's budget that was spent when it fired, if known.
    pub budget_gone: Option<f64>,
}

/// What firings come to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figures {
    /// How many alerts fired, or became worse.
    pub firings: u64,
    /// The same per week; null of a range that is shorter than an hour.
    pub firings_a_week: Option<f64>,
    /// Those that page: of a severity such as `page` or `critical`.
    pub pages: u64,
    /// The same per week.
    pub pages_a_week: Option<f64>,
    /// Seconds of the range that it was firing, of all alerts together; also of those that began before the range.
    pub firing_seconds: i64,
    /// Share of the period's budget that was spent when an alert fired: the median; null if it is not known of any.
    pub budget_gone: Option<f64>,
    /// Against the incidents; null if none were given.
    pub against_incidents: Option<Detection>,
}

/// Firings held against incidents. Every incident is found, already firing or missed.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Detection {
    /// Incidents that it was to find.
    pub incidents: u64,
    /// Those that it found.
    pub found: u64,
    /// Those that began while an alert of before was still firing, and that no other found.
    pub already_firing: u64,
    /// Those that it neither found nor was firing at.
    pub missed: u64,
    /// Further alerts in an incident.
    pub repeats: u64,
    /// Alerts in no incident of their service.
    #[serde(rename = "false")]
    pub false_alarms: u64,
    /// Seconds of the range without any of the incidents that it was to find, grace included.
    pub quiet_seconds: i64,
    /// The false alarms in that time.
    pub false_in_quiet: u64,
    /// The same per week of that time; null if it is shorter than an hour.
    pub false_a_quiet_week: Option<f64>,
    /// From an incident's beginning to the first firing in it, seconds: the median; null if none was found.
    pub time_to_detect_seconds: Option<f64>,
    /// The longest.
    pub longest_to_detect_seconds: Option<i64>,
    /// How long an incident went unnoticed, seconds: the mean over all of them. One that was not found counts with its whole
    /// length and the grace, so a rule is not quick by finding only what is quickly found. Null without incidents.
    pub unnoticed_seconds: Option<f64>,
}

/// How an incident went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sighting {
    /// The first firing in it, by index.
    pub(super) first: Option<usize>,
    /// Alerts that fired in it.
    pub(super) alerts: u64,
    /// There is none, but one of before was still open when it began.
    pub(super) was_firing: bool,
}

/// How an incident went, and the firings in it. They must be sorted by when they fired.
pub(super) fn sighting(incident: &Incident, labels: &Labels, firings: &[Firing<'_>]) -> (Sighting, Vec<usize>) {
    let begin = firings.partition_point(|firing| firing.fired < incident.from);
    let end = firings.partition_point(|firing| firing.fired <= labels.end(incident)).max(begin);
    let is_of = |firing: &Firing<'_>| labels.concerns(incident, firing.services);
    let within: Vec<usize> = (begin..end).filter(|index| is_of(&firings[*index])).collect();
    let open = |firing: &Firing<'_>| firing.ended.is_none_or(|ended| ended > incident.from);
    let was_firing = within.is_empty() && firings[..begin].iter().any(|firing| open(firing) && is_of(firing));
    let alerts: BTreeSet<usize> = within.iter().map(|index| firings[*index].alert).collect();
    (Sighting { first: within.first().copied(), alerts: alerts.len() as u64, was_firing }, within)
}

/// Figures of some firings in a range. `watches` says which incidents they could find; `None` for `labels`: nobody noted
/// any down.
pub fn figures(
    mut firings: Vec<Firing<'_>>,
    range: Range,
    labels: Option<&Labels>,
    watches: impl Fn(&Incident) -> bool,
) -> Figures {
    firings.sort_by_key(|firing| firing.fired);
    let (against_incidents, counts) = match labels {
        Some(labels) => {
            let (detection, counts) = detection(&firings, range, labels, watches);
            (Some(detection), counts)
        }
        None => (None, firings.iter().map(|firing| range.contains(firing.fired)).collect()),
    };
    let first_of = |is: &dyn Fn(usize) -> bool| first_of_each(&firings, is);
    let counted = first_of(&|i| counts[i]);
    let pages = first_of(&|i| counts[i] && firings[i].pages).len() as u64;
    let lasts = |firing: &Firing<'_>| {
        let to = firing.ended.unwrap_or(range.to).min(range.to);
        (to - firing.fired.max(range.from)).max(0)
    };
    Figures {
        firings: counted.len() as u64,
        firings_a_week: range.a_week(counted.len() as u64),
        pages,
        pages_a_week: range.a_week(pages),
        firing_seconds: first_of(&|_| true).into_iter().map(|i| lasts(&firings[i])).sum(),
        budget_gone: median(counted.into_iter().filter_map(|i| firings[i].budget_gone).collect()),
        against_incidents,
    }
}

/// The first firing of each alert for which something is so, by index.
fn first_of_each(firings: &[Firing<'_>], is: &dyn Fn(usize) -> bool) -> Vec<usize> {
    let mut seen = vec![false; firings.iter().map(|firing| firing.alert + 1).max().unwrap_or(0)];
    (0..firings.len()).filter(|i| is(*i) && !std::mem::replace(&mut seen[firings[*i].alert], true)).collect()
}

/// What the firings found; and of each, whether it counts at all.
fn detection(
    firings: &[Firing<'_>],
    range: Range,
    labels: &Labels,
    watches: impl Fn(&Incident) -> bool,
) -> (Detection, Vec<bool>) {
    let mut found = Detection::default();
    let mut times = Vec::new();
    let mut unnoticed = 0;
    let mut explained = vec![false; firings.len()];
    let mut first = vec![false; firings.len()];
    for incident in &labels.incidents {
        let (seen, within) = sighting(incident, labels, firings);
        within.into_iter().for_each(|index| explained[index] = true);
        if !range.contains(incident.from) || !watches(incident) {
            continue;
        }
        found.incidents += 1;
        unnoticed += seen.first.map_or(labels.end(incident), |index| firings[index].fired) - incident.from;
        match seen.first {
            Some(index) => {
                found.found += 1;
                first[index] = true;
                times.push(firings[index].fired - incident.from);
            }
            None if seen.was_firing => found.already_firing += 1,
            None => found.missed += 1,
        }
    }
    let mut aside = vec![false; firings.len()];
    for incident in &labels.set_aside {
        sighting(incident, labels, firings).1.into_iter().for_each(|index| aside[index] = true);
    }
    let counts: Vec<bool> =
        (0..firings.len()).map(|i| range.contains(firings[i].fired) && (explained[i] || !aside[i])).collect();
    let alerts = |is: &dyn Fn(usize) -> bool| first_of_each(firings, &|i| counts[i] && is(i));
    let quiet = labels.quiet(range, watches);
    found.false_alarms = alerts(&|i| !explained[i]).len() as u64;
    found.false_in_quiet = alerts(&|i| !explained[i] && quiet.contains(firings[i].fired)).len() as u64;
    found.quiet_seconds = quiet.seconds();
    found.false_a_quiet_week = a_week(found.false_in_quiet, found.quiet_seconds);
    found.repeats = alerts(&|_| true).len() as u64 - alerts(&|i| first[i] || !explained[i]).len() as u64;
    found.unnoticed_seconds = (found.incidents > 0).then(|| unnoticed as f64 / found.incidents as f64);
    found.longest_to_detect_seconds = times.iter().copied().max();
    found.time_to_detect_seconds = median(times.into_iter().map(|seconds| seconds as f64).collect());
    (found, counts)
}

#[cfg(test)]
mod tests;
