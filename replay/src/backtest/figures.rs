//! Firings in figures: how many, how long, and held against incidents: what they found, and what was false.
//!
//! - An incident is **found** by a firing of its service (of any, if it names none) that began within it, or within the
//!   grace after its end. The first one gives the time to detect.
//! - It is **already firing** if nothing fired within it, but an alert of its service that fired before was still open when
//!   it began. Nobody was told of this incident, and nobody overlooked it: it is neither found nor missed.
//! - Else it is **missed**.
//! - A firing within an incident that is the first in none is a **repeat**: a second alert, or one that flaps.
//! - A firing within no incident of its service is **false**, be it that it began a moment before one.
//!
//! Only what began in the range counts, incidents as well as firings.

use serde::Serialize;

use super::incidents::Incident;
use super::labels::Labels;
use super::{Range, a_week, median};

/// A firing, as far as figures go.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Firing<'a> {
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
    /// How often it fired.
    pub firings: u64,
    /// The same per week; null of an empty range.
    pub firings_a_week: Option<f64>,
    /// Those that page: of a severity such as `page` or `critical`.
    pub pages: u64,
    /// The same per week.
    pub pages_a_week: Option<f64>,
    /// Seconds of the range that it was firing, of all firings together; also of those that began before the range.
    pub firing_seconds: i64,
    /// Share of the period's budget that was spent when it fired: the median; null if it is not known of any.
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
    /// Further firings in an incident.
    pub repeats: u64,
    /// Firings in no incident.
    #[serde(rename = "false")]
    pub false_alarms: u64,
    /// The same per week of the time without incidents; null if there was none.
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
    /// Firings in it.
    pub(super) firings: u64,
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
    (Sighting { first: within.first().copied(), firings: within.len() as u64, was_firing }, within)
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
    let counted = || firings.iter().zip(&counts).filter(|(_, counts)| **counts).map(|(firing, _)| firing);
    let fired = counted().count() as u64;
    let pages = counted().filter(|firing| firing.pages).count() as u64;
    let lasts = |firing: &Firing<'_>| {
        let to = firing.ended.unwrap_or(range.to).min(range.to);
        (to - firing.fired.max(range.from)).max(0)
    };
    Figures {
        firings: fired,
        firings_a_week: range.a_week(fired),
        pages,
        pages_a_week: range.a_week(pages),
        firing_seconds: firings.iter().map(lasts).sum(),
        budget_gone: median(counted().filter_map(|firing| firing.budget_gone).collect()),
        against_incidents,
    }
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
    let of = |is: &dyn Fn(usize) -> bool| (0..firings.len()).filter(|i| counts[*i] && is(*i)).count() as u64;
    found.repeats = of(&|i| explained[i] && !first[i]);
    found.false_alarms = of(&|i| !explained[i]);
    found.false_a_quiet_week = a_week(found.false_alarms, labels.quiet_seconds(range));
    found.unnoticed_seconds = (found.incidents > 0).then(|| unnoticed as f64 / found.incidents as f64);
    found.longest_to_detect_seconds = times.iter().copied().max();
    found.time_to_detect_seconds = median(times.into_iter().map(|seconds| seconds as f64).collect());
    (found, counts)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RANGE: Range = Range { from: 0, to: 100_000 };

    fn incident(from: i64, to: i64, service: &str) -> Incident {
        Incident { from, to, service: service.to_owned(), what: String::new() }
    }

    fn labels(incidents: &[Incident]) -> Labels {
        Labels { incidents: incidents.to_vec(), grace: 60, ..Labels::default() }
    }

    fn firing(service: &str, fired: i64, ended: Option<i64>) -> Firing<'_> {
        Firing { services: [service; 2], fired, ended, pages: true, budget_gone: None }
    }

    /// incidents, found, already firing, missed, repeats, false.
    fn verdict(firings: &[Firing<'_>], labels: &Labels) -> [u64; 6] {
        let d = figures(firings.to_vec(), RANGE, Some(labels), |_| true).against_incidents.unwrap();
        [d.incidents, d.found, d.already_firing, d.missed, d.repeats, d.false_alarms]
    }

    #[test]
    fn what_is_within_an_incident_and_what_is_not() {
        let one = labels(&[incident(1_000, 2_000, "a")]);
        for (firings, want, why) in [
            (vec![], [1, 0, 0, 1, 0, 0], "nothing fires"),
            (vec![firing("a", 1_000, Some(1_100))], [1, 1, 0, 0, 0, 0], "at its beginning"),
            (vec![firing("a", 2_060, Some(2_100))], [1, 1, 0, 0, 0, 0], "at the end of its grace"),
            (vec![firing("a", 2_061, Some(2_100))], [1, 0, 0, 1, 0, 1], "behind its grace"),
            (vec![firing("a", 999, Some(1_000))], [1, 0, 0, 1, 0, 1], "over when it begins"),
            (vec![firing("a", 999, Some(1_001))], [1, 0, 1, 0, 0, 1], "just before it, and still open"),
            (vec![firing("a", 999, None), firing("a", 1_500, None)], [1, 1, 0, 0, 0, 1], "another finds it"),
            (vec![firing("b", 1_000, Some(1_100))], [1, 0, 0, 1, 0, 1], "another service"),
            (vec![firing("a", 1_200, None), firing("a", 1_100, Some(1_150))], [1, 1, 0, 0, 1, 0], "it flaps"),
        ] {
            assert_eq!(verdict(&firings, &one), want, "{why}");
        }
    }

    #[test]
    fn one_firing_finds_all_incidents_that_it_is_in() {
        let two = labels(&[incident(1_000, 2_000, "a"), incident(1_500, 2_500, "")]);
        assert_eq!(verdict(&[firing("a", 1_600, None)], &two), [2, 2, 0, 0, 0, 0]);
        // Each is the first in one of them.
        assert_eq!(verdict(&[firing("a", 1_200, None), firing("b", 1_600, None)], &two), [2, 2, 0, 0, 0, 0]);
        // The first one was before the second incident, and is still open.
        assert_eq!(verdict(&[firing("a", 1_200, None)], &two), [2, 1, 1, 0, 0, 0]);
    }

    #[test]
    fn an_alert_of_any_service_finds_an_incident_if_that_is_asked_for() {
        let one = Labels { any_service: true, ..labels(&[incident(1_000, 2_000, "a")]) };
        assert_eq!(verdict(&[firing("b", 1_100, None)], &one), [1, 1, 0, 0, 0, 0]);
        // An incident without a service is everybody's.
        assert_eq!(verdict(&[firing("b", 1_100, None)], &labels(&[incident(1_000, 2_000, "")])), [1, 1, 0, 0, 0, 0]);
    }

    #[test]
    fn an_incident_that_is_set_aside_is_not_looked_at() {
        let aside = Labels { set_aside: vec![incident(1_500, 3_000, "a")], ..labels(&[incident(1_000, 2_000, "a")]) };
        let firings = [firing("a", 1_600, Some(1_700)), firing("a", 2_900, Some(2_950)), firing("a", 5_000, None)];
        assert_eq!(verdict(&firings, &aside), [1, 1, 0, 0, 0, 1]);
        let figures = figures(firings.to_vec(), RANGE, Some(&aside), |_| true);
        assert_eq!(figures.firings, 2, "the one in both counts, that in the other alone does not");
    }

    #[test]
    fn only_what_begins_in_the_range_counts() {
        let range = Range { from: 1_000, to: 2_000 };
        let firings = vec![firing("a", 900, Some(1_100)), firing("a", 1_950, None), firing("a", 2_100, None)];
        let early = labels(&[incident(500, 990, "a"), incident(2_050, 2_100, "a")]);
        let all = figures(firings, range, Some(&early), |_| true);
        let found = all.against_incidents.unwrap();
        assert_eq!((all.firings, all.firing_seconds), (1, 100 + 50));
        assert_eq!((found.incidents, found.false_alarms), (0, 1));
    }

    #[test]
    fn figures_of_a_quiet_week_and_of_nothing() {
        let week = Range { from: 0, to: 604_800 };
        let mut firings = vec![firing("a", 10, Some(20)), firing("a", 100, Some(400)), firing("b", 604_700, None)];
        firings[0].pages = false;
        (firings[0].budget_gone, firings[2].budget_gone) = (Some(0.1), Some(0.4));
        let all = figures(firings, week, None, |_| true);
        assert_eq!((all.firings, all.pages, all.pages_a_week), (3, 2, Some(2.0)));
        assert_eq!((all.firing_seconds, all.budget_gone, all.against_incidents), (10 + 300 + 100, Some(0.25), None));

        let empty = figures(Vec::new(), Range { from: 5, to: 5 }, Some(&Labels::default()), |_| true);
        assert_eq!((empty.firings_a_week, empty.firing_seconds), (None, 0));
        assert_eq!(empty.against_incidents, Some(Detection::default()));
    }

    #[test]
    fn the_time_to_detect_is_from_an_incidents_beginning() {
        let three = labels(&[incident(1_000, 2_000, ""), incident(5_000, 6_000, ""), incident(9_000, 9_000, "")]);
        let firings = vec![firing("a", 1_030, None), firing("a", 1_010, None), firing("a", 5_090, None)];
        let found = figures(firings, RANGE, Some(&three), |_| true).against_incidents.unwrap();
        assert_eq!((found.time_to_detect_seconds, found.longest_to_detect_seconds), (Some(50.0), Some(90)));
        // The third was missed: a moment and its grace.
        assert_eq!(found.unnoticed_seconds, Some((10.0 + 90.0 + 60.0) / 3.0));
        // Of 100,000 seconds these are quiet: three graces of 60 s, and last seconds, off.
        let quiet = 100_000.0 - 2.0 * 1_061.0 - 61.0;
        assert_eq!(found.false_a_quiet_week.map(|rate| rate * quiet), Some(0.0));
    }
}
